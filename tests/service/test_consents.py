"""Agents in browsers, what they ask for, and consent (AGENT-1, GRANT-1 to GRANT-4)."""

from dataclasses import replace

import pytest
from tests.service.agents import Attested, Browser, code_of, scopes
from tests.service.kit import Desk, Person, outcome

from deputize.protocol.agent import Agent
from deputize.protocol.errors import Code, Refusal, Refused
from deputize.protocol.grant import CONSENT_LIFETIME, Grant, GrantState
from deputize.service import approvals, blocks, consents, grants
from deputize.service.grants import PageRequest


def consent(browser: Browser, grant_id: str) -> str | None:
    """Consent, and say why that came to nothing."""
    try:
        return code_of(browser.consent(grant_id))
    except Refused as refused:
        return refused.refusal.code


class TestAnAgent:
    def test_is_the_same_for_the_same_user_and_key(self, desk: Desk, browser: Browser) -> None:  # AGENT-1
        first, size = browser.register(), len(desk.entries())
        assert isinstance(first, Agent)
        assert browser.register() == first
        assert len(desk.entries()) == size

    def test_belongs_to_one_user(self, desk: Desk, browser: Browser) -> None:  # AGENT-1
        mallory = desk.person("internal")
        mallory.page_jkt = browser.person.page_jkt
        theirs = Browser(desk, mallory)
        assert code_of(theirs.register()) == code_of(theirs.ask()) == "unknown_agent"

    def test_that_the_owner_revoked_gets_nothing(self, desk: Desk, browser: Browser) -> None:
        asked, client_id = browser.asked(), browser.delegation.client_id
        assert desk.do(lambda tx: grants.revoke_agent(tx, client_id, desk.now)) is None
        assert code_of(browser.register()) == code_of(browser.ask()) == "unknown_agent"
        assert code_of(browser.consent(asked.grant_id)) == "unknown_agent"
        assert desk.said(browser.person, browser.delegation) == "unknown_agent"
        assert code_of(browser.renew()) == "invalid_grant"

    def test_that_nobody_knows_cannot_be_revoked(self, desk: Desk) -> None:
        assert code_of(desk.do(lambda tx: grants.revoke_agent(tx, "agt_x", desk.now))) == "unknown_agent"


def test_each_step_spends_a_proof(desk: Desk, browser: Browser) -> None:  # PROOF-2
    asked, used = browser.asked(), browser.asking()
    assert desk.do(used.spend)
    verdict = approvals.Rejected(Refusal(Code.EXPIRED, ""), None, None)
    for answer in (
        desk.do(lambda tx: consents.register_agent(tx, desk.at, used)),
        desk.do(lambda tx: consents.request_grant(tx, desk.at, used, scopes("account:read"), None)),
        desk.do(lambda tx: consents.challenge(tx, desk.at, used, asked.grant_id)),
        desk.do(lambda tx: consents.agree(tx, desk.at, used, asked.grant_id, verdict)),
        desk.do(lambda tx: consents.decline(tx, desk.at, used, asked.grant_id)),
        desk.do(lambda tx: grants.take_back(tx, desk.at, used, asked.grant_id)),
    ):
        assert code_of(answer) == "invalid_dpop_proof"


