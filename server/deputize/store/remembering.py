"""Rows that each request reads and few change, read once and remembered by the connection that writes.

Nothing that is remembered can have been changed meanwhile. This connection forgets what a statement of its own changes,
before it runs, and everything where a transaction is undone. What others have committed shows in SQLite's
`data_version`, asked when a transaction has begun and nobody else can write. So a grant that was taken back, by
whichever process, is read as taken back by the next transaction.
"""

# ruff: noqa: D102  # what methods of a `Reader` promise is written in service/ports.py

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from ..protocol.agent import Agent
from ..protocol.credential import Credential, User
from ..protocol.grant import Grant
from ..protocol.ids import ClientId, GrantId, UserId
from ..service.ports import Session
from .recording import Mark, Recording
from .snapshot import Cursor, Execute
from .user_keys import UserKeys

T = TypeVar("T")

_MOST = 4096
"""Rows of a table that are remembered; strangers choose some of them."""

_KEYS = {
    "users": "user_id",
    "sessions": "digest",
    "agents": "client_id",
    "grants": "grant_id",
    "credentials": "user_id",
}
"""The tables, and the parameter that names what is remembered of each: a statement that has it changes only that."""

_READS = re.compile(r"\s*SELECT\b")
_WRITES = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)\b")


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

    def _remembered(self, table: str, key: Any, read: Callable[[Any], T]) -> T:
        rows = self._rows[table]
        value: T | None = rows.get(key)
        if value is None:
            value = read(key)
            if value:  # what is not there may come, and anybody can ask for it
                if len(rows) >= _MOST:
                    rows.clear()
                rows[key] = value
        return value

    def _forgetting(self, statement: str, parameters: Mapping[str, object] | Sequence[object]) -> Cursor:
        """Run a statement, having forgotten what it may change."""
        for table in _changed_by(statement):
            key = parameters.get(_KEYS[table]) if isinstance(parameters, dict) else None
            if key is None:
                self._rows[table].clear()
            else:
                self._rows[table].pop(key, None)
        return self._plainly(statement, parameters)

    def _forget_all(self) -> None:
        for rows in self._rows.values():
            rows.clear()


@cache
def _changed_by(statement: str) -> tuple[str, ...]:
    """Name those of the tables that a statement may change: all of them, if it does not begin by saying which."""
    if _READS.match(statement):
        return ()
    named = _WRITES.match(statement)
    return tuple(table for table in _KEYS if named is None or table == named[1])
