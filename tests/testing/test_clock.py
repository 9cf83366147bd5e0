"""The clock that a test holds."""

import time

import pytest

from deputize.testing.clock import HeldClock


def test_it_stands_still_until_it_is_moved() -> None:
    clock = HeldClock(1_700_000_000)
    assert clock() == clock() == 1_700_000_000
    clock.move(59.5)
    assert clock() == 1_700_000_059.5


def test_it_begins_now_at_a_whole_second() -> None:
    before = int(time.time())
    start = HeldClock()()
    assert before <= start <= time.time()
    assert start == int(start)


def test_it_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="forward"):
        HeldClock().move(-1)
