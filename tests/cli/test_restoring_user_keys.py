"""The keys of users in `deputize backup` and `restore`: whom they have forgotten stays forgotten (SEAL-5, SEAL-6)."""

import asyncio
import shutil
import time
from pathlib import Path

import orjson
import pytest
from tests.cli.test_data_commands import USER
from tests.cli.test_restore import VAR, _folder, gone_but_what_wraps, restored, serving, told, transact
from typer.testing import CliRunner

from deputize.app import LostData
from deputize.cli import app
from deputize.protocol.credential import User
from deputize.protocol.ids import UserId
from deputize.service import forgetting
from deputize.service.faults import StoreFault

__all__ = ["_folder"]

run = CliRunner().invoke
ADA = "Ada\x1b[31m Lovelace [bold]"
OTHER = UserId("usr_" + "O" * 22)


def forget(user_id: UserId = USER) -> None:
    assert run(app, ["users", "delete", "--yes", user_id]).exit_code == 0


def names(data: Path = VAR) -> list[str]:
    return transact(lambda tx: [user.name for user in tx.users()], data)


def in_files(folder: Path, secret: bytes) -> bool:
    return any(secret in each.read_bytes() for each in folder.rglob("*") if each.is_file())


def test_seal_6_a_backup_has_nothing_that_opens_what_is_kept_of_users() -> None:
    made = run(app, ["backup", "copy"])
    until = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86400))
    assert made.stdout.splitlines()[1] == (
        f"The users' keys are in copy.user-keys, and open only by the file var/wrapping.json, at most until {until}."
    )
    assert made.stderr.splitlines()[-1].startswith("Keep a copy of var/wrapping.json in a third place")
    assert run(app, ["backup", "copy2", "--user-keys", "copy.user-keys"]).exit_code == 2  # not empty
    assert run(app, ["backup", "copy2", "--user-keys", "elsewhere"]).exit_code == 0
    assert Path("elsewhere/user-keys.db").stat().st_mode & 0o777 == 0o600
    wrapping = next(iter(orjson.loads((VAR / "wrapping.json").read_bytes())["keys"].values()))
    assert not in_files(Path("copy"), wrapping.encode())
    assert not in_files(Path("copy.user-keys"), wrapping.encode())
    listed = run(app, ["users", "list", "--data", "copy"])
    assert listed.exit_code == 1
    assert "the file of users' keys is missing: copy/user-keys.db. Put it back" in listed.stderr
    assert "`deputize restore --forget-lost`" in listed.stderr


@pytest.mark.parametrize("command", ["users", "rotate users", "move elsewhere.db", "wrap --file other.json"])
def test_seal_5_no_command_takes_lost_keys_for_those_of_the_first_user_to_come(command: str) -> None:
    (VAR / "user-keys.db").rename("away.db")
    refused = run(app, ["keys", *command.split()])
    assert refused.exit_code == 2
    assert refused.stderr.startswith("deputize: var/user-keys.db is missing, under whose keys")
    Path("away.db").rename(VAR / "user-keys.db")
    assert names() == [ADA]  # what wraps them is what did


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "say what is to wrap"),
        (["--file", "one.json", "--command", "cat"], "say what is to wrap"),
        (["--command", ""], "--command is empty"),
        (["--command", "'cat"], "--command cannot be read: No closing quotation"),
        (["--command", "./none --verbose"], "there is no program ./none"),
    ],
)
def test_seal_2_what_cannot_wrap_is_not_tried(options: list[str], told: str) -> None:
    refused = run(app, ["keys", "wrap", *options])
    assert (refused.exit_code, told in refused.stderr) == (2, True)
    assert not (VAR / "sealing.json").exists()


def test_seal_6_a_backup_without_keys_of_users_that_there_are_is_told_of() -> None:
    (VAR / "user-keys.db").unlink()
    made = run(app, ["backup", "copy"])
    assert (made.exit_code, Path("copy.user-keys").exists()) == (1, False)
    assert "this backup has none of them" in made.stderr


