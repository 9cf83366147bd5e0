"""The way to the site's own login and back: `/account/sign-in`, `/account/ticket`, `/account/openid` (PROTOCOL §25)."""

import re
from urllib.parse import urlencode

from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from ..authority.authority import digest
from ..authority.openid import Provider
from ..crypto import ticket
from ..protocol.canonical import b64u
from ..protocol.credential import RECENT_SIGN_IN
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.login import OpenId, Tickets
from ..service import logins
from ..service.logins import Arrived
from . import session
from .accounts import opening_of
from .context import Context
from .oauth.parameters import Form, needed, parse_form
from .pages.returning import target
from .types import Jwt

_MADE = re.compile("[A-Za-z0-9_-]{43}")
_DECLINED = Refusal(Code.SIGN_IN_FAILED, "The site's login signed nobody in.", told="sign-in-declined")


class TicketForm(Struct):
    """What the site's page sends, as a form."""

    ticket: Jwt


class LogoutForm(Struct):
    """What the site, or its provider, sends when somebody has signed out there."""

    logout_token: Jwt


async def leave(context: Context, login: Tickets | OpenId) -> Response:
    """Send a browser to the site's login, with a state that only this browser can come back with (SIGNIN-1)."""
    query, site = context.request.query_params, context.authority.policy.site
    return_to = target(site, query.get("return_to", "")) or f"{site.issuer}/account"
    anew = "anew" in query
    browser = _browser(context) or b64u(context.authority.random(32))
    away = await context.run(logins.depart, digest(browser.encode()), login.where, return_to, anew)
    if isinstance(login, OpenId):
        there = await _provider(context, login).authorization(away.challenge_id, away.nonce, anew)
    else:
        asked = {"state": away.challenge_id, **({"max_age": RECENT_SIGN_IN} if anew else {})}
        there = f"{login.where}?{urlencode(asked)}"
    response = RedirectResponse(there, 303)
    session.set_away(response, browser)
    return response


async def bring(context: Context, login: Tickets, form: Form) -> Response:
    """Take a ticket from a page of the site (SIGNIN-2, SIGNIN-3)."""
    site = context.authority.policy.site
    told = ticket.verify(needed(form, "ticket"), login.keys, site.origin, site.issuer, context.now)
    session_id, opening = opening_of(context)
    arrived = await context.run(logins.by_ticket, told, login.where, _digest(context), opening)
    return _in(context, arrived, session_id)


async def come_back(context: Context, login: OpenId) -> Response:
    """Take the answer of the site's provider: a code, once, in the browser that has left for one (OPENID-2)."""
    answer, provider = parse_form(context.request.url.query), _provider(context, login)
    await provider.check_issuer(answer.get("iss"))
    state, browser = needed(answer, "state"), _digest(context)
    challenge, away = await context.run(logins.come_back, state, browser, login.where)
    if "error" in answer:
        raise Refused.of(_DECLINED)
    known = await provider.identity(needed(answer, "code"), challenge.nonce)
    session_id, opening = opening_of(context)
    return _in(context, await context.run(logins.arrive, away, known, "openid", opening), session_id)


async def end(context: Context, login: Tickets | OpenId, form: Form) -> None:
    """Hear of the site's login what has ended there (SIGNIN-7; OpenID Connect Back-Channel Logout §2.5)."""
    token, site = needed(form, "logout_token"), context.authority.policy.site
    if isinstance(login, OpenId):
        ended = await _provider(context, login).ended(token)
    else:
        ended = ticket.ended(token, login.keys, site.origin, site.issuer, context.now)
    await context.run(logins.end, ended)


def _provider(context: Context, login: OpenId) -> Provider:
    return Provider(context.authority, login, context.now)


def _in(context: Context, arrived: Arrived, session_id: bytes) -> Response:
    """Give the browser its session, and lead it to where it goes on."""
    response = RedirectResponse(arrived.return_to, 303)
    session.set_cookie(
        response, context.authority.sealer, session_id, arrived.session.expires_at - context.now
    )
    return response


def _browser(context: Context) -> str | None:
    """Return what this browser is known by while its user is away; what we have not made is nothing."""
    value = session.cookie(session.AWAY, context.headers("cookie"))
    return value if value is not None and _MADE.fullmatch(value) else None


def _digest(context: Context) -> bytes | None:
    browser = _browser(context)
    return None if browser is None else digest(browser.encode())
