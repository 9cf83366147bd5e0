"""The quickstarts, from an empty folder to what was approved and executed once, in Chromium."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from e2e.start.built import Built, build
from e2e.start.following import Stranger
from e2e.start.page import START, Quickstart
from playwright.sync_api import Page, Request, expect
from tests.size import THOROUGH

from deputize.testing.agent import Agent
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys

PAGES = {path.stem: path for path in sorted(START.glob("*.md")) if path.stem != "README"}
ALWAYS = {"flask", "express"} & PAGES.keys()
"""One stack of each language; `make thorough` plays all."""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Built:
    """What readers install, one for all workers of a run."""
    base = tmp_path_factory.getbasetemp()
    return build((base if worker_id == "master" else base.parent) / "built")


@pytest.fixture(params=PAGES if THOROUGH else sorted(ALWAYS or PAGES))
def stranger(request: pytest.FixtureRequest, tmp_path: Path, built: Built) -> Iterator[Stranger]:
    """Somebody who has done all that the page says, and now sits before it."""
    with Stranger(Quickstart.read(PAGES[request.param]), tmp_path, built) as one:
        one.follow()
        yield one


def test_it_leads_to_one_transfer_that_was_approved(
    stranger: Stranger, tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    origin = stranger.page.origin
    api, transfer = f"{origin}/api/transfers", {"amount": 5, "name": "Ada"}
    refused = httpx2.post(api, json=transfer)
    assert (refused.status_code, refused.json()["code"]) == (401, "missing_call_token")
    executed: list[Request] = []
    tab.on("request", lambda each: executed.append(each) if "txn-token" in each.headers else None)
    passkeys.add()
    tab.goto(origin)
    button, told, count = (
        tab.get_by_role("button", name="Ask as an agent"),
        tab.locator("output"),
        tab.locator("b"),
    )
    seen = []

    def answered(word: str) -> None:
        expect(told).to_contain_text(word)
        expect(count).to_have_text("1" if word == '"sent":5' else "0")
        seen.append(tab.locator("body").inner_text())

    button.click()
    answered("login_required")
    tab.get_by_role("link", name="Your account").click()
    tab.get_by_label("Your name").fill("Grace Hopper")
    seen.append(tab.locator("body").inner_text())
    tab.get_by_role("button", name="Create an account with a passkey").click()
    tab.wait_for_url(f"{origin}/")

    button.click()
    seen.append(human.decline().text)
    answered("consent_declined")
    button.click()
    seen.append(human.approve().text)  # consent, once
    asked = human.approve()  # this very call
    assert {"Send 5.00 EUR?", "To", "“Ada”"} <= set(asked.lines)
    seen.append(asked.text)
    answered('"sent":5')

    (call,) = executed
    headers = {"txn-token": call.headers["txn-token"], "content-type": "application/json"}
    again = httpx2.post(api, content=call.post_data_buffer or b"", headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "call_redeemed")
    assert httpx2.get(api).json() == [transfer]

    # An agent in the browser, which passes by no script of the page, is asked as the button was.
    other = agent.start("transfer_money", {"amount": 7, "name": "Eve"})
    assert "Send 7.00 EUR?" in human.decline().lines
    assert other.result().code == "declined"
    assert httpx2.get(api).json() == [transfer]
    section = stranger.page.text.split("\n## Click\n")[1].split("\n## ")[0]
    words = re.findall(r"\*\*(.+?)\*\*", section, re.DOTALL)
    assert words
    whole = " ".join("\n".join(seen).split())
    assert [each for each in words if " ".join(each.split()) not in whole] == []
