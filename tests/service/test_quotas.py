"""What a quota refuses of an agent or a user, and nothing else (QUOTA-1 to QUOTA-3)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.service.agents import Attested, Browser, code_of
from tests.service.kit import TRANSFER, Desk, outcome
from tests.store import values as v

from deputize.protocol.agent import Agent
from deputize.protocol.call import State
from deputize.protocol.errors import Refusal
from deputize.protocol.grant import Grant
from deputize.protocol.quota import Quotas, Rate
from deputize.service import authorizations, blocks, consents, grants
from deputize.service.approvals import Minted
from deputize.service.calls import approving, endings
from deputize.service.calls.answers import Answered, Denied
from deputize.service.calls.request import MCP
from deputize.service.ports import Tx

SMALL = Quotas(
    pushed_requests=Rate(3, 60),
    device_codes=Rate(3, 60),
    pending_consents=2,
    pending_calls=2,
    refused_calls=Rate(3, 60),
)


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.policy = replace(desk.policy, quotas=SMALL)
    return desk


@pytest.fixture
def grace(desk: Desk) -> Browser:
    browser = Browser(desk, desk.person("internal"))
    browser.deputized()
    return browser


@pytest.fixture
def ada(desk: Desk) -> Browser:
    browser = Browser(desk, desk.person("internal"))
    browser.deputized()
    return browser


def limited(answer: object, quota: str, within: int = 60) -> bool:
    """Tell whether this quota has refused something, and says until when."""
    refusal = answer.refusal if isinstance(answer, Denied) else answer
    if code_of(refusal) != "too_many_requests":
        return False
    assert isinstance(refusal, Refusal)
    assert refusal.facts["quota"] == quota
    assert 0 < int(str(refusal.facts["retry_after"])) <= within
    return True


def nonsense(desk: Desk, browser: Browser) -> Answered | Denied | Refusal:
    return desk.call(browser.person, browser.delegation, "nonsense")


def transfer(desk: Desk, browser: Browser, amount: int, own: bool = False) -> Any:
    arguments: Any = {"amount": amount, "name": "Ada"}
    return desk.call(browser.person, None if own else browser.delegation, "transfer_money", arguments)


@pytest.mark.parametrize(("device", "quota"), [(None, "pushed_requests"), ("code", "device_codes")])
def test_an_agent_asks_for_authorization_so_often(desk: Desk, device: str | None, quota: str) -> None:
    helper, other = Attested.make(desk), Attested.make(desk)

    def push(agent: Attested, number: int) -> Refusal | None:
        code = device and f"{device} {agent.client_id} {number}"
        return agent.push(agent.request(device_code=code))

    answers = [push(helper, number) for number in range(5)]
    assert answers[:3] == [None] * 3
    assert all(limited(answer, quota) for answer in answers[3:])
    assert push(other, 0) is None
    desk.now += 60
    assert push(helper, 5) is None


def test_an_app_that_proves_nothing_is_counted_for_its_user(desk: Desk, grace: Browser) -> None:  # BEARER-3
    app, user_id = Attested.unproven(desk), grace.person.user.user_id
    answers = [
        desk.do(lambda tx: authorizations.push(tx, desk.at, app.client(), app.request(), user_id))
        for _ in range(4)
    ]
    assert limited(answers[-1], "pushed_requests")
    assert app.push(app.request()) is None


class TestRefusedCalls:
    def test_leave_no_more_entries_and_what_is_good_is_let_in(
        self, desk: Desk, grace: Browser, ada: Browser
    ) -> None:
        for _ in range(3):
            assert outcome(nonsense(desk, grace)) == "unknown_tool"
        size = len(desk.entries())
        for _ in range(3):
            assert limited(nonsense(desk, grace), "refused_calls")
        assert len(desk.entries()) == size
        assert desk.said(grace.person, grace.delegation) == "approved"
        assert outcome(nonsense(desk, ada)) == "unknown_tool"
        desk.now += 60
        assert outcome(nonsense(desk, grace)) == "unknown_tool"

    def test_of_an_agent_that_proves_who_it_is_are_counted_by_themselves(
        self, desk: Desk, grace: Browser
    ) -> None:
        helper = Attested.make(desk).deputized(grace.person)
        for _ in range(4):
            nonsense(desk, grace)
        assert limited(nonsense(desk, grace), "refused_calls")
        assert helper.call(grace.person, "nonsense") == "unknown_tool"

    def test_count_approvals_that_failed_too(self, desk: Desk, grace: Browser) -> None:
        """APPR-4: each failure is an entry, but for those beyond the quota; five still close the challenge."""
        made = transfer(desk, grace, 1)
        asked = desk.page_call(grace.person, made)
        minted = desk.do(lambda tx: approving.challenge(tx, desk.at, asked))
        assert isinstance(minted, Minted)
        device = grace.person.devices[0]
        good, forged = desk.evidence(minted, device), desk.evidence(minted, device)
        forged["response"]["response"]["signature"] = "AAAA"

        def approve(evidence: Any) -> str:
            asking = desk.page_call(grace.person, made)
            verdict = desk.look(lambda tx: approving.check(tx, desk.at, asking, evidence))
            return outcome(desk.do(lambda tx: approving.approve(tx, desk.at, asking, verdict)))

        codes = [approve(forged) for _ in range(5)]
        assert codes == ["signature_verification_failed"] * 3 + ["too_many_requests"] * 2
        assert approve(good) == "too_many_requests"  # it is consumed, and the reason is beyond the quota
        desk.now += 60
        assert sum(entry["kind"] == "approval.refused" for entry in desk.entries()[-6:]) == 3


class TestPendingConsents:
    def test_are_so_many_at_a_time(self, desk: Desk, grace: Browser, ada: Browser) -> None:
        asked = [browser.asked() for browser in (grace, grace, ada, ada)]
        size = len(desk.entries())
        assert limited(grace.ask(), "pending_consents", 600)
        assert len(desk.entries()) == size
        desk.do(lambda tx: consents.decline(tx, desk.at, grace.asking(), asked[0].grant_id))
        assert isinstance(grace.ask(), Grant)

    def test_of_all_browsers_of_a_user_count_as_one_agents(self, desk: Desk, grace: Browser) -> None:
        """AGENT-1: any script of the page can make keys, as many as it likes."""
        answers = []
        for _ in range(3):
            tab = Browser(desk, replace(grace.person, page_jkt=desk.person().page_jkt))
            tab.register()
            answers.append(tab.ask())
        assert [isinstance(answer, Grant) for answer in answers] == [True, True, False]
        assert limited(answers[-1], "pending_consents", 600)

    def test_leave_room_again_once_the_agent_that_asked_is_blocked(self, desk: Desk, grace: Browser) -> None:
        grace.asked(), grace.asked()
        tablet = Browser(desk, replace(grace.person, page_jkt=desk.person().page_jkt))
        tablet.register()
        assert limited(tablet.ask(), "pending_consents", 600)
        held = grace.delegation
        desk.do(lambda tx: blocks.block(tx, desk.at, held.user_id, held.grant_id, None))
        assert isinstance(tablet.ask(), Grant)

    def test_are_counted_where_attested_agents_are_shown(self, desk: Desk, grace: Browser) -> None:
        helper = Attested.make(desk)
        shown = [helper.show(grace.person, helper.pushed()) for _ in range(3)]
        assert limited(shown[-1], "pending_consents", 600)
        assert isinstance(grace.ask(), Grant)  # it is another agent


class TestPendingCalls:
    def test_are_so_many_at_a_time(self, desk: Desk, grace: Browser) -> None:
        calls = [transfer(desk, grace, amount) for amount in (1, 2)]
        assert limited(transfer(desk, grace, 3), "pending_calls", 600)
        assert transfer(desk, grace, 1).call.call_id == calls[0].call.call_id  # CALL-6: it is no other one
        assert desk.said(grace.person, grace.delegation) == "approved"
        asked = desk.page_call(grace.person, calls[1])
        desk.do(lambda tx: endings.deny(tx, desk.at, asked, State.DECLINED))
        assert outcome(transfer(desk, grace, 3)) == "pending"

    def revoke(self, desk: Desk, grace: Browser) -> None:
        desk.revoke(grace.delegation.grant_id)

    def block(self, desk: Desk, grace: Browser) -> None:
        held = grace.delegation
        desk.do(lambda tx: blocks.block(tx, desk.at, held.user_id, held.grant_id, None))

    def let_it_run_out(self, desk: Desk, grace: Browser) -> None:
        desk.now += 61

    @pytest.mark.parametrize("taken_back", [revoke, block, let_it_run_out])
    def test_leave_room_again_once_the_agent_that_asked_has_nothing(
        self, desk: Desk, taken_back: Callable[..., None]
    ) -> None:
        """A user of whom an agent asks too much takes its grant back, and goes on himself."""
        browser = Browser(desk, desk.person("internal"))
        browser.deputized("payments:write", 60)
        for amount in (1, 2):
            assert outcome(transfer(desk, browser, amount)) == "pending"
        assert limited(transfer(desk, browser, 5, own=True), "pending_calls", 600)
        taken_back(self, desk, browser)
        assert outcome(transfer(desk, browser, 5, own=True)) == "pending"


class TestEntries:
    @pytest.fixture
    def few(self, desk: Desk) -> Desk:
        desk.policy = replace(desk.policy, quotas=replace(SMALL, entries=Rate(8, 60)))
        return desk

    def test_are_so_many_of_one_agent_for_one_user(self, few: Desk, grace: Browser, ada: Browser) -> None:
        """Allowed ones, too; other agents, other users and what takes away go on."""
        said = [few.said(grace.person, grace.delegation) for _ in range(8)]
        assert said == ["approved"] * 6 + ["too_many_requests"] * 2  # with registration and consent
        assert limited(few.call(grace.person, grace.delegation), "entries")
        assert few.said(ada.person, ada.delegation) == "approved"
        helper = Attested.make(few).deputized(grace.person)
        assert helper.call(grace.person) == "approved"
        assert (
            few.do(lambda tx: grants.take_back(tx, few.at, grace.asking(), grace.delegation.grant_id)) is None
        )
        assert few.last()["kind"] == "grant.revoked"

    def test_are_counted_for_challenges_ahead_of_a_call_and_for_browsers_that_register(
        self, few: Desk, grace: Browser, ada: Browser
    ) -> None:  # MCP-8
        """There are never more challenges than there could be calls."""

        def ahead(by: Browser) -> object:
            request = few.request(by.person, by.delegation, "transfer_money", TRANSFER, way=MCP)
            return few.do(lambda tx: approving.challenge_ahead(tx, few.at, request))

        asked = [ahead(grace) for _ in range(9)]
        assert not isinstance(asked[0], Refusal)
        assert limited(asked[-1], "entries")
        assert isinstance(ahead(ada), Minted)
        eve = few.person("internal")
        registered = []
        for number in range(9):
            eve.page_jkt = v.jkt(("a browser of hers", number))
            registered.append(Browser(few, eve).register())
        assert isinstance(registered[0], Agent)
        assert limited(registered[-1], "entries")

    def test_are_made_by_handing_on_too(self, few: Desk, grace: Browser) -> None:
        """CHAIN-1: a handoff that nobody takes over is an entry."""
        helper, errand = Attested.make(few).deputized(grace.person), Attested.make(few)
        answers = [helper.hand_on(errand) for _ in range(9)]  # one was for being asked about
        assert [code_of(answer) for answer in answers[:7]] == [None] * 7
        assert all(limited(answer, "entries") for answer in answers[7:])


def test_nobody_who_works_meets_the_defaults(desk: Desk) -> None:
    desk.policy = replace(desk.policy, quotas=Quotas())
    page = Browser(desk, desk.person("internal"))
    page.deputized()

    def work(tx: Tx) -> None:
        for number in range(80):
            assert outcome(transfer(desk, page, number + 1)) == "pending"
        for _ in range(300):
            assert outcome(nonsense(desk, page)) == "unknown_tool"

    desk.do(work)
