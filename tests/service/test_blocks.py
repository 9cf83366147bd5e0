"""Who is blocked loses at once what he had, and gets nothing new until it ends (BLOCK-1 to BLOCK-3)."""

from collections.abc import Callable

import pytest
from tests.service.agents import Attested, Browser, code_of
from tests.service.kit import TRANSFER, Desk, Person, outcome
from tests.store import values as v

from deputize.protocol.agent import Agent
from deputize.protocol.block import Block
from deputize.protocol.grant import Grant
from deputize.protocol.ids import GrantId
from deputize.protocol.token import CallToken
from deputize.service import blocks, grants, sessions
from deputize.service.calls import approving, redemptions
from deputize.service.sessions import Opening

HOUR = 3600
By = Callable[[Desk, Browser], object]


def by_user(desk: Desk, browser: Browser) -> object:
    held, until = browser.delegation, desk.now + HOUR
    return desk.do(lambda tx: blocks.block(tx, desk.at, held.user_id, held.grant_id, until))


def by_owner(desk: Desk, browser: Browser) -> object:
    client_id = browser.delegation.client_id
    return desk.do(lambda tx: blocks.block_agent(tx, client_id, desk.now + HOUR, desk.now))


def user_by_owner(desk: Desk, browser: Browser) -> object:
    user_id = browser.person.user.user_id
    return desk.do(lambda tx: blocks.block_user(tx, user_id, desk.now + HOUR, desk.now))


ALL = pytest.mark.parametrize("block", [by_user, by_owner, user_by_owner])
OF_AGENTS = pytest.mark.parametrize("block", [by_user, by_owner])


@ALL
def test_who_is_blocked_loses_at_the_next_step_what_he_had(desk: Desk, browser: Browser, block: By) -> None:
    """Call, approval, redemption and renewal."""
    held, person = browser.delegation, browser.person
    pending, running = (
        desk.allowed(person, held, "transfer_money", TRANSFER),
        desk.allowed(person, held, "note"),
    )
    block(desk, browser)
    assert desk.last().items() >= {"kind": "grant.revoked", "grant_id": held.grant_id}.items()
    assert desk.said(person, held) == "grant_revoked"
    minted = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(person, pending)))
    assert outcome(minted) == "grant_revoked"
    token = CallToken.of(running.call, desk.now)
    redeemed = desk.do(lambda tx: redemptions.redeem(tx, desk.at, None, token, token.args_s256))
    assert outcome(redeemed) in ("grant_revoked", "user_blocked")
    assert code_of(browser.renew()) == "invalid_grant"


@OF_AGENTS
def test_a_blocked_agent_asks_for_nothing_until_it_is_over(desk: Desk, browser: Browser, block: By) -> None:
    asked = browser.asked("account:admin")
    block(desk, browser)
    size = len(desk.entries())
    for answer in (browser.register(), browser.ask(), browser.consent(asked.grant_id)):
        assert code_of(answer) == "agent_blocked"
        assert answer.facts["until"] == desk.now + HOUR  # type: ignore[union-attr]  # it is a refusal
    assert len(desk.entries()) == size
    desk.now += HOUR - 1
    assert code_of(browser.register()) == "agent_blocked"
    desk.now += 1  # TOKEN-5
    assert isinstance(browser.register(), Agent)
    assert isinstance(browser.ask(), Grant)


def test_a_user_blocks_an_agent_for_himself_only(desk: Desk, grace: Person) -> None:  # BLOCK-1
    helper, bob = Attested.make(desk).deputized(grace), desk.person("internal")
    grant_id, at = helper.grant.grant_id, desk.at
    desk.do(lambda tx: blocks.block(tx, at, grace.user.user_id, grant_id, None))
    assert helper.push(helper.request()) is None  # nothing tells it whom it has lost
    assert code_of(helper.show(grace, helper.pushed())) == "agent_blocked"
    assert helper.deputized(bob).call(bob) == "approved"


