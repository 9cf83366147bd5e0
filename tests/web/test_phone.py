"""What HTTP adds to a question on the user's other device (PHONE-1 to PHONE-3)."""

import asyncio
import re
from typing import Any

import httpx2
import pytest
from tests.bank import Bank
from tests.web.agents import Client

from deputize.protocol.canonical import Json
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

TRANSFER: dict[str, Json] = {"amount": 250, "name": "Ada"}


async def pending(page: Page) -> str:
    return str((await page.call("transfer_money", TRANSFER)).json()["call_id"])


async def put(page: Page, call_id: str) -> dict[str, Any]:
    answer = await page.send("POST", f"/calls/{call_id}/phone")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def another(bank: Bank, page: Page) -> Page:
    """Sign the same user in on another device."""
    device = bank.page()
    device.authenticator = page.authenticator
    assert (await device.sign_in()).status_code == 200
    return device


async def typed(phone: Page, call_id: str, digits: Json, **more: Json) -> httpx2.Response:
    return await phone.send("POST", f"/ask/{call_id}/challenge", {"digits": digits, **more}, page=False)


def other_than(digits: str) -> str:
    return f"{(int(digits) + 1) % 100:02}"


async def test_a_call_is_answered_on_the_phone_by_its_digits(bank: Bank, grace: Page) -> None:
    call_id = await pending(grace)
    told = await put(grace, call_id)
    assert told["uri"] == f"{bank.issuer}/ask/{call_id}"
    assert re.fullmatch("[0-9]{2}", told["digits"])
    assert len(told["code"]["modules"]) == told["code"]["size"] ** 2
    phone = await another(bank, grace)
    seen = (await phone.http.get(told["uri"])).text
    assert 'id="digits"' in seen
    minted = await typed(phone, call_id, told["digits"])
    evidence = {**phone.evidence(minted.json()), "digits": told["digits"]}
    answer = await phone.send("POST", f"/ask/{call_id}/approval", evidence, page=False)
    assert answer.json() == {"state": "approved"}


async def test_without_script_the_phone_says_what_is_missing(bank: Bank, grace: Page) -> None:
    call_id = await pending(grace)
    told = await put(grace, call_id)
    for phone in (bank.page(), await another(bank, grace)):  # before it signs in, and after
        seen = (await phone.http.get(told["uri"], follow_redirects=True)).text
        (missing,) = re.findall("<noscript>(.*?)</noscript>", seen)
        assert "JavaScript" in missing


async def test_one_wrong_try_of_a_hundred_at_once_ends_it(bank: Bank, grace: Page) -> None:
    """PHONE-3: in the transaction of the try, so that no two of them are tries."""
    call_id = await pending(grace)
    right = (await put(grace, call_id))["digits"]
    phone = await another(bank, grace)
    tries = [f"{number:02}" for number in range(100) if f"{number:02}" != right]
    said = await asyncio.gather(*(typed(phone, call_id, each) for each in [*tries, right]))
    codes = [answer.json().get("code") for answer in said]
    assert (codes.count("wrong_digits"), codes.count("call_state")) == (1, 99)
    assert sum(entry.get("code") == "wrong_digits" for entry in bank.entries()) == 1
    shown = (await grace.send("GET", f"/calls/{call_id}")).json()
    assert (shown["state"], shown["code"]) == ("denied", "wrong_digits")
    page = (await phone.http.get(f"{bank.issuer}/ask/{call_id}")).text
    assert "Those were not the digits in the window that asks" in page
    assert 'id="approve"' not in page


async def test_a_consent_that_ended_so_says_why(bank: Bank, grace: Page) -> None:
    grant_id = (await grace.send("POST", "/grants", {"scope": "account:admin"})).json()["grant_id"]
    told = (await grace.send("POST", f"/grants/{grant_id}/phone")).json()
    phone = await another(bank, grace)
    assert (await typed(phone, grant_id, other_than(told["digits"]))).json()["code"] == "wrong_digits"
    shown = (await grace.send("GET", f"/grants/{grant_id}", page=False)).json()
    assert (shown["state"], shown["code"]) == ("declined", "wrong_digits")
    waited = (await grace.send("GET", f"/grants/{grant_id}/wait")).json()
    assert (waited["state"], waited["code"]) == ("declined", "wrong_digits")