class TestAsking:
    def test_shows_what_the_agent_holds_with_what_it_asks_for(self, browser: Browser) -> None:  # GRANT-1
        asked = browser.asked("account:read", 60)
        assert str(asked.scopes) == "account:read payments:write"
        assert asked.shown["expires_in"] == 60

    @pytest.mark.parametrize(
        ("scope", "code"),
        [("account:delete", "invalid_scope"), ("", "invalid_scope"), ("vault:open", "agent_not_allowed")],
    )
    def test_is_refused_for_what_nobody_may_ask_for(
        self, desk: Desk, browser: Browser, scope: str, code: str
    ) -> None:  # AGENT-2
        assert code_of(browser.ask(scope)) == code
        assert (desk.last()["kind"], desk.last()["code"]) == ("grant.refused", code)

    def test_is_refused_where_nobody_could_answer(self, desk: Desk, browser: Browser) -> None:  # GRANT-1
        user_id = browser.person.user.user_id
        (known,) = desk.look(lambda tx: tx.credentials(user_id))
        desk.do(lambda tx: tx.remove_credential(known.credential_id, user_id))
        refused = browser.ask()
        assert isinstance(refused, Refusal)
        assert refused.code == "no_eligible_credential"
        assert "can be added on the account page" in refused.detail
        assert (desk.last()["kind"], desk.last()["code"]) == ("grant.refused", "no_eligible_credential")
        assert desk.said(browser.person, browser.delegation) == "approved"  # what was given stays

    def test_gets_no_longer_than_the_policy_lets_anybody_have(self, desk: Desk, browser: Browser) -> None:
        asked = browser.asked("account:read", 10**9)
        assert asked.shown["expires_in"] == desk.policy.grant_max_lifetime

    def test_without_a_key_is_nobodys(self, desk: Desk, browser: Browser) -> None:
        keyless = PageRequest(browser.person.user.user_id, None)
        for answer in (
            desk.do(lambda tx: consents.register_agent(tx, desk.at, keyless)),
            desk.do(lambda tx: consents.request_grant(tx, desk.at, keyless, scopes("account:read"), None)),
        ):
            assert code_of(answer) == "unknown_agent"


class TestConsent:
    def test_is_recorded_and_takes_the_place_of_the_older_one(
        self, desk: Desk, browser: Browser
    ) -> None:  # GRANT-2, GRANT-3
        older = browser.delegation
        browser.deputized("account:admin")
        assert [entry["kind"] for entry in desk.entries()[-2:]] == ["grant.superseded", "grant.active"]
        assert desk.last()["evidence_s256"]
        assert desk.said(browser.person, older) == "invalid_token"
        assert desk.said(browser.person, browser.delegation, "close_account") != "insufficient_scope"

    def test_that_is_declined_grants_nothing(self, desk: Desk, browser: Browser) -> None:  # GRANT-4
        asked = browser.asked()
        answer = desk.do(lambda tx: consents.decline(tx, desk.at, browser.asking(), asked.grant_id))
        assert isinstance(answer, Grant)
        assert (answer.state, desk.last()["kind"]) == (GrantState.DECLINED, "grant.declined")
        assert consent(browser, asked.grant_id) == "call_state"
        again = desk.do(lambda tx: consents.decline(tx, desk.at, browser.asking(), asked.grant_id))
        assert code_of(again) == "call_state"

    def test_that_nobody_gives_runs_out(self, desk: Desk, browser: Browser) -> None:  # GRANT-4
        asked = browser.asked()
        desk.now += 599
        minted = desk.do(lambda tx: consents.challenge(tx, desk.at, browser.asking(), asked.grant_id))
        assert outcome(minted) == "shown"
        desk.now += 1
        assert consent(browser, asked.grant_id) == "expired"

    def test_for_one_grant_is_none_for_another(self, desk: Desk, browser: Browser) -> None:  # GRANT-2
        one, other = browser.asked("account:read").grant_id, browser.asked("account:admin").grant_id
        minted = desk.do(lambda tx: consents.challenge(tx, desk.at, browser.asking(), one))
        assert isinstance(minted, approvals.Minted)
        evidence = desk.evidence(minted, browser.person.devices[0])
        verdict = desk.look(lambda tx: consents.check(tx, desk.at, browser.asking(), other, evidence))
        answer = desk.do(lambda tx: consents.agree(tx, desk.at, browser.asking(), other, verdict))
        assert code_of(answer) == "challenge_unknown"
        assert (desk.last()["kind"], desk.last()["code"]) == ("grant.refused", "challenge_unknown")

    def test_is_given_by_nobody_else(self, desk: Desk, browser: Browser) -> None:
        asked = browser.asked()
        mallory = Browser(desk, desk.person("internal"))
        mallory.register()
        tab = Browser(desk, replace(browser.person, page_jkt=mallory.person.page_jkt))
        for other in (mallory, tab):  # another user, and the same one with another page key
            assert consent(other, asked.grant_id) == "grant_unknown"

    def test_goes_by_the_policy_that_is_in_force(self, desk: Desk, browser: Browser) -> None:  # POLICY-3
        asked, ceiling = browser.asked("account:admin"), desk.policy.ceiling
        desk.policy = replace(desk.policy, ceiling=replace(ceiling, opaque=scopes("account:read")))
        assert consent(browser, asked.grant_id) == "agent_not_allowed"
        assert (desk.last()["kind"], desk.last()["code"]) == ("grant.refused", "agent_not_allowed")

    @pytest.mark.parametrize("seconds", [120, None])
    def test_lives_as_long_as_was_shown(
        self, desk: Desk, grace: Person, seconds: int | None
    ) -> None:  # GRANT-1, TOKEN-5
        browser = Browser(desk, grace)
        browser.deputized("account:read", seconds)
        desk.now += (seconds or desk.policy.grant_lifetime) - 1
        assert desk.said(grace, browser.delegation) == "approved"
        desk.now += 1
        assert desk.said(grace, browser.delegation) == "grant_expired"


