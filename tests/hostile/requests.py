"""One good request for every operation, caught as it goes out, and the authority as it was at that moment.

A caught request can be sent again and again, grown or as it is: whatever it changes is undone. So an endpoint that the
tour of `tests/web/test_openapi.py` visits is tried in each dimension, and there is nothing to write for it.
"""

import asyncio
import io
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode

import httpx2
import orjson
from tests.bank import POLICY, Bank, mounted, opened
from tests.crypto.signer import COVERED, sign
from tests.hostile.growth import TRIES, Hold, Stopwatch
from tests.tickets import users_table
from tests.web.agents import ALL, CALLBACK, ERRAND, HELPER, LOCAL, Client, new_key, with_agents
from tests.web.test_openapi import template_of, tour

from deputize import settings
from deputize.agent import AgentKey
from deputize.app import Deputize
from deputize.log.log import Log
from deputize.service.ports import Tx
from deputize.testing.page import Page

T = TypeVar("T")
Headers = tuple[tuple[bytes, bytes], ...]
_SERIAL = count()
JSON, FORM = b"application/json", b"application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire. Names of headers are in lower case."""

    method: str
    path: str
    query: bytes = b""
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: bytes) -> bytes:
        """Return the value of a header, empty if there is none."""
        return next((value for known, value in self.headers if known == name), b"")

    def having(self, name: bytes, value: bytes) -> "Request":
        """Return the same with this header in place of what it has under its name."""
        others = tuple(header for header in self.headers if header[0] != name)
        return replace(self, headers=(*others, (name, value)))

    @property
    def kind(self) -> bytes:
        """Return the media type of its body, empty if there is none."""
        return self.header(b"content-type").partition(b";")[0] if self.body else b""


@dataclass(frozen=True)
class Caught:
    """A request that was good, and where the data lie as they were before it."""

    request: Request
    data: Path


@dataclass
class Net:
    """Catches the first request of each kind on its way, and keeps those that turn out to be good."""

    bank: Bank
    folder: Path
    caught: dict[str, Caught] = field(default_factory=dict)
    _tried: dict[str, Caught] = field(default_factory=dict)

    async def request(self, sent: httpx2.Request) -> None:
        """Note a request before it is sent."""
        headers = tuple((name.lower(), value) for name, value in sent.headers.raw)
        path, _, query = sent.url.raw_path.partition(b"?")
        request = Request(sent.method, path.decode(), query, headers, sent.content)
        if (name := kind_of(request)) not in self.caught:
            self._tried[name] = Caught(request, self.folder / f"{len(self.caught)}")
            _copy(self.folder / "var", self._tried[name].data)

    async def response(self, answer: httpx2.Response) -> None:
        """Keep what was answered well."""
        (name,) = self._tried or ("",)
        if answer.status_code < 400 and name:
            self.caught[name] = self._tried[name]
        self._tried.clear()


def kind_of(request: Request) -> str:
    """Name what a request is for: its operation, and of those that do many things the one that it does."""
    operation = f"{request.method} {template_of(request.path)}"
    if operation == "POST /token":
        form = parse_qs(request.body.decode())
        return " ".join([operation, *form["grant_type"], *form.get("subject_token_type", [])])
    if operation == "POST /mcp":
        return f"{operation} {orjson.loads(request.body)['method']}"
    return f"{operation} signed" if request.header(b"signature") else operation


