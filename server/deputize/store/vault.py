"""The file of users' keys: rows of SQLite, apart from the data, each key wrapped (SEAL-1).

A user's key is wrapped under the key of the vault, and that under a wrapping key that lies elsewhere (`wrapping.py`). A
rollback journal and zeros over what is deleted: a write-ahead file would keep the pages of before.
"""

import hmac
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..alone import alone_in
from ..protocol.ids import UserId
from ..service.faults import Locked
from .faults import words
from .wrapping import Wrapping

KEY_BYTES = 32
_NONCE = 12
_EXTERNAL = b"external"
_BUSY_TIMEOUT = 5.0  # seconds to wait for another process that writes
_CERTAIN = 1_000_000_000  # nanoseconds after which a change of a file shows in its times
_SCHEMA = (
    "CREATE TABLE vault (id TEXT NOT NULL, external BLOB, swept INTEGER NOT NULL)",
    """CREATE TABLE generations (generation INTEGER PRIMARY KEY, wrapped BLOB NOT NULL, mark BLOB NOT NULL,
        made_at INTEGER NOT NULL, replaced_at INTEGER)""",
    "CREATE TABLE users (user_id TEXT PRIMARY KEY, wrapped BLOB NOT NULL, external BLOB UNIQUE) WITHOUT ROWID",
    "CREATE TABLE hours (hour INTEGER PRIMARY KEY, wrapped BLOB NOT NULL)",
    "CREATE TABLE tombstones (user_id TEXT PRIMARY KEY) WITHOUT ROWID",
)
_NEWEST = """
    SELECT generation, wrapped, mark, made_at, (SELECT id FROM vault) FROM generations WHERE replaced_at IS NULL"""
_REPLACE = (
    "UPDATE generations SET wrapped = zeroblob(length(wrapped)), replaced_at = ? WHERE replaced_at IS NULL"
)
_STEP = 10_000  # keys that are in memory at once where all are wrapped anew


