"""The methods of SEP-2672: a challenge before each call, and the enrollment of a passkey (MCP-8, MCP-10)."""

from dataclasses import dataclass

from msgspec import to_builtins

from ...authority.authority import Authority
from ...protocol.canonical import Json
from ...protocol.errors import Refusal, Refused
from ...service import enrollments
from ...service.calls import approving
from ...service.ports import Registration
from ..accounts import options_of
from ..answers import iso, proposed
from ..types import Text
from .exchange import Exchange
from .offers import Offers

TEXT = "dev.deputize/text"


@dataclass(frozen=True, slots=True)
class Approving:
    """The methods, for what is offered. Each takes an exchange and returns a result, or raises Refused."""

    offers: Offers

    async def create_challenge(self, exchange: Exchange) -> dict[str, object]:
        """`approval/challenge/create` (MCP-8; SEP-2672 §4.4.3)."""
        request, _ = exchange.call(self.offers, "toolName", exchange.message.params.get("arguments"))
        minted = await exchange.run(approving.challenge_ahead, request)
        return {**proposed(minted, exchange.context.now), "_meta": {TEXT: to_builtins(Text.of(minted.text))}}

    async def begin_enrollment(self, exchange: Exchange) -> dict[str, object]:
        """`approval/enroll/begin` (MCP-10; SEP-2672 §4.4.1)."""
        begun = await exchange.run(enrollments.begin, exchange.principal)
        return {"options": options_of(exchange.context, begun)}

    async def finish_enrollment(self, exchange: Exchange) -> dict[str, object]:
        """`approval/enroll/finish` (MCP-10; SEP-2672 §4.4.2)."""
        context, caller = exchange.context, exchange.principal
        challenge = await context.look(enrollments.pending, caller)
        made = _verified(context.authority, exchange.message.params.get("response"), challenge.wire)
        credential = await exchange.run(enrollments.finish, caller, challenge, made)
        return {
            "success": True,
            "credentialId": credential.credential_id,
            "createdAt": iso(credential.created_at),
        }


def _verified(authority: Authority, response: Json, challenge: bytes) -> Registration | Refusal:
    """Verify a registration; that it is not good, the record is to have."""
    try:
        return authority.ceremonies.registration(response if isinstance(response, dict) else {}, challenge)
    except Refused as refused:
        return refused.refusal
