"""What an agent asks its user for: `/par` and `/device_authorization` (OAUTH-3, OAUTH-7)."""

from starlette.responses import Response

from ...authority.authority import digest
from ...protocol.canonical import b64u
from ...protocol.client import DEVICE_CODE, POLL_INTERVAL, redirect_allowed
from ...protocol.errors import Code, Refused, or_refuse
from ...protocol.ids import UserId
from ...protocol.quota import Quota
from ...protocol.request import (
    DEVICE_LIFETIME,
    PUSHED_LIFETIME,
    REQUEST_URI,
    AuthorizationRequest,
    is_code_challenge,
    make_user_code,
)
from ...service import authorizations
from ..ask import Ask
from ..problems import answer
from .form import Form, check_target, constraints_in, needed, read_form, scopes_in
from .parties import Party, asker, must_name


async def push(ask: Ask) -> Response:
    """`/par`: take an authorization request (OAUTH-3; RFC 9126)."""
    ask.take(Quota.PUSHED_REQUESTS, ask.authority.policy.quotas.pushed_requests)
    form = await read_form(ask)
    asking = await asker(ask, form)
    check_target(ask, form, "resource")
    request_uri = await store_request(ask, form, asking, redirect_uri(form, asking))
    return answer({"request_uri": request_uri, "expires_in": PUSHED_LIFETIME}, 201)


async def device_authorization(ask: Ask) -> Response:
    """`/device_authorization`: for an agent that has no redirect (OAUTH-7; RFC 8628)."""
    ask.take(Quota.DEVICE_CODES, ask.authority.policy.quotas.device_codes)
    form = await read_form(ask)
    asking = await asker(ask, form)
    check_target(ask, form, "resource")
    must_name(asking, DEVICE_CODE)
    secret = b64u(ask.authority.random(32))
    request = _request(ask, form, asking, b64u(ask.authority.random(32)), DEVICE_LIFETIME, None, None, secret)
    or_refuse(
        await ask.authority.store.transact(lambda tx: authorizations.push(tx, ask.at, asking.caller, request))
    )
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


def redirect_uri(form: Form, asking: Party) -> str:
    """Read where the answer is to go, which the agent's document has to name.

    Refused(unauthorized_client) for an agent without such a flow, Refused(invalid_request).
    """
    must_name(asking, "authorization_code")
    uri = needed(form, "redirect_uri")
    if not redirect_allowed(asking.document, uri):
        raise Refused(Code.INVALID_REQUEST, "This redirect_uri is not one of the agent's document.")
    return uri


async def store_request(
    ask: Ask, form: Form, asking: Party, redirect_uri: str, user_id: UserId | None = None
) -> str:
    """Store a request for a code, and return the URN that stands for it (OAUTH-3; RFC 9126 §2.2)."""
    if form.get("response_type") != "code" or form.get("response_mode", "query") != "query":
        raise Refused(Code.UNSUPPORTED_RESPONSE_TYPE, "The response type is code, in the query.")
    if "request" in form or "request_uri" in form:  # RFC 9126 §2.1
        raise Refused(Code.INVALID_REQUEST, "Send the parameters themselves.")
    challenge = needed(form, "code_challenge")
    if form.get("code_challenge_method") != "S256" or not is_code_challenge(challenge):
        raise Refused(Code.INVALID_REQUEST, "PKCE with code_challenge_method=S256 is needed.")
    secret = b64u(ask.authority.random(32))
    request = _request(ask, form, asking, secret, PUSHED_LIFETIME, redirect_uri, challenge)
    or_refuse(
        await ask.authority.store.transact(
            lambda tx: authorizations.push(tx, ask.at, asking.caller, request, user_id)
        )
    )
    return REQUEST_URI + request.request_id


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
    policy, document = ask.authority.policy, asking.document
    if "scope" in form:
        scopes = scopes_in(form)
    else:  # OAUTH-16
        scopes = policy.default_scopes & policy.ceiling.of(asking.caller.agent)
        scopes = scopes if document.scopes is None else scopes & document.scopes
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
        constraints=constraints_in(form),
        redirect_uri=redirect_uri,
        state=form.get("state"),
        code_challenge=code_challenge,
        user_code=make_user_code(ask.authority.random(16)) if device_code else None,
        secret_digest=digest(device_code.encode()) if device_code else None,
        expires_at=ask.now + lifetime,
    )
