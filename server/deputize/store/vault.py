"""The keys of users, each wrapped, in a file apart from the data (SEAL-1).

A user's key is wrapped under the key of the vault, and that under a wrapping key that lies elsewhere (`wrapping.py`):
so what wraps is asked once at a start, and not for each user.
"""

import hmac
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..alone import alone_in
from ..protocol.ids import UserId
from ..service.faults import Locked
from .vault_file import VaultFile
from .wrapping import Wrapping

KEY_BYTES = 32
_NONCE = 12
_EXTERNAL = b"external"
_STEP = 10_000  # keys that are in memory at once where all are wrapped anew
_SCHEMA = (
    "CREATE TABLE vault (id TEXT NOT NULL, external BLOB, swept INTEGER NOT NULL)",
    """CREATE TABLE generations (generation INTEGER PRIMARY KEY, wrapped BLOB NOT NULL, mark BLOB NOT NULL,
        made_at INTEGER NOT NULL, replaced_at INTEGER)""",
    "CREATE TABLE users (user_id TEXT PRIMARY KEY, wrapped BLOB NOT NULL, external BLOB UNIQUE) WITHOUT ROWID",
    "CREATE TABLE hours (hour INTEGER PRIMARY KEY, wrapped BLOB NOT NULL)",
    "CREATE TABLE tombstones (number INTEGER PRIMARY KEY, user_id TEXT NOT NULL UNIQUE)",
)
_IS_MADE = "SELECT 1 FROM sqlite_schema WHERE name = 'vault'"
_NEWEST = """
    SELECT generation, wrapped, mark, made_at, id, external FROM vault, generations WHERE replaced_at IS NULL"""
_MAKE = """
    INSERT INTO users SELECT :user_id, :wrapped, NULL WHERE NOT EXISTS
        (SELECT 1 FROM tombstones WHERE user_id = :user_id) ON CONFLICT DO NOTHING"""
_GO_OVER = (
    """UPDATE users SET external = NULL
        WHERE external = :external AND EXISTS (SELECT 1 FROM users WHERE user_id = :user_id)""",
    "UPDATE users SET external = :external WHERE user_id = :user_id",
)
_REPLACE = """
    UPDATE generations SET wrapped = zeroblob(length(wrapped)), replaced_at = ? WHERE replaced_at IS NULL"""


