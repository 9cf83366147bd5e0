"""`deputize backup` and `deputize restore`: a copy is whole, going back shows, is recorded, and revives nothing.

RESTORE-1, RESTORE-2, RESTORE-3, RESTORE-4.
"""

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.cli.test_data_commands import AGENT, GRANT, USER, populate
from typer.testing import CliRunner

from deputize.app import Deputize, LostData, PutBack
from deputize.cli import app, backup
from deputize.protocol.entry import Entry, Kind
from deputize.protocol.grant import GrantState
from deputize.protocol.ids import GrantId
from deputize.service import grants
from deputize.service.ports import Session, Tx

T = TypeVar("T")
VAR = Path("var")
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a site of a user who lets an agent act for him, with its server stopped."""
    monkeypatch.chdir(tmp_path)
    run(app, ["init"])
    text = Path("deputize.toml").read_text()
    Path("deputize.toml").write_text(text + "[api]\nelsewhere = true\n" if "\n[api]" not in text else text)
    transact(lambda tx: populate(tx, int(time.time()) + 3600))


def serving(data: Path = VAR) -> Deputize:
    return Deputize("deputize.toml", data)


def transact(fn: Callable[[Tx], T], data: Path = VAR) -> T:
    """Start, run a transaction, and stop."""

    async def once() -> T:
        authority = serving(data)
        try:
            return await authority.store.transact(fn)
        finally:
            await authority.aclose()

    return asyncio.run(once())


def add(entries: int) -> None:
    def append(tx: Tx) -> None:
        for _ in range(entries):
            tx.append(Entry(Kind.CALL_REFUSED, {}), 1)

    transact(append)


def told(data: Path = VAR) -> list[dict[str, Any]]:
    return transact(lambda tx: [json.loads(each.leaf) for each in tx.entries(0, 1000)], data)


def state_of(grant: GrantId = GRANT, data: Path = VAR) -> GrantState:
    found = transact(lambda tx: tx.grant(grant), data)
    assert found is not None
    return found.state


def gone_but_what_wraps(data: Path = VAR) -> None:
    """Lose a machine, and put what wraps the users' keys on a new one."""
    wrapping = (VAR / "wrapping.json").read_bytes()
    if data == VAR:
        shutil.rmtree(VAR)
    data.mkdir()
    (data / "wrapping.json").write_bytes(wrapping)


def restored(*options: str) -> tuple[int, str]:
    result = run(app, ["restore", *options], catch_exceptions=False)
    return result.exit_code, result.stdout + result.stderr


def test_restore_1_a_backup_beside_a_running_server_has_what_lies_in_its_write_ahead_file() -> None:
    async def while_it_runs() -> tuple[int, str]:
        authority = serving()
        try:
            for _ in range(48):
                await authority.store.transact(lambda tx: tx.append(Entry(Kind.CALL_REFUSED, {}), 1))
            assert (VAR / "deputize.db-wal").stat().st_size
            made = await asyncio.to_thread(run, app, ["backup", "copy"])
            return made.exit_code, made.stdout
        finally:
            await authority.aclose()

    code, said = asyncio.run(while_it_runs())
    assert code == 0
    assert said.startswith("copy has 48 entries and the authority's keys, and was looked through.\n")
    assert sorted(each.name for each in Path("copy").iterdir()) == [
        "backup.checkpoint",
        "deputize.db",
        "keys.json",
    ]
    assert {each.stat().st_mode & 0o077 for each in [Path("copy"), *Path("copy").iterdir()]} == {0}
    assert run(app, ["log", "verify", "--data", "copy"]).exit_code == 0
    assert run(app, ["backup", "copy"]).exit_code == 2  # it is not empty
    assert run(app, ["log", "verify", "--data", "copy"]).stderr == ""
    with pytest.raises(LostData, match="is missing"):  # it is restored, not served
        serving(Path("copy"))
    assert [each.name for each in Path("copy.user-keys").iterdir()] == ["user-keys.db"]
    for each in Path("copy").iterdir():
        shutil.copy(each, VAR)
    assert len(told()) == 48


