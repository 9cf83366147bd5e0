"""OAuth for attested agents, and renewal for all (PROTOCOL §11, §13): standard parameters, standard errors."""

from collections.abc import Callable, Iterable

from starlette.responses import Response

from ..crypto import jwt
from ..protocol import handoff
from ..protocol.canonical import JsonError, b64u, parse
from ..protocol.client import DEVICE_CODE, TOKEN_EXCHANGE, redirect_allowed
from ..protocol.constraint import Constraints
from ..protocol.errors import USED_PROOF, Code, Refusal, Refused
from ..protocol.grant import dead_link
from ..protocol.handoff import Handoff
from ..protocol.ids import ClientId, GrantId, Jkt
from ..protocol.request import (
    DEVICE_LIFETIME,
    POLL_INTERVAL,
    PUSHED_LIFETIME,
    REQUEST_URI,
    AuthorizationRequest,
    is_code_challenge,
    make_user_code,
)
from ..protocol.scope import ScopeSet
from ..service import authorizations, calls, grants, handoffs
from ..service.grants import Renewable
from ..service.ports import Proof, Tx
from .ask import Ask
from .authority import digest
from .parties import (
    Form,
    Party,
    api,
    asker,
    check_target,
    client_alone,
    collector,
    party,
    read_form,
    thumbprint_in,
)
from .problems import answer, or_refuse

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
_FRESH = 5  # seconds that an agent's document may be old when a grant is collected (OAUTH-6)


async def push(ask: Ask) -> Response:
    """`/par`: take an authorization request (OAUTH-3; RFC 9126)."""
    form = await read_form(ask)
    asking = await asker(ask, form)
    check_target(ask, form, "resource")
    request_uri = await store_request(ask, form, asking, redirect_uri(form, asking))
    return answer({"request_uri": request_uri, "expires_in": PUSHED_LIFETIME}, 201)


def redirect_uri(form: Form, asking: Party) -> str:
    """Read where the answer is to go, which the agent's document has to name.

    Refused(unauthorized_client) for an agent without such a flow, Refused(invalid_request).
    """
    _may(asking, "authorization_code")
    uri = _needed(form, "redirect_uri")
    if not redirect_allowed(asking.document, uri):
        raise Refused(Code.INVALID_REQUEST, "This redirect_uri is not one of the agent's document.")
    return uri


async def store_request(ask: Ask, form: Form, asking: Party, redirect_uri: str) -> str:
    """Store a request for a code, and return the URN that stands for it (OAUTH-3; RFC 9126 §2.2)."""
    if form.get("response_type") != "code" or form.get("response_mode", "query") != "query":
        raise Refused(Code.UNSUPPORTED_RESPONSE_TYPE, "The response type is code, in the query.")
    if "request" in form or "request_uri" in form:  # RFC 9126 §2.1
        raise Refused(Code.INVALID_REQUEST, "Send the parameters themselves.")
    challenge = _needed(form, "code_challenge")
    if form.get("code_challenge_method") != "S256" or not is_code_challenge(challenge):
        raise Refused(Code.INVALID_REQUEST, "PKCE with code_challenge_method=S256 is needed.")
    secret = b64u(ask.authority.random(32))
    request = _request(ask, form, asking, secret, PUSHED_LIFETIME, redirect_uri, challenge)
    await _transact(ask, lambda tx: authorizations.push(tx, asking.caller, request, ask.authority.policy))
    return REQUEST_URI + request.request_id


