"""One message on its way: who sent it, what it asks for, and what HTTP has to say of the answer."""

from dataclasses import dataclass

from ...protocol.canonical import Json, canonicalize, s256
from ...protocol.errors import Code, Refusal, Refused
from ...service.calls.request import MCP, CallRequest, Principal
from ..context import Context
from ..refusals import rpc
from .messages import Message
from .offers import Offer, Offers


@dataclass(slots=True)
class Exchange:
    """One message and who sent it. `refusal`, if there is one, goes into the status and headers as well (MCP-7)."""

    context: Context
    message: Message
    principal: Principal
    refusal: Refusal | None = None

    def is_for_connection(self, refusal: Refusal) -> bool:
        """Tell whether the connection has to hear of a refusal, in HTTP, since there is something to do for it."""
        return rpc.is_told_in_http(refusal, self.principal.in_band)

    def call(self, offers: Offers, name_in: str, arguments: Json) -> tuple[CallRequest, Offer | None]:
        """Read a call, or a challenge for one, and find what is offered under its name; Refused(invalid_arguments)."""
        name = self.message.params.get(name_in)
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise Refused(Code.INVALID_ARGUMENTS, f"`{name_in}` is a text, and `arguments` an object.")
        offer, canonical = offers.find(self.context.authority.policy, name), canonicalize(arguments)
        request = CallRequest(
            way=MCP,
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
