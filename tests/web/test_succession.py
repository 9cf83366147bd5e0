"""A newer grant takes the place of an older one: what becomes of its tokens, and of calls that are open (GRANT-3)."""

from typing import Any

import pytest
from tests.bank import Bank
from tests.web.agents import Client, error

from deputize.crypto import jwt
from deputize.protocol.agent import Agent, Assurance
from deputize.protocol.ids import ClientId
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

TRANSFER = {"amount": 250, "name": "Ada"}
ONCE = {"type": "webmcp_tool", "tool": "pay_bill", "max_calls": 1}


def codes(answers: list[Any]) -> list[str | None]:
    return [error(answer) for answer in answers]


class TestPending:
    async def test_is_answered_under_the_newer_grant(self, bank: Bank, grace: Page) -> None:
        """A dialog that was open when the user allowed more stays good."""
        asked = (await grace.call("transfer_money", TRANSFER)).json()
        older = grace.tokens["grant_id"]
        await grace.deputize("account:admin")
        assert [entry["kind"] for entry in bank.entries()[-3:]] == [
            "grant.superseded",
            "grant.active",
            "call.pending",
        ]
        assert bank.last()["grant_id"] == grace.tokens["grant_id"] != older
        approved = await grace.confirm(f"/calls/{asked['call_id']}")
        assert approved.status_code == 200
        claims: Any = jwt.parse(approved.json()["call_token"]).claims
        assert claims["rctx"]["grant_id"] == grace.tokens["grant_id"]

    async def test_is_met_by_the_same_call_under_the_newer_grant(self, grace: Page) -> None:  # CALL-6
        first = (await grace.call("transfer_money", TRANSFER)).json()
        await grace.deputize("account:admin")
        assert (await grace.call("transfer_money", TRANSFER)).json()["call_id"] == first["call_id"]

    async def test_a_challenge_that_was_minted_before_can_be_answered_after(self, grace: Page) -> None:
        asked = (await grace.call("transfer_money", TRANSFER)).json()
        path = f"/calls/{asked['call_id']}"
        minted = (await grace.send("POST", f"{path}/challenge")).json()
        await grace.deputize("account:admin")
        answer = await grace.send("POST", f"{path}/approval", grace.evidence(minted))
        assert answer.status_code == 200

    async def test_one_that_was_taken_back_is_not_revived_by_a_new_consent(
        self, bank: Bank, grace: Page
    ) -> None:  # APPR-5
        asked = (await grace.call("transfer_money", TRANSFER)).json()
        await bank.revoke(grace.tokens["grant_id"])
        await grace.deputize("payments:write")
        again = (await grace.call("transfer_money", TRANSFER)).json()
        assert again["call_id"] != asked["call_id"]
        assert (
            error(await grace.confirm(f"/calls/{asked['call_id']}")) == "cancelled"
        )  # the old question is void
        assert (await grace.confirm(f"/calls/{again['call_id']}")).status_code == 200


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

    async def test_of_what_it_handed_on_are_invalid_too(
        self, ada: Page, helper: Client, errand: Client
    ) -> None:  # CHAIN-3
        await helper.deputized(ada)
        await helper.deputizes(errand)
        await helper.deputized(ada)
        assert error(await errand.call(ada, "get_balance")) == "invalid_token"
        assert error(await errand.refresh()) == "invalid_grant"

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
        await local.deputize.store.transact(lambda tx: tx.put_agent(renamed))
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
