"""An app that proves nothing of itself, and what its user sees of that in a browser (PROTOCOL §16)."""

import hashlib
import json
from collections.abc import Callable
from urllib.parse import urlencode

import httpx2
import pytest
from e2e.attested import Principal
from e2e.bank import Bank, sign_up
from playwright.sync_api import Page, Route
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path

from deputize.protocol.canonical import b64u
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site

CALLBACK = "http://127.0.0.1:4711/callback"
VERIFIER = "x" * 43
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


@pytest.fixture
def app(serve: Callable[..., Site]) -> str:
    """Publish the document of an app; return its client id."""

    async def document(request: Request) -> Response:
        said = {"client_id": str(request.url), "client_name": "Any App", "redirect_uris": [CALLBACK]}
        return JSONResponse({**said, "grant_types": ["authorization_code", "refresh_token"]})

    return f"{serve(lambda _: Starlette(routes=[Path('/app.json', document)])).url}/app.json"


@pytest.fixture
def bank(open_bank: Callable[..., Bank], app: str) -> Bank:
    origin = app.removesuffix("/app.json")
    return open_bank(
        f"[agents]\ndevelopment = true\n[agents.origin]\nallow = {json.dumps([origin])}\n[mcp]\nbearer = true"
    )


def test_a_user_reads_who_asks_and_where_the_answer_goes(
    bank: Bank, tab: Page, passkeys: Passkeys, human: Human, app: str
) -> None:
    """BEARER-3, BEARER-6: also when the app finds nobody signed in."""
    ada = Principal(bank, tab, sign_up(bank, tab, passkeys), human)
    tab.context.clear_cookies()
    asked = {
        "response_type": "code",
        "client_id": app,
        "redirect_uri": CALLBACK,
        "scope": "account:read",
        "state": "st",
        "code_challenge": b64u(hashlib.sha256(VERIFIER.encode()).digest()),
        "code_challenge_method": "S256",
        "resource": f"{bank.issuer}/mcp",
    }
    tab.goto(f"{bank.issuer}/authorize?{urlencode(asked)}")
    tab.get_by_role("button", name="Sign in with a passkey").click()
    tab.get_by_role("button", name="Allow with passkey").wait_for()
    page = tab.locator("main").inner_text()
    for words in (
        "Let an app that does not prove who it is act for you?",
        "and calls itself “Any App”",
        "any app can say this",
        app,
        "Each call asks you: read each time what you approve.",
        "See your balance and your transactions",
        "you go on to an app on this computer (http://127.0.0.1:4711)",
    ):
        assert words in page

    def listen(route: Route) -> None:
        route.fulfill(body="You can close this window.")

    tab.route(f"{CALLBACK}?*", listen)
    said = ada.allows()
    assert (said["state"], said["iss"]) == ("st", bank.issuer)
    form = {"grant_type": "authorization_code", "code": said["code"], "redirect_uri": CALLBACK}
    form |= {"client_id": app, "code_verifier": VERIFIER, "resource": f"{bank.issuer}/mcp"}
    tokens = httpx2.post(f"{bank.issuer}/token", data=form, timeout=30).json()
    headers = {"authorization": f"Bearer {tokens['access_token']}", "accept": "application/json"}
    answer = httpx2.post(f"{bank.issuer}/mcp", json=LIST, headers=headers, timeout=30)
    assert answer.status_code == 200

    tab.goto(f"{bank.issuer}/account")
    assert "An app that does not prove who it is" in tab.locator("main").inner_text()
    tab.get_by_role("button", name="Take this back").click()
    tab.get_by_text("No agent may act for you now.").wait_for()
    assert httpx2.post(f"{bank.issuer}/mcp", json=LIST, headers=headers, timeout=30).status_code == 401
