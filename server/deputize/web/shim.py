"""The shim and its configuration (SHIM-3), and the module for MCP clients."""

from importlib.resources import files
from typing import Any, Literal, cast

from msgspec import UNSET, UnsetType
from starlette.responses import Response

from ..protocol import tool
from ..protocol.authorization import permits_page
from ..protocol.credential import AuthenticatorClass
from ..protocol.credential import User as UserOf
from ..protocol.tool import Executes
from ..service.moment import Moment
from ..service.ports import Reader
from .ask import Ask
from .types import Closed, Object, Seconds, Uri, User

_STATIC = files("deputize.web") / "static"


class Tool(Closed):
    """What the shim and an HTTP guard need to know of a tool; `direct`, whether the page may call it."""

    scopes: list[str]
    public: bool
    approval: Literal["never", "always", "when"]
    authenticator_class: AuthenticatorClass
    executes: Executes
    direct: bool
    opaque: bool
    input_schema: Object | UnsetType = UNSET


class SiteName(Closed):
    """The site, as people call it."""

    name: str


class ScopeTitle(Closed):
    """A scope, in the site's words."""

    title: str
    writes: bool


class Tools(Closed):
    """What everybody may know of the policy, and who is signed in (SHIM-3)."""

    issuer: Uri
    site: SiteName
    wait_s: Seconds
    api_origins: list[Uri]
    api_audience: str
    sign_in_uri: Uri
    scopes: dict[str, ScopeTitle]
    tools: dict[str, Tool]
    now: Seconds
    user: User | None
    csrf: str | None


async def configuration(ask: Ask) -> Tools:
    """Answer `GET /tools`: what everybody may know of the policy, and who is signed in."""
    session, policy = await ask.session(), ask.authority.policy

    def signed_in(tx: Reader, at: Moment) -> UserOf | None:
        who = session(tx)
        return tx.user(who.user_id) if who else None

    user = None if ask.is_nobody else await ask.look(signed_in)
    return Tools(
        issuer=policy.site.issuer,
        site=SiteName(policy.site.name),
        wait_s=policy.wait,
        api_origins=list(policy.api.origins),
        api_audience=policy.api.audience,
        sign_in_uri=f"{policy.site.issuer}/account",
        scopes={name: ScopeTitle(scope.title, scope.writes) for name, scope in policy.scopes.items()},
        tools={
            name: _tool(declared, permits_page(policy, declared) is None)
            for name, declared in policy.tools.items()
        },
        now=ask.now,
        user=User(user.user_id, user.name) if user else None,
        csrf=ask.csrf_token(user.user_id) if user else None,
    )


def _tool(declared: tool.Tool, direct: bool) -> Tool:
    return Tool(
        list(declared.scopes),
        declared.public,
        cast(Any, declared.approval.name),
        declared.authenticator_class,
        declared.executes,
        direct,
        declared.opaque,
        UNSET if declared.input_schema is None else declared.input_schema.source,
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
