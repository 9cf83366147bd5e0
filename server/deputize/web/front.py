"""What stands in front of every address of the authority: its headers, its door, and what it says where nothing is."""

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Lifespan

from ..log.log import Log
from ..protocol.errors import Refusal
from ..protocol.policy import Site
from .cors import SitePages
from .door import Door
from .hardening import Hardening, LocalhostRedirect, opens_page
from .pages.refusals import refused
from .refusals import Dialect, as_problem, not_routed


class Front:
    """The front of one authority; `site` tells whose, by the policy that was in force last."""

    def __init__(self, site: Callable[[], Site], log: Log) -> None:
        """Its origin and its issuer stay as they are (POLICY-2)."""
        self._site = site
        self._log = log

    def before(self, app: ASGIApp) -> ASGIApp:
        """Return the app behind all that holds for each request and each answer."""
        https = self._site().issuer.startswith("https://")
        return Hardening(Door(LocalhostRedirect(app), self._log, self._turn_away), https)

    def door(self) -> Middleware:
        """Return the door for a route that a site has in its own app."""
        return Middleware(Door, self._log, self._turn_away)

    def exactly(self, routes: Sequence[BaseRoute], lifespan: Lifespan[Starlette] | None = None) -> Starlette:
        """Answer at these addresses and no others: a slash more or less is another, and leads nowhere (DOOR-5)."""
        app = Starlette(
            routes=routes, exception_handlers={HTTPException: self._not_routed}, lifespan=lifespan
        )
        app.router.redirect_slashes = False
        return app

    def for_the_site(self, app: ASGIApp) -> ASGIApp:
        """Let the site's own pages read what this app answers, also where the authority stands alone (OAUTH-12)."""
        site = self._site()
        return app if site.issuer.startswith(site.origin + "/") else SitePages(app, site.origin)

    def page(self, refusal: Refusal) -> Response:
        """Answer a refusal as a page, for people."""
        return refused(self._site(), refusal)

    def _dialect(self, request: Request) -> Dialect:
        return self.page if opens_page(request) else as_problem

    def _turn_away(self, request: Request, refusal: Refusal) -> ASGIApp:
        return self.for_the_site(self._dialect(request)(refusal))

    async def _not_routed(self, request: Request, error: Exception) -> Response:
        return not_routed(error, self._dialect(request))
