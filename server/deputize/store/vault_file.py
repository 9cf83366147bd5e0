"""A private SQLite file in which nothing of what was deleted is left: no old pages, no write-ahead file."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..service.faults import KeysMissing, Locked
from .faults import words

_BUSY_TIMEOUT = 5.0  # seconds to wait for another process that writes
_CERTAIN = 1_000_000_000  # nanoseconds after which a change of a file shows in its times
_PRAGMAS = (
    "journal_mode = TRUNCATE",
    "synchronous = FULL",  # a journal that was cut off stays so
    "secure_delete = ON",
    "temp_store = MEMORY",  # no pages in files that nobody knows of
    "cache_size = -65536",  # KiB; what does not fit keeps readers out until the commit
)


class VaultFile:
    """One connection to the file of users' keys. It is for one thread at a time; several processes may have it open."""

    def __init__(self, path: Path, new: bool) -> None:
        """Open the file, or make it if it is missing and may be `new`; Locked."""
        self.path = path
        with self.told():
            if new:
                with suppress(FileExistsError):
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            found = path.stat()
            self._identity = found.st_dev, found.st_ino
            path.chmod(0o600)
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                timeout=_BUSY_TIMEOUT,
                isolation_level=None,  # autocommit: BEGIN and COMMIT are ours
                check_same_thread=False,
                uri=True,
            )
        self._settled: tuple[int, int] | None = None
        self._changed = False
        try:
            for pragma in _PRAGMAS:
                self.rows(f"PRAGMA {pragma}")
            self._version = self._data_version()
        except BaseException:
            self.close()
            raise

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Return what a statement finds; Locked."""
        with self.told():
            return self._connection.execute(statement, parameters).fetchall()

    def changed(self) -> bool:
        """Tell whether another connection has changed the file since this was last asked; Locked as `require`."""
        self.require()
        changed, self._changed = self._changed, False
        return changed

    def require(self) -> None:
        """Locked unless the open file is the one at its path. One system call, if it has not changed for a second."""
        with self.told():
            found = os.stat(self.path)  # noqa: PTH116  # often, and Path.stat takes longer
            if (found.st_dev, found.st_ino) != self._identity:
                raise Locked("the open file of users' keys was moved or replaced", self.path)
            look = found.st_mtime_ns, found.st_size
            if look != self._settled:
                self._settled = look if abs(time.time_ns() - look[0]) > _CERTAIN else None
                before, self._version = self._version, self._data_version()
                self._changed = self._changed or before != self._version

    @contextmanager
    def writing(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        """Be the only one who writes, until all of it is on the disk; Locked, and nothing was written."""
        execute = self._connection.execute
        with self.told():
            execute("BEGIN IMMEDIATE")
            try:
                yield execute
                execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a rollback of what SQLite rolled back itself
                    execute("ROLLBACK")
                raise

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say of what fails here which file it is."""
        try:
            yield
        except FileNotFoundError:
            raise KeysMissing(self.path) from None
        except (sqlite3.Error, OSError) as error:
            why = words(error) if isinstance(error, sqlite3.Error) else error.strerror
            raise Locked(f"the file of users' keys cannot be used: {why}", self.path) from error

    def damaged(self) -> Locked:
        """Return what is raised where the file has not what it should."""
        return Locked("the file of users' keys is damaged", self.path)

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
