"""Pages for people: the account. Their script and style are static files; nothing inline (CSP with Trusted Types)."""

from datetime import UTC, datetime
from importlib.resources import files

import jinja2
from starlette.responses import HTMLResponse, Response

from ...protocol.agent import Agent
from ...protocol.errors import Code, Refused
from ...protocol.grant import Grant
from .. import session
from ..ask import Ask

_HERE = files("deputize.web.pages")
_STATIC = {"account.css": "text/css", "account.js": "text/javascript"}
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("deputize.web.pages", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["when"] = lambda seconds: datetime.fromtimestamp(seconds, UTC).strftime(
    "%d %b %Y, %H:%M UTC"
)
_TEMPLATES.filters["iso"] = lambda seconds: datetime.fromtimestamp(seconds, UTC).strftime(
    "%Y-%m-%dT%H:%M:%SZ"
)


async def account(ask: Ask) -> Response:
    """Show sign-in, or for who is signed in: deputies, passkeys, sign out."""
    authority, policy = ask.authority, ask.authority.policy
    who = await ask.signed_in()
    user = authority.store.read(lambda tx: tx.user(who.user_id)) if who else None
    if user is None:
        own = authority.current_user is None
        return _page("sign-in.html", site=policy.site, issuer=policy.site.issuer, own_users=own)
    grants = authority.store.read(lambda tx: tx.grants(user.user_id))
    agents = {agent.client_id: agent for agent in authority.store.read(lambda tx: tx.agents(user.user_id))}
    live = [grant for grant in grants if grant.dead(ask.now) is None]
    return _page(
        "account.html",
        site=policy.site,
        issuer=policy.site.issuer,
        own_users=authority.current_user is None,
        user=user,
        csrf=session.csrf_token(authority.sealer, user.user_id),
        deputies=[_deputy(grant, agents.get(grant.client_id)) for grant in live],
        past=[_deputy(grant, agents.get(grant.client_id)) for grant in grants if grant not in live][:10],
        scopes=policy.scopes,
        credentials=authority.store.read(lambda tx: tx.credentials(user.user_id)),
    )


def _deputy(grant: Grant, agent: Agent | None) -> dict[str, object]:
    return {"grant": grant, "agent": agent}


async def static(ask: Ask) -> Response:
    """Answer a page's script or style."""
    name = str(ask.request.path_params["name"])
    if name not in _STATIC:
        raise Refused(Code.NOT_FOUND, "There is nothing at this address.")
    content = (_HERE / "static" / name).read_bytes()
    return Response(content, media_type=_STATIC[name], headers={"cache-control": "no-cache"})


def _page(name: str, **values: object) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(name).render(**values))
