"""What HTTP adds to how often people are asked: who ends it, and how it is told (PROMPT-1 to PROMPT-5)."""

import asyncio
from typing import Any

import httpx2
import pytest
from tests.bank import Bank
from tests.web.agents import HELPER, Client

from deputize.protocol.canonical import Json
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

NO: dict[str, Json] = {"reason": "declined"}


async def asked(page: Page, amount: int) -> httpx2.Response:
    return await page.call("transfer_money", {"amount": amount, "name": "Ada"})


async def annoyed(page: Page) -> None:
    """Let the user decline three questions."""
    for amount in (1, 2, 3):
        call = (await asked(page, amount)).json()["call_id"]
        assert (await page.send("POST", f"/calls/{call}/denial", NO)).json()["state"] == "declined"


async def account(page: Page) -> str:
    return (await page.http.get(f"{page.issuer}/account")).text


async def test_who_asked_too_often_hears_it_and_its_user_ends_it(bank: Bank, grace: Page) -> None:
    await annoyed(grace)
    refused = await asked(grace, 4)
    assert (refused.status_code, refused.json()["code"]) == (403, "asked_too_often")
    assert not {"until", "retry_after", "asker"} & {*refused.json()}
    consent = await grace.send("POST", "/grants", {"scope": "account:admin"})
    assert (consent.status_code, consent.json()["code"]) == (403, "asked_too_often")
    assert (await grace.call("get_balance")).status_code == 200
    told = await account(grace)
    assert "The agents in your browsers, and the site’s own page" in told
    assert 'data-asker="browsers"' in told
    ends: dict[str, Json] = {"asker": "browsers"}
    eve = bank.page()
    await eve.sign_up("Eve")
    assert (await eve.send("POST", "/account/questions", ends, page=False)).json()["code"] == "not_found"
    forged = await grace.send("POST", "/account/questions", ends, {"deputize-csrf": "x"}, page=False)
    assert forged.json()["code"] == "cross_site_request"
    assert (await grace.send("POST", "/account/questions", ends, page=False)).status_code == 204
    assert "data-asker" not in await account(grace)
    assert (await asked(grace, 4)).json()["state"] == "pending"


@pytest.mark.parametrize("asker", [None, 1, ["browsers"]])
async def test_nothing_else_is_an_asker(grace: Page, asker: Any) -> None:
    answer = await grace.send("POST", "/account/questions", {"asker": asker}, page=False)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_an_agent_that_asked_too_often_is_told_of_on_its_own_page(ada: Page, helper: Client) -> None:
    """OAUTH-4: its user opens it, and reads why; nothing goes back to the agent."""
    for _ in range(3):
        await ada.authorize(await helper.page_url(), approve=False)
    page = await ada.http.get(await helper.page_url())
    assert (page.status_code, "This agent asked too often" in page.text) == (403, True)
    assert f'data-asker="{HELPER.removesuffix("/agent.json")}"' in await account(ada)
    assert (await ada.deputize("account:read")).status_code == 200  # it is another one


async def test_of_ten_declines_at_once_three_are_answered_and_the_rest_is_ended(
    bank: Bank, grace: Page
) -> None:
    """PROMPT-3: counted in the transaction that decides."""
    calls = [(await asked(grace, amount)).json()["call_id"] for amount in range(1, 11)]
    answers = await asyncio.gather(*(grace.send("POST", f"/calls/{each}/denial", NO) for each in calls))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [409] * 7
    kinds = [entry["kind"] for entry in bank.entries()]
    assert (kinds.count("call.declined"), kinds.count("prompts.quieted"), kinds.count("call.denied")) == (
        3,
        1,
        7,
    )


async def test_of_ten_clicks_at_once_one_is_answered(bank: Bank, grace: Page) -> None:
    """PROMPT-2: in as many tabs."""
    calls = [(await asked(grace, amount)).json()["call_id"] for amount in range(1, 11)]
    answers = await asyncio.gather(*(grace.send("POST", f"/calls/{each}/challenge") for each in calls))
    said = sorted(str(answer.json().get("code", "shown")) for answer in answers)
    assert said == ["question_open"] * 9 + ["shown"]


async def test_declining_and_blocking_is_one_request(bank: Bank, grace: Page) -> None:
    """BLOCK-1."""
    call = (await asked(grace, 1)).json()["call_id"]
    answer = await grace.send("POST", f"/calls/{call}/denial", {**NO, "block": True})
    assert answer.json()["state"] == "declined"
    assert "Blocked" in await account(grace)
    assert (await grace.send("POST", "/agents")).json()["code"] == "agent_blocked"
    bad: tuple[Json, ...] = ({"reason": "no"}, {"block": 1}, {"reason": "declined", "blocks": True})
    for body in bad:
        refused = await grace.send("POST", "/grants/grt_x/denial", body)
        assert refused.json()["code"] == "invalid_request"


async def test_a_consent_is_declined_and_its_agent_blocked(bank: Bank, grace: Page) -> None:
    asks = (await grace.send("POST", "/grants", {"scope": "account:admin"})).json()["grant_id"]
    answer = await grace.send("POST", f"/grants/{asks}/denial", {"block": True})
    assert answer.json() == {"grant_id": asks, "state": "declined"}
    assert [entry["kind"] for entry in bank.entries()[-3:]] == [
        "grant.declined",
        "agent.blocked",
        "grant.revoked",
    ]


async def test_all_agents_are_paused_and_go_on(bank: Bank, ada: Page, helper: Client, local: Bank) -> None:
    """PROMPT-5."""
    await helper.deputized(ada)
    await ada.deputize("account:read")
    assert 'id="pause"' in await account(ada)
    forged = await ada.send("POST", "/account/pause", headers={"deputize-csrf": "x"}, page=False)
    assert forged.json()["code"] == "cross_site_request"
    assert (await ada.send("POST", "/account/pause", page=False)).status_code == 204
    assert 'id="resume"' in await account(ada)
    for answer in (await ada.call("get_balance"), await helper.call(ada, "get_balance")):
        assert (answer.status_code, answer.json()["code"]) == (403, "paused")
    assert local.last().items() >= {"kind": "call.denied", "code": "paused"}.items()
    page = await ada.http.get(await helper.page_url())
    assert (page.status_code, "Your agents are paused" in page.text) == (403, True)
    assert (await ada.send("DELETE", "/account/pause", page=False)).status_code == 204
    for answer in (await ada.call("get_balance"), await helper.call(ada, "get_balance")):
        assert answer.status_code == 200
