"""Agents that hand on (PROTOCOL §13)."""

import asyncio
from typing import Any

import pytest
from tests.bank import Bank
from tests.web.agents import (
    ACCESS_TOKEN,
    ALL,
    ERRAND,
    EXCHANGE,
    FOURTH,
    HELPER,
    JWT,
    THIRD,
    Client,
    error,
    new_key,
)

from deputize.crypto import jwt
from deputize.protocol.ids import GrantId
from deputize.service import grants
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

NOTE: dict[str, Any] = {"type": "webmcp_tool", "tool": "note"}


@pytest.fixture
async def parent(ada: Page, helper: Client) -> Client:
    """Give an agent that may note five times, and spend 100 by that."""
    return await helper.deputized(ada, ALL, [{**NOTE, "max_calls": 5, "sum": {"/amount": 100}}])


async def handoff(parent: Client, child: Client, details: Any = None, **changed: Any) -> str:
    answer = await parent.hand_on(child, details, **changed)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


class TestHandingOn:
    """The parent's half (CHAIN-1)."""

    async def test_makes_a_handoff_that_only_the_authority_reads(
        self, parent: Client, errand: Client
    ) -> None:
        said = (await parent.hand_on(errand, scope="account:read")).json()
        told = {"issued_token_type": JWT, "token_type": "N_A", "expires_in": 60, "scope": "account:read"}
        assert {name: said[name] for name in told} == told
        token = jwt.parse(said["access_token"])
        assert token.header["typ"] == "handoff+jwt"
        assert token.claims["may_act"] == {"sub": ERRAND}
        assert token.claims["cnf"] == {"jkt": errand.key.thumbprint}
        assert token.claims["aud"] == token.claims["iss"] == parent.bank.issuer
        assert parent.bank.last()["kind"] == "grant.handed_on"

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"scope": "account:read account:admin"}, "invalid_scope"),
            ({"scope": "account:admin"}, "invalid_scope"),
            ({"scope": ""}, "invalid_scope"),
            ({"scope": "a  b"}, "invalid_scope"),
            ({"details": [{**NOTE, "max_calls": 6}]}, "invalid_authorization_details"),
            ({"details": [{**NOTE, "sum": {"/amount": 100.5}}]}, "invalid_authorization_details"),
            ({"details": [{**NOTE, "max_calls": 2, "extra": 1}]}, "invalid_authorization_details"),
            ({"details": [{**NOTE, "max_calls": n} for n in range(1, 17)]}, "invalid_authorization_details"),
            ({"requested_actor": None}, "invalid_request"),
            ({"requested_actor": "https://stranger.example/agent.json"}, "invalid_request"),
            ({"requested_actor": "agt_x"}, "invalid_request"),
            ({"requested_actor": "x" * 3000}, "invalid_request"),
            ({"dpop_jkt": None}, "invalid_request"),
            ({"dpop_jkt": "x"}, "invalid_request"),
            ({"subject_token": None}, "invalid_request"),
            ({"subject_token": "x"}, "invalid_grant"),
            ({"subject_token_type": None}, "invalid_request"),
            ({"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
            ({"subject_token_type": JWT}, "invalid_grant"),
            ({"requested_token_type": ACCESS_TOKEN}, "invalid_request"),
            ({"actor_token": "x", "actor_token_type": JWT}, "invalid_request"),
        ],
        ids=lambda value: str(value)[:60],
    )
    async def test_refuses(self, parent: Client, errand: Client, changed: dict[str, Any], code: str) -> None:
        refused = await parent.hand_on(errand, **changed)
        assert (refused.status_code, error(refused)) == (400, code)

    async def test_of_what_is_not_ones_own(self, ada: Page, parent: Client, errand: Client) -> None:
        token = parent.tokens["access_token"]
        errand.tokens = {"access_token": token}  # stolen: another client, with its own key
        assert error(await errand.hand_on(errand)) == "invalid_grant"
        errand.tokens = parent.tokens
        form = {
            "grant_type": EXCHANGE,
            "subject_token": token,
            "subject_token_type": ACCESS_TOKEN,
            "requested_actor": ERRAND,
            "dpop_jkt": errand.key.thumbprint,
        }
        assert error(await parent.post("/token", form, by=new_key())) == "invalid_grant"  # without the key
        assert (
            error(await errand.post("/token", form, by=parent.private)) == "invalid_grant"
        )  # another client

    async def test_of_what_a_browsers_agent_has(self, ada: Page, helper: Client, errand: Client) -> None:
        await ada.deputize("account:read")
        helper.tokens = dict(ada.tokens)
        assert error(await helper.hand_on(errand)) == "invalid_grant"

    async def test_of_what_is_over(self, local: Bank, parent: Client, errand: Client) -> None:
        local.clock.forward(300)
        assert error(await parent.hand_on(errand)) == "invalid_grant"
        await parent.refresh()
        await local.revoke(parent.tokens["grant_id"])
        assert error(await parent.hand_on(errand)) == "invalid_grant"


