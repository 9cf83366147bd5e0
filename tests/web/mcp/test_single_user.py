"""On a machine that one person develops on, messages need no delegation (MCP-4)."""

import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from starlette.applications import Starlette
from tests.web.agents import HELPER, Client, new_key
from tests.web.conftest import Clock
from tests.web.mcp.conftest import (
    CHAIN,
    NO_TLS,
    POLICY,
    TRANSFER,
    Deputy,
    Ledger,
    LiveBank,
    build,
    mounted,
)

from deputize import settings
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page
from deputize.testing.server import Site

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBank]:
    """Serve a bank that belongs to one person."""
    clock, ledger, made = Clock(), Ledger(), []

    def app(port: int) -> Starlette:
        policy = POLICY + '[mcp]\nsingle_user = "ada"\n'
        made.append(build(port, tmp_path_factory.mktemp("bank"), {HELPER: new_key()}, clock, ledger, policy))
        return mounted(made[0], ledger)

    with Site(app):
        yield LiveBank(made[0], httpx2.AsyncClient(verify=NO_TLS), clock, ledger=ledger)


@pytest.fixture
async def ada(live: LiveBank) -> AsyncIterator[Deputy]:
    """Connect without any delegation."""
    page = Page(live.client(), live.issuer, live.origin, SoftAuthenticator(live.origin, ("usb",)), live.clock)
    http = httpx2.AsyncClient(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    transport = streamable_http_client(live.url, http_client=http)
    async with http, McpClient(transport, mode="legacy", cache=None) as client:
        yield Deputy(live, page, Client(live, HELPER), client)


async def test_the_window_of_enrollment_is_always_open(live: LiveBank, ada: Deputy) -> None:
    """§4.4.1 as well: whoever has no credential yet gets an empty list of those to exclude."""
    options = (await ada.send("approval/enroll/begin"))["options"]
    assert options["excludeCredentials"] == []
    assert options["user"]["name"] == "ada"
    response = ada.page.authenticator.create(options)
    assert (await ada.send("approval/enroll/finish", {"response": response}))["success"]
    again = (await ada.send("approval/enroll/begin"))["options"]
    assert [c["id"] for c in again["excludeCredentials"]] == list(ada.page.authenticator.keys)
    result = await ada.approved()
    assert result.structured_content == {"tool": "transfer_money", "number": 1}
    chain: dict[str, Any] = (result.meta or {})[CHAIN]
    assert (chain["agent"], chain["grant_id"]) == (None, None)
    assert "client_id" not in live.last()


async def test_what_needs_an_approval_needs_it_here_too(live: LiveBank, ada: Deputy) -> None:
    assert not (await ada.call("get_balance")).is_error
    with pytest.raises(MCPError) as caught:
        await ada.call("transfer_money", TRANSFER)
    assert caught.value.data["reason"] == "missing_evidence"


async def test_whoever_shows_a_token_has_to_show_a_good_one(live: LiveBank) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert (await live.post(message)).status_code == 200
    for authorization in ("DPoP x", "Bearer x", "Basic eDp5"):
        assert (await live.post(message, authorization=authorization)).status_code == 401


@pytest.mark.parametrize("host", ["192.168.1.7", "203.0.113.9", "fe80::1"])
async def test_only_this_machine_is_that_user(live: LiveBank, host: str) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    transport = httpx2.ASGITransport(mounted(live.deputize, live.ledger), client=(host, 5000))
    async with httpx2.AsyncClient(transport=transport) as http:
        answer = await http.post(live.url, json=message, headers={"accept": "application/json"})
    assert answer.status_code == 401


async def test_another_site_in_the_users_browser_is_not(live: LiveBank) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert (await live.post(message, origin="https://evil.example")).status_code == 403
    assert (await live.post(message, None, **{"content-type": "text/plain"})).status_code == 415


def test_a_policy_names_one_for_localhost_only() -> None:
    text = '[site]\nname = "Bank"\norigin = "https://bank.example"\n[mcp]\nsingle_user = "ada"\n'
    with pytest.raises(settings.PolicyError, match="for sites on localhost"):
        settings.loads(text.encode())
