"""The way to the site's own login and back: `/account/sign-in`, `/account/ticket` (PROTOCOL §25)."""

from urllib.parse import urlencode

from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from ..authority.authority import digest
from ..crypto import ticket
from ..protocol.canonical import b64u
from ..protocol.credential import RECENT_SIGN_IN
from ..protocol.login import SiteLogin
from ..service import logins
from ..service.logins import Arrived
from . import session
from .accounts import opening_of
from .context import Context
from .oauth.parameters import Form, needed
from .pages.returning import target
from .types import Jwt


class TicketForm(Struct):
    """What the site's page sends, as a form."""

    ticket: Jwt


async def leave(context: Context, login: SiteLogin) -> Response:
    """Send a browser to the site's login, with a state that only this browser can come back with (SIGNIN-1)."""
    query, site = context.request.query_params, context.authority.policy.site
    return_to = target(site, query.get("return_to", "")) or f"{site.issuer}/account"
    anew = "anew" in query
    browser = _browser(context) or b64u(context.authority.random(32))
    away = await context.run(logins.depart, digest(browser.encode()), return_to, anew)
    asked = {"state": away.challenge_id, **({"max_age": RECENT_SIGN_IN} if anew else {})}
    joined = "&" if "?" in login.sign_in_uri else "?"
    response = RedirectResponse(f"{login.sign_in_uri}{joined}{urlencode(asked)}", 303)
    session.set_away(response, browser)
    return response


async def bring(context: Context, login: SiteLogin, form: Form) -> Response:
    """Take a ticket from a page of the site (SIGNIN-2, SIGNIN-3)."""
    site = context.authority.policy.site
    told = ticket.verify(needed(form, "ticket"), login.keys, site.origin, site.issuer, context.now)
    session_id, opening = opening_of(context)
    arrived = await context.run(
        logins.by_ticket, told.state, _digest(context), told.known, told.proof, opening
    )
    return _in(context, arrived, session_id)


def _in(context: Context, arrived: Arrived, session_id: bytes) -> Response:
    """Give the browser its session, and lead it to where it goes on."""
    response = RedirectResponse(arrived.return_to, 303)
    session.set_cookie(
        response, context.authority.sealer, session_id, arrived.session.expires_at - context.now
    )
    return response


def _browser(context: Context) -> str | None:
    """Return what this browser is known by while its user is away."""
    return session.cookie(session.AWAY, context.headers("cookie")) or None


def _digest(context: Context) -> bytes | None:
    browser = _browser(context)
    return None if browser is None else digest(browser.encode())
