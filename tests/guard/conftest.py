"""A site with a guarded API, served over HTTP on a free port; its authority keeps the calls in memory."""

import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import httpx2
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from deputize.crypto import jwt
from deputize.guard import Guard, GuardedCall, GuardMiddleware
from deputize.protocol.call import OUTCOMES, State
from deputize.protocol.canonical import Json, args_s256
from deputize.protocol.errors import Code, Refused
from deputize.protocol.ids import CallId, ClientId, GrantId, UserId, make_id
from deputize.protocol.scope import ScopeSet
from deputize.protocol.token import CALL_TYP, CallToken
from deputize.protocol.tool import Schema

ISSUER = "https://bank.example/deputize"
AUDIENCE = "https://bank.example/api"
KEY = generate_private_key(SECP256R1())
KID = "key-1"
TRANSFER: dict[str, Json] = {"amount": 250, "iban": "DE89370400440532013000", "name": "Ada Lovelace"}
QUERY_SCHEMA = Schema(
    {
        "type": "object",
        "properties": {
            "limit": {"type": "integer"},
            "least": {"type": "number"},
            "booked": {"type": "boolean"},
            "text": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "days": {"type": "array", "items": {"type": "integer"}},
            "range": {"type": "object"},
            "either": {"type": ["integer", "null"]},
            "any": {},
            "lists": {"type": "array"},
        },
    }
)


@dataclass
class Authority:
    """Redeems once and takes one outcome, as the real one does. It can be away, or go after a redemption."""

    states: dict[CallId, State] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    revoked: bool = False
    away: bool = False
    going: bool = False
    external_id: str | None = None

    def call(self, tool: str, arguments: Json, **changes: Any) -> CallToken:
        """Approve a call and return what its token says."""
        now = int(time.time())
        token = CallToken(
            call_id=CallId(make_id("cal", secrets.token_bytes(16))),
            user_id=UserId("usr_1"),
            client_id=ClientId("agt_1"),
            grant_id=GrantId("grt_1"),
            tool=tool,
            args_s256=args_s256(arguments),
            scopes=ScopeSet.of(["payments:write"]),
            approval=None,
            entry=7,
            issued_at=now,
            expires_at=now + 30,
        )
        self.states[token.call_id] = State.APPROVED
        return replace(token, **changes)

    async def redeem(self, token: CallToken, text: str, args_s256: str) -> str | None:
        self.log.append("redeem")
        if self.away:
            raise Refused(Code.AUTHORITY_UNAVAILABLE, "Nothing was done: the authority cannot be reached.")
        if self.revoked:
            self.states[token.call_id] = State.DENIED
            raise Refused(Code.GRANT_REVOKED, "The user has revoked this grant.")
        if self.states.get(token.call_id) is not State.APPROVED or token.args_s256 != args_s256:
            raise Refused(Code.CALL_REDEEMED, "This call was executed already.")
        self.states[token.call_id] = State.REDEEMED
        self.away = self.going
        return self.external_id

    async def report(self, call_id: CallId, outcome: State) -> None:
        self.log.append(f"report {outcome}")
        if self.away:
            raise OSError("no route to host")
        if self.states.get(call_id) is not State.REDEEMED or outcome not in OUTCOMES:
            raise Refused(Code.CALL_STATE, "An outcome is for a redeemed call.")
        self.states[call_id] = outcome


def text_of(token: CallToken, issuer: str = ISSUER, audience: str = AUDIENCE) -> str:
    return jwt.sign(token.claims(issuer, audience), CALL_TYP, KID, KEY)


def key_of(kid: str) -> EllipticCurvePublicKey | None:
    return KEY.public_key() if kid == KID else None


@dataclass
class Site:
    """The site as a client sees it, and what its handlers were given."""

    client: httpx2.Client
    authority: Authority
    ran: list[tuple[bytes, Json]]
    afterwards: threading.Event

    def reset(self) -> "Site":
        """Forget everything, for the next test."""
        for remembered in (self.authority.states, self.authority.log, self.ran):
            remembered.clear()
        self.afterwards.clear()
        self.authority.revoked = self.authority.away = self.authority.going = False
        return self

    def send(
        self,
        token: CallToken | str | list[str] | None,
        method: str = "POST",
        path: str = "/api/transfers",
        **more: Any,
    ) -> httpx2.Response:
        """Send a request with this call token (or these, or none) and by default the transfer as its body."""
        texts = token if isinstance(token, list) else [] if token is None else [token]
        headers = [("Txn-Token", text if isinstance(text, str) else text_of(text)) for text in texts]
        headers += more.pop("headers", {}).items()
        if method == "POST" and not more:
            more = {"json": TRANSFER}
        return self.client.request(method, path, headers=headers, **more)

    def refused(self, code: Code, *args: Any, **more: Any) -> httpx2.Response:
        """Send a request that must be refused with this code; nothing runs."""
        before = len(self.ran)
        answer = self.send(*args, **more)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == code
        assert len(self.ran) == before
        return answer


