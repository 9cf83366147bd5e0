"""What a token is worth: `/introspect` (OAUTH-8; RFC 7662)."""

from msgspec import Struct

from ...crypto import jwt
from ...protocol.agent import Agent
from ...protocol.errors import Refused
from ...protocol.grant import dead_link
from ...protocol.proof import Proof
from ...service import clients
from ...service.calls import redemptions
from ..context import Context
from .parameters import Form, needed


class Introspection(Struct):
    """What a token is worth: with it, if it is worth something, its claims (OAUTH-8)."""

    active: bool


async def introspect(
    context: Context, client: tuple[Agent | None, Proof | None], form: Form
) -> dict[str, object]:
    """`/introspect`: what a token is worth now, to those whom it concerns (OAUTH-8; RFC 7662)."""
    text, (agent, assertion) = needed(form, "token"), client
    await context.run(clients.authenticate, assertion, agent)
    authority = context.authority
    try:
        if agent is None:
            call_token = authority.read_call_token(text, context.now)
            active = await context.look(redemptions.is_redeemable, call_token)
            claims = call_token.claims(authority.policy.site.issuer, authority.policy.api.audience)
            return {"active": True, "token_type": "N_A", **claims} if active else {"active": False}
        delegation = authority.delegation(text, context.now)
        lineage = await context.look(lambda tx, at: tx.lineage(delegation.grant_id))
        if delegation.client_id == agent.client_id and lineage and dead_link(lineage, context.now) is None:
            claims = dict(jwt.parse(text).claims)
            return {"active": True, "token_type": "DPoP", **claims}
    except Refused:
        pass  # whatever is wrong with it: not active (RFC 7662 §2.2)
    return {"active": False}
