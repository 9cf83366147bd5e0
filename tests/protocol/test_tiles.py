"""Tiles and their proofs against RFC 9162 §2.1 written down as it stands there (LOG-7)."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocol.test_merkle import flip, split

from deputize.protocol.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash, verify_inclusion
from deputize.protocol.merkle import root as root_of
from deputize.protocol.tiles import (
    WIDTH,
    Tree,
    bundle,
    bundle_path,
    finished,
    read_bundle,
    read_bundle_path,
    read_tile_path,
    tile_path,
    verify_consistency,
    width_of,
)

LARGEST = 3 * WIDTH + 7
LEAVES = [leaf_hash(str(i).encode()) for i in range(LARGEST)]
SIZES = st.integers(0, LARGEST)


class Kept:
    """What a store keeps of a tree: its leaf hashes, and the hashes that `finished` tells of."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.levels: dict[int, list[bytes]] = {0: []}
        self.read = 0
        tree = Frontier()
        for leaf in leaves:
            for level, index, digest in finished(tree, leaf):
                assert index == len(self.levels.setdefault(level, []))
                self.levels[level].append(digest)
            self.levels[0].append(leaf)
            tree = tree.append(leaf)

    def hashes(self, level: int, start: int, count: int) -> list[bytes]:
        self.read += 1
        return self.levels.get(level, [])[start : start + count]


KEPT = Kept(LEAVES)


@cache
def naive_root(start: int, end: int) -> bytes:
    """RFC 9162 §2.1.1."""
    if end == start:
        return EMPTY_ROOT
    if end - start == 1:
        return LEAVES[start]
    middle = start + split(end - start)
    return node_hash(naive_root(start, middle), naive_root(middle, end))


def naive_consistency(old: int, start: int, end: int, whole: bool = True) -> list[bytes]:
    """RFC 9162 §2.1.4.1: SUBPROOF(old, D[start:end], whole)."""
    if old == end - start:
        return [] if whole else [naive_root(start, end)]
    k = split(end - start)
    if old <= k:
        return [*naive_consistency(old, start, start + k, whole), naive_root(start + k, end)]
    return [*naive_consistency(old - k, start + k, end, False), naive_root(start, start + k)]


@given(size=SIZES)
def test_the_root_is_that_of_the_leaves(size: int) -> None:
    assert Tree(size, KEPT.hashes).root() == root_of(LEAVES[:size]) == naive_root(0, size)


@given(size=st.integers(1, LARGEST), data=st.data())
def test_inclusion_is_proven_as_the_rfc_says(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = Tree(size, KEPT.hashes)
    assert verify_inclusion(LEAVES[index], index, size, tree.inclusion(index), tree.root())


@given(size=SIZES, data=st.data())
def test_consistency_is_proven_as_the_rfc_says(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, size))
    proof = Tree(size, KEPT.hashes).consistency(old)
    assert proof == (naive_consistency(old, 0, size) if old else [])
    old_root, new_root = naive_root(0, old), naive_root(0, size)
    assert verify_consistency(old, old_root, size, new_root, proof)