def test_a_block_of_a_user_is_recorded_and_taken_back(desk: Desk, browser: Browser) -> None:
    held = browser.delegation
    told = {"sub": held.user_id, "client_id": held.client_id, "by": "user"}
    made = desk.do(lambda tx: blocks.block(tx, desk.at, held.user_id, held.grant_id, None))
    assert isinstance(made, Block)
    blocked, revoked = desk.entries()[-2:]
    assert blocked.items() >= {**told, "kind": "agent.blocked"}.items()
    assert (revoked["kind"], revoked["by"]) == ("grant.revoked", "user")
    desk.now += 10**8
    assert code_of(browser.register()) == "agent_blocked"
    assert desk.do(lambda tx: blocks.unblock(tx, desk.at, held.user_id, held.grant_id)) is None
    assert desk.last().items() >= {**told, "kind": "agent.unblocked"}.items()
    assert desk.said(browser.person, held) != "approved"  # ending it gives nothing back
    again = desk.do(lambda tx: blocks.unblock(tx, desk.at, held.user_id, held.grant_id))
    assert code_of(again) == "not_found"


def test_nobody_blocks_or_unblocks_by_another_users_grant(desk: Desk, browser: Browser) -> None:
    eve, held = desk.person().user.user_id, browser.delegation
    for grant_id in (held.grant_id, GrantId("grt_nothing")):
        assert code_of(desk.do(lambda tx, g=grant_id: blocks.block(tx, desk.at, eve, g, None))) == (  # type: ignore[misc]
            "grant_unknown"
        )
    by_user(desk, browser)
    assert code_of(desk.do(lambda tx: blocks.unblock(tx, desk.at, eve, held.grant_id))) == "not_found"
    assert code_of(browser.register()) == "agent_blocked"


class TestByTheOwner:
    """BLOCK-2, BLOCK-3."""

    def test_an_agent_is_blocked_for_all_and_before_it_has_come(self, desk: Desk, grace: Person) -> None:
        helper = Attested.make(desk)
        desk.do(lambda tx: blocks.block_agent(tx, helper.client_id, None, desk.now))
        assert desk.last().items() >= {"kind": "agent.blocked", "by": "owner"}.items()
        assert code_of(helper.push(helper.request())) == "invalid_client"
        assert desk.do(lambda tx: blocks.lift(tx, None, helper.client_id, desk.now)) is None
        assert desk.last()["kind"] == "agent.unblocked"
        assert helper.deputized(grace).call(grace) == "approved"
        assert code_of(desk.do(lambda tx: blocks.lift(tx, None, helper.client_id, desk.now))) == ("not_found")

    def test_a_user_is_out_until_the_owner_lets_him_in(self, desk: Desk, browser: Browser) -> None:
        user_id, session = browser.person.user.user_id, b"s" * 32
        desk.do(lambda tx: sessions.open_session(tx, desk.at, user_id, Opening(session, None)))
        asked = browser.asked()
        user_by_owner(desk, browser)
        assert [entry["kind"] for entry in desk.entries()[-2:]] == ["user.blocked", "grant.revoked"]
        assert desk.look(lambda tx: tx.session(session)) is None
        for answer in (browser.register(), browser.ask(), browser.consent(asked.grant_id)):
            assert code_of(answer) == "user_blocked"
        assert desk.do(lambda tx: blocks.lift(tx, user_id, None, desk.now)) is None
        assert desk.last()["kind"] == "user.unblocked"
        assert desk.said(browser.person, browser.delegation) == "grant_revoked"
        desk.now += 60  # until what was being answered has run out (PROMPT-2)
        browser.deputized("account:read")
        assert desk.said(browser.person, browser.delegation) == "approved"

    def test_there_has_to_be_such_a_user(self, desk: Desk, grace: Person) -> None:
        nobody, user_id = v.user_id("nobody"), grace.user.user_id
        assert code_of(desk.do(lambda tx: blocks.block_user(tx, nobody, None, desk.now))) == "not_found"
        assert code_of(desk.do(lambda tx: blocks.lift(tx, user_id, None, desk.now))) == "not_found"


def test_an_agents_grants_are_revoked_once(desk: Desk, browser: Browser) -> None:
    desk.revoke(browser.delegation.grant_id)
    size = len(desk.entries())
    by_owner(desk, browser)
    assert [entry["kind"] for entry in desk.entries()[size:]] == ["agent.blocked"]
    assert desk.do(lambda tx: grants.revoke_agent(tx, browser.delegation.client_id, desk.now)) is None
