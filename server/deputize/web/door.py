"""The door: what a request must be before anything else looks at it (PROTOCOL §1a).

Everything behind it works with a head that is small, so that nobody keeps the one event loop busy with a large one,
and that is read as RFC 9110 says, whatever the server in front makes of it. The caps are far from what honest clients
send: a call of an attested agent with three full tokens and a site's own cookies has about 20 lines and 30 KiB.
"""

from collections.abc import Callable
from itertools import chain

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..protocol.errors import Code, Refused

MAX_LINES = 100
"""How many header lines a request may have (DOOR-1)."""

MAX_HEADERS = 64 * 1024
"""How many bytes its header lines may have, names and values."""

MAX_COOKIES = 16 * 1024
"""How many of these may be cookies."""

MAX_URL = 8 * 1024
"""How many bytes path and query may have together (DOOR-2)."""

_OWS = b" \t"  # RFC 9110 §5.6.3
_PASSED = "deputize.door"  # in the scope of what has come through already

Line = tuple[bytes, bytes]


class Door:
    """ASGI middleware. What is refused here is noted and answered as any other refusal."""

    def __init__(self, app: ASGIApp, turn_away: Callable[[Request, Refused], ASGIApp]) -> None:
        """Stand in front of `app`; behind another door, do nothing. `turn_away` notes and answers a refusal."""
        self._app = app
        self._turn_away = turn_away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or _PASSED in scope:
            await self._app(scope, receive, send)
            return
        try:
            _check_url(scope)
            headers = _headers(scope["headers"])
        except Refused as refused:
            await self._turn_away(Request(scope), refused)(scope, receive, send)
            return
        await self._app({**scope, "headers": headers, _PASSED: True}, receive, send)


def _check_url(scope: Scope) -> None:
    """Refuse a URL that is too long, or that has in its path what no path of ours has (DOOR-2, DOOR-3)."""
    path: str = scope["path"]
    if max(len(path), len(scope.get("raw_path") or b"")) + len(scope["query_string"]) > MAX_URL:
        raise Refused(Code.URI_TOO_LONG, f"A path with its query has at most {MAX_URL} bytes.")
    if not path.isprintable():  # a router whose patterns end in `$` would take a newline for the end
        raise Refused(
            Code.INVALID_REQUEST, "There is a character in this path that nobody can see: check the address."
        )


def _headers(lines: list[Line]) -> list[Line]:
    """Return the header lines, each value without the white space around it (RFC 9110 §5.5, DOOR-4).

    Refused(headers_too_large). Every request pays for this: cookies are counted where there could be too many.
    """
    if len(lines) > MAX_LINES:
        raise Refused(Code.HEADERS_TOO_LARGE, f"A request has at most {MAX_LINES} header lines.")
    size = sum(map(len, chain.from_iterable(lines)))
    if size > MAX_HEADERS:
        raise Refused(Code.HEADERS_TOO_LARGE, f"The headers of a request have at most {MAX_HEADERS} bytes.")
    cookies = sum(len(value) for name, value in lines if name == b"cookie") if size > MAX_COOKIES else 0
    if cookies > MAX_COOKIES:
        raise Refused(Code.HEADERS_TOO_LARGE, f"The cookies of a request have at most {MAX_COOKIES} bytes.")
    return [(name, value.strip(_OWS)) for name, value in lines]
