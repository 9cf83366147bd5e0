"""Pages for people: account and consent. Script and style are static files; nothing inline (CSP with Trusted Types)."""

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, cast

from starlette.responses import Response

from ...protocol.asker import asker_of
from ...protocol.consent import limits_of
from ...protocol.credential import User
from ...protocol.errors import Code, Refused
from ...protocol.grant import Grant, GrantState, standing
from ...protocol.ids import GrantId, UserId
from ...protocol.look import Look
from ...protocol.policy import Site
from ...protocol.prompt import BROWSERS, UNPROVEN
from ...service import approvals
from ...service.moment import Moment
from ...service.ports import Reader, Wanted
from ...service.sessions import SignIn
from ...words.asker import asker_line
from ...words.catalogue import Words, words
from ...words.limits import limits, tool_name
from ..context import Context
from .drawing import page
from .everything import name_of
from .history import told
from .returning import back, to_login

NEWEST = 5
"""Calls that a user has approved, as the account page shows them: nobody else can push these out of sight."""
WAITING = 50
"""Questions of each kind that it shows, oldest first (HIST-3)."""

_HERE = files("deputize.web.pages")
_ASK = {"cache-control": "no-cache"}
_STATIC = {"account.css": "text/css", "account.js": "text/javascript"}


async def account(context: Context) -> Response:
    """Show sign-in, or for who is signed in: deputies, passkeys, sign out."""
    authority, language = context.authority, context.at.language
    site, own = authority.policy.site, authority.own_users
    look = await context.session()
    shown = await context.look(_shown, look)
    if shown is None:
        login = to_login(context) if authority.login else None
        return page(site, "sign-in.html", language, own_users=own, login=login, back=back(context))
    user, values = shown
    return page(
        site,
        "account.html",
        language,
        own_users=own,
        own_sessions=authority.current_user is None,
        anew=to_login(context, anew="1") if authority.login else None,
        user=user,
        csrf=context.csrf_token(user.user_id),
        **values,
    )


def message(site: Site, language: str, told: str, status: int, **taken: str) -> Response:
    """Say one thing: a message of the catalogue that has a `title`."""
    return page(site, "message.html", language, status, told=told, taken=taken)


def _shown(
    reader: Reader, at: Moment, signed_in: Callable[[Reader], SignIn | None]
) -> tuple[User, dict[str, Any]] | None:
    """Read what the page shows of who is signed in; None for nobody."""
    who = signed_in(reader)
    user = reader.user(who.user_id) if who else None
    if who is None or user is None:
        return None
    user_id, said = user.user_id, words(at.language)
    grants = reader.grants(user_id)
    dead = _dead(grants, at.now)
    live = [grant for grant in grants if grant.grant_id not in dead]
    live.sort(key=lambda grant: grant.parent_id is not None)  # so that nobody buries what the user gave
    waits = [grant for grant in grants if standing(grant, at.now) == GrantState.SUSPENDED]
    past = [grant for grant in grants if grant.grant_id in dead and grant not in waits][:10]
    calls, asking = reader.asking(user_id, at.now, WAITING)
    approved = reader.calls(user_id, Wanted(approved=True), NEWEST, at.now)
    return user, {
        "deputies": [_deputy(reader, at, grant, said) for grant in live],
        "suspended": [_deputy(reader, at, grant, said) for grant in waits],
        "past": [{**_deputy(reader, at, grant, said), "ended": _ended(grant, at.now)} for grant in past],
        "blocked": _blocked(reader, user_id, at.now, said),
        "credentials": (credentials := reader.credentials(user_id)),
        "stale": not credentials and not who.recent(at.now),  # CRED-2
        "method": approvals.asked_by(reader, at, user_id),
        "waiting": told(reader, at, calls),
        "asking": [_deputy(reader, at, grant, said) for grant in asking],
        "quiet": [
            {"asker": each.asker, "until": each.until, "name": _asker(each.asker, said)}
            for each in reader.quiet(user_id, at.now)
        ],
        "approved": told(reader, at, approved.calls),
        "enrolls_until": user.enrolls_until if at.now < user.enrolls_until else None,
    }


def _dead(grants: Sequence[Grant], now: int) -> set[GrantId]:
    """Tell which of all grants of a user grant nothing: their own end has come, or that of one above (CHAIN-3)."""
    dead: set[GrantId] = set()
    for grant in reversed(grants):  # what was handed on is newer than what it was handed on from
        if grant.dead(now) is not None or grant.parent_id in dead:
            dead.add(grant.grant_id)
    return dead


def _ended(grant: Grant, now: int) -> str:
    if grant.state is GrantState.ACTIVE:
        return "expired" if grant.dead(now) else "with-parent"
    return grant.state.value if grant.state in (GrantState.REVOKED, GrantState.SUPERSEDED) else "expired"


def _deputy(reader: Reader, at: Moment, grant: Grant, words: Words) -> dict[str, object]:
    policy, agent = at.policy, reader.agent(grant.client_id)
    asker = asker_line(words, asker_of(agent, reader.lineage(grant.grant_id), False), policy.site.name)
    titles = {name: policy.scopes[name].title if name in policy.scopes else "" for name in grant.scopes}
    limited = cast("list[Mapping[str, Any]]", limits_of(grant.constraints, policy.tools))
    return {
        "grant": grant,
        "agent": agent,
        "asker": [line for _, line in asker],
        "scopes": [tool_name(words, title, name) for name, title in titles.items()],
        "limits": [
            (tool_name(words, each["title"], each["tool"]), limits(words, each["limits"])) for each in limited
        ],
    }


def _blocked(reader: Reader, user_id: UserId, now: int, words: Words) -> list[dict[str, object]]:
    """Name the agents that a user has blocked, as the page names them elsewhere."""
    blocked: list[dict[str, object]] = []
    for each in reader.blocks(user_id, now):
        agent = reader.agent(each.client_id) if each.client_id else None
        name = name_of(agent, each.client_id, words)
        blocked.append({"name": name, "since": each.since, "until": each.until, "grant_id": each.grant_id})
    return blocked


def _asker(asker: str, words: Words) -> str:
    """Name who asked too often (PROMPT-1)."""
    named = {BROWSERS: "quiet-browsers", UNPROVEN: "quiet-unproven"}.get(asker)
    return words(named) if named else asker.removeprefix("https://")


async def static(context: Context) -> Response:
    """Answer a page's script or style."""
    name = str(context.request.path_params["name"])
    if name == "look.css":
        return Response(
            _look(context.authority.policy.site.look or Look()), media_type="text/css", headers=_ASK
        )
    if name not in _STATIC:
        raise Refused(Code.NOT_FOUND, "There is nothing at this address.")
    content = (_HERE / "static" / name).read_bytes()
    return Response(content, media_type=_STATIC[name], headers=_ASK)


def _look(look: Look) -> str:
    """Return the site's own look as a sheet (LOOK-1): what a page of this CSP can be told of it."""
    return (
        f":root {{ --accent: {look.accent}; --radius: {look.radius}px; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ --accent: {look.accent_dark}; }} }}\n"
    )
