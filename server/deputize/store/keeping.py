"""What is kept no longer: so many rows at a time that nobody waits long behind it (KEEP-1, KEEP-3)."""

# ruff: noqa: S608  # SQL is made of constants

from collections.abc import Iterable, Mapping

from ..protocol.call import OVERDUE, STOPPED
from ..protocol.challenge import Purpose
from ..protocol.ids import UserId
from ..protocol.retention import Retention
from .snapshot import Execute

STEP = 200
"""Rows that one step takes at most; each lies in several indexes."""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(map(str, names)))


# The conditions are, word for word, those of partial indexes, or these are not used.
_OVER = f"state NOT IN ({_listed(OVERDUE)})"
_OF_CALLS = _listed([Purpose.CALL.value, Purpose.MCP_CALL.value])
_ANSWERED = "consumed_at IS NOT NULL AND question IS NOT NULL AND expires_at <= :before"
_EMPTY = "UPDATE calls SET sealed = NULL, match_key = NULL WHERE seq IN ({})"
_RETIRE: Mapping[str, tuple[str, ...]] = {
    "arguments": (
        _EMPTY.format(
            f"SELECT seq FROM calls WHERE sealed IS NOT NULL AND created_at <= :before AND {_OVER} LIMIT :step"
        ),
        f"""DELETE FROM challenges WHERE challenge_id IN (SELECT challenge_id FROM challenges
            WHERE {_ANSWERED} AND purpose IN ({_OF_CALLS}) LIMIT :step)""",
    ),
    "refused": (
        f"""DELETE FROM calls WHERE seq IN (SELECT seq FROM calls
            WHERE state IN ({_listed(STOPPED)}) AND created_at <= :before LIMIT :step)""",
    ),
    "calls": (
        f"""DELETE FROM calls WHERE seq IN (SELECT seq FROM calls
            WHERE sealed IS NULL AND created_at <= :before AND {_OVER} LIMIT :step)""",
    ),
    "lineages": (
        f"""DELETE FROM challenges WHERE challenge_id IN (SELECT challenge_id FROM challenges
            WHERE {_ANSWERED} AND purpose NOT IN ({_OF_CALLS}) LIMIT :step)""",
    ),
}
# A block that goes on names the grant at which it was said, by which it is ended (BLOCK-1).
_DEAD = """
    SELECT grant_id FROM grants WHERE expires_at <= :before
        AND NOT EXISTS (SELECT 1 FROM grants AS child WHERE child.parent_id = grants.grant_id)
        AND NOT EXISTS (SELECT 1 FROM blocks AS said
            WHERE said.user_id = grants.user_id AND said.grant_id = grants.grant_id)
    ORDER BY expires_at LIMIT :step"""
_OF_USER = """
    SELECT grant_id FROM grants WHERE user_id = :user_id
        AND NOT EXISTS (SELECT 1 FROM grants AS child WHERE child.parent_id = grants.grant_id) LIMIT :step"""

_HIDE = """
    UPDATE users SET sealed = NULL, handle = CAST(user_id AS BLOB), enrolls_until = 0,
        paused_since = NULL, forgotten_at = :now
    WHERE user_id = :user_id"""
_COMES_IN = tuple(
    f"DELETE FROM {table} WHERE user_id = :user_id" for table in ("sessions", "recoveries", "credentials")
)
_AT_ONCE = (  # a passkey that is being added as well
    *_COMES_IN,
    "DELETE FROM challenges WHERE owner = :user_id AND consumed_at IS NULL",
)
_KEYS = {
    "calls": ("seq", "user_id"),
    "challenges": ("challenge_id", "owner"),
    "requests": ("request_id", "user_id"),
    "declines": ("seq", "user_id"),
    "quiets": ("seq", "user_id"),
    "blocks": ("seq", "user_id"),
}
_FORGET = tuple(
    f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {owner} = :user_id LIMIT :step)"
    for table, (key, owner) in _KEYS.items()
)
_LAST = (
    *_COMES_IN,
    *(f"DELETE FROM {table} WHERE user_id = :user_id" for table in ("agents", "users")),
)


def retire(execute: Execute, retention: Retention, now: int) -> int:
    """Delete some of what has been kept long enough, and return how much; 0 once nothing is left."""
    done = 0
    for name, statements in _RETIRE.items():
        lasts: int | None = getattr(retention, name)
        if lasts is not None:
            reach = {"before": now - lasts, "step": STEP}
            done += sum(execute(statement, reach).rowcount for statement in statements)
    if retention.lineages is not None:
        done += _drop_grants(execute, _DEAD, {"before": now - retention.lineages, "step": STEP})
    return done


def hide(execute: Execute, user_id: UserId, now: int) -> None:
    """Take everything from a user by which he is known or comes in; `forget` does the rest."""
    for statement in _AT_ONCE:
        execute(statement, {"user_id": user_id})
    execute(_HIDE, {"user_id": user_id, "now": now})


def forget(execute: Execute, user_id: UserId) -> int:
    """Delete some of what is kept of a user who was hidden, and return how much; 0 once he is gone himself."""
    whose = {"user_id": user_id, "step": STEP}
    done = sum(execute(statement, whose).rowcount for statement in _FORGET)
    done += _drop_grants(execute, _OF_USER, whose)
    return done or sum(execute(statement, {"user_id": user_id}).rowcount for statement in _LAST)


def _drop_grants(execute: Execute, which: str, parameters: Mapping[str, object]) -> int:
    dead = [grant_id for (grant_id,) in execute(which, parameters).fetchall()]
    for grant_id in dead:
        execute("DELETE FROM counters WHERE grant_id = :grant_id", {"grant_id": grant_id})
        execute("DELETE FROM grants WHERE grant_id = :grant_id", {"grant_id": grant_id})
    return len(dead)
