"""LOG-7, LOG-8: whoever follows a record from outside hears what was done to what he had seen."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.merkle import leaf_hash, root
from deputize.protocol.tiles import WIDTH, Tree, bundle, read_bundle_path, read_tile_path, verify_consistency
from deputize.service.following import Broken, Fetch, Followed, NoTile, entries, require_continued

LARGEST = 2 * WIDTH + 9
LEAVES = [leaf_hash(str(i).encode()) for i in range(LARGEST)]
OTHER = leaf_hash(b"another")


def checkpoint(leaves: Sequence[bytes]) -> Checkpoint:
    return Checkpoint("site.example", len(leaves), root(leaves))


def serving(leaves: Sequence[bytes]) -> Fetch:
    tree = Tree(len(leaves), lambda level, start, count: leaves[start : start + count] if level == 0 else [])

    def fetch(path: str) -> bytes:
        level, number, width = read_tile_path(path)
        return b"".join(tree.tile(level, number)[:width])

    return fetch


def seen(size: int) -> Followed:
    followed = Followed()
    followed.go_on(checkpoint(LEAVES[:size]), serving(LEAVES))
    return followed


def fault(followed: Followed, there: Sequence[bytes], served: Sequence[bytes] | None = None) -> str:
    before = bytes(followed.leaves), followed.tree
    with pytest.raises(Broken) as broken:
        followed.go_on(checkpoint(there), serving(there if served is None else served))
    assert (bytes(followed.leaves), followed.tree) == before
    return str(broken.value)


@given(st.lists(st.integers(0, LARGEST), min_size=1, max_size=5).map(sorted))
def test_what_only_grew_is_followed(sizes: list[int]) -> None:
    followed = Followed()
    for size in sizes:
        followed.go_on(checkpoint(LEAVES[:size]), serving(LEAVES))
        assert followed.leaves == b"".join(LEAVES[:size])
        assert followed.tree.root() == root(LEAVES[:size])
    assert Followed.read(bytes(followed.leaves) + b"cut") == followed


@pytest.mark.parametrize("at_once", [1, 2])
def test_a_long_record_is_seen_in_parts_each_proven_to_be_the_beginning_of_what_is_signed(
    at_once: int,
) -> None:
    followed, goal = seen(9), checkpoint(LEAVES)
    for size in range(WIDTH * at_once, LARGEST + WIDTH * at_once, WIDTH * at_once):
        proof = followed.go_on(goal, serving(LEAVES), lambda seen, size=size: seen >= size)  # type: ignore[misc]  # its own
        assert followed.tree.size == min(size, LARGEST)
        assert verify_consistency(followed.tree.size, followed.tree.root(), goal.size, goal.root, proof)


def test_a_record_that_is_signed_as_endless_keeps_nobody_busy_and_is_no_lie_yet() -> None:
    levels = [LEAVES[0]]  # each tile has 256 times the same hash, and so has the one above it
    for _ in range(7):
        levels.append(root(levels[-1:] * WIDTH))
    size, fetched = 10**18, list[str]()

    def fetch(path: str) -> bytes:
        fetched.append(path)
        level, _, width = read_tile_path(path)
        return levels[level] * width

    def hashes(level: int, start: int, count: int) -> list[bytes]:
        return levels[level : level + 1] * count

    endless = Checkpoint("site.example", size, Tree(size, hashes).root())
    followed = Followed()
    followed.go_on(endless, fetch, lambda seen: seen >= 2 * WIDTH)
    assert followed.tree.size == 2 * WIDTH
    assert len(fetched) < 40


@pytest.mark.parametrize("rewritten", [0, WIDTH, LARGEST - 1])
def test_what_was_rewritten_is_found_though_only_a_part_is_fetched(rewritten: int) -> None:
    there = [*LEAVES[:rewritten], OTHER, *LEAVES[rewritten + 1 :]]
    followed = seen(WIDTH + 1)
    if rewritten > WIDTH:  # it was not seen: that is nobody's lie to who sees it now
        followed.go_on(checkpoint(there), serving(there), lambda seen: seen >= 2 * WIDTH)
        assert followed.tree.size == 2 * WIDTH
        return
    with pytest.raises(Broken, match=f"entry {rewritten} is not what it was"):
        followed.go_on(checkpoint(there), serving(there), lambda seen: seen >= 2 * WIDTH)


def test_an_empty_record_has_one_root() -> None:
    with pytest.raises(Broken):
        Followed().go_on(Checkpoint("site.example", 0, OTHER), serving([]))


@pytest.mark.parametrize("size", [WIDTH + 9, LARGEST])
def test_what_is_signed_has_to_go_on_from_what_was_though_not_all_was_seen(size: int) -> None:
    old, other = checkpoint(LEAVES[: WIDTH + 9]), [*LEAVES[: WIDTH + 5], OTHER, *LEAVES[WIDTH + 6 : size]]
    require_continued(old, checkpoint(LEAVES[:size]), serving(LEAVES[:size]))
    with pytest.raises(Broken, match=f"of {size} entries does not continue that of {WIDTH + 9}"):
        require_continued(old, checkpoint(other), serving(other))
    with pytest.raises(Broken, match=f"it had {WIDTH + 9} entries, and now has {WIDTH + 8}"):
        require_continued(old, checkpoint(LEAVES[: WIDTH + 8]), serving(LEAVES))


def test_tiles_above_that_are_none_of_the_checkpoints_are_told_of() -> None:
    def fetch(path: str) -> bytes:
        level, _, width = read_tile_path(path)
        return OTHER * width if level else serving(LEAVES)(path)

    with pytest.raises(Broken, match="its tiles are not those of its checkpoint"):
        seen(9).go_on(checkpoint(LEAVES), fetch, lambda seen: seen >= WIDTH)


def test_nothing_that_was_seen_is_fetched_again_but_the_last_tile() -> None:
    fetched: list[str] = []

    def fetch(path: str) -> bytes:
        fetched.append(path)
        return serving(LEAVES)(path)

    seen(WIDTH + 1).go_on(checkpoint(LEAVES), fetch)
    assert fetched == ["0/001", "0/002.p/9"]


@given(known=st.integers(1, LARGEST), data=st.data())
def test_the_first_entry_that_was_rewritten_is_named(known: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, known - 1))
    size = data.draw(st.integers(at + 1, LARGEST))
    there = [*LEAVES[:at], OTHER, *LEAVES[at + 1 : size]]
    told = fault(seen(known), there)
    assert told.startswith(f"entry {at} is not what it was")
    assert "another record" not in told
    assert (f"it has {size} entries where it had {known}" in told) == (size < known)


@pytest.mark.parametrize(
    ("rewritten", "told"),
    [
        ({2, 3, 4}, "entries 2 to 4 are not what they were"),
        ({0, 2, 5}, "entries 0, 2, 5 are not what they were"),
        (set(range(0, 16, 2)), "entries 0, 2, 4, 6, 8, others in 3 more places are not what they were"),
        ({18, 19}, "entries 18 to 19 are not what they were: from there on it is another record"),
        ({3, 18, 19}, "entries 3, 18 to 19 are not what they were"),
        ({19}, "entry 19 is not what it was"),
        (set(range(20)), "entries 0 to 19 are not what they were: from there on it is another record"),
    ],
)
def test_all_that_was_rewritten_is_named_and_so_is_a_fork(rewritten: set[int], told: str) -> None:
    there = [OTHER if index in rewritten else leaf for index, leaf in enumerate(LEAVES[:25])]
    assert fault(seen(20), there) == told


@given(known=st.integers(1, LARGEST), data=st.data())
def test_a_record_that_was_cut_off_or_put_back_is_said_to_be(known: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, known - 1))
    assert f"it had {known} entries, and now has the first {size} of them" in fault(
        seen(known), LEAVES[:size]
    )


@pytest.mark.parametrize("known", [0, 5, WIDTH, WIDTH + 5])
def test_tiles_that_do_not_make_what_is_signed_are_told_of(known: int) -> None:
    wrong = [*LEAVES[: WIDTH + 7], OTHER, *LEAVES[WIDTH + 8 :]]
    assert "its tiles are not those of its checkpoint" in fault(seen(known), LEAVES, wrong)


@pytest.mark.parametrize("served", [LEAVES[:-1], []])
def test_a_tile_of_another_size_is_told_of(served: list[bytes]) -> None:
    assert "tile 0/002.p/9 is of" in fault(seen(WIDTH * 2), LEAVES, served)


def withheld(path: str) -> bytes:
    raise NoTile(path)


@pytest.mark.parametrize(("known", "size"), [(WIDTH, 4), (WIDTH, WIDTH), (9, 9)])
def test_what_contradicts_what_was_seen_is_told_though_tiles_are_withheld(known: int, size: int) -> None:
    with pytest.raises(Broken, match=f"its checkpoint of {size} entries is over others"):
        seen(known).go_on(checkpoint([OTHER, *LEAVES[1:size]]), withheld)


@pytest.mark.parametrize("size", [5, 7])
def test_a_tile_is_told_of_in_which_something_that_was_seen_is_another(size: int) -> None:
    there = [*LEAVES[:3], OTHER, *LEAVES[4:size]]
    assert fault(seen(5), LEAVES[:size], there) == (
        f"its tiles are not those of its checkpoint of {size} entries: in them, entry 3 is not what it was"
    )


def test_tiles_that_are_others_each_time_are_told_of() -> None:
    turns = iter([serving([*LEAVES[:6], OTHER])])
    told = "its tiles up to entry 6 are now these and now others"
    with pytest.raises(Broken, match=told):
        seen(5).go_on(checkpoint(LEAVES[:7]), lambda path: next(turns, serving(LEAVES))(path))


@pytest.mark.parametrize("known", [WIDTH + 5, WIDTH, 2 * WIDTH])
def test_another_checkpoint_of_the_same_record_is_met(known: int) -> None:
    """Also where not all is seen yet."""
    for size in (0, 5, WIDTH + 5, LARGEST):
        seen(known).require(checkpoint(LEAVES[:size]), "kept", checkpoint(LEAVES), serving(LEAVES))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ([*LEAVES[:4], OTHER], "its first 5 entries are not those that kept is signed over"),
        ([*LEAVES[:10], OTHER], "its first 11 entries are not those that kept is signed over"),
        (LEAVES[:13], "kept is of 13 entries, and now it has 12"),
    ],
)
def test_another_checkpoint_that_is_not_of_this_record_is_told(other: list[bytes], told: str) -> None:
    with pytest.raises(Broken, match=told):
        seen(9).require(checkpoint(other), "kept", checkpoint(LEAVES[:12]), serving(LEAVES[:12]))


def test_what_is_new_and_withheld_is_no_lie_yet() -> None:
    followed = seen(5)
    with pytest.raises(NoTile):
        followed.go_on(checkpoint(LEAVES[:6]), withheld)
    assert followed == seen(5)


ENTRIES = [str(i).encode() for i in range(LARGEST)]


def bundles(there: Sequence[bytes]) -> Fetch:
    def fetch(path: str) -> bytes:
        number, width = read_bundle_path(path.removeprefix("entries/"))
        return bundle(there[number * WIDTH : number * WIDTH + width])

    return fetch


@given(st.integers(0, LARGEST), st.integers(0, LARGEST))
def test_entries_are_those_that_the_hashes_are_of(start: int, size: int) -> None:
    """LOG-8"""
    assert list(entries(start, LEAVES[start:size], bundles(ENTRIES))) == ENTRIES[start:size]


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ([*ENTRIES[:7], b"another", *ENTRIES[8:9]], "entry 7 is served as another than"),
        (ENTRIES[:8], "entries/000.p/9 is of 8 entries, not 9"),
        ([b"0"] * 300, "entry 1 is served as another"),
    ],
)
def test_other_entries_than_the_hashes_are_of_are_told(there: list[bytes], told: str) -> None:
    with pytest.raises(Broken, match=told):
        list(entries(0, LEAVES[:9], bundles(there)))


def test_what_is_no_bundle_is_told() -> None:
    with pytest.raises(Broken, match=r"entries/000\.p/9 is not a bundle of entries"):
        list(entries(0, LEAVES[:9], lambda path: b"?"))


def test_an_entry_that_is_no_line_is_told() -> None:
    odd = b'{"a":\n1}'
    with pytest.raises(Broken, match="entry 0 is not in canonical form"):
        list(entries(0, [leaf_hash(odd)], bundles([odd])))
