"""People are asked seldom: one question at a time, and after three no it is quiet (PROMPT-1 to PROMPT-5)."""

from dataclasses import replace
from itertools import count

import pytest
from tests.service.agents import Attested, Browser, code_of
from tests.service.kit import TRANSFER, Desk, Person, outcome

from deputize.protocol.call import Call, State
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.prompt import BROWSERS, UNPROVEN, Prompts, Quiet, asker_of
from deputize.protocol.quota import Rate
from deputize.protocol.token import Delegation
from deputize.service import authorizations, blocks, consents, prompts
from deputize.service.approvals import Minted
from deputize.service.calls import approving, arrivals, endings
from deputize.service.calls.answers import Answered
from deputize.service.calls.request import MCP, OwnCall

AMOUNTS = count(1)
HOUR = 3600


def asks(desk: Desk, person: Person, delegation: Delegation | None) -> Answered:
    """Ask for something that needs an approval, each time for something else."""
    made = desk.allowed(person, delegation, "transfer_money", {**TRANSFER, "amount": next(AMOUNTS)})
    assert made.call.state is State.PENDING
    return made


def said(desk: Desk, person: Person, delegation: Delegation | None) -> str:
    """Ask for another such thing, and say how that came out."""
    return desk.said(person, delegation, "transfer_money", {**TRANSFER, "amount": next(AMOUNTS)})


def declines(desk: Desk, person: Person, made: Answered, state: State = State.DECLINED) -> None:
    page = desk.page_call(person, made)
    assert outcome(desk.do(lambda tx: endings.deny(tx, desk.at, page, state))) == state


def declines_three(desk: Desk, person: Person, delegation: Delegation | None) -> None:
    for _ in range(3):
        declines(desk, person, asks(desk, person, delegation))


def clicks(desk: Desk, person: Person, made: Answered) -> str:
    page = desk.page_call(person, made)
    return outcome(desk.do(lambda tx: approving.challenge(tx, desk.at, page)))


def now(desk: Desk, made: Answered) -> Call:
    found = desk.look(lambda tx: tx.call(made.call.call_id))
    assert found is not None
    return found


def state_of(desk: Desk, grant: Grant) -> GrantState:
    found = desk.look(lambda tx: tx.grant(grant.grant_id))
    assert found is not None
    return found.state


def refuses_in_dialog(browser: Browser, said_no: bool = True) -> None:
    """Ask for consent in a dialog, which the user declines or which goes away."""
    desk, asked = browser.desk, browser.asked("account:admin").grant_id
    desk.do(lambda tx: consents.decline(tx, desk.at, browser.asking(), asked, said_no=said_no))


def calls_off(desk: Desk, person: Person, made: Answered) -> None:
    """End a call on the account page."""
    user_id, call_id = person.user.user_id, made.call.call_id
    desk.do(lambda tx: endings.deny(tx, desk.at, OwnCall(call_id, user_id), State.DECLINED))


def tab(desk: Desk, person: Person) -> Browser:
    """Open a browser with another key, whose agent may do the same."""
    other = Browser(desk, replace(person, page_jkt=desk.person().page_jkt))
    other.deputized()
    return other


