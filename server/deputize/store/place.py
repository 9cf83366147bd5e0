"""Where an open database lies. What is committed to a file that the next process will not open is lost (READY-2)."""

import os
import time
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from ..service.faults import StoreFault

_Identity: TypeAlias = tuple[int, int]
_Settled: TypeAlias = tuple[int, int, int]
_COMPANIONS = ("-wal", "-shm")
_STEP = 3_000_000_000  # nanoseconds; more than any file system needs to tell two times apart


class Displaced(StoreFault):
    """The database at its path is not the one that is open. The message says so in a sentence, without the path."""


class Place:
    """The files of a database that is open: itself, its write-ahead file and the index of that.

    To be made as soon as the companions exist, which they do after the first read.
    """

    def __init__(self, path: Path, identity: _Identity) -> None:
        """Take the path, and what `identity_of` said of it before it was opened; `Displaced`, OSError."""
        real = path.resolve()  # a link is followed by SQLite too, which puts the companions beside the file
        names = [real, *(real.with_name(real.name + suffix) for suffix in _COMPANIONS)]
        self._files = [(str(name), _told(os.lstat(name))) for name in names]
        self._folder = str(real.parent)
        self._links = [] if real == path.absolute() else [(path.absolute(), identity)]
        self._lock = Lock()  # what was read later is not to be held against what was read earlier
        self._size = 0
        self._settled: _Settled | None = None
        if self._files[0][1] != identity:
            raise Displaced("the database was replaced while it was opened")
        self.require()

    def require(self) -> None:
        """`Displaced` if any of the files was deleted, moved, replaced or cut off."""
        try:
            with self._lock:
                self._look()
        except FileNotFoundError:
            raise Displaced("the open database was deleted or moved away") from None
        except OSError as error:
            raise Displaced("the folder of the database cannot be looked at") from error

    def _look(self) -> None:
        """Look at the database, whose size only it tells, and at all else only if its folder has changed."""
        database, identity = self._files[0]
        size = _size_if(identity, os.lstat(database))
        # SQLite takes nothing off this file; VACUUM does, which is not for one that is served
        if size < self._size:
            raise Displaced("the open database was cut off")
        self._size = size
        for link, its_identity in self._links:
            _size_if(its_identity, link.stat())
        folder = os.lstat(self._folder)
        now = folder.st_dev, folder.st_ino, folder.st_ctime_ns
        if now == self._settled:
            return
        self._settled = None
        for name, its_identity in self._files:
            _size_if(its_identity, os.lstat(name))
        # The clock of files ticks in steps: what changes in the same step again would not show.
        if time.time_ns() - folder.st_ctime_ns > _STEP:
            self._settled = now


def identity_of(path: Path) -> _Identity:
    """Return the device and the number of the file at a path, links followed; OSError."""
    return _told(path.stat())


def _size_if(identity: _Identity, found: os.stat_result) -> int:
    if _told(found) != identity:
        raise Displaced("another file is at the path of the open database")
    return found.st_size


def _told(found: os.stat_result) -> _Identity:
    return found.st_dev, found.st_ino
