"""One suite for all guards, each in its framework's own server, over real HTTP (GUARD-1 to GUARD-9, ENDPOINT-1)."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from deputize.cli.passing import Passing
from deputize.cli.serving import Limits, server
from deputize.crypto import jwt
from deputize.guard import Guard, GuardMiddleware, HttpRedeemer
from deputize.guard.proxy.app import Proxy
from deputize.guard.proxy.facts import Facts
from deputize.guard.proxy.upstream import Upstream
from deputize.protocol.canonical import s256
from deputize.protocol.policy import Policy
from deputize.settings import loads

from .conformance import CASES, GUARD_KEY, VECTORS, Guarded, StubAuthority, keyfile, policy_of
from .conftest import served
from .proxy.conftest import serving

ROOT = Path(__file__).parent.parent.parent


Called = tuple[str, dict[str, Any]]


def routes_of(policy: Policy, call_of: Callable[[Request], Awaitable[Called]]) -> list[Route]:
    """Return the site of the vectors for Starlette, whose handlers find the call by this."""
    ran: list[dict[str, Any]] = []

    async def run(request: Request) -> Response:
        tool, arguments = await call_of(request)
        ran.append({"tool": tool, "arguments": arguments})
        how = arguments.get("how")
        if how == "raise":
            raise ValueError("a mistake of the site")
        if how in ("stream", "broken"):
            return StreamingResponse(parts(how == "broken"))
        return JSONResponse(arguments, int(how or 200))

    async def parts(broken: bool) -> Any:
        yield b"one"
        if broken:
            raise ValueError("a mistake of the site")
        yield b"two"

    def listing(request: Request) -> Response:
        return JSONResponse(ran)

    there = dict.fromkeys((each.path, each.method) for each, _ in policy.endpoints())
    guarded = [Route(path, run, methods=[method]) for path, method in there]
    return [*guarded, Route("/api/transfers", lambda request: JSONResponse([])), Route("/ran", listing)]


@contextmanager
def asgi(authority: StubAuthority, folder: Path) -> Iterator[int]:
    """Starlette under uvicorn, guarded by the policy's endpoints."""
    policy = loads(policy_of(authority).encode())
    redeemer = HttpRedeemer(authority.issuer, GUARD_KEY)
    guard = Guard(
        authority.issuer,
        VECTORS["audience"],
        redeemer.key_of,
        redeemer,
        tools=lambda: policy.tools,
        endpoints=policy.endpoints,
    )

    async def call_of(request: Request) -> Called:
        call = request.state.deputize
        return call.tool, call.arguments

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await redeemer.aclose()

    routes = routes_of(policy, call_of)
    app = Starlette(routes=routes, middleware=[Middleware(GuardMiddleware, guard=guard)], lifespan=lifespan)
    with served(app) as url:
        yield int(url.rpartition(":")[2])


@contextmanager
def gunicorn(site: str, authority: StubAuthority, folder: Path) -> Iterator[int]:
    """Serve a site under gunicorn."""
    policy = folder / "deputize.toml"
    policy.write_text(policy_of(authority))
    environ = os.environ | {"POLICY": str(policy), "KEY": str(keyfile(folder))}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [sys.executable, "-m", "gunicorn", f"tests.guard.sites.{site}:app"]
        command += ["--bind", f"fd://{listener.fileno()}", "--threads", "4", "--log-level", "error"]
        command += ["--no-control-socket"]
        with subprocess.Popen(command, cwd=ROOT, env=environ, pass_fds=[listener.fileno()]) as process:
            try:
                yield listener.getsockname()[1]
            finally:
                process.terminate()


@contextmanager
def uvicorn(authority: StubAuthority, folder: Path) -> Iterator[int]:
    """Serve Django by ASGI, under uvicorn."""
    policy = folder / "deputize.toml"
    policy.write_text(policy_of(authority))
    environ = os.environ | {"POLICY": str(policy), "KEY": str(keyfile(folder))}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "tests.guard.sites.django_site:asgi",
            "--log-level",
            "critical",
        ]
        command += ["--fd", str(listener.fileno()), "--no-access-log"]
        with subprocess.Popen(command, cwd=ROOT, env=environ, pass_fds=[listener.fileno()]) as process:
            try:
                yield listener.getsockname()[1]
            finally:
                process.terminate()


@contextmanager
def node(authority: StubAuthority, folder: Path) -> Iterator[int]:
    """Serve the site of `js/interop/conformance.js`, by Node's own server."""
    options: dict[str, Any] = {"issuer": authority.issuer, "audience": VECTORS["audience"]}
    schemas = {name: tool["input_schema"] for name, tool in VECTORS["tools"].items()}
    endpoints = {name: tool["endpoint"] for name, tool in VECTORS["tools"].items()}
    options |= {"schemas": schemas, "endpoints": endpoints}
    given = json.dumps({**options, "key": json.loads(keyfile(folder).read_text())})
    command = ["node", "interop/conformance.js", given]
    with subprocess.Popen(command, cwd=ROOT / "js", stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield json.loads(process.stdout.readline())["port"]
        finally:
            process.kill()


@contextmanager
def proxy(authority: StubAuthority, folder: Path) -> Iterator[int]:
    """Put the proxy before a site that verifies what it is told (PROXY-5)."""
    policy = loads(policy_of(authority).encode())
    # Nobody closes what the proxy asks by before its process ends: so no connection is kept here.
    client = httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0))
    redeemer = HttpRedeemer(authority.issuer, GUARD_KEY, client)
    guard = Guard(
        authority.issuer, VECTORS["audience"], redeemer.key_of, redeemer, tools=lambda: policy.tools
    )

    async def call_of(request: Request) -> Called:
        told = jwt.parse(request.headers["deputize-facts"])
        facts: Any = jwt.check(told, GUARD_KEY.public_key())
        query = request.scope["query_string"].decode()
        target = request.scope["raw_path"].decode() + (f"?{query}" if query else "")
        assert (facts["htm"], facts["target"]) == (request.method, target)
        assert facts["body_s256"] == s256(await request.body())
        return facts["tool"], facts["arguments"]

    behind = Starlette(routes=routes_of(policy, call_of))
    listener = socket.create_server(("127.0.0.1", 0))
    with served(behind) as url:
        front = Proxy(lambda: policy, guard, Facts(GUARD_KEY, VECTORS["audience"]), Upstream.parse(url))
        with serving(lambda: server(front, Limits(100), Passing, dated=False), listener):
            yield listener.getsockname()[1]


GUARDS: dict[str, Callable[[StubAuthority, Path], Any]] = {
    "asgi": asgi,
    "flask": lambda authority, folder: gunicorn("flask_site", authority, folder),
    "django": lambda authority, folder: gunicorn("django_site", authority, folder),
    "django-asgi": uvicorn,
    "node": node,
    "proxy": proxy,
}


@pytest.fixture(scope="module", params=list(GUARDS))
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with ExitStack() as stack:
        authority = stack.enter_context(StubAuthority().serving())
        folder = tmp_path_factory.mktemp(request.param)
        port = stack.enter_context(GUARDS[request.param](authority, folder))
        yield Guarded(port, authority)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_guard_does_what_the_vectors_say(guarded: Guarded, case: dict[str, Any]) -> None:
    guarded.play(case)
