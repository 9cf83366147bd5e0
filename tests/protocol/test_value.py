"""Values that every call makes."""

from dataclasses import replace

import pytest

from deputize.protocol.value import changed, value


@value
class Pair:
    """Two parts, one of which need not be told."""

    one: int
    other: tuple[int, ...] = ()


def test_values_of_equal_parts_are_equal_and_found_by_them() -> None:
    assert Pair(1, (2,)) == Pair(1, other=(2,))
    assert {Pair(1): "found"}[Pair(1)] == "found"
    assert Pair(1) != Pair(2)


def test_a_changed_copy_leaves_the_value_as_it_was() -> None:
    before = Pair(1)
    assert (replace(before, one=2), before) == (Pair(2), Pair(1))
    assert (changed(before, other=(3,)), before) == (Pair(1, (3,)), Pair(1))


def test_only_parts_are_changed_that_there_are() -> None:
    with pytest.raises(AttributeError):
        changed(Pair(1), third=3)


def test_a_value_has_its_parts_and_no_others() -> None:
    with pytest.raises(AttributeError):
        object.__setattr__(Pair(1), "third", 3)