def test_seal_5_who_was_forgotten_since_the_backup_is_forgotten_again() -> None:
    transact(lambda tx: tx.add(User(OTHER, "Other", b"o", 0)))
    assert run(app, ["backup", "copy"]).exit_code == 0
    forget()
    code, said = restored("copy", "--accept-rollback")
    assert (code, "as they were before or since their keys are lost: 1" in said) == (0, True)
    assert "is back" not in said
    assert names() == ["Other"]
    entry = next(each for each in told() if each["kind"] == "user.forgotten")
    assert entry.items() >= {"sub": USER, "by": "owner"}.items()


def test_seal_5_data_that_were_put_back_by_hand_bring_nobody_back() -> None:
    shutil.copytree(VAR, "before")
    forget()
    for name in ("deputize.db", "checkpoint"):
        shutil.copy(Path("before") / name, VAR)
    authority = serving()
    try:
        assert authority.store.look(lambda tx: tx.hidden()) == [USER]
    finally:
        asyncio.run(authority.aclose())
    listed = run(app, ["users", "list"]).stdout.splitlines()[1]
    assert listed.startswith(USER)
    assert listed.endswith("forgotten")
    assert [each["by"] for each in told() if each["kind"] == "user.forgotten"] == ["authority"]


def test_seal_5_an_older_file_of_keys_brings_no_key_back() -> None:
    shutil.copy(VAR / "user-keys.db", "before.db")
    forget()
    shutil.copy("before.db", VAR / "user-keys.db")
    authority = serving()
    try:
        assert not authority.store.look(forgetting.is_again)
    finally:
        asyncio.run(authority.aclose())


@pytest.mark.parametrize("lost", ["user-keys.db", "another's"])
def test_seal_5_ready_4_without_their_keys_what_is_kept_of_users_is_not_served(lost: str) -> None:
    (VAR / "user-keys.db").unlink()
    if lost == "another's":
        transact(lambda tx: tx.add(User(OTHER, "Other", b"o", 0)), Path("another"))
        for name in ("user-keys.db", "wrapping.json"):
            shutil.copy(Path("another") / name, VAR)
    with pytest.raises(LostData, match=r"is missing, .* of 1 user:|the keys of 1 of 1 user are not in"):
        serving()
    code, said = restored()
    assert code == 1
    assert "what is kept of users cannot be read: var/user-keys.db" in said
    assert not (VAR / "user-keys.db").exists() or lost == "another's"
    code, said = restored("--forget-lost")  # and nobody says yes
    assert (code, "look first whether that is there" in said) == (1, True)
    assert not (VAR / "user-keys.db").exists() or lost == "another's"
    assert restored("--forget-lost", "--yes")[0] == 0
    assert names() == []
    assert run(app, ["log", "verify"]).exit_code == 0


def test_ready_4_without_what_wraps_them_it_does_not_start_and_makes_nothing_new() -> None:
    before = (VAR / "user-keys.db").read_bytes()
    (VAR / "wrapping.json").rename("away")
    with pytest.raises(StoreFault, match=r"the file of wrapping keys is missing: var/wrapping\.json"):
        serving()
    assert not (VAR / "wrapping.json").exists()
    assert (VAR / "user-keys.db").read_bytes() == before
    Path("away").rename(VAR / "wrapping.json")
    asyncio.run(serving().aclose())


def test_seal_6_on_a_new_machine_a_restore_wants_what_wraps_first() -> None:
    assert run(app, ["backup", "copy"]).exit_code == 0
    shutil.copytree(VAR, "old")
    shutil.rmtree(VAR)
    code, said = restored("copy", "--accept-rollback")
    assert code == 2
    assert "wrapping.json. First put back what wraps the users' keys, as it was" in said
    assert not (VAR / "deputize.db").exists()
    shutil.copy("old/wrapping.json", VAR)
    Path("copy.user-keys").rename("away")
    code, said = restored("copy", "--accept-rollback")
    assert (code, "Name the folder of their keys by --user-keys" in said) == (1, True)
    assert restored("copy", "--accept-rollback", "--user-keys", "nowhere")[0] == 2
    code, said = restored("copy", "--accept-rollback", "--user-keys", "away")
    assert (code, "those of away. Whoever was deleted since they were copied is back" in said) == (0, True)
    assert names() == [ADA]


@pytest.fixture
def wrapped_by_a_command(tmp_path: Path) -> str:
    """Have a command wrap the keys, and make a backup."""
    (command := tmp_path / "wraps").write_text(f"#!/bin/sh -e\necho $1 >>{tmp_path}/asked\nexec cat\n")
    command.chmod(0o700)
    assert run(app, ["keys", "wrap", "--command", str(command)]).exit_code == 0
    assert run(app, ["backup", "copy"]).exit_code == 0
    return str(command)


