"""On a machine that one person develops on, messages need no delegation (MCP-4)."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from tests.bank import mounted
from tests.web.agents import HELPER, Client
from tests.web.mcp.conftest import (
    CHAIN,
    LIST,
    POLICY,
    TRANSFER,
    Deputy,
    LiveBank,
    serving,
)

from deputize import settings

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBank]:
    """Serve a bank that belongs to one person."""
    folder, policy = tmp_path_factory.mktemp("bank"), POLICY + '[mcp]\nsingle_user = "ada"\n'
    with serving(folder, HELPER, policy=policy) as served:
        yield served


@pytest.fixture
async def ada(live: LiveBank) -> AsyncIterator[Deputy]:
    """Connect without any delegation."""
    page = live.page(transports=("usb",))
    http = httpx2.AsyncClient(timeout=30)
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
    assert (await live.post(LIST)).status_code == 200
    for authorization in ("DPoP x", "Bearer x", "Basic eDp5", ""):
        assert (await live.post(LIST, authorization=authorization)).status_code == 401


@pytest.mark.parametrize("host", ["192.168.1.7", "203.0.113.9", "fe80::1"])
async def test_only_this_machine_is_that_user(live: LiveBank, host: str) -> None:
    transport = httpx2.ASGITransport(mounted(live.deputize), client=(host, 5000))
    async with httpx2.AsyncClient(transport=transport) as http:
        answer = await http.post(live.url, json=LIST, headers={"accept": "application/json"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://evil.example:8000", "host": "evil.example:8000", "sec-fetch-site": "same-origin"},
        {"origin": "null"},
        {"origin": "http://localhost:1", "sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none"},
    ],
    ids=str,
)
async def test_another_site_in_the_users_browser_is_not(live: LiveBank, headers: dict[str, str]) -> None:
    """The second has its own name lead to this machine: all is of one origin there."""
    for message in (LIST, {**LIST, "method": "tools/call", "params": {"name": "get_balance"}}):
        answer = await live.post(message, None, **headers)
        assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (403, "cross_site_request")
    assert live.ledger.calls == []


async def test_what_a_browser_sends_to_others_unasked_is_not_read(live: LiveBank) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        assert (await live.post(LIST, None, **{"content-type": kind})).status_code == 415


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "localhost"},
        {"host": "localhost:1"},
        {"host": "localhost.evil.example"},
        {"x-forwarded-for": "203.0.113.9"},
        {"x-forwarded-for": "127.0.0.1"},
        {"x-forwarded-host": "localhost"},
        {"x-forwarded-proto": "http"},
        {"x-real-ip": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"via": "1.1 proxy"},
    ],
    ids=str,
)
async def test_what_others_sent_through_this_machine_is_not_its_users(
    live: LiveBank, headers: dict[str, str]
) -> None:
    """A name that was rebound, a tunnel and a proxy: the last step is from loopback in each."""
    for method in ("tools/list", "tools/call", "approval/enroll/begin"):
        answer = await live.post(
            {**LIST, "method": method, "params": {"name": "get_balance"}}, None, **headers
        )
        assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (401, "invalid_token")
    assert live.ledger.calls == []


async def test_the_name_of_this_machine_has_no_case(live: LiveBank) -> None:
    host = live.origin.removeprefix("http://").upper()
    assert (await live.post(LIST, host=host)).status_code == 200


@pytest.mark.parametrize("number", ["127.0.0.1", "[::1]"])
async def test_the_numbers_of_this_machine_are_as_good(
    live: LiveBank, number: str
) -> None:  # SESSION-3, MCP-4
    host = live.origin.removeprefix("http://").replace("localhost", number)
    assert (await live.post(LIST, host=host)).status_code == 200
    for other in (f"{number}:1", f"{number}.example", f"localhost.{number}", f"{number}@{host}"):
        assert (await live.post(LIST, host=other)).status_code == 401


@pytest.mark.parametrize("origin", ["https://bank.example", "https://localhost.example"])
def test_a_policy_names_one_for_localhost_only(origin: str) -> None:
    text = f'[site]\nname = "Bank"\norigin = "{origin}"\n[mcp]\nsingle_user = "ada"\n'
    with pytest.raises(settings.PolicyError, match="for sites on localhost"):
        settings.loads(text.encode())
