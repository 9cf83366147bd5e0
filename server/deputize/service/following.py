"""Following a record from outside: does a newer checkpoint continue what was seen of it, and if not, where (LOG-7)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ..protocol.checkpoint import Checkpoint
from ..protocol.merkle import HASH_BYTES, Frontier, leaf_hash
from ..protocol.tiles import (
    WIDTH,
    Tree,
    bundle_path,
    read_bundle,
    tile_path,
    verify_consistency,
    width_of,
)

Fetch: TypeAlias = Callable[[str], bytes]
"""Gets a tile by its path below `log/tile/`; `NoTile` if that cannot be had."""

Enough: TypeAlias = Callable[[int], bool]
"""Tells, after each tile, whether so many leaves are enough for now."""

_NAMED = 5
"""Runs of entries that one sentence names."""


class NoTile(Exception):
    """A tile cannot be had now."""


class Broken(Exception):
    """A record is not the continuation of what was seen of it; the message says how, and which entry is the first."""


class Behind(Broken):
    """Fewer entries are there than were seen, and those are the same: who is asked again may have all of them."""

    def __init__(self, size: int, known: int) -> None:
        """Say how many there are, and how many were seen."""
        super().__init__(
            f"it was cut off or put back: it had {known} entries, and now has the first {size} of them"
        )


@dataclass
class Followed:
    """What somebody outside has seen of a record: the hash of every leaf, in order."""

    tree: Frontier = field(default_factory=Frontier)
    leaves: bytearray = field(default_factory=bytearray)

    @classmethod
    def read(cls, leaves: bytes) -> "Followed":
        """Read the hashes that were kept, of 32 bytes each; a last one that was cut off is left out."""
        seen = cls()
        for leaf in _hashes(leaves):
            seen.add(leaf)
        return seen

    def add(self, leaf: bytes) -> None:
        """See one more leaf."""
        self.tree = self.tree.append(leaf)
        self.leaves += leaf

    def go_on(
        self, checkpoint: Checkpoint, fetch: Fetch, enough: Enough = lambda _: False
    ) -> tuple[bytes, ...]:
        """See what a genuine checkpoint covers, until that is `enough`; `Broken` if it does not continue what was seen.

        Return the proof that what is seen now is the beginning of it (RFC 9162 §2.1.4), which is empty of all of it: so
        whoever signs a record without end keeps nobody busy at once. `NoTile` where what is new cannot be had. What
        contradicts what was seen is told without any tile.
        """
        size, known = checkpoint.size, self.tree.size
        if size < known and self._root_of(size) == checkpoint.root:
            raise Behind(size, known)
        if size > known or (size == known and self.tree.root() == checkpoint.root):
            whole = known - known % WIDTH  # what comes after it is in one tile with what is new
            ahead, again = Followed(self.tree), bytearray()
            for index, leaf in enumerate(_leaves(size, whole, fetch), whole):
                if index < known:
                    again += leaf
                    continue
                ahead.add(leaf)
                if ahead.tree.size < size and not ahead.tree.size % WIDTH and enough(ahead.tree.size):
                    break
            proof = _proof(ahead.tree.size, checkpoint, fetch)
            if begins(ahead.tree, checkpoint, proof) and again == self.leaves[whole * HASH_BYTES :]:
                self.tree = ahead.tree
                self.leaves += ahead.leaves
                return proof
        raise Broken(self._fault(checkpoint, fetch))

    def require(self, other: Checkpoint, name: str, newest: Checkpoint, fetch: Fetch) -> None:
        """Compare with another checkpoint of this record, which has a name here; `Broken` unless both are of one.

        `newest` is the one that this goes on to, and was shown here: one of more entries says that some are kept back.
        """
        if other.size > newest.size:
            raise Broken(
                f"it was cut off or put back, or not all of it is shown here: {name} is of {other.size} entries, and "
                f"now it has {newest.size}"
            )
        if other.size > self.tree.size:
            same = _continues(other, newest, fetch)
        else:
            same = self._root_of(other.size) == other.root
        if not same:
            raise Broken(
                f"its first {other.size} entries are not those that {name} is signed over: they were rewritten since, "
                "or others are shown another record"
            )

    def _root_of(self, size: int) -> bytes:
        """Return the root over the first leaves."""
        return Followed.read(bytes(self.leaves[: size * HASH_BYTES])).tree.root()

    def _fault(self, checkpoint: Checkpoint, fetch: Fetch) -> str:
        """Say in what a record differs, whose hashes are fetched anew, as far as it was seen."""
        size, known = checkpoint.size, self.tree.size
        there = Followed()
        try:
            for leaf in _leaves(size, 0, fetch):
                there.add(leaf)
                if there.tree.size > known and not there.tree.size % WIDTH:
                    break
            genuine = begins(there.tree, checkpoint, _proof(there.tree.size, checkpoint, fetch))
        except NoTile:
            return f"its checkpoint of {size} entries is over others, and the tiles that tell which cannot be had"
        pairs = zip(_hashes(self.leaves), _hashes(there.leaves), strict=False)
        others = [index for index, (before, now) in enumerate(pairs) if before != now]
        if not genuine:
            told = f"its tiles are not those of its checkpoint of {size} entries"
            return f"{told}: in them, {_others(others, 0)}" if others else told
        if not others:
            return f"its tiles up to entry {size - 1} are now these and now others"
        shorter = f", and it has {size} entries where it had {known}" if size < known else ""
        return _others(others, min(size, known)) + shorter


def begins(tree: Frontier, checkpoint: Checkpoint, proof: Sequence[bytes]) -> bool:
    """Tell whether the record of a checkpoint begins with this tree, by the proof that `Followed.go_on` returned."""
    if tree.size == checkpoint.size:
        return tree.root() == checkpoint.root
    return verify_consistency(tree.size, tree.root(), checkpoint.size, checkpoint.root, proof)


def require_continued(old: Checkpoint, new: Checkpoint, fetch: Fetch) -> None:
    """Have it proven that a checkpoint continues an older one, of which not all was seen; `Broken` if it does not."""
    if new.size < old.size:
        raise Broken(f"it was cut off or put back: it had {old.size} entries, and now has {new.size}")
    if not _continues(old, new, fetch):
        raise Broken(
            f"its checkpoint of {new.size} entries does not continue that of {old.size}, or its tiles are of neither"
        )


def _continues(old: Checkpoint, new: Checkpoint, fetch: Fetch) -> bool:
    return verify_consistency(old.size, old.root, new.size, new.root, _proof(old.size, new, fetch))


def _proof(size: int, checkpoint: Checkpoint, fetch: Fetch) -> tuple[bytes, ...]:
    """Make the proof that a record continues so many of its entries, which is empty of none and of all of them."""
    if size == checkpoint.size:
        return ()
    tiles = Tree(
        checkpoint.size, lambda level, first, _: _tile(level, first // WIDTH, checkpoint.size, fetch)
    )
    return tuple(tiles.consistency(size))


def entries(start: int, leaves: Sequence[bytes], fetch: Fetch) -> Iterator[bytes]:
    """Fetch the entries from `start` on that have these hashes (LOG-8).

    `NoTile` where they cannot be had, `Broken` where they are others: nobody may be told another story than the hashes.
    """
    size = start + len(leaves)
    for number in range(start // WIDTH, -(-size // WIDTH)):
        path = bundle_path(number, width := width_of(0, number, size))
        try:
            bundle = read_bundle(fetch(path))
        except ValueError:
            raise Broken(f"{path} is not a bundle of entries") from None
        if len(bundle) != width:
            raise Broken(f"{path} is of {len(bundle)} entries, not {width}")
        for index, entry in enumerate(bundle, number * WIDTH):
            if index >= start:
                if leaf_hash(entry) != leaves[index - start]:
                    raise Broken(f"entry {index} is served as another than the one that its hash is of")
                if b"\n" in entry:
                    raise Broken(f"entry {index} is not in canonical form")
                yield entry


def _others(indexes: Sequence[int], common: int) -> str:
    """Say which entries are not what they were, of those that were seen and that there are now."""
    runs = list[tuple[int, int]]()
    for index in indexes:
        begun = runs.pop()[0] if runs and runs[-1][1] == index - 1 else index
        runs.append((begun, index))
    named = [str(first) if first == last else f"{first} to {last}" for first, last in runs[:_NAMED]]
    if more := len(runs) - len(named):
        named.append(f"others in {more} more places")
    if len(indexes) == 1:
        return f"entry {named[0]} is not what it was"
    told = f"entries {', '.join(named)} are not what they were"
    if runs == [(indexes[0], common - 1)]:  # what comes again after a fork has blinds of its own
        told += ": from there on it is another record"
    return told


def _leaves(size: int, start: int, fetch: Fetch) -> Iterator[bytes]:
    """Fetch the hashes of the leaves from `start` on."""
    for number in range(start // WIDTH, -(-size // WIDTH)):
        yield from _tile(0, number, size, fetch)[max(start - number * WIDTH, 0) :]


def _tile(level: int, number: int, size: int, fetch: Fetch) -> list[bytes]:
    """Fetch all hashes of a tile that it has in a tree of so many leaves."""
    path = tile_path(level, number, width := width_of(level, number, size))
    tile = fetch(path)
    if len(tile) != width * HASH_BYTES:
        raise Broken(f"tile {path} is of {len(tile)} bytes, not {width * HASH_BYTES}")
    return list(_hashes(tile))


def _hashes(joined: bytes | bytearray) -> Iterator[bytes]:
    for at in range(0, len(joined) - HASH_BYTES + 1, HASH_BYTES):
        yield bytes(joined[at : at + HASH_BYTES])