@given(size=st.integers(2, LARGEST), data=st.data())
def test_nothing_else_is_a_proof_of_it(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    old_root, new_root = naive_root(0, old), naive_root(0, size)
    proof = Tree(size, KEPT.hashes).consistency(old)
    at = data.draw(st.integers(0, len(proof) - 1))
    spoiled = [*proof[:at], flip(proof[at]), *proof[at + 1 :]]
    assert not verify_consistency(old, old_root, size, new_root, spoiled)
    assert not verify_consistency(old, old_root, size, new_root, proof[:at])
    assert not verify_consistency(old, old_root, size, new_root, [*proof, proof[at]])
    assert not verify_consistency(old, flip(old_root), size, new_root, proof)
    assert not verify_consistency(old, old_root, size, flip(new_root), proof)


@pytest.mark.parametrize("old", [0, 1, 5])
def test_of_nothing_and_of_all_there_is_nothing_to_prove(old: int) -> None:
    old_root = naive_root(0, old)
    assert Tree(5, KEPT.hashes).consistency(old) == [] or old == 1
    assert verify_consistency(0, EMPTY_ROOT, 5, naive_root(0, 5), [])
    assert not verify_consistency(0, old_root if old else flip(EMPTY_ROOT), 5, naive_root(0, 5), [])
    assert not verify_consistency(5, naive_root(0, 5), 5, flip(naive_root(0, 5)), [])
    assert not verify_consistency(5, naive_root(0, 5), 5, naive_root(0, 5), [LEAVES[0]])


@pytest.mark.parametrize("junk", [None, 1, "a" * 32, b"", b"a" * 31, [1], [b"a" * 33], object()])
def test_what_is_no_hash_proves_nothing(junk: object) -> None:
    good = naive_root(0, 3), naive_root(0, 5)
    proof = Tree(5, KEPT.hashes).consistency(3)
    assert not verify_consistency(3, junk, 5, good[1], proof)  # type: ignore[arg-type]  # what comes from others
    assert not verify_consistency(3, good[0], 5, junk, proof)  # type: ignore[arg-type]  # what comes from others
    assert not verify_consistency(3, good[0], 5, good[1], junk)  # type: ignore[arg-type]  # what comes from others
    assert not verify_consistency(6, good[0], 5, good[1], proof)
    assert not verify_consistency(-1, good[0], 5, good[1], proof)


def test_no_proof_is_made_of_what_is_not_there() -> None:
    tree = Tree(5, KEPT.hashes)
    for index in (-1, 5):
        with pytest.raises(ValueError, match="index"):
            tree.inclusion(index)
    for old in (-1, 6):
        with pytest.raises(ValueError, match="older"):
            tree.consistency(old)
    with pytest.raises(LookupError, match=f"entries {3 * WIDTH} to {LARGEST} is missing"):
        Tree(LARGEST + 1, KEPT.hashes).root()


def test_what_nobody_kept_above_the_leaves_is_made_of_them() -> None:
    def leaves_only(level: int, start: int, count: int) -> list[bytes]:
        return [] if level else LEAVES[start : start + count]

    assert Tree(LARGEST, leaves_only).root() == root_of(LEAVES)


def test_a_large_tree_is_proven_from_few_tiles() -> None:
    size = WIDTH**2 + 3 * WIDTH + 5  # three levels, of which the hashes stand for themselves
    kept = Kept([])
    kept.levels = {0: [LEAVES[i % LARGEST] for i in range(size)]}
    for level in (1, 2):
        below = kept.levels[level - 1]
        full = range(0, len(below) - len(below) % WIDTH, WIDTH)
        kept.levels[level] = [root_of(below[at : at + WIDTH]) for at in full]
    tree = Tree(size, kept.hashes)
    proof = tree.inclusion(300)
    assert verify_inclusion(kept.levels[0][300], 300, size, proof, root_of(kept.levels[0]))
    assert kept.read <= 5


@given(level=st.integers(0, 7), number=st.integers(0, 10**9), width=st.integers(1, WIDTH))
def test_a_tile_has_one_spelling(level: int, number: int, width: int) -> None:
    assert read_tile_path(tile_path(level, number, width)) == (level, number, width)


@pytest.mark.parametrize(
    ("path", "tile"),
    [("0/000", (0, 0, 256)), ("1/x001/x234/067", (1, 1234067, 256)), ("0/x001/000.p/5", (0, 1000, 5))],
)
def test_it_is_that_of_the_specification(path: str, tile: tuple[int, int, int]) -> None:
    assert (tile_path(*tile), read_tile_path(path)) == (path, tile)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "0",
            "0/",
            "0/0",
            "0/0000",
            "0/x000/000",
            "0/x001/x000",
            "0/001/000",
            "8/000",
            "-1/000",
            "00/000",
        ),
        *("0/000.p/0", "0/000.p/256", "0/000.p/05", "0/000.p/257", "0/000.p", "0/000.p/", "0/000/", "/0/000"),
        *("0/000\n", "0/\u0660\u0660\u0660", "0/X001/000", "0/000.P/5", "0/../000"),
    ],
)
def test_no_other_spelling_is_one(path: str) -> None:
    with pytest.raises(ValueError, match="tile"):
        read_tile_path(path)


def test_the_last_tile_of_a_level_is_as_wide_as_the_tree_is_long() -> None:
    assert [width_of(0, number, 600) for number in range(4)] == [256, 256, 88, 0]
    assert [width_of(1, number, 600) for number in range(2)] == [2, 0]
    assert width_of(2, 0, 600) == 0


@pytest.mark.parametrize(
    ("entries", "data"),
    [
        ([], b""),
        ([b""], b"\0\0"),
        ([b"a", b"", b"bc"], b"\0\1a\0\0\0\2bc"),
        ([b"x" * 256], b"\1\0" + b"x" * 256),
        ([b"x" * 65_535], b"\xff\xff" + b"x" * 65_535),
    ],
)
def test_a_bundle_has_entries_behind_their_lengths(entries: list[bytes], data: bytes) -> None:
    """LOG-8: two bytes, big-endian, as tlog-tiles has it."""
    assert bundle(entries) == data
    assert read_bundle(data) == entries


def test_no_longer_entry_is_in_a_bundle() -> None:
    with pytest.raises(OverflowError):
        bundle([b"x" * 65_536])


@given(st.binary(max_size=40))
def test_what_is_no_bundle_is_refused_and_nothing_else(data: bytes) -> None:
    try:
        entries = read_bundle(data)
    except ValueError:
        assert all(data != bundle([data[2:end]]) for end in range(2, len(data) + 1))
    else:
        assert bundle(entries) == data


@pytest.mark.parametrize("data", [b"\0", b"\0\1", b"\0\1a\0", b"\0\2a"])
def test_a_bundle_that_is_cut_off_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="cut off"):
        read_bundle(data)


@pytest.mark.parametrize(("number", "width", "path"), [(0, 5, "000.p/5"), (1234, WIDTH, "x001/234")])
def test_a_bundle_stands_where_its_tile_does(number: int, width: int, path: str) -> None:
    assert bundle_path(number, width) == f"entries/{path}"
    assert read_bundle_path(path) == (number, width)