@pytest.mark.parametrize("digits", ["", "1", "123", "1 2", "ab", 12, None, ["1", "2"], "\u56db\u4e8c"])
async def test_what_is_not_two_digits_is_no_try(bank: Bank, grace: Page, digits: Json) -> None:
    call_id = await pending(grace)
    right = (await put(grace, call_id))["digits"]
    phone = await another(bank, grace)
    minted = (await typed(phone, call_id, right)).json()
    evidence = phone.evidence(minted)
    for path, body in (("challenge", {}), ("approval", evidence)):
        answer = await phone.send("POST", f"/ask/{call_id}/{path}", {**body, "digits": digits}, page=False)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    answer = await phone.send("POST", f"/ask/{call_id}/approval", {**evidence, "digits": right}, page=False)
    assert answer.json() == {"state": "approved"}


async def test_digits_of_any_script_are_two_digits(bank: Bank, grace: Page) -> None:
    call_id = await pending(grace)
    right = (await put(grace, call_id))["digits"]
    arabic = "".join(chr(0x660 + int(each)) for each in right)
    assert (await typed(await another(bank, grace), call_id, arabic)).status_code == 200


async def test_the_digits_are_told_to_the_page_that_asks_and_to_nobody_else(
    bank: Bank, grace: Page, capfd: pytest.CaptureFixture[str]
) -> None:
    """PHONE-2: told in one answer, which nobody keeps; not in the log, the record, or what else is answered."""
    call_id = await pending(grace)
    told = await grace.send("POST", f"/calls/{call_id}/phone")
    assert told.headers["cache-control"] == "no-store"
    digits = told.json()["digits"]
    phone = await another(bank, grace)
    said = [
        await grace.send("GET", f"/calls/{call_id}"),
        await phone.http.get(f"{bank.issuer}/ask/{call_id}"),
        await phone.http.get(f"{bank.issuer}/account"),
        await phone.http.get(f"{bank.issuer}/account/history"),
        await typed(phone, call_id, other_than(digits)),
        await grace.call("transfer_money", TRANSFER),
    ]
    for answer in said:
        assert f'"{digits}"' not in answer.text
        assert f">{digits}<" not in answer.text
    assert f'"{digits}"' not in capfd.readouterr().err
    assert not [entry for entry in bank.entries() if digits in entry.values()]


async def test_nobody_but_the_page_that_asks_puts_it_on_a_phone(bank: Bank, grace: Page) -> None:
    """Nor has another user's phone anything of it (APPR-12)."""
    call_id = await pending(grace)
    path = f"/calls/{call_id}/phone"
    phone = await another(bank, grace)
    assert (await phone.send("POST", path)).json()["code"] == "call_unknown"  # another key
    assert (await phone.send("POST", path, page=False)).json()["code"] == "invalid_dpop_proof"
    foreign = await grace.send("POST", path, headers={"origin": "https://evil.example"})
    assert foreign.json()["code"] == "cross_site_request"
    right = (await put(grace, call_id))["digits"]
    eve = bank.page()
    await eve.sign_up("Eve")
    for digits in (right, other_than(right)):
        assert (await typed(eve, call_id, digits)).json()["code"] == "call_unknown"
    assert (await typed(phone, call_id, right)).status_code == 200


async def test_what_is_asked_on_authorize_is_put_on_no_phone(ada: Page, helper: Client) -> None:
    """A victim's phone would grant to an attacker's waiting page."""
    page = await ada.http.get(await helper.page_url())
    found = re.search(r'data-request="([^"]+)"', page.text)
    assert found
    assert (await ada.send("POST", f"/authorize/{found[1]}/phone", page=False)).status_code == 404
    grant = re.search(r'data-grant="([^"]+)"', page.text)
    assert grant
    assert (await ada.send("POST", f"/grants/{grant[1]}/phone")).json()["code"] == "grant_unknown"
