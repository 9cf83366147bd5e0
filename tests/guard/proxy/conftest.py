"""A proxy in front of an upstream, both over real sockets; the authority keeps the calls in memory."""

import asyncio
import hashlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import jwt as pyjwt
import pytest
import uvicorn
from jwt.algorithms import ECAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from deputize.cli.passing import Passing
from deputize.cli.serving import Limits, server
from deputize.crypto import jwk_file
from deputize.guard import Guard
from deputize.guard.proxy.app import Proxy
from deputize.guard.proxy.facts import Facts
from deputize.guard.proxy.upstream import Upstream
from deputize.protocol.canonical import Json, b64u
from deputize.protocol.policy import Policy
from deputize.protocol.token import CallToken
from deputize.settings import loads

from ..conftest import AUDIENCE, ISSUER, KEY, Authority, key_of, text_of

TRANSFER: dict[str, Json] = {"amount": 250, "name": "Ada"}
POLICY = """
[site]
name = "Bank"
origin = "https://bank.example"
[api]
audience = "https://bank.example/api"
elsewhere = true
[scopes.pay]
title = "Pay"
[tools.transfer_money]
scopes = ["pay"]
endpoint = "POST /api/transfers"
input_schema = { type = "object", properties = { amount = { type = "integer" }, name = { type = "string" } } }
[tools.close_account]
scopes = ["pay"]
endpoint = "DELETE /api/accounts/{account}"
input_schema = { type = "object", required = ["account"], properties = { account = { type = "string" } } }
[tools.list_transactions]
scopes = ["pay"]
endpoint = "GET /api/transactions"
input_schema = { type = "object", properties = { limit = { type = "integer" } } }
"""


@dataclass
class Came:
    """A request as it came to the upstream."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for each, value in self.headers if each == name]
        assert len(values) < 2
        return values[0] if values else None

    def facts(self) -> dict[str, Any]:
        """Verify what the handler is told, as PROXY-5 says, with a library of somebody else's."""
        text = self.header("deputize-facts")
        assert text is not None
        header = pyjwt.get_unverified_header(text)
        assert header["typ"] == "deputize-facts+jwt"
        public = jwk_file.public(KEY)
        assert header["kid"] == public["kid"]
        key: Any = ECAlgorithm.from_jwk(json.dumps(public))
        claims: dict[str, Any] = pyjwt.decode(text, key, ["ES256"], audience=AUDIENCE)
        assert (claims["htm"], claims["target"]) == (self.method, self.target)
        assert claims["body_s256"] == b64u(hashlib.sha256(self.body).digest())
        return claims


@dataclass
class Site:
    """The proxy, what is in front of it and what is behind it."""

    authority: Authority = field(default_factory=Authority)
    came: list[Came] = field(default_factory=list)
    policy: Policy = field(default_factory=lambda: loads(POLICY.encode()))
    port: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def proxy(self, upstream: str) -> Proxy:
        guard = Guard(ISSUER, AUDIENCE, key_of, self.authority, tools=lambda: self.policy.tools)
        return Proxy(lambda: self.policy, guard, Facts(KEY, AUDIENCE), Upstream.parse(upstream))

    def send(self, method: str, path: str, token: CallToken | None = None, **more: Any) -> httpx2.Response:
        headers = [*more.pop("headers", [])]
        headers += [("Txn-Token", text_of(token))] if token is not None else []
        with httpx2.Client(trust_env=False, timeout=30) as client:
            return client.request(method, self.url + path, headers=headers, **more)

    def transfer(self, **more: Any) -> httpx2.Response:
        token = self.authority.call("transfer_money", TRANSFER)
        return self.send("POST", "/api/transfers", token, json=TRANSFER, **more)

    def raw(self, data: bytes) -> bytes:
        """Send bytes, and return all that comes until the connection is closed from the other side."""
        with closing(socket.create_connection(("127.0.0.1", self.port), 10)) as connection:
            answer = bytearray()
            with suppress(ConnectionError):
                connection.sendall(data)
                while part := connection.recv(65536):
                    answer += part
            return bytes(answer)

    # What runs behind the proxy

    def app(self) -> Starlette:
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        return Starlette(
            routes=[
                Route("/stream", self._stream),
                Route("/upload", self._upload, methods=["POST"]),
                Route("/{path:path}", self._any, methods=methods),
            ]
        )

    async def _any(self, request: Request) -> Response:
        self._note(request, await request.body())
        answer = JSONResponse({"ran": True}, int(request.headers.get("x-answer", "200")))
        answer.headers["Connection"] = "X-Inner"
        answer.headers["X-Inner"] = "secret"
        answer.headers.append("Set-Cookie", "a=1")
        answer.headers.append("Set-Cookie", "b=2")
        return answer

    def _note(self, request: Request, body: bytes) -> None:
        query = request.scope["query_string"].decode()
        target = request.scope["raw_path"].decode() + (f"?{query}" if query else "")
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.scope["headers"]]
        self.came.append(Came(request.method, target, headers, body))

    async def _stream(self, request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            try:
                yield b"data: one\n\n"
                await asyncio.to_thread(self.go_on.wait, 10)
                yield b"data: two\n\n"
                while request.query_params.get("more"):
                    yield b"data: more\n\n"
                    await asyncio.sleep(0)
            finally:
                self.let_go.set()

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _upload(self, request: Request) -> Response:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size:
                self.go_on.set()
        self._note(request, b"")
        return JSONResponse({"size": size})


@contextmanager
def serving(make: Callable[[], uvicorn.Server], listener: socket.socket) -> Iterator[None]:
    """Serve on a socket that listens before anybody connects, so that nobody has to wait."""
    running = make()
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()
    try:
        yield
    finally:
        running.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def behind(site: Site, listener: socket.socket) -> Iterator[None]:
    """Serve the site's own app."""
    config = uvicorn.Config(site.app(), log_config=None, ws="none")
    with serving(lambda: uvicorn.Server(config), listener):
        yield


@contextmanager
def before(site: Site, upstream: str) -> Iterator[Site]:
    """Put a proxy in front of an upstream."""
    listener = socket.create_server(("127.0.0.1", 0))
    site.port = listener.getsockname()[1]
    with serving(lambda: server(site.proxy(upstream), Limits(100), Passing, dated=False), listener):
        yield site


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    site, listener = Site(), socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with behind(site, listener), before(site, url):
        yield site


@pytest.fixture
def site(running: Site) -> Site:
    for remembered in (running.came, running.authority.states, running.authority.log):
        remembered.clear()
    running.authority.away = running.authority.going = False
    running.authority.external_id = None
    running.go_on.clear()
    running.let_go.clear()
    return running
