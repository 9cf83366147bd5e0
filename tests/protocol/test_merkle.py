"""The Merkle tree against RFC 9162 §2.1 written down as it stands there, and against known hashes (LOG-1)."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol import merkle
from deputize.protocol.merkle import (
    EMPTY_ROOT,
    Frontier,
    leaf_hash,
    node_hash,
    verify_inclusion,
)
from deputize.protocol.tiles import Tree

LARGEST = 200  # less than a tile
LEAVES = [leaf_hash(str(i).encode()) for i in range(LARGEST)]
JUNK = [None, 1, "", "a" * 32, b"", b"a" * 31, b"a" * 33, bytearray(32), [], object()]


# The definitions of RFC 9162, recursive as they are given. `start` and `end` delimit the leaves.


def split(size: int) -> int:
    """Return the largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


@cache
def naive_root(start: int, end: int) -> bytes:
    """§2.1.1."""
    if end == start:
        return hashlib.sha256().digest()
    if end - start == 1:
        return LEAVES[start]
    middle = start + split(end - start)
    return hashlib.sha256(b"\x01" + naive_root(start, middle) + naive_root(middle, end)).digest()


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    return Tree(len(leaves), lambda level, start, count: leaves[start : start + count]).inclusion(index)


def naive_inclusion(index: int, start: int, end: int) -> list[bytes]:
    """§2.1.3.1."""
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*naive_inclusion(index, start, middle), naive_root(middle, end)]
    return [*naive_inclusion(index, middle, end), naive_root(start, middle)]


def flip(hash_: bytes) -> bytes:
    return bytes([hash_[0] ^ 1, *hash_[1:]])


