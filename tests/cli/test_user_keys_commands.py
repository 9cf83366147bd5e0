"""`deputize keys users|wrap|move|rotate users`, and what the server does by itself (SEAL-2, SEAL-3, SEAL-4)."""

import asyncio
import io
import time
from pathlib import Path

import orjson
import pytest
from tests.cli.test_data_commands import USER
from tests.cli.test_restore import VAR, _folder, serving, transact
from typer.testing import CliRunner

from deputize.app import Deputize
from deputize.cli import app
from deputize.log.log import Log

__all__ = ["_folder"]

run = CliRunner().invoke
ARCHIVED = 30 * 86400
SCRIPT = """#!/bin/sh -e
echo "$@" >>{folder}/asked
test ! -e {folder}/broken
case "$1" in
wrap) cat >{folder}/$2 ;;
unwrap) exec cat {folder}/$2 ;;
destroy) rm -f {folder}/$2 ;;
esac
echo ok
"""


@pytest.fixture
def service(tmp_path: Path) -> Path:
    (folder := tmp_path / "service").mkdir()
    (folder / "command").write_text(SCRIPT.format(folder=folder))
    (folder / "command").chmod(0o700)
    return folder


def told(*arguments: str) -> tuple[int, str]:
    result = run(app, list(arguments))
    return result.exit_code, result.stdout + result.stderr


def can_be_read() -> bool:
    user = transact(lambda tx: tx.user(USER))
    return user is not None and bool(user.name)


def test_keys_are_wrapped_by_a_command_of_the_owner_and_then_by_a_file_again(service: Path) -> None:
    code, said = told("keys", "wrap", "--command", f"{service}/command")
    assert (code, f"wrapped by         the command {service}/command" in said) == (0, True)
    assert "not destroyed yet  deputize-" in said
    assert can_be_read()
    code, said = told("keys", "wrap", "--file", "second.json")
    assert (code, "the file " in said, Path("second.json").stat().st_mode & 0o777) == (0, True, 0o600)
    assert can_be_read()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "say what is to wrap"),
        (["--file", "x", "--command", "y"], "say what is to wrap"),
        (["--command", "./none"], "there is no program ./none"),
        (["--command", "'"], "--command cannot be read"),
        (["--command", "false"], "ended with exit code 1 at 'wrap'"),
        (["--command", "cat"], "ended with exit code 1 at 'wrap'"),
        (["--file", "none/x.json"], "No such file or directory"),
    ],
)
def test_what_cannot_wrap_is_refused_in_one_line_and_changes_nothing(arguments: list[str], why: str) -> None:
    code, said = told("keys", "wrap", *arguments)
    assert (code in {1, 2}, why in said, said.count("\n")) == (True, True, 1)
    assert not (VAR / "sealing.json").exists()
    assert can_be_read()


def test_keys_are_moved_to_another_disk_while_no_server_runs(tmp_path: Path) -> None:
    async def while_it_runs() -> tuple[int, str]:
        authority = serving()
        try:
            return await asyncio.to_thread(told, "keys", "move", "elsewhere.db")
        finally:
            await authority.aclose()

    code, said = asyncio.run(while_it_runs())
    assert (code, "stop the server first" in said) == (1, True)
    assert told("keys", "move", "elsewhere.db")[0] == 0
    assert not (VAR / "user-keys.db").exists()
    assert can_be_read()
    assert told("keys", "move", "elsewhere.db") == (
        1,
        "deputize: the users' keys cannot be copied: File exists: elsewhere.db\n",
    )
    Path("elsewhere.db").unlink()
    code, said = told("keys", "users")
    assert (code, "elsewhere.db is missing, under whose keys" in said) == (2, True)


def test_a_server_goes_on_through_a_rotation_that_the_owner_commands(service: Path) -> None:
    async def while_it_runs() -> bool:
        authority = serving()
        try:
            for command in (["keys", "rotate", "users"], ["keys", "wrap", "--command", f"{service}/command"]):
                assert (await asyncio.to_thread(told, *command))[0] == 0
            await authority.sweep(int(time.time()), int(time.time()))
            authority.store._keys._users.clear()  # type: ignore[attr-defined]  # as of a user it has not seen yet
            user = await authority.store.read(lambda tx: tx.user(USER))
            return user is not None and bool(user.name)
        finally:
            await authority.aclose()

    assert asyncio.run(while_it_runs())


def test_seal_4_the_server_rotates_and_tells_of_a_command_that_fails(service: Path) -> None:
    stream = io.BytesIO()

    async def while_it_runs() -> None:
        log = Log(stream)
        authority, now = Deputize("deputize.toml", VAR, log=log), int(time.time())
        (service / "broken").touch()
        for _ in range(2):
            await authority.sweep(now, now + ARCHIVED)
        (service / "broken").unlink()
        authority._housekeeping._keys_after = 0  # as ten minutes later
        await authority.sweep(now, now + ARCHIVED)
        await authority.sweep(now, now + 3 * ARCHIVED)
        await authority.aclose()
        assert log.flush()

    assert told("keys", "wrap", "--command", f"{service}/command")[0] == 0
    asyncio.run(while_it_runs())
    lines = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    (line,) = [line for line in lines if line["event"] == "user_keys"]
    assert line["error"].startswith("the command that wraps the users' keys ended with exit code 1")
    assert line["where"] == f"{service}/command"
    asked = (service / "asked").read_text().split("\n")
    assert [line.partition(" ")[0] for line in asked[-4:-1]].count("destroy") == 1
    assert (VAR / "wrapping.json").exists()
    assert can_be_read()
    assert orjson.loads((VAR / "wrapping.json").read_bytes())["keys"] == {}
