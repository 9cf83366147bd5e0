"""One message on its way: who sent it, what it asks for, and what HTTP has to say of the answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

from ...protocol.canonical import Json, canonicalize, s256
from ...protocol.errors import Code, Refusal, Refused
from ...service.calls.request import MCP, WRONG_USER, CallRequest, Principal, Way
from ...service.calls.standing import enter
from ...service.moment import Moment
from ...service.ports import Reader, Tx
from ...service.sessions import SignIn
from ..context import Context
from ..refusals import rpc
from .accepting import takes_events
from .declaring import Asks
from .line import Line
from .messages import MODERN, Message
from .offers import Offer, Offers

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Exchange:
    """One message and who sent it.

    `session` tells who is signed in, where that has to be the user of an agent in a browser (CALL-2). `entered`: a
    transaction has been told who calls. `refusal`, if there is one, goes into the status and headers as well (MCP-7).
    `asks` is how the client has its user asked, and `headers` go into the answer; `line` leads to it before that.
    """

    context: Context
    message: Message
    principal: Principal
    line: Line
    session: Callable[[Reader], SignIn | None] | None = None
    entered: bool = False
    refusal: Refusal | None = None
    asks: Asks = Asks.NONE
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def is_modern(self) -> bool:
        """Tell whether this is of 2026-07-28: without a session, and cancelled by going (MCP-20)."""
        return self.context.header("mcp-protocol-version") == MODERN

    @property
    def progress_token(self) -> str | int | None:
        """Return by which name the client wants to hear of progress, if it does and takes a stream (MCP-19)."""
        token = self.message.meta.get("progressToken")
        if not isinstance(token, str | int) or isinstance(token, bool):
            return None
        return token if takes_events(self.context.headers("accept")) else None

    async def run(
        self, fn: Callable[Concatenate[Tx, Moment, P], T | Refusal], /, *args: P.args, **more: P.kwargs
    ) -> T:
        """Run a use case that enters for who calls (`standing.enter`) as `Context.run` does, in his own session."""
        self.entered = True

        def run(tx: Tx, at: Moment) -> T | Refusal:
            self.check(tx)
            return fn(tx, at, *args, **more)

        return await self.context.run(run)

    async def enter(self) -> None:
        """Use the proofs up and do nothing else; refused as every use case would be (MCP-2)."""
        await self.run(enter, self.principal)

    def check(self, reader: Reader) -> None:
        """Refuse an agent in a browser where its user is not signed in, or not any more (CALL-2)."""
        if self.session is None:
            return
        if self.context.must(self.session(reader)).user_id != self.principal.user_id:
            raise Refused.of(WRONG_USER)

    def is_for_connection(self, refusal: Refusal) -> bool:
        """Tell whether the connection has to hear of a refusal, in HTTP, since there is something to do for it."""
        return rpc.is_told_in_http(refusal, self.principal.in_band)

    def note(self, refusal: Refusal) -> None:
        """Log what a method refused, and keep it for HTTP where that is to say so."""
        self.context.log.refused(self.context.request, refusal)
        if self.is_for_connection(refusal):
            self.refusal = refusal

    def call(
        self, offers: Offers, name_in: str, arguments: Json, way: Way = MCP
    ) -> tuple[CallRequest, Offer | None]:
        """Read a call, or a challenge for one, and find what is offered under its name; Refused(invalid_arguments)."""
        name = self.message.params.get(name_in)
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise Refused(Code.INVALID_ARGUMENTS, f"`{name_in}` is a text, and `arguments` an object.")
        offer, canonical = offers.find(self.context.authority.policy, name), canonicalize(arguments)
        request = CallRequest(
            way=way,
            principal=self.principal,
            tool=name,
            arguments=arguments,
            canonical=canonical,
            args_s256=s256(canonical),
            definition_s256=offer.definition_s256 if offer else "",
            offered=offer is not None,
            here=offer is not None and offer.handler is not None,
        )
        return request, offer


Method = Callable[[Exchange], Awaitable[dict[str, object]]]
"""Does what a message asks for and returns the result, or raises Refused."""
