"""A question on the authority's own page: to its own user alone, answered by who is signed in himself (APPR-12)."""

import httpx2
import pytest
from tests.bank import Bank
from tests.web.agents import seen

from deputize.protocol.canonical import Json
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

TRANSFER: dict[str, Json] = {"amount": 250, "name": "Ada"}


async def pending(page: Page, amount: int = 250) -> str:
    return str((await page.call("transfer_money", {**TRANSFER, "amount": amount})).json()["call_id"])


async def opened(page: Page, asked_id: str) -> httpx2.Response:
    return await page.http.get(f"{page.issuer}/ask/{asked_id}")


async def answered(page: Page, asked_id: str) -> httpx2.Response:
    """Answer on the authority's page, by the session alone."""
    return await page.confirm(f"/ask/{asked_id}", page=False)


async def another(bank: Bank, page: Page) -> Page:
    """Sign the same user in on another device, which has no key of any page that asks."""
    device = bank.page()
    device.authenticator = page.authenticator
    assert (await device.sign_in()).status_code == 200
    return device


async def test_a_call_is_answered_on_another_device_and_goes_on_in_its_page(bank: Bank, grace: Page) -> None:
    await grace.deputize("account:read payments:write")
    call_id = await pending(grace)
    device = await another(bank, grace)
    told = seen((await opened(device, call_id)).text)
    assert "EUR to" in told
    assert "Approve with passkey" in told
    approved = await answered(device, call_id)
    assert approved.json() == {"state": "approved"}  # and no call token: that is the page's
    entry = bank.last()
    assert (entry["kind"], entry["surface"]) == ("call.approved", "authority")
    resumed = (await grace.send("POST", f"/calls/{call_id}/resumption")).json()
    assert (resumed["state"], resumed["call_id"]) == ("approved", call_id)
    assert resumed["call_token"]


async def test_a_consent_is_answered_on_another_device_and_goes_on_in_its_page(
    bank: Bank, grace: Page
) -> None:
    await grace.send("POST", "/agents")
    asked = (await grace.send("POST", "/grants", {"scope": "account:read"})).json()
    device = await another(bank, grace)
    told = seen((await opened(device, asked["grant_id"])).text)
    assert "See your accounts" in told
    assert (await answered(device, asked["grant_id"])).json() == {"state": "active"}
    assert bank.last()["surface"] == "authority"
    tokens = (await grace.send("POST", f"/grants/{asked['grant_id']}/resumption")).json()
    grace.tokens = tokens
    assert (await grace.call("get_balance")).json()["state"] == "approved"