def _copy(data: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(data, folder, ignore=shutil.ignore_patterns("deputize.db*", "*.new"))
    with sqlite3.connect(data / "deputize.db") as whole, sqlite3.connect(folder / "deputize.db") as copy:
        whole.backup(copy)


class Authorities:
    """One authority in many moments."""

    def __init__(self, folder: Path) -> None:
        """Make a policy, with agents and an API that have keys."""
        self.folder = folder
        self.keys = {name: new_key() for name in (HELPER, ERRAND, "api", "site")}
        registered = {name: AgentKey(self.keys[name]) for name in (HELPER, ERRAND)}
        text = with_agents(POLICY, registered, api=AgentKey(self.keys["api"]))
        text += users_table(LOCAL, (self.keys["site"], "site"), passkeys=True)
        self.policy = settings.loads(f"{text}[mcp]\nbearer = true\n".encode())

    async def catch(self) -> dict[str, Caught]:
        """Go on the tour, and return a good request of each kind."""
        async with opened(self.policy, self.folder / "var", _silent(), self.keys) as bank:
            offer(bank.deputize)
            net = Net(bank, self.folder)
            page, agents = bank.page(), [bank.agent(HELPER), bank.agent(ERRAND)]
            for http in (page.http, *(agent.http for agent in agents)):
                http.event_hooks = {"request": [net.request], "response": [net.response]}
            await tour(bank, page, *agents)
            await use_mcp(page, agents[0])
            await sign_a_request(agents[0])
        return net.caught

    @asynccontextmanager
    async def at(self, moment: Path) -> AsyncIterator["Arena"]:
        """Open the authority as it was at a moment. What is done to it is not kept."""
        here = moment.with_suffix(f".{next(_SERIAL)}")
        shutil.copytree(moment, here)
        async with opened(self.policy, here, _silent()) as bank:
            offer(bank.deputize)
            yield Arena(bank)
        shutil.rmtree(here)


def _silent() -> Log:
    return Log(io.BytesIO())


def offer(deputize: Deputize) -> None:
    """Offer tools over MCP that do nothing."""
    for tool in ("get_balance", "note", "transfer_money", "pay_bill"):
        deputize.handler(tool)(lambda arguments, call: {"done": True})


async def use_mcp(page: Page, agent: Client) -> None:
    """Do what MCP has to offer."""
    await page.sign_in()
    await agent.deputized(
        page, details=[{"type": "webmcp_tool", "tool": "note", "schema": {"type": "object"}}]
    )
    tool: dict[str, Any] = {"name": "note", "arguments": {"amount": 1}}
    asked = {"toolName": "transfer_money", "arguments": {"amount": 1, "name": "Ada"}}
    for method, params in (("tools/call", tool), ("approval/challenge/create", asked)):
        token = str(agent.tokens["access_token"])
        headers = {"authorization": f"DPoP {token}", "dpop": agent.proof("/mcp", token)}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = await agent.http.post(
            f"{agent.bank.issuer}/mcp",
            json=message,
            headers={
                **headers,
                "accept": "application/json, text/event-stream",
            },
        )
        assert "error" not in answer.json(), answer.text


async def sign_a_request(agent: Client) -> None:
    """Push a request that is signed, in place of an assertion (OAUTH-14)."""
    form = {"client_id": agent.client_id, "response_type": "code", "redirect_uri": CALLBACK, "scope": ALL}
    form |= {"code_challenge": "x" * 43, "code_challenge_method": "S256"}
    body, url = urlencode(form).encode(), f"{agent.bank.issuer}/par"
    proof = {"DPoP": agent.proof("/par", nonce=agent.nonce)}
    who, covered = f'sig1="{agent.client_id}";type=cimd', [*COVERED, "dpop"]
    headers = sign(agent.private, url, body, who, agent.now, covered=covered, headers=proof)
    answer = await agent.http.post(url, content=body, headers={**headers, "content-type": FORM.decode()})
    assert answer.status_code == 201, answer.text


@dataclass(frozen=True)
class Answer:
    """The status of an answer, and the processor seconds that it took."""

    status: int
    seconds: float


class Arena:
    """An authority that requests are thrown at, straight into its app. Whatever they change is undone."""

    def __init__(self, bank: Bank) -> None:
        """Undo what is done to this one from now on."""
        self.bank = bank
        self.app = mounted(bank.deputize)
        self._transact = bank.deputize.store.transact
        bank.deputize.store.transact = self._undone  # type: ignore[method-assign]  # each test has its own

    async def fill(self, fn: Callable[[Tx], None]) -> None:
        """Change it for good."""
        await self._transact(fn)

    async def held(self, request: Request, enough: float) -> float:
        """Return how many seconds a request holds the loop, the least of a few times if that is more than enough."""
        least = float("inf")
        for _ in range(TRIES):
            with Hold() as hold:
                await hold.begin()
                await self.send(request)
                least = min(least, await hold.end())
            if least <= enough:
                break
        return least

    async def send(self, request: Request) -> Answer:
        """Send a request."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": request.path,
            "raw_path": request.path.encode(),
            "query_string": request.query,
            "root_path": "",
            "headers": list(request.headers),
            "client": ("127.0.0.1", 50000),
            "server": ("localhost", 8000),
        }
        status = []

        bodies = [request.body]

        async def receive() -> dict[str, Any]:
            if not bodies:
                await asyncio.Event().wait()  # the client stays, and has nothing more to say
            return {"type": "http.request", "body": bodies.pop(), "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])

        with Stopwatch() as watch:
            await self.app(scope, receive, send)
        return Answer(status[0], watch.seconds)

    async def _undone(self, fn: Callable[[Tx], T]) -> T:
        outcome: list[T] = []

        def run(tx: Tx) -> None:
            outcome.append(fn(tx))
            raise _Undo

        with suppress(_Undo):
            await self._transact(run)
        return outcome[0]


class _Undo(Exception):
    """Rolls back."""
