"""The tree of the record by tiles (LOG-7, c2sp.org/tlog-tiles): any proof comes from a few runs of hashes.

A tile is 256 hashes that stand side by side: leaf hashes at level 0; at each level above, the roots of the tiles below.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from .merkle import EMPTY_ROOT, HASH_BYTES, Frontier, node_hash, root

HEIGHT = 8
WIDTH = 1 << HEIGHT
"""Hashes in a full tile."""
LEVELS = 8
"""Of a tree of 2**64 leaves, which no record reaches."""
_LENGTH_BYTES = 2

Hashes: TypeAlias = Callable[[int, int, int], Sequence[bytes]]
"""Gives as many hashes of a level as there are, of so many, from an index on: `hashes(level, start, count)`."""

_TILE = re.compile(r"(?P<level>[0-7])/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?")


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """Write where a tile stands below `tile/`: `0/x001/x234/067`, and `0/000.p/5` for one of only 5 hashes."""
    steps = [f"{number % 1000:03}"]
    while number := number // 1000:
        steps.insert(0, f"x{number % 1000:03}")
    return f"{level}/{'/'.join(steps)}" + (f".p/{width}" if width < WIDTH else "")


def read_tile_path(path: str) -> tuple[int, int, int]:
    """Read the level, the number and the width that `tile_path` wrote; ValueError for any other spelling."""
    match = _TILE.fullmatch(path)
    if match is None:
        raise ValueError("not a tile")
    number = int(match["number"].replace("x", "").replace("/", ""))
    told = int(match["level"]), number, int(match["width"] or WIDTH)
    if tile_path(*told) != path:
        raise ValueError("not the spelling of a tile")
    return told


def bundle_path(number: int, width: int) -> str:
    """Write where the entries under a tile of leaves stand below `tile/` (LOG-8): `entries/x001/234.p/5`."""
    return f"entries/{tile_path(0, number, width).removeprefix('0/')}"


def read_bundle_path(path: str) -> tuple[int, int]:
    """Read the number and the width that `bundle_path` wrote after `entries/`; ValueError for any other spelling."""
    return read_tile_path(f"0/{path}")[1:]


def bundle(entries: Iterable[bytes]) -> bytes:
    """Write entries behind each other, each after its length in two bytes; OverflowError for one above 65,535 bytes."""
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES) + entry for entry in entries)


def read_bundle(data: bytes) -> list[bytes]:
    """Read what `bundle` wrote; ValueError for anything else."""
    entries, at = list[bytes](), 0
    while at < len(data):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start])
        if start > len(data) or at > len(data):
            raise ValueError("a bundle of entries is cut off")
        entries.append(data[start:at])
    return entries


def width_of(level: int, number: int, size: int) -> int:
    """Tell how many hashes this tile has in a tree of `size` leaves: 0 to 256."""
    return min(max((size >> level * HEIGHT) - number * WIDTH, 0), WIDTH)


def finished(before: Frontier, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield, of each tile that one more leaf fills, its root as a hash of the level above: level, index, hash."""
    height, last, rest = 0, leaf, before.size
    for subtree in reversed(before.subtrees):
        if not rest & 1:
            return
        height, last, rest = height + 1, node_hash(subtree, last), rest >> 1
        if height % HEIGHT == 0:
            yield height // HEIGHT, rest, last


class Tree:
    """A tree of so many leaves, of which each tile is read once at most."""

    def __init__(self, size: int, hashes: Hashes) -> None:
        """Read from `hashes`, which may lack some above level 0, as of leaves that came before anybody kept them."""
        self.size = size
        self._hashes = hashes
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}

    def root(self) -> bytes:
        """Return the root; LookupError, as of each proof, if there are not as many leaves."""
        return self._over(0, self.size) if self.size else EMPTY_ROOT

    def inclusion(self, index: int) -> list[bytes]:
        """Prove that the leaf with this index is in it (RFC 9162 §2.1.3.1), nearest first; ValueError if it is not."""
        if not 0 <= index < self.size:
            raise ValueError("no leaf has this index")
        start, end, path = 0, self.size, list[bytes]()
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, old: int) -> list[bytes]:
        """Prove that the first `old` leaves are as they were (RFC 9162 §2.1.4.1); ValueError for more than there are.

        Of none, and of all, there is nothing to prove.
        """
        if not 0 <= old <= self.size:
            raise ValueError("the older tree is not the smaller one")
        if old == 0:
            return []
        start, end, path = 0, self.size, list[bytes]()
        while end != old:
            middle = start + _split(end - start)
            if old <= middle:
                path.append(self._over(middle, end))
                end = middle
            else:
                path.append(self._over(start, middle))
                start = middle
        return [*([self._over(start, end)] if start else []), *path[::-1]]

    def tile(self, level: int, number: int) -> Sequence[bytes]:
        """Return the hashes of a tile, as many as there are."""
        if (level, number) not in self._tiles:
            width = width_of(level, number, self.size)
            first = number * WIDTH
            found = list(self._hashes(level, first, width))
            if level == 0 and len(found) < width:
                raise LookupError(f"one of the entries {first} to {first + width - 1} is missing")
            found += [root(self.tile(level - 1, below)) for below in range(first + len(found), first + width)]
            self._tiles[level, number] = found
        return self._tiles[level, number]

    def _over(self, start: int, end: int) -> bytes:
        """Return the root over these leaves, of which `start` is where RFC 9162 splits a tree."""
        width = end - start
        if width & width - 1:
            middle = start + _split(width)
            return node_hash(self._over(start, middle), self._over(middle, end))
        level, rest = divmod(width.bit_length() - 1, HEIGHT)
        first = start >> level * HEIGHT
        return root(self.tile(level, first // WIDTH)[first % WIDTH : first % WIDTH + (1 << rest)])


def verify_consistency(old: int, old_root: bytes, size: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether a tree of `size` leaves begins with that of `old` leaves (RFC 9162 §2.1.4.2).

    Malformed input of any kind is False, never an exception. Of an empty tree everything is the continuation.
    """
    try:
        return _continues(old, old_root, size, new_root, list(proof))
    except (TypeError, ValueError):
        return False


def _continues(old: int, old_root: bytes, size: int, new_root: bytes, proof: list[bytes]) -> bool:
    if not {HASH_BYTES}.issuperset(map(len, (old_root, new_root, *proof))) or not 0 <= old <= size:
        return False
    if old in (0, size):
        return not proof and (old_root == new_root if old else old_root == EMPTY_ROOT)
    if old & old - 1 == 0:  # 2
        proof = [old_root, *proof]
    node, last = old - 1, size - 1  # 3
    while node & 1:  # 4
        node, last = node >> 1, last >> 1
    if not proof:  # 1
        return False
    before = after = proof[0]  # 5
    for sibling in proof[1:]:  # 6
        if last == 0:
            return False
        if node & 1 or node == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root  # 7


def _split(size: int) -> int:
    """Return the largest power of two that is smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1
