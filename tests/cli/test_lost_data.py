"""What is missing or empty is said, and nothing is made in its place (READY-4); `log verify --all` (READY-5)."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.test_log_verify import _ten_entries  # noqa: F401  # the fixture
from typer.testing import CliRunner

from deputize.cli import app

run = CliRunner().invoke
DATABASE, KEYS = Path("var/deputize.db"), Path("var/keys.json")


def serve(*options: str) -> tuple[int, str]:
    """Serve, until it is refused or answers."""
    command = [sys.executable, "-m", "deputize", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        if "answers on" in said:
            process.terminate()
        return process.wait(60), said


def test_ready_4_serve_refuses_a_database_that_was_emptied() -> None:
    DATABASE.write_bytes(b"")
    code, said = serve()
    assert code == 2
    assert said == (
        "deputize: var/deputize.db is empty, and keys.json beside it says that there was one: bring it back from a "
        "backup, or begin a new record, with no users and no calls, by --new-record (new_record=True).\n"
    )
    assert DATABASE.read_bytes() == b""
    assert "answers on" in serve("--new-record")[1]
    assert "answers on" in serve()[1]


def test_ready_4_serve_refuses_a_record_without_keys() -> None:
    KEYS.unlink()
    code, said = serve()
    assert code == 2
    assert said.startswith(
        "deputize: var/keys.json is missing, and the record that it signed is in use: bring it back"
    )
    assert not KEYS.exists()
    assert "answers on" in serve("--new-keys")[1]


def test_head_2_serve_refuses_a_database_of_which_nobody_knows_whether_it_is_older(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run_it(*_: object) -> None:
        raise AssertionError("it started")

    monkeypatch.setattr("deputize.cli.run._run", run_it)
    told = run(app, ["serve", "--port", "0"])
    assert told.exit_code == 2
    assert told.stderr.startswith(
        "deputize: The newest checkpoint, var/checkpoint, is missing. So nobody can tell"
    )


@pytest.mark.parametrize("command", [["log", "verify"], ["users", "list"], ["log", "show", "usr_x"]])
def test_ready_4_no_command_takes_an_empty_file_for_a_record(command: list[str]) -> None:
    DATABASE.write_bytes(b"")
    told = run(app, command)
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr == "deputize: var/deputize.db is empty: bring it back from a backup\n"
    assert DATABASE.read_bytes() == b""


def damage_an_index() -> None:
    """Have the index of checkpoints lack what is stored; no entry changes."""
    connection = sqlite3.connect(DATABASE, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("CREATE TABLE spare (note TEXT NOT NULL UNIQUE) STRICT")
    connection.execute(
        """UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema
           WHERE name = 'sqlite_autoindex_spare_1') WHERE name = 'sqlite_autoindex_checkpoints_1'"""
    )
    connection.execute("DELETE FROM sqlite_schema WHERE tbl_name = 'spare'")
    connection.close()


def test_ready_5_verify_all_looks_through_the_whole_database() -> None:
    assert run(app, ["log", "verify", "--all"]).stdout.startswith("The record is whole. Entries: 10,")
    damage_an_index()
    assert run(app, ["log", "verify"]).exit_code == 0
    told = run(app, ["log", "verify", "--all"])
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.startswith("deputize: the database is damaged: ")
    assert "checkpoints" in told.stderr


def test_a_database_that_cannot_be_read_is_said_with_its_cause() -> None:
    size = DATABASE.stat().st_size
    with DATABASE.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    told = run(app, ["log", "verify"])
    assert told.exit_code == 1
    assert "malformed" in told.stderr
    assert "Traceback" not in told.stderr