class TestPublished:
    """The eight leaves of the certificate transparency reference implementation, and their roots."""

    ENTRIES = (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
    ROOTS = (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )

    def test_published_roots_come_out(self) -> None:
        leaves = [leaf_hash(bytes.fromhex(entry)) for entry in self.ENTRIES]
        frontier = Frontier()
        for size, root in enumerate(self.ROOTS):
            assert merkle.root(leaves[:size]).hex() == root
            assert frontier.root().hex() == root
            if size < len(leaves):
                frontier = frontier.append(leaves[size])


class TestTree:
    def test_hashes_of_leaves_and_nodes_differ(self) -> None:
        left, right = LEAVES[:2]
        assert node_hash(left, right) == hashlib.sha256(b"\x01" + left + right).digest()
        assert leaf_hash(left + right) == hashlib.sha256(b"\x00" + left + right).digest()
        assert leaf_hash(left + right) != node_hash(left, right)

    @pytest.mark.parametrize("size", range(LARGEST + 1))
    def test_root_is_the_naive_one(self, size: int) -> None:
        assert merkle.root(LEAVES[:size]) == naive_root(0, size)

    def test_root_takes_any_sequence_and_leaves_it_alone(self) -> None:
        leaves = LEAVES[:11]
        assert merkle.root(tuple(leaves)) == merkle.root(leaves)
        assert leaves == LEAVES[:11]


class TestFrontier:
    def test_is_the_naive_root_at_every_size(self) -> None:
        frontier = Frontier()
        for size in range(LARGEST):
            assert frontier.size == size
            assert frontier.root() == naive_root(0, size)
            assert Frontier.from_bytes(frontier.to_bytes()) == frontier
            frontier = frontier.append(LEAVES[size])

    def test_of_nothing_is_empty(self) -> None:
        assert Frontier().root() == EMPTY_ROOT
        assert Frontier().to_bytes() == bytes(8)

    def test_append_leaves_the_old_one_as_it_was(self) -> None:
        one = Frontier().append(LEAVES[0])
        two, other = one.append(LEAVES[1]), one.append(LEAVES[2])
        assert one == Frontier(1, (LEAVES[0],))
        assert two.root() != other.root()
        with pytest.raises(AttributeError):
            one.size = 2  # type: ignore[misc]  # frozen: that is what is shown

    def test_bytes_are_the_size_and_the_subtrees(self) -> None:
        frontier = Frontier().append(LEAVES[0]).append(LEAVES[1]).append(LEAVES[2])
        assert frontier.to_bytes() == (3).to_bytes(8, "big") + node_hash(*LEAVES[:2]) + LEAVES[2]

    @pytest.mark.parametrize(
        ("size", "subtrees"),
        [
            (-1, ()),
            (-1, (LEAVES[0],)),
            (0, (LEAVES[0],)),
            (1, ()),
            (2, tuple(LEAVES[:2])),
            (1, (b"short",)),
            (1, (b"a" * 33,)),
        ],
    )
    def test_refuses_what_is_no_frontier(self, size: int, subtrees: tuple[bytes, ...]) -> None:
        with pytest.raises(ValueError, match=r"subtree"):
            Frontier(size, subtrees)

    @pytest.mark.parametrize("leaf", [b"", b"a" * 31, b"a" * 33])
    def test_refuses_a_leaf_that_is_no_hash(self, leaf: bytes) -> None:
        for frontier in (Frontier(), Frontier().append(LEAVES[0])):
            with pytest.raises(ValueError, match=r"32 bytes"):
                frontier.append(leaf)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_frontier_or_refused(self, data: bytes) -> None:
        try:
            frontier = Frontier.from_bytes(data)
        except ValueError:
            return
        assert frontier.to_bytes() == data

    def test_refuses_bytes_cut_short_or_too_many(self) -> None:
        data = Frontier().append(LEAVES[0]).append(LEAVES[1]).append(LEAVES[2]).to_bytes()
        longer, shorter = (data + b"a", data + LEAVES[0]), (data[:-1], data[:-32], data[1:], data[:8])
        for damaged in (*longer, *shorter, bytes(7), b""):
            with pytest.raises(ValueError, match=r"subtree|8 bytes"):
                Frontier.from_bytes(damaged)


class TestInclusion:
    @pytest.mark.parametrize("size", range(1, LARGEST + 1))
    def test_every_leaf_of_every_tree_is_proven(self, size: int) -> None:
        root = naive_root(0, size)
        indices = range(size) if size <= 70 else {0, 1, size // 3, size // 2, size - 2, size - 1}
        for index in indices:
            proof = inclusion_proof(index, LEAVES[:size])
            assert proof == naive_inclusion(index, 0, size)
            assert verify_inclusion(LEAVES[index], index, size, proof, root)

    @pytest.mark.parametrize("size", [*range(1, 20), 31, 32, 33, 100, 128, LARGEST])
    def test_any_change_is_refused(self, size: int) -> None:
        root = naive_root(0, size)
        for index in {0, size // 2, size - 1}:
            leaf, proof = LEAVES[index], inclusion_proof(index, LEAVES[:size])
            for at in range(len(proof)):
                changed = [*proof[:at], flip(proof[at]), *proof[at + 1 :]]
                assert not verify_inclusion(leaf, index, size, changed, root)
                assert not verify_inclusion(leaf, index, size, proof[:at] + proof[at + 1 :], root)
            assert not verify_inclusion(leaf, index, size, [*proof, LEAVES[0]], root)
            assert not verify_inclusion(leaf, index, size, [LEAVES[0], *proof], root)
            assert not verify_inclusion(flip(leaf), index, size, proof, root)
            assert not verify_inclusion(leaf, index, size, proof, flip(root))
            for other in set(range(size + 2)) - {index}:
                assert not verify_inclusion(leaf, other, size, proof, root)

    @pytest.mark.parametrize("size", range(1, 40))
    def test_proves_nothing_for_the_tree_of_another_size(self, size: int) -> None:
        for index in range(size):
            proof = inclusion_proof(index, LEAVES[:size])
            for other in set(range(size + 20)) - {size}:
                assert not verify_inclusion(LEAVES[index], index, other, proof, naive_root(0, other))

    @pytest.mark.parametrize("index", [-1, 5, 6])
    def test_no_proof_for_a_leaf_that_is_not_there(self, index: int) -> None:
        with pytest.raises(ValueError, match=r"no leaf"):
            inclusion_proof(index, LEAVES[:5])

    @pytest.mark.parametrize("junk", JUNK)
    def test_malformed_input_is_false(self, junk: object) -> None:
        proof, root = inclusion_proof(2, LEAVES[:5]), naive_root(0, 5)
        verify: Callable[..., bool] = verify_inclusion
        assert verify(LEAVES[2], 2, 5, proof, root)
        assert not verify(junk, 2, 5, proof, root)
        assert not verify(LEAVES[2], junk, 5, proof, root)
        assert not verify(LEAVES[2], 2, junk, proof, root)
        assert not verify(LEAVES[2], 2, 5, junk, root)
        assert not verify(LEAVES[2], 2, 5, [*proof[:-1], junk], root)
        assert not verify(LEAVES[2], 2, 5, proof, junk)

    def test_numbers_out_of_range_are_false(self) -> None:
        proof, root = inclusion_proof(2, LEAVES[:5]), naive_root(0, 5)
        verify: Callable[..., bool] = verify_inclusion
        for index, size in ((-1, 5), (5, 5), (2, -5), (2, 0), (0, 0), (2, 2), (2.0, 5), (2, 5.0), (2, 2**70)):
            assert not verify(LEAVES[2], index, size, proof, root)
        assert not verify(EMPTY_ROOT, 0, 0, [], EMPTY_ROOT)
        assert not verify(LEAVES[0], -1, 1, [], LEAVES[0])

    def test_a_path_that_is_too_long_is_false_even_if_its_hashes_meet(self) -> None:
        above = node_hash(LEAVES[1], LEAVES[0])
        assert not verify_inclusion(LEAVES[0], 0, 1, [LEAVES[1]], above)

    def test_what_is_no_hash_is_false_even_if_it_is_the_root(self) -> None:
        assert verify_inclusion(LEAVES[0], 0, 1, [], LEAVES[0])
        assert not verify_inclusion(LEAVES[0][1:], 0, 1, [], LEAVES[0][1:])
