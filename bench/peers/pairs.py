"""Pairs over MCP, a challenge and the approved call, as one person's clients do them with any server of SEP-2672."""

import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Self

import httpx2
import orjson
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

import deputize
from deputize.app import HandledCall
from deputize.log.log import Log
from deputize.protocol.canonical import Json
from deputize.testing.authenticator import SoftAuthenticator
from deputize.web.mcp.offers import ANNOTATION

from ..client import Connection, Load, closed_loop, post
from .programs import free_port, running

TOOL = "place_trade"
_VERSION = "2025-11-25"
_ACCEPT = {"accept": "text/event-stream"}  # beside the `application/json` of every request of the bench
_POLICY = """
[site]
name = "Bench"
origin = "{origin}"

[mcp]
single_user = "ada"

[scopes.trade]
title = "Trade"

[quotas]
entries = false

[tools.place_trade]
scopes = ["trade"]
approval = "always"
describe = "{{{{ side }}}} {{{{ quantity }}}} {{{{ symbol }}}} at {{{{ limit }}}}"

[tools.place_trade.input_schema]
type = "object"
required = ["symbol", "side", "quantity", "limit"]
additionalProperties = false

[tools.place_trade.input_schema.properties]
symbol = {{ type = "string", minLength = 1 }}
side = {{ type = "string", enum = ["buy", "sell"] }}
quantity = {{ type = "number", exclusiveMinimum = 0 }}
limit = {{ type = "number", exclusiveMinimum = 0 }}
"""


@dataclass(frozen=True, slots=True)
class OneUser:
    """Our own server, for one person on this machine (MCP-4), with the tool of the proposal's demonstration."""

    folder: Path

    def __call__(self, origin: str) -> ASGIApp:
        """Build it for this origin."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "deputize.toml"
        path.write_text(_POLICY.format(origin=origin), encoding="utf-8")
        log = Log(os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb"))
        authority = deputize.Deputize(deputize.load(path), self.folder / "data", log=log)

        @authority.handler(TOOL)
        async def place_trade(arguments: dict[str, Json], call: HandledCall) -> object:
            return {"placed": arguments["symbol"]}

        routes = [*authority.well_known_routes(), Mount("/deputize", authority)]
        return Starlette(routes=routes, lifespan=authority.lifespan)


@contextmanager
def proposals(sep: Path, folder: Path, node: str) -> Iterator[str]:
    """Run the proposal's own server from its checkout, built; yield its origin. Its words go to `folder`."""
    port = free_port()
    start = f'import("./src/index.ts").then((server) => server.startServer({port}))'
    with running([node, "--import", "tsx", "-e", start], sep / "server", port, folder):
        yield f"http://localhost:{port}"


@dataclass
class Client:
    """One client of MCP, with a session where the server has such, and a passkey that it has enrolled."""

    origin: str
    path: str
    device: SoftAuthenticator
    session: dict[str, str]
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @classmethod
    async def connects(cls, origin: str, path: str, shown_at: str) -> Self:
        """Open a session and enroll a passkey; RuntimeError if that fails. `shown_at`: the origin of the page."""
        client = cls(origin, path, SoftAuthenticator(shown_at, ("usb",)), {"mcp-protocol-version": _VERSION})
        async with httpx2.AsyncClient(base_url=origin) as http:
            hello = {
                "protocolVersion": _VERSION,
                "capabilities": {},
                "clientInfo": {"name": "x", "version": "1"},
            }
            answer = await client._ask(http, "initialize", hello)
            if "mcp-session-id" in answer.headers:
                client.session["mcp-session-id"] = answer.headers["mcp-session-id"]
            begun = result(await (await client._ask(http, "approval/enroll/begin", {})).aread())
            made = client.device.create(begun["options"])
            result(await (await client._ask(http, "approval/enroll/finish", {"response": made})).aread())
        return client

    async def pair(self, connection: Connection) -> float:
        """Ask for a challenge, sign it, and call; return the seconds that the two requests took."""
        trade = {"symbol": "AAPL", "side": "buy", "quantity": next(self._numbers), "limit": 10}
        request = self._message("approval/challenge/create", {"toolName": TOOL, "arguments": trade})
        started = time.perf_counter()
        answer = await connection.send(request, b"200")
        took = time.perf_counter() - started
        envelope = result(answer)
        evidence = {
            "method": "webauthn",
            "challengeId": envelope["challengeId"],
            "response": self.device.get(envelope["requestOptions"]),
        }
        params = {"name": TOOL, "arguments": trade, "_meta": {ANNOTATION: evidence}}
        request = self._message("tools/call", params)
        started = time.perf_counter()
        answer = await connection.send(request, b"200")
        took += time.perf_counter() - started
        if result(answer).get("isError"):
            raise RuntimeError(answer.decode(errors="replace"))
        return took

    async def _ask(self, http: httpx2.AsyncClient, method: str, params: dict[str, Any]) -> httpx2.Response:
        accept = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        message = self._body(method, params)
        answer = await http.post(self.path, content=message, headers={**accept, **self.session})
        if answer.status_code != 200:
            raise RuntimeError(answer.text)
        return answer

    def _message(self, method: str, params: dict[str, Any]) -> bytes:
        return post(self.origin, self.path, {**_ACCEPT, **self.session}, self._body(method, params))

    def _body(self, method: str, params: dict[str, Any]) -> bytes:
        return orjson.dumps({"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params})


def result(answer: bytes) -> dict[str, Any]:
    """Read the result of an answer, which is JSON or one event of a stream; RuntimeError if it is an error."""
    events = [line for line in answer.splitlines() if line.startswith(b"data: {")]
    told: dict[str, Any] = orjson.loads(events[0].removeprefix(b"data: ") if events else answer)
    if "result" not in told:
        raise RuntimeError(answer.decode(errors="replace"))
    found: dict[str, Any] = told["result"]
    return found


async def load(origin: str, clients: list[Client], seconds: float) -> Load:
    """Have each of the clients do one pair after the other, each over a connection of its own."""
    steps: list[Callable[[Connection], Awaitable[float | None]]] = [client.pair for client in clients]
    return await closed_loop(origin, steps, seconds)
