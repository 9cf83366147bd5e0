"""The versions of the database: numbered scripts in `versions/`, run by Alembic when a database is opened."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

_HERE = Path(__file__).parent


class NewerDatabase(Exception):
    """The database was written by a newer version of deputize than this one, which must not touch it."""

    def __init__(self, version: str) -> None:
        super().__init__(f"The database is of version {version}, newer than this deputize knows.")
        self.version = version


def known_versions() -> list[str]:
    """Return the numbers of all versions, oldest first; the last one is what this code works on."""
    return sorted(script.name[:4] for script in (_HERE / "versions").glob("[0-9]*.py"))


def is_current(connection: sqlite3.Connection) -> bool:
    """Tell whether a database is of the last version; raises `NewerDatabase`."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:  # no such table: the file is new
        return False
    known = known_versions()
    if row[0] not in known:
        raise NewerDatabase(row[0])
    return bool(row[0] == known[-1])


def upgrade(connect: Callable[[], sqlite3.Connection]) -> None:
    """Bring a database to the last version in one transaction.

    `connect` opens a connection in autocommit mode, which is closed at the end. Another process that does the
    same at once waits, then finds it done.
    """
    # Imported only here: a start on a current database does without them.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with create_engine("sqlite://", creator=connect, poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
