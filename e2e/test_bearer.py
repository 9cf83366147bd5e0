"""An app that proves nothing of itself, and what its user sees of that in a browser (PROTOCOL §16)."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from e2e.attested import Principal
from e2e.bank import TRANSFER, Bank, sign_up
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
TOLD = {"name": "transfer_money", "arguments": TRANSFER}
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": TOLD}
ACCEPT = {
    **CALL,
    "params": {
        **TOLD,
        "inputResponses": {"approval": {"action": "accept"}},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "x", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}},
        },
    },
}
MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "transfer_money"}
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
        f"[agents]\ndevelopment = true\n[agents.origin]\nallow = {json.dumps([origin])}\n"
        'scopes = ["account:read", "payments:write"]\n[mcp]\nbearer = true'
    )


def address(bank: Bank, app: str, scope: str) -> str:
    """Return where the app sends its user."""
    asked = {
        "response_type": "code",
        "client_id": app,
        "redirect_uri": CALLBACK,
        "scope": scope,
        "state": "st",
        "code_challenge": b64u(hashlib.sha256(VERIFIER.encode()).digest()),
        "code_challenge_method": "S256",
        "resource": f"{bank.issuer}/mcp",
    }
    return f"{bank.issuer}/authorize?{urlencode(asked)}"


def connected(ada: Principal, app: str) -> dict[str, str]:
    """Allow what the page asks, and return the headers by which the app comes over MCP."""
    bank = ada.bank

    def listen(route: Route) -> None:
        route.fulfill(body="You can close this window.")

    ada.tab.route(f"{CALLBACK}?*", listen)
    said = ada.allows()
    assert (said["state"], said["iss"]) == ("st", bank.issuer)
    form = {"grant_type": "authorization_code", "code": said["code"], "redirect_uri": CALLBACK}
    form |= {"client_id": app, "code_verifier": VERIFIER, "resource": f"{bank.issuer}/mcp"}
    tokens = httpx2.post(f"{bank.issuer}/token", data=form, timeout=30).json()
    return {"authorization": f"Bearer {tokens['access_token']}", "accept": "application/json"}


def test_a_user_reads_who_asks_and_where_the_answer_goes(
    bank: Bank, tab: Page, passkeys: Passkeys, human: Human, app: str
) -> None:
    """BEARER-3, BEARER-6: also when the app finds nobody signed in."""
    ada = Principal(bank, tab, sign_up(bank, tab, passkeys), human)
    tab.context.clear_cookies()
    tab.goto(address(bank, app, "account:read"))
    assert "phone" not in tab.inner_text("main").replace("on your phone, or a security key", "")  # PHONE-1
    tab.get_by_role("button", name="Sign in with a passkey").click()
    tab.get_by_role("button", name="Allow with passkey").wait_for()
    page = tab.locator("main").inner_text()
    for words in (
        "Let an app that does not prove who it is act for you?",
        "An app that does not prove who it is · says it is",
        "“Any App”",
        app,
        "Each call asks you: read each time what you approve.",
        "See your balance and your transactions",
        "you go on to an app on this computer (http://127.0.0.1:4711)",
    ):
        assert words in page
    assert tab.get_by_role("button", name="Answer on my phone").count() == 0
    headers = connected(ada, app)
    answer = httpx2.post(f"{bank.issuer}/mcp", json=LIST, headers=headers, timeout=30)
    assert answer.status_code == 200

    tab.goto(f"{bank.issuer}/account")
    assert "An app that does not prove who it is" in tab.locator("main").inner_text()
    tab.get_by_role("button", name="Take this back").click()
    tab.get_by_text("No agent may act for you now.").wait_for()
    assert httpx2.post(f"{bank.issuer}/mcp", json=LIST, headers=headers, timeout=30).status_code == 401


def test_what_a_client_says_of_its_user_approves_nothing(
    bank: Bank, tab: Page, passkeys: Passkeys, human: Human, app: str, new_tab: Callable[..., Page]
) -> None:
    """MCP-15: nor does whoever opens the address, be it he himself."""
    ada = Principal(bank, tab, sign_up(bank, tab, passkeys), human)
    tab.goto(address(bank, app, "payments:write"))
    headers = connected(ada, app)

    def sends(message: object, **more: str) -> httpx2.Response:
        return httpx2.post(f"{bank.issuer}/mcp", json=message, headers={**headers, **more}, timeout=60)

    def called() -> dict[str, Any]:
        answer: dict[str, Any] = sends(CALL).json()
        return answer

    told = called()["error"]
    assert (told["code"], told["data"]["reason"]) == (-32001, "missing_evidence")
    url = told["data"]["url"]
    assert url == f"{bank.issuer}/ask/{told['data']['call_id']}"  # and no secret
    with ThreadPoolExecutor(1) as client:
        accepts = client.submit(sends, ACCEPT, **MODERN)  # it is held until the user has answered
        stranger = new_tab()
        stranger.goto(url)
        stranger.get_by_role("button", name="Sign in with a passkey").wait_for()
        for _ in range(2):
            tab.goto(url)
            tab.get_by_role("button", name="Approve with passkey").wait_for()
        assert called()["error"]["data"]["call_id"] == told["data"]["call_id"]
        assert bank.nothing_happened()
        tab.get_by_role("button", name="Approve with passkey").click()
        tab.get_by_text("You approved it").wait_for()
        assert accepts.result().json()["result"]["resultType"] == "input_required"
    assert bank.nothing_happened()  # that was no call to go on with
    assert "error" not in called()
    assert len(bank.sent()) == 1
