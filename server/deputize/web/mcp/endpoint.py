"""`{issuer}/mcp` as an ASGI app: what has to be right before the SDK sees a message (MCP-1, MCP-2)."""

from collections.abc import Awaitable, Callable
from functools import cached_property, partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...authority.authority import Current
from ...authority.waiting import Waiting
from ...protocol.errors import Code, Refused
from ..context import Context
from ..refusals import Dialect, Refusals
from ..refusals.rpc import tell_in_http
from . import declaring, messages, usual, writing
from .approving import Approving
from .callers import authenticate
from .calling import Calling
from .declaring import Asks
from .exchange import Exchange, Method
from .line import Line
from .listening import listen
from .messages import Message
from .offers import Offers
from .running import Gateway
from .underway import CalledOff

LISTENING = 500
"""Clients that listen at a time. They do not take places from pages that wait (WAIT-2)."""


class Mcp:
    """The endpoint."""

    def __init__(self, current: Current, refusals: Refusals, offers: Offers) -> None:
        """Serve what is offered under this authority."""
        self._current = current
        self._refusals = refusals
        self._gateway = Gateway()
        self._listening = Waiting(LISTENING)
        self._offers = offers
        self._calling = Calling(current, refusals.log, offers, self._gateway)
        approving = Approving(offers)
        self._methods: dict[str, Method] = {  # each enters in the transaction that decides (`standing.enter`)
            messages.CALL: self._calling.call_tool,
            messages.CHALLENGE: approving.create_challenge,
            messages.ENROLL_BEGIN: approving.begin_enrollment,
            messages.ENROLL_FINISH: approving.finish_enrollment,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        line = Line(scope, receive, send)
        await line.end(await self._answer(Request(scope, receive), line))

    async def _answer(self, request: Request, line: Line) -> Response:
        message: Message | None = None
        try:
            context = Context(request, self._current, self._refusals.log)
            if request.method in ("GET", "POST"):
                context.check_origin()
            if request.method == "GET" and context.has(declaring.SESSION):
                return await self._listen(context, line)
            if request.method != "POST":
                raise Refused(Code.METHOD_NOT_ALLOWED, "Send each message by POST.")
            message = await messages.read(context)
            exchange = await authenticate(context, message, line)
            declared = _declared(exchange)
            if declared is None or message.message_id is None or message.method not in self._methods:
                await exchange.enter()
            if declared is None:
                raise Refused.of(declaring.UNKNOWN)
            exchange.asks = declared
            response = await self._respond(exchange)
            if not exchange.entered:  # nothing was decided: who may do nothing here hears of that first
                await exchange.enter()
        except CalledOff:  # nobody waits for an answer
            line.abandoned = True
            return Response(status_code=202)
        except Exception as error:
            message_id = message.message_id if message else None
            return self._refusals.noted(error, Dialect.RPC, request, message_id)
        if exchange.refusal is not None:  # MCP-7
            tell_in_http(response, exchange.refusal, context.authority.policy)
        if exchange.headers:
            response.headers.update(exchange.headers)
        return response

    async def _listen(self, context: Context, line: Line) -> Response:
        """Let a client listen that leads its user to questions (MCP-17)."""
        exchange = await authenticate(context, Message(None, "", {}), line)
        declared = _declared(exchange)
        await exchange.enter()
        if declared is None:
            raise Refused.of(declaring.UNKNOWN)
        if not declared.by_url or context.header("mcp-protocol-version") == messages.MODERN:
            raise Refused(Code.METHOD_NOT_ALLOWED, "There is nothing to listen for.")
        return await listen(exchange, self._listening)

    async def _respond(self, exchange: Exchange) -> Response:
        method = self._methods.get(exchange.message.method)
        life = usual.life_of(exchange, self._offers) if method is not None else None
        if method is None or life is None:
            response = await self._judged(exchange)
            if exchange.message.method == messages.CANCELLED and response.status_code == 202:
                self._calling.call_off(exchange)
            return response
        try:
            return writing.result(exchange, life, await method(exchange))
        except Refused as refused:
            exchange.note(refused.refusal)
            return writing.error(exchange, life, refused.refusal)

    def prepare(self) -> None:
        """Load what the first message would load otherwise; for a server that is going to get some.

        What is there when a server starts, a garbage collector can be told to leave alone (`gc.freeze`).
        """
        _ = self._judged

    @cached_property
    def _judged(self) -> Callable[[Exchange], Awaitable[Response]]:
        """Return what answers a message of any kind, as the SDK has it, when its sender is known."""
        from . import server, transport  # half a second of imports, for those only who use MCP

        return partial(transport.answer, server.build(self._calling, self._methods))

    async def aclose(self) -> None:
        """Close the connections to the site's API."""
        await self._gateway.aclose()


def _declared(exchange: Exchange) -> Asks | None:
    """Read what a client declares with this message, or declared when it initialized; None for a bad session."""
    context, message = exchange.context, exchange.message
    if context.header("mcp-protocol-version") == messages.MODERN:
        return declaring.asks(message.meta.get(messages.CAPABILITIES), messages.MODERN)
    if message.method == messages.INITIALIZE:
        return Asks.NONE  # that begins another session
    authority, lines = context.authority, context.headers(declaring.SESSION)
    return declaring.of_session(authority.sealer, authority.policy.site.issuer, exchange.principal, lines)
