"""How long the owner looks for something in a record of ten million entries: `python -m bench.lookups`.

The entries are a bank's, of three for each call, with the index over them. Each command runs as its owner runs it, in a
process of its own, which takes a second by itself: what is told is when its first line came, when it was done, how much
of the processor's time that was, and how much memory it had. Two users are looked for, one with few calls, and one with
a hundredth of all. `python -m bench.lookups ENTRIES FOLDER` makes a record of so many in a folder, which is kept, and
used the next time.
"""

import os
import sqlite3
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory

from bench.proofs import ENTRIES, fill
from deputize.app import Deputize
from deputize.protocol.entry import Entry
from deputize.protocol.merkle import leaf_hash
from deputize.service import trails
from deputize.store.snapshot import hashed

_BEGAN = 1_700_000_000  # seconds; three entries come in each
_FEW = 45
"""The number of the user with few calls."""
_POLICY = """
[site]
name = "Harbor"
origin = "http://localhost:8000"
"""
_hashed = lru_cache(100_000)(hashed)


def _id(prefix: str, number: int) -> str:
    return (
        f"{prefix}_{urlsafe_b64encode(hashed(f'{prefix}{number}').to_bytes(16, signed=True)).decode()[:22]}"
    )


def _sub(call: int) -> str:
    return _ids("usr", 0 if call % 100 == 0 else 1 + call % 100_000)


_ids = lru_cache(400_000)(_id)


def _call(call: int) -> Iterator[tuple[str, dict[str, object], set[str]]]:
    """Yield the three entries of a call: the kind, what each tells, and the keys that it is found under."""
    call_id = _id("cal", call)
    whose = {
        "call_id": call_id,
        "sub": _sub(call),
        "client_id": _ids("agt", call % 997),
        "tool": "close_account" if call % 100_003 == 7 else f"tool_{call % 10}",
    }
    arrival = {**whose, "grant_id": _ids("grt", call % 200_000)}
    said = {f"{name}_s256": "b" * 43 for name in ("args", "definition", "policy")}
    yield "call.approved", {**arrival, **said}, trails.keys_of(arrival)
    keys = trails.keys_of(whose)
    yield "call.redeemed", {"call_id": call_id}, keys
    code = "definition_changed" if call % 500_009 == 11 else "grant_revoked" if call % 50 == 0 else None
    if code is None:
        yield "call.succeeded", {"call_id": call_id}, keys
    else:  # those that are revoked are all of tool_0
        yield "call.cancelled", {"call_id": call_id, "code": code}, keys | {trails.of_reason(code)}


