"""Following a record from outside: does a newer checkpoint continue what was seen of it, and if not, where (LOG-7)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ..protocol.checkpoint import Checkpoint
from ..protocol.merkle import HASH_BYTES, Frontier
from ..protocol.tiles import WIDTH, tile_path, width_of

Fetch: TypeAlias = Callable[[str], bytes]
"""Gets a tile by its path below `log/tile/`; `NoTile` if that cannot be had."""


class NoTile(Exception):
    """A tile cannot be had now."""


class Broken(Exception):
    """A record is not the continuation of what was seen of it; the message says how, and which entry is the first."""


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
        if checkpoint.size >= self.tree.size:
            ahead = Followed(self.tree, bytearray())
            for leaf in _leaves(checkpoint.size, self.tree.size, fetch):
                ahead.add(leaf)
            if ahead.tree.root() == checkpoint.root:
                self.tree = ahead.tree
                self.leaves += ahead.leaves
                return
        raise Broken(self._fault(checkpoint, fetch))

    def _fault(self, checkpoint: Checkpoint, fetch: Fetch) -> str:
        """Say in what a record differs, all of whose hashes are fetched anew."""
        size, known = checkpoint.size, self.tree.size
        if Followed.read(bytes(self.leaves[: size * HASH_BYTES])).tree.root() == checkpoint.root:
            return f"it was cut off or put back: it had {known} entries, and now has the first {size} of them"
        there = Followed()
        try:
            for leaf in _leaves(size, 0, fetch):
                there.add(leaf)
        except NoTile:
            return f"its checkpoint of {size} entries is over others, and the tiles that tell which cannot be had"
        if there.tree.root() != checkpoint.root:
            return f"its tiles are not those of its checkpoint of {size} entries"
        pairs = zip(_hashes(self.leaves), _hashes(there.leaves), strict=False)
        first = next(index for index, (before, now) in enumerate(pairs) if before != now)
        shorter = f", and it has {size} entries where it had {known}" if size < known else ""
        return f"entry {first} is not what it was{shorter}"


def _leaves(size: int, start: int, fetch: Fetch) -> Iterator[bytes]:
    """Fetch the hashes of the leaves from `start` on."""
    for number in range(start // WIDTH, -(-size // WIDTH)):
        path = tile_path(0, number, width := width_of(0, number, size))
        tile = fetch(path)
        if len(tile) != width * HASH_BYTES:
            raise Broken(f"tile {path} is of {len(tile)} bytes, not {width * HASH_BYTES}")
        yield from list(_hashes(tile))[max(start - number * WIDTH, 0) :]


def _hashes(joined: bytes | bytearray) -> Iterator[bytes]:
    for at in range(0, len(joined) - HASH_BYTES + 1, HASH_BYTES):
        yield bytes(joined[at : at + HASH_BYTES])
