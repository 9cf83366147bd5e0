"""A look through every page of a database: after processes died that had it open, or when its owner asks (READY-5)."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

from . import header
from .faults import Damaged

_MOST = 10
"""Faults that are told at most; one is enough."""


def look_through(connection: sqlite3.Connection) -> None:
    """Compare all pages and indexes (`PRAGMA integrity_check`), and note that it was done; `Damaged`, sqlite3.Error.

    It takes as long as reading the file does. Others write meanwhile, into the write-ahead file, which grows.
    """
    rows = connection.execute(f"PRAGMA integrity_check({_MOST})").fetchall()
    if rows != [("ok",)]:
        raise Damaged("the database is damaged") from sqlite3.DatabaseError("; ".join(row[0] for row in rows))
    if header.is_unchecked(connection.execute):
        connection.execute("BEGIN IMMEDIATE")
        header.note_unchecked(connection.execute, False)
        connection.execute("COMMIT")


class Check:
    """Looks through a database in a thread of its own, beside the decisions."""

    def __init__(self, connection: sqlite3.Connection, found: Callable[[BaseException], None]) -> None:
        """Begin. The connection is closed at the end; `found` takes what was wrong, in that thread."""
        self._connection = connection
        self._found = found
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="deputize-check", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Tell whether it is still looking."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End it. What was not looked through is, after the next start."""
        self._stopped.set()
        while self._thread.is_alive():
            with suppress(sqlite3.ProgrammingError):  # it closed the connection meanwhile
                self._connection.interrupt()
            self._thread.join(0.01)

    def _run(self) -> None:
        try:
            if not self._stopped.is_set():
                look_through(self._connection)
        except (Damaged, sqlite3.Error) as error:
            if not self._stopped.is_set():
                self._found(error)
        finally:
            self._connection.close()
