"""Whatever reaches a guarded handler carried a call token, however its request is spelled (GUARD-7)."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Annotated, Any
from urllib.parse import quote, unquote

import pytest
from fastapi import APIRouter, Depends, FastAPI
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deputize.guard import Guard, GuardedCall, GuardMiddleware
from deputize.protocol.canonical import Json, canonicalize

from .conftest import AUDIENCE, ISSUER, QUERY_SCHEMA, Authority, key_of, text_of

PATHS = [
    "/api/transfers",
    "/m/n/api/transfers",
    "/accounts/7/close",
    "/in/cluded/transfers",
    "/list",
    "/class",
    "/probe",
    "/v1/api/transfers",
]
METHODS = ["POST", "GET", "HEAD", "PUT", "post", "Get", "OPTIONS"]
ROOTS = ["", "/api", "/m", "/m/n", "/accounts"]
HOSTS = ["bank.example", "api.bank.example", "BANK.example"]
KIN = [
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\x85",
    "\u2028",
    "/",
    "//",
    "/.",
    "/..",
    "/./",
    "%2F",
    "%0A",
    "%252F",
    ";a",
    " ",
    "?",
    "#",
    "\\",
]


@dataclass
class Ledger:
    """What ran, and whether the request of now carries a token."""

    ran: list[str] = field(default_factory=list)

    async def write(self, request: Request) -> Response:
        self.ran.append(request.url.path)
        return PlainTextResponse("done")


async def whatever(request: Request) -> Response:
    return PlainTextResponse("nothing of value")


async def account(request: Request) -> dict[str, Json]:
    return {"account": request.path_params["id"]}


class Rewriting:
    """A site's own middleware, behind the guard: versions in paths, methods in headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            said = dict(scope["headers"])
            path = scope["path"]
            scope = {
                **scope,
                "path": path.removeprefix("/v1") if path.startswith("/v1/") else path,
                "method": said.get(b"x-method", scope["method"].encode()).decode(),
            }
        await self.app(scope, receive, send)


BEHIND = [Middleware(Rewriting)]
ANY = Route("/{rest:path}", whatever, methods=["GET", "POST"])


def starlette_decorated(guard: Guard, ledger: Ledger) -> ASGIApp:
    tool, write = guard.tool, ledger.write
    inner = Mount("/n", routes=[Route("/api/transfers", tool("pay")(write), methods=["POST"])])
    here = [
        Route("/api/transfers", tool("pay")(write), methods=["POST"]),
        Mount("/m", routes=[inner]),
        Route("/accounts/{id}/close", tool("close", account)(write), methods=["POST", "PUT"]),
        Route("/list", tool("list")(write)),
        ANY,
    ]
    return Starlette(routes=[Host("api.bank.example", Starlette(routes=here)), *here], middleware=BEHIND)


def starlette_wrapped(guard: Guard, ledger: Ledger) -> ASGIApp:
    class Class(HTTPEndpoint):
        async def post(self, request: Request) -> Response:
            return await ledger.write(request)

        async def get(self, request: Request) -> Response:
            return await ledger.write(request)

    write = ledger.write
    inner = Mount("/n", routes=[Route("/api/transfers", write, methods=["POST"])])
    here = [
        Route("/api/transfers", write, methods=["POST"]),
        Mount("/m", routes=[inner]),
        Route("/accounts/{id}/close", write, methods=["POST", "PUT"]),
        Route("/list", write),
        Route("/class", Class),
        Route("/probe", write, methods=["HEAD"]),
        ANY,
    ]
    named: Any = {
        ("POST", "/api/transfers"): "pay",
        ("POST", "/m/n/api/transfers"): "pay",
        ("POST", "/accounts/{id}/close"): ("close", account),
        ("PUT", "/accounts/{id}/close"): ("close", account),
        ("GET", "/list"): "list",
        ("GET", "/class"): "list",
        ("HEAD", "/probe"): "list",
        ("POST", "/class"): "pay",
    }
    return Starlette(
        routes=[Host("api.bank.example", Starlette(routes=here)), *here],
        middleware=[Middleware(GuardMiddleware, guard, named), *BEHIND],
    )


def fastapi_depending(guard: Guard, ledger: Ledger) -> ASGIApp:
    app, router, below = FastAPI(middleware=BEHIND), APIRouter(), FastAPI()

    @app.post("/api/transfers")
    @below.post("/n/api/transfers")
    @router.post("/transfers")
    async def pay(request: Request, call: Annotated[GuardedCall, Depends(guard("pay"))]) -> Response:
        return await ledger.write(request)

    @app.api_route("/accounts/{id}/close", methods=["POST", "PUT"])
    def close(request: Request, call: Annotated[GuardedCall, Depends(guard("close", account))]) -> str:
        ledger.ran.append(request.url.path)
        return "done"

    @app.api_route("/list", methods=["GET", "HEAD"], dependencies=[Depends(guard("list"))])
    async def listed(request: Request) -> Response:
        return await ledger.write(request)

    app.mount("/m", below)
    app.include_router(router, prefix="/in/cluded")
    app.router.routes.append(ANY)
    return app


def fastapi_decorated(guard: Guard, ledger: Ledger) -> ASGIApp:
    app, router, below = FastAPI(middleware=BEHIND), APIRouter(), FastAPI()

    @app.post("/api/transfers")
    @below.post("/n/api/transfers")
    @router.post("/transfers")
    @guard.tool("pay")
    async def pay(request: Request) -> dict[str, str]:
        await ledger.write(request)
        return {"done": "yes"}

    app.mount("/m", below)
    app.include_router(router, prefix="/in/cluded")
    app.router.routes.append(ANY)
    return app