class TestTakingOver:
    """The child's half (CHAIN-2)."""

    async def test_makes_a_grant_of_its_own_below_the_parents(
        self, ada: Page, parent: Client, errand: Client
    ) -> None:
        await parent.deputizes(errand, "account:read", [{**NOTE, "max_calls": 2}])
        assert errand.tokens["grant_id"] != parent.tokens["grant_id"]
        assert errand.tokens["scope"] == "account:read"
        assert errand.tokens["issued_token_type"] == ACCESS_TOKEN
        claims = jwt.parse(errand.tokens["access_token"]).claims
        inner = {"sub": HELPER, "assurance": "registered"}
        assert claims["act"] == {"sub": ERRAND, "assurance": "registered", "act": inner}
        assert claims["sub"] == parent.tokens["sub"]
        assert (await errand.call(ada, "get_balance")).status_code == 200
        assert error(await errand.call(ada, "note", {"amount": 1})) == "insufficient_scope"
        assert (await parent.call(ada, "note", {"amount": 1})).status_code == 200
        told = [entry for entry in errand.bank.entries() if entry.get("parent_id")]
        assert told[0]["parent_id"] == parent.tokens["grant_id"]

    async def test_the_history_stays_when_it_is_renewed(self, parent: Client, errand: Client) -> None:
        await parent.deputizes(errand)
        assert (await errand.refresh()).status_code == 200
        claims: Any = jwt.parse(errand.tokens["access_token"]).claims
        assert claims["act"]["act"]["sub"] == HELPER

    async def test_once(self, parent: Client, errand: Client) -> None:
        received = await handoff(parent, errand)
        assert (await errand.take_over(received)).status_code == 200
        assert error(await errand.take_over(received)) == "invalid_grant"

    async def test_once_by_eight_at_once(self, parent: Client, errand: Client) -> None:
        received = await handoff(parent, errand)
        answers = await asyncio.gather(*(errand.take_over(received) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7

    @pytest.mark.parametrize(("waited", "status"), [(59, 200), (60, 400)])
    async def test_within_60_seconds(
        self, local: Bank, parent: Client, errand: Client, waited: int, status: int
    ) -> None:
        received = await handoff(parent, errand)
        local.clock.forward(waited)
        assert (await errand.take_over(received)).status_code == status

    async def test_by_the_named_client_and_key_only(
        self, local: Bank, parent: Client, errand: Client
    ) -> None:
        received = await handoff(parent, errand)
        third = local.agent(THIRD)
        assert error(await errand.take_over(received, by=new_key())) == "invalid_grant"
        assert error(await third.take_over(received, by=errand.private)) == "invalid_grant"
        assert error(await parent.take_over(received)) == "invalid_grant"  # who hands on is not who acts
        form = {"grant_type": EXCHANGE, "subject_token": received, "subject_token_type": JWT}
        assert error(await errand.post("/token", form, assertion=None)) == "invalid_client"
        assert error(await errand.take_over(received, actor_token="x")) == "invalid_request"
        assert (await errand.take_over(received)).status_code == 200  # nothing of that used it up

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"scope": ALL}, "invalid_scope"),
            ({"scope": "payments:write"}, "invalid_scope"),
            ({"details": [{**NOTE, "max_calls": 3}]}, "invalid_authorization_details"),
            ({"details": [{**NOTE, "max_calls": 2, "x": 1}]}, "invalid_authorization_details"),
            ({"requested_token_type": JWT}, "invalid_request"),
            ({"subject_token_type": ACCESS_TOKEN}, "invalid_grant"),
        ],
        ids=lambda value: str(value)[:60],
    )
    async def test_of_no_more_than_was_handed_on(
        self, parent: Client, errand: Client, changed: dict[str, Any], code: str
    ) -> None:
        received = await handoff(parent, errand, [{**NOTE, "max_calls": 2}], scope="account:read")
        assert error(await errand.take_over(received, **changed)) == code

    async def test_of_less_if_the_child_wants_less(self, ada: Page, parent: Client, errand: Client) -> None:
        received = await handoff(parent, errand)
        await errand.take_over(received, [{**NOTE, "max_calls": 1}], scope="payments:write")
        assert (await errand.call(ada, "note", {"amount": 1})).status_code == 200
        assert error(await errand.call(ada, "note", {"amount": 2})) == "constraint_exhausted"
        assert error(await errand.call(ada, "get_balance")) == "insufficient_scope"

    async def test_never_longer_than_the_parent(self, local: Bank, parent: Client, errand: Client) -> None:
        local.clock.forward(3400)  # of 3600
        await parent.refresh()
        await parent.deputizes(errand)
        assert errand.tokens["expires_in"] == 200
        local.clock.forward(200)
        assert error(await errand.refresh()) == "invalid_grant"

    async def test_of_a_grant_that_ended_meanwhile(self, local: Bank, parent: Client, errand: Client) -> None:
        received = await handoff(parent, errand)
        await local.revoke(parent.tokens["grant_id"])
        assert error(await errand.take_over(received)) == "invalid_grant"

    async def test_a_handoff_opens_nothing_else(self, ada: Page, parent: Client, errand: Client) -> None:
        errand.tokens = {"access_token": await handoff(parent, errand)}
        assert error(await errand.call(ada, "get_balance")) == "invalid_token"
        assert error(await errand.hand_on(errand)) == "invalid_grant"


