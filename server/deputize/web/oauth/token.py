"""`/token`: a delegation for a code, a device code, a refresh token, or a part of another one."""

from ...authority.authority import digest
from ...protocol import client as oauth
from ...protocol.errors import Code, Refused
from ...protocol.ids import GrantId
from ...service import authorizations, grants
from ..context import Context
from .authentication import authenticate, authenticate_or_public, must_name
from .exchange import Handoff, exchange
from .issuing import Tokens, tokens
from .parameters import Form, check_target, needed, scopes_in

_FRESH = 5  # seconds that an agent's document may be old when a grant is collected (OAUTH-6)


async def token(context: Context, form: Form) -> Tokens | Handoff:
    """`/token`: code, device code, token exchange, refresh; the grant type says how the client authenticates."""
    grant_type = form.get("grant_type")
    exchanged = grant_type == oauth.TOKEN_EXCHANGE
    check_target(context, form, "resource", *(["audience"] if exchanged else []))
    if "authorization_details" in form and not exchanged:
        detail = "authorization_details are asked for at /par; a delegation is narrowed by token exchange."
        raise Refused(Code.INVALID_AUTHORIZATION_DETAILS, detail)
    match grant_type:
        case "refresh_token":
            return await _refresh(context, form)
        case "authorization_code":
            client = await authenticate_or_public(context, form, context.now - _FRESH)
            code, uri, verifier = (needed(form, n) for n in ("code", "redirect_uri", "code_verifier"))
            secret = digest(code.encode())
            collected = await context.run(authorizations.redeem_code, client, secret, uri, verifier)
        case oauth.DEVICE_CODE:
            client = await authenticate(context, form, context.now - _FRESH)
            secret = digest(needed(form, "device_code").encode())
            collected = await context.run(authorizations.poll, client, secret)
        case oauth.TOKEN_EXCHANGE:
            return await exchange(context, form)
        case _:
            detail = "This grant type is not offered; the metadata lists those that are."
            raise Refused(Code.UNSUPPORTED_GRANT_TYPE, detail)
    return tokens(context, collected, client)


async def _refresh(context: Context, form: Form) -> Tokens:
    """Renew a delegation (GRANT-6; RFC 6749 §6). An opaque agent proves its key, an attested one authenticates."""
    named, generation = context.authority.refresh_token(form.get("refresh_token", ""), context.now)
    scopes = scopes_in(form) if "scope" in form else None
    asked = grants.Renewal(GrantId(named), generation, form.get("client_id"), scopes)
    grant = await context.look(lambda tx, at: tx.grant(asked.grant_id))
    if grant is None:
        raise Refused(Code.INVALID_GRANT, "There is no such grant any more.")
    if grant.client_id.startswith("agt_"):
        return tokens(context, await context.run(grants.renew_for_page, context.proof("dpop"), asked))
    client = await authenticate_or_public(context, form)
    must_name(client, "refresh_token")
    return tokens(context, await context.run(authorizations.renew, client, asked), client)
