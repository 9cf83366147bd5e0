"""How long a proof takes in a record of ten million entries: `python -m bench.proofs [ENTRIES]`.

The entries are random hashes in a real store, with the tiles above them. Each proof begins with nothing read (LOG-7).
"""

import os
import random
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from deputize.protocol.merkle import HASH_BYTES, Frontier, root, verify_inclusion
from deputize.protocol.tiles import HEIGHT, WIDTH, Hashes, Tree, verify_consistency
from deputize.service.ports import Reader
from deputize.store.snapshot import Snapshot
from deputize.store.sqlite import SqliteStore
from deputize.store.user_keys import UserKeys

ENTRIES = 10_000_000
PROOFS = 500
_AT_ONCE = 60 * WIDTH


Leaves = Callable[[int, int], list[tuple[bytes, bytes]]]
"""Makes so many entries from an index on, each with its hash."""


def fill(path: Path, size: int, leaves: Leaves) -> None:
    """Put so many entries into a new store, with the hashes above them."""
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        below = list[bytes]()
        for start in range(0, size, _AT_ONCE):
            made = leaves(start, min(_AT_ONCE, size - start))
            rows = ((index, leaf, each) for index, (leaf, each) in enumerate(made, start))
            connection.executemany("INSERT INTO entries (idx, leaf, leaf_hash) VALUES (?, ?, ?)", rows)
            below += _tiles([each for _, each in made])
        level = 1
        while below:
            above = ((level, index, each) for index, each in enumerate(below))
            connection.executemany("INSERT INTO tiles (level, idx, hash) VALUES (?, ?, ?)", above)
            below, level = list(_tiles(below)), level + 1
        head = _frontier(size, Snapshot(connection.execute, UserKeys.beside(path)).hashes)
        connection.execute("INSERT INTO log_head (one, frontier) VALUES (1, ?)", [head.to_bytes()])


def _random(start: int, count: int) -> list[tuple[bytes, bytes]]:
    leaf = b"an entry of the usual length: " + bytes(300)
    hashes = _split(os.urandom(count * HASH_BYTES))
    return [(leaf if index % WIDTH == 0 else b"", each) for index, each in enumerate(hashes, start)]


def _frontier(size: int, hashes: Hashes) -> Frontier:
    subtrees, start = list[bytes](), 0
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            level, rest = divmod(height, HEIGHT)
            subtrees.append(root(hashes(level, start >> level * HEIGHT, 1 << rest)))
            start += 1 << height
    return Frontier(size, tuple(subtrees))


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds that a proof took by the clock, and of the processor's time."""

    clock: float
    processor: float


def measure(reader: Reader, size: int) -> dict[str, list[Taken]]:
    """Return what each of many proofs took, of inclusion and of consistency; each is verified."""
    head = Tree(size, reader.hashes).root()
    taken: dict[str, list[Taken]] = {"inclusion": [], "consistency": []}
    for _ in range(PROOFS):
        index, old = random.randrange(size), random.randrange(1, size)
        proof, time_taken = _timed(Tree(size, reader.hashes).inclusion, index)
        taken["inclusion"].append(time_taken)
        (leaf,) = reader.hashes(0, index, 1)
        assert verify_inclusion(leaf, index, size, proof, head)
        proof, time_taken = _timed(Tree(size, reader.hashes).consistency, old)
        taken["consistency"].append(time_taken)
        assert verify_consistency(old, Tree(old, reader.hashes).root(), size, head, proof)
    return taken


def main(size: int) -> None:
    """Fill, measure and tell."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "deputize.db"
        begun = time.perf_counter()
        fill(path, size, _random)
        print(
            f"{size:,} entries, {path.stat().st_size / 1e6:.0f} MB, filled in {time.perf_counter() - begun:.0f} s"
        )
        with closing(SqliteStore(path)) as store:
            for what, taken in store.look(lambda tx: measure(tx, size)).items():
                clock, processor = (
                    statistics.median(getattr(each, kind) for each in taken) * 1000
                    for kind in ("clock", "processor")
                )
                print(f"{what:12} median {clock:.2f} ms, {processor:.2f} ms of them the processor's")


def _tiles(hashes: list[bytes]) -> Iterator[bytes]:
    for start in range(0, len(hashes) - WIDTH + 1, WIDTH):
        yield root(hashes[start : start + WIDTH])


def _split(joined: bytes) -> list[bytes]:
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]


def _timed(prove: Callable[[int], list[bytes]], of: int) -> tuple[list[bytes], Taken]:
    clock, processor = time.perf_counter(), time.process_time()
    made = prove(of)
    return made, Taken(time.perf_counter() - clock, time.process_time() - processor)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES)
