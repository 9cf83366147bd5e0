"""How the calls of a user are looked through: by one index, newest first, and never more than so many at a time."""

# ruff: noqa: S608  # SQL is made of constants

from collections.abc import Mapping
from functools import cache

from ..protocol.call import OVERDUE, State
from ..service.ports import Wanted

LOOKED_AT = 5000
"""Calls that one look goes through at most: who fills a history with calls keeps nobody waiting for what is behind."""

_AGENTS: Mapping[str, str] = {
    "browsers": "COALESCE(client_id, '') LIKE 'agt!_%' ESCAPE '!'",
    "nobody": "client_id IS NULL",
}
_FALLEN = {
    state: "(" + " OR ".join(f"state = '{source}'" for source, into in OVERDUE.items() if into is state) + ")"
    for state in OVERDUE.values()
}
"""The states that time ends in each of these; one that is not moved yet has fallen into it all the same."""


def listing(wanted: Wanted) -> str:
    """Return the statement that lists ids of calls in the order of an index, and whether each is wanted.

    The index is that of an approval, else of an agent. The rest is asked of each row.
    """
    tool = "tool = :tool" if wanted.tool is not None else ""
    agent = _AGENTS.get(wanted.agent, "client_id = :agent") if wanted.agent is not None else ""
    return _listing(wanted.state, wanted.approved, tool, agent, wanted.before is not None)


@cache
def _listing(state: State | None, approved: bool, tool: str, agent: str, goes_on: bool) -> str:
    by_user = "challenge_id IS NOT NULL" * approved
    asked = [each for each in (_in(state), tool, agent) if each]
    exact = by_user or agent or "TRUE"
    wanted = " AND ".join(asked) or "TRUE"
    before = " AND (created_at, seq) < (SELECT created_at, seq FROM calls WHERE call_id = :before)"
    return f"""
        SELECT call_id, {wanted} FROM calls
        WHERE user_id = :user_id AND {exact} AND created_at >= :since AND created_at < :until{before * goes_on}
        ORDER BY created_at DESC, seq DESC LIMIT :limit"""


def _in(state: State | None) -> str:
    if state is None:
        return ""
    if state in OVERDUE:
        return f"(state = '{state}' AND deadline > :now)"
    return (
        f"(state = '{state}' OR {_FALLEN[state]} AND deadline <= :now)"
        if state in _FALLEN
        else f"state = '{state}'"
    )
