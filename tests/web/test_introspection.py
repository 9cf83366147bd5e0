"""What a token is worth, told to those whom it concerns, and its end (OAUTH-8, OAUTH-9)."""

from typing import Any

import pytest
from tests.bank import Bank
from tests.web.agents import ERRAND, LOCAL, Client, error, new_key

from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

NOTHING: dict[str, Any] = {"active": False}


@pytest.fixture
def api(local: Bank) -> Client:
    """Give the bank's own API, which the policy knows by a key."""
    return Client(local, LOCAL, local.keys["api"])


class TestIntrospection:
    async def test_of_a_delegation_by_its_agent(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada)
        said = (await helper.introspect(helper.tokens["access_token"])).json()
        assert (said["active"], said["token_type"], said["client_id"]) == (True, "DPoP", helper.client_id)
        assert said["cnf"] == {"jkt": helper.key.thumbprint}

    async def test_of_a_call_token_by_the_api(self, ada: Page, helper: Client, api: Client) -> None:
        await helper.deputized(ada)
        call_token = (await helper.call(ada, "get_balance")).json()["call_token"]
        said = (await api.introspect(call_token)).json()
        assert (said["active"], said["aud"], said["tctx"]["tool"]) == (True, LOCAL, "get_balance")

    async def test_of_anybody_elses_says_nothing(
        self, ada: Page, helper: Client, errand: Client, api: Client
    ) -> None:
        await helper.deputized(ada)
        delegation, refresh = helper.tokens["access_token"], helper.tokens["refresh_token"]
        call_token = (await helper.call(ada, "get_balance")).json()["call_token"]
        for who, token in [
            (errand, delegation),  # another agent's
            (api, delegation),  # for another audience than the API
            (errand, call_token),
            (helper, call_token),  # its call, but not its token
            (helper, refresh),
            (errand, refresh),
            (api, refresh),
            (helper, "x"),
            (api, "x"),
        ]:
            answer = await who.introspect(token)
            assert (answer.status_code, answer.json()) == (200, NOTHING)

    async def test_of_what_is_over(self, local: Bank, ada: Page, helper: Client, api: Client) -> None:
        await helper.deputized(ada)
        token = helper.tokens["access_token"]
        call_token = (await helper.call(ada, "get_balance")).json()["call_token"]
        await local.revoke(helper.tokens["grant_id"])
        assert (await helper.introspect(token)).json() == NOTHING
        assert (await api.introspect(call_token)).json() == NOTHING  # GUARD-4 would refuse it, too

    async def test_of_what_has_run_out(self, local: Bank, ada: Page, helper: Client, api: Client) -> None:
        await helper.deputized(ada)
        token = helper.tokens["access_token"]
        call_token = (await helper.call(ada, "get_balance")).json()["call_token"]
        local.clock.forward(30)
        assert (await api.introspect(call_token)).json() == NOTHING
        assert (await helper.introspect(token)).json()["active"] is True
        local.clock.forward(270)
        assert (await helper.introspect(token)).json() == NOTHING

    async def test_of_a_call_that_is_redeemed(self, ada: Page, helper: Client, api: Client) -> None:
        await helper.deputized(ada)
        called = (await helper.call(ada, "note")).json()
        assert (await api.introspect(called["call_token"])).json()["active"] is True
        body = {"call_token": called["call_token"]}
        await ada.send("POST", f"/calls/{called['call_id']}/redemption", body)
        assert (await api.introspect(called["call_token"])).json() == NOTHING

    async def test_of_a_child_whose_parent_is_revoked(
        self, local: Bank, ada: Page, helper: Client, errand: Client
    ) -> None:  # CHAIN-3
        await (await helper.deputized(ada)).deputizes(errand)
        assert (await errand.introspect(errand.tokens["access_token"])).json()["active"] is True
        await local.revoke(helper.tokens["grant_id"])
        assert (await errand.introspect(errand.tokens["access_token"])).json() == NOTHING

    async def test_needs_a_key_that_the_policy_knows(self, local: Bank, api: Client) -> None:
        assert error(await api.introspect("x", assertion=None)) == "invalid_client"
        assertion = api.assertion()
        assert (await api.introspect("x", assertion=assertion)).json() == NOTHING
        assert error(await api.introspect("x", assertion=assertion)) == "invalid_client"  # once
        api.private = new_key()
        assert error(await api.introspect("x")) == "invalid_client"

    async def test_a_browsers_agent_has_no_business_here(self, local: Bank, ada: Page) -> None:
        await ada.deputize("account:read")
        agent = Client(local, str(ada.tokens["client_id"]), ada.key)
        assert error(await agent.introspect(str(ada.tokens["access_token"]))) == "invalid_client"

    async def test_the_token_is_needed(self, helper: Client) -> None:
        for path in ("/introspect", "/revoke"):
            assert error(await helper.post(path, {}, proof=None)) == "invalid_request"


class TestRevocation:
    @pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
    async def test_ends_the_grant(self, local: Bank, ada: Page, helper: Client, kind: str) -> None:
        await helper.deputized(ada)
        answer = await helper.revoke(helper.tokens[kind])
        assert (answer.status_code, answer.content) == (200, b"")
        assert error(await helper.call(ada, "get_balance")) == "grant_revoked"
        assert error(await helper.refresh()) == "invalid_grant"
        told = next(entry for entry in local.entries() if entry["kind"] == "grant.revoked")
        assert told["by"] == "agent"

    async def test_ends_all_below(self, ada: Page, helper: Client, errand: Client) -> None:  # CHAIN-3
        await (await helper.deputized(ada)).deputizes(errand)
        await helper.revoke(helper.tokens["refresh_token"])
        assert error(await errand.call(ada, "get_balance")) == "grant_revoked"
        assert error(await errand.refresh()) == "invalid_grant"

    async def test_of_a_child_leaves_the_parent(self, ada: Page, helper: Client, errand: Client) -> None:
        await (await helper.deputized(ada)).deputizes(errand)
        await errand.revoke(errand.tokens["refresh_token"])
        assert error(await errand.call(ada, "get_balance")) == "grant_revoked"
        assert (await helper.call(ada, "get_balance")).status_code == 200

    async def test_of_anybody_elses_does_nothing_and_does_not_say_so(
        self, ada: Page, helper: Client, errand: Client
    ) -> None:
        await helper.deputized(ada)
        for token in (helper.tokens["access_token"], helper.tokens["refresh_token"], "x"):
            assert (await errand.revoke(token)).status_code == 200
        assert (await helper.call(ada, "get_balance")).status_code == 200
        assert errand.client_id == ERRAND

    async def test_an_assertion_is_good_once_there_as_well(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada)
        assertion = helper.assertion()
        assert (await helper.revoke("x", assertion=assertion)).status_code == 200
        refused = await helper.revoke(helper.tokens["access_token"], assertion=assertion)
        assert error(refused) == "invalid_client"
        assert (await helper.call(ada, "get_balance")).status_code == 200
