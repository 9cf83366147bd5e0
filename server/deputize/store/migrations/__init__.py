"""The versions of the database: numbered scripts in `versions/`, each of which makes the next one of the one before."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ...service.faults import StoreFault
from ..user_keys import UserKeys
from . import sealing

_SCRIPTS = {
    script.name[:4]: script for script in sorted((Path(__file__).parent / "versions").glob("[0-9]*.sql"))
}

# Alembic made the first databases, and in its table every one still notes which version it is of.
_NOTED = "SELECT version_num FROM alembic_version"
_TABLE = "CREATE TABLE IF NOT EXISTS alembic_version (version_num TEXT NOT NULL PRIMARY KEY)"

_SEALED = "0010"
# There as long as the file may have pages of a version that did not seal.
_LEFT = "unswept"


class NewerDatabase(StoreFault):
    """The database was written by a newer version of deputize than this one, which must not touch it."""

    def __init__(self, version: str) -> None:
        super().__init__(f"The database is of version {version}, newer than this deputize knows.")
        self.version = version


class InUse(StoreFault):
    """The database is of an older version, and another process has it open, which knows no other (READY-7)."""

    def __init__(self, version: str | None) -> None:
        super().__init__(
            f"The database is of version {version}, which is older, and another process has it open: stop all that "
            "serve it. Then whatever opens it, a command or the server, brings it to this version first."
        )


def known_versions() -> list[str]:
    """Return the numbers of all versions, oldest first; the last one is what this code works on."""
    return list(_SCRIPTS)


def require_known(connection: sqlite3.Connection) -> str | None:
    """Return the version that a database is of, None for a new one; raises `NewerDatabase`."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'").fetchone() is None:
        return None
    row = connection.execute(_NOTED).fetchone()
    if row is not None and row[0] not in _SCRIPTS:
        raise NewerDatabase(row[0])
    return row and str(row[0])


def upgrade(
    connection: sqlite3.Connection, keys: UserKeys, tell: Callable[[int], None] = lambda done: None
) -> None:
    """Bring a database to the last version in one transaction, on a connection in autocommit mode; `NewerDatabase`.

    Another process that does the same at once waits, then finds it done. Foreign keys are not to be enforced yet: a
    script may have to make a table anew. What was not sealed is, under `keys`; `tell` hears how far that is. Then
    `sweep` is due.
    """
    if require_known(connection) != known_versions()[-1]:
        sealing.give(connection, keys, tell)
        _upgrade(connection)


def is_unswept(connection: sqlite3.Connection) -> bool:
    """Tell whether free pages, or the write-ahead file, may have what lies sealed since."""
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", [_LEFT]).fetchone() is not None


def sweep(connection: sqlite3.Connection) -> None:
    """Leave nothing there of what lies sealed (KEEP-7), on a connection that has the database for itself.

    VACUUM has the file cut off, by itself or by a checkpoint that comes later: for whoever serves it that is damage.
    sqlite3.OperationalError where the disk has no room for it.
    """
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute(f"DROP TABLE {_LEFT}")


def _upgrade(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = require_known(connection) or ""  # another process may have been here meanwhile
        if "" < version < _SEALED:
            connection.execute(f"CREATE TABLE {_LEFT} (one INTEGER PRIMARY KEY) STRICT")
        for statement in (
            each for later in known_versions() if later > version for each in _statements(later)
        ):
            connection.execute(statement)
        connection.execute(_TABLE)
        connection.execute("DELETE FROM alembic_version")
        connection.execute("INSERT INTO alembic_version VALUES (?)", [known_versions()[-1]])
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # it was rolled back by SQLite itself, as when the disk is full
            connection.execute("ROLLBACK")
        raise


def _statements(version: str) -> Iterator[str]:
    """Yield the statements of a script: `executescript` would commit what has begun."""
    statement = ""
    for line in _SCRIPTS[version].read_text("utf-8").splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