def fastapi_wrapped(guard: Guard, ledger: Ledger) -> ASGIApp:
    named = dict.fromkeys(
        [("POST", "/api/transfers"), ("POST", "/m/n/api/transfers"), ("POST", "/in/cluded/transfers")], "pay"
    )
    app = FastAPI(middleware=[Middleware(GuardMiddleware, guard, named), *BEHIND])
    router, below = APIRouter(), FastAPI()

    @app.post("/api/transfers")
    @below.post("/n/api/transfers")
    @router.post("/transfers")
    async def pay(request: Request) -> Response:
        return await ledger.write(request)

    app.mount("/m", below)
    app.include_router(router, prefix="/in/cluded")
    app.router.routes.append(ANY)
    return app


APPS: list[Callable[[Guard, Ledger], ASGIApp]] = [
    starlette_decorated,
    starlette_wrapped,
    fastapi_decorated,
    fastapi_depending,
    fastapi_wrapped,
]


@dataclass
class Site:
    """One app, its guard and what ran in it."""

    app: ASGIApp
    authority: Authority
    ledger: Ledger
    loop: asyncio.Runner

    def ask(
        self, raw: str, method: str = "POST", root: str = "", host: str = "", token: str = "", said: str = ""
    ) -> int:
        """Send a request as a server would hand it on; return the status."""
        path, _, query = raw.partition("?")
        headers = {"host": host or HOSTS[0], "txn-token": token, "x-method": said}
        if method not in ("GET", "HEAD"):
            headers["content-type"] = "application/json"
        scope = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "https",
            "server": ("bank.example", 443),
            "method": method,
            "root_path": root,
            "path": unquote(path),
            "raw_path": quote(path, safe="/%").encode(),
            "query_string": quote(query, safe="%=&").encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
            "extensions": {},
        }
        return self.loop.run(self._run(scope, b"" if method in ("GET", "HEAD") else canonicalize({})))

    async def _run(self, scope: Scope, body: bytes) -> int:
        statuses: list[int] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self.app(scope, receive, send)
        return statuses[0]


@pytest.fixture(scope="module", params=APPS, ids=lambda build: build.__name__)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    authority, ledger = Authority(), Ledger()
    guard = Guard(ISSUER, AUDIENCE, key_of, authority, {"list": QUERY_SCHEMA})
    with asyncio.Runner() as loop:
        yield Site(request.param(guard, ledger), authority, ledger, loop)


def spelled(path: str) -> set[str]:
    """Return the kin of a path: what somebody would try who looks for a way around its guard."""
    ends = {path + kin for kin in KIN} | {path + quote(kin) for kin in KIN} | {kin + path for kin in KIN}
    inside = {path.replace("/", slashes, 2) for slashes in ("//", "/./", "/x/../", "%2F", "/%2e/", "/\n")}
    letters = {path.upper(), path.title(), path.swapcase(), quote(path, safe=""), path.replace("a", "%61")}
    return (
        {path} | ends | inside | letters | {f"https://bank.example{path}", path[:-1] + f"%{ord(path[-1]):X}"}
    )


@pytest.mark.parametrize("path", PATHS)
def test_no_spelling_goes_past(site: Site, path: str) -> None:
    for raw, method in product(sorted(spelled(path)), METHODS[:5]):
        site.ask(raw, method)
        assert site.ledger.ran == [], (method, raw)
    for raw, host, root in product([path, f"{path}\n", f"{path}/"], HOSTS, ROOTS):
        site.ask(raw, "POST", root, host)
        site.ask(root + raw, "POST", root, host)
        site.ask(raw, "PUT", root, host, said="POST")
        assert site.ledger.ran == [], (host, root, raw)


EDIT = st.tuples(st.integers(0, 30), st.sampled_from([*KIN, *map(quote, KIN), "a", "A", "%61", "1"]))


@settings(max_examples=150, deadline=None)
@given(
    path=st.sampled_from(PATHS),
    edits=st.lists(EDIT, max_size=4),
    encoded=st.sets(st.integers(0, 30), max_size=4),
    method=st.sampled_from(METHODS),
    said=st.sampled_from(["", *METHODS]),
    root=st.sampled_from(ROOTS),
    host=st.sampled_from(HOSTS),
    tool=st.sampled_from(["", "pay", "close", "list"]),
)
@example(
    path=PATHS[0], edits=[(30, "%0A")], encoded=set(), method="POST", said="", root="", host=HOSTS[0], tool=""
)
def test_what_runs_carried_a_token(
    site: Site,
    path: str,
    edits: list[tuple[int, str]],
    encoded: set[int],
    method: str,
    said: str,
    root: str,
    host: str,
    tool: str,
) -> None:
    raw = "".join(f"%{ord(c):02X}" if at in encoded and c.isascii() else c for at, c in enumerate(path))
    for at, inserted in edits:
        raw = raw[:at] + inserted + raw[at:]
    arguments: dict[str, Json] = {"account": "7"} if tool == "close" else {}
    token = site.authority.call(tool, arguments) if tool else None
    site.ledger.ran.clear()
    site.ask(raw, method, root, host, text_of(token) if token else "", said)
    redeemed = token is not None and site.authority.log[-2:-1] == ["redeem"]
    assert len(site.ledger.ran) <= redeemed, (method, raw)
    site.ledger.ran.clear()
    site.authority.log.clear()


def test_the_routes_that_are_spelled_are_there(site: Site) -> None:
    """What goes past nothing would go past the guard as well: each app does what it is for."""
    assert site.ask("/api/transfers", token=text_of(site.authority.call("pay", {}))) == 200
    assert site.ask("/api/transfers") == 401
    assert site.ask("/api/transfers%0A") == 400
    assert site.ask("/anything") == 200
    assert len(site.ledger.ran) == 1
    site.ledger.ran.clear()
