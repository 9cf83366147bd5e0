"""`/token`: a delegation for a code, a device code, a refresh token, or a part of another one."""

from starlette.responses import Response

from ...authority.authority import digest
from ...protocol.client import DEVICE_CODE, TOKEN_EXCHANGE
from ...protocol.errors import USED_PROOF, Code, Refused
from ...protocol.ids import GrantId
from ...service import authorizations, grants
from ..ask import Ask
from .exchange import exchange
from .form import Form, check_target, needed, read_form, scopes_in
from .issuing import issue
from .parties import collector, must_name, party

_FRESH = 5  # seconds that an agent's document may be old when a grant is collected (OAUTH-6)
# seconds that an agent's document may be old when a grant is collected (OAUTH-6)


async def token(ask: Ask) -> Response:
    """`/token`: code, device code, token exchange, refresh."""
    form = await read_form(ask)
    check_target(ask, form, "resource", *(["audience"] if form.get("grant_type") == TOKEN_EXCHANGE else []))
    if "authorization_details" in form and form.get("grant_type") != TOKEN_EXCHANGE:
        detail = "authorization_details are asked for at /par; a delegation is narrowed by token exchange."
        raise Refused(Code.INVALID_AUTHORIZATION_DETAILS, detail)
    match form.get("grant_type"):
        case "refresh_token":
            return await _refresh(ask, form)
        case "authorization_code":
            asking = await collector(ask, form, ask.now - _FRESH)
            code, uri, verifier = (needed(form, n) for n in ("code", "redirect_uri", "code_verifier"))
            return await issue(
                ask,
                lambda tx: authorizations.redeem_code(
                    tx, ask.at, asking.caller, digest(code.encode()), uri, verifier
                ),
                asking,
            )
        case grant_type if grant_type == DEVICE_CODE:
            asking = await party(ask, form, ask.now - _FRESH)
            device_code = needed(form, "device_code")
            return await issue(
                ask,
                lambda tx: authorizations.poll(tx, asking.caller, digest(device_code.encode()), ask.now),
                asking,
            )
        case grant_type if grant_type == TOKEN_EXCHANGE:
            return await exchange(ask, form)
    raise Refused(
        Code.UNSUPPORTED_GRANT_TYPE, "This grant type is not offered; the metadata lists those that are."
    )


async def _refresh(ask: Ask, form: Form) -> Response:
    """Renew a delegation (GRANT-6; RFC 6749 §6). An opaque agent is known by its key, an attested one says who."""
    authority = ask.authority
    grant_id, generation = authority.refresh_token(form.get("refresh_token", ""), ask.now)
    scopes = scopes_in(form) if "scope" in form else None
    grant = await authority.store.read(lambda tx: tx.grant(GrantId(grant_id)))
    if grant is None:
        raise Refused(Code.INVALID_GRANT, "There is no such grant any more.")
    if grant.client_id.startswith("agt_"):
        proof = ask.proof("dpop")
        client_id = form.get("client_id")
        return await issue(
            ask,
            lambda tx: (
                grants.renew(tx, proof.jkt, grant_id, generation, client_id, scopes, ask.now)
                if tx.use_proof(proof)
                else USED_PROOF
            ),
        )
    asking = await collector(ask, form)
    must_name(asking, "refresh_token")
    return await issue(
        ask,
        lambda tx: authorizations.renew(tx, ask.at, asking.caller, grant_id, generation, scopes),
        asking,
    )
