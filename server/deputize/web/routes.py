"""Routes of the table of endpoints: what comes is read, who asks is known, the handler runs, and all is answered."""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..authority.authority import Current
from ..protocol.errors import Refusal
from .answers import answer
from .bodies import read_json
from .context import Context
from .cors import every_origin
from .endpoint import Endpoint
from .endpoints import ENDPOINTS, WELL_KNOWN
from .mcp.endpoint import Mcp
from .oauth.parameters import read_form
from .refusals import NOWHERE, Dialect, Refusals

Serve: TypeAlias = Callable[[Request], Awaitable[Response]]


def routes(current: Current, refusals: Refusals, mcp: Mcp) -> list[BaseRoute]:
    """Return the routes under the mount path, one for each, in the order of the table."""
    at: dict[str, dict[str, Serve]] = {}
    shared = set[str]()
    for each in ENDPOINTS:
        methods = at.setdefault(each.path, {})
        if each.handler is not None:
            methods[each.method] = _serve(each, current, refusals)
        if each.shared:
            shared.add(each.path)
    return [
        Route(path, mcp) if not methods else _route(path, methods, shared=path in shared)
        for path, methods in at.items()
    ]


def well_known_routes(issuer: str, current: Current, refusals: Refusals, door: Middleware) -> list[BaseRoute]:
    """Return the routes that only the root of the host can answer (RFC 8414 §3.1, RFC 9728 §3.1: path insertion).

    And the issuer itself, where it has a path, which leads to the page of the account. Starlette's `Mount` takes it
    with a slash only, and a site's router would lead on to that, by http and on any host (DOOR-5).
    """
    suffix = "".join(f"/{step}" for step in issuer.split("/")[3:])
    to_account = RedirectResponse(f"{issuer}/account", 303)
    answers = {"/.well-known/" + each.path.format(suffix): each for each in WELL_KNOWN}
    here: list[BaseRoute] = [
        _route(path, {each.method: _serve(each, current, refusals)}, door, shared=each.shared)
        for path, each in answers.items()
    ]
    if suffix:  # it is ours, and nobody looks for a guard in front of it
        here.append(
            Route(suffix, lambda _: to_account, methods=["GET"], middleware=[door], include_in_schema=False)
        )
    return [*here, *(_Slashed(path, refusals, door) for path in answers)]


def _serve(endpoint: Endpoint, current: Current, refusals: Refusals) -> Serve:
    """Make what serves one row: refusals become answers in its dialect, also one that the handler returns."""
    access, limit, handler, kind = endpoint.access, endpoint.limit, endpoint.handler, endpoint.body
    log, dialect = refusals.log, endpoint.dialect
    assert handler is not None
    first, *_ = endpoint.answers
    statuses: dict[object, int] = {
        said: status for status, said in endpoint.answers.items() if isinstance(said, type)
    }

    read: Callable[[Context], Awaitable[object]] | None = read_form if endpoint.form else None
    if kind is not None:
        read = partial(read_json, kind=kind)

    async def serve(request: Request) -> Response:
        try:
            context = Context(request, current, log)
            who = await access.before(context) if access.before is not None else None
            if limit is not None:
                context.take(limit)
            body = await read(context) if read is not None else None
            if access.by is not None:
                who = await access.by(context, body)
            told = await handler(*[each for each in (context, who, body) if each is not None])
            if isinstance(told, Refusal):
                return refusals.answer(told, dialect, request)
            return told if isinstance(told, Response) else answer(told, statuses.get(type(told), first))
        except Exception as error:
            return refusals.noted(error, dialect, request)

    return serve


def _route(path: str, methods: Mapping[str, Serve], *outer: Middleware, shared: bool) -> Route:
    """Route one address, whatever its methods; `outer` stands before all of it."""

    async def serve(request: Request) -> Response:
        method = request.method
        if method == "OPTIONS":  # of a shared one, and not a page's question, which was answered before
            return Response(status_code=204, headers={"allow": ", ".join([*methods, "OPTIONS"])})
        return await methods["GET" if method == "HEAD" else method](request)

    if shared:
        middleware = [*outer, every_origin([*methods])]
        return Route(path, serve, methods=[*methods, "OPTIONS"], middleware=middleware)
    only, *others = methods.values()
    return Route(path, serve if others else only, methods=[*methods], middleware=[*outer])


class _Slashed(Route):
    """Where slashes are too many: the router is the site's, and would lead on from there, to any host (DOOR-5)."""

    def __init__(self, path: str, refusals: Refusals, door: Middleware) -> None:
        async def nowhere(request: Request) -> Response:
            return refusals.answer(NOWHERE, Dialect.PROBLEM, request)

        super().__init__(path, nowhere, middleware=[door])
        self.path_regex = re.compile(rf"{re.escape(path)}\n?/+\n?\Z")
