"""The addresses of the authority and what serves each, without a router between: every request passes by here.

An address is exactly that: a slash more or less is another, and leads nowhere (DOOR-5).
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

Serve: TypeAlias = Callable[[Request], Awaitable[Response]]
NotRouted: TypeAlias = Callable[[Request, HTTPException], Awaitable[Response]]

_NO_ROUTES = Router()  # for what is not HTTP: it closes a websocket
_PARAMETER = re.compile(r"(.*)\{(\w+)\}(.*)")


class Address:
    """One address, as an ASGI app: `methods` says what serves each, and HEAD is served as GET."""

    def __init__(self, methods: Mapping[str, Serve], not_routed: NotRouted) -> None:
        """Serve these; another is for `not_routed`, as 405."""
        self.methods = {**methods, **({"HEAD": methods["GET"]} if "GET" in methods else {})}
        self._not_routed = not_routed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        serve = self.methods.get(scope["method"])
        if serve is None:
            error = HTTPException(405, headers={"Allow": ", ".join(self.methods)})
            response = await self._not_routed(request, error)
        else:
            response = await serve(request)
        await response(scope, receive, send)


class Addresses:
    """An ASGI app of apps by path.

    A path has one parameter at most, `{name}`: one step, as it is in the address. `{path}` is all the rest of it.
    """

    def __init__(self, apps: Mapping[str, ASGIApp], not_routed: NotRouted) -> None:
        """Answer at these paths; any other is for `not_routed`, as 404."""
        self.apps = apps
        self._not_routed = not_routed
        matches = {path: match for path in apps if (match := _PARAMETER.fullmatch(path))}
        # Without those that have a parameter: somebody could spell the name of that, braces and all.
        self._at = {path: app for path, app in apps.items() if path not in matches}
        self._one_of = [(apps[path], match[2]) for path, match in matches.items()]
        # One pattern, with a group for each path: the number of the group that has matched tells which.
        self._pattern = re.compile(
            "|".join(
                f"{re.escape(match[1])}({'.+' if match[2] == 'path' else '[^/]+'}){re.escape(match[3])}"
                for match in matches.values()
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await _NO_ROUTES(scope, receive, send)
            return
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        app = self._at.get(path)
        if app is None and (match := self._pattern.fullmatch(path)) and match.lastindex:
            app, name = self._one_of[match.lastindex - 1]
            scope["path_params"] = {name: match[match.lastindex]}
        if app is None:
            app = await self._not_routed(Request(scope), HTTPException(404))
        await app(scope, receive, send)
