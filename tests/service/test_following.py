"""LOG-7: whoever follows a record from outside hears what was done to what he had seen."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.merkle import leaf_hash, root
from deputize.protocol.tiles import WIDTH, read_tile_path
from deputize.service.following import Broken, Fetch, Followed, NoTile

LARGEST = 2 * WIDTH + 9
LEAVES = [leaf_hash(str(i).encode()) for i in range(LARGEST)]
OTHER = leaf_hash(b"another")


def checkpoint(leaves: Sequence[bytes]) -> Checkpoint:
    return Checkpoint("site.example", len(leaves), root(leaves))


def serving(leaves: Sequence[bytes]) -> Fetch:
    def fetch(path: str) -> bytes:
        level, number, width = read_tile_path(path)
        assert level == 0
        return b"".join(leaves[number * WIDTH : number * WIDTH + width])

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
    assert (f"it has {size} entries where it had {known}" in told) == (size < known)


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


@pytest.mark.parametrize("size", [4, WIDTH])
def test_what_contradicts_what_was_seen_is_told_though_tiles_are_withheld(size: int) -> None:
    with pytest.raises(Broken, match=f"its checkpoint of {size} entries is over others"):
        seen(WIDTH).go_on(checkpoint([OTHER, *LEAVES[1:size]]), withheld)


def test_what_is_new_and_withheld_is_no_lie_yet() -> None:
    followed = seen(5)
    with pytest.raises(NoTile):
        followed.go_on(checkpoint(LEAVES[:6]), withheld)
    assert followed == seen(5)
