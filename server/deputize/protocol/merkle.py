"""The Merkle tree of the record: SHA-256, RFC 9162 §2.1 (LOG-1).

A tree is given by its leaf hashes, in order. Proofs are lists of 32-byte hashes, nearest to the leaf first.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""

_SIZE_BYTES = 8


def leaf_hash(entry: bytes) -> bytes:
    """Hash one entry (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees, 32 bytes each, into their parent (RFC 9162 §2.1.1)."""
    return hashlib.sha256(b"\1" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """What is needed of a tree to append to it: its size, and its perfect subtrees' hashes, largest first.

    There is one subtree for each 1 bit of the size. Anything else raises ValueError.
    """

    size: int = 0
    subtrees: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.subtrees) != self.size.bit_count():
            raise ValueError("a frontier has one subtree for each 1 bit of its size")
        if not {HASH_BYTES}.issuperset(map(len, self.subtrees)):
            raise ValueError("a subtree's hash is 32 bytes")

    def append(self, leaf: bytes) -> "Frontier":
        """Return the frontier after one more leaf hash, which must be 32 bytes (else ValueError)."""
        if len(leaf) != HASH_BYTES:
            raise ValueError("a leaf's hash is 32 bytes")
        subtrees, size, last = self.subtrees, self.size, leaf
        while size & 1:  # the last subtree is as large as the new one: they pair up
            last = node_hash(subtrees[-1], last)
            subtrees, size = subtrees[:-1], size >> 1
        return Frontier(self.size + 1, (*subtrees, last))

    def root(self) -> bytes:
        """Return the root hash of the tree."""
        if not self.subtrees:
            return EMPTY_ROOT
        return reduce(lambda right, left: node_hash(left, right), reversed(self.subtrees))

    def to_bytes(self) -> bytes:
        """Write it as the size in 8 bytes, big-endian, and the subtrees."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.subtrees)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Frontier":
        """Read what `to_bytes` wrote; raises ValueError."""
        if len(data) < _SIZE_BYTES:
            raise ValueError("a frontier's size is 8 bytes")
        subtrees = (data[at : at + HASH_BYTES] for at in range(_SIZE_BYTES, len(data), HASH_BYTES))
        return cls(int.from_bytes(data[:_SIZE_BYTES], "big"), tuple(subtrees))


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root hash over all leaf hashes (RFC 9162 §2.1.1)."""
    while len(leaves) > 1:
        leaves = _parents(leaves)
    return leaves[0] if leaves else EMPTY_ROOT


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether `leaf` (a leaf hash) is at `index` in the tree of `size` leaves with this root.

    Size and root must come from one checkpoint: a path alone does not tell a tree of 3 from one of 4. Follows
    RFC 9162 §2.1.3.2. Malformed input of any kind is False, never an exception.
    """
    if not (_are_sizes(index, size) and _are_hashes((leaf, root)) and _are_hashes(proof)):
        return False
    if index >= size:  # 1
        return False
    node, last, computed = index, size - 1, leaf  # 2, 3
    for sibling in proof:  # 4
        if last == 0:
            return False
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and computed == root  # 5


def _parents(nodes: Sequence[bytes]) -> Sequence[bytes]:
    """Hash one level into the next; an odd last node moves up as it is."""
    pairs = [node_hash(left, right) for left, right in zip(nodes[::2], nodes[1::2], strict=False)]
    return [*pairs, nodes[-1]] if len(nodes) & 1 else pairs


def _are_sizes(*values: object) -> bool:
    return all(isinstance(value, int) and value >= 0 for value in values)


def _are_hashes(values: object) -> bool:
    return isinstance(values, list | tuple) and all(
        isinstance(value, bytes) and len(value) == HASH_BYTES for value in values
    )
