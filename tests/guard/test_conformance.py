"""One suite for all guards, each in its framework's own server, over real HTTP (GUARD-1 to GUARD-9, ENDPOINT-1)."""

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from deputize.guard import Guard, GuardMiddleware, HttpRedeemer
from deputize.settings import loads

from .conformance import CASES, GUARD_KEY, VECTORS, Guarded, StubAuthority, keyfile, policy_of
from .conftest import served

ROOT = Path(__file__).parent.parent.parent


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
    ran: list[dict[str, Any]] = []

    async def run(request: Request) -> Response:
        call = request.state.deputize
        ran.append({"tool": call.tool, "arguments": call.arguments})
        how = call.arguments.get("how")
        if how == "raise":
            raise ValueError("a mistake of the site")
        if how in ("stream", "broken"):
            return StreamingResponse(parts(how == "broken"))
        return JSONResponse(call.arguments, int(how or 200))

    async def parts(broken: bool) -> Any:
        yield b"one"
        if broken:
            raise ValueError("a mistake of the site")
        yield b"two"

    def listing(request: Request) -> Response:
        return JSONResponse(ran)

    routes = [Route(each.path, run, methods=[each.method]) for each, _ in policy.endpoints()]
    routes += [Route("/api/transfers", lambda request: JSONResponse([])), Route("/ran", listing)]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await redeemer.aclose()

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


GUARDS: dict[str, Callable[[StubAuthority, Path], Any]] = {
    "asgi": asgi,
    "flask": lambda authority, folder: gunicorn("flask_site", authority, folder),
    "django": lambda authority, folder: gunicorn("django_site", authority, folder),
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
