"""The owner deletes users, exports what is kept of one, and sweeps; and reads what that did not reach."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.bank import POLICY
from tests.store import values as v
from tests.store.contract import do, prepare
from typer.testing import CliRunner

from deputize.cli import app
from deputize.protocol.call import State
from deputize.protocol.entry import Entry, call_facts
from deputize.store.sqlite import SqliteStore

ADA = v.user_id()
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    monkeypatch.chdir(tmp_path)
    Path("var").mkdir()
    Path("deputize.toml").write_text(POLICY)
    with closing(SqliteStore(Path("var/deputize.db"))) as store:
        do(store, prepare)
        call = v.call(state=State.SUCCEEDED, created_at=1_000_000_000)
        do(store, lambda tx: [tx.add(call), tx.append(Entry("call.approved", call_facts(call)), v.NOW)])
        yield store


def test_keep_3_a_user_is_deleted_once_the_owner_has_said_so_again(store: SqliteStore) -> None:
    asked = run(app, ["users", "delete", ADA], input="n\n")
    assert asked.exit_code == 1
    assert f"Forget {ADA} for good?" in asked.stderr
    assert store.look(lambda tx: tx.user(ADA)) is not None
    done = run(app, ["--as", "Grace", "users", "delete", ADA], input="y\n")
    assert done.exit_code == 0
    assert done.stdout.endswith(f"{ADA} is forgotten.\n")
    assert store.look(lambda tx: tx.user(ADA)) is None
    last = json.loads(store.look(lambda tx: tx.entries(0, 9))[-1].leaf)
    assert (last["kind"], last["by"], last["operator"]) == ("user.forgotten", "owner", "Grace")  # LOG-11
    assert "forgotten" in run(app, ["log", "list", "-n", "1"]).stdout


def test_keep_3_what_is_asked_of_who_is_forgotten_is_answered_so() -> None:
    assert run(app, ["users", "delete", ADA, "-y"]).exit_code == 0
    shown = run(app, ["log", "show", v.call_id()]).stdout
    assert f"for {ADA} (forgotten)" in shown
    listed = run(app, ["log", "list", "--user", ADA])
    assert (listed.exit_code, len(listed.stdout.splitlines())) == (0, 3)
    for command in (["users", "export", ADA], ["users", "delete", ADA, "-y"]):
        refused = run(app, command)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert f"there is no user {ADA}" in refused.stderr


def test_keep_2_an_export_is_json() -> None:
    told = json.loads(run(app, ["users", "export", ADA]).stdout)
    assert (told["user"]["user_id"], told["calls"][0]["arguments"]["amount"]) == (ADA, 250)


def test_keep_1_a_sweep_empties_and_deletes_and_says_how_much(store: SqliteStore) -> None:
    result = run(app, ["sweep"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("As of 20")
    assert result.stdout.endswith("Z: 0 calls ended, 2 rows emptied or deleted.\n")
    assert store.look(lambda tx: tx.call(v.call_id())) is None
    assert run(app, ["sweep"]).stdout.endswith("Z: 0 calls ended, 0 rows emptied or deleted.\n")


def test_a_sweep_goes_by_the_policy() -> None:
    Path("deputize.toml").write_text(POLICY + "[retention]\ncalls = false\narguments = false\n")
    assert ", 0 rows emptied" in run(app, ["sweep"]).stdout
    Path("deputize.toml").write_text(POLICY + "[retention]\ncalls = false\n")
    assert ", 1 rows emptied" in run(app, ["sweep"]).stdout
    refused = run(app, ["log", "receipt", v.call_id(), "--arguments"])
    assert refused.exit_code != 0


def test_who_reads_meanwhile_is_named_as_the_reason_that_old_pages_are_left(
    store: SqliteStore,
) -> None:
    with closing(store._connect("ro", 0)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM users").fetchall()
        result = run(app, ["users", "delete", ADA, "-y"])
    assert result.exit_code == 0
    assert "may still stand in the write-ahead file" in result.stderr
