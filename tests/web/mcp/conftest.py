"""A bank on a real port that offers its tools over MCP; agents come with the official client."""

import secrets
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.client.client import Client as McpClient
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import ConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from tests import bank
from tests.bank import Bank, Clock, Keys, found, mounted
from tests.web.agents import ERRAND, HELPER, LOCAL, Client, new_key, with_agents

from deputize import settings
from deputize.agent import AgentKey
from deputize.app import Deputize, HandledCall, ToolFailed
from deputize.crypto import dpop
from deputize.protocol.canonical import Json
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page
from deputize.testing.server import Site

ANNOTATION = "io.modelcontextprotocol/verified-approval"
EVIDENCE = "dev.deputize/delegation"
CHAIN = "dev.deputize/call"
LEGACY, MODERN = "legacy", "2026-07-28"
ALL = "account:read payments:write account:admin"
TRANSFER: dict[str, Json] = {"amount": 250, "name": "Ada"}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
POLICY = (
    bank.POLICY.replace('executes = "page"\n', "")
    + f"""
[tools.order_card]
scopes = ["payments:write"]
approval = "always"
describe = "Order a card for {{{{ name }}}}"
endpoint = "POST {LOCAL}/api/cards"
[tools.not_offered]
scopes = ["account:read"]
approval = "always"
describe = "Nobody can do this"
"""
)


@dataclass
class Ledger:
    """What the bank's tools did, and what they are to do instead."""

    done: list[tuple[str, dict[str, Json]]] = field(default_factory=list)
    calls: list[HandledCall] = field(default_factory=list)
    before: Callable[[], None] | None = None

    def note(self, tool: str, arguments: dict[str, Json]) -> dict[str, Json]:
        if self.before is not None:
            self.before()
        self.done.append((tool, arguments))
        return {"tool": tool, "number": len(self.done)}


class AnyResult(types.Result):
    """Any result of a method that MCP itself does not have."""

    model_config = ConfigDict(extra="allow")


