"""The official MCP clients, in Python and TypeScript, with their own OAuth, which knows nothing of us (PROTOCOL §16).

The tests for TypeScript are those of `js/interop/oauth.js`, which run in one process of Node; each is told here under
its own name.
"""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from cryptography import x509
from mcp.client.auth import OAuthClientProvider
from mcp.client.client import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from tests.bank import Clock
from tests.fetching import strangers
from tests.fetching.test_fetcher import certificates
from tests.interop.test_mcp_client import JS, PATIENCE, results
from tests.web.mcp.conftest import (
    ANNOTATION,
    CHAIN,
    LEGACY,
    MODERN,
    POLICY,
    TRANSFER,
    Deputy,
    LiveBank,
    refused,
    serving,
)

from deputize.crypto import jwt
from deputize.fetching.clients import Clients
from deputize.fetching.fetcher import Fetcher
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

CALLBACK = "http://127.0.0.1:4711/callback"
NAMES = re.findall(r"^test\('(.+?)', ", (JS / "interop/oauth.js").read_text(), re.MULTILINE)
BOTH = pytest.mark.parametrize("mode", [LEGACY, MODERN])


class NotTaken(Exception):
    """What the user's browser shows in place of a consent page."""


@dataclass
class Storage:
    """Where the client keeps what it has."""

    tokens: list[OAuthToken] = field(default_factory=list)
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens[-1] if self.tokens else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens.append(tokens)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass
class Browser:
    """The user's browser, to which the client hands an address, and from which it gets the answer."""

    page: Page
    visited: list[str] = field(default_factory=list)
    came_back: str = ""

    async def go(self, url: str) -> None:
        self.visited.append(url)
        there = await self.page.http.get(url)
        if there.status_code != 303:
            raise NotTaken(there.text)
        agreed = await self.page.authorize(there.headers["location"])
        assert agreed.status_code == 200, agreed.text
        self.came_back = agreed.json()["redirect_to"]

    async def callback(self) -> AuthorizationCodeResult:
        assert self.came_back.startswith(f"{CALLBACK}?")
        said = dict(parse_qsl(urlsplit(self.came_back).query))
        return AuthorizationCodeResult(code=said["code"], state=said["state"], iss=said["iss"])


@dataclass
class World:
    """A bank, a user, and an app of somebody who has published its document."""

    bank: LiveBank
    browser: Browser
    client_id: str
    storage: Storage = field(default_factory=Storage)

    def provider(self) -> OAuthClientProvider:
        return OAuthClientProvider(
            self.bank.url,
            OAuthClientMetadata(client_name="Any App", redirect_uris=[AnyUrl(CALLBACK)]),
            self.storage,
            self.browser.go,
            self.browser.callback,
            client_metadata_url=self.client_id,
        )

    @asynccontextmanager
    async def connected(self, provider: OAuthClientProvider, mode: str) -> AsyncIterator[McpClient]:
        async with httpx2.AsyncClient(auth=provider) as http:
            transport = streamable_http_client(self.bank.url, http_client=http)
            async with McpClient(transport, mode=mode, cache=None) as client:
                yield client


class Now(Clock):
    """The time of this machine, by which other processes make their proofs."""

    def __call__(self) -> float:
        return time.time()


@dataclass
class User:
    """What a user does when another process wants it done."""

    bank: LiveBank
    browser: Browser | None = None

    async def answer(self, request: Request) -> Response:
        said = json.loads(await request.body())
        return JSONResponse(await getattr(self, request.path_params["verb"])(**said))

    async def agree(self, url: str) -> object:
        """Follow an address, as a new user, and consent."""
        self.browser = Browser(await self.bank.user())
        await self.browser.go(url)
        return {"redirect_to": self.browser.came_back}

    async def sign(self, envelope: dict[str, Any]) -> object:
        """Approve."""
        assert self.browser is not None
        return self.browser.page.evidence(envelope)

    async def done(self) -> object:
        """Tell what the tools have done, and forget it."""
        done, self.bank.ledger.done = self.bank.ledger.done, []
        return done

    async def leave(self) -> object:
        """Close all browsers."""
        await self.bank.stack.aclose()
        return {}


