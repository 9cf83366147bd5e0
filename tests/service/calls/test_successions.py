"""What becomes of open calls when a newer grant takes the place of theirs (GRANT-3)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.service.agents import Browser
from tests.service.kit import ALL, TRANSFER, Desk, Person, outcome

from deputize.protocol.call import Call, State
from deputize.protocol.canonical import Json
from deputize.protocol.constraint import Constraints
from deputize.protocol.prompt import Prompts
from deputize.protocol.token import Delegation
from deputize.service.approvals import Minted
from deputize.service.calls import approving, successions
from deputize.service.calls.answers import Answered
from deputize.service.calls.successions import MOST

ONCE: Json = [{"type": "webmcp_tool", "tool": "pay_bill", "max_calls": 1}]
SMALL: Json = [{"type": "webmcp_tool", "tool": "transfer_money", "sum": {"/amount": 249.99}}]
SMALLER: Json = [
    {"type": "webmcp_tool", "tool": "transfer_money", "schema": {"properties": {"amount": {"maximum": 100}}}}
]


@pytest.fixture
def ada(desk: Desk) -> tuple[Person, Delegation]:
    person = desk.person("internal")
    return person, desk.deputize(person)


def succeed(desk: Desk, older: Delegation, scopes: str = ALL, details: Json = None) -> Any:
    """Let the user consent to something else, and return the newer grant's id."""
    constraints = Constraints.parse(details if details is not None else [])
    before, newer = desk.replaced(older, scopes, constraints)
    desk.do(lambda tx: successions.carry_over(tx, desk.at, before, newer))
    return newer.grant_id


def now(desk: Desk, made: Answered) -> Call:
    found = desk.look(lambda tx: tx.call(made.call.call_id))
    assert found is not None
    return found


def test_a_question_stays_open_under_the_newer_grant(desk: Desk, ada: tuple[Person, Delegation]) -> None:
    made = desk.allowed(*ada, "transfer_money", TRANSFER)
    newer = succeed(desk, ada[1])
    assert (now(desk, made).state, now(desk, made).grant_id) == (State.PENDING, newer)
    assert (desk.last()["kind"], desk.last()["grant_id"]) == ("call.pending", newer)


@pytest.mark.parametrize(
    ("scopes", "details", "code"),
    [
        ("account:read", None, "insufficient_scope"),
        (ALL, SMALLER, "constraint_violated"),
        (ALL, SMALL, "constraint_exhausted"),
    ],
)
def test_what_the_newer_grant_does_not_allow_is_cancelled(
    desk: Desk, ada: tuple[Person, Delegation], scopes: str, details: Json, code: str
) -> None:  # CONS-2, CONS-3
    made = desk.allowed(*ada, "transfer_money", TRANSFER)
    succeed(desk, ada[1], scopes, details)
    assert now(desk, made).state is State.CANCELLED
    assert (desk.last()["kind"], desk.last()["code"]) == ("call.cancelled", code)


def test_what_was_approved_is_taken_from_the_newer_grants_counters(
    desk: Desk, ada: tuple[Person, Delegation]
) -> None:  # CONS-3
    made = [desk.allowed(*ada, "pay_bill", {"amount": amount}) for amount in (1, 2)]
    newer = succeed(desk, ada[1], ALL, ONCE)
    assert [now(desk, each).state for each in made] == [State.APPROVED, State.CANCELLED]
    assert list(desk.look(lambda tx: tx.used(newer)).values()) == [1]


def test_nobody_waits_while_endless_ones_are_put_under_it(desk: Desk, ada: tuple[Person, Delegation]) -> None:
    """All of it is one transaction, and how many calls are open is the agent's to choose."""
    made = desk.do(
        lambda _: [
            desk.allowed(*ada, "transfer_money", {**TRANSFER, "amount": number})
            for number in range(1, MOST + 2)
        ]
    )
    newer = succeed(desk, ada[1])
    under = [now(desk, each).grant_id == newer for each in made]
    assert under == [False] + [True] * MOST


def test_a_call_of_another_grant_stays_where_it_is(desk: Desk, ada: tuple[Person, Delegation]) -> None:
    other = desk.deputize(ada[0])
    made = desk.allowed(ada[0], other, "transfer_money", TRANSFER)
    succeed(desk, ada[1])
    assert now(desk, made) == made.call


class TestAQuestion:
    """A dialog that was open when the user allowed more stays good, and no other."""

    @pytest.fixture
    def browser(self, desk: Desk) -> Browser:
        browser = Browser(desk, desk.person("internal"))
        browser.deputized("payments:write")
        return browser

    def asked(self, browser: Browser) -> Answered:
        return browser.desk.allowed(browser.person, browser.delegation, "transfer_money", TRANSFER)

    def approve(self, browser: Browser, made: Answered, minted: Minted) -> str:
        desk, evidence = browser.desk, browser.desk.evidence(minted, browser.person.devices[0])
        asking = desk.page_call(browser.person, made)
        verdict = desk.look(lambda tx: approving.check(tx, desk.at, asking, evidence))
        return outcome(desk.do(lambda tx: approving.approve(tx, desk.at, asking, verdict)))

    def minted(self, browser: Browser, made: Answered) -> Minted:
        desk = browser.desk
        minted = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(browser.person, made)))
        assert isinstance(minted, Minted)
        return minted

    def test_is_answered_under_the_newer_grant(self, desk: Desk, browser: Browser) -> None:
        desk.policy = replace(desk.policy, prompts=Prompts(at_once=None))
        made, older = self.asked(browser), browser.delegation.grant_id
        shown_before = self.minted(browser, made)
        browser.deputized("account:admin")
        told = ["grant.superseded", "grant.active", "call.pending"]
        assert [entry["kind"] for entry in desk.entries()[-3:]] == told
        assert desk.last()["grant_id"] == browser.delegation.grant_id != older
        assert self.asked(browser).call.call_id == made.call.call_id  # CALL-6
        assert self.approve(browser, made, shown_before) == "approved"
        assert now(desk, made).grant_id == browser.delegation.grant_id

    def test_that_was_taken_back_is_not_revived_by_a_new_consent(
        self, desk: Desk, browser: Browser
    ) -> None:  # APPR-5
        made = self.asked(browser)
        desk.revoke(browser.delegation.grant_id)
        browser.deputized("payments:write")
        again = self.asked(browser)
        assert again.call.call_id != made.call.call_id
        void = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(browser.person, made)))
        assert outcome(void) == "cancelled"
        assert self.approve(browser, again, self.minted(browser, again)) == "approved"
