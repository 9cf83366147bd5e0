"""The shim, its configuration (SHIM-3) and words (SHIM-12), the module for MCP clients, and second files (SHIM-14)."""

from dataclasses import asdict
from importlib.resources import files
from typing import Annotated, Any, Literal, cast

from msgspec import UNSET, UnsetType
from msgspec.json import encode
from starlette.responses import Response

from ..protocol import tool
from ..protocol.authorization import permits_page
from ..protocol.credential import AuthenticatorClass
from ..protocol.errors import Code, Refused
from ..protocol.tool import Executes
from ..protocol.version import VERSION
from ..words.catalogue import languages
from ..words.page import PageWords, page_words
from .context import Context
from .endpoint import SCRIPT, Handler
from .saying import told_origin
from .types import Closed, Hash, Object, Seconds, Uri, User, said

_STATIC = files("deputize.web") / "static"
_PUBLIC = b'["deputize:public"]'  # where js/src/page/shown.js has it


class Tool(Closed):
    """What the shim and an HTTP guard need to know of a tool; `direct`, whether the page may call it."""

    scopes: list[str]
    public: bool
    approval: Literal["never", "always", "when"]
    authenticator_class: AuthenticatorClass
    executes: Executes
    direct: bool
    opaque: bool
    pinned: list[Hash] | UnsetType = UNSET
    input_schema: Object | UnsetType = UNSET


class SiteLook(Closed):
    """The site's own look (LOOK-1); the radius in CSS pixels."""

    accent: str
    accent_dark: str
    radius: int
    logo: str


class SiteName(Closed):
    """The site, as people call it, and how it looks."""

    name: str
    look: SiteLook | UnsetType = UNSET


class ScopeTitle(Closed):
    """A scope, in the site's words."""

    title: str
    writes: bool


class Tools(Closed):
    """What everybody may know of the policy, and who is signed in (SHIM-3)."""

    protocol: int
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
    words: Annotated[str, said(pattern=r"^/words/[A-Za-z0-9-]+\.[A-Za-z0-9_-]+\.json$")]


class Words(Closed):
    """What a page says in a language (SHIM-12): messages by their ids, as text or as patterns."""

    language: str
    direction: Literal["ltr", "rtl"]
    messages: dict[str, Annotated[Any, said(type=["string", "array"])]]


async def configuration(context: Context) -> Tools:
    """Answer `GET /tools`: what everybody may know of the policy, and who is signed in."""
    policy = context.authority.policy
    look = policy.site.look
    told_origin(context)
    user = None if context.is_nobody else await context.user()
    return Tools(
        protocol=VERSION,
        issuer=policy.site.issuer,
        site=SiteName(policy.site.name, SiteLook(**asdict(look)) if look else UNSET),
        wait_s=policy.wait,
        api_origins=list(policy.api.origins),
        api_audience=policy.api.audience,
        sign_in_uri=f"{policy.site.issuer}/account",
        scopes={name: ScopeTitle(scope.title, scope.writes) for name, scope in policy.scopes.items()},
        tools={
            name: _tool(declared, permits_page(policy, declared) is None)
            for name, declared in policy.tools.items()
        },
        now=context.now,
        user=User(user.user_id, user.name) if user else None,
        csrf=context.csrf_token(user.user_id) if user else None,
        words=path_of(page_words(context.at.language)),
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
        [*declared.pinned] or UNSET,
        UNSET if declared.input_schema is None else declared.input_schema.source,
    )


def path_of(words: PageWords) -> str:
    """Return where a page finds these words, below the issuer: another address whenever they are others."""
    return f"/words/{words.language}.{words.s256}.json"


async def words(context: Context) -> Response:
    """Answer what a page says in a language, to be kept for ever if asked for by their digest."""
    language, _, digest = str(context.request.path_params["words"]).removesuffix(".json").partition(".")
    if language not in languages():
        raise Refused(Code.NOT_FOUND, "There is nothing at this address.")
    found = page_words(language)
    keep = "public, max-age=31536000, immutable" if digest == found.s256 else "no-store"
    headers = {"cache-control": keep, "vary": "origin"}  # OAUTH-12: who may read it goes by the origin
    return Response(found.body, media_type="application/json", headers=headers)


def script(name: str) -> Handler:
    """Return what answers one of the bundles of `js/build.mjs`, with the names of the public tools in it (EVID-1)."""
    headers = {"cache-control": "no-cache", "cross-origin-resource-policy": "cross-origin"}

    async def answer(context: Context) -> Response:
        public = [name for name, declared in context.authority.policy.tools.items() if declared.public]
        body = (_STATIC / name).read_bytes().replace(_PUBLIC, encode(public))
        return Response(body, media_type=SCRIPT, headers=headers)

    return answer


async def part(context: Context) -> Response:
    """Answer the second file of a bundle (SHIM-14), which is only asked for by the digest that the first one knows."""
    name, _, digest = str(context.request.path_params["part"]).removesuffix(".mjs").partition(".")
    body = _SECOND.get(name, bytes)()
    if body.partition(b"\n")[0].split()[-2:-1] != [digest.encode()]:  # where js/two-files.mjs writes it
        raise Refused(Code.NOT_FOUND, "There is nothing at this address.")
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "cross-origin-resource-policy": "cross-origin",
    }
    return Response(body, media_type=SCRIPT, headers=headers)


_SECOND = {name: (_STATIC / f"{name}.mjs").read_bytes for name in ("asking", "developers", "mcp-asking")}
