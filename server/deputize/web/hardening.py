"""What holds for every answer: its headers, and for every page the one host name that passkeys work on (SESSION-3)."""

from operator import itemgetter

from starlette.datastructures import URL
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": PAGE_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-site",
    "origin-agent-cluster": "?1",  # else Firefox gives the site, whose origin this may be, no WebMCP either
    "permissions-policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_HSTS = "max-age=63072000"  # not for subdomains: a site that mounts this has others
_NAME = itemgetter(0)  # of a header line
_LOOPBACK = frozenset({"127.0.0.1", "::1", "[::1]"})
_OPEN = ("GET", "HEAD")  # methods by which browsers open a page
_MAYBE_LOOPBACK = (b"127.", b"[")  # how a Host begins that can be one; most requests need no closer look


class Hardening:
    """ASGI middleware around everything that the authority answers."""

    def __init__(self, app: ASGIApp, https: bool) -> None:
        """Add HSTS where the issuer is https."""
        self._app = app
        headers = {**_HEADERS, **({"strict-transport-security": _HSTS} if https else {})}
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._names = frozenset(name for name, _ in self._headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                said, ours = message["headers"], self._headers
                if there := self._names.intersection(map(_NAME, said)):
                    ours = [line for line in ours if line[0] not in there]
                message["headers"] = [*said, *ours]
            await send(message)

        await self._app(scope, receive, send_hardened)


class LocalhostRedirect:
    """ASGI middleware for the authority, and for a site that mounts it: pages are opened by name (SESSION-3)."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap the site."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        url = _localhost_url(scope) if scope["type"] == "http" else None
        app = self._app if url is None else RedirectResponse(url, 307)
        await app(scope, receive, send)


def opens_page(request: HTTPConnection) -> bool:
    """Tell whether a person opens a page: browsers ask for those by GET, and say that they want HTML (SESSION-3)."""
    return request.scope["method"] in _OPEN and "text/html" in request.headers.get("accept", "")


def _localhost_url(scope: Scope) -> URL | None:
    """Return the same address on `localhost` for a page that a person opens at a loopback number, else None.

    Whatever else comes needs no cookie.
    """
    if scope["method"] not in _OPEN:
        return None
    host = next((value for name, value in scope["headers"] if name == b"host"), None)
    if host is not None and not host.startswith(_MAYBE_LOOPBACK):
        return None
    request = HTTPConnection(scope)
    if not opens_page(request):
        return None
    return request.url.replace(hostname="localhost") if request.url.hostname in _LOOPBACK else None
