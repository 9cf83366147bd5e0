"""A site with its own login that mounts deputize: `current_user` says who is signed in (CRED-2)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e import notes
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from deputize import Deputize, SiteUser
from deputize.testing.agent import Agent
from deputize.testing.clock import HeldClock
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site

LOGINS = {"7": "Ada Lovelace", "8": "Grace Hopper"}
ALIKE = {"cross-origin-opener-policy": "same-origin"}
"""What the account page says as well. Between answers with and without it, redirects among them, Chromium 156
crashes as a whole if the page that is left has a `getTools()` of its own unanswered."""


@dataclass(frozen=True)
class Board:
    """The running site."""

    site: Site
    deputize: Deputize

    def log_in(self, tab: Page, login: str) -> None:
        """Sign in by the site's own means, which know nothing of passkeys."""
        tab.goto(f"{self.site.url}/login/{login}")
        tab.get_by_role("heading", name=f"Notes of {LOGINS[login]}").wait_for()

    def enroll(self, tab: Page) -> None:
        """Make a first passkey on the account page, and go back."""
        tab.goto(f"{self.site.url}/deputize/account")
        tab.get_by_role("button", name="Add a passkey", exact=True).click()
        tab.get_by_text("This device").wait_for()
        tab.goto(self.site.url)

    def record(self, kind: str) -> list[dict[str, Any]]:
        """Return the entries of one kind."""
        stored = self.deputize.store.look(lambda tx: tx.entries(0, 10_000))
        return [entry for entry in (json.loads(each.leaf) for each in stored) if entry["kind"] == kind]


@pytest.fixture
def board(serve: Callable[..., Site], held_clock: HeldClock, tmp_path: Path) -> Board:
    """The notes, on a site whose login is a cookie `login=<user>.<seconds>`."""
    built: list[Deputize] = []

    def current_user(request: Request) -> SiteUser | None:
        login, _, at = request.cookies.get("login", "").partition(".")
        return SiteUser(login, LOGINS[login], int(at)) if login in LOGINS else None

    async def home(request: Request) -> Response:
        user = current_user(request)
        return HTMLResponse(notes.page("/deputize", user.name if user else "nobody"), headers=ALIKE)

    async def log_in(request: Request) -> Response:
        response = RedirectResponse("/", headers=ALIKE)
        value = f"{request.path_params['login']}.{int(held_clock())}"
        response.set_cookie("login", value, httponly=True, samesite="lax")
        return response

    async def log_out(request: Request) -> Response:
        response = RedirectResponse("/", headers=ALIKE)
        response.delete_cookie("login")
        return response

    def build(port: int) -> ASGIApp:
        url = f"http://localhost:{port}"
        policy = notes.policy(tmp_path, url, f"{url}/deputize", "localhost")
        authority = Deputize(policy, tmp_path, current_user, held_clock)
        built.append(authority)
        return Starlette(
            routes=[
                *authority.well_known_routes(),
                Mount("/deputize", authority),
                Route("/", home),
                Route("/login/{login}", log_in),
                Route("/logout", log_out),
            ],
            lifespan=authority.lifespan,
        )

    return Board(serve(build), *built)


def test_who_is_signed_in_at_the_site_is_the_user(
    board: Board, tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    """CRED-2, GUARD-3, GUARD-5: from no login to a note that was approved and pinned by the page."""
    tab.goto(board.site.url)
    assert agent.call("pin_note", {"text": "milk"}).code == "login_required"
    board.log_in(tab, "7")
    passkeys.add()
    board.enroll(tab)
    call = agent.start("pin_note", {"text": "milk"})
    assert "Pin notes to your board" in human.approve().text
    assert "Pin the note “milk”" in human.approve().lines
    result = call.result()
    assert result.value["pinned"] == "milk"
    assert tab.locator("#board li").all_text_contents() == ["milk"]
    (redeemed,) = board.record("call.redeemed")
    (succeeded,) = board.record("call.succeeded")
    assert redeemed["call_id"] == succeeded["call_id"] == result.value["correlationId"]
    assert redeemed["by"] == succeeded["reported_by"] == "page"
    user = board.deputize.store.look(lambda tx: tx.user_by_external_id("7"))
    assert user is not None
    assert user.name == "Ada Lovelace"


def test_without_a_passkey_nobody_is_asked_to_consent(
    board: Board, tab: Page, human: Human, agent: Agent
) -> None:
    """GRANT-1: nobody is asked who could not answer; the human is led to where a passkey is added."""
    board.log_in(tab, "7")
    result = agent.call("pin_note", {"text": "milk"})
    assert result.code == "no_eligible_credential"
    assert "add a passkey on the account page" in result.text
    assert result.structured["account_uri"] == f"{board.site.url}/deputize/account"
    assert human.sees() is None
    told = " ".join(human.notices())
    assert "You have nothing here that can confirm this" in told
    assert "Open your account page" in told
    assert tab.locator("#board li").count() == 0
    assert board.record("grant.active") == []


def test_a_first_passkey_needs_a_recent_sign_in(
    board: Board, tab: Page, passkeys: Passkeys, held_clock: HeldClock
) -> None:
    """CRED-2: a session of an hour ago may be anybody's."""
    board.log_in(tab, "7")
    device = passkeys.add()
    held_clock.move(300)
    tab.goto(f"{board.site.url}/deputize/account")
    tab.get_by_role("button", name="Add a passkey", exact=True).click()
    tab.get_by_text("Sign out and in again, then try once more").wait_for()
    assert device.passkeys() == []
    board.log_in(tab, "7")
    board.enroll(tab)
    assert len(device.passkeys()) == 1


def test_signing_up_and_in_is_the_sites_business(board: Board, tab: Page) -> None:
    tab.goto(f"{board.site.url}/deputize/account")
    tab.get_by_text("Nobody is signed in").wait_for()
    assert tab.get_by_role("button").count() == 0
    answer = tab.request.post(f"{board.site.url}/deputize/account/sign-up", data={"name": "Mallory"})
    assert (answer.status, answer.json()["code"]) == (404, "not_found")


def test_another_user_of_the_same_browser_starts_with_nothing(
    board: Board, tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    """AGENT-1, CALL-1: neither key nor grant passes from one user to the next."""
    board.log_in(tab, "7")
    passkeys.add()
    board.enroll(tab)
    call = agent.start("pin_note", {"text": "milk"})
    human.approve()
    human.approve()
    assert call.result().value["pinned"] == "milk"
    tab.goto(f"{board.site.url}/logout")
    assert agent.call("pin_note", {"text": "eggs"}).code == "login_required"
    board.log_in(tab, "8")
    board.enroll(tab)
    call = agent.start("pin_note", {"text": "eggs"})
    shown = human.decline()
    assert "Grace Hopper" in shown.text
    assert call.result().code == "consent_declined"
    assert tab.locator("#board li").count() == 0
