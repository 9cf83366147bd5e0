"""Token exchange: a part of a delegation is handed on (CHAIN-1, CHAIN-2; RFC 8693)."""

from starlette.responses import Response

from ...crypto import jwt
from ...protocol import handoff
from ...protocol.canonical import b64u
from ...protocol.client import TOKEN_EXCHANGE
from ...protocol.errors import Code, Refused, or_refuse
from ...protocol.handoff import Handoff
from ...protocol.ids import ClientId, Jkt
from ...service import handoffs
from ...service.ports import Proof
from ..ask import Ask
from ..problems import answer
from .form import Form, constraints_in, needed, scopes_in, thumbprint_in
from .issuing import issue
from .parties import must_name, party

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"


async def exchange(ask: Ask, form: Form) -> Response:
    """Hand on, or take over what was handed on (CHAIN-1, CHAIN-2; RFC 8693)."""
    asking = await party(ask, form)
    must_name(asking, TOKEN_EXCHANGE)
    authority, caller = ask.authority, asking.caller
    if "actor_token" in form:  # who acts is who proves it, never who is named
        raise Refused(Code.INVALID_REQUEST, "The actor is the client itself: send no actor_token.")
    subject = needed(form, "subject_token")
    scopes = scopes_in(form) if "scope" in form else None
    asked = constraints_in(form)
    if form.get("subject_token_type") == ACCESS_TOKEN:
        _produces(form, JWT_TYPE)
        try:
            delegation = authority.delegation(subject, ask.now)
        except Refused as refused:  # RFC 8693 §2.2.2
            raise Refused(Code.INVALID_GRANT, refused.refusal.detail) from refused
        child, jkt = _child(ask, form)
        handed = or_refuse(
            await authority.store.transact(
                lambda tx: handoffs.hand_on(tx, ask.at, caller, delegation, child, jkt, scopes, asked)
            )
        )
        kid, key = authority.keys.signing_key()
        claims = handed.claims(authority.policy.site.issuer, b64u(authority.random(16)), ask.now)
        return answer(
            {
                "access_token": jwt.sign(claims, handoff.TYP, kid, key),
                "issued_token_type": JWT_TYPE,
                "token_type": "N_A",
                "expires_in": handoff.LIFETIME,
                "scope": str(handed.scopes),
            }
        )
    if form.get("subject_token_type") != JWT_TYPE:
        raise Refused(
            Code.INVALID_REQUEST, "subject_token_type is that of an access token or, for a handoff, of a jwt."
        )
    _produces(form, ACCESS_TOKEN)
    received = jwt.verify(subject, handoff.TYP, authority.keys.public_key, code=Code.INVALID_GRANT)
    taken = Handoff.parse(received, authority.policy.site.issuer, ask.now)
    once = Proof(taken.child_jkt, f"handoff {received.get('jti')}", ask.now + 2 * handoff.LIFETIME)
    return await issue(
        ask,
        lambda tx: handoffs.take_over(tx, ask.at, caller, taken, once, scopes, asked),
        asking,
        issued_token_type=ACCESS_TOKEN,
    )


def _produces(form: Form, token_type: str) -> None:
    if form.get("requested_token_type", token_type) != token_type:
        raise Refused(Code.INVALID_REQUEST, f"What comes of this is a token of type {token_type}.")


def _child(ask: Ask, form: Form) -> tuple[ClientId, Jkt]:
    """Read whom a handoff is for; Refused(invalid_request) for what the policy lets nobody be."""
    child = needed(form, "requested_actor")
    if not ask.authority.clients.takes(child):
        raise Refused(Code.INVALID_REQUEST, "This site takes no such agent as the requested_actor.")
    return ClientId(child), thumbprint_in(form)