class TestQuiet:
    """PROMPT-3."""

    def test_begins_with_the_third_no_and_ends_by_itself(self, desk: Desk, browser: Browser) -> None:
        person, held = browser.person, browser.delegation
        for _ in range(2):
            declines(desk, person, asks(desk, person, held))
        assert said(desk, person, held) == "pending"
        declines(desk, person, asks(desk, person, held))
        assert desk.last().items() >= {"kind": "call.denied", "code": "asked_too_often"}.items()
        told = {"kind": "prompts.quieted", "asker": "browsers", "until": desk.now + HOUR}
        assert desk.entries()[-2].items() >= {**told, "sub": person.user.user_id}.items()
        assert said(desk, person, held) == "asked_too_often"
        assert desk.last().items() >= {"kind": "call.denied", "code": "asked_too_often"}.items()
        desk.now += HOUR - 1
        assert code_of(browser.ask("account:admin")) == "asked_too_often"
        desk.now += 1  # TOKEN-5
        assert isinstance(browser.ask("account:admin"), Grant)

    def test_is_told_without_a_word_of_whose_questions_they_were_or_until_when(
        self, desk: Desk, browser: Browser
    ) -> None:
        declines_three(desk, browser.person, browser.delegation)
        refusal = browser.ask("account:admin")
        assert (code_of(refusal), refusal.facts) == ("asked_too_often", {})  # type: ignore[union-attr]  # it is one
        size = len(desk.entries())
        assert said(desk, browser.person, None) == "asked_too_often"  # the page itself is told the same
        assert len(desk.entries()) == size + 1

    def test_stops_nothing_that_needs_no_question(self, desk: Desk, browser: Browser) -> None:
        person, held = browser.person, browser.delegation
        waits = asks(desk, person, held)
        page = desk.page_call(person, waits)
        minted = desk.do(lambda tx: approving.challenge(tx, desk.at, page))
        assert isinstance(minted, Minted)
        evidence = desk.evidence(minted, person.devices[0])
        verdict = desk.look(lambda tx: approving.check(tx, desk.at, page, evidence))
        answer = desk.page_call(person, waits)
        assert outcome(desk.do(lambda tx: approving.approve(tx, desk.at, answer, verdict))) == "approved"
        declines_three(desk, person, held)
        assert desk.said(person, held) == "approved"
        met = desk.call(person, held, "transfer_money", now(desk, waits).arguments)
        assert outcome(met) == "approved"  # CALL-6: he has said yes to it
        assert desk.redeemed(waits).call.state is State.REDEEMED

    def test_ends_what_was_still_waiting(self, desk: Desk, browser: Browser, grace: Person) -> None:
        held, helper = browser.delegation, Attested.make(desk).deputized(grace)
        waiting = [asks(desk, grace, held), asks(desk, grace, None), asks(desk, grace, helper.delegation)]
        consent, other = browser.asked("account:admin"), helper.show(grace, helper.pushed())
        declines_three(desk, grace, held)
        assert [now(desk, each).state for each in waiting] == ["denied", "denied", "pending"]
        assert isinstance(other, Grant)
        assert [state_of(desk, each) for each in (consent, other)] == ["declined", "pending"]
        assert clicks(desk, grace, waiting[0]) == "call_state"
        assert clicks(desk, grace, waiting[2]) == "shown"

    def test_refuses_what_was_too_much_to_be_ended_with_the_rest(
        self, desk: Desk, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("deputize.service.calls.silences.MOST", 1)
        person, held = browser.person, browser.delegation
        waiting = [asks(desk, person, held) for _ in range(2)]
        declines_three(desk, person, held)
        assert [now(desk, each).state for each in waiting] == ["denied", "pending"]
        assert clicks(desk, person, waiting[1]) == "asked_too_often"
        assert now(desk, waiting[1]).state is State.DENIED

    @pytest.mark.parametrize("gone_back", [0, 599])
    def test_needs_three_within_the_time_whichever_way_the_clock_goes(
        self, desk: Desk, browser: Browser, gone_back: int
    ) -> None:
        person, held = browser.person, browser.delegation
        for wait in (0, 599, -gone_back):  # CLOCK-1
            desk.now += wait
            declines(desk, person, asks(desk, person, held))
        assert said(desk, person, held) == "asked_too_often"

    def test_does_not_begin_with_three_in_a_longer_time(self, desk: Desk, browser: Browser) -> None:
        person, held = browser.person, browser.delegation
        for _ in range(6):
            declines(desk, person, asks(desk, person, held))
            desk.now += 300
            browser.renew()
        assert said(desk, person, held) == "pending"

    def test_does_not_begin_by_what_no_human_has_said(self, desk: Desk, browser: Browser) -> None:
        """A dialog that went away, a question that ran out, what was approved and is called off."""
        person, held = browser.person, browser.delegation
        desk.policy = replace(desk.policy, prompts=Prompts(declines=Rate(3, 2400)))
        for _ in range(3):
            declines(desk, person, asks(desk, person, held), State.CANCELLED)
            refuses_in_dialog(browser, said_no=False)
            calls_off(desk, person, desk.allowed(person, held, "note"))
            asks(desk, person, held)
            desk.now += 600
        assert said(desk, person, held) == "pending"

    def test_counts_a_consent_and_what_is_called_off_on_the_account_page(
        self, desk: Desk, browser: Browser
    ) -> None:
        person, held = browser.person, browser.delegation
        for _ in range(2):
            refuses_in_dialog(browser)
        calls_off(desk, person, asks(desk, person, held))
        assert said(desk, person, held) == code_of(browser.ask("account:admin")) == "asked_too_often"

    def test_is_as_long_and_as_soon_as_the_policy_says_or_never(self, desk: Desk, browser: Browser) -> None:
        person, held = browser.person, browser.delegation
        desk.policy = replace(desk.policy, prompts=Prompts(declines=None))
        for _ in range(5):
            declines(desk, person, asks(desk, person, held))
        desk.policy = replace(desk.policy, prompts=Prompts(declines=Rate(1, 60), quiet=90))
        declines(desk, person, asks(desk, person, held))
        assert said(desk, person, held) == "asked_too_often"
        desk.now += 90
        assert said(desk, person, held) == "pending"

    def test_holds_for_challenges_over_mcp_and_for_calls_without_evidence(
        self, desk: Desk, browser: Browser
    ) -> None:
        person, held = browser.person, browser.delegation

        def challenge() -> str:
            request = desk.request(person, held, "transfer_money", TRANSFER, way=MCP)
            return outcome(desk.do(lambda tx: approving.challenge_ahead(tx, desk.at, request)))

        def call() -> str:
            return desk.said(person, held, "transfer_money", TRANSFER, way=MCP)

        assert (challenge(), call()) == ("shown", "missing_evidence")
        request = desk.request(person, held, "transfer_money", TRANSFER, way=MCP)
        minted = desk.do(lambda tx: approving.challenge_ahead(tx, desk.at, request))
        assert isinstance(minted, Minted)
        declines_three(desk, person, held)
        assert (challenge(), call()) == ("asked_too_often", "asked_too_often")
        evidence = desk.evidence(minted, person.devices[0])  # the user has said yes to this one
        again = desk.request(person, held, "transfer_money", TRANSFER, way=MCP)
        verdict = desk.look(lambda tx: approving.check_ahead(tx, desk.at, again, evidence))
        assert outcome(desk.do(lambda tx: arrivals.create(tx, desk.at, again, verdict))) == "approved"


class TestAsker:
    """PROMPT-1: for whom a question counts."""

    def test_no_new_key_of_a_browser_is_another(self, desk: Desk, browser: Browser) -> None:
        person = browser.person
        declines(desk, person, asks(desk, person, browser.delegation))
        second = tab(desk, person)
        declines(desk, second.person, asks(desk, second.person, second.delegation))
        declines(desk, person, asks(desk, person, None))
        third = Browser(desk, replace(person, page_jkt=desk.person().page_jkt))
        third.register()
        assert code_of(third.ask()) == "asked_too_often"

    def test_one_users_no_is_no_others(self, desk: Desk, browser: Browser) -> None:
        bob = Browser(desk, desk.person("internal"))
        bob.deputized()
        declines_three(desk, browser.person, browser.delegation)
        assert said(desk, bob.person, bob.delegation) == "pending"

    def test_no_attested_agent_is_silenced_by_others(self, desk: Desk, browser: Browser) -> None:
        """Neither by what scripts of the page ask for, nor by other origins, nor by who says its name without proof."""
        person, honest = browser.person, Attested.make(desk).deputized(browser.person)
        liar = Attested.unproven(desk)
        liar.client_id = honest.client_id
        known = desk.policy.ceiling
        desk.policy = replace(
            desk.policy, ceiling=replace(known, origins=known.origins | {asker_of(honest.client_id)})
        )
        evil = Attested.make(desk).deputized(person)
        declines_three(desk, person, browser.delegation)
        declines_three(desk, person, evil.delegation)
        for _ in range(3):
            refuses(desk, person, liar)
        assert code_of(liar.show(person, liar.pushed())) == "asked_too_often"
        assert said(desk, person, evil.delegation) == "asked_too_often"
        assert said(desk, person, honest.delegation) == "pending"

    def test_all_agents_of_one_origin_are_one(self, desk: Desk, grace: Person) -> None:
        first, second = Attested.make(desk), Attested.make(desk)
        registered = desk.policy.ceiling.registered
        second.client_id = type(first.client_id)(first.client_id.replace("agent.json", "other.json"))
        desk.policy = replace(
            desk.policy,
            ceiling=replace(
                desk.policy.ceiling, registered={**registered, second.client_id: registered[first.client_id]}
            ),
        )
        for _ in range(3):
            refuses(desk, grace, first)
        assert code_of(second.show(grace, second.pushed())) == "asked_too_often"

    def test_no_new_name_of_who_proves_nothing_is_another(self, desk: Desk, grace: Person) -> None:
        for _ in range(3):
            refuses(desk, grace, Attested.unproven(desk))
        app = Attested.unproven(desk)
        assert code_of(app.show(grace, app.pushed())) == "asked_too_often"
        assert said(desk, grace, desk.deputize(grace)) == "pending"  # the browsers are others

    def test_whoever_hands_on_answers_for_what_comes_of_it(self, desk: Desk, grace: Person) -> None:
        parent = Attested.make(desk).deputized(grace)
        first, second = (parent.deputizes(Attested.make(desk)) for _ in range(2))
        for child in (first, second, first):
            declines(desk, grace, asks(desk, grace, child.delegation))
        assert said(desk, grace, parent.delegation) == "asked_too_often"
        assert said(desk, grace, second.delegation) == "asked_too_often"  # by its parent
        kinds = [entry["asker"] for entry in desk.entries() if entry["kind"] == "prompts.quieted"]
        assert kinds[-1] == asker_of(parent.client_id)

    @pytest.mark.parametrize(
        ("client_id", "unproven", "asker"),
        [
            (None, False, BROWSERS),
            ("agt_x", False, BROWSERS),
            ("https://a.example/x.json", False, "https://a.example"),
            ("https://a.example:8443/y", False, "https://a.example:8443"),
            ("https://a.example/x.json", True, UNPROVEN),
        ],
    )
    def test_is_named_by_what_is_proven(self, client_id: str | None, unproven: bool, asker: str) -> None:
        assert asker_of(client_id, unproven) == asker  # type: ignore[arg-type]  # a text is an id


def refuses(desk: Desk, person: Person, agent: Attested) -> None:
    """Show somebody what an agent asks for, who says no."""
    request, user_id = agent.pushed(), person.user.user_id
    assert isinstance(agent.show(person, request), Grant)
    desk.do(lambda tx: authorizations.decline(tx, desk.at, user_id, request.request_id))


class TestOneAtATime:
    """PROMPT-2."""

    def test_is_answered_of_each_asker(self, desk: Desk, browser: Browser, grace: Person) -> None:
        first, second = (asks(desk, grace, browser.delegation) for _ in range(2))
        helper = Attested.make(desk).deputized(grace)
        other = asks(desk, grace, helper.delegation)
        assert clicks(desk, grace, first) == "shown"
        assert clicks(desk, grace, second) == "question_open"
        assert now(desk, second).state is State.PENDING
        assert clicks(desk, grace, first) == "shown"  # it may be tried again
        assert clicks(desk, grace, other) == "shown"
        asked = browser.asked("account:admin").grant_id
        refused = desk.do(lambda tx: consents.challenge(tx, desk.at, browser.asking(), asked))
        assert outcome(refused) == "question_open"
        desk.now += 60  # its challenge has run out
        assert clicks(desk, grace, second) == "shown"

    @pytest.mark.parametrize("state", [State.DECLINED, State.CANCELLED])
    def test_makes_room_at_once_where_it_is_over(self, desk: Desk, browser: Browser, state: State) -> None:
        person = browser.person
        first, second = (asks(desk, person, browser.delegation) for _ in range(2))
        assert (clicks(desk, person, first), clicks(desk, person, second)) == ("shown", "question_open")
        declines(desk, person, first, state)
        assert clicks(desk, person, second) == "shown"

    def test_also_of_consents(self, desk: Desk, browser: Browser) -> None:
        first, second = (browser.asked(scope).grant_id for scope in ("account:admin", "account:read"))

        def click(grant_id: str) -> str:
            return outcome(desk.do(lambda tx: consents.challenge(tx, desk.at, browser.asking(), grant_id)))

        assert (click(first), click(second)) == ("shown", "question_open")
        desk.do(lambda tx: consents.decline(tx, desk.at, browser.asking(), first))
        assert click(second) == "shown"

    def test_or_as_many_as_the_policy_says(self, desk: Desk, browser: Browser) -> None:
        person = browser.person
        calls = [asks(desk, person, browser.delegation) for _ in range(4)]
        desk.policy = replace(desk.policy, prompts=Prompts(at_once=2))
        assert [clicks(desk, person, each) for each in calls[:3]] == ["shown", "shown", "question_open"]
        desk.policy = replace(desk.policy, prompts=Prompts(at_once=None))
        assert clicks(desk, person, calls[3]) == "shown"


class TestLettingAskAgain:
    """PROMPT-4."""

    def test_is_the_users_and_recorded_and_begins_anew(self, desk: Desk, browser: Browser) -> None:
        person, held, user_id = browser.person, browser.delegation, browser.person.user.user_id
        eve = desk.person().user.user_id
        declines_three(desk, person, held)
        assert code_of(desk.do(lambda tx: prompts.let_ask(tx, desk.at, eve, BROWSERS))) == "not_found"
        assert said(desk, person, held) == "asked_too_often"
        assert desk.do(lambda tx: prompts.let_ask(tx, desk.at, user_id, BROWSERS)) is None
        assert desk.last().items() >= {"kind": "prompts.resumed", "sub": user_id, "asker": BROWSERS}.items()
        for _ in range(2):
            declines(desk, person, asks(desk, person, held))
        assert said(desk, person, held) == "pending"
        assert code_of(desk.do(lambda tx: prompts.let_ask(tx, desk.at, user_id, BROWSERS))) == "not_found"


class TestDecliningAndBlocking:
    """BLOCK-1, PROMPT-4."""

    def test_is_one_step_for_a_call(self, desk: Desk, browser: Browser) -> None:
        made = asks(desk, browser.person, browser.delegation)
        page = desk.page_call(browser.person, made)
        assert (
            outcome(desk.do(lambda tx: endings.deny(tx, desk.at, page, State.DECLINED, block=True)))
            == "declined"
        )
        kinds = [entry["kind"] for entry in desk.entries()[-3:]]
        assert kinds == ["call.declined", "agent.blocked", "grant.revoked"]
        assert code_of(browser.register()) == "agent_blocked"

    def test_is_one_step_for_a_consent(self, desk: Desk, browser: Browser) -> None:
        asked = browser.asked("account:admin").grant_id
        ended = desk.do(lambda tx: consents.decline(tx, desk.at, browser.asking(), asked, block=True))
        assert isinstance(ended, Grant)
        assert code_of(browser.register()) == "agent_blocked"
        assert desk.said(browser.person, browser.delegation) == "grant_revoked"
        user_id = browser.person.user.user_id
        assert desk.do(lambda tx: blocks.unblock(tx, desk.at, user_id, asked)) is None

    def test_needs_somebody_who_could_be_blocked(self, desk: Desk, browser: Browser) -> None:
        made = asks(desk, browser.person, None)
        page = desk.page_call(browser.person, made)
        refused = desk.do(lambda tx: endings.deny(tx, desk.at, page, State.DECLINED, block=True))
        assert code_of(refused) == "invalid_request"
        assert now(desk, made).state is State.PENDING


class TestPause:
    """PROMPT-5."""

    def pause(self, desk: Desk, person: Person) -> None:
        desk.do(lambda tx: prompts.pause(tx, desk.at, person.user.user_id))

    def test_bites_at_the_next_step_of_all_and_gives_all_back(self, desk: Desk, browser: Browser) -> None:
        person, held = browser.person, browser.delegation
        helper, running, waits = (
            Attested.make(desk).deputized(person),
            desk.allowed(person, held, "note"),
            asks(desk, person, held),
        )
        self.pause(desk, person)
        assert desk.last().items() >= {"kind": "agents.paused", "sub": person.user.user_id}.items()
        for by in (held, helper.delegation):
            assert desk.said(person, by) == "paused"
        assert desk.last().items() >= {"kind": "call.denied", "code": "paused"}.items()
        assert said(desk, person, None) == "paused"  # any agent can leave its delegation out
        assert desk.said(person, held, way=MCP) == "paused"
        assert clicks(desk, person, waits) == "paused"
        with pytest.raises(AssertionError, match="paused"):
            desk.redeemed(running)
        assert code_of(browser.ask("account:admin")) == "paused"
        assert code_of(helper.show(person, helper.pushed())) == "paused"
        desk.do(lambda tx: prompts.resume(tx, desk.at, person.user.user_id))
        assert desk.last()["kind"] == "agents.resumed"
        assert desk.said(person, held) == desk.said(person, helper.delegation) == "approved"

    def test_is_of_one_user_and_twice_is_once(self, desk: Desk, browser: Browser) -> None:
        bob = Browser(desk, desk.person("internal"))
        bob.deputized()
        for fn in (prompts.pause, prompts.resume):
            size = len(desk.entries())
            for _ in range(2):
                desk.do(lambda tx, fn=fn: fn(tx, desk.at, browser.person.user.user_id))  # type: ignore[misc]  # a default has no type
            assert len(desk.entries()) == size + 1
            assert desk.said(bob.person, bob.delegation) == "approved"

    @pytest.mark.parametrize("how", ["paused", "asked_too_often"])
    def test_a_consent_that_was_asked_for_before_is_not_given_after(
        self, desk: Desk, browser: Browser, how: str
    ) -> None:
        """Its challenge is there for a minute still."""
        person, asked = browser.person, browser.asked("account:admin").grant_id
        minted = desk.do(lambda tx: consents.challenge(tx, desk.at, browser.asking(), asked))
        assert isinstance(minted, Minted)
        evidence = desk.evidence(minted, person.devices[0])
        if how == "paused":
            self.pause(desk, person)
        else:
            quiet = Quiet(person.user.user_id, BROWSERS, desk.now, desk.now + HOUR)
            desk.do(lambda tx: tx.put(quiet))
        verdict = desk.look(lambda tx: consents.check(tx, desk.at, browser.asking(), asked, evidence))
        agreed = desk.do(lambda tx: consents.agree(tx, desk.at, browser.asking(), asked, verdict))
        assert code_of(agreed) == how
        found = desk.look(lambda tx: tx.grant(asked))
        assert found is not None
        assert found.state is GrantState.PENDING
