"""Copies of a database that is open, and a database that nobody else has open."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ..service.faults import StoreFault


def copy(database: Path, to: Path) -> None:
    """Copy a database while others write to it, all of one moment, into a new file of its owner's alone, to the disk.

    What lies in its write-ahead file is in the copy. sqlite3.Error, OSError; FileExistsError if there is such a file.
    """
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # VACUUM takes an empty file
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("VACUUM INTO ?", [str(to)])
    descriptor = os.open(to, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_closed(database: Path) -> None:
    """StoreFault if another process has a database open; its write-ahead file is taken into it. sqlite3.Error."""
    with closing(
        sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=0)
    ) as connection:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise StoreFault("another process has the database open: stop the server first") from None
            raise
