"""What stands in front of every address of the authority: its headers, its door, and what it says where nothing is."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Lifespan

from ..protocol.errors import Refused
from .cors import SitePages
from .door import Door
from .hardening import Hardening, LocalhostRedirect, opens_page
from .refusals import Dialect, Refusals


class Front:
    """The front of one authority; `refusals` answers what does not come past it."""

    def __init__(self, refusals: Refusals) -> None:
        """Its origin and its issuer stay as they are (POLICY-2)."""
        self._refusals = refusals

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return the app behind all that holds for each request and each answer."""
        https = self._refusals.policy().site.issuer.startswith("https://")
        # With https a proxy stands before it, and 127.0.0.1 is what that calls us: no address of anybody's.
        return Hardening(Door(app if https else LocalhostRedirect(app), self._turn_away), https)

    def exactly(self, routes: Sequence[BaseRoute], lifespan: Lifespan[Starlette] | None = None) -> Starlette:
        """Answer at these addresses and no others: a slash more or less is another, and leads nowhere (DOOR-5)."""
        app = Starlette(routes=routes, exception_handlers={HTTPException: self.not_routed}, lifespan=lifespan)
        app.router.redirect_slashes = False
        return app

    def for_the_site(self, app: ASGIApp) -> ASGIApp:
        """Let the site's own pages read what this app answers, also where the authority stands alone (OAUTH-12)."""
        site = self._refusals.policy().site
        return app if site.issuer.startswith(site.origin + "/") else SitePages(app, site.origin)

    def _turn_away(self, request: Request, refused: Refused) -> ASGIApp:
        return self.for_the_site(self._refusals.noted(refused, _dialect(request), request))

    async def not_routed(self, request: Request, error: Exception) -> Response:
        """Answer what no route takes, in words for who asks."""
        return self._refusals.not_routed(error, _dialect(request), request)


def _dialect(request: Request) -> Dialect:
    return Dialect.PAGE if opens_page(request) else Dialect.PROBLEM