class TestLineage:
    """A grant lives as long as every grant above it (CHAIN-3, CHAIN-4)."""

    async def test_revoking_a_link_kills_what_hangs_below_at_once(
        self, local: Bank, ada: Page, parent: Client, errand: Client
    ) -> None:
        third = await (await parent.deputizes(errand)).deputizes(local.agent(THIRD))
        running = (await third.call(ada, "note", {"amount": 1})).json()
        asked = (await third.call(ada, "transfer_money", {"amount": 1, "name": "Ada"})).json()
        await local.revoke(parent.tokens["grant_id"])
        assert error(await third.call(ada, "get_balance")) == "grant_revoked"
        assert error(await errand.call(ada, "get_balance")) == "grant_revoked"
        assert error(await third.refresh()) == "invalid_grant"
        body = {"call_token": running["call_token"]}
        redeemed = await ada.send("POST", f"/calls/{running['call_id']}/redemption", body)
        assert error(redeemed) == "grant_revoked"  # GUARD-4
        assert error(await ada.confirm(f"/calls/{asked['call_id']}")) == "grant_revoked"  # APPR-5

    async def test_a_link_in_the_middle_leaves_what_is_above(
        self, local: Bank, ada: Page, parent: Client, errand: Client
    ) -> None:
        third = await (await parent.deputizes(errand)).deputizes(local.agent(THIRD))
        await local.revoke(errand.tokens["grant_id"])
        assert error(await third.call(ada, "get_balance")) == "grant_revoked"
        assert (await parent.call(ada, "get_balance")).status_code == 200

    async def test_revoking_an_agent_kills_what_it_handed_on(
        self, local: Bank, ada: Page, parent: Client, errand: Client
    ) -> None:
        await parent.deputizes(errand)
        await local.deputize.store.transact(lambda tx: grants.revoke_agent(tx, HELPER, parent.now))
        assert error(await errand.call(ada, "get_balance")) == "grant_revoked"

    async def test_a_new_consent_for_the_parent_ends_what_hung_on_the_old_one(
        self, ada: Page, parent: Client, errand: Client
    ) -> None:  # GRANT-3
        await parent.deputizes(errand)
        await parent.deputized(ada, "account:read")
        assert error(await errand.call(ada, "get_balance")) == "invalid_token"

    async def test_three_agents_and_no_fourth(
        self, local: Bank, ada: Page, parent: Client, errand: Client
    ) -> None:
        third = await (await parent.deputizes(errand)).deputizes(local.agent(THIRD))
        claims: Any = jwt.parse(third.tokens["access_token"]).claims
        assert claims["act"]["act"]["act"] == {"sub": HELPER, "assurance": "registered"}
        assert (await third.call(ada, "get_balance")).status_code == 200
        assert error(await third.hand_on(local.agent(FOURTH))) == "invalid_grant"

    async def test_what_is_used_below_is_used_above(self, ada: Page, parent: Client, errand: Client) -> None:
        await parent.deputizes(errand, None, [{**NOTE, "max_calls": 4}])  # CONS-3
        for amount in (1, 2, 3):
            assert (await errand.call(ada, "note", {"amount": amount})).status_code == 200
        for amount in (4, 5):
            assert (await parent.call(ada, "note", {"amount": amount})).status_code == 200
        assert error(await parent.call(ada, "note", {"amount": 6})) == "constraint_exhausted"
        assert error(await errand.call(ada, "note", {"amount": 7})) == "constraint_exhausted"

    async def test_siblings_share_what_the_parent_has(
        self, local: Bank, ada: Page, parent: Client, errand: Client
    ) -> None:  # CONS-3
        third = await parent.deputizes(local.agent(THIRD))
        await parent.deputizes(errand)
        assert (await errand.call(ada, "note", {"amount": 60})).status_code == 200
        assert error(await third.call(ada, "note", {"amount": 41})) == "constraint_exhausted"
        assert (await third.call(ada, "note", {"amount": 40})).status_code == 200


