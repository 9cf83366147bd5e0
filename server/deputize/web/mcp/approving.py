"""The methods of SEP-2672: a challenge before each call, and the enrollment of a passkey (MCP-8, MCP-10)."""

from dataclasses import dataclass

from ...authority.authority import Authority
from ...crypto.webauthn import creation_options
from ...protocol.canonical import Json
from ...protocol.errors import Refusal, Refused, or_refuse
from ...service import enrollments
from ...service.calls import approving
from ...service.ports import Registration
from .. import wire
from .exchange import Exchange
from .offers import Offers


@dataclass(frozen=True, slots=True)
class Approving:
    """The methods, for what is offered. Each takes an exchange and returns a result, or raises Refused."""

    offers: Offers

    async def create_challenge(self, exchange: Exchange) -> dict[str, object]:
        """`approval/challenge/create` (MCP-8; SEP-2672 §4.4.3)."""
        authority, ask = exchange.ask.authority, exchange.ask
        request, _ = exchange.call(self.offers, "toolName", exchange.message.params.get("arguments"))
        minted = await authority.store.transact(lambda tx: approving.challenge_ahead(tx, ask.at, request))
        return wire.envelope(or_refuse(minted), ask.now)

    async def begin_enrollment(self, exchange: Exchange) -> dict[str, object]:
        """`approval/enroll/begin` (MCP-10; SEP-2672 §4.4.1)."""
        authority, now = exchange.ask.authority, exchange.ask.now
        begun = or_refuse(
            await authority.store.transact(
                lambda tx: enrollments.begin(tx, exchange.ask.at, exchange.principal)
            )
        )
        site, user = authority.policy.site, begun.user
        lifetime = begun.challenge.expires_at - now
        options = creation_options(
            begun.challenge.wire,
            site.rp_id,
            site.name,
            user.handle,
            user.name,
            lifetime,
            exclude=begun.existing,
        )
        return {"options": options}

    async def finish_enrollment(self, exchange: Exchange) -> dict[str, object]:
        """`approval/enroll/finish` (MCP-10; SEP-2672 §4.4.2)."""
        authority, now, caller = exchange.ask.authority, exchange.ask.now, exchange.principal
        challenge = or_refuse(await authority.store.read(lambda tx: enrollments.pending(tx, caller, now)))
        made = _verified(authority, exchange.message.params.get("response"), challenge.wire)
        credential = or_refuse(
            await authority.store.transact(
                lambda tx: enrollments.finish(tx, exchange.ask.at, caller, challenge, made)
            )
        )
        return {
            "success": True,
            "credentialId": credential.credential_id,
            "createdAt": wire.iso(credential.created_at),
        }


def _verified(authority: Authority, response: Json, challenge: bytes) -> Registration | Refusal:
    """Verify a registration; that it is not good, the record is to have."""
    try:
        return authority.ceremonies.registration(response if isinstance(response, dict) else {}, challenge)
    except Refused as refused:
        return refused.refusal