class TestGoingOn:
    """GRANT-9: what was answered on the authority's page is for the page that has asked."""

    def resume(
        self, desk: Desk, browser: Browser, grant_id: str, by: PageRequest | None = None
    ) -> str | None:
        asking = by or browser.asking()
        return code_of(desk.do(lambda tx: consents.resume(tx, desk.at, asking, grant_id)))

    def test_is_the_pages_own_for_as_long_as_a_consent_is_asked_for(
        self, desk: Desk, browser: Browser
    ) -> None:  # CLOCK-1
        asked = browser.asked("account:admin").grant_id
        assert self.resume(desk, browser, asked) == "consent_required"
        assert consent(browser, asked) is None
        desk.now += CONSENT_LIFETIME - 1
        assert self.resume(desk, browser, asked) is None
        desk.now += 1
        assert self.resume(desk, browser, asked) == "expired"
        desk.now -= 2 * CONSENT_LIFETIME  # a clock that went back
        assert self.resume(desk, browser, asked) == "expired"

    def test_is_nobody_elses(self, desk: Desk, browser: Browser) -> None:
        given, other = browser.delegation.grant_id, desk.person("internal")
        user_id, key = browser.person.user.user_id, browser.person.page_jkt
        for who, jkt in ((other.user.user_id, key), (user_id, other.page_jkt)):
            assert self.resume(desk, browser, given, PageRequest(who, desk.proof(jkt))) == "grant_unknown"
        used = browser.asking()
        assert self.resume(desk, browser, given, used) is None
        assert self.resume(desk, browser, given, used) == "invalid_dpop_proof"  # PROOF-2

    def test_is_not_for_what_comes_with_a_code(self, desk: Desk, browser: Browser) -> None:  # OAUTH-5
        person = browser.person
        helper = Attested.make(desk).deputized(person)
        as_a_page = PageRequest(person.user.user_id, desk.proof(helper.jkt))
        assert self.resume(desk, browser, helper.grant.grant_id, as_a_page) == "grant_unknown"

    def test_ends_with_the_grant_and_its_agent(self, desk: Desk, browser: Browser) -> None:
        held = browser.delegation
        desk.do(lambda tx: blocks.block(tx, desk.at, held.user_id, held.grant_id, desk.now + 60))
        assert self.resume(desk, browser, held.grant_id) == "grant_revoked"
        desk.do(lambda tx: grants.revoke_agent(tx, held.client_id, desk.now))
        assert self.resume(desk, browser, held.grant_id) == "unknown_agent"
