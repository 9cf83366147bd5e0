"""What a database's failures mean: for the one who asked, and for the owner who has to mend it."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress

from ..protocol.errors import Code, Refused
from ..service.faults import Locked, StoreFault
from .place import Displaced

LOG_EVERY = 60.0
"""Seconds between log lines about one cause (READY-6)."""

Note = Callable[..., None]
"""Takes an event and facts, from any thread; `log.Log.alarm` is one."""

_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk fails, or is full",
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_NOTADB: "the database is damaged",
    sqlite3.SQLITE_READONLY: "the file system can only be read",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_BUSY: "another process holds the database",
}
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_CUT_SHORT = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE})


class Damaged(StoreFault):
    """The database is not what it was: pages do not fit together, or the record went back. Says so in a sentence."""


def is_failure(error: BaseException) -> bool:
    """Tell whether a database, or its file, failed: all else is a mistake of whoever wrote the statement."""
    return isinstance(error, (Displaced, Locked)) or type(error) in {
        sqlite3.OperationalError,
        sqlite3.DatabaseError,
    }


def is_damage(error: BaseException | None) -> bool:
    """Tell whether an error says that the database itself is ruined, so that nothing it holds can be relied on."""
    return isinstance(error, Damaged) or _code(error) & 0xFF in _DAMAGED


def is_cut_short(error: BaseException) -> bool:
    """Tell whether a commit failed before the last of it, the frame that makes it one, had been written.

    Only then can nobody find it later (https://sqlite.org/walformat.html, "Commit frame").
    """
    return _code(error) in _CUT_SHORT


def words(error: BaseException | None) -> str:
    """Say in a few words of our own what keeps the record from being written; no path, nothing of SQLite's."""
    if isinstance(error, (Damaged, Displaced, Locked)):
        return str(error)
    return _WORDS.get(_code(error) & 0xFF, "the database cannot be written")


def unavailable(cause: BaseException | None) -> Refused:
    """Refuse what was certainly not done (CALL-3)."""
    return _refused(
        cause, Code.RECORD_UNAVAILABLE, "This could not be recorded, so it was not done. Try again later."
    )


def unreadable(cause: BaseException | None) -> Refused:
    """Refuse what could not even be read."""
    detail = "The record cannot be read, so nothing was done. Try again later."
    return _refused(cause, Code.RECORD_UNAVAILABLE, detail)


def unknown(cause: BaseException | None, call_id: str | None) -> Refused:
    """Refuse what may or may not have been recorded (READY-3)."""
    look = "Look the call up by its call_id" if call_id else "Look whether it was done"
    what = "The record failed at that moment, so whether this was recorded is not known."
    detail = f"{what} {look} before you repeat it."
    return _refused(cause, Code.OUTCOME_UNKNOWN, detail, **({"call_id": call_id} if call_id else {}))


def _refused(cause: BaseException | None, code: Code, detail: str, **facts: object) -> Refused:
    refused = Refused(code, detail, **facts)
    refused.__cause__ = cause
    return refused


class Causes:
    """Tells the owner why the record is not written: each cause at once, and then once a minute (READY-6)."""

    def __init__(self, note: Note | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Hand lines to `note`, or to nobody."""
        self._note = note
        self._monotonic = monotonic
        self._said: dict[str, tuple[float, int]] = {}

    def tell(self, cause: BaseException) -> None:
        """Tell of what was refused because of this, or only count it if the same was told of lately."""
        now, name = self._monotonic(), f"{words(cause)} {_code(cause)}"
        at, unsaid = self._said.get(name, (-LOG_EVERY, 0))
        if self._note is None or now - at < LOG_EVERY:
            self._said[name] = at, unsaid + 1
            return
        self._said[name] = now, 0
        error = cause.__cause__ or cause
        fault = cause.to_owner() if isinstance(cause, Locked) else words(cause)
        # whoever waits for an answer gets it, whether it can be told to others or not
        with suppress(Exception):
            self._note("record", fault=fault, error=repr(error), also_unsaid=unsaid)


def _code(error: BaseException | None) -> int:
    return int(getattr(error, "sqlite_errorcode", 0))
