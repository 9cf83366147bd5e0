"""Rows that requests read again and again, read once and remembered by the connection that writes.

Nothing that is remembered can have been changed meanwhile. This connection forgets what a statement of its own changes,
before it runs, and everything where a transaction is undone. What others have committed shows in SQLite's
`data_version`, asked when a transaction has begun and nobody else can write. So a grant that was taken back, by
whichever process, is read as taken back by the next transaction.
"""

# ruff: noqa: D102  # what methods of a `Reader` promise is written in service/ports.py

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

import orjson

from ..protocol.agent import Agent
from ..protocol.call import Call
from ..protocol.challenge import Challenge
from ..protocol.credential import Credential, User
from ..protocol.grant import Grant
from ..protocol.ids import CallId, ChallengeId, ClientId, GrantId, UserId
from ..protocol.prompt import Quiet
from ..service.ports import Session
from .recording import Mark, Recording
from .snapshot import Cursor, Execute, Snapshot
from .user_keys import UserKeys

T = TypeVar("T")

_MOST = 4096
"""Rows of a table that are remembered; strangers choose some of them."""
_MOST_LARGE = 256
"""The same where rows may be large."""

_KEYS = {
    "users": ("user_id", 0),
    "sessions": ("digest", 0),
    "agents": ("client_id", 0),
    "grants": ("grant_id", 0),
    "credentials": ("user_id", 1),
    "quiets": ("user_id", 0),
    "calls": ("call_id", 0),
    "challenges": ("challenge_id", 0),
}
"""The tables, and what names that which is remembered of each: a parameter, or the column in which a new row has it. A
statement that has it changes only that."""
_OWNER: Mapping[str, Callable[[Any], UserId | None]] = {
    "calls": attrgetter("user_id"),
    "challenges": attrgetter("owner"),
}
"""Of what tells of a user, and may be large, whose it is: without his key it is not told (KEEP-5)."""

_LARGE: Mapping[str, tuple[Callable[[Any], object], int]] = {
    "calls": (attrgetter("arguments"), 4096),
    "grants": (lambda grant: grant.constraints.details(), 512),
}
"""What agents choose of a value, and how many bytes of that, as JSON, are remembered at most: in memory, each may take
25 of arguments, and 40 of limits."""

_READS = re.compile(r"\s*SELECT\b")
_WRITES = re.compile(r"\s*(?:INSERT (?:OR IGNORE )?INTO|UPDATE|DELETE FROM) (\w+)\b")


class Remembering(Recording):
    """Reads through a memory of its own, and appends to the record, over one connection."""

    def __init__(self, execute: Execute, keys: UserKeys) -> None:
        super().__init__(execute, keys)
        self._plainly = execute
        self._execute = self._forgetting
        self._rows: dict[str, dict[object, Any]] = {table: {} for table in _KEYS}
        self._version: int | None = None

    def begin(self) -> None:
        version, self._version = self._version, None  # until `keep`: what is undone was never there
        now = self._plainly("PRAGMA data_version", ()).fetchone()[0]
        if now != version:
            self._forget_all()
        self._began_at = now
        super().begin()

    def keep(self) -> None:
        super().keep()
        self._version = self._began_at

    def rewind(self, mark: Mark) -> None:
        super().rewind(mark)
        self._forget_all()

    def user(self, user_id: UserId) -> User | None:
        return self._remembered("users", user_id, super().user)

    def session(self, digest: bytes) -> Session | None:
        return self._remembered("sessions", digest, super().session)

    def agent(self, client_id: ClientId) -> Agent | None:
        return self._remembered("agents", client_id, super().agent)

    def grant(self, grant_id: GrantId) -> Grant | None:
        return self._remembered("grants", grant_id, super().grant)

    def credentials(self, user_id: UserId) -> list[Credential]:
        return [*self._remembered("credentials", user_id, super().credentials)]

    def quiet(self, user_id: UserId, now: int) -> list[Quiet]:
        quiets: list[Quiet] | None = self._rows["quiets"].get(user_id)
        if quiets is None:
            quiets = super().quiet(user_id, 0)
            self._remember("quiets", user_id, quiets)  # none as well: these are people who are there
        return [each for each in quiets if each.until > now]

    def call(self, call_id: CallId) -> Call | None:
        return self._remembered("calls", call_id, super().call)

    def challenge(self, challenge_id: ChallengeId) -> Challenge | None:
        return self._remembered("challenges", challenge_id, super().challenge)

    def _remembered(self, table: str, key: Any, read: Callable[[Any], T]) -> T:
        value: T | None = self.recall(table, key)
        if value is None:
            value = read(key)
            if value:  # what is not there may come, and anybody can ask for it
                self._remember(table, key, value)
        return value

    def recall(self, table: str, key: object) -> Any:
        """Return what is remembered; None if nothing is, or its owner has no key any more."""
        value = self._rows[table].get(key)
        if value is not None and (owner_of := _OWNER.get(table)) is not None:
            owner = owner_of(value)
            return value if owner is not None and self._keys.of(owner) is not None else None
        return value

    def _remember(self, table: str, key: object, value: object) -> None:
        if (large := _LARGE.get(table)) is not None:
            chosen, most = large
            if len(orjson.dumps(chosen(value))) > most:
                return
        rows = self._rows[table]
        if len(rows) >= (_MOST_LARGE if table in _OWNER else _MOST):
            rows.clear()
        rows[key] = value

    def _forgetting(self, statement: str, parameters: Mapping[str, object] | Sequence[object]) -> Cursor:
        """Run a statement, having forgotten what it may change."""
        for table in _changed_by(statement):
            name, column = _KEYS[table]
            key = parameters.get(name) if isinstance(parameters, Mapping) else parameters[column]
            if key is None:
                self._rows[table].clear()
            else:
                self._rows[table].pop(key, None)
        return self._plainly(statement, parameters)

    def _forget_all(self) -> None:
        for rows in self._rows.values():
            rows.clear()


class Glance(Snapshot):
    """What a memory has, even of a transaction that is under way in another thread, and else what is there."""

    def __init__(self, execute: Execute, keys: UserKeys, memory: Remembering) -> None:
        super().__init__(execute, keys)
        self._recall = memory.recall

    def user(self, user_id: UserId) -> User | None:
        return self._recall("users", user_id) or super().user(user_id)

    def session(self, digest: bytes) -> Session | None:
        return self._recall("sessions", digest) or super().session(digest)

    def credentials(self, user_id: UserId) -> list[Credential]:
        return [*(self._recall("credentials", user_id) or super().credentials(user_id))]

    def call(self, call_id: CallId) -> Call | None:
        return self._recall("calls", call_id) or super().call(call_id)

    def challenge(self, challenge_id: ChallengeId) -> Challenge | None:
        return self._recall("challenges", challenge_id) or super().challenge(challenge_id)


@cache
def _changed_by(statement: str) -> tuple[str, ...]:
    """Name those of the tables that a statement may change: all of them, if it does not begin by saying which."""
    if _READS.match(statement):
        return ()
    named = _WRITES.match(statement)
    return tuple(table for table in _KEYS if named is None or table == named[1])
