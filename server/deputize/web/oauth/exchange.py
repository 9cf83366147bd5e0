"""Token exchange: a part of a delegation is handed on (CHAIN-1, CHAIN-2; RFC 8693)."""

from typing import Literal

from ...crypto import jwt
from ...protocol import handoff
from ...protocol.canonical import b64u
from ...protocol.client import TOKEN_EXCHANGE
from ...protocol.errors import Code, Refused
from ...protocol.ids import ClientId, Jkt
from ...protocol.proof import Proof
from ...service import handoffs
from ..context import Context
from ..types import Closed, Jwt, Scope, Seconds
from .authentication import authenticate, must_name
from .issuing import ACCESS_TOKEN, Tokens, tokens
from .parameters import Form, constraints_in, needed, scopes_in, thumbprint_in

JWT_TYPE: Literal["urn:ietf:params:oauth:token-type:jwt"] = "urn:ietf:params:oauth:token-type:jwt"


class Handoff(Closed):
    """A part of a delegation, for another agent to take over (CHAIN-1)."""

    access_token: Jwt
    issued_token_type: Literal["urn:ietf:params:oauth:token-type:jwt"]
    token_type: Literal["N_A"]
    expires_in: Seconds
    scope: Scope


async def exchange(context: Context, form: Form) -> Tokens | Handoff:
    """Hand on, or take over what was handed on (CHAIN-1, CHAIN-2; RFC 8693)."""
    client = await authenticate(context, form)
    must_name(client, TOKEN_EXCHANGE)
    authority = context.authority
    if "actor_token" in form:  # who acts is who proves it, never who is named
        raise Refused(Code.INVALID_REQUEST, "The actor is the client itself: send no actor_token.")
    subject = needed(form, "subject_token")
    scopes = scopes_in(form) if "scope" in form else None
    asked = constraints_in(form)
    if form.get("subject_token_type") == ACCESS_TOKEN:
        _produces(form, JWT_TYPE)
        try:
            delegation = authority.delegation(subject, context.now)
        except Refused as refused:  # RFC 8693 §2.2.2
            raise Refused(Code.INVALID_GRANT, refused.refusal.detail) from refused
        child, jkt = _child(context, form)
        handed = await context.run(handoffs.hand_on, client, delegation, child, jkt, scopes, asked)
        claims = handed.claims(authority.policy.site.issuer, b64u(authority.random(16)), context.now)
        token = authority.sign(handoff.TYP, claims)
        return Handoff(token, JWT_TYPE, "N_A", handoff.LIFETIME, str(handed.scopes))
    if form.get("subject_token_type") != JWT_TYPE:
        raise Refused(
            Code.INVALID_REQUEST, "subject_token_type is that of an access token or, for a handoff, of a jwt."
        )
    _produces(form, ACCESS_TOKEN)
    received = jwt.verify(subject, handoff.TYP, authority.keys.public_key, code=Code.INVALID_GRANT)
    taken = handoff.Handoff.parse(received, authority.policy.site.issuer, context.now)
    once = Proof(taken.child_jkt, f"handoff {received.get('jti')}", context.now + 2 * handoff.LIFETIME)
    renewable = await context.run(handoffs.take_over, client, taken, once, scopes, asked)
    issued = tokens(context, renewable, client)
    issued.issued_token_type = ACCESS_TOKEN
    return issued


def _produces(form: Form, token_type: str) -> None:
    if form.get("requested_token_type", token_type) != token_type:
        raise Refused(Code.INVALID_REQUEST, f"What comes of this is a token of type {token_type}.")


def _child(context: Context, form: Form) -> tuple[ClientId, Jkt]:
    """Read whom a handoff is for; Refused(invalid_request) for what the policy lets nobody be."""
    child = needed(form, "requested_actor")
    if not context.authority.clients.takes(child):
        raise Refused(Code.INVALID_REQUEST, "This site takes no such agent as the requested_actor.")
    return ClientId(child), thumbprint_in(form)
