"""An authority on a host of its own beside the site: CORS for the site's origin only, one rp id for both.

`localhost` itself cannot be the rp id of its subdomains (it counts as a public suffix), `site.localhost` can.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e import notes
from e2e.bank import join
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from deputize.app import build as build_alone
from deputize.testing.agent import Agent
from deputize.testing.clock import HeldClock
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site
from deputize.testing.waiting import until


@dataclass(frozen=True)
class Pair:
    """The site and its authority."""

    site: Site
    authority: Site

    def sign_up(self, tab: Page, passkeys: Passkeys) -> None:
        """Sign up at the authority, which leads back to the site."""
        passkeys.add()
        join(tab, self.authority.url, f"{self.site.url}/")
        tab.wait_for_url(f"{self.site.url}/")


@pytest.fixture
def pair(serve: Callable[..., Site], held_clock: HeldClock, tmp_path: Path) -> Pair:
    """The notes at `notes.site.localhost`, their authority at `auth.site.localhost`, at the root of it."""
    running: list[Site] = []

    async def home(request: Request) -> Response:
        return HTMLResponse(notes.page(running[0].url, "somebody"))

    site = serve(lambda port: Starlette(routes=[Route("/", home)]), host="notes.site.localhost")

    def build(port: int) -> ASGIApp:
        issuer = f"http://auth.site.localhost:{port}"
        policy = notes.policy(tmp_path, site.url, issuer, "site.localhost")
        return build_alone(policy, tmp_path, held_clock)

    running.append(serve(build, host="auth.site.localhost"))
    return Pair(site, running[0])


def test_who_is_not_signed_in_is_sent_to_the_authority(pair: Pair, tab: Page, agent: Agent) -> None:
    """SHIM-6."""
    tab.goto(pair.site.url)
    told = agent.call("pin_note", {"text": "milk"})
    assert told.code == "login_required"
    assert told.structured["sign_in_uri"] == f"{pair.authority.url}/account"


def test_a_call_goes_from_the_site_through_the_authority(
    pair: Pair, tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    pair.sign_up(tab, passkeys)
    call = agent.start("pin_note", {"text": "milk"})
    consent = human.approve()
    assert "Notes" in consent.text
    assert "Pin the note “milk”" in human.approve().lines
    result = call.result()
    assert result.value["pinned"] == "milk"
    assert result.value["agent"]["assurance"] == "opaque"
    assert tab.locator("#board li").all_text_contents() == ["milk"]


def test_taking_it_back_at_the_authority_bites_at_the_site(
    pair: Pair, tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    """GRANT-5."""
    pair.sign_up(tab, passkeys)
    call = agent.start("pin_note", {"text": "milk"})
    human.approve()
    human.approve()
    assert not call.result().refused
    account = tab.context.new_page()
    account.goto(f"{pair.authority.url}/account")
    account.get_by_role("button", name="Take this back").click()
    account.get_by_text("No agent may act for you now").wait_for()
    account.close()
    assert agent.call("pin_note", {"text": "eggs"}).code == "grant_revoked"
    assert tab.locator("#board li").all_text_contents() == ["milk"]


def test_a_sibling_that_is_not_the_site_gets_nothing(
    pair: Pair, serve: Callable[..., Site], tab: Page, passkeys: Passkeys
) -> None:
    """SESSION-2: same site, so the cookie goes along, but another origin."""

    async def page(request: Request) -> Response:
        return HTMLResponse("<!doctype html><title>Sibling</title>")

    sibling = serve(lambda port: Starlette(routes=[Route("/", page)]), host="evil.site.localhost")
    passkeys.add()
    join(tab, pair.authority.url, sibling.url)
    tab.get_by_role("heading", name="Who may act for you").wait_for()  # nobody is led there
    tab.goto(sibling.url)
    read = "(url) => fetch(url, {credentials: 'include'}).then((r) => r.text(), (e) => e.name)"
    assert tab.evaluate(read, f"{pair.authority.url}/tools") == "TypeError"  # CORS
    # A simple request needs no permission to be sent: the origin is what refuses it.
    with tab.expect_response("**/account/sign-out") as answer:
        tab.evaluate(
            "([url, body]) => fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include', body})",
            [f"{pair.authority.url}/account/sign-out", json.dumps({})],
        )
    assert answer.value.status == 403
    tab.goto(pair.authority.url + "/account")
    tab.get_by_role("button", name="Sign out").wait_for()


def test_a_page_at_an_origin_that_the_policy_does_not_have_says_so_on_its_console(
    pair: Pair, serve: Callable[..., Site], tab: Page, agent: Agent
) -> None:
    """PAGE-1, OAUTH-12: it may read nothing but the file that tells of it."""

    async def page(request: Request) -> Response:
        return HTMLResponse(notes.page(pair.authority.url, "somebody"))

    stray = serve(lambda port: Starlette(routes=[Route("/", page)]), host="notes.site.localhost")
    told: list[str] = []
    tab.on("console", lambda message: told.append(message.text))
    tab.goto(stray.url)
    result = agent.call("pin_note", {"text": "milk"})
    assert result.code == "authority_unavailable"
    begins = f"deputize: The authority {pair.authority.url} gives the page at {stray.url} no answer"
    until(tab, lambda: any(line.startswith(begins) for line in told), "the console says what is wrong")
    (line,) = [line for line in told if line.startswith(begins)]
    assert line.endswith(f"origin under [site] in its policy is {stray.url}.")
    assert not [line for line in told if "did not load" in line]
