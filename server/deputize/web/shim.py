"""The shim and its configuration (SHIM-3), and the module for MCP clients."""

from importlib.resources import files

from starlette.responses import Response

from . import wire
from .ask import Ask
from .problems import answer

_STATIC = files("deputize.web") / "static"


async def configuration(ask: Ask) -> Response:
    """Answer `GET /tools`: what everybody may know of the policy, and who is signed in."""
    who = await ask.signed_in()
    user = await ask.authority.store.read(lambda tx: tx.user(who.user_id)) if who else None
    return answer(
        {
            **wire.policy(ask.authority.policy),
            "now": ask.now,
            "user": {"id": user.user_id, "name": user.name} if user else None,
            "csrf": ask.csrf_token(user.user_id) if user else None,
        }
    )


async def classic(ask: Ask) -> Response:
    """Answer the shim for `<script src>`."""
    return _script("shim.js")


async def module(ask: Ask) -> Response:
    """Answer the shim as an ES module."""
    return _script("shim.mjs")


async def mcp(ask: Ask) -> Response:
    """Answer the module for MCP clients in a page."""
    return _script("mcp.mjs")


async def words(ask: Ask) -> Response:
    """Answer the words for people and models, for the authority's own pages (SHIM-10)."""
    return _script("words.mjs")


def _script(name: str) -> Response:
    return Response(
        (_STATIC / name).read_bytes(),
        media_type="text/javascript",
        headers={"cache-control": "no-cache", "cross-origin-resource-policy": "cross-origin"},
    )
