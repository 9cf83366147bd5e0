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
    HELPER,
    JWT,
    THIRD,
    Client,
    error,
)

from deputize.crypto import jwt
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


REFUSED_TO_PARENT: list[tuple[dict[str, Any], str]] = [
    ({"scope": "account:admin"}, "invalid_scope"),
    ({"scope": ""}, "invalid_scope"),
    ({"scope": "a  b"}, "invalid_scope"),
    ({"details": [{**NOTE, "max_calls": 6}]}, "invalid_authorization_details"),
    ({"details": [{**NOTE, "max_calls": 2, "extra": 1}]}, "invalid_authorization_details"),
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
]
REFUSED_TO_CHILD: list[tuple[dict[str, Any], str]] = [
    ({"scope": ALL}, "invalid_scope"),
    ({"details": [{**NOTE, "max_calls": 2, "x": 1}]}, "invalid_authorization_details"),
    ({"requested_token_type": JWT}, "invalid_request"),
    ({"subject_token_type": ACCESS_TOKEN}, "invalid_grant"),
    ({"actor_token": "x"}, "invalid_request"),
]


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

    async def test_is_refused_by_the_parameter_that_is_wrong(self, parent: Client, errand: Client) -> None:
        for changed, code in REFUSED_TO_PARENT:
            refused = await parent.hand_on(errand, **changed)
            assert (refused.status_code, error(refused)) == (400, code), changed

    async def test_of_a_delegation_that_has_run_out_is_refused(
        self, local: Bank, parent: Client, errand: Client
    ) -> None:
        local.clock.forward(300)
        assert error(await parent.hand_on(errand)) == "invalid_grant"
        await parent.refresh()
        assert error(await parent.hand_on(errand)) is None


class TestTakingOver:
    """The child's half (CHAIN-2)."""

    async def test_brings_a_delegation_that_names_the_whole_line(
        self, ada: Page, parent: Client, errand: Client
    ) -> None:
        await parent.deputizes(errand, "account:read", [{**NOTE, "max_calls": 2}])
        assert errand.tokens["grant_id"] != parent.tokens["grant_id"]
        assert errand.tokens["scope"] == "account:read"
        assert errand.tokens["issued_token_type"] == ACCESS_TOKEN
        inner = {"sub": HELPER, "assurance": "registered"}
        for _ in range(2):  # as it is taken over, and as it is renewed
            claims = jwt.parse(errand.tokens["access_token"]).claims
            assert claims["act"] == {"sub": ERRAND, "assurance": "registered", "act": inner}
            assert claims["sub"] == parent.tokens["sub"]
            assert (await errand.call(ada, "get_balance")).status_code == 200
            assert (await errand.refresh()).status_code == 200

    async def test_is_done_once_by_eight_who_come_at_once(self, parent: Client, errand: Client) -> None:
        received = await handoff(parent, errand)
        answers = await asyncio.gather(*(errand.take_over(received) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7

    @pytest.mark.parametrize(("waited", "status"), [(59, 200), (60, 400)])
    async def test_is_done_within_60_seconds(
        self, local: Bank, parent: Client, errand: Client, waited: int, status: int
    ) -> None:
        received = await handoff(parent, errand)
        local.clock.forward(waited)
        assert (await errand.take_over(received)).status_code == status

    async def test_is_refused_by_the_parameter_that_is_wrong(self, parent: Client, errand: Client) -> None:
        received = await handoff(parent, errand, [{**NOTE, "max_calls": 2}], scope="account:read")
        for changed, code in REFUSED_TO_CHILD:
            refused = await errand.take_over(received, **changed)
            assert (refused.status_code, error(refused)) == (400, code), changed
        form = {"grant_type": EXCHANGE, "subject_token": received, "subject_token_type": JWT}
        assert error(await errand.post("/token", form, assertion=None)) == "invalid_client"

    async def test_is_all_that_a_handoff_is_good_for(self, ada: Page, parent: Client, errand: Client) -> None:
        errand.tokens = {"access_token": await handoff(parent, errand)}
        assert error(await errand.call(ada, "get_balance")) == "invalid_token"
        assert error(await errand.hand_on(errand)) == "invalid_grant"


async def test_the_account_page_shows_what_lives(
    ada: Page, parent: Client, errand: Client, local: Bank
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
