"""Pages for people: account and consent. Script and style are static files; nothing inline (CSP with Trusted Types)."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files

import jinja2
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from ...protocol.agent import Agent, Assurance
from ...protocol.canonical import canonicalize
from ...protocol.errors import Code, Refused
from ...protocol.grant import Grant, GrantState
from ...protocol.ids import GrantId, UserId
from ...protocol.policy import Site
from ...protocol.redirect import is_local
from ...protocol.request import AuthorizationRequest
from ...protocol.shown import FSI, PDI, plain
from ...protocol.tool import Tool
from ...protocol.url import origin_of
from ...protocol.wording import limits_in_words
from ...service.ports import Reader
from ..ask import Ask
from .history import history

_HERE = files("deputize.web.pages")
_STATIC = {"account.css": "text/css", "account.js": "text/javascript"}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("deputize.web.pages", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["when"] = lambda seconds: Markup('<time datetime="{}">{}</time>').format(
    f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}", _when(seconds)
)
_TEMPLATES.filters["origin"] = origin_of
_TEMPLATES.filters["host"] = lambda origin: origin.removeprefix("https://")
_TEMPLATES.filters["destination"] = lambda uri: (
    f"an app on this computer ({origin_of(uri)})" if is_local(uri) else origin_of(uri)
)
_TEMPLATES.filters["duration"] = lambda seconds: _duration(seconds)
_TEMPLATES.filters["exactly"] = lambda value: _isolated(plain(canonicalize(value).decode()))
_TEMPLATES.filters["said"] = lambda text: _said(text)
_TEMPLATES.filters["isolated"] = lambda text: _isolated(text)
_SET_APART = re.compile(f"{FSI}([^{FSI}{PDI}]*){PDI}")
_QUOTED = re.compile(r"""(“[^”]*”|"(?:[^"\\]|\\.)*")""")


async def account(ask: Ask) -> Response:
    """Show sign-in, or for who is signed in: deputies, passkeys, sign out."""
    authority, policy = ask.authority, ask.authority.policy
    who = await ask.signed_in()
    user = await authority.store.read(lambda tx: tx.user(who.user_id)) if who else None
    if user is None:
        own = authority.current_user is None
        return _page("sign-in.html", site=policy.site, issuer=policy.site.issuer, own_users=own)
    grants = await authority.store.read(lambda tx: tx.grants(user.user_id))
    dead = _dead(grants, ask.now)
    live = [grant for grant in grants if grant.grant_id not in dead]
    live.sort(key=lambda grant: grant.parent_id is not None)  # so that nobody buries what the user gave
    past = [grant for grant in grants if grant.grant_id in dead][:10]
    # One by one: an attested agent is of its own origin, not of this user, so `tx.agents` of the user has it not.
    named = {grant.client_id for grant in (*live, *past)}
    agents = await authority.store.read(lambda tx: {client_id: tx.agent(client_id) for client_id in named})
    return _page(
        "account.html",
        site=policy.site,
        issuer=policy.site.issuer,
        own_users=authority.current_user is None,
        user=user,
        csrf=ask.csrf_token(user.user_id),
        deputies=[_deputy(grant, agents.get(grant.client_id), policy.tools) for grant in live],
        past=[
            {**_deputy(grant, agents.get(grant.client_id), policy.tools), "ended": _ended(grant, ask.now)}
            for grant in past
        ],
        blocked=await authority.store.read(lambda tx: _blocked(tx, user.user_id, ask.now)),
        scopes=policy.scopes,
        credentials=await authority.store.read(lambda tx: tx.credentials(user.user_id)),
        asked=await authority.store.read(lambda tx: history(tx, user.user_id, True, policy, ask.now)),
        unasked=await authority.store.read(lambda tx: history(tx, user.user_id, False, policy, ask.now)),
        enrolls_until=user.enrolls_until if ask.now < user.enrolls_until else None,
    )


def consent(
    ask: Ask, request: AuthorizationRequest, grant: Grant, csrf: str, enroll_uri: str | None
) -> Response:
    """Show who asks for what, as it will be signed (OAUTH-4); who has no passkey is led to where one is added."""
    policy = ask.authority.policy
    return _page(
        "consent.html",
        site=policy.site,
        issuer=policy.site.issuer,
        csrf=csrf,
        request=request,
        shown=grant.shown,
        enroll_uri=enroll_uri,
    )


def enter_code(ask: Ask, fault: str = "", status: int = 200) -> Response:
    """Ask for the code that another device shows (OAUTH-7)."""
    site = ask.authority.policy.site
    return _page("device.html", status, site=site, issuer=site.issuer, fault=fault)


def message(site: Site, title: str, text: str, status: int) -> Response:
    """Say one thing."""
    return _page("message.html", status, site=site, issuer=site.issuer, title=title, text=text)


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y, %H:%M UTC")


def _dead(grants: Sequence[Grant], now: int) -> set[GrantId]:
    """Tell which of all grants of a user grant nothing: their own end has come, or that of one above (CHAIN-3)."""
    dead: set[GrantId] = set()
    for grant in reversed(grants):  # what was handed on is newer than what it was handed on from
        if grant.dead(now) is not None or grant.parent_id in dead:
            dead.add(grant.grant_id)
    return dead


def _ended(grant: Grant, now: int) -> str:
    if grant.state is GrantState.ACTIVE:
        return "ran out" if grant.dead(now) else "ended with the one that it was a part of"
    return {GrantState.REVOKED: "taken back", GrantState.SUPERSEDED: "replaced by a newer one"}.get(
        grant.state, "ran out"
    )


def _duration(seconds: int) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size} {name}{'' if seconds == size else 's'}"
    return ""


def _isolated(text: str) -> Markup:
    """Keep what is written from right to left within its quotation marks from reordering the words around it."""
    parts = _QUOTED.split(text)
    parts[1::2] = [Markup("{}<bdi>{}</bdi>{}").format(part[0], part[1:-1], part[-1]) for part in parts[1::2]]
    return Markup("").join(parts)


def _said(text: str) -> Markup:
    """Draw what is set apart in a description as what it is: an agent's words, not the site's (APPR-2)."""
    parts: list[str] = _SET_APART.split(text)
    parts[1::2] = [Markup('<bdi class="said">{}</bdi>').format(part) for part in parts[1::2]]
    return Markup("").join(parts)


def _deputy(grant: Grant, agent: Agent | None, tools: Mapping[str, Tool]) -> dict[str, object]:
    return {"grant": grant, "agent": agent, "limits": limits_in_words(grant.constraints, tools)}


def _blocked(reader: Reader, user_id: UserId, now: int) -> list[dict[str, object]]:
    """Name the agents that a user has blocked, as the page names them elsewhere."""
    told: list[dict[str, object]] = []
    for each in reader.blocks(user_id, now):
        agent = reader.agent(each.client_id) if each.client_id else None
        match agent:
            case Agent(assurance=Assurance.REGISTERED, name=str(name)) if name:
                pass
            case Agent(jkt=None, client_id=client_id):
                name = client_id
            case _:
                name = "The agent in a browser of yours"
        told.append({"name": name, "since": each.since, "until": each.until, "grant_id": each.grant_id})
    return told


async def static(ask: Ask) -> Response:
    """Answer a page's script or style."""
    name = str(ask.request.path_params["name"])
    if name not in _STATIC:
        raise Refused(Code.NOT_FOUND, "There is nothing at this address.")
    content = (_HERE / "static" / name).read_bytes()
    return Response(content, media_type=_STATIC[name], headers={"cache-control": "no-cache"})


def _page(name: str, status: int = 200, **values: object) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(name).render(**values), status)
