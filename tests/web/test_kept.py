"""A user has what is kept of him, all of it, and nobody else does; and has it forgotten (KEEP-2, KEEP-3)."""

from typing import Any

import orjson
import pytest
from tests.bank import Bank
from tests.service.kit import TRANSFER

from deputize.protocol.canonical import Json
from deputize.protocol.quota import DOWNLOADS
from deputize.protocol.retention import DAY
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio


async def export(page: Page) -> dict[str, Any]:
    answer = await page.http.get(f"{page.issuer}/account/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="deputize-export.json"'
    assert answer.headers["cache-control"] == "no-store"
    told: dict[str, Any] = orjson.loads(answer.content)
    return told


async def test_keep_2_an_export_has_all_that_is_kept_of_its_user_and_nothing_secret(
    bank: Bank, grace: Page
) -> None:
    call_id = (await grace.call("transfer_money", TRANSFER)).json()["call_id"]
    envelope = (await grace.send("POST", f"/calls/{call_id}/challenge")).json()
    assert (
        await grace.send("POST", f"/calls/{call_id}/approval", grace.evidence(envelope))
    ).status_code == 200
    told = await export(grace)
    assert told["user"]["name"] == "Grace Hopper"
    (call,) = told["calls"]
    assert (call["arguments"], call["state"]) == (TRANSFER, "approved")
    assert call["shown"]["question"]["lines"][0] == "Send \u2068250.00\u2069 EUR to \u2068“Ada”\u2069"
    assert call["created_at"] == "2027-01-15T08:00:00Z"
    assert [len(told[name]) for name in ("passkeys", "sessions", "agents", "delegations")] == [1, 1, 1, 1]
    assert told["record"] == [entry for entry in bank.entries() if "sub" in entry or "call_id" in entry]
    assert "digest" not in told["sessions"][0]


async def test_keep_2_nobody_gets_anothers(bank: Bank, grace: Page) -> None:
    await grace.call("transfer_money", TRANSFER)
    ada = bank.page()
    assert (await ada.sign_up("Ada")).status_code == 200
    told = await export(ada)
    assert (told["user"]["name"], told["calls"], len(told["record"])) == ("Ada", [], 1)
    assert grace.tokens["sub"] not in orjson.dumps(told).decode()
    answer = await bank.page().http.get(f"{bank.issuer}/account/export")
    assert answer.json()["code"] == "login_required"


async def test_keep_2_no_script_of_a_page_gets_it(grace: Page) -> None:
    for mode in ("cors", "no-cors", "same-origin"):
        headers = {"sec-fetch-mode": mode, "sec-fetch-site": "same-origin"}
        answer = await grace.http.get(f"{grace.issuer}/account/export", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_keep_2_another_site_brings_nobody_to_download_it(grace: Page) -> None:
    for site, status in (("cross-site", 400), ("same-origin", 200), ("none", 200)):
        headers = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": site}
        answer = await grace.http.get(f"{grace.issuer}/account/export", headers=headers)
        assert (site, answer.status_code) == (site, status)


async def test_keep_2_whoever_downloads_all_the_time_waits(grace: Page) -> None:
    for _ in range(DOWNLOADS.most):
        await export(grace)
    answer = await grace.http.get(f"{grace.issuer}/account/export")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")


async def test_keep_3_a_user_deletes_his_account_with_a_passkey(bank: Bank, grace: Page) -> None:
    await grace.call("get_balance")
    envelope = (await grace.send("POST", "/account/forgetting/challenge")).json()
    assert envelope["displayText"] == "Delete my account, and all that is kept of me. Nobody can undo this."
    evidence = grace.evidence(envelope)
    answer = await grace.send("POST", "/account/forgetting/approval", evidence)
    assert (answer.status_code, answer.json()) == (200, {"state": "forgotten"})
    assert "__Host-deputize" not in grace.http.cookies
    assert bank.last()["kind"] == "user.forgotten"
    await bank.deputize.sweep(int(bank.clock()), None)
    assert bank.deputize.store.look(lambda tx: tx.users()) == []
    again = await grace.send("POST", "/account/forgetting/approval", evidence)
    assert again.json()["code"] == "login_required"


async def test_keep_3_without_a_passkey_nothing_is_deleted(bank: Bank, grace: Page) -> None:
    await grace.send("POST", "/account/forgetting/challenge")
    tries: list[dict[str, Json]] = [{}, {"method": "webauthn", "challengeId": "chl_x", "response": {}}]
    for evidence in tries:
        answer = await grace.send("POST", "/account/forgetting/approval", evidence)
        assert answer.status_code in (400, 403), answer.text
    assert len(bank.deputize.store.look(lambda tx: tx.users())) == 1


async def test_the_account_page_leads_to_both(grace: Page) -> None:
    page = (await grace.http.get(f"{grace.issuer}/account")).text
    assert f'href="{grace.issuer}/account/export" download>Download what is kept of you</a>' in page
    assert 'id="forget" class="danger">Delete my account with passkey</button>' in page


async def test_keep_1_what_was_emptied_is_said_to_be(bank: Bank, grace: Page) -> None:
    made = (await grace.call("note", {"why": "curious"})).json()
    redeemed = {"call_token": made["call_token"]}
    await grace.send("POST", f"/calls/{made['call_id']}/redemption", redeemed)
    bank.clock.forward(401 * DAY)  # what is nobody's goes with its hour, so the time is that of the sweep
    late = int(bank.clock())
    await bank.deputize.sweep(late, late)
    assert (await grace.sign_in()).status_code == 200
    told = (await grace.http.get(f"{grace.issuer}/account/history")).text
    assert "What was in it is kept no more." in told
    assert "curious" not in told
    assert f'/calls/{made["call_id"]}/receipt" download' in told
    assert (await grace.http.get(f"{grace.issuer}/calls/{made['call_id']}/receipt")).status_code == 200
