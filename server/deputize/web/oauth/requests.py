"""What an agent asks its user for: `/par` and `/device_authorization` (OAUTH-3, OAUTH-7)."""

from typing import Annotated

from ...authority.authority import digest
from ...protocol.canonical import b64u
from ...protocol.client import DEVICE_CODE, POLL_INTERVAL, redirect_allowed
from ...protocol.errors import Code, Refused
from ...protocol.ids import UserId
from ...protocol.request import (
    DEVICE_LIFETIME,
    PUSHED_LIFETIME,
    REQUEST_URI,
    AuthorizationRequest,
    is_code_challenge,
    make_user_code,
)
from ...service import authorizations
from ..context import Context
from ..types import Closed, Seconds, Uri, Word, said
from .authentication import KnownClient, must_name
from .form import Form, check_target, constraints_in, needed, scopes_in


class Pushed(Closed):
    """A request that was pushed (RFC 9126 §2.2)."""

    request_uri: str
    expires_in: Seconds


class Device(Closed):
    """The codes of a device (RFC 8628 §3.2)."""

    device_code: Word
    user_code: Annotated[str, said(pattern="^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$")]
    verification_uri: Uri
    verification_uri_complete: Uri
    expires_in: Seconds
    interval: Seconds


async def push(context: Context, client: KnownClient, form: Form) -> Pushed:
    """`/par`: take an authorization request (OAUTH-3; RFC 9126)."""
    check_target(context, form, "resource")
    return Pushed(await store_request(context, form, client, redirect_uri(form, client)), PUSHED_LIFETIME)


async def device_authorization(context: Context, client: KnownClient, form: Form) -> Device:
    """`/device_authorization`: for an agent that has no redirect (OAUTH-7; RFC 8628)."""
    check_target(context, form, "resource")
    must_name(client, DEVICE_CODE)
    secret = b64u(context.authority.random(32))
    request = _request(
        context, form, client, b64u(context.authority.random(32)), DEVICE_LIFETIME, None, None, secret
    )
    await context.run(authorizations.push, client.proved, request)
    page = f"{context.authority.policy.site.issuer}/device"
    return Device(
        device_code=secret,
        user_code=request.user_code or "",
        verification_uri=page,
        verification_uri_complete=f"{page}?user_code={request.user_code}",
        expires_in=DEVICE_LIFETIME,
        interval=POLL_INTERVAL,
    )


def redirect_uri(form: Form, client: KnownClient) -> str:
    """Read where the answer is to go, which the agent's document has to name.

    Refused(unauthorized_client) for an agent without such a flow, Refused(invalid_request).
    """
    must_name(client, "authorization_code")
    uri = needed(form, "redirect_uri")
    if not redirect_allowed(client.document, uri):
        raise Refused(Code.INVALID_REQUEST, "This redirect_uri is not one of the agent's document.")
    return uri


async def store_request(
    context: Context, form: Form, client: KnownClient, redirect_uri: str, user_id: UserId | None = None
) -> str:
    """Store a request for a code, and return the URN that stands for it (OAUTH-3; RFC 9126 §2.2)."""
    if form.get("response_type") != "code" or form.get("response_mode", "query") != "query":
        raise Refused(Code.UNSUPPORTED_RESPONSE_TYPE, "The response type is code, in the query.")
    if "request" in form or "request_uri" in form:  # RFC 9126 §2.1
        raise Refused(Code.INVALID_REQUEST, "Send the parameters themselves.")
    challenge = needed(form, "code_challenge")
    if form.get("code_challenge_method") != "S256" or not is_code_challenge(challenge):
        raise Refused(Code.INVALID_REQUEST, "PKCE with code_challenge_method=S256 is needed.")
    secret = b64u(context.authority.random(32))
    request = _request(context, form, client, secret, PUSHED_LIFETIME, redirect_uri, challenge)
    await context.run(authorizations.push, client.proved, request, user_id)
    return REQUEST_URI + request.request_id


def _request(
    context: Context,
    form: Form,
    client: KnownClient,
    request_id: str,
    lifetime: int,
    redirect_uri: str | None,
    code_challenge: str | None,
    device_code: str | None = None,
) -> AuthorizationRequest:
    policy, document = context.authority.policy, client.document
    if "scope" in form:
        scopes = scopes_in(form)
    else:  # OAUTH-16
        scopes = policy.default_scopes & policy.ceiling.of(client.proved.agent)
        scopes = scopes if document.scopes is None else scopes & document.scopes
    if client.document.scopes is not None and not scopes <= client.document.scopes:
        raise Refused(Code.INVALID_SCOPE, "The agent's document does not have all of these scopes.")
    return AuthorizationRequest(
        request_id=request_id,
        client_id=client.proved.agent.client_id,
        assurance=client.proved.agent.assurance,
        name=client.document.name,
        document_s256=client.document.document_s256,
        jkt=client.proved.jkt,
        scopes=scopes,
        constraints=constraints_in(form),
        redirect_uri=redirect_uri,
        state=form.get("state"),
        code_challenge=code_challenge,
        user_code=make_user_code(context.authority.random(16)) if device_code else None,
        secret_digest=digest(device_code.encode()) if device_code else None,
        expires_at=context.now + lifetime,
    )
