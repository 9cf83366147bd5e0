"""Following a record from outside: does a newer checkpoint continue what was seen of it, and if not, where (LOG-7)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ..protocol.checkpoint import Checkpoint
from ..protocol.merkle import HASH_BYTES, Frontier, leaf_hash
from ..protocol.tiles import WIDTH, bundle_path, read_bundle, tile_path, width_of

Fetch: TypeAlias = Callable[[str], bytes]
"""Gets a tile by its path below `log/tile/`; `NoTile` if that cannot be had."""

_NAMED = 5
"""Runs of entries that one sentence names."""
_MOST = 1 << 28
"""Entries that can be new at once, 8 GB of hashes: who signs more than there are is not fetched from for ever."""


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

    def go_on(self, checkpoint: Checkpoint, fetch: Fetch) -> None:
        """See all that a genuine checkpoint covers; `Broken` if it does not continue what was seen.

        `NoTile` where what is new cannot be had. What contradicts what was seen is told without any tile.
        """
        size, known = checkpoint.size, self.tree.size
        if size < known and self._root_of(size) == checkpoint.root:
            raise Behind(size, known)
        if size > known or self.tree.root() == checkpoint.root:
            whole = known - known % WIDTH  # what comes after it is in one tile with what is new
            ahead, again = Followed(self.tree), bytearray()
            for index, leaf in enumerate(_leaves(size, whole, fetch), whole):
                if index < known:
                    again += leaf
                else:
                    ahead.add(leaf)
            if ahead.tree.root() == checkpoint.root and again == self.leaves[whole * HASH_BYTES :]:
                self.tree = ahead.tree
                self.leaves += ahead.leaves
                return
        raise Broken(self._fault(checkpoint, fetch))

    def require(self, other: Checkpoint, name: str) -> None:
        """Compare with another checkpoint of this record, which has a name here; `Broken` unless both are of one.

        One of more entries than were seen here says that some are kept back.
        """
        if other.size > self.tree.size:
            raise Broken(
                f"it was cut off or put back, or not all of it is shown here: {name} is of {other.size} entries, and "
                f"now it has {self.tree.size}"
            )
        if self._root_of(other.size) != other.root:
            raise Broken(
                f"its first {other.size} entries are not those that {name} is signed over: they were rewritten since, "
                "or others are shown another record"
            )

    def _root_of(self, size: int) -> bytes:
        """Return the root over the first leaves."""
        return Followed.read(bytes(self.leaves[: size * HASH_BYTES])).tree.root()

    def _fault(self, checkpoint: Checkpoint, fetch: Fetch) -> str:
        """Say in what a record differs, all of whose hashes are fetched anew."""
        size, known = checkpoint.size, self.tree.size
        there = Followed()
        try:
            for leaf in _leaves(size, 0, fetch):
                there.add(leaf)
        except NoTile:
            return f"its checkpoint of {size} entries is over others, and the tiles that tell which cannot be had"
        pairs = zip(_hashes(self.leaves), _hashes(there.leaves), strict=False)
        others = [index for index, (before, now) in enumerate(pairs) if before != now]
        if there.tree.root() != checkpoint.root:
            told = f"its tiles are not those of its checkpoint of {size} entries"
            return f"{told}: in them, {_others(others, 0)}" if others else told
        if not others:
            return f"its tiles up to entry {size - 1} are now these and now others"
        shorter = f", and it has {size} entries where it had {known}" if size < known else ""
        return _others(others, min(size, known)) + shorter


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
    if size - start > _MOST:
        raise NoTile(f"its checkpoint is of {size} entries, of which too many are new")
    for number in range(start // WIDTH, -(-size // WIDTH)):
        path = tile_path(0, number, width := width_of(0, number, size))
        tile = fetch(path)
        if len(tile) != width * HASH_BYTES:
            raise Broken(f"tile {path} is of {len(tile)} bytes, not {width * HASH_BYTES}")
        yield from list(_hashes(tile))[max(start - number * WIDTH, 0) :]


def _hashes(joined: bytes | bytearray) -> Iterator[bytes]:
    for at in range(0, len(joined) - HASH_BYTES + 1, HASH_BYTES):
        yield bytes(joined[at : at + HASH_BYTES])
