"""`{issuer}/mcp` as an ASGI app: what has to be right before the SDK sees a message (MCP-1, MCP-2)."""

import asyncio
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Message as Event
from starlette.types import Receive, Scope, Send

from ...protocol.errors import USED_PROOF, Code, Refusal, Refused
from ..ask import Ask
from ..authority import Authority
from ..operations import Log
from . import answers, messages
from .approving import Approving
from .callers import authenticate
from .calling import Calling
from .exchange import EXCHANGE, Exchange
from .messages import Message
from .offers import Offers
from .running import Gateway

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager as Sdk

_SPEND_THEMSELVES = frozenset(
    {messages.CALL, messages.CHALLENGE, messages.ENROLL_BEGIN, messages.ENROLL_FINISH}
)
"""Methods that use the proofs up in the transaction that they authorize (PROOF-2)."""


class Mcp:
    """The endpoint. What the SDK needs is started with the first request, and ended by `aclose`."""

    def __init__(self, authority: Authority, log: Log, offers: Offers) -> None:
        """Serve what is offered under this authority."""
        self._authority = authority
        self._log = log
        self._gateway = Gateway()
        self._calling = Calling(authority, log, offers, self._gateway)
        self._approving = Approving(authority, offers)
        self._sdk: Sdk | None = None
        self._task: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self._stopping = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        message: Message | None = None
        try:
            ask = Ask(request, self._authority)
            if request.method != "POST":
                raise Refused(
                    Code.METHOD_NOT_ALLOWED, "Send each message by POST; there are no streams here."
                )
            ask.check_origin()
            message = await messages.read(ask)
            exchange = Exchange(ask, message, await authenticate(ask, message))
            if message.method not in _SPEND_THEMSELVES:
                await self._spend(exchange)
            sdk = await self._running()
        except Refused as refused:
            self._log.refused(request, refused.refusal)
            refusal = refused.refusal
        except Exception as error:  # ERR-3: told to the owner, not to the caller
            self._log.failed(request, error)
            refusal = Refusal(Code.SERVER_ERROR, "Something went wrong here. It has been noted.")
        else:
            await self._carry(sdk, exchange, scope, receive, send)
            return
        message_id = message.message_id if message else None
        policy = self._authority.policy
        await answers.refusal_response(refusal, message_id, policy)(scope, receive, send)

    async def _spend(self, exchange: Exchange) -> None:
        if not await self._authority.store.transact(exchange.known.caller.spend):
            raise Refused.of(USED_PROOF)

    async def _carry(
        self, sdk: "Sdk", exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Let the SDK answer; what the connection has to hear of changes the HTTP answer (MCP-7)."""
        body = exchange.message.body

        async def replay() -> Event:
            nonlocal body
            if body:
                given, body = body, b""
                return {"type": "http.request", "body": given, "more_body": False}
            return await receive()

        async def send_with_status(event: Event) -> None:
            if event["type"] == "http.response.start" and exchange.refusal is not None:
                event["status"] = answers.status(exchange.refusal)
                headers = MutableHeaders(scope=event)
                answers.add_headers(headers, exchange.refusal, self._authority.policy)
            await send(event)

        await sdk.handle_request({**scope, EXCHANGE: exchange}, replay, send_with_status)

    async def _running(self) -> "Sdk":
        """Return what the SDK serves with; it wants to be entered and left by one task."""
        if self._sdk is None:
            from .server import build  # half a second of imports, for those only who use MCP

            self._sdk = build(self._calling, self._approving)
            self._task = asyncio.create_task(self._run(self._sdk))
        await self._started.wait()
        return self._sdk

    async def _run(self, sdk: "Sdk") -> None:
        async with sdk.run():
            self._started.set()
            await self._stopping.wait()

    async def aclose(self) -> None:
        """End what was started."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        await self._gateway.aclose()
