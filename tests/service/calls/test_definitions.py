"""What an agent is told of a tool is what the user has consented to, and what the owner has pinned (GRANT-8, PIN-1)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.service.agents import Browser, code_of
from tests.service.kit import TRANSFER, Desk, Person

from deputize.protocol.canonical import s256
from deputize.protocol.errors import Refused
from deputize.protocol.grant import Grant
from deputize.protocol.policy import Policy
from deputize.protocol.token import CallToken, Delegation
from deputize.service.calls import approving, redemptions
from deputize.service.calls.request import MCP
from deputize.store.transaction import Transaction

A, B = s256(b"a"), s256(b"b")
Ada = tuple[Person, Delegation]


@pytest.fixture
def ada(desk: Desk) -> Ada:
    person = desk.person("internal")
    return person, desk.deputize(person)


def pinned(policy: Policy, tool: str, *digests: str) -> Policy:
    return replace(policy, tools={**policy.tools, tool: replace(policy.tools[tool], pinned=digests)})


def said(desk: Desk, ada: Ada, digest: str, tool: str = "get_balance", **others: Any) -> str:
    return desk.said(*ada, tool, definition_s256=digest, **others)


def kept(desk: Desk, delegation: Delegation) -> dict[str, list[str]]:
    grant = desk.look(lambda tx: tx.grant(delegation.grant_id))
    assert isinstance(grant, Grant)
    return {place: [*digests] for place, digests in grant.definitions.items()}


class TestTheFirstDescription:
    def test_joins_the_consent_and_another_asks_again(self, desk: Desk, ada: Ada) -> None:  # GRANT-8
        assert said(desk, ada, A) == "approved"
        assert kept(desk, ada[1]) == {"get_balance": [A]}
        assert said(desk, ada, B) == "consent_outdated"
        assert (desk.last()["kind"], desk.last()["code"]) == ("call.denied", "consent_outdated")
        assert desk.last()["definition_s256"] == B
        assert said(desk, ada, A) == "approved"
        assert kept(desk, ada[1]) == {"get_balance": [A]}

    def test_of_a_call_that_is_refused_joins_nothing(self, desk: Desk, ada: Ada) -> None:
        assert said(desk, ada, A, arguments={"what": "else"}, tool="transfer_money") == "invalid_arguments"
        assert kept(desk, ada[1]) == {}

    def test_of_each_tool_is_its_own(self, desk: Desk, ada: Ada) -> None:
        assert said(desk, ada, A) == said(desk, ada, B, "note") == "approved"
        assert kept(desk, ada[1]) == {"get_balance": [A], "note": [B]}

    def test_over_mcp_is_not_the_pages(self, desk: Desk, ada: Ada) -> None:
        assert said(desk, ada, A) == said(desk, ada, B, way=MCP) == "approved"
        assert said(desk, ada, A, way=MCP) == said(desk, ada, B) == "consent_outdated"

    def test_under_a_grant_that_was_handed_on_is_that_of_the_users_consent(
        self, desk: Desk, ada: Ada
    ) -> None:  # CHAIN-1
        child = ada[0], desk.deputize(ada[0], "account:read", above=ada[1])
        assert said(desk, child, A) == "approved"
        assert (kept(desk, child[1]), kept(desk, ada[1])) == ({}, {"get_balance": [A]})
        assert said(desk, ada, B) == said(desk, child, B) == "consent_outdated"

    def test_that_another_worker_was_quicker_to_tell_is_asked_for_again(
        self, desk: Desk, ada: Ada, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only a store with several writers can lose this race."""
        monkeypatch.setattr(Transaction, "know_definitions", lambda *_: False)
        before = desk.entries()
        with pytest.raises(Refused) as refused:
            desk.call(*ada)
        assert refused.value.refusal.code == "call_state"
        assert desk.entries() == before

    def test_is_nothing_to_the_users_own_calls(self, desk: Desk, ada: Ada) -> None:  # CALL-7
        desk.policy = pinned(desk.policy, "transfer_money", A)
        own = ada[0], None
        for digest in (A, B):
            assert desk.said(*own, "transfer_money", TRANSFER, definition_s256=digest) == "pending"