class TestBounds:
    """No loops, and no more children than the policy says (CHAIN-5)."""

    async def test_no_agent_hands_on_to_itself_or_upwards(
        self, parent: Client, errand: Client, local: Bank
    ) -> None:
        assert error(await parent.hand_on(parent)) == "invalid_request"
        elsewhere = new_key()  # by another key it is the same agent
        again = Client(local, HELPER, elsewhere)
        assert error(await parent.hand_on(again)) == "invalid_request"
        await parent.deputizes(errand)
        assert error(await errand.hand_on(parent)) == "invalid_request"
        assert error(await errand.hand_on(errand)) == "invalid_request"
        third = local.agent(THIRD)
        assert (await errand.hand_on(third)).status_code == 200

    async def test_a_grant_has_so_many_children(self, parent: Client, errand: Client, local: Bank) -> None:
        most = local.deputize.policy.children
        first = await handoff(parent, errand)
        kept = await handoff(parent, errand)
        for _ in range(most):
            assert (await errand.take_over(first)).status_code == 200
            first = kept if _ == most - 1 else await handoff(parent, errand)
        assert error(await parent.hand_on(errand)) == "invalid_request"
        assert (
            error(await errand.take_over(first)) == "invalid_request"
        )  # it was handed on before there were so many
        assert (
            local.deputize.store.look(
                lambda tx: tx.children(GrantId(parent.tokens["grant_id"]), int(local.clock()))
            )
            == most
        )
        await local.revoke(errand.tokens["grant_id"])
        assert (await parent.hand_on(errand)).status_code == 200
        assert (
            await errand.take_over(first)
        ).status_code == 200  # what was refused for want of room is not used up
        assert error(await errand.take_over(first)) in ("invalid_grant", "invalid_request")
        await local.revoke(errand.tokens["grant_id"])
        assert error(await errand.take_over(first)) == "invalid_grant"  # but once it is

    async def test_the_account_page_shows_what_lives(
        self, ada: Page, parent: Client, errand: Client, local: Bank
    ) -> None:
        """A child whose parent was revoked grants nothing, and is not listed as if it did (CHAIN-3)."""
        await parent.deputizes(errand)
        third = local.agent(THIRD)
        await errand.deputizes(third)
        account = f"{local.issuer}/account"
        assert (await ada.http.get(account)).text.count('data-revoke="grt_') == 3
        await local.revoke(parent.tokens["grant_id"])
        page = (await ada.http.get(account)).text
        assert 'data-revoke="grt_' not in page
        assert page.count("ended with the one that it was a part of") == 2
        assert page.count("taken back") == 1
