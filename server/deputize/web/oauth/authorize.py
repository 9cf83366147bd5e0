"""The consent page for attested agents: `/authorize` and `/device` (OAUTH-4, OAUTH-7)."""

import re
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from ...protocol.canonical import b64u
from ...protocol.errors import Code, Refused
from ...protocol.ids import UserId
from ...protocol.redirect import is_local
from ...protocol.request import REQUEST_URI, AuthorizationRequest, read_user_code
from ...service import approvals, authorizations, questions
from ...words.catalogue import words
from ..access import Who
from ..answers import envelope
from ..context import Context
from ..pages import drawing, message
from ..pages.returning import account_uri, sign_in
from ..types import Closed, Evidence, No, Uri, sent
from . import requests
from .authentication import identify
from .parameters import parse_form


async def page(context: Context) -> Response:
    """Show who asks for what (OAUTH-3, OAUTH-4)."""
    query = context.request.query_params
    if "request_uri" not in query:
        return await _unpushed(context)
    request_uri = query["request_uri"]
    request = await context.look(lambda tx, at: tx.request(request_uri.removeprefix(REQUEST_URI)))
    if not request_uri.startswith(REQUEST_URI) or request is None or request.redirect_uri is None:
        return _not_good(context, "told-gone-link")
    if query.get("client_id") != request.client_id:
        return _not_good(context, "told-another-agent")
    who = await context.signed_in()
    return await _show(context, request, who.user_id) if who else sign_in(context)


async def _unpushed(context: Context) -> Response:
    """Take a request from the address itself, as if it had been pushed, and go on to its page (BEARER-3).

    Anybody can send a browser here, so nothing is fetched, stored or told for one in which nobody is signed in, nor for
    what is no page that its user comes to see.
    """
    policy = context.authority.policy
    if not policy.bearer:
        return _not_good(context, "told-no-bearer")
    if not _is_page(context):
        return _not_good(context, "told-no-page")
    who = await context.signed_in()
    if who is None:
        return sign_in(context)
    try:
        form = parse_form(context.request.url.query)
        client = await identify(context, form)
        uri = requests.redirect_uri(form, client)
        if not (is_local(uri) or uri.startswith("https://")):
            raise Refused(Code.INVALID_REQUEST, "Without a key, codes go to https and to this computer only.")
    except Refused as refused:  # whoever asks, and wherever he wants the answer, it is not theirs
        detail = words(context.at.language).quoted(refused.refusal.detail)  # SHIM-10
        return _not_good(context, "told-asked-badly", detail=detail)
    try:
        if "dpop_jkt" in form:  # RFC 9449 §10
            raise Refused(Code.INVALID_REQUEST, "An agent with a key uses /par.")
        if form.getlist("resource") != [policy.mcp]:  # RFC 8707 §2
            raise Refused(
                Code.INVALID_TARGET, f"Without a key the resource is {policy.mcp}, and nothing else."
            )
        request_uri = await requests.store_request(context, form, client, uri, who.user_id)
    except Refused as refused:
        if refused.refusal.code.status >= 500:
            raise
        code = _REDIRECTED.get(refused.refusal.code, refused.refusal.code.value)
        told = {"error": code, "error_description": described(refused.refusal.detail)}
        return RedirectResponse(_back(context, uri, form.get("state"), **told), 303)
    query = urlencode({"client_id": client.document.client_id, "request_uri": request_uri})
    return RedirectResponse(f"{policy.site.issuer}/authorize?{query}", 303)


def described(detail: str) -> str:
    """Write a sentence in the characters that `error_description` may have (RFC 6749 §4.1.2.1)."""
    return re.sub(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]", "'", detail)


# RFC 6749 §4.1.2.1 has no other words for it.
_REDIRECTED = {
    Code.INVALID_CLIENT: "unauthorized_client",
    Code.TOO_MANY_REQUESTS: "temporarily_unavailable",
}


async def device(context: Context) -> Response:
    """Take the code that the user reads on another device, and show who asks for what (OAUTH-7).

    Only to somebody who is signed in, and who has not been wrong too often (RFC 8628 §5.1).
    """
    who = await context.signed_in()
    if who is None:
        return sign_in(context)
    typed = context.request.query_params.get("user_code")
    if typed is None:
        return _enter_code(context)
    if not _is_page(context):  # or pictures on a page of a sibling host would use up what is counted
        return _not_good(context, "told-no-page")
    request = await context.run(authorizations.typed, who.user_id, read_user_code(typed))
    if request is None:
        return _enter_code(context, "device-unknown")
    return await _show(context, request, who.user_id)


class Redirect(Closed):
    """Where the page goes; nowhere, if the agent runs on another device."""

    redirect_to: Uri | None


async def challenge(context: Context, user: Who[UserId]) -> dict[str, object]:
    """Mint the challenge over what the page shows (GRANT-2)."""
    return envelope(await user.run(authorizations.challenge, context.named("request_id")), context.now)


async def approve(context: Context, user: Who[UserId], evidence: Evidence) -> Redirect:
    """Take the consent assertion, and tell the page where to go (OAUTH-4, OAUTH-5)."""
    request_id = context.named("request_id")
    verdict = await user.verdict(authorizations.check, request_id, sent(evidence))
    code = b64u(context.authority.random(32))
    request, given = await user.run(authorizations.agree, request_id, verdict, code)
    return _redirect(context, request, code=given)


async def deny(context: Context, user: Who[UserId], body: No) -> Redirect:
    """Note the no, and tell the page where to go (OAUTH-4); block the agent as well, if that was asked (BLOCK-1)."""
    request = await user.run(authorizations.decline, context.named("request_id"), body.block)
    return _redirect(
        context, request, error="access_denied", error_description="The user does not want this."
    )


async def _show(context: Context, request: AuthorizationRequest, user_id: UserId) -> Response:
    """Show who asks for what, as it will be signed (OAUTH-4), to be answered by a method of approval (APPR-9).

    Who can answer by none is led to the account page, where a passkey is added.
    """
    grant = await context.run(authorizations.show, request, user_id)
    text = questions.of_consent(grant)
    return drawing.page(
        context.authority.policy.site,
        "consent.html",
        text.language,
        csrf=context.csrf_token(user_id),
        request=request,
        shown=grant.shown,
        lines=text,
        method=await context.look(approvals.asked_by, user_id),
        account_uri=account_uri(context),
    )


def _enter_code(context: Context, fault: str = "") -> Response:
    """Ask for the code that another device shows (OAUTH-7); `fault` is the message of what was wrong with one."""
    return drawing.page(context.authority.policy.site, "device.html", context.at.language, fault=fault)


def _is_page(context: Context) -> bool:
    """Tell whether this is a page that its user comes to see, as far as his browser says."""
    return context.request.headers.get("sec-fetch-dest", "document") == "document"


def _not_good(context: Context, why: str, **taken: str) -> Response:
    return message(context.authority.policy.site, context.at.language, why, 400, **taken)


def _redirect(context: Context, request: AuthorizationRequest, **said: str | None) -> Redirect:
    uri = request.redirect_uri
    return Redirect(_back(context, uri, request.state, **said) if uri else None)


def _back(context: Context, uri: str, state: str | None, **said: str | None) -> str:
    """Make the redirect to the agent, with `iss` (RFC 9207) so that it can tell who answers."""
    told = {**said, "state": state, "iss": context.authority.policy.site.issuer}
    query = urlencode({name: value for name, value in told.items() if value is not None})
    return f"{uri}{'&' if '?' in uri else '?'}{query}"