async def device_authorization(ask: Ask) -> Response:
    """`/device_authorization`: for an agent that has no redirect (OAUTH-7; RFC 8628)."""
    form = await read_form(ask)
    asking = await asker(ask, form)
    check_target(ask, form, "resource")
    _may(asking, DEVICE_CODE)
    secret = b64u(ask.authority.random(32))
    request = _request(ask, form, asking, b64u(ask.authority.random(32)), DEVICE_LIFETIME, None, None, secret)
    await _transact(ask, lambda tx: authorizations.push(tx, asking.caller, request, ask.authority.policy))
    page = f"{ask.authority.policy.site.issuer}/device"
    return answer(
        {
            "device_code": secret,
            "user_code": request.user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={request.user_code}",
            "expires_in": DEVICE_LIFETIME,
            "interval": POLL_INTERVAL,
        }
    )


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
            code, uri, verifier = (_needed(form, n) for n in ("code", "redirect_uri", "code_verifier"))
            return await _issue(
                ask,
                lambda tx: authorizations.redeem_code(
                    tx, asking.caller, digest(code.encode()), uri, verifier, ask.authority.policy, ask.now
                ),
                asking,
            )
        case grant_type if grant_type == DEVICE_CODE:
            asking = await party(ask, form, ask.now - _FRESH)
            device_code = _needed(form, "device_code")
            return await _issue(
                ask,
                lambda tx: authorizations.poll(tx, asking.caller, digest(device_code.encode()), ask.now),
                asking,
            )
        case grant_type if grant_type == TOKEN_EXCHANGE:
            return await _exchange(ask, form)
    raise Refused(
        Code.UNSUPPORTED_GRANT_TYPE, "This grant type is not offered; the metadata lists those that are."
    )


async def introspect(ask: Ask) -> Response:
    """`/introspect`: what a token is worth now, to those whom it concerns (OAUTH-8; RFC 7662)."""
    form = await read_form(ask)
    text = _needed(form, "token")
    own = api(ask, form)
    agent, assertion = (None, own) if own is not None else await client_alone(ask, form)
    await _transact(ask, lambda tx: authorizations.authenticate(tx, assertion, agent))
    authority = ask.authority
    try:
        if agent is None:
            call_token = authority.read_call_token(text, ask.now)
            active = authority.store.read(
                lambda tx: calls.is_redeemable(tx, call_token, authority.policy, ask.now)
            )
            claims = call_token.claims(authority.policy.site.issuer, authority.policy.api.audience)
            return answer({"active": True, "token_type": "N_A", **claims} if active else {"active": False})
        delegation = authority.delegation(text, ask.now)
        lineage = authority.store.read(lambda tx: tx.lineage(delegation.grant_id))
        if delegation.client_id == agent.client_id and lineage and dead_link(lineage, ask.now) is None:
            claims = dict(jwt.parse(text).claims)
            return answer({"active": True, "token_type": "DPoP", **claims})
    except Refused:
        pass  # whatever is wrong with it: not active (RFC 7662 §2.2)
    return answer({"active": False})


async def revoke(ask: Ask) -> Response:
    """`/revoke`: an agent gives its grant back (OAUTH-9; RFC 7009). A token that is nobody's is no error."""
    form = await read_form(ask)
    text = _needed(form, "token")
    agent, assertion = await client_alone(ask, form, keyless=ask.authority.policy.bearer)
    grant_id = _grant_of(ask, text)

    def give_back(tx: Tx) -> Refusal | None:
        if refusal := authorizations.authenticate(tx, assertion, agent):
            return refusal
        grant = tx.grant(grant_id) if grant_id else None
        if grant is not None and grant.client_id == agent.client_id:
            grants.revoke_grant(tx, grant, ask.now, by="agent")
        return None

    await _transact(ask, give_back)
    return Response(status_code=200)


async def jwks(ask: Ask) -> Response:
    """Answer the public keys (RFC 7517)."""
    return answer(ask.authority.keys.jwks())


async def metadata(ask: Ask) -> Response:
    """Answer RFC 8414 metadata."""
    issuer, bearer = ask.authority.policy.site.issuer, ask.authority.policy.bearer
    methods = ["private_key_jwt", "none"] if bearer else ["private_key_jwt"]  # BEARER-5
    return answer(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "pushed_authorization_request_endpoint": f"{issuer}/par",
            "require_pushed_authorization_requests": not bearer,  # BEARER-3
            "device_authorization_endpoint": f"{issuer}/device_authorization",
            "introspection_endpoint": f"{issuer}/introspect",
            "revocation_endpoint": f"{issuer}/revoke",
            "jwks_uri": f"{issuer}/jwks.json",
            "scopes_supported": sorted(ask.authority.policy.scopes),
            "authorization_details_types_supported": ["webmcp_tool"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_CODE, TOKEN_EXCHANGE],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
            "introspection_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "revocation_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "authorization_response_iss_parameter_supported": True,
            "client_id_metadata_document_supported": True,
            "dpop_signing_alg_values_supported": ["ES256"],
            "deputize_calls_endpoint": f"{issuer}/calls",
        }
    )


