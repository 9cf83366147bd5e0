"""What pages say is told once an hour, in bounded memory, and lies about other names crowd nothing out (PAGE-4)."""

from deputize.log.pages import EVERY, MOST, News, Sayings


def test_a_saying_is_told_once_and_again_after_the_hour() -> None:
    sayings = Sayings()
    told = [sayings.tell("x", True, now) for now in (100, 101, 99 + EVERY, 100 + EVERY, 101 + EVERY)]
    assert told == [News.NEW, News.OLD, News.OLD, News.NEW, News.OLD]


def test_of_what_the_policy_does_not_know_so_many_are_told_and_then_once_that_there_are_more() -> None:
    sayings = Sayings()
    told = [sayings.tell(f"x{number}", False, 0) for number in range(10 * MOST)]
    assert told == [News.NEW] * MOST + [News.FULL] + [News.OLD] * (9 * MOST - 1)
    assert len(sayings) == MOST + 1


def test_what_the_policy_knows_has_room_then() -> None:
    sayings = Sayings()
    for number in range(10 * MOST):
        sayings.tell(f"x{number}", False, 0)
    assert [sayings.tell("known", True, 0) for _ in range(2)] == [News.NEW, News.OLD]


def test_a_clock_that_went_back_silences_nobody() -> None:
    sayings = Sayings()
    assert [sayings.tell("x", True, now) for now in (10**9, 5, 6)] == [News.NEW, News.NEW, News.OLD]