@asynccontextmanager
async def world(folder: Path, bearer: bool, clock: Clock | None = None) -> AsyncIterator[World]:
    """Serve the document over TLS, as such a client wants it, and a bank that looks there."""
    ours = certificates(folder, x509.DNSName("localhost"))
    documents: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(strangers.answer(documents[0]))
        await writer.drain()

    async with strangers.serving(serve, tls=ours.server) as home:
        origin = f"https://localhost:{home.port}"
        document = {
            "client_id": f"{origin}/app.json",
            "client_name": "Any App",
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        documents.append(json.dumps(document).encode())
        policy = POLICY + ("[mcp]\nbearer = true\n" if bearer else "")

        def control(bank: LiveBank) -> list[BaseRoute]:
            authority = bank.deputize.authority
            authority.clients = Clients(authority.policy, Fetcher(True, bank.clock, tls=ours.authority))
            user = User(replace(bank, stack=AsyncExitStack()))  # in the server's loop, not in the test's
            return [Route("/control/{verb}", user.answer, methods=["POST"])]

        with serving(folder / "var", policy=policy, apps_at=origin, clock=clock, also=control) as bank:
            async with bank.stack:
                yield World(bank, Browser(await bank.user()), str(document["client_id"]))


@BOTH
async def test_the_official_client_gets_in_asks_and_stays(tmp_path: Path, mode: str) -> None:
    """Discovery from the 401, consent, code, tools, a call that the user approves, refresh: BEARER-1 to BEARER-6."""
    async with world(tmp_path, bearer=True) as here:
        provider = here.provider()
        async with here.connected(provider, mode) as client:
            user = Deputy(here.bank, here.browser.page, None, client)  # type: ignore[arg-type]  # no agent of ours
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            asked = dict(parse_qsl(urlsplit(here.browser.visited[0]).query))
            assert (asked["client_id"], asked["resource"]) == (here.client_id, here.bank.url)
            assert asked["scope"] == "account:read payments:write"  # what the metadata say, and no more
            assert ((tools["get_balance"].meta or {})[ANNOTATION])["required"] == "verified"
            first = here.storage.tokens[-1]
            assert first.token_type == "Bearer"
            assert jwt.parse(first.access_token).claims["act"] == {
                "sub": here.client_id,
                "assurance": "opaque",
            }

            async with refused("missing_evidence"):
                await user.call("get_balance")
            result = await user.approved("get_balance", {})
            assert result.structured_content == {"balance": 1000}
            assert result.meta is not None
            assert result.meta[CHAIN]["agent"] == {"client_id": here.client_id, "assurance": "opaque"}
            assert not (await user.approved("transfer_money", TRANSFER)).is_error
            assert here.bank.ledger.done == [("transfer_money", TRANSFER)]

            here.bank.clock.forward(300)
            provider.context.token_expiry_time = time.time() - 1
            assert not (await user.approved("get_balance", {})).is_error
            renewed = here.storage.tokens[-1]
            assert (len(here.storage.tokens), renewed.token_type) == (2, "Bearer")
            assert renewed.refresh_token != first.refresh_token
            assert len(here.browser.visited) == 1  # nobody was asked again

            await here.bank.revoke(str(jwt.parse(renewed.access_token).claims["grant_id"]))
            await client.list_tools()
            assert len(here.browser.visited) == 2  # but now somebody was


async def test_a_client_that_was_away_comes_back(tmp_path: Path) -> None:
    """What it stored is enough: another process of the app, another day."""
    async with world(tmp_path, bearer=True) as here:
        for _ in range(2):
            async with here.connected(here.provider(), LEGACY) as client:
                await client.list_tools()
        assert len(here.browser.visited) == 1


@BOTH
async def test_where_the_owner_takes_none_it_is_told_so(tmp_path: Path, mode: str) -> None:
    """BEARER-1: off is the default, and the user reads why nothing comes of it."""
    async with world(tmp_path, bearer=False) as here:
        with pytest.raises((NotTaken, ExceptionGroup)) as caught:  # the client wraps it as it likes
            async with here.connected(here.provider(), mode) as client:
                await client.list_tools()
        shown = [error for error in leaves(caught.value) if isinstance(error, NotTaken)]
        assert len(shown) == 1
        assert "this site takes no such apps" in str(shown[0])
        assert here.storage.tokens == []


def leaves(error: BaseException) -> list[BaseException]:
    """List the errors in a group of groups."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in leaves(each)]
    return [error, *(leaves(error.__cause__) if error.__cause__ else [])]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run all tests of the other language: what became of each, by its name."""
    return asyncio.run(ran(tmp_path_factory.mktemp("bank")))


async def ran(folder: Path) -> dict[str, str]:
    async with world(folder, bearer=True, clock=Now()) as here:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *("node", "--test", "--test-reporter=tap", "interop/oauth.js"),
            cwd=JS,
            env={**os.environ, "DEPUTIZE_BANK": here.bank.origin, "DEPUTIZE_CLIENT": here.client_id},
            stdout=pipe,
            stderr=pipe,
        )
        try:
            said, wrong = await asyncio.wait_for(process.communicate(), PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        async with here.bank.client() as http:
            await http.post(f"{here.bank.origin}/control/leave", json={})
    assert b"\n# tests " in said, (said + wrong).decode()
    return results(said.decode())


def test_each_test_of_the_other_language_has_a_name_of_its_own() -> None:
    assert len(NAMES) == len(set(NAMES)) == 4


@pytest.mark.parametrize("name", NAMES)
def test_the_official_typescript_client_gets_in_too(told: dict[str, str], name: str) -> None:
    """BEARER-1 to BEARER-6; BEARER-7 for the ones with a key."""
    assert told[name].startswith("ok "), told[name]