class TestAPin:
    def test_refuses_all_others_and_says_which_it_was(self, desk: Desk, ada: Ada) -> None:  # PIN-1
        desk.policy = pinned(desk.policy, "get_balance", A)
        assert said(desk, ada, A) == "approved"
        assert said(desk, ada, B) == "definition_changed"
        last = desk.last()
        assert (last["kind"], last["code"]) == ("call.denied", "definition_changed")
        assert (last["tool"], last["definition_s256"]) == ("get_balance", B)

    def test_comes_before_the_user_is_asked_for_anything(self, desk: Desk, ada: Ada) -> None:
        desk.policy = pinned(desk.policy, "close_account", A)
        lesser = ada[0], desk.deputize(ada[0], "account:read")
        assert said(desk, lesser, A, "close_account") == "insufficient_scope"
        assert said(desk, lesser, B, "close_account") == "definition_changed"

    def test_is_no_consent(self, desk: Desk, ada: Ada) -> None:
        assert said(desk, ada, A) == "approved"
        desk.policy = pinned(desk.policy, "get_balance", B)
        assert said(desk, ada, B) == "consent_outdated"

    def test_is_for_pages_only(self, desk: Desk, ada: Ada) -> None:
        desk.policy = pinned(desk.policy, "get_balance", A)
        assert said(desk, ada, B, way=MCP) == "approved"

    def test_bites_while_a_call_is_under_way(self, desk: Desk, ada: Ada) -> None:  # POLICY-3
        person = ada[0]
        waits = desk.allowed(*ada, "transfer_money", TRANSFER, definition_s256=B)
        runs = desk.allowed(*ada, "note", definition_s256=B)
        desk.policy = pinned(pinned(desk.policy, "transfer_money", A), "note", A)
        challenge = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(person, waits)))
        assert code_of(challenge) == "definition_changed"
        by = desk.proof(person.page_jkt)
        token = CallToken.of(runs.call, desk.now)
        redeemed = desk.do(lambda tx: redemptions.redeem(tx, desk.at, by, token, token.args_s256))
        assert code_of(redeemed) == "definition_changed"


class TestAnotherConsent:
    def test_is_for_what_the_page_says_now_and_tells_what_changed(self, desk: Desk, browser: Browser) -> None:
        held = browser.deputized(described={"get_balance": A, "note": A})
        mine = browser.person, held
        assert said(desk, mine, B) == "consent_outdated"
        assert said(desk, mine, A, "note") == "approved"
        asked = browser.asked("account:read", None, {"get_balance": B, "note": A})
        assert asked.shown["definitions"] == [
            {"tool": "get_balance", "title": "", "definition_s256": B, "changed": True},
            {"tool": "note", "title": "", "definition_s256": A},
        ]
        browser.consent(asked.grant_id)
        newer = browser.person, browser.deputized(described={"get_balance": B})
        assert said(desk, newer, B) == said(desk, newer, A) == said(desk, newer, A, "note") == "approved"

    def test_that_is_declined_leaves_what_there_is(self, desk: Desk, browser: Browser) -> None:
        mine = browser.person, browser.deputized(described={"get_balance": A})
        browser.asked("account:read", None, {"get_balance": B})
        assert said(desk, mine, B) == "consent_outdated"
        assert said(desk, mine, A) == "approved"

    def test_signs_nothing_that_could_not_be_called(self, desk: Desk, browser: Browser) -> None:
        desk.policy = pinned(desk.policy, "note", A)
        described = {"get_balance": A, "note": B, "search_help": A, "close_account": A, "unknown": A}
        asked = browser.asked("account:read", None, described)
        assert asked.shown["definitions"] == [{"tool": "get_balance", "title": "", "definition_s256": A}]
        assert asked.definitions == {"get_balance": [A]}

    def test_says_nothing_of_definitions_where_the_page_says_none(self, browser: Browser) -> None:
        assert "definitions" not in browser.asked().shown

    def test_carries_over_only_the_calls_that_it_knows(self, desk: Desk, ada: Ada) -> None:  # GRANT-3
        """Another consent of the browser keeps what was consented to before, so that open calls go on."""
        person = ada[0]
        browser = Browser(desk, person)
        mine = person, browser.deputized("payments:write", described={"transfer_money": A})
        waits = desk.allowed(*mine, "transfer_money", TRANSFER, definition_s256=A)
        browser.deputized("payments:write", described={"transfer_money": B})
        found = desk.look(lambda tx: tx.call(waits.call.call_id))
        assert found is not None
        assert (found.state, found.grant_id) == ("pending", browser.delegation.grant_id)
