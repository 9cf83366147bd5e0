"""A newer grant takes the place of an older one: what becomes of its tokens, and of calls that are open (GRANT-3)."""

from typing import Any

import pytest
from tests.bank import Bank
from tests.web.agents import Client, error

from deputize.protocol.agent import Agent, Assurance
from deputize.protocol.ids import ClientId
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

TRANSFER = {"amount": 250, "name": "Ada"}
ONCE = {"type": "webmcp_tool", "tool": "pay_bill", "max_calls": 1}


def codes(answers: list[Any]) -> list[str | None]:
    return [error(answer) for answer in answers]


class TestApproved:
    async def test_runs_under_the_newer_grant(self, bank: Bank, grace: Page) -> None:
        allowed = (await grace.call("note")).json()
        await grace.deputize("account:admin")
        path = f"/calls/{allowed['call_id']}/redemption"
        redeemed = await grace.send("POST", path, {"call_token": allowed["call_token"]})
        assert redeemed.json()["state"] == "redeemed"

    async def test_what_ran_is_not_run_again_because_the_user_allowed_more(
        self, grace: Page
    ) -> None:  # CALL-6
        allowed = (await grace.call("note", {"text": "x"})).json()
        path = f"/calls/{allowed['call_id']}"
        await grace.send("POST", f"{path}/redemption", {"call_token": allowed["call_token"]})
        await grace.deputize("account:admin")
        assert error(await grace.call("note", {"text": "x"})) == "outcome_unknown"
        await grace.send("POST", f"{path}/outcome", {"outcome": "succeeded"})
        assert error(await grace.call("note", {"text": "x"})) == "already_executed"


class TestTokens:
    async def test_of_the_older_grant_are_invalid(self, grace: Page) -> None:  # RFC 6750 §3.1
        older = dict(grace.tokens)
        await grace.deputize("account:admin")
        newer, grace.tokens = grace.tokens, older
        refused = await grace.call("get_balance")
        assert (refused.status_code, error(refused)) == (401, "invalid_token")
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
        assert error(await grace.refresh()) == "invalid_grant"
        grace.tokens = newer
        assert (await grace.call("get_balance")).status_code == 200

    async def test_the_account_page_tells_replaced_from_taken_back(self, bank: Bank, grace: Page) -> None:
        await grace.deputize("account:admin")
        await bank.revoke(grace.tokens["grant_id"])
        told = (await grace.http.get(f"{grace.issuer}/account")).text
        assert told.count(", replaced by a newer one") == told.count(", taken back<") == 1


class TestName:
    """Under which name an agent asks for an approval (OAUTH-4)."""

    async def test_is_the_one_that_the_user_consented_to(
        self, local: Bank, ada: Page, helper: Client
    ) -> None:
        await helper.deputized(ada)
        renamed = Agent(ClientId(helper.client_id), Assurance.REGISTERED, None, None, 0, "Your Bank")
        await local.deputize.store.transact(lambda tx: tx.put(renamed))
        asked = (await helper.call(ada, "transfer_money", TRANSFER)).json()
        wanted = {"client_id": helper.client_id, "assurance": "registered", "name": "Helper"}
        assert asked["agent"] == wanted
        shown = (await ada.send("GET", f"/calls/{asked['call_id']}")).json()
        assert shown["agent"] == wanted

    async def test_whom_it_was_handed_on_to_has_none_but_who_did_that(
        self, ada: Page, helper: Client, errand: Client
    ) -> None:  # CHAIN-1
        await helper.deputized(ada)
        await helper.deputizes(errand)
        asked = (await errand.call(ada, "transfer_money", TRANSFER)).json()
        assert asked["agent"] == {
            "client_id": errand.client_id,
            "assurance": "registered",
            "handed_on_by": {"client_id": helper.client_id, "assurance": "registered", "name": "Helper"},
        }
