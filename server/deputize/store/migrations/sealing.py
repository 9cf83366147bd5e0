"""What SQL cannot do of version 0010: seal what was written before, row by row, in the transaction that moves it."""

import sqlite3
from collections.abc import Callable
from typing import Any

import orjson

from ...protocol.canonical import s256
from ...protocol.ids import UserId
from ..sealing import about, key_of
from ..user_keys import UserKeys

EVERY = 100_000
"""Values between two words on how far it is."""


def give(connection: sqlite3.Connection, keys: UserKeys, tell: Callable[[int], None]) -> None:
    """Give a connection the functions of the script. `tell` hears now and then how many values are sealed.

    An upgrade that was cut short leaves keys, and the next one goes on with these. Of users who have none, who are
    being forgotten or were, nothing is taken along.
    """
    done = 0

    def sealed(
        column: str, row: str, owner: str | None, until: int, *told: str | bytes | None
    ) -> bytes | None:
        nonlocal done
        done += 1
        if done % EVERY == 0:
            tell(done)
        if (key := key_of(keys, None if owner is None else UserId(owner), until)) is None:
            return None
        fields = [orjson.Fragment(each) if isinstance(each, bytes) else each for each in told]
        return key.seal(orjson.dumps(fields), about(column, row))

    def keyed(owner: str, value: bytes | None) -> bytes | None:
        if value is None or (key := keys.of(UserId(owner))) is None:
            return None
        return key.digest(value)

    def digested(told: str) -> str:
        return s256(told.encode())

    class Made:
        """Makes all keys at once: each by itself would be waited for until it is on the disk."""

        def __init__(self) -> None:
            self._users: dict[str, str | None] = {}

        def step(self, *row: Any) -> None:
            user_id, external_id = row
            self._users[user_id] = external_id

        def finalize(self) -> int:
            return keys.make_missing(self._users) if self._users else 0

    connection.create_function("sealed", -1, sealed)
    connection.create_function("keyed", 2, keyed)
    connection.create_function("digested", 1, digested)
    connection.create_aggregate("keys_made", 2, Made)