class Vault:
    """The rows, and the keys that they are wrapped under. It is for one thread at a time."""

    def __init__(self, path: Path, wrapping: Wrapping, new: bool) -> None:
        """Open the file, or make it if it is missing or empty and may be `new`; Locked."""
        self._wrapping = wrapping
        self._file = VaultFile(path, new)
        try:
            if new:
                self._make()
            elif not self._file.rows(_IS_MADE):
                raise Locked("the file of users' keys is empty", path)
            self._generation = 0
            self._unlock()
            self._seen = self._tombstones()
        except BaseException:
            self.close()
            raise

    def news(self) -> list[UserId] | None:
        """Return whose keys other processes have destroyed since this was last asked; None if they changed nothing.

        It costs one system call if the file has not changed for a second. Locked.
        """
        if not self._file.changed():
            return None
        before, self._seen = self._seen, self._tombstones()
        return [
            UserId(one)
            for (one,) in self._file.rows("SELECT user_id FROM tombstones WHERE number > ?", [before])
        ]

    def key_of(self, user_id: str) -> bytes | None:
        """Return the key of a user; None if there is none."""
        return self._key("SELECT wrapped FROM users WHERE user_id = ?", user_id, _of_user(user_id))

    def key_of_hour(self, hour: int) -> bytes | None:
        """Return the key of an hour since the epoch, which is made if it was not; None once it was destroyed."""
        select = "SELECT wrapped FROM hours WHERE hour = ?"
        found = self._key(select, hour, _of_hour(hour))
        if found is not None:
            return found
        with self._writing() as execute:
            (swept,) = execute("SELECT swept FROM vault").fetchone()
            if hour < swept:
                return None
            wrapped = _wrap(self._aead, secrets.token_bytes(KEY_BYTES), _of_hour(hour))
            execute("INSERT INTO hours VALUES (?, ?) ON CONFLICT DO NOTHING", [hour, wrapped])
        return self._key(select, hour, _of_hour(hour))

    def user_of(self, external_id: str) -> UserId | None:
        """Return whose id at the site's login that is."""
        found = self._file.rows("SELECT user_id FROM users WHERE external = ?", [self._digest(external_id)])
        return UserId(found[0][0]) if found else None

    def make(self, users: Mapping[str, str | None]) -> int:
        """Make the keys of users who have none, and keep who is whom at the site's login, all or nothing of it.

        Whose key was destroyed gets no other. Returns how many were made.
        """
        made = 0
        with self._writing() as execute:
            for user_id, external_id in users.items():
                key = _wrap(self._aead, secrets.token_bytes(KEY_BYTES), _of_user(user_id))
                made += execute(_MAKE, {"user_id": user_id, "wrapped": key}).rowcount
                if external_id is not None:
                    for statement in _GO_OVER:
                        execute(statement, {"user_id": user_id, "external": self._digest(external_id)})
        return made

    def destroy(self, user_id: UserId) -> None:
        """Destroy the key of a user for good, and put up a tombstone."""
        with self._writing() as execute:
            execute("DELETE FROM users WHERE user_id = ?", [user_id])
            execute("INSERT INTO tombstones (user_id) VALUES (?) ON CONFLICT DO NOTHING", [user_id])

    def destroyed(self) -> frozenset[UserId]:
        """Return all tombstones."""
        return frozenset(UserId(user_id) for (user_id,) in self._file.rows("SELECT user_id FROM tombstones"))

    def sweep(self, hour: int) -> None:
        """Destroy the keys of all hours before this one."""
        if self._file.rows("SELECT 1 FROM vault WHERE swept < ?", [hour]):
            with self._writing() as execute:
                execute("DELETE FROM hours WHERE hour < ?", [hour])
                execute("UPDATE vault SET swept = max(swept, ?)", [hour])

    @property
    def is_behind(self) -> bool:
        """Tell whether another process has given the vault a newer key than is known here."""
        return bool(self._newest()[0] != self._generation)

    def name(self) -> str:
        """Return the name of the wrapping key that is in use."""
        generation, _, _, _, vault, _ = self._newest()
        return _name(vault, generation)

    def made_at(self) -> int:
        """Return since when it is, in seconds since the epoch."""
        return int(self._newest()[3])

    def replaced(self, before: int) -> list[str]:
        """Return the names of the wrapping keys that were replaced by then, and are to be destroyed."""
        rows = self._file.rows(
            "SELECT id, generation FROM vault, generations WHERE replaced_at <= ?", [before]
        )
        return [_name(*row) for row in rows]

    def former(self) -> list[tuple[str, int]]:
        """Return the wrapping keys that were replaced and are not destroyed yet, and when they were."""
        rows = self._file.rows("SELECT id, generation, replaced_at FROM vault, generations WHERE replaced_at")
        return [(_name(vault, generation), replaced_at) for vault, generation, replaced_at in rows]

    def counts(self) -> tuple[int, int]:
        """Return how many users have a key, and of how many it was destroyed."""
        ((users, destroyed),) = self._file.rows(
            "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM tombstones)"
        )
        return users, destroyed

    def known(self) -> tuple[set[str], frozenset[UserId]]:
        """Return who has a key, and whose was destroyed."""
        return {user_id for (user_id,) in self._file.rows("SELECT user_id FROM users")}, self.destroyed()

    def copy(self, to: Path) -> None:
        """Copy the file, all of one moment, into a new one of its owner's alone, to the disk; Locked."""
        try:
            os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # VACUUM takes an empty file
            self._file.rows("VACUUM INTO ?", [str(to)])
            descriptor = os.open(to, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise Locked(f"the users' keys cannot be copied: {error.strerror}", to) from error

    def rotate(self, now: int) -> None:
        """Wrap all keys anew, under a new key of the vault and a new wrapping key; Locked.

        The new wrapping key opens no copy of the file from before; the old one still does (`destroy_replaced`).
        """
        with self._file.told(), alone_in(self._file.path.resolve().parent):
            self._unlock()
            self._go_over(self._newest()[4], self._wrapping, now)

    def begin_anew(self, wrapped_by: Wrapping, now: int) -> None:
        """Be another vault from now on, with the same keys: no wrapping key has to do with both; Locked."""
        self._go_over(secrets.token_hex(8), wrapped_by, now)
        with self._file.writing() as execute:
            execute("DELETE FROM generations WHERE replaced_at IS NOT NULL")

    def _go_over(self, vault: str, wrapped_by: Wrapping, now: int) -> None:
        """Wrap all keys under a new key, and that under a new wrapping key, which has shown that it gives it back."""
        vault_key, generation = secrets.token_bytes(KEY_BYTES), self._generation + 1
        name = _name(vault, generation)
        wrapped = wrapped_by.wrap(name, vault_key)
        if wrapped_by.unwrap(name, wrapped) != vault_key:
            raise Locked(
                "what wraps the users' keys gives back another key than it was given", self._file.path
            )
        after = AESGCM(vault_key)
        with self._writing() as execute:
            self._wrap_anew(execute, after)
            execute(_REPLACE, [now])
            row = [generation, wrapped, _mark(vault_key), now]
            execute("INSERT INTO generations VALUES (?, ?, ?, ?, NULL)", row)
            execute("UPDATE vault SET id = ?", [vault])
        self._generation, self._aead = generation, after

    def destroy_replaced(self, before: int) -> None:
        """Destroy the wrapping keys that were replaced by then; Locked, and the next time tries again."""
        with self._file.told(), alone_in(self._file.path.resolve().parent):
            for name in self.replaced(before):
                self._wrapping.destroy(name)
                with self._writing() as execute:
                    execute("DELETE FROM generations WHERE generation = ?", [int(name.rpartition("-")[2])])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _make(self) -> None:
        """Make the tables, and the first keys: what another process, or a try before, has not made of it."""
        rows = self._file.rows
        if not rows(_IS_MADE):
            with self._file.writing() as execute:
                if not rows(_IS_MADE):
                    for statement in _SCHEMA:
                        execute(statement)
                    execute("INSERT INTO vault VALUES (?, NULL, 0)", [secrets.token_hex(8)])
        unfinished = "SELECT id FROM vault WHERE external IS NULL"
        if rows(unfinished):
            with self._file.writing() as execute:
                for (vault,) in rows(unfinished):
                    vault_key = secrets.token_bytes(KEY_BYTES)
                    row = [
                        self._wrapping.wrap(_name(vault, 1), vault_key),
                        _mark(vault_key),
                        int(time.time()),
                    ]
                    execute("INSERT INTO generations VALUES (1, ?, ?, ?, NULL)", row)
                    external = _wrap(AESGCM(vault_key), secrets.token_bytes(KEY_BYTES), _EXTERNAL)
                    execute("UPDATE vault SET external = ?", [external])

    def _wrap_anew(self, execute: Callable[..., sqlite3.Cursor], after: AESGCM) -> None:
        last = ""
        read = "SELECT user_id, wrapped FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?"
        while rows := execute(read, [last, _STEP]).fetchall():
            for user_id, wrapped in rows:
                anew = _wrap(after, self._unwrapped(wrapped, _of_user(user_id)), _of_user(user_id))
                execute("UPDATE users SET wrapped = ? WHERE user_id = ?", [anew, user_id])
            last = rows[-1][0]
        for hour, wrapped in execute("SELECT hour, wrapped FROM hours").fetchall():
            anew = _wrap(after, self._unwrapped(wrapped, _of_hour(hour)), _of_hour(hour))
            execute("UPDATE hours SET wrapped = ? WHERE hour = ?", [anew, hour])
        execute("UPDATE vault SET external = ?", [_wrap(after, self._external, _EXTERNAL)])

    def _newest(self) -> tuple[int, bytes, bytes, int, str, bytes]:
        for row in self._file.rows(_NEWEST):
            generation, wrapped, mark, made_at, vault, external = row
            return generation, wrapped, mark, made_at, vault, external
        raise self._file.damaged()

    def _unlock(self) -> None:
        """Have the newest key of the vault."""
        generation, wrapped, mark, _, vault, external = self._newest()
        if generation == self._generation:
            return
        vault_key = self._wrapping.unwrap(_name(vault, generation), wrapped)
        if len(vault_key) != KEY_BYTES or not hmac.compare_digest(_mark(vault_key), mark):
            raise Locked("the wrapping key does not fit the users' keys", self._file.path)
        self._generation, self._aead = generation, AESGCM(vault_key)
        self._external = self._unwrapped(external, _EXTERNAL)

    def _key(self, statement: str, name: object, about: bytes) -> bytes | None:
        """Return what is under a name; a rotation by another process may come between."""
        rows = self._file.rows(statement, [name])
        if not rows:
            return None
        try:
            return self._unwrapped(rows[0][0], about)
        except Locked:
            if not self.is_behind:
                raise
        self._unlock()
        return self._key(statement, name, about)

    def _unwrapped(self, wrapped: bytes, about: bytes) -> bytes:
        try:
            return self._aead.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], about)
        except (InvalidTag, ValueError):
            raise self._file.damaged() from None

    def _digest(self, external_id: str) -> bytes:
        return hmac.digest(self._external, external_id.encode(), "sha256")

    def _tombstones(self) -> int:
        return int(self._file.rows("SELECT coalesce(max(number), 0) FROM tombstones")[0][0])

    @contextmanager
    def _writing(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Be the only one who writes, under the newest key, and in the file that is at the path."""
        self._file.require()
        self._unlock()  # a command takes its time: not while others wait, if that can be
        with self._file.writing() as execute:
            self._unlock()
            yield execute
        self._file.require()


def _of_user(user_id: str) -> bytes:
    return b"user " + user_id.encode()


def _of_hour(hour: int) -> bytes:
    return b"hour %d" % hour


def _name(vault: str, generation: int) -> str:
    """Name a wrapping key: in one file, or one service, there may be those of several authorities."""
    return f"deputize-{vault}-{generation}"


def _wrap(aead: AESGCM, key: bytes, about: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + aead.encrypt(nonce, key, about)


def _mark(vault_key: bytes) -> bytes:
    """Tell a key of the vault from any other, without telling it."""
    return hmac.digest(vault_key, b"deputize vault", "sha256")[:16]
