"""`/token`, the keys, and the metadata that OAuth clients look for."""

from urllib.parse import parse_qsl

from starlette.responses import Response

from ..protocol.errors import Code, Refused
from ..service import grants
from .ask import Ask
from .problems import answer, or_refuse


async def token(ask: Ask) -> Response:
    """Renew a delegation (GRANT-6; RFC 6749 §6)."""
    form = await _form(ask)
    if form.get("grant_type") != "refresh_token":
        raise Refused(Code.UNSUPPORTED_GRANT_TYPE, "The grant type is refresh_token.")
    proof = ask.proof("dpop")
    authority = ask.authority
    grant_id, generation = authority.refresh_token(form.get("refresh_token", ""), ask.now)
    client_id = form.get("client_id")
    renewable = or_refuse(
        await authority.store.transact(
            lambda tx: grants.renew(tx, proof, grant_id, generation, client_id, ask.now)
        )
    )
    return answer(authority.token_response(renewable, ask.now))


async def jwks(ask: Ask) -> Response:
    """Answer the public keys (RFC 7517)."""
    return answer(ask.authority.keys.jwks())


async def metadata(ask: Ask) -> Response:
    """Answer RFC 8414 metadata."""
    issuer = ask.authority.policy.site.issuer
    return answer(
        {
            "issuer": issuer,
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks.json",
            "scopes_supported": sorted(ask.authority.policy.scopes),
            "response_types_supported": [],
            "grant_types_supported": ["refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"],
            "dpop_signing_alg_values_supported": ["ES256"],
            "deputize_calls_endpoint": f"{issuer}/calls",
        }
    )


async def resource_metadata(ask: Ask) -> Response:
    """Answer RFC 9728 metadata: the authority is the only resource that takes its delegations (TOKEN-2)."""
    issuer = ask.authority.policy.site.issuer
    return answer(
        {
            "resource": issuer,
            "authorization_servers": [issuer],
            "scopes_supported": sorted(ask.authority.policy.scopes),
            "dpop_bound_access_tokens_required": True,
            "dpop_signing_alg_values_supported": ["ES256"],
        }
    )


async def _form(ask: Ask) -> dict[str, str]:
    """Read a form, each parameter once (RFC 6749 §3.2)."""
    if (
        ask.request.headers.get("content-type", "").partition(";")[0].strip()
        != "application/x-www-form-urlencoded"
    ):
        raise Refused(Code.INVALID_REQUEST, "Send application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl(
            (await ask.bytes()).decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict"
        )
    except ValueError as error:
        raise Refused(Code.INVALID_REQUEST, "The form cannot be read.") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Refused(Code.INVALID_REQUEST, "A parameter is repeated.")
    return form
