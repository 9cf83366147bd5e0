"""Where an answer counts is the policy's to say, tool by tool (APPR-12); the page's key binds who goes on (CALL-11)."""

from dataclasses import replace

import pytest
from tests.service.agents import Browser, code_of
from tests.service.kit import TRANSFER, Desk, outcome

from deputize.protocol.call import State
from deputize.protocol.errors import Refusal
from deputize.protocol.question import Surface
from deputize.service.approvals import Minted
from deputize.service.calls import approving, endings
from deputize.service.calls.answers import Answered
from deputize.service.calls.request import MCP, Approver, OwnCall


def surface(desk: Desk, takes: Surface) -> None:
    """Let the policy take answers there from now on."""
    tools = desk.policy.tools
    stricter = replace(tools["transfer_money"], surface=takes)
    desk.policy = replace(desk.policy, tools={**tools, "transfer_money": stricter})


def pending(desk: Desk, browser: Browser) -> Answered:
    made = desk.allowed(browser.person, browser.delegation, "transfer_money", TRANSFER)
    assert made.call.state is State.PENDING
    return made


def by(desk: Desk, browser: Browser, made: Answered, where: Surface) -> Approver:
    person = browser.person
    if where is Surface.PAGE:
        return desk.page_call(person, made)
    return OwnCall(made.call.call_id, person.user.user_id)


def click(desk: Desk, browser: Browser, made: Answered, where: Surface) -> object:
    approver = by(desk, browser, made, where)
    return desk.do(lambda tx: approving.challenge(tx, desk.at, approver))


def answer(
    desk: Desk, browser: Browser, made: Answered, where: Surface, minted: object
) -> Answered | Refusal:
    assert isinstance(minted, Minted)
    evidence = desk.evidence(minted, browser.person.devices[0])
    approver = by(desk, browser, made, where)
    verdict = desk.look(lambda tx: approving.check(tx, desk.at, approver, evidence))
    approver = by(desk, browser, made, where)
    return desk.do(lambda tx: approving.approve(tx, desk.at, approver, verdict))


@pytest.mark.parametrize("takes", Surface)
@pytest.mark.parametrize("where", [Surface.PAGE, Surface.AUTHORITY])
def test_an_answer_counts_where_the_policy_takes_it(
    desk: Desk, browser: Browser, takes: Surface, where: Surface
) -> None:
    surface(desk, takes)
    made = pending(desk, browser)
    minted = click(desk, browser, made, where)
    if not takes.has(where):
        assert code_of(minted) == "wrong_surface"
        return
    assert outcome(answer(desk, browser, made, where, minted)) == "approved"
    assert desk.last()["surface"] == where


@pytest.mark.parametrize("where", [Surface.PAGE, Surface.AUTHORITY])
def test_a_policy_that_has_become_stricter_leaves_the_question_open(
    desk: Desk, browser: Browser, where: Surface
) -> None:
    made = pending(desk, browser)
    minted = click(desk, browser, made, where)
    other = Surface.PAGE if where is Surface.AUTHORITY else Surface.AUTHORITY
    surface(desk, other)
    assert code_of(answer(desk, browser, made, where, minted)) == "wrong_surface"
    again = click(desk, browser, made, other)
    assert outcome(answer(desk, browser, made, other, again)) == "approved"


def test_no_evidence_over_mcp_counts_where_the_authority_is_to_be_asked(desk: Desk, browser: Browser) -> None:
    surface(desk, Surface.AUTHORITY)
    request = desk.request(browser.person, browser.delegation, "transfer_money", TRANSFER, way=MCP)
    assert code_of(desk.do(lambda tx: approving.challenge_ahead(tx, desk.at, request))) == "wrong_surface"


class TestGoingOn:
    """CALL-11."""

    def approved(self, desk: Desk, browser: Browser) -> Answered:
        made = pending(desk, browser)
        minted = click(desk, browser, made, Surface.AUTHORITY)
        assert outcome(answer(desk, browser, made, Surface.AUTHORITY, minted)) == "approved"
        return made

    def resumes(self, desk: Desk, browser: Browser, made: Answered) -> str:
        page = desk.page_call(browser.person, made)
        return outcome(desk.do(lambda tx: endings.resume(tx, desk.at, page)))

    def test_is_its_pages_and_is_an_entry(self, desk: Desk, browser: Browser) -> None:
        made = self.approved(desk, browser)
        stranger = desk.person("internal")
        page = desk.page_call(stranger, made)
        assert code_of(desk.do(lambda tx: endings.resume(tx, desk.at, page))) == "call_unknown"
        assert self.resumes(desk, browser, made) == "approved"
        assert desk.last().items() >= {"kind": "call.approved", "resumed": True}.items()

    def test_not_before_it_is_approved_nor_after_it_ran(self, desk: Desk, browser: Browser) -> None:
        made = pending(desk, browser)
        assert self.resumes(desk, browser, made) == "call_state"
        minted = click(desk, browser, made, Surface.AUTHORITY)
        approved = answer(desk, browser, made, Surface.AUTHORITY, minted)
        assert isinstance(approved, Answered)
        desk.redeemed(approved)
        assert self.resumes(desk, browser, made) == "call_redeemed"

    def test_not_once_it_was_cancelled_ran_out_or_lost_its_grant(self, desk: Desk, browser: Browser) -> None:
        cancelled = self.approved(desk, browser)
        mine = by(desk, browser, cancelled, Surface.AUTHORITY)
        desk.do(lambda tx: endings.deny(tx, desk.at, mine, State.CANCELLED))
        assert self.resumes(desk, browser, cancelled) == "cancelled"
        late = self.approved(desk, browser)
        desk.now += 300
        assert self.resumes(desk, browser, late) == "expired"
        revoked = self.approved(desk, browser)
        assert browser.delegation is not None
        desk.revoke(browser.delegation.grant_id)
        assert self.resumes(desk, browser, revoked) == "grant_revoked"