@dataclass
class Deputy:
    """An agent that is connected, and its user, whose authenticator approves what is to be approved."""

    bank: "LiveBank"
    page: Page
    agent: Client
    client: McpClient

    async def send(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request of a method that the client does not know."""
        request: Any = types.Request[Any, str](method=method, params=params)
        answer = await self.client.session.send_request(request, AnyResult)
        return answer.model_dump(by_alias=True, exclude_none=True)

    async def challenge(self, tool: str = "transfer_money", arguments: Any = None) -> dict[str, Any]:
        said = {"toolName": tool, "arguments": TRANSFER if arguments is None else arguments}
        return await self.send("approval/challenge/create", said)

    def evidence(self, envelope: dict[str, Any], **changed: Any) -> dict[str, Any]:
        return {**self.page.evidence(envelope), **changed}

    async def call(
        self, tool: str = "transfer_money", arguments: Any = None, evidence: Any = None, **meta: Any
    ) -> types.CallToolResult:
        said: Any = {**({ANNOTATION: evidence} if evidence is not None else {}), **meta}
        arguments = TRANSFER if arguments is None and tool == "transfer_money" else arguments
        return await self.client.call_tool(tool, arguments or {}, meta=said or None)

    async def approved(self, tool: str = "transfer_money", arguments: Any = None) -> types.CallToolResult:
        """Do all of it: challenge, assertion, call."""
        arguments = TRANSFER if arguments is None else arguments
        evidence = self.evidence(await self.challenge(tool, arguments))
        return await self.call(tool, arguments, evidence)

    async def open_window(self) -> None:
        """Open the enrollment window, as the user."""
        path = "/account/enrollment-window"
        minted = await self.page.send("POST", f"{path}/challenge", page=False)
        answer = await self.page.send(
            "POST", f"{path}/approval", self.page.evidence(minted.json()), page=False
        )
        assert answer.status_code == 200, answer.text


class Dpop(httpx2.Auth):
    """Makes a proof for each request, as a client does that knows DPoP."""

    def __init__(self, agent: Client) -> None:
        self.agent = agent

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        token = self.agent.tokens["access_token"]
        request.headers["authorization"] = f"DPoP {token}"
        url, now = f"{self.agent.bank.issuer}/mcp", self.agent.now
        jti = secrets.token_hex(8)
        request.headers["dpop"] = dpop.make(self.agent.private, request.method, url, now, jti, token)
        yield request


@dataclass(kw_only=True)
class LiveBank(Bank):
    """A bank on a port, which offers its tools over MCP."""

    ledger: Ledger

    @property
    def url(self) -> str:
        return f"{self.issuer}/mcp"

    async def user(self, name: str = "Ada Lovelace", **authenticator: Any) -> Page:
        """Sign somebody up."""
        page = self.page(**authenticator)
        assert (await page.sign_up(name)).status_code == 200
        return page

    async def deputy(
        self,
        mode: str = LEGACY,
        scope: str = ALL,
        page: Page | None = None,
        details: Any = None,
        elicits: ElicitationFnT | None = None,
        **device: Any,
    ) -> Deputy:
        """Let a user deputize the helper, which connects; `elicits` shows her what it is told to show."""
        page = page or await self.user(**device)
        agent = await self.agent(HELPER).deputized(page, scope, details)
        return Deputy(self, page, agent, await self.connect(agent, mode, elicits))

    async def connect(
        self, agent: Client, mode: str = LEGACY, elicits: ElicitationFnT | None = None
    ) -> McpClient:
        http = await self.stack.enter_async_context(httpx2.AsyncClient(auth=Dpop(agent), timeout=30))
        transport = streamable_http_client(self.url, http_client=http)
        client = McpClient(transport, mode=mode, cache=None, elicitation_callback=elicits)
        return await self.stack.enter_async_context(client)

    async def until(self, kind: str) -> None:
        """Return when an entry of this kind is the last; AssertionError if it is never written."""
        async with httpx2.AsyncClient() as http:
            for _ in range(1000):
                if self.last()["kind"] == kind:
                    return
                await http.get(f"{self.issuer}/healthz")
        assert self.last()["kind"] == kind

    async def post(self, message: Any, agent: Client | None = None, **headers: str) -> httpx2.Response:
        """Send one message without the official client, with the agent's delegation unless headers say otherwise."""
        sent = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        if agent is not None:
            token = agent.tokens["access_token"]
            sent |= {"authorization": f"DPoP {token}", "dpop": agent.proof("/mcp", token)}
        body = {"content": message} if isinstance(message, bytes) else {"json": message}
        async with httpx2.AsyncClient(timeout=30) as http:
            return await http.post(self.url, headers={**sent, **headers}, **body)


def build(
    port: int,
    data: Path,
    keys: Keys,
    clock: Clock,
    policy: str = POLICY,
    apps_at: str = "https://none.example",
) -> LiveBank:
    """Make the bank's authority, with the handlers of its tools."""
    ledger = Ledger()
    registered = {client_id: AgentKey(key) for client_id, key in keys.items()}
    origin, text = f"http://localhost:{port}", with_agents(policy, registered, apps_at, scopes=ALL.split())
    deputize = Deputize(settings.loads(text.replace(LOCAL, origin).encode()), found(data), clock=clock)

    @deputize.handler("get_balance")
    async def get_balance(arguments: dict[str, Json], call: HandledCall) -> object:
        """Tell the balance."""
        ledger.calls.append(call)
        return {"balance": 1000}

    @deputize.handler("transfer_money")
    async def transfer_money(arguments: dict[str, Json], call: HandledCall) -> object:
        ledger.calls.append(call)
        return ledger.note("transfer_money", arguments)

    @deputize.handler("pay_bill")
    def pay_bill(arguments: dict[str, Json], call: HandledCall) -> object:
        return ledger.note("pay_bill", arguments)

    @deputize.handler("close_account")
    def close_account(arguments: dict[str, Json], call: HandledCall) -> object:
        return ledger.note("close_account", arguments)

    @deputize.handler("note")
    def note(arguments: dict[str, Json], call: HandledCall) -> object:
        match arguments.get("text"):
            case "refuse":
                raise ToolFailed("There is no room for notes.")
            case "crash":
                raise RuntimeError("the secret of the bank")
            case "nothing":
                return None
        return str(arguments.get("text"))

    @deputize.handler("search_help")
    async def search_help(arguments: dict[str, Json], call: HandledCall) -> object:
        ledger.calls.append(call)
        return "Read the manual."

    return LiveBank(origin=origin, clock=clock, keys=keys, deputize=deputize, ledger=ledger)


def with_cards(bank: LiveBank, *routes: BaseRoute) -> Starlette:
    """Mount the authority in a site that has an API behind its guard, and these routes."""

    async def order(request: Request) -> Response:
        bank.ledger.note("order_card", request.state.deputize.arguments)
        return JSONResponse({"ordered": True})

    guarded = bank.deputize.guard.tool("order_card")(order)
    return mounted(bank.deputize, Route("/api/cards", guarded, methods=["POST"]), *routes)


@contextmanager
def serving(
    folder: Path,
    *clients: str,
    policy: str = POLICY,
    apps_at: str = "https://none.example",
    clock: Clock | None = None,
    also: Callable[[LiveBank], Sequence[BaseRoute]] = lambda _: (),
) -> Iterator[LiveBank]:
    """Serve a bank that has registered these agents, on a port of its own; `also` makes further routes."""
    keys = {client_id: new_key() for client_id in clients}
    made: list[LiveBank] = []

    def app(port: int) -> Starlette:
        made.append(build(port, folder, keys, clock or Clock(), policy, apps_at))
        return with_cards(made[0], *also(made[0]))

    with Site(app):
        yield made[0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBank]:
    """Serve one bank for the tests of a module: each has users of its own."""
    with serving(tmp_path_factory.mktemp("bank"), HELPER, ERRAND) as served:
        yield served


@pytest.fixture
async def live(served: LiveBank) -> AsyncIterator[LiveBank]:
    """Give the bank, and see that all who came have left."""
    served.ledger.done.clear()
    served.ledger.calls.clear()
    served.ledger.before = None
    served.stack = AsyncExitStack()
    yield served
    await served.stack.aclose()
    served.pages.clear()


async def passkey(page: Page, *transports: str) -> SoftAuthenticator:
    """Give a user one more authenticator, confirmed by the first (CRED-3)."""
    device = SoftAuthenticator(page.origin, transports)
    begun = (await page.send("POST", "/credentials", page=False)).json()
    response = device.create(begun["creationOptions"])
    path = f"/credentials/{begun['challengeId']}"
    added = (await page.send("POST", path, {"response": response}, page=False)).json()
    path = f"/credentials/{added['credential_id']}/approval"
    answer = await page.send("POST", path, page.evidence(added), page=False)
    assert answer.status_code == 200, answer.text
    return device


def reason(error: MCPError) -> str:
    """Return the reason of a refusal, which has to be one of the proposal's."""
    assert error.code == -32001, error.error
    assert isinstance(error.data, dict)
    return str(error.data["reason"])


async def answers(page: Page, url: str, yes: bool = True) -> httpx2.Response:
    """Go to the address that a client has shown, and answer there (APPR-12)."""
    path = url.removeprefix(page.issuer)
    shown = await page.http.get(url)
    assert shown.status_code == 200, shown.text
    if yes:
        return await page.confirm(path, page=False)
    return await page.send("POST", f"{path}/denial", {}, page=False)


@asynccontextmanager
async def refused(expected: str) -> AsyncIterator[None]:
    """Expect a refusal of the proposal."""
    with pytest.raises(MCPError) as caught:
        yield
    assert reason(caught.value) == expected
