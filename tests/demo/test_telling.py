"""A story that does not come out as told must say so, or its exit code is worth nothing."""

import pytest

from deputize.demo.telling import StoryBroken, Teller
from deputize.testing.agent import ToolResult

REFUSED = ToolResult({"isError": True, "content": [], "structuredContent": {"code": "declined"}})
ALLOWED = ToolResult({"content": [], "_meta": {"correlationId": "cal_1"}})


class Books:
    """One account and one call."""

    def __init__(self) -> None:
        self.balance: int | None = 1_000_00

    def teller(self) -> Teller:
        return Teller(lambda: self.balance, lambda call_id: ["approved", "redeemed"] if call_id else [])


def test_what_comes_as_told_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    books = Books()
    teller = books.teller()
    with teller.step("She declines", "refused", "declined") as step:
        step.came_of(REFUSED)
    with teller.step("It is sent", "allowed", "approved → redeemed", sends=250_00) as step:
        books.balance = 750_00
        step.came_of(ALLOWED)
    assert teller.failures == []
    assert "750.00 EUR" in capsys.readouterr().out


def test_another_reason_is_a_failure() -> None:
    teller = Books().teller()
    with teller.step("She declines", "refused", "cancelled") as step:
        step.came_of(REFUSED)
    assert teller.failures == ["1. She declines: told: refused cancelled"]


def test_an_answer_that_says_nothing_is_a_failure() -> None:
    teller = Books().teller()
    with teller.step("She declines", "refused", "declined"):
        pass
    assert teller.failures


@pytest.mark.parametrize("after", [999_99, None])
def test_money_that_moves_untold_is_a_failure(after: int | None) -> None:
    books = Books()
    teller = books.teller()
    with teller.step("She declines", "refused", "declined") as step:
        books.balance = after
        step.came_of(REFUSED)
    assert teller.failures == ["1. She declines: told: 1,000.00 EUR in the account"]


def test_money_that_does_not_move_though_told_is_a_failure() -> None:
    teller = Books().teller()
    with teller.step("It is sent", "allowed", "approved → redeemed", sends=1) as step:
        step.came_of(ALLOWED)
    assert teller.failures == ["1. It is sent: told: 999.99 EUR in the account"]


def test_a_step_that_does_not_end_ends_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Books().teller()
    with pytest.raises(StoryBroken), teller.step("She waits", "done"):
        raise TimeoutError("no dialog")
    assert teller.failures
    assert "TimeoutError: no dialog" in capsys.readouterr().out
