"""An MCP app that knows no proof of possession, in every detail of which a test may get something wrong."""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deputize.protocol.canonical import b64u
from deputize.testing.page import Page
from deputize.testing.server import Site

if TYPE_CHECKING:
    from tests.bank import Bank

READ = "account:read"
LOOPBACK = "http://127.0.0.1:4711/callback"
CALLBACK = "https://app.example/callback"


@dataclass
class Home:
    """Where the documents of apps are."""

    origin: str = ""
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def publish(self, name: str = "app", **change: Any) -> str:
        """Publish an app's document with these changes, and return its client id."""
        client_id = f"{self.origin}/{name}.json"
        self.documents[name] = {
            "client_id": client_id,
            "client_name": "Any App",
            "redirect_uris": ["http://127.0.0.1/callback", "http://localhost:3030/cb", CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
            **change,
        }
        return client_id

    async def serve(self, request: Request) -> Response:
        self.fetched.append(request.url.path)
        return JSONResponse(self.documents[request.path_params["name"]])


@contextmanager
def home() -> Iterator[Home]:
    """Serve documents."""
    here = Home()
    with Site(lambda _: Starlette(routes=[Route("/{name}.json", here.serve)])) as site:
        here.origin = site.url
        here.publish()
        yield here


@dataclass
class App:
    """An app at the bank. Parameters that a test gives as None are left out."""

    bank: "Bank"
    client_id: str
    redirect_uri: str = LOOPBACK
    verifier: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)

    @property
    def mcp(self) -> str:
        return f"{self.bank.issuer}/mcp"

    def url(self, scope: str | None = READ, **changed: Any) -> str:
        """Return where the app sends its user's browser."""
        self.verifier = b64u(secrets.token_bytes(32))
        said = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            "state": "st&=ate",
            "code_challenge": b64u(hashlib.sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
            "resource": self.mcp,
            **changed,
        }
        query = urlencode({name: value for name, value in said.items() if value is not None}, doseq=True)
        return f"{self.bank.issuer}/authorize?{query}"

    async def arrives(self, page: Page, scope: str | None = READ, **changed: Any) -> httpx2.Response:
        """Send the user's browser there."""
        return await page.http.get(self.url(scope, **changed))

    async def asks(self, page: Page, scope: str | None = READ, **changed: Any) -> dict[str, str]:
        """Ask this user, who agrees; return what the redirect brings."""
        there = await self.arrives(page, scope, **changed)
        assert there.status_code == 303, there.text
        answer = await page.authorize(there.headers["location"])
        assert answer.status_code == 200, answer.text
        where = answer.json()["redirect_to"]
        assert where.startswith(changed.get("redirect_uri", self.redirect_uri) + "?")
        return dict(parse_qsl(urlsplit(where).query))

    async def post(
        self, path: str, form: dict[str, Any], headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        said = {
            name: value for name, value in {"client_id": self.client_id, **form}.items() if value is not None
        }
        async with self.bank.client() as http:
            answer = await http.post(self.bank.issuer + path, data=said, headers=headers or {})
        if path == "/token" and answer.status_code == 200:
            self.tokens = answer.json()
        return answer

    async def collect(self, code: str, /, headers: Any = None, **changed: Any) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            "resource": self.mcp,
        }
        return await self.post("/token", {**form, **changed}, headers)

    async def refresh(self, headers: Any = None, **changed: Any) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": self.tokens.get("refresh_token")}
        return await self.post("/token", {**form, "resource": self.mcp, **changed}, headers)

    async def deputized(self, page: Page, scope: str | None = READ, **changed: Any) -> "App":
        """Get a delegation of this user."""
        answer = await self.collect((await self.asks(page, scope, **changed))["code"])
        assert answer.status_code == 200, answer.text
        return self

    async def send(self, message: Any, scheme: str = "Bearer", token: str | None = None) -> httpx2.Response:
        """Send one message of MCP."""
        headers = {
            "authorization": f"{scheme} {token or self.tokens['access_token']}",
            "accept": "application/json, text/event-stream",
        }
        async with self.bank.client() as http:
            return await http.post(self.mcp, json=message, headers=headers)


def taken_back(answer: httpx2.Response) -> tuple[str, dict[str, str]]:
    """Return where a browser is sent with an answer, and what it takes there."""
    assert answer.status_code == 303, answer.text
    where, _, query = answer.headers["location"].partition("?")
    return where, dict(parse_qsl(query))
