"""The store in one SQLite file: write-ahead log, every commit durable, one writer, readers where they are."""

import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic
from typing import TypeVar

from ..alone import alone_in
from ..protocol.errors import Refused
from ..service.faults import Locked, NoStore, StoreFault
from ..service.ports import Health, Reader, Tx
from . import header
from .checking import Check, look_through
from .faults import Damaged, Note, is_failure, unreadable, words
from .migrations import InUse, is_unswept, known_versions, require_known, sweep, upgrade
from .place import Displaced, Place, identity_of
from .probe import EVERY, Probe
from .remembering import Glance
from .snapshot import Cursor, Execute, Snapshot
from .user_keys import UserKeys
from .writer import Writer

T = TypeVar("T")

BUSY_TIMEOUT = 5000
"""Milliseconds to wait for another process that writes."""
WAL_LIMIT = 64 * 1024 * 1024
"""Bytes of the write-ahead file that are kept to be written over; it has about half of that if nobody reads long."""


class SqliteStore:
    """`service.ports.Store` in the file at `path`, for its owner only.

    Several processes may have one file open. It is made if it is missing or empty, unless it is not to be `new`: then
    `NoStore`. `note` takes the causes of what cannot be recorded. What is kept of users lies sealed under their `keys`,
    which are closed with it; the default is those beside it. Raises `migrations.NewerDatabase`, `InUse`, `Displaced`,
    sqlite3.Error or OSError, too.
    """

    def __init__(
        self, path: Path, new: bool = True, note: Note | None = None, keys: UserKeys | None = None
    ) -> None:
        self._path = path
        self._note = note
        self._keys = UserKeys.beside(path) if keys is None else keys
        self._uri = path.absolute().as_uri()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        with alone_in(path.parent):  # SQLite does not wait for a change of mode
            if not new and not (path.exists() and path.stat().st_size):
                raise NoStore(f"{path} is {'empty' if path.exists() else 'missing'}")
            _make_private(path)
            identity = identity_of(path)
            self._note_if_left_open()
            self._require_unused_if_older()
            connection = self._open()
            try:
                self._unchecked = header.is_unchecked(connection.execute)
                self._place = Place(path, identity)
            except BaseException:
                connection.close()
                raise
            self._writer = Writer(connection, self._place, BUSY_TIMEOUT, self._keys, note)
        self._probe = Probe(self._try_out)
        self._check: Check | None = None

    async def read(self, fn: Callable[[Reader], T]) -> T:
        """Run a function over one snapshot, at once: nothing is waited for."""
        return self.look(fn)

    def look(self, fn: Callable[[Reader], T]) -> T:
        """Do the same for who cannot await, in the calling thread."""
        return self._look(lambda execute: fn(Snapshot(execute, self._keys)))

    async def glance(self, fn: Callable[[Reader], T]) -> T:
        """Run a function over what is remembered, and for the rest over one snapshot (`service.ports.Store`)."""
        return self._look(lambda execute: fn(Glance(execute, self._keys, self._writer.memory)))

    def _look(self, fn: Callable[[Execute], T]) -> T:
        """Run a function over one snapshot, which is taken when it first asks for something."""
        begun: Execute | None = None

        def execute(statement: str, parameters: Mapping[str, object] | Sequence[object]) -> Cursor:
            nonlocal begun
            if begun is None:
                first = self._reader().cursor().execute
                first("BEGIN")
                begun = first
            return begun(statement, parameters)

        try:
            try:
                return fn(execute)
            finally:
                if begun is not None:
                    begun("COMMIT", ())
        except (Displaced, Locked, sqlite3.DatabaseError) as error:
            if not is_failure(error):
                raise
            self._writer.found(error)
            raise unreadable(error) from error

    async def transact(self, fn: Callable[[Tx], T]) -> T:
        """Run a function in a transaction and answer after its commit is durable (`service.ports.Store`)."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.put(fn, future)
        return await future

    def listen(self, hear: Callable[[Collection[str]], None]) -> None:
        """Tell what has moved in this process (`service.ports.Store`)."""
        self._writer.listen(hear)

    async def health(self) -> Health:
        """Tell whether a decision could be recorded now (`service.ports.Store`)."""
        fault = await self._probe.fault()
        return Health(fault, checking=self._check is not None and self._check.is_running)

    def check_if_left_open(self) -> None:
        """Look through the database, beside what else is done, if it was left open and not looked through since."""
        if self._unchecked and self._check is None:
            self._check = Check(self._connect("rw"), self._writer.found)

    async def check(self) -> None:
        """Look through the database now, and wait for nothing else (`service.ports.Store`)."""
        try:
            with closing(self._connect("rw")) as connection:
                look_through(connection)
        except sqlite3.Error as error:
            raise StoreFault(words(error)) from error

    async def renew_keys(self, now: int, archived: int | None) -> None:
        """Destroy and renew keys of users (`service.ports.Store`), beside what else is done."""
        await asyncio.to_thread(self._keys.sweep, now, archived)

    async def wrapping_fault(self) -> Locked | None:
        """Look whether what wraps the users' keys is there (`service.ports.Store`)."""
        return await asyncio.to_thread(self._keys.wrapping_fault)

    async def scrub(self) -> bool:
        """Empty the write-ahead file, in which old pages are left (`service.ports.Store`)."""
        return await asyncio.to_thread(self._scrub)

    def _scrub(self) -> bool:
        try:
            # It keeps writers out while it waits for readers: not for long, another time will do.
            with closing(self._connect("rw", timeout=0.1)) as connection:
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            return False
        return not busy

    def close(self) -> None:
        """Finish what was handed in, then close."""
        if self._check is not None:
            self._check.stop()
        for connection in self._readers:  # first: the last to close, if it may write, tidies up
            connection.close()
        self._writer.close()
        self._keys.close()

    def _open(self) -> sqlite3.Connection:
        """Open the connection that writes, on a database of the last version."""
        connection = self._upgraded()
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")  # with zeros over what is deleted (KEEP-3)
            connection.execute("PRAGMA cache_size = -65536")  # KiB
            # In pages: whoever meets a checkpoint waits 10 ms, so it is to be rare.
            connection.execute("PRAGMA wal_autocheckpoint = 8000")
            # What it grew to under a long reader is cut off by the first commit after all of it was copied.
            connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _upgraded(self) -> sqlite3.Connection:
        """Open a connection on a database of the last version, swept unless another process has it open: then it is for
        the next start."""
        connection = self._connect("rw")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            upgrade(connection, self._keys, self._tell_of_upgrade)
            if not is_unswept(connection):
                return connection
        except BaseException:
            connection.close()
            raise
        connection.close()
        with suppress(sqlite3.OperationalError), closing(self._connect("rw", timeout=0)) as alone:
            _take_alone(alone)
            sweep(alone)
        connection = self._connect("rw")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _require_unused_if_older(self) -> None:
        """`InUse` if another process has a database open that would be brought to this version under it (READY-7)."""
        with closing(self._connect("rw")) as connection:
            version = require_known(connection)
            if version in (None, known_versions()[-1]):
                return
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                _take_alone(connection)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                    raise InUse(version) from None
                raise

    def _tell_of_upgrade(self, done: int) -> None:
        if self._note is not None:
            self._note("upgrade", sealed=done)

    def _note_if_left_open(self) -> None:
        """Note it in the file if whoever had it open died, and nobody else has it open now (READY-5)."""
        real = self._path.resolve()
        if not real.with_name(real.name + "-wal").exists():
            return  # whoever closes last takes it away
        with closing(self._connect("rw", timeout=0)) as connection:
            try:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                    return  # somebody is alive
                raise
            require_known(connection)  # NewerDatabase: that is left alone
            header.note_unchecked(connection.execute, True)
            connection.execute("COMMIT")

    async def _try_out(self) -> str | None:
        """Do what a decision does: look at the place, write durably, and find one's own record (READY-1)."""
        try:
            self._writer.require()
            if not self._writer.has_written_since(monotonic() - EVERY):
                await self.transact(self._writer.beat)
            await asyncio.to_thread(self._look_afresh)
            await asyncio.to_thread(self._keys.require)
        except (Damaged, Displaced, Locked, sqlite3.Error) as error:
            self._writer.found(error)
            return words(error)
        except Refused as refused:
            return words(refused.__cause__)
        return None

    def _look_afresh(self) -> None:
        """Look for one's own record with a connection that remembers nothing; without a descriptor for it, do not."""
        try:
            with closing(self._connect("ro")) as connection:
                self._writer.require_known(Snapshot(connection.execute, self._keys))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN or not _is_out_of_descriptors():
                raise  # a decision needs no new descriptor, so it is still recorded

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect("ro")
            try:
                self._place.require()  # else this thread would read another database than the one that is written
            except Displaced:
                connection.close()
                raise
            self._local.connection = connection
            self._readers.append(connection)
        return connection

    def _connect(self, mode: str, timeout: float | None = None) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._uri}?mode={mode}",
            timeout=BUSY_TIMEOUT / 1000 if timeout is None else timeout,
            isolation_level=None,  # autocommit: BEGIN and COMMIT are ours
            check_same_thread=False,  # the writer's thread and `close` use what this one opened
            uri=True,
        )


def _take_alone(connection: sqlite3.Connection) -> None:
    """Have the database for this connection alone, until it is closed; sqlite3.OperationalError if others have it."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")


def _is_out_of_descriptors() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))  # not the database: closing that drops the locks on it
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    return False


def _make_private(path: Path) -> None:
    # Not to be opened here when it exists: closing it would drop the locks that this process has on it.
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        path.chmod(0o600)
