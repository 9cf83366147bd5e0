"""The page with everything that was done in a user's name, refused and declined too: newest first, page by page.

What is in its address is read strictly: nobody is shown less than he asked for without being told (HIST-2).
"""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from ...protocol.agent import Agent, Assurance, is_opaque_id
from ...protocol.call import State
from ...protocol.errors import Code, Refusal, Refused
from ...protocol.ids import CallId, ClientId, UserId, is_id
from ...protocol.tool import is_tool_name
from ...service.moment import Moment
from ...service.ports import Reader, Wanted
from ...words.catalogue import Words, words
from ..access import Who
from ..context import Context
from ..oauth.parameters import parse_form
from .drawing import page
from .history import told

PER_PAGE = 25
FILTERS = ("tool", "agent", "state", "month", "before")
"""The parameters of the address."""

BY_YOU = "by-you"
"""In place of a state: what the user has approved."""
_STATES = frozenset(state.value for state in State)
_AGENTS = ("browsers", "nobody")
_MONTH = re.compile(r"([12][0-9]{3})-(0[1-9]|1[0-2])")
_MONTHS = 60
_BAD = Refusal(Code.INVALID_REQUEST, "The address names what there is not: {}.", told="bad-filter")


async def show(context: Context, user: Who[UserId]) -> Response:
    """Show one page of it."""
    asked = dict(parse_form(context.request.url.query))
    values = await user.look(_shown, asked)
    csrf = context.csrf_token(values["user"].user_id)
    site, language = context.authority.policy.site, context.at.language
    return page(site, "everything.html", language, csrf=csrf, **values)


def _shown(reader: Reader, at: Moment, user_id: UserId, asked: dict[str, str]) -> dict[str, Any] | Refusal:
    user = reader.user(user_id)
    assert user is not None  # he is signed in
    said = words(at.language)
    agents = {
        grant.client_id: name_of(reader.agent(grant.client_id), grant.client_id, said)
        for grant in reader.grants(user_id)
        if not is_opaque_id(grant.client_id)
    }
    wanted = _wanted(asked, [*agents, *_AGENTS])
    before = reader.call(wanted.before) if wanted.before else None
    if wanted.before is not None and (before is None or before.user_id != user_id):
        raise _bad("before")
    listed = reader.calls(user_id, wanted, PER_PAGE, at.now)
    kept = {name: value for name, value in asked.items() if name != "before"}
    tools = {name: tool.title for name, tool in sorted(at.policy.tools.items()) if not tool.public}
    return {
        "user": user,
        "calls": told(reader, at, listed.calls),
        "older": urlencode({**kept, "before": listed.more}) if listed.more else None,
        "is_first": wanted.before is None,
        "asked": {name: asked.get(name, "") for name in FILTERS},
        "is_filtered": bool(kept),
        "tools": tools | ({wanted.tool: ""} if wanted.tool and wanted.tool not in tools else {}),
        "agents": agents,
        "states": [state for state in State if state is not State.PENDING],
        "months": _months(user.created_at, at.now),
    }


def _wanted(asked: dict[str, str], agents: list[str]) -> Wanted:
    """Read what is wanted; Refused for a parameter that there is not, or that says what cannot be."""
    wanted = Wanted()
    for name, value in asked.items():
        match name:
            case "tool" if is_tool_name(value):
                wanted = replace(wanted, tool=value)
            case "agent" if value in agents:
                wanted = replace(wanted, agent=value)
            case "state" if value == BY_YOU:
                wanted = replace(wanted, approved=True)
            case "state" if value in _STATES:
                wanted = replace(wanted, state=State(value))
            case "month" if _MONTH.fullmatch(value):
                since, until = _bounds(value)
                wanted = replace(wanted, since=since, until=until)
            case "before" if is_id("cal", value):
                wanted = replace(wanted, before=CallId(value))
            case _:
                raise _bad(name)
    return wanted


def _bad(name: str) -> Refused:
    return Refused.of(replace(_BAD, detail=_BAD.detail.format(name[:32])))


def _bounds(month: str) -> tuple[int, int]:
    """Return the first second of a month, in UTC, and that of the next."""
    year, number = map(int, month.split("-"))
    following = (year + number // 12, number % 12 + 1)
    first, end = (datetime(y, m, 1, tzinfo=UTC) for y, m in ((year, number), following))
    return int(first.timestamp()), int(end.timestamp())


def _months(since: int, now: int) -> list[str]:
    """List the months that there may be something of, newest first."""
    first, last = (datetime.fromtimestamp(each, UTC) for each in (since, now))
    count = (last.year - first.year) * 12 + last.month - first.month
    numbers = [last.year * 12 + last.month - 1 - back for back in range(min(max(count, 0) + 1, _MONTHS))]
    return [f"{number // 12}-{number % 12 + 1:02}" for number in numbers]


def name_of(agent: Agent | None, client_id: ClientId | None, words: Words) -> str:
    """Name an agent in a list: by what is proven of it, never by what it calls itself."""
    if agent is not None and agent.assurance is Assurance.REGISTERED and agent.name:
        return agent.name
    if client_id is None or is_opaque_id(client_id):
        return words("asker-browser")
    return client_id
