"""`deputize log list`, `tail`, `search`, `export`: the owner finds who did what, and no text steers his terminal."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.store import values as v
from typer.testing import CliRunner

from deputize.cli import app
from deputize.protocol.entry import Entry
from deputize.protocol.ids import ClientId
from deputize.service.ports import Tx
from deputize.store.sqlite import SqliteStore

ADA = v.user("ada", external_id="customer 7")
CALL = v.call_id()
EVIL = "https://a.example/\x1b]0;x\x07\u202e\U000e0041"
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    monkeypatch.chdir(tmp_path)
    Path("var").mkdir()
    with closing(SqliteStore(Path("var/deputize.db"))) as store:
        asyncio.run(store.transact(fill))
        yield store


def fill(tx: Tx) -> None:
    tx.add(ADA)
    tx.add(v.call(user_id=ADA.user_id, tool="pay", client_id=ClientId(EVIL)))
    tx.append(Entry("user.signed_up", {"sub": ADA.user_id, "credential_id": "pk"}), v.NOW)
    told = {"call_id": CALL, "sub": ADA.user_id, "tool": "pay", "client_id": EVIL}
    tx.append(Entry("call.pending", told), v.NOW + 60)
    tx.append(Entry("call.denied", {"call_id": CALL, "code": "grant_revoked"}), v.NOW + 120)


def lines(*arguments: str) -> list[str]:
    result = run(app, ["log", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_a_list_is_a_table_of_the_newest_first() -> None:
    header, last, *others = lines("list")
    assert header.split() == ["entry", "time", "(UTC)", "kind", "about"]
    assert last.startswith("2         2027-01-15T08:02:00Z  call.denied          ")
    assert f"  {CALL}  tool pay  refused: grant_revoked  by " in last
    assert last.endswith(f"  for {ADA.user_id}")
    assert len(others) == 2


@pytest.mark.parametrize(
    ("options", "entries"),
    [
        (["--user", ADA.user_id], [2, 1, 0]),
        (["--user", "customer 7", "--tool", "pay"], [2, 1]),
        (["--reason", "grant_revoked"], [2]),
        (["--agent", EVIL, "-n", "1"], [2]),
        (["--since", "2027-01-15T08:01:00"], [2, 1]),
        (["--since", "2027-01-15T09:02+01:00"], [2]),
        (["--since", "2027-01-15"], [2, 1, 0]),
        (["--since", "36500d"], [2, 1, 0]),
    ],
    ids=str,
)
def test_options_say_which(options: list[str], entries: list[int]) -> None:
    assert [json.loads(line)["i"] for line in lines("list", "--json", *options)] == entries


def test_json_says_whose_call_of_what_an_entry_goes_on_with() -> None:
    (told,) = map(json.loads, lines("search", "GRANT_revoked", "--json"))
    assert (told["sub"], told["tool"], told["code"]) == (ADA.user_id, "pay", "grant_revoked")


def test_nothing_found_is_said_and_is_no_fault() -> None:
    result = run(app, ["log", "list", "--tool", "unheard"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "Nothing in the record is like that.\n"


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--user", "ada"], 1, "there is no user ada: write usr_…, or the id at the site"),
        (["--since", "yesterday"], 2, "--since yesterday: write 90m, 12h, 30d, a day"),
        (["--since", "2027-13-01"], 2, "--since 2027-13-01: write"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: list[str], code: int, told: str) -> None:
    result = run(app, ["log", "list", *options])
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr


def test_an_export_is_what_the_record_hashes(store: SqliteStore) -> None:
    leaves = [entry.leaf.decode() for entry in store.look(lambda tx: tx.entries(0, 9))]
    assert lines("export") == leaves
    assert lines("export", "--reason", "grant_revoked") == leaves[2:]


def test_no_text_in_a_table_steers_a_terminal() -> None:
    assert [line for line in lines("list") if not line.isprintable()] == []


@pytest.mark.parametrize("command", ["list", "export"])
def test_on_a_terminal_json_is_escaped_and_lines_fit(command: str) -> None:
    """A pty of 80 columns: what a person sees."""
    arguments = [command, *(["--json"] if command == "list" else [])]
    shown = on_a_terminal(*arguments)
    assert EVIL in [json.loads(line).get("client_id") for line in shown]
    assert [line for line in shown if not line.isprintable()] == []
    assert [line for line in on_a_terminal("list") if len(line.replace("\x1b[1m", "")) > 84] == []


def on_a_terminal(*arguments: str) -> list[str]:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "deputize", "log", *arguments],
        stdout=theirs,
        env={**os.environ, "COLUMNS": "80"},
    ) as process:
        os.close(theirs)
        written = b""
        while chunk := _read(ours):
            written += chunk
        assert process.wait(60) == 0
    os.close(ours)
    return written.decode().splitlines()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # on Linux, the end
        return b""


def test_a_tail_goes_on_with_what_comes(store: SqliteStore) -> None:
    command = [sys.executable, "-u", "-m", "deputize", "log", "tail", "-f", "-n", "2", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert [json.loads(process.stdout.readline())["i"] for _ in range(2)] == [1, 2]
        asyncio.run(store.transact(lambda tx: tx.append(Entry("user.signed_in", {}), v.NOW + 180)))
        assert json.loads(process.stdout.readline())["kind"] == "user.signed_in"
        process.terminate()