class Vault:
    """One connection to the file. It is for one thread at a time; several processes may have the file open."""

    def __init__(self, path: Path, wrapping: Wrapping, new: bool) -> None:
        """Open the file, or make it if it is missing or empty and may be `new`; Locked."""
        self._path = path
        self._wrapping = wrapping
        with _told(path):
            if new:
                with suppress(FileExistsError):
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._identity = _identity_of(path)
            path.chmod(0o600)
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                timeout=_BUSY_TIMEOUT,
                isolation_level=None,  # autocommit: BEGIN and COMMIT are ours
                check_same_thread=False,
                uri=True,
            )
        try:
            with _told(path):
                execute = self._connection.execute
                execute("PRAGMA journal_mode = TRUNCATE")
                execute("PRAGMA synchronous = FULL")  # a journal that was cut off stays so
                execute("PRAGMA secure_delete = ON")
                execute("PRAGMA temp_store = MEMORY")  # no old pages in files that nobody knows of
                if new:
                    self._make()
                elif execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
                    raise Locked("the file of users' keys is empty", path)
                self._generation = 0
                self._unlock()
                self._settled: tuple[int, int] | None = None
                self._version = self._data_version()
                self._stale = False
        except BaseException:
            self._connection.close()
            raise

    def changed(self) -> bool:
        """Tell whether another connection has changed the file since this was last asked; Locked.

        It costs one system call if the file has not changed for a second.
        """
        self._require_place()
        stale, self._stale = self._stale, False
        return stale

    def key_of(self, user_id: str) -> bytes | None:
        """Return the key of a user; None if there is none."""
        return self._key("SELECT wrapped FROM users WHERE user_id = ?", user_id, _of_user(user_id))

    def key_of_hour(self, hour: int) -> bytes | None:
        """Return the key of an hour since the epoch, which is made if it was not; None once it was destroyed."""
        found = self._key("SELECT wrapped FROM hours WHERE hour = ?", hour, _of_hour(hour))
        if found is not None:
            return found
        with self._writing() as execute:
            (swept,) = execute("SELECT swept FROM vault").fetchone()
            if hour < swept:
                return None
            wrapped = self._wrapped(secrets.token_bytes(KEY_BYTES), _of_hour(hour))
            execute("INSERT INTO hours VALUES (?, ?) ON CONFLICT DO NOTHING", [hour, wrapped])
        return self._key("SELECT wrapped FROM hours WHERE hour = ?", hour, _of_hour(hour))

    def user_of(self, external_id: str) -> UserId | None:
        """Return whose id at the site's login that is."""
        with _told(self._path):
            found = self._connection.execute(
                "SELECT user_id FROM users WHERE external = ?", [self._digest(external_id)]
            ).fetchone()
        return found and UserId(found[0])

    def make(self, users: Mapping[str, str | None]) -> int:
        """Make the keys of users who have none, and keep who is whom at the site's login, all or nothing of it.

        Whose key was destroyed gets no other. Returns how many were made.
        """
        made = 0
        with self._writing() as execute:
            for user_id, external_id in users.items():
                if execute("SELECT 1 FROM tombstones WHERE user_id = ?", [user_id]).fetchone():
                    continue
                key = [user_id, self._wrapped(secrets.token_bytes(KEY_BYTES), _of_user(user_id))]
                made += execute("INSERT INTO users VALUES (?, ?, NULL) ON CONFLICT DO NOTHING", key).rowcount
                if external_id is not None:
                    digest = self._digest(external_id)
                    execute("UPDATE users SET external = NULL WHERE external = ?", [digest])
                    execute("UPDATE users SET external = ? WHERE user_id = ?", [digest, user_id])
        return made

    def destroy(self, user_id: UserId) -> None:
        """Destroy the key of a user for good, and put up a tombstone."""
        with self._writing() as execute:
            execute("DELETE FROM users WHERE user_id = ?", [user_id])
            execute("INSERT INTO tombstones VALUES (?) ON CONFLICT DO NOTHING", [user_id])

    def destroyed(self) -> frozenset[UserId]:
        """Return all tombstones."""
        with _told(self._path):
            return frozenset(
                UserId(one) for (one,) in self._connection.execute("SELECT user_id FROM tombstones")
            )

    def sweep(self, hour: int) -> None:
        """Destroy the keys of all hours before this one."""
        with _told(self._path):
            (swept,) = self._connection.execute("SELECT swept FROM vault").fetchone()
        if swept >= hour:
            return
        with self._writing() as execute:
            execute("DELETE FROM hours WHERE hour < ?", [hour])
            execute("UPDATE vault SET swept = max(swept, ?)", [hour])

    @property
    def is_behind(self) -> bool:
        """Tell whether another process has given the vault a newer key than is known here."""
        return self._newest()[0] != self._generation

    def name(self) -> str:
        """Return the name of the wrapping key that is in use."""
        generation, _, _, _, vault = self._newest()
        return _name(vault, generation)

    def made_at(self) -> int:
        """Return since when it is, in seconds since the epoch."""
        return int(self._newest()[3])

    def replaced(self, before: int) -> list[str]:
        """Return the names of the wrapping keys that were replaced by then, and are to be destroyed."""
        with _told(self._path):
            rows = self._connection.execute(
                "SELECT id, generation FROM vault, generations WHERE replaced_at <= ?", [before]
            ).fetchall()
        return [_name(*row) for row in rows]

    def rotate(self, now: int) -> None:
        """Wrap all keys anew, under a new key of the vault and a new wrapping key; Locked.

        The new wrapping key opens no copy of the file from before; the old one still does (`destroy_replaced`).
        """
        with _told(self._path), alone_in(self._path.resolve().parent):
            self._unlock()
            vault_key, generation = secrets.token_bytes(KEY_BYTES), self._generation + 1
            name = self._name_of(generation)
            wrapped = self._wrapping.wrap(name, vault_key)
            if self._wrapping.unwrap(name, wrapped) != vault_key:
                raise Locked(
                    "what wraps the users' keys gives back another key than it was given", self._path
                )
            after = AESGCM(vault_key)
            with self._writing() as execute:
                self._wrap_anew(execute, after)
                execute(_REPLACE, [now])
                row = [generation, wrapped, _mark(vault_key), now]
                execute("INSERT INTO generations VALUES (?, ?, ?, ?, NULL)", row)
            self._generation, self._aead = generation, after

    def destroy_replaced(self, before: int) -> None:
        """Destroy the wrapping keys that were replaced by then; Locked, and the next time tries again."""
        with _told(self._path), alone_in(self._path.resolve().parent):
            for name in self.replaced(before):
                self._wrapping.destroy(name)
                with self._writing() as execute:
                    execute("DELETE FROM generations WHERE generation = ?", [int(name.rpartition("-")[2])])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _wrap_anew(self, execute: Callable[..., sqlite3.Cursor], after: AESGCM) -> None:
        last = ""
        read = "SELECT user_id, wrapped FROM users WHERE user_id > ? ORDER BY user_id LIMIT ?"
        while rows := execute(read, [last, _STEP]).fetchall():
            for user_id, wrapped in rows:
                about = _of_user(user_id)
                anew = _wrap(after, self._unwrapped(wrapped, about), about)
                execute("UPDATE users SET wrapped = ? WHERE user_id = ?", [anew, user_id])
            last = rows[-1][0]
        for hour, wrapped in execute("SELECT hour, wrapped FROM hours").fetchall():
            anew = _wrap(after, self._unwrapped(wrapped, _of_hour(hour)), _of_hour(hour))
            execute("UPDATE hours SET wrapped = ? WHERE hour = ?", [anew, hour])
        execute("UPDATE vault SET external = ?", [_wrap(after, self._external, _EXTERNAL)])

    def _make(self) -> None:
        """Make the tables, and the first keys: what another process, or a try before, has not made of it."""
        execute = self._connection.execute
        if execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
            with self._transaction():
                if execute("SELECT 1 FROM sqlite_schema").fetchone() is None:
                    for statement in _SCHEMA:
                        execute(statement)
                    execute("INSERT INTO vault VALUES (?, NULL, 0)", [secrets.token_hex(8)])
        if execute("SELECT external FROM vault").fetchone() == (None,):
            with self._transaction():
                if execute("SELECT external FROM vault").fetchone() == (None,):
                    vault_key = secrets.token_bytes(KEY_BYTES)
                    wrapped, now = self._wrapping.wrap(self._name_of(1), vault_key), int(time.time())
                    row = [wrapped, _mark(vault_key), now]
                    execute("INSERT INTO generations VALUES (1, ?, ?, ?, NULL)", row)
                    external = _wrap(AESGCM(vault_key), secrets.token_bytes(KEY_BYTES), _EXTERNAL)
                    execute("UPDATE vault SET external = ?", [external])

    def _name_of(self, generation: int) -> str:
        return _name(self._connection.execute("SELECT id FROM vault").fetchone()[0], generation)

    def _newest(self) -> tuple[int, bytes, bytes, int, str]:
        with _told(self._path):
            newest = self._connection.execute(_NEWEST).fetchone()
        if newest is None:
            raise Locked("the file of users' keys is damaged", self._path)
        return newest  # type: ignore[no-any-return]

    def _unlock(self) -> None:
        """Have the newest key of the vault."""
        generation, wrapped, mark, _, vault = self._newest()
        if generation == self._generation:
            return
        vault_key = self._wrapping.unwrap(_name(vault, generation), wrapped)
        if len(vault_key) != KEY_BYTES or not hmac.compare_digest(_mark(vault_key), mark):
            raise Locked("the wrapping key does not fit the users' keys", self._path)
        self._generation, self._aead = generation, AESGCM(vault_key)
        with _told(self._path):
            (external,) = self._connection.execute("SELECT external FROM vault").fetchone()
        self._external = self._unwrapped(external, _EXTERNAL)

    def _key(self, statement: str, name: object, about: bytes) -> bytes | None:
        """Return what is under a name; a rotation may come between, once."""
        for last in (False, True):
            with _told(self._path):
                row = self._connection.execute(statement, [name]).fetchone()
            if row is None:
                return None
            try:
                return self._unwrapped(row[0], about)
            except Locked:
                if last:
                    raise
                self._unlock()
        return None

    def _wrapped(self, key: bytes, about: bytes) -> bytes:
        return _wrap(self._aead, key, about)

    def _unwrapped(self, wrapped: bytes, about: bytes) -> bytes:
        try:
            return self._aead.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], about)
        except (InvalidTag, ValueError):
            raise Locked("the file of users' keys is damaged", self._path) from None

    def _digest(self, external_id: str) -> bytes:
        return hmac.digest(self._external, external_id.encode(), "sha256")

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _require_place(self) -> None:
        """Locked unless the open file is the one at its path; notes whether others have changed it."""
        with _told(self._path):
            found = os.stat(self._path)  # noqa: PTH116  # often, and Path.stat takes longer
            if (found.st_dev, found.st_ino) != self._identity:
                raise Locked("the open file of users' keys was moved or replaced", self._path)
            look = found.st_mtime_ns, found.st_size
            if look != self._settled:
                self._settled = look if abs(time.time_ns() - look[0]) > _CERTAIN else None
                before, self._version = self._version, self._data_version()
                self._stale = self._stale or before != self._version

    @contextmanager
    def _writing(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Be the only one who writes, under the newest key, and to the disk, in the file that is at the path."""
        self._require_place()
        self._unlock()  # a command takes its time: not while others wait, if that can be
        with self._transaction() as execute:
            self._unlock()
            yield execute
        self._require_place()

    @contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        execute = self._connection.execute
        with _told(self._path):
            execute("BEGIN IMMEDIATE")
            try:
                yield execute
                execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a rollback of what SQLite rolled back itself
                    execute("ROLLBACK")
                raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say of a failing file which it is, and what fails."""
    try:
        yield
    except FileNotFoundError:
        raise Locked("the file of users' keys is missing", path) from None
    except (sqlite3.Error, OSError) as error:
        why = words(error) if isinstance(error, sqlite3.Error) else error.strerror
        raise Locked(f"the file of users' keys cannot be used: {why}", path) from error


def _identity_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


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