@dataclass
class Handlers:
    """The site's own code: it writes down what it was given, and knows of guards only `request.state`."""

    authority: Authority
    ran: list[tuple[bytes, Json]] = field(default_factory=list)
    afterwards: threading.Event = field(default_factory=threading.Event)

    async def run(self, request: Request) -> Response:
        self.ran.append((await request.body(), request.state.deputize.arguments))
        call = request.state.deputize
        told = {"call_id": call.call_id, "user": call.user_id, "agent": call.client_id}
        return JSONResponse({**told, "external_id": call.external_id})

    async def answer(self, request: Request) -> Response:
        """Answer as the arguments say."""
        arguments = request.state.deputize.arguments
        self.ran.append((b"", arguments))
        match arguments["how"]:
            case "raise":
                raise ValueError("a mistake of the site")
            case "http":
                raise HTTPException(arguments["status"])
            case "stream":
                return StreamingResponse(self.chunks(arguments.get("broken", False)))
            case "background":
                return PlainTextResponse("done", background=BackgroundTask(self.afterwards.set))
            case "headers":
                answer = PlainTextResponse("done", headers={"X-Site": "yes"})
                answer.set_cookie("a", "b")
                return answer
        return PlainTextResponse("answer", arguments["status"])

    async def chunks(self, broken: bool) -> AsyncIterator[bytes]:
        for number in range(3):
            self.authority.log.append(f"chunk {number}")
            if broken and number == 2:
                raise ValueError("a mistake of the site")
            yield b"x" * 10


PATHS = {
    ("POST", "/api/transfers"): "transfer_money",
    ("GET", "/api/transactions"): "list_transactions",
    ("POST", "/api/answer"): "answer",
}


def decorated(handlers: Handlers, guard: Guard) -> ASGIApp:
    run, answer = handlers.run, handlers.answer
    tool = guard.tool

    async def from_the_path(request: Request) -> dict[str, Json]:
        return {"account": request.path_params["id"], **await request.json()}

    def not_json(request: Request) -> Any:
        return {"account": object()}

    @tool("transfer_money")
    async def transfer_money(request: Request) -> Response:
        """Send money."""
        return await run(request)

    assert transfer_money.__doc__ == "Send money."
    return Starlette(
        routes=[
            Route("/api/transfers", transfer_money, methods=["POST"]),
            Route("/api/transactions", tool("list_transactions")(run)),
            Route("/api/answer", tool("answer")(answer), methods=["POST"]),
            Route(
                "/api/accounts/{id}/close", tool("close_account", args=from_the_path)(run), methods=["POST"]
            ),
            Route("/api/accounts/{id}/forgotten", tool("close_account")(run), methods=["POST"]),
            Route("/api/not-json", tool("close_account", args=not_json)(run), methods=["POST"]),
        ]
    )


def wrapped(handlers: Handlers, guard: Guard) -> ASGIApp:
    return Starlette(
        routes=[
            Route("/api/transfers", handlers.run, methods=["POST"]),
            Route("/api/transactions", handlers.run),
            Route("/api/answer", handlers.answer, methods=["POST"]),
            Route("/api/open", lambda request: PlainTextResponse("open"), methods=["GET", "POST"]),
        ],
        middleware=[Middleware(GuardMiddleware, guard=guard, routes=PATHS)],
    )


def depended(handlers: Handlers, guard: Guard) -> ASGIApp:
    app = FastAPI(lifespan=guard.lifespan)

    @app.post("/api/transfers")
    async def transfer(
        request: Request, call: Annotated[GuardedCall, Depends(guard("transfer_money"))]
    ) -> Response:
        assert call is request.state.deputize
        return await handlers.run(request)

    @app.api_route(
        "/api/transactions", methods=["GET", "HEAD"], dependencies=[Depends(guard("list_transactions"))]
    )
    async def transactions(request: Request) -> Response:
        return await handlers.run(request)

    @app.post("/api/answer", dependencies=[Depends(guard("answer"))])
    async def answer(request: Request) -> Response:
        return await handlers.answer(request)

    return app


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an app on a free port. The socket listens before anybody connects, so nobody has to wait."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def site_of(app: ASGIApp, handlers: Handlers) -> Iterator[Site]:
    # Each request has its own connection: a server closes those on which a handler failed.
    limits = httpx2.Limits(max_keepalive_connections=0)
    with (
        served(app) as url,
        httpx2.Client(base_url=url, limits=limits, trust_env=False, timeout=30) as client,
    ):
        yield Site(client, handlers.authority, handlers.ran, handlers.afterwards)


WAYS: dict[str, Callable[[Handlers, Guard], ASGIApp]] = {
    "decorator": decorated,
    "middleware": wrapped,
    "dependency": depended,
}


@pytest.fixture(scope="session")
def sites() -> Iterator[dict[str, Site]]:
    with ExitStack() as stack:
        found = {}
        for name, build in WAYS.items():
            handlers = Handlers(Authority())
            guard = Guard(ISSUER, AUDIENCE, key_of, handlers.authority, {"list_transactions": QUERY_SCHEMA})
            found[name] = stack.enter_context(site_of(build(handlers, guard), handlers))
        yield found


@pytest.fixture(params=["decorator", "middleware", "dependency"])
def site(request: pytest.FixtureRequest, sites: dict[str, Site]) -> Site:
    """All ways to guard an API; they must not differ."""
    return sites[request.param].reset()


@pytest.fixture
def decorated_site(sites: dict[str, Site]) -> Site:
    return sites["decorator"].reset()


@pytest.fixture
def wrapped_site(sites: dict[str, Site]) -> Site:
    return sites["middleware"].reset()
