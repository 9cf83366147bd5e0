"""The guard as ASGI middleware, for an app whose endpoints one cannot or does not want to decorate."""

from collections.abc import Mapping

from starlette._utils import get_route_path  # what Starlette's own router matches against
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..protocol.errors import Refused
from .guard import Guard, refusal_response
from .outcome import Outcome


class GuardMiddleware:
    """Guards some routes of an app: `routes` gives the tool for a method and a path.

    A path is as the app's router sees it, and stands for itself, without parameters. `GET` means `HEAD`
    too. Every other request passes untouched, so each method of a path that has an effect has to be named.
    """

    def __init__(self, app: ASGIApp, guard: Guard, routes: Mapping[tuple[str, str], str]) -> None:
        """Guard these routes; ValueError for a method or path that no request could have."""
        for method, path in routes:
            if method != method.upper() or not path.startswith("/") or "{" in path:
                raise ValueError(f"not a method in capitals and a path without parameters: {method} {path}")
        self._app = app
        self._guard = guard
        self._routes = dict(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        tool = self._tool(scope)
        if tool is None:
            await self._app(scope, receive, send)
            return
        try:
            call, replay = await self._guard.admit(tool, Request(scope, receive))
        except Refused as refused:
            await refusal_response(refused.refusal)(scope, receive, send)
            return
        await Outcome(self._guard.redeemer.report, call.call_id).watch(self._app, scope, replay, send)

    def _tool(self, scope: Scope) -> str | None:
        if scope["type"] != "http":
            return None
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        return self._routes.get((method, get_route_path(scope)))
