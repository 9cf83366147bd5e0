"""What an app's start finds out: which guard is in front of which route, and that no tool is without one (GUARD-8)."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from .guard import Guard
from .middleware import GuardMiddleware
from .outcome import watch
from .point import How, Point, layers
from .routes import HandlerRoute, handler_routes, is_at, mounted, named, unwrapped


class Unguarded(RuntimeError):
    """An app would run something unguarded. The message has a line for each of the `faults`, and says what to do."""

    def __init__(self, faults: list[str], instead: str = "this app does not start") -> None:
        """List these faults, and say what happens `instead`."""
        super().__init__(f"{instead}, since its guards are not in order:\n  " + "\n  ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class GuardedRoute:
    """A route with a guard in front of it: for which tool, `METHOD /path`, and how the guard got there."""

    tool: str
    route: str
    how: How


class StartCheck(BaseRoute):
    """A route that matches every request until the app was looked over, and none from then on.

    It is for apps whose start did not look them over: their first request is held here until that is done. Then it is
    routed anew, and its outcome is reported as that of any other (GUARD-5).
    """

    def __init__(self, started: Callable[[], bool], look: Callable[[object], None]) -> None:
        """Look the router over with `look`, which raises Unguarded; `started` tells whether that was done."""
        self._started = started
        self._look = look

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match every request until then."""
        return (Match.NONE if self._started() else Match.FULL), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look the app over, then let it answer."""
        router = scope["router"]
        self._look(router)
        await router(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """Refuse: it has no URL."""
        raise NoMatchFound(name, path_params)


def start(app: object, guard: Guard, needed: Iterable[str] = ()) -> list[GuardedRoute]:
    """Look over an app that is about to serve, and watch its answers for guards that cannot see them (GUARD-8).

    Unguarded if a tool of `needed` has no guard in front of a route, if a function with a guard is reached without it,
    or if a guard is where it cannot do its work.
    """
    found = survey(app, [guard], needed)
    watch(app)
    return found


def survey(app: object, guards: Collection[Guard], needed: Iterable[str] = ()) -> list[GuardedRoute]:
    """Look over an app as `start` does, for any number of guards, without watching its answers."""
    faults = list(_bind(app))
    routes = list(handler_routes(app))
    placed: list[GuardedRoute] = []
    guarded: list[tuple[Point, object]] = [each for guard in guards for each in guard.decorated]
    for route in routes:
        points = route.points()
        placed += [GuardedRoute(point.tool, _where(point, route), point.how) for point in points]
        guarded += [(point, route.endpoint) for point in points if point.how != "decorator"]
        faults += _misplaced(route)
    there = {point for route in routes for point in route.points()}
    open_to_all = [route for route in routes if not route.points() and not route.websocket]
    bare, lost = set(), {}
    for point, function in guarded:
        if found := [route for route in open_to_all if function in layers(route.endpoint)]:
            bare.add(point.tool)
            faults.append(
                f"{point.tool}: {named(found)} runs {_name(function)} without its guard. Guard each route that runs "
                "it; @guard.tool stands directly above the function, below what makes a route of it."
            )
        elif point not in there:
            lost[point.tool] = function
    stood = {name for point in there if point.guard in guards for name in point.guard.sharing(point.tool)}
    for tool in dict.fromkeys(needed):
        if tool not in bare | stood:
            faults.append(_missing(tool, lost.get(tool), routes))
        elif tool in stood:
            faults += _beside(tool, guards, routes)
    if faults:
        raise Unguarded(list(dict.fromkeys(faults)))
    return placed


def _bind(app: object) -> Iterator[str]:
    """Let each middleware find its routes; yield what is wrong with those that cannot."""
    for each in (app, *mounted(app)):
        found = [inner for inner in unwrapped(each) if isinstance(inner, GuardMiddleware)]
        found += [
            declared.cls(inner, *declared.args, **declared.kwargs)
            for inner in unwrapped(each)
            for declared in getattr(inner, "user_middleware", ())
            if isinstance(declared.cls, type) and issubclass(declared.cls, GuardMiddleware)
        ]
        for middleware in found:
            try:
                middleware.bind()
            except RuntimeError as error:
                yield str(error)


def _misplaced(route: HandlerRoute) -> Iterator[str]:
    """Yield what is wrong with the guards in front of one route."""
    points = route.points()
    for point in points:
        if route.websocket:
            yield f"{point.tool}: a guard admits requests, and {route} is none"
        elif route.has_parameters and point.args is None and not _covered(route, point):
            yield (
                f"{point.tool}: the approval does not cover the parameters in the address of {route}. Write them into "
                'its `endpoint` in the policy, as "POST /api/transfers/{account}"; or name all arguments with `args=`, '
                "a function of the request."
            )
    if len(points) > 1 and any(point.method is None for point in points):
        yield (
            f"{points[0].tool}: {len(points)} guards stand in front of {route}; a call token is good for one, once"
        )


def _covered(route: HandlerRoute, point: Point) -> bool:
    """Tell whether the parameters in the address of a route are those of the tool's endpoint (ENDPOINT-2)."""
    endpoint = point.guard.endpoint(point.tool)
    named = {parameter.partition(":")[0] for parameter in re.findall(r"\{([^{}]+)\}", route.path)}
    return endpoint is not None and not route.host_has_parameters and named == {*endpoint.parameters}


def _beside(tool: str, guards: Collection[Guard], routes: list[HandlerRoute]) -> Iterator[str]:
    """Yield what is wrong where a tool has a guard, but not in front of the endpoint that the policy names."""
    for guard in guards:
        endpoint = guard.endpoint(tool)
        if endpoint is None:
            continue
        there = [route for route in routes if is_at(route.path, endpoint) and route.takes(endpoint.method)]
        if not there:
            yield (
                f"{tool}: the policy says that its endpoint is {endpoint}, and no route of this app is there (there "
                f"are {named(routes)}). Write into one what the other says."
            )
        for route in there:
            if not any(tool in point.guard.sharing(point.tool) for point in route.points()):
                yield f"{tool}: {route} is its endpoint in the policy, and runs without its guard"


def _missing(tool: str, function: object | None, routes: list[HandlerRoute]) -> str:
    if function is not None:
        return (
            f"{tool}: {_name(function)} is guarded, and no route of this app runs it. Give the function that "
            "@guard.tool returns to a route, and use functools.wraps in decorators above it."
        )
    there = [
        route
        for route in routes
        if getattr(route.bindable, "include_in_schema", True) and not route.path.startswith("/.well-known/")
    ]
    return (
        f'{tool}: the policy says executes = "api", and no route of this app has its guard in front of it (there are '
        f'{named(there)}). Guard one, with @authority.guard.tool("{tool}") or, in FastAPI, '
        f'Depends(authority.guard("{tool}")); or offer an @authority.handler("{tool}"). If its API runs elsewhere, '
        f"say so in the policy: elsewhere = true, in [tools.{tool}] or for all of them in [api]."
    )


def _where(point: Point, route: HandlerRoute) -> str:
    return f"{point.method} {route.path}" if point.method else str(route)


def _name(function: object) -> str:
    return str(getattr(function, "__qualname__", function))