def test_seal_6_a_restore_brings_what_says_what_wraps_once_its_command_is_agreed_to(
    wrapped_by_a_command: str,
) -> None:
    assert Path("copy.user-keys/sealing.json").stat().st_mode & 0o777 == 0o600
    shutil.rmtree(VAR)
    Path("asked").unlink()
    code, said = restored("copy", "--accept-rollback")  # and nobody says yes
    assert (code, f"wrapped by the command {wrapped_by_a_command}. Is that so" in said) == (1, True)
    assert not Path("asked").exists()
    assert not list(VAR.iterdir())
    assert restored("copy", "--accept-rollback", "--yes")[0] == 0
    assert names() == [ADA]
    assert (VAR / "sealing.json").stat().st_mode & 0o777 == 0o600


def test_seal_6_a_command_that_is_asked_for_hides_nothing_of_itself(wrapped_by_a_command: str) -> None:
    shutil.rmtree(VAR)
    settings = Path("copy.user-keys/sealing.json")
    content = orjson.loads(settings.read_bytes())
    content["by"]["command"] = ["/bin/sh", "-c", "id; \x1b[8m"]
    settings.write_bytes(orjson.dumps(content))
    code, said = restored("copy", "--accept-rollback")
    assert (code, "/bin/sh -c 'id; " in said, "\x1b" in said) == (1, True, False)


def test_seal_6_where_only_the_settings_were_lost_a_restore_brings_them_and_no_keys(
    wrapped_by_a_command: str,
) -> None:
    (VAR / "sealing.json").unlink()
    keys = (VAR / "user-keys.db").read_bytes()
    code, said = restored("copy", "--yes")
    assert (code, "is back" in said) == (0, False), said
    assert (VAR / "user-keys.db").read_bytes() == keys
    (VAR / "sealing.json").unlink()
    assert run(app, ["keys", "wrap", "--command", wrapped_by_a_command]).exit_code == 0
    assert names() == [ADA]


def test_seal_2_settings_that_others_may_write_are_not_brought(wrapped_by_a_command: str) -> None:
    shutil.rmtree(VAR)
    Path("copy.user-keys/sealing.json").chmod(0o666)
    Path("asked").unlink()
    code, said = restored("copy", "--accept-rollback", "--yes")
    assert (code, "may be written by others: copy.user-keys/sealing.json" in said) == (1, True)
    assert (list(VAR.iterdir()), Path("asked").exists()) == ([], False)


def test_restore_4_a_clone_has_its_keys_in_its_folder_whatever_the_settings_say() -> None:
    Path("disk").mkdir()
    assert run(app, ["keys", "move", "disk/keys.db"]).exit_code == 0
    assert run(app, ["backup", "copy"]).exit_code == 0
    gone_but_what_wraps(Path("clone"))
    before = Path("disk/keys.db").read_bytes()
    assert restored("copy", "--clone", "--data", "clone")[0] == 0
    assert names(Path("clone")) == [ADA]
    assert Path("clone/user-keys.db").exists()
    assert Path("disk/keys.db").read_bytes() == before
    shutil.rmtree("disk")
    shutil.rmtree("clone")
    gone_but_what_wraps()
    code, said = restored("copy", "--accept-rollback")
    assert (code, "see whether its disk is mounted" in said) == (2, True)
    assert [each.name for each in VAR.iterdir()] == ["wrapping.json"]


def test_restore_4_no_wrapping_key_opens_the_keys_of_a_clone_and_of_the_first_one() -> None:
    assert run(app, ["backup", "copy"]).exit_code == 0
    gone_but_what_wraps(Path("clone"))
    assert restored("copy", "--clone", "--data", "clone")[0] == 0
    assert names(Path("clone")) == names() == [ADA]
    one, other = (orjson.loads(Path(each, "wrapping.json").read_bytes())["keys"] for each in ("var", "clone"))
    assert one.keys().isdisjoint(other)
    assert len(other) == 1
    assert restored("copy", "--clone", "--data", "clone")[0] == 2
    forget()
    assert names(Path("clone")) == [ADA]
