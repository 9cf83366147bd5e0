"""The routes of an app, down to their handlers, and the guards in front of each (GUARD-7)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute

from ..protocol.endpoint import Endpoint
from .point import Point, layers, point_of

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class HandlerRoute:
    """A route that ends in a handler.

    `path` is as declared, behind the paths that it is mounted at; `methods` are those that it takes, None for any.
    `has_parameters` is for its path, and for a host before it. `bindable` is the route whose `handle` is called for a
    request, None where the router makes another one of it.
    """

    path: str
    methods: frozenset[str] | None
    endpoint: object
    bindable: BaseRoute | None
    has_parameters: bool
    dependant: Any = None
    websocket: bool = False
    host_has_parameters: bool = False

    def __str__(self) -> str:
        methods = sorted((self.methods or {"*"}) - ({"HEAD"} if "GET" in (self.methods or ()) else set()))
        return f"{'WEBSOCKET' if self.websocket else '|'.join(methods)} {self.path}"

    def takes(self, method: str) -> bool:
        """Tell whether requests of this method reach the handler."""
        return not self.websocket and (self.methods is None or method in self.methods)

    def points(self) -> list[Point]:
        """Return the guards in front of the handler, each once."""
        found = [
            *getattr(getattr(self.bindable, "handle", None), "points", {}).values(),
            *_dependencies(self.dependant),
            *filter(None, [point_of(self.endpoint)]),
        ]
        return list(dict.fromkeys(found))


def template(path: str) -> str:
    """Return the path of a route without its convertors, as endpoints are written: `{account:int}` is `{account}`."""
    return re.sub(r"\{([^{}:]+):[^{}]*\}", r"{\1}", path)


def is_at(path: str, endpoint: Endpoint | None) -> bool:
    """Tell whether a route of this path is where an endpoint is."""
    return endpoint is not None and template(path) == endpoint.path


def unwrapped(app: object) -> Iterator[Any]:
    """Yield an app and what it wraps, as middlewares do, down to what has routes or does not show what it wraps."""
    seen: set[int] = set()
    while app is not None and id(app) not in seen:
        yield app
        seen.add(id(app))
        app = None if hasattr(app, "routes") else getattr(app, "app", None) or getattr(app, "_app", None)


def routes_of(app: object) -> Iterable[BaseRoute]:
    """Return the routes of an app, or of what it wraps; none if they cannot be seen."""
    return next((each.routes for each in unwrapped(app) if hasattr(each, "routes")), ())


def handler_routes(app: object) -> Iterator[HandlerRoute]:
    """Yield all routes of an app that end in a handler, those of mounted apps included."""
    return _below(routes_of(app))


def mounted(app: object) -> Iterator[object]:
    """Yield the apps that are mounted in an app, at any depth."""
    for route in routes_of(app):
        for _, each in _flat(route):
            if isinstance(each, Mount | Host):
                yield each.app
                yield from mounted(each.app)


def named(routes: Iterable[HandlerRoute]) -> str:
    """Name the first few of these routes, and how many more there are, for a message."""
    names = list(dict.fromkeys(map(str, routes)))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more


def _below(routes: Iterable[BaseRoute], prefix: str = "", host: str = "") -> Iterator[HandlerRoute]:
    for route in routes:
        for shown, each in _flat(route):
            if isinstance(each, Mount):
                yield from _below(routes_of(each.app), prefix + shown.path, host)
            elif isinstance(each, Host):
                yield from _below(routes_of(each.app), prefix, host + each.host)
            elif isinstance(each, Route | WebSocketRoute):
                methods = getattr(shown, "methods", None)
                remade = shown is not each and not hasattr(each, "dependant")
                yield HandlerRoute(
                    prefix + shown.path,
                    frozenset(methods) if methods else None,
                    each.endpoint,
                    None if remade else each,
                    "{" in host + prefix + shown.path,
                    getattr(shown, "dependant", None),
                    isinstance(each, WebSocketRoute),
                    "{" in host,
                )


def _flat(route: BaseRoute) -> Iterator[tuple[Any, BaseRoute]]:
    """Yield a route as its app has it, beside the route that was declared.

    They are two where FastAPI includes a router: it keeps that, and derives each of its routes from the declared one.
    """
    contexts = getattr(route, "effective_route_contexts", None)
    if contexts is None:
        yield route, route
        return
    for context in contexts():
        yield context.starlette_route or context, context.original_route


def _dependencies(dependant: Any) -> Iterator[Point]:
    for inner in getattr(dependant, "dependencies", ()):
        for call in layers(inner.call):
            if isinstance(point := getattr(call, "point", None), Point):
                yield point
        yield from _dependencies(inner)
