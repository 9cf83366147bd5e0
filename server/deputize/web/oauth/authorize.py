"""The consent page for attested agents: `/authorize` and `/device` (OAUTH-4, OAUTH-7)."""

import re
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from ...protocol.canonical import b64u
from ...protocol.errors import Code, Refusal, Refused
from ...protocol.ids import UserId
from ...protocol.redirect import is_local
from ...protocol.request import REQUEST_URI, AuthorizationRequest, read_user_code
from ...service import approvals, authorizations
from ...service.approvals import Verdict
from ...words.catalogue import words
from .. import pages
from ..access import Who
from ..answers import envelope
from ..ask import Ask
from ..refusals import later
from ..types import Closed, Evidence, Uri, sent
from . import requests
from .authentication import identify
from .form import parse_form


async def page(ask: Ask) -> Response:
    """Show who asks for what (OAUTH-3, OAUTH-4)."""
    query = ask.request.query_params
    if "request_uri" not in query:
        return await _unpushed(ask) if ask.authority.policy.bearer else _not_good(ask, "told-no-bearer")
    request_uri = query.get("request_uri", "")
    request = await ask.look(lambda tx, at: tx.request(request_uri.removeprefix(REQUEST_URI)))
    if not request_uri.startswith(REQUEST_URI) or request is None or request.redirect_uri is None:
        return _not_good(ask, "told-gone-link")
    if query.get("client_id") != request.client_id:
        return _not_good(ask, "told-another-agent")
    return await _show(ask, request)


async def _unpushed(ask: Ask) -> Response:
    """Take a request from the address itself, as if it had been pushed, and go on to its page (BEARER-3).

    Anybody can send a browser here, so nothing is fetched, stored or told for one in which nobody is signed in, nor for
    what is no page that its user comes to see.
    """
    if not _is_page(ask):
        return _not_good(ask, "told-no-page")
    who = await ask.signed_in()
    if who is None:
        return _sign_in(ask)
    policy = ask.authority.policy
    try:
        form = parse_form(ask.request.url.query)
        client = await identify(ask, form)
        uri = requests.redirect_uri(form, client)
        if not (is_local(uri) or uri.startswith("https://")):
            raise Refused(Code.INVALID_REQUEST, "Without a key, codes go to https and to this computer only.")
    except Refused as refused:  # whoever asks, and wherever he wants the answer, it is not theirs
        detail = words(ask.at.language).quoted(refused.refusal.detail)  # SHIM-10
        return _not_good(ask, "told-asked-badly", detail=detail)
    try:
        if "dpop_jkt" in form:  # RFC 9449 §10
            raise Refused(Code.INVALID_REQUEST, "An agent with a key uses /par.")
        if form.getlist("resource") != [policy.mcp]:  # RFC 8707 §2
            raise Refused(
                Code.INVALID_TARGET, f"Without a key the resource is {policy.mcp}, and nothing else."
            )
        request_uri = await requests.store_request(ask, form, client, uri, who.user_id)
    except Refused as refused:
        if refused.refusal.code.status >= 500:
            raise
        code = _REDIRECTED.get(refused.refusal.code, refused.refusal.code.value)
        told = {"error": code, "error_description": described(refused.refusal.detail)}
        return RedirectResponse(_back(ask, uri, form.get("state"), **told), 303)
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


async def device(ask: Ask) -> Response:
    """Take the code that the user reads on another device, and show who asks for what (OAUTH-7).

    Only to somebody who is signed in, and who has not been wrong too often (RFC 8628 §5.1).
    """
    who = await ask.signed_in()
    if who is None:
        return _sign_in(ask)
    typed = ask.request.query_params.get("user_code")
    if typed is None:
        return pages.enter_code(ask)
    if not _is_page(ask):  # or pictures on a page of a sibling host would use up what is counted
        return _not_good(ask, "told-no-page")
    code = read_user_code(typed)
    try:
        request = await ask.run(authorizations.typed, who.user_id, code)
    except Refused as refused:
        if refused.refusal.code is not Code.TOO_MANY_REQUESTS:
            raise
        return _too_many(ask, refused.refusal, pages.enter_code(ask, "device-too-many", 429))
    if request is None:
        return pages.enter_code(ask, "device-unknown")
    return await _show(ask, request)


