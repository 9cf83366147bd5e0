"""Which answers the pages of another origin may read (OAUTH-12).

Two kinds, never mixed: what agents in browsers need, for every origin and without credentials; and, where the authority
stands alone, everything for the site's own pages, with credentials.
"""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_OF_MCP = ("mcp-protocol-version", "mcp-method", "mcp-name", "mcp-session-id")
_OF_AGENTS = ("authorization", "content-type", "dpop", *_OF_MCP)
_EXPOSED = ("dpop-nonce", "www-authenticate")


def every_origin(app: ASGIApp, methods: Sequence[str]) -> ASGIApp:
    """Let pages of every origin use an address, without credentials: no session counts there."""
    return CORSMiddleware(
        app,
        allow_origins=["*"],
        allow_methods=methods,
        allow_headers=_OF_AGENTS,
        expose_headers=_EXPOSED,
    )


class SitePages:
    """ASGI middleware for an authority that stands alone: the pages of the site use it with the user's session."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        """Serve the pages of this origin; what others may read is not decided here."""
        self._app = app
        self._origin = origin
        self._for_the_site = CORSMiddleware(
            app,
            allow_origins=[origin],
            allow_credentials=True,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=[*_OF_AGENTS, "deputize-page", "deputize-csrf"],
            expose_headers=[*_EXPOSED, "mcp-session-id"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        ours = scope["type"] == "http" and Headers(scope=scope).get("origin") == self._origin
        await (self._for_the_site if ours else self._app)(scope, receive, send)
