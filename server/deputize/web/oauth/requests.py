"""What an agent asks its user for: `/par` and `/device_authorization` (OAUTH-3, OAUTH-7)."""

from dataclasses import replace
from typing import Annotated

from ...authority.authority import digest
from ...protocol.canonical import b64u
from ...protocol.client import DEVICE_CODE, POLL_INTERVAL
from ...protocol.errors import Code, Refused
from ...protocol.ids import UserId
from ...protocol.redirect import matches
from ...protocol.request import (
    DEVICE_LIFETIME,
    PUSHED_LIFETIME,
    REQUEST_URI,
    AuthorizationRequest,
    is_code_challenge,
    make_user_code,
)
from ...service import authorizations
from ...service.clients import Client
from ..context import Context
from ..types import Closed, Seconds, Uri, Word, said
from .authentication import must_name
from .parameters import Form, check_target, constraints_in, needed, scopes_in


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


async def push(context: Context, client: Client, form: Form) -> Pushed:
    """`/par`: take an authorization request (OAUTH-3; RFC 9126)."""
    check_target(context, form, "resource")
    return Pushed(await store_request(context, form, client, redirect_uri(form, client)), PUSHED_LIFETIME)


async def device_authorization(context: Context, client: Client, form: Form) -> Device:
    """`/device_authorization`: for an agent that has no redirect (OAUTH-7; RFC 8628)."""
    check_target(context, form, "resource")
    must_name(client, DEVICE_CODE)
    secret, user_code = b64u(context.authority.random(32)), make_user_code(context.authority.random(16))
    asked = _asked(context, form, client, DEVICE_LIFETIME)
    request = replace(asked, user_code=user_code, secret_digest=digest(secret.encode()))
    await context.run(authorizations.push, client, request)
    page = f"{context.authority.policy.site.issuer}/device"
    return Device(
        device_code=secret,
        user_code=user_code,
        verification_uri=page,
        verification_uri_complete=f"{page}?user_code={user_code}",
        expires_in=DEVICE_LIFETIME,
        interval=POLL_INTERVAL,
    )


def redirect_uri(form: Form, client: Client) -> str:
    """Read where the answer is to go, which the agent's document has to name.

    Refused(unauthorized_client) for an agent without such a flow, Refused(invalid_request).
    """
    must_name(client, "authorization_code")
    uri = needed(form, "redirect_uri")
    if not matches(uri, client.document.redirect_uris):
        raise Refused(Code.INVALID_REQUEST, "This redirect_uri is not one of the agent's document.")
    return uri


async def store_request(
    context: Context, form: Form, client: Client, redirect_uri: str, user_id: UserId | None = None
) -> str:
    """Store a request for a code, and return the URN that stands for it (OAUTH-3; RFC 9126 §2.2)."""
    if form.get("response_type") != "code" or form.get("response_mode", "query") != "query":
        raise Refused(Code.UNSUPPORTED_RESPONSE_TYPE, "The response type is code, in the query.")
    if "request" in form or "request_uri" in form:  # RFC 9126 §2.1
        raise Refused(Code.INVALID_REQUEST, "Send the parameters themselves.")
    challenge = needed(form, "code_challenge")
    if form.get("code_challenge_method") != "S256" or not is_code_challenge(challenge):
        raise Refused(Code.INVALID_REQUEST, "PKCE with code_challenge_method=S256 is needed.")
    asked = _asked(context, form, client, PUSHED_LIFETIME)
    request = replace(asked, redirect_uri=redirect_uri, code_challenge=challenge)
    await context.run(authorizations.push, client, request, user_id)
    return REQUEST_URI + request.request_id


def _asked(context: Context, form: Form, client: Client, lifetime: int) -> AuthorizationRequest:
    """Read what an agent asks for, whichever way its user is asked."""
    policy, document = context.authority.policy, client.document
    if "scope" in form:
        scopes = scopes_in(form)
    else:  # OAUTH-16
        scopes = policy.default_scopes & policy.ceiling.of(client.agent)
        scopes = scopes if document.scopes is None else scopes & document.scopes
    if document.scopes is not None and not scopes <= document.scopes:
        raise Refused(Code.INVALID_SCOPE, "The agent's document does not have all of these scopes.")
    return AuthorizationRequest(
        request_id=b64u(context.authority.random(32)),
        client_id=client.agent.client_id,
        assurance=client.agent.assurance,
        name=document.name,
        document_s256=document.document_s256,
        jkt=client.jkt,
        scopes=scopes,
        constraints=constraints_in(form),
        redirect_uri=None,
        state=form.get("state"),
        code_challenge=None,
        user_code=None,
        secret_digest=None,
        expires_at=context.now + lifetime,
    )