class Redirect(Closed):
    """Where the page goes; nowhere, if the agent runs on another device."""

    redirect_to: Uri | None


async def challenge(ask: Ask, user: Who[UserId]) -> dict[str, object]:
    """Mint the challenge over what the page shows (GRANT-2)."""
    return envelope(await user.run(authorizations.challenge, ask.named("request_id")), ask.now)


async def approve(ask: Ask, user: Who[UserId], evidence: Evidence) -> Redirect:
    """Take the consent assertion, and tell the page where to go (OAUTH-4, OAUTH-5)."""
    request_id = ask.named("request_id")
    verdict: Verdict = await user.look(authorizations.check, request_id, sent(evidence))
    code = b64u(ask.authority.random(32))
    request, given = await user.run(authorizations.agree, request_id, verdict, code)
    return _redirect(ask, request, code=given)


async def deny(ask: Ask, user: Who[UserId]) -> Redirect:
    """Note the no, and tell the page where to go (OAUTH-4)."""
    request = await user.run(authorizations.refuse, ask.named("request_id"))
    return _redirect(ask, request, error="access_denied", error_description="The user does not want this.")


async def _show(ask: Ask, request: AuthorizationRequest) -> Response:
    who = await ask.signed_in()
    if who is None:
        return _sign_in(ask)
    user_id = who.user_id
    try:
        shown = await ask.run(authorizations.show, request, user_id)
    except Refused as refused:
        if refused.refusal.code.status >= 500:
            raise
        return await _not_shown(ask, request, user_id, refused.refusal)
    method = await ask.look(approvals.asked_by, user_id)
    return pages.consent(ask, request, shown, ask.csrf_token(user_id), method, _account(ask))


async def _not_shown(ask: Ask, request: AuthorizationRequest, user_id: UserId, refusal: Refusal) -> Response:
    if refusal.code is Code.TOO_MANY_REQUESTS:
        return _too_many(ask, refusal, _told(ask, "told-too-many-consents", 429))
    if refusal.code is Code.AGENT_BLOCKED:  # BLOCK-1, BLOCK-2
        by_user = await ask.look(lambda tx, at: tx.blocks(user_id, at.now))
        his_own = any(each.client_id == request.client_id for each in by_user)
        return _told(ask, "told-blocked-by-you" if his_own else "told-blocked", 403)
    return _told(ask, "told-gone", 400)


def _too_many(ask: Ask, refusal: Refusal, page: Response) -> Response:
    ask.noted = refusal
    return later(page, refusal)


def _is_page(ask: Ask) -> bool:
    """Tell whether this is a page that its user comes to see, as far as his browser says."""
    return ask.request.headers.get("sec-fetch-dest", "document") == "document"


def _not_good(ask: Ask, why: str, **taken: str) -> Response:
    return _told(ask, why, 400, **taken)


def _told(ask: Ask, name: str, status: int, **taken: str) -> Response:
    return pages.message(ask.authority.policy.site, ask.at.language, name, status, **taken)


def _sign_in(ask: Ask) -> Response:
    return RedirectResponse(_account(ask), 303)


def _account(ask: Ask) -> str:
    """Return the address of the account page that leads back to where the user is."""
    url = ask.request.url
    return_to = f"{url.path}?{url.query}" if url.query else url.path
    return f"{ask.authority.policy.site.issuer}/account?{urlencode({'return_to': return_to})}"


def _redirect(ask: Ask, request: AuthorizationRequest, **said: str | None) -> Redirect:
    uri = request.redirect_uri
    return Redirect(_back(ask, uri, request.state, **said) if uri else None)


def _back(ask: Ask, uri: str, state: str | None, **said: str | None) -> str:
    """Make the redirect to the agent, with `iss` (RFC 9207) so that it can tell who answers."""
    told = {**said, "state": state, "iss": ask.authority.policy.site.issuer}
    query = urlencode({name: value for name, value in told.items() if value is not None})
    return f"{uri}{'&' if '?' in uri else '?'}{query}"