def make(path: Path, size: int) -> None:
    """Make the record, and the index as `trails.step` would, which takes hours for so many."""
    with TemporaryDirectory(dir=path.parent) as folder:
        with closing(sqlite3.connect(Path(folder) / "rows.db", isolation_level=None)) as rows:
            rows.execute("PRAGMA journal_mode = OFF")
            rows.execute("PRAGMA synchronous = OFF")
            rows.execute("CREATE TABLE rows (about INTEGER, idx INTEGER)")
            rows.execute("BEGIN")

            def leaves(start: int, count: int) -> list[tuple[bytes, bytes]]:
                made, keys, blind = list[tuple[bytes, bytes]](), list[tuple[int, int]](), os.urandom(16)
                for call in range(start // 3, -(-(start + count) // 3)):
                    for index, (kind, told, found_by) in enumerate(_call(call), 3 * call):
                        if start <= index < start + count:
                            leaf = Entry(kind, told).leaf(index, _BEGAN + call, blind)
                            made.append((leaf, leaf_hash(leaf)))
                            keys += [(_hashed(key), index) for key in found_by]
                rows.executemany("INSERT INTO rows VALUES (?, ?)", keys)
                return made

            fill(path, size, leaves)
            rows.execute("COMMIT")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("ATTACH ? AS made", [str(Path(folder) / "rows.db")])
            connection.execute("INSERT INTO trails SELECT about, idx FROM made.rows ORDER BY about, idx")
            connection.execute("INSERT INTO trails_head (one, size) VALUES (1, ?)", [size])
            connection.execute("DETACH made")
            people = [(_id("usr", each), "Ada", bytes([each]), _BEGAN, 0) for each in (0, _FEW)]
            connection.executemany(
                "INSERT INTO users (user_id, name, handle, created_at, enrolls_until) VALUES (?, ?, ?, ?, ?)",
                people,
            )


@dataclass(frozen=True, slots=True)
class Ran:
    """Seconds until the first bytes of a command, until its end, and of the processor; lines; its most memory in MB."""

    first: float
    done: float
    processor: float
    lines: int
    memory: int


def run(folder: Path, command: list[str]) -> Ran:
    """Run one command of the owner's in this folder."""
    begun = time.perf_counter()
    with Popen([sys.executable, "-m", "deputize", *command], stdout=PIPE, cwd=folder) as process:
        assert process.stdout is not None
        text = os.read(process.stdout.fileno(), 1)
        first, lines = time.perf_counter() - begun, text.count(b"\n")
        while text := os.read(process.stdout.fileno(), 1 << 20):
            lines += text.count(b"\n")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return Ran(
        first, time.perf_counter() - begun, used.ru_utime + used.ru_stime, lines, used.ru_maxrss // 1024
    )


def commands(size: int) -> Iterator[list[str]]:
    """Yield what is tried."""
    last, few, many, agent = size // 3 - 1, _id("usr", _FEW), _id("usr", 0), _id("agt", 5)
    yield ["agents", "list"]  # what starting alone takes
    for options in (
        ["-n", "20"],
        ["--since", _moment(_BEGAN + size // 3 - 60)],
        ["--user", few],
        ["--user", many, "-n", "1000"],
        ["--agent", agent, "-n", "1000"],
        ["--tool", "close_account"],
        ["--tool", "tool_3", "-n", "1000"],
        ["--reason", "definition_changed"],
        ["--tool", "tool_3", "--user", many],
        ["--tool", "tool_0", "--reason", "grant_revoked", "-n", "1000"],
        ["--tool", "tool_3", "--reason", "grant_revoked"],
        ["--tool", "tool_3", "--reason", "definition_changed"],
        ["--agent", agent, "--user", few, "--since", _moment(_BEGAN)],
    ):
        yield ["log", "list", *options]
    yield ["log", "tail", "--tool", "close_account"]
    yield ["log", "search", "definition_changed", "-n", "1"]
    yield ["log", "search", _id("cal", last)]
    yield ["log", "search", "nothing has this"]
    yield ["log", "search", "revoked", "--user", few]
    yield ["log", "receipt", _id("cal", size // 6)]
    yield ["log", "show", _id("cal", size // 6)]
    yield ["log", "show", few]
    yield ["log", "export", "--user", many]
    yield ["users", "export", few]
    yield ["users", "export", many]


def _moment(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def main(size: int, folder: Path) -> None:
    """Make the record, unless it is there already, and run all."""
    folder.mkdir(exist_ok=True)
    (folder / "deputize.toml").write_text(_POLICY)
    data = folder / "var"
    if not data.exists():
        data.mkdir()
        begun = time.perf_counter()
        maker = get_context("spawn").Process(target=make, args=(data / "deputize.db", size))
        maker.start()  # apart: what it needs of memory is none of theirs
        maker.join()
        Deputize(folder / "deputize.toml", data, new_keys=True).store.close()
        took, large = time.perf_counter() - begun, (data / "deputize.db").stat().st_size
        print(f"{size:,} entries, {large / 1e6:,.0f} MB, made in {took:.0f} s", flush=True)
    print(f"{'first':>8} {'done':>8} {'processor':>9} {'lines':>8} {'memory':>8}")
    for command in commands(size):
        ran = run(folder, command)
        told = f"{ran.first:6.2f} s {ran.done:6.2f} s {ran.processor:7.2f} s {ran.lines:8,} {ran.memory:5} MB"
        print(f"{told}  {' '.join(command)}", flush=True)


if __name__ == "__main__":
    how_many = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    if len(sys.argv) > 2:
        main(how_many, Path(sys.argv[2]))
    else:
        with TemporaryDirectory() as name:
            main(how_many, Path(name))