async def resource_metadata(ask: Ask) -> Response:
    """Answer RFC 9728 metadata: the authority is the only resource that takes its delegations (TOKEN-2)."""
    policy = ask.authority.policy
    return _resource(ask, policy.site.issuer, policy.scopes)


async def mcp_metadata(ask: Ask) -> Response:
    """Answer RFC 9728 metadata for MCP clients, which know this address of the authority only (MCP-2).

    Their clients ask for every scope that it names, so with bearer delegations it names those that one may have.
    """
    policy = ask.authority.policy
    ceiling = policy.ceiling
    return _resource(
        ask, policy.mcp, ceiling.opaque & ceiling.origin if policy.bearer else policy.scopes, policy.bearer
    )


def _resource(ask: Ask, resource: str, scopes: Iterable[str], bearer: bool = False) -> Response:
    return answer(
        {
            "resource": resource,
            "authorization_servers": [ask.authority.policy.site.issuer],
            "scopes_supported": sorted(scopes),
            "bearer_methods_supported": ["header"] if bearer else [],
            "dpop_bound_access_tokens_required": not bearer,
            "dpop_signing_alg_values_supported": ["ES256"],
        }
    )


async def _refresh(ask: Ask, form: Form) -> Response:
    """Renew a delegation (GRANT-6; RFC 6749 §6). An opaque agent is known by its key, an attested one says who."""
    authority = ask.authority
    grant_id, generation = authority.refresh_token(form.get("refresh_token", ""), ask.now)
    scopes = _scopes(form) if "scope" in form else None
    grant = authority.store.read(lambda tx: tx.grant(GrantId(grant_id)))
    if grant is None:
        raise Refused(Code.INVALID_GRANT, "There is no such grant any more.")
    if grant.client_id.startswith("agt_"):
        proof = ask.proof("dpop")
        client_id = form.get("client_id")
        return await _issue(
            ask,
            lambda tx: (
                grants.renew(tx, proof.jkt, grant_id, generation, client_id, scopes, ask.now)
                if tx.use_proof(proof)
                else USED_PROOF
            ),
        )
    asking = await collector(ask, form)
    _may(asking, "refresh_token")
    return await _issue(
        ask,
        lambda tx: authorizations.renew(
            tx, asking.caller, grant_id, generation, scopes, authority.policy, ask.now
        ),
        asking,
    )


