"""The window in which a passkey may be added over MCP: its user opens it with a passkey, on the page (CRED-7)."""

from typing import Any

import httpx2
import pytest
from tests.bank import Bank

from deputize.protocol.canonical import Json
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

WINDOW = "/account/enrollment-window"


async def mint(page: Page) -> dict[str, Any]:
    answer = await page.send("POST", f"{WINDOW}/challenge", page=False)
    assert answer.status_code == 200, answer.text
    envelope: dict[str, Any] = answer.json()
    return envelope


async def submit(page: Page, evidence: dict[str, Any]) -> httpx2.Response:
    return await page.send("POST", f"{WINDOW}/approval", evidence, page=False)


def open_until(bank: Bank) -> int:
    (user,) = bank.deputize.store.look(lambda tx: tx.users())
    return user.enrolls_until


async def test_a_passkey_opens_it_for_five_minutes(bank: Bank, grace: Page) -> None:
    envelope = await mint(grace)
    assert "five minutes" in envelope["displayText"]
    assert open_until(bank) == 0
    answer = await submit(grace, grace.evidence(envelope))
    assert answer.json() == {"open_until": int(bank.clock()) + 300}
    assert open_until(bank) == int(bank.clock()) + 300
    entry = bank.last()
    assert (entry["kind"], entry["expires_at"]) == ("enrollment.opened", open_until(bank))
    assert entry["evidence_s256"]


async def test_a_button_alone_does_not_open_it(bank: Bank, grace: Page) -> None:
    envelope = await mint(grace)
    assert (await submit(grace, {**grace.evidence(envelope), "response": {"id": "x"}})).status_code == 403
    presence_only = grace.authenticator
    presence_only.flags = 0x01
    answer = await submit(grace, grace.evidence(envelope))
    assert answer.json()["code"] == "signature_verification_failed"
    assert open_until(bank) == 0


@pytest.mark.parametrize(
    ("method", "path"), [("POST", f"{WINDOW}/challenge"), ("POST", f"{WINDOW}/approval"), ("DELETE", WINDOW)]
)
async def test_it_needs_the_session_and_its_token(bank: Bank, grace: Page, method: str, path: str) -> None:
    """SESSION-2; a delegation alone is nobody here."""
    evidence: dict[str, Json] = {"method": "webauthn", "challengeId": "chl_x", "response": {}}
    grace.csrf = ""
    assert (await grace.send(method, path, evidence, page=False)).json()["code"] == "cross_site_request"
    stranger = bank.page()
    assert (await stranger.send(method, path, evidence, page=False)).json()["code"] == "login_required"


async def test_the_page_offers_it_and_closing_it(bank: Bank, grace: Page) -> None:
    async def shown() -> str:
        return (await grace.http.get(f"{grace.issuer}/account")).text

    assert 'id="open-window"' in await shown()
    await submit(grace, grace.evidence(await mint(grace)))
    assert 'id="close-window"' in await shown()
    assert (await grace.send("DELETE", WINDOW, page=False)).status_code == 204
    assert bank.last()["kind"] == "enrollment.closed"
    assert open_until(bank) == 0
    assert 'id="open-window"' in await shown()
    entries = len(bank.entries())
    assert (await grace.send("DELETE", WINDOW, page=False)).status_code == 204
    assert len(bank.entries()) == entries


async def test_it_closes_by_itself(bank: Bank, grace: Page) -> None:
    await submit(grace, grace.evidence(await mint(grace)))
    bank.clock.forward(300)  # TOKEN-5
    assert 'id="open-window"' in (await grace.http.get(f"{grace.issuer}/account")).text
