"""`{issuer}/mcp` as an ASGI app: what has to be right before the SDK sees a message (MCP-1, MCP-2)."""

from collections.abc import Awaitable, Callable
from functools import cached_property, partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...authority.authority import Current
from ...protocol.errors import USED_PROOF, Code, Refused
from ..context import Context
from ..refusals import Dialect, Refusals
from ..refusals.rpc import tell_in_http
from . import messages
from .approving import Approving
from .callers import authenticate
from .calling import Calling
from .exchange import Exchange
from .messages import Message
from .offers import Offers
from .running import Gateway

_SPEND_THEMSELVES = frozenset(
    {messages.CALL, messages.CHALLENGE, messages.ENROLL_BEGIN, messages.ENROLL_FINISH}
)
"""Methods that use the proofs up in the transaction that they authorize (PROOF-2)."""


class Mcp:
    """The endpoint."""

    def __init__(self, current: Current, refusals: Refusals, offers: Offers) -> None:
        """Serve what is offered under this authority."""
        self._current = current
        self._refusals = refusals
        self._gateway = Gateway()
        self._calling = Calling(current, refusals.log, offers, self._gateway)
        self._approving = Approving(offers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        message: Message | None = None
        try:
            context = Context(request, self._current, self._refusals.log)
            if request.method != "POST":
                raise Refused(
                    Code.METHOD_NOT_ALLOWED, "Send each message by POST; there are no streams here."
                )
            context.check_origin()
            message = await messages.read(context)
            exchange = Exchange(context, message, await authenticate(context, message))
            if message.message_id is None or message.method not in _SPEND_THEMSELVES:
                await self._spend(exchange)
            response = await self._respond(exchange)
        except Exception as error:
            message_id = message.message_id if message else None
            return self._refusals.noted(error, Dialect.RPC, request, message_id)
        if exchange.refusal is not None:  # MCP-7
            tell_in_http(response, exchange.refusal, context.authority.policy)
        return response

    async def _spend(self, exchange: Exchange) -> None:
        principal = exchange.principal
        if principal.proofs:
            await exchange.context.run(lambda tx, at: None if principal.spend(tx) else USED_PROOF)

    def prepare(self) -> None:
        """Load what the first message would load otherwise; for a server that is going to get some.

        What is there when a server starts, a garbage collector can be told to leave alone (`gc.freeze`).
        """
        _ = self._respond

    @cached_property
    def _respond(self) -> Callable[[Exchange], Awaitable[Response]]:
        """Return what answers a message whose sender is known."""
        from . import server, transport  # half a second of imports, for those only who use MCP

        return partial(transport.answer, server.build(self._calling, self._approving))

    async def aclose(self) -> None:
        """Close the connections to the site's API."""
        await self._gateway.aclose()