async def _exchange(ask: Ask, form: Form) -> Response:
    """Hand on, or take over what was handed on (CHAIN-1, CHAIN-2; RFC 8693)."""
    asking = await party(ask, form)
    _may(asking, TOKEN_EXCHANGE)
    authority, caller = ask.authority, asking.caller
    if "actor_token" in form:  # who acts is who proves it, never who is named
        raise Refused(Code.INVALID_REQUEST, "The actor is the client itself: send no actor_token.")
    subject = _needed(form, "subject_token")
    scopes = _scopes(form) if "scope" in form else None
    asked = _constraints(form)
    if form.get("subject_token_type") == ACCESS_TOKEN:
        _produces(form, JWT_TYPE)
        try:
            delegation = authority.delegation(subject, ask.now)
        except Refused as refused:  # RFC 8693 §2.2.2
            raise Refused(Code.INVALID_GRANT, refused.refusal.detail) from refused
        child, jkt = _child(ask, form)
        handed = or_refuse(
            await authority.store.transact(
                lambda tx: handoffs.hand_on(tx, caller, delegation, child, jkt, scopes, asked, ask.now)
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
    return await _issue(
        ask,
        lambda tx: handoffs.take_over(tx, caller, taken, once, scopes, asked, authority.random, ask.now),
        asking,
        issued_token_type=ACCESS_TOKEN,
    )


async def _issue(
    ask: Ask, collect: Callable[[Tx], Renewable | Refusal], asking: Party | None = None, **more: str
) -> Response:
    """Issue what is collected; what an attested agent may not renew comes without a refresh token (OAUTH-13)."""
    renewable = or_refuse(await ask.authority.store.transact(collect))
    refreshable = asking is None or "refresh_token" in asking.document.grant_types
    return answer({**ask.authority.token_response(renewable, ask.now, refreshable), **more})


async def _transact(ask: Ask, fn: Callable[[Tx], Refusal | None]) -> None:
    or_refuse(await ask.authority.store.transact(fn))


def _request(
    ask: Ask,
    form: Form,
    asking: Party,
    request_id: str,
    lifetime: int,
    redirect_uri: str | None,
    code_challenge: str | None,
    device_code: str | None = None,
) -> AuthorizationRequest:
    scopes = _scopes(form)
    if asking.document.scopes is not None and not scopes <= asking.document.scopes:
        raise Refused(Code.INVALID_SCOPE, "The agent's document does not have all of these scopes.")
    return AuthorizationRequest(
        request_id=request_id,
        client_id=asking.caller.agent.client_id,
        assurance=asking.caller.agent.assurance,
        name=asking.document.name,
        document_s256=asking.document.document_s256,
        jkt=asking.caller.jkt,
        scopes=scopes,
        constraints=_constraints(form),
        redirect_uri=redirect_uri,
        state=form.get("state"),
        code_challenge=code_challenge,
        user_code=make_user_code(ask.authority.random(16)) if device_code else None,
        secret_digest=digest(device_code.encode()) if device_code else None,
        expires_at=ask.now + lifetime,
    )


def _produces(form: Form, token_type: str) -> None:
    if form.get("requested_token_type", token_type) != token_type:
        raise Refused(Code.INVALID_REQUEST, f"What comes of this is a token of type {token_type}.")


def _child(ask: Ask, form: Form) -> tuple[ClientId, Jkt]:
    """Read whom a handoff is for; Refused(invalid_request) for what the policy lets nobody be."""
    child = _needed(form, "requested_actor")
    if not ask.authority.clients.takes(child):
        raise Refused(Code.INVALID_REQUEST, "This site takes no such agent as the requested_actor.")
    return ClientId(child), thumbprint_in(form)


def _may(asking: Party, grant_type: str) -> None:
    """Hold an agent to the grant types of its document (OAUTH-13); Refused(unauthorized_client)."""
    if grant_type not in asking.document.grant_types:
        raise Refused(Code.UNAUTHORIZED_CLIENT, "The agent's document does not name this grant type.")


def _needed(form: Form, name: str) -> str:
    if not form.get(name):
        raise Refused(Code.INVALID_REQUEST, f"The parameter {name} is missing.")
    return form[name]


def _scopes(form: Form) -> ScopeSet:
    try:
        return ScopeSet.parse(form.get("scope", ""))
    except ValueError as error:
        raise Refused(Code.INVALID_SCOPE, "scope is a list of names separated by single spaces.") from error


def _constraints(form: Form) -> Constraints:
    text = form.get("authorization_details")
    if text is None:
        return Constraints()
    try:
        return Constraints.parse(parse(text.encode()))
    except JsonError as error:
        detail = f"authorization_details is not strict JSON: {error.reason}."
        raise Refused(Code.INVALID_AUTHORIZATION_DETAILS, detail) from error


def _grant_of(ask: Ask, text: str) -> GrantId | None:
    """Find the grant that a refresh or delegation token names, or None."""
    try:
        return GrantId(ask.authority.refresh_token(text, ask.now)[0])
    except Refused:
        pass
    try:
        return ask.authority.delegation(text, ask.now, over_mcp=True).grant_id
    except Refused:
        return None