def test_head_1_two_files_copied_by_hand_are_not_said_to_be_whole() -> None:
    """What was in the write-ahead file is missing, and all else verifies."""

    def by_hand() -> None:
        Path("copy").mkdir()
        for name in ("deputize.db", "keys.json"):
            shutil.copy(VAR / name, "copy")

    async def while_it_runs() -> None:
        authority = serving()
        for at in range(48):
            await authority.store.transact(lambda tx: tx.append(Entry(Kind.CALL_REFUSED, {}), 1))
            if at == 31:
                with sqlite3.connect(VAR / "deputize.db") as connection:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                connection.close()
        by_hand()
        await authority.aclose()

    asyncio.run(while_it_runs())
    verified = run(app, ["log", "verify", "--data", "copy"])
    assert "Whether entries are missing at its end is not known" in verified.stderr
    shutil.copy(VAR / "checkpoint", "copy")
    verified = run(app, ["log", "verify", "--data", "copy"])
    assert verified.exit_code == 1
    assert "is missing: the newest checkpoint, copy/checkpoint, is of 48 entries" in verified.stderr


@pytest.mark.parametrize("by_hand", [False, True])
def test_restore_2_going_back_is_said_recorded_and_suspends_what_users_have_allowed(by_hand: bool) -> None:
    add(3)
    child = GrantId("grt_" + "B" * 22)
    transact(lambda tx: tx.add(handed_on(tx, child)))
    transact(lambda tx: tx.add(Session(b"digest", USER, 0, 2**40)))
    assert run(app, ["backup", "copy"]).exit_code == 0
    transact(lambda tx: grants.revoke(tx, GRANT, 1))
    add(4)
    entries = len(told())
    if by_hand:
        for each in Path("copy").iterdir():
            shutil.copy(each, VAR)
        with pytest.raises(PutBack, match="deputize restore --accept-rollback"):
            serving()
    from_where = [] if by_hand else ["copy"]
    code, said = restored(*from_where)
    assert (
        code,
        f"the database has 3 entries where {entries} were recorded: it is an older copy" in said,
    ) == (1, True)
    if not by_hand:
        assert len(told()) == entries  # nothing has happened
    code, said = restored(*from_where, "--accept-rollback")
    assert code == 0
    assert said.splitlines() == [
        "var has 6 entries, and can be served.",
        "Everybody signs in again. Grants that wait until their users confirm them: 1",
    ]
    assert state_of() is GrantState.SUSPENDED
    assert state_of(child) is GrantState.REVOKED
    assert transact(lambda tx: tx.session(b"digest")) is None
    kinds = [each["kind"] for each in told()[3:]]
    assert sorted(kinds) == ["grant.revoked", "grant.suspended", "record.restored"]
    assert told()[3].items() >= {"kind": "record.restored", "by": "owner", "given_up_size": entries}.items()
    assert run(app, ["log", "verify"]).exit_code == 0
    if not by_hand:  # what was there is kept
        (kept,) = VAR.glob("replaced-*")
        shutil.copytree(kept, "kept")
        shutil.copy(VAR / "keys.json", "kept")
        assert len(run(app, ["log", "show", USER, "--data", "kept"]).stdout.splitlines()) > 1


def handed_on(tx: Tx, child: GrantId) -> Any:
    from dataclasses import replace

    parent = tx.grant(GRANT)
    assert parent is not None
    return replace(parent, grant_id=child, parent_id=GRANT)


def test_restore_2_a_copy_that_lacks_nothing_suspends_nothing() -> None:
    add(3)
    assert run(app, ["backup", "copy"]).exit_code == 0
    assert restored("copy") == (0, "var has 3 entries, and can be served.\n")
    assert state_of() is GrantState.ACTIVE
    assert restored() == (0, "Nothing is missing here: the database goes on from its newest checkpoint.\n")


def test_restore_2_on_a_new_machine_nobody_knows_what_was_recorded_later() -> None:
    add(3)
    assert run(app, ["backup", "copy"]).exit_code == 0
    gone_but_what_wraps()
    code, said = restored("copy")
    assert (code, "so nobody can tell what was recorded later" in said) == (1, True)
    assert restored("copy", "--accept-rollback")[0] == 0
    assert state_of() is GrantState.SUSPENDED


def test_restore_3_nothing_is_restored_under_a_running_server() -> None:
    assert run(app, ["backup", "copy"]).exit_code == 0

    async def while_it_runs() -> tuple[int, str]:
        authority = serving()
        try:
            result = await asyncio.to_thread(run, app, ["restore", "copy"])
            return result.exit_code, result.stderr
        finally:
            await authority.aclose()

    told = "deputize: another process has the database open: stop the server first\n"
    assert asyncio.run(while_it_runs()) == (1, told)


