"""Users of the site at an authority on a host of its own: the site's login, a ticket, and back (PROTOCOL §25)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from e2e import notes
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp
from tests.tickets import LOGIN, TicketSite

import deputize
from deputize.app import build as build_alone
from deputize.testing.agent import Agent
from deputize.testing.clock import HeldClock
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site

USERS = {"7": "Ada Lovelace", "666": "Mallory"}
BRINGS = """<!doctype html><title>Signing in</title>
<form method="post" action="{to}/account/ticket"><input type="hidden" name="ticket" value="{ticket}"></form>
<script>document.forms[0].submit()</script>"""


@dataclass
class Pair:
    """The notes at one host, which have a login, and their authority at another."""

    site: Site
    tickets: TicketSite
    running: list[Site] = field(default_factory=list)
    stolen: list[str] = field(default_factory=list)

    @property
    def authority(self) -> str:
        return self.running[0].url

    def log_in(self, tab: Page, user: str) -> None:
        """Sign in at the site, by its own means."""
        tab.goto(f"{self.site.url}/enter/{user}")


@pytest.fixture
def pair(serve: Callable[..., Site], held_clock: HeldClock, tmp_path: Path) -> Pair:
    pairs: list[Pair] = []

    def user_of(request: Request) -> str:
        return request.cookies.get("site", "")

    async def home(request: Request) -> Response:
        return HTMLResponse(notes.page(pairs[0].authority, USERS.get(user_of(request), "nobody")))

    async def enter(request: Request) -> Response:
        response = RedirectResponse(request.query_params.get("next", "/"))
        response.set_cookie("site", request.path_params["user"], httponly=True, samesite="lax")
        return response

    async def log_in(request: Request) -> Response:
        """What a site does: let the user sign in, sign a ticket, and have the browser bring it."""
        user, state = user_of(request), request.query_params["state"]
        if user not in USERS:
            return HTMLResponse(
                f'<a href="/enter/7?next={escape(LOGIN)}?state={escape(state)}">Sign in as Ada</a>'
            )
        ticket = pairs[0].tickets.ticket(state, user, name=USERS[user])
        if user == "666":  # Mallory's browser does not bring hers, but keeps it for others
            pairs[0].stolen.append(ticket)
            return HTMLResponse("<p>kept")
        return HTMLResponse(BRINGS.format(to=pairs[0].authority, ticket=ticket))

    async def forged(request: Request) -> Response:
        """Have whoever comes bring Mallory's ticket: what a page of the site with a hole would do."""
        return HTMLResponse(BRINGS.format(to=pairs[0].authority, ticket=pairs[0].stolen[-1]))

    routes = [
        Route("/", home),
        Route("/enter/{user}", enter),
        Route(LOGIN, log_in),
        Route("/forged", forged),
    ]
    site = serve(lambda port: Starlette(routes=routes), host="notes.site.localhost")
    pairs.append(Pair(site, TicketSite(site.url, "", held_clock)))

    def build(port: int) -> ASGIApp:
        issuer = f"http://auth.site.localhost:{port}"
        pairs[0].tickets.issuer = issuer
        notes.policy(tmp_path, site.url, issuer, "site.localhost")
        file = tmp_path / "deputize.toml"
        file.write_text(file.read_text() + pairs[0].tickets.table)
        return build_alone(deputize.load(file), tmp_path, held_clock)

    pairs[0].running.append(serve(build, host="auth.site.localhost"))
    return pairs[0]


def test_the_sites_user_needs_no_second_account(
    pair: Pair, tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    """SIGNIN-1 to SIGNIN-3: from a page that needs a user to the site's login, back, to a passkey and a call."""
    tab.goto(f"{pair.authority}/device")
    tab.get_by_role("link", name="Sign in as Ada").click()
    tab.wait_for_url(f"{pair.authority}/device")
    assert tab.get_by_role("heading").first.is_visible()
    passkeys.add()
    tab.goto(f"{pair.authority}/account")
    tab.get_by_role("button", name="Add a passkey", exact=True).click()
    tab.get_by_text("This device").wait_for()
    tab.goto(pair.site.url)
    call = agent.start("pin_note", {"text": "milk"})
    assert "Ada Lovelace" in human.approve().text
    human.approve()
    assert call.result().value["pinned"] == "milk"


def test_nobody_is_signed_in_to_an_attackers_account(
    pair: Pair, tab: Page, passkeys: Passkeys, new_tab: Callable[..., Page]
) -> None:
    """SIGNIN-2: the victim would enroll a passkey there, and approve what Mallory's agents ask."""
    mallory = new_tab()
    pair.log_in(mallory, "666")
    mallory.goto(f"{pair.authority}/account/sign-in")
    mallory.get_by_text("kept").wait_for()
    device = passkeys.add()
    for path in ("/", LOGIN):  # one browser that has never left for the login, and one that has
        if path == LOGIN:
            tab.goto(f"{pair.authority}/account/sign-in")
        tab.goto(f"{pair.site.url}/forged")
        tab.get_by_role("heading", name="You are not signed in").wait_for()
        assert urlsplit(tab.url).path == "/account/ticket"
        tab.goto(f"{pair.authority}/account")
        tab.get_by_role("link", name="Sign in at Notes").wait_for()
        assert tab.get_by_role("button", name="Add a passkey").count() == 0
    assert device.passkeys() == []
    # The ticket was good: in Mallory's own browser it is.
    mallory.goto(f"{pair.site.url}/forged")
    mallory.wait_for_url(f"{pair.authority}/account")
    mallory.get_by_text("Mallory").wait_for()


def test_a_page_of_another_host_brings_nothing(pair: Pair, serve: Callable[..., Site], tab: Page) -> None:
    """SIGNIN-2, SESSION-2: of the same site even, so that the cookies go along, with a ticket for this very browser."""
    tab.goto(f"{pair.authority}/account/sign-in")
    (state,) = [part.partition("=")[2] for part in urlsplit(tab.url).query.split("&")]
    ticket = pair.tickets.ticket(state)

    async def page(request: Request) -> Response:
        return HTMLResponse(BRINGS.format(to=pair.authority, ticket=ticket))

    sibling = serve(lambda port: Starlette(routes=[Route("/", page)]), host="evil.site.localhost")
    tab.goto(sibling.url)
    tab.get_by_role("heading", name="This does not work").wait_for()
    tab.goto(f"{pair.authority}/account")
    tab.get_by_role("link", name="Sign in at Notes").wait_for()
