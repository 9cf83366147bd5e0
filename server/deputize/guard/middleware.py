"""The guard as ASGI middleware, for an app whose endpoints cannot be decorated."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..protocol.errors import Refused
from .guard import Guard, check_path, refusal_response
from .outcome import Outcome, watched
from .point import Args, Point
from .routes import HandlerRoute, handler_routes, is_at, named, template

Routes = Mapping[tuple[str, str], "str | tuple[str, Args]"]


class GuardMiddleware:
    """Guards the endpoints that the policy names, or some routes: `routes` gives the tool for a method and a path.

    A path is written as its route declares it, behind the paths that it is mounted at; convertors make no difference.
    It names the route, in front of which the guard is put; no request's path is compared with it, so the spelling of
    that does not matter, nor what another middleware makes of it (GUARD-7). A path with parameters that the tool's
    endpoint does not have needs `(tool, args)`, with `args` as for `Guard.tool`. `GET` includes `HEAD`. Every other
    request passes untouched, so each method with an effect has to be named.

    The routes are looked up when the app starts, or with its first request: RuntimeError for one that is not there, or
    that no guard can be put in front of.
    """

    def __init__(self, app: ASGIApp, guard: Guard, routes: Routes | None = None) -> None:
        """Guard these routes; ValueError for a method, path or tool that no request could have."""
        self.app = app
        self._points: dict[tuple[str, str], Point] | None = {}
        if routes is None:
            routes = {(each.method, each.path): tool.name for each, tool in guard.endpoints()}
        for (method, path), guarded in routes.items():
            tool, args = (guarded, None) if isinstance(guarded, str) else guarded
            unnamed = "{" in path and args is None and not is_at(path, guard.endpoint(tool))
            if method != method.upper() or not path.startswith("/") or unnamed:
                raise ValueError(
                    "not a method in capitals and a path, with `args` if it has parameters that the policy's "
                    f"`endpoint` has not: {method} {path}"
                )
            guard.check(tool)
            self._points[method, path] = Point(guard, tool, args, "middleware", method)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self.bind(None if "router" in scope else scope.get("app"))  # below a router, it would bind too late
        if scope["type"] == "http":
            try:
                check_path(scope)
            except Refused as refused:
                await refusal_response(refused.refusal)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def bind(self, outer: object = None) -> None:
        """Put the guards in front of their routes, once; RuntimeError if neither this app nor `outer` has a route."""
        if self._points is None:
            return
        found = list(handler_routes(self.app)) or list(handler_routes(outer))
        for (method, path), point in self._points.items():
            meant = [
                route for route in found if template(route.path) == template(path) and route.takes(method)
            ]
            if not meant:
                raise RuntimeError(
                    f"{point.tool}: no route of this app is declared as {method} {path}, so nothing of it can be "
                    f"guarded. There are: {named(found)}."
                )
            for route in meant:
                _stand_in_front(route, method, point)
        self._points = None


class _InFront:
    """Replaces the `handle` of a route: it admits the call, and only then does what the route did before."""

    def __init__(self, handle: ASGIApp) -> None:
        self.points: dict[str, Point] = {}
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"].upper()  # as endpoints that are classes read it
        point = self.points.get(method) or (self.points.get("GET") if method == "HEAD" else None)
        if point is None:
            await self._handle(scope, receive, send)
            return
        try:
            call, replay = await point.guard.admit(point.tool, Request(scope, receive), point.args)
        except Refused as refused:
            await refusal_response(refused.refusal)(scope, receive, send)
            return
        outcome = Outcome(point.guard.redeemer.report, call.call_id)
        await watched(outcome.report, self._handle, scope, replay, send)


def _stand_in_front(route: HandlerRoute, method: str, point: Point) -> None:
    if route.bindable is None:
        raise RuntimeError(
            f"{point.tool}: FastAPI makes {route} anew from its function where it includes its router, and a guard "
            "in front of it is lost. Use the decorator `guard.tool`."
        )
    front = route.bindable.handle
    if not isinstance(front, _InFront):
        front = _InFront(front)
        route.bindable.handle = front  # type: ignore[method-assign] # what the router calls, whatever led it there
    before = front.points.setdefault(method, point)
    if before.guard is not point.guard or point.tool not in before.guard.sharing(before.tool):
        raise RuntimeError(f"{route} is guarded for {before.tool} already, and cannot be for {point.tool}")
