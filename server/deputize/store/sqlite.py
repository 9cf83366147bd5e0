"""The store in one SQLite file: write-ahead log, every commit durable, one writer, readers where they are."""

import asyncio
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ..service.ports import Reader, Tx
from .migrations import is_current, upgrade
from .snapshot import Snapshot
from .writer import Writer

T = TypeVar("T")

BUSY_TIMEOUT = 5000
"""Milliseconds to wait for another process that writes."""


class SqliteStore:
    """`service.ports.Store` in the file at `path`, which is made if it is missing, for its owner only.

    Several processes may have one file open. Raises `migrations.NewerDatabase`, sqlite3.Error or OSError.
    """

    def __init__(self, path: Path) -> None:
        self._uri = path.absolute().as_uri()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        with _alone_in(path.parent):
            _make_private(path)
            self._writer = Writer(self._open(), BUSY_TIMEOUT)

    def read(self, fn: Callable[[Reader], T]) -> T:
        """Run a function over one snapshot, at once, in the calling thread."""
        connection = self._reader()
        connection.execute("BEGIN")
        try:
            return fn(Snapshot(connection.execute))
        finally:
            connection.execute("COMMIT")

    async def transact(self, fn: Callable[[Tx], T]) -> T:
        """Run a function in a transaction and answer after its commit is durable (`service.ports.Store`)."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.put(fn, future)
        return await future

    def close(self) -> None:
        """Finish what was handed in, then close."""
        for connection in self._readers:  # first: the last to close, if it may write, tidies up
            connection.close()
        self._writer.close()

    def _open(self) -> sqlite3.Connection:
        """Open the connection that writes, on a database of the last version."""
        connection = self._connect("rw")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -65536")  # KiB
            # In pages: whoever meets a checkpoint waits 10 ms, so it is to be rare.
            connection.execute("PRAGMA wal_autocheckpoint = 8000")
            if not is_current(connection):
                upgrade(lambda: self._connect("rw"))
        except BaseException:
            connection.close()
            raise
        return connection

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect("ro")
            self._readers.append(connection)
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._uri}?mode={mode}",
            timeout=BUSY_TIMEOUT / 1000,
            isolation_level=None,  # autocommit: BEGIN and COMMIT are ours
            check_same_thread=False,  # the writer's thread and `close` use what this one opened
            uri=True,
        )


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Keep other processes from opening a database here: SQLite does not wait for a change of mode."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_private(path: Path) -> None:
    # Not to be opened here when it exists: closing it would drop the locks that this process has on it.
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        path.chmod(0o600)