@pytest.mark.parametrize("step", ["replace_store", "create_private", "HeadFile.replace"])
def test_restore_3_half_a_restore_does_not_serve_or_has_changed_nothing(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(3)
    assert run(app, ["backup", "copy"]).exit_code == 0
    transact(lambda tx: grants.revoke(tx, GRANT, 1))
    add(4)
    before = told()

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"deputize.cli.backup.{step}", crash)
        run(app, ["restore", "copy", "--accept-rollback"])
    if step == "HeadFile.replace":  # the last
        with pytest.raises(PutBack, match="--accept-rollback"):
            serving()
        assert restored("--accept-rollback")[0] == 0
    else:
        assert told() == before
        assert state_of() is GrantState.REVOKED
        assert restored("copy", "--accept-rollback")[0] == 0
    assert state_of() is GrantState.SUSPENDED


@pytest.mark.parametrize("missing", ["backup.checkpoint", "keys.json"])
def test_restore_1_half_a_backup_is_none(missing: str) -> None:
    add(3)
    assert run(app, ["backup", "copy"]).exit_code == 0
    Path("copy", missing).unlink()
    code, said = restored("copy", "--accept-rollback")
    assert code != 0
    assert missing in said
    assert state_of() is GrantState.ACTIVE


def test_restore_1_a_backup_that_was_changed_is_none() -> None:
    add(3)
    assert run(app, ["backup", "copy"]).exit_code == 0
    connection = sqlite3.connect("copy/deputize.db", isolation_level=None)
    connection.execute("DELETE FROM entries WHERE idx = 2")
    connection.close()
    code, said = restored("copy", "--accept-rollback")
    assert (code, "entry 2 is missing" in said) == (1, True)
    assert (VAR / backup._WORK).exists() is False


def test_restore_4_a_clone_has_keys_of_its_own_and_leaves_the_first_one_alone() -> None:
    add(3)
    run(app, ["log", "receipt", AGENT])
    assert run(app, ["backup", "copy"]).exit_code == 0
    key = run(app, ["log", "key"]).stdout
    assert restored("copy", "--clone")[0] == 2  # there is an authority
    gone_but_what_wraps(Path("clone"))
    code, said = restored("copy", "--clone", "--data", "clone")
    assert (code, "can be served" in said) == (0, True)
    clone = Path("clone")
    assert run(app, ["log", "key", "--data", "clone"]).stdout != key
    assert state_of(data=clone) is GrantState.SUSPENDED
    assert told(clone)[3].items() >= {"kind": "record.restored", "clone": True}.items()
    assert run(app, ["log", "verify", "--data", "clone"]).exit_code == 0
    assert state_of() is GrantState.ACTIVE
    assert (Path("copy/keys.json").read_bytes(), run(app, ["log", "key"]).stdout) == (
        (VAR / "keys.json").read_bytes(),
        key,
    )


def test_restore_4_a_folder_that_was_copied_by_hand_becomes_a_clone() -> None:
    add(3)
    shutil.copytree(VAR, "clone")
    assert restored("--clone", "--data", "clone")[0] == 0
    assert run(app, ["log", "key", "--data", "clone"]).stdout != run(app, ["log", "key"]).stdout
    assert state_of(data=Path("clone")) is GrantState.SUSPENDED


def test_restore_4_a_clone_takes_no_head_of_the_first_one_in_its_place(tmp_path: Path) -> None:
    head = tmp_path / "head"
    shutil.rmtree(VAR)
    text = Path("deputize.toml").read_text()
    Path("deputize.toml").write_text(text + f'\n[record]\nhead = "{head}"\n')
    transact(lambda tx: populate(tx, int(time.time()) + 3600))
    assert run(app, ["backup", "copy"]).exit_code == 0
    before = head.read_bytes()
    gone_but_what_wraps(Path("clone"))
    code, said = restored("copy", "--clone", "--data", "clone")
    assert (code, "name another file in [record] head" in said) == (2, True)
    assert head.read_bytes() == before


def test_restore_1_a_backup_of_another_authority_is_refused() -> None:
    assert run(app, ["backup", "copy"]).exit_code == 0
    shutil.rmtree(VAR)
    add(1)
    code, said = restored("copy", "--accept-rollback")
    assert (code, "is of another authority than var" in said) == (2, True)


def test_restore_2_the_head_of_another_site_is_not_replaced() -> None:
    assert run(app, ["backup", "copy"]).exit_code == 0
    (VAR / "checkpoint").write_text("another's")
    code, said = restored("copy", "--accept-rollback")
    assert (code, "is of another record or key" in said) == (2, True)
    assert (VAR / "checkpoint").read_text() == "another's"
