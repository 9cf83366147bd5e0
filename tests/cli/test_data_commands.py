"""The owner's commands over an authority's data, beside a running server or without one."""

import asyncio
import getpass
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from typer.testing import CliRunner

from deputize.cli import app
from deputize.cli.operator import operator
from deputize.cli.options import GIVEN
from deputize.crypto.keys import KEPT, PUBLISHED_FIRST, KeyRing
from deputize.protocol.agent import Agent, Assurance
from deputize.protocol.canonical import unb64u
from deputize.protocol.credential import Credential, User
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.ids import ClientId, CredentialId, GrantId, Jkt, UserId, make_id
from deputize.protocol.scope import ScopeSet
from deputize.service.ports import Session, Tx
from deputize.store.sqlite import SqliteStore

T = TypeVar("T")

USER = UserId(make_id("usr", bytes(16)))
AGENT = ClientId(make_id("agt", bytes(16)))
GRANT = GrantId(make_id("grt", bytes(16)))
BORN = 1_700_000_000
run = CliRunner().invoke


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    """Open a store with one user, one agent and one grant, as a running server would have it."""
    monkeypatch.chdir(tmp_path)
    Path("var").mkdir()
    store = SqliteStore(Path("var/deputize.db"))
    transact(store, lambda tx: populate(tx, int(time.time()) + 3600))
    yield store
    store.close()


def transact(store: SqliteStore, fn: Callable[[Tx], T]) -> T:
    return asyncio.run(store.transact(fn))


def populate(tx: Tx, expires_at: int) -> None:
    tx.add(User(USER, "Ada\x1b[31m Lovelace [bold]", b"handle", BORN))
    tx.add(Agent(AGENT, Assurance.OPAQUE, Jkt("k"), USER, BORN))
    scopes = ScopeSet.of(["account:read"])
    tx.add(Grant(GRANT, USER, AGENT, scopes, GrantState.PENDING, {}, BORN, expires_at, Jkt("k")))
    tx.move_grant(GRANT, GrantState.ACTIVE, BORN, expires_at)


def kinds(store: SqliteStore) -> list[str]:
    return [json.loads(entry.leaf)["kind"] for entry in store.look(lambda tx: tx.entries(0, 100))]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("users", [USER, "2023-11-14T22:13:20Z", "0"]),
        ("agents", [AGENT, "opaque", USER, "2023-11-14T22:13:20Z", "active"]),
        ("grants", [GRANT, AGENT, USER, "2023-11-14T22:13:20Z", "active until", "account:read"]),
    ],
)
def test_lists_have_one_line_for_each(store: SqliteStore, command: str, words: list[str]) -> None:
    result = run(app, [command, "list"])
    assert result.exit_code == 0
    header, row = result.stdout.splitlines()
    assert header.startswith(command.removesuffix("s"))
    assert [word for word in words if word not in row] == []
    # He chose it himself, so he is named by it only where one looks for him.
    assert ("Ada\ufffd[31m Lovelace [bold]" in row) == (command == "users")
    assert "\x1b" not in row


def test_token_5_a_grant_that_has_run_out_is_not_active(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "deputize.db")
    transact(store, lambda tx: populate(tx, int(time.time())))
    store.close()
    row = run(app, ["grants", "list", "--data", str(tmp_path)]).stdout.splitlines()[1]
    assert "expired" in row
    assert "active" not in row


def test_revoking_a_grant_is_recorded(store: SqliteStore) -> None:
    result = run(app, ["grants", "revoke", GRANT])
    assert (result.exit_code, result.stdout) == (0, f"{GRANT} is revoked.\n")
    grant = store.look(lambda tx: tx.grant(GRANT))
    assert grant is not None
    assert grant.state is GrantState.REVOKED
    assert kinds(store) == ["grant.revoked"]
    assert "revoked" in run(app, ["grants", "list"]).stdout


def test_revoking_an_agent_revokes_its_grant(store: SqliteStore) -> None:
    result = run(app, ["agents", "revoke", AGENT])
    assert (result.exit_code, result.stdout) == (0, f"{AGENT} and its grants are revoked.\n")
    assert kinds(store) == ["agent.revoked", "grant.revoked"]
    assert "revoked 20" in run(app, ["agents", "list"]).stdout


def test_block_2_an_agent_is_blocked_and_let_in_again(store: SqliteStore) -> None:
    result = run(app, ["agents", "block", AGENT, "--for", "7d"])
    assert (result.exit_code, result.stdout) == (0, f"{AGENT} is blocked for 7d.\n")
    (block,) = store.look(lambda tx: tx.barring(None, AGENT, int(time.time())))
    assert block.until == block.since + 7 * 86400
    assert kinds(store) == ["agent.blocked", "grant.revoked"]
    assert "blocked until 20" in run(app, ["agents", "list"]).stdout
    result = run(app, ["agents", "unblock", AGENT])
    assert (result.exit_code, result.stdout) == (0, f"{AGENT} may ask again.\n")
    assert "active" in run(app, ["agents", "list"]).stdout
    assert kinds(store)[-1] == "agent.unblocked"


def test_block_2_who_is_blocked_before_it_comes_is_listed_and_said_to_be_unknown(store: SqliteStore) -> None:
    url = "https://agent.example/agent.json"
    result = run(app, ["agents", "block", url])
    assert (result.exit_code, result.stdout) == (0, f"{url} is blocked until that is ended.\n")
    assert "No agent has come under this name yet" in result.stderr
    known, unknown = run(app, ["agents", "list"]).stdout.splitlines()[1:]
    assert (known.split()[0], unknown.split()[0]) == (AGENT, url)
    assert unknown.endswith("blocked, has not come yet")
    run(app, ["agents", "unblock", url])
    assert url not in run(app, ["agents", "list"]).stdout
    assert run(app, ["agents", "block", AGENT]).stderr == ""
    assert len(run(app, ["agents", "list"]).stdout.splitlines()) == 2  # once, where it is known


def test_block_3_a_user_is_blocked_and_let_in_again(store: SqliteStore) -> None:
    transact(store, lambda tx: tx.add(Session(b"s" * 32, USER, BORN, BORN + 10**10)))
    result = run(app, ["users", "block", USER])
    assert (result.exit_code, result.stdout) == (0, f"{USER} is blocked until that is ended.\n")
    assert store.look(lambda tx: tx.session(b"s" * 32)) is None
    assert kinds(store) == ["user.blocked", "grant.revoked"]
    assert "blocked" in run(app, ["users", "list"]).stdout
    result = run(app, ["users", "unblock", USER])
    assert (result.exit_code, result.stdout) == (0, f"{USER} may sign in again.\n")
    assert "blocked" not in run(app, ["users", "list"]).stdout


def test_a_time_may_be_a_number_of_seconds(store: SqliteStore) -> None:
    result = run(app, ["users", "block", USER, "--for", "600"])
    assert (result.exit_code, result.stdout) == (0, f"{USER} is blocked for 600 seconds.\n")
    (block,) = store.look(lambda tx: tx.barring(USER, None, int(time.time())))
    assert block.until == block.since + 600


def test_the_passkeys_of_nobody_are_no_empty_list(store: SqliteStore) -> None:
    result = run(app, ["credentials", "list", "usr_nobody"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no such user" in result.stderr
    assert run(app, ["credentials", "list", USER]).exit_code == 0


@pytest.mark.parametrize("lasting", ["1s", "5", "x", "99999d", "-5", "9" * 5000])
def test_a_time_that_cannot_be_is_said_in_one_line(store: SqliteStore, lasting: str) -> None:
    result = run(app, ["users", "block", USER, f"--for={lasting}"])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert result.stderr.startswith(f"deputize: --for {lasting}: ")
    assert kinds(store) == []


def test_cred_5_the_owner_removes_any_passkey_the_last_one_too(store: SqliteStore) -> None:
    passkeys = [CredentialId("-" + "A" * 21), CredentialId("B" * 22)]
    for each in passkeys:
        credential = Credential(each, USER, b"key", 0, frozenset({"usb"}), f"Key {each[0]}", BORN, True)
        # mypy cannot infer a lambda with a default, which binds the value of this turn
        transact(store, lambda tx, credential=credential: tx.add(credential))  # type: ignore[misc]
    listed = run(app, ["credentials", "list", USER]).stdout.splitlines()[1:]
    assert [each in row for each, row in zip(passkeys, listed, strict=True)] == [True, True]
    for each in passkeys:
        result = run(app, ["credentials", "remove", each])
        assert (result.exit_code, result.stdout) == (0, f"{each} is removed.\n")
    assert store.look(lambda tx: tx.credentials(USER)) == []
    assert kinds(store) == ["credential.removed"] * 2
    last = json.loads(store.look(lambda tx: tx.entries(1, 1))[0].leaf)
    assert (last["by"], last["sub"], last["credential_id"]) == ("owner", USER, passkeys[1])
    assert last["operator"] == getpass.getuser()


COMMANDS = [
    ("users", "block", USER),
    ("users", "unblock", USER),
    ("agents", "block", AGENT),
    ("agents", "unblock", AGENT),
    ("users", "recover", USER),
    ("grants", "revoke", GRANT),
    ("agents", "revoke", AGENT),
]


def test_log_11_each_entry_of_an_owners_command_says_who_gave_it(store: SqliteStore) -> None:
    Path("deputize.toml").write_text('[site]\nname = "Bank"\norigin = "https://bank.example"\n')
    for command in COMMANDS:
        before = len(kinds(store))
        result = run(app, ["--as", f"Zoë of {command[1]}", *command])
        assert result.exit_code == 0, result.output
        entries = store.look(lambda tx: tx.entries(before, 9))  # noqa: B023  # it runs at once
        if not entries:  # what a block took away already
            continue
        told = {json.loads(entry.leaf)["operator"] for entry in entries}
        assert told == {f"Zoë of {command[1]}"}, command


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 65, "a\u202eb"])
def test_log_11_a_name_that_nobody_could_read_is_none(store: SqliteStore, name: str) -> None:
    result = run(app, ["--as", name, "users", "block", USER])
    assert (result.exit_code, "--as is a name" in result.stderr, kinds(store)) == (2, True, [])


@pytest.mark.parametrize(
    ("uid", "sudo", "name"),
    [(0, "ada", "ada"), (0, None, "root"), (0, "a\nb", "root"), (4_000_000, "ada", "uid 4000000")],
)
def test_log_11_by_default_it_is_who_is_signed_in_behind_sudo_too(
    monkeypatch: pytest.MonkeyPatch, uid: int, sudo: str | None, name: str
) -> None:
    """No other user runs tests here, so the system is asked in words of the test's."""
    GIVEN.set(None)
    monkeypatch.setattr("os.getuid", lambda: uid)
    monkeypatch.delenv("SUDO_USER", raising=False)
    if sudo is not None:
        monkeypatch.setenv("SUDO_USER", sudo)
    assert operator() == name


def test_rotating_makes_another_key_sign_and_keeps_the_one_before(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys.json")
    (first,) = ring.list()
    rotated = run(app, ["keys", "rotate", "--data", str(tmp_path)])
    assert KeyRing(tmp_path / "keys.json").signing_key()[0] == first.kid
    second = KeyRing(tmp_path / "keys.json", lambda: time.time() + PUBLISHED_FIRST).signing_key()[0]
    said = f"{second} is published, and signs in {PUBLISHED_FIRST} seconds.\n"
    assert (rotated.exit_code, rotated.stdout) == (0, said)
    rows = run(app, ["keys", "list", "--data", str(tmp_path)]).stdout.splitlines()[1:]
    assert [row.split()[0] for row in rows] == [second, first.kid]
    assert ["in use" in row for row in rows] == [True, False]
    assert "replaced 20" in rows[1]


def test_rotating_drops_a_key_that_nothing_needs(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys.json")
    (first,) = ring.list()
    ring.rotate(int(time.time()) - KEPT)
    assert f"{first.kid} is dropped" in run(app, ["keys", "rotate", "--data", str(tmp_path)]).stdout
    assert first.kid not in run(app, ["keys", "list", "--data", str(tmp_path)]).stdout


@pytest.mark.parametrize("command", ["list", "rotate"])
def test_keys_that_are_not_there_are_not_made(tmp_path: Path, command: str) -> None:
    result = run(app, ["keys", command, "--data", str(tmp_path)])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "no authority has its data in" in result.stderr
    assert not list(tmp_path.iterdir())


def test_broken_keys_are_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    result = run(app, ["keys", "list", "--data", str(tmp_path)])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "does not hold the keys of an authority" in result.stderr


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["grants", "revoke", "grt_x"], "There is no such grant"),
        (["agents", "revoke", "agt_x"], "There is no such agent"),
        (["users", "recover", "usr_x"], "There is no such user"),
        (["users", "block", "usr_x"], "There is no such user"),
        (["users", "unblock", USER], "Nobody is blocked there"),
        (["agents", "unblock", AGENT], "Nobody is blocked there"),
        (["credentials", "remove", "-x"], "There is no such passkey"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(store: SqliteStore, command: list[str], message: str) -> None:
    run(app, ["init"])
    result = run(app, command)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith(f"deputize: {message}")
    assert kinds(store) == []


def test_cred_5_recovery_is_a_link_of_900_s_that_works_once_and_is_recorded(store: SqliteStore) -> None:
    run(app, ["init"])
    now = int(time.time())
    result = run(app, ["users", "recover", USER])
    assert result.exit_code == 0
    page, _, secret = result.stdout.strip().partition("#recovery=")
    assert page == "http://localhost:8000/deputize/account"
    digest = hashlib.sha256(unb64u(secret)).digest()
    assert kinds(store) == ["recovery.issued"]
    assert store.look(lambda tx: tx.recovery(digest, now + 899)) == USER
    assert store.look(lambda tx: tx.recovery(digest, now + 960)) is None
    assert secret not in str(store.look(lambda tx: tx.entries(0, 100)))
    assert transact(store, lambda tx: tx.consume_recovery(digest, now)) == USER
    assert transact(store, lambda tx: tx.consume_recovery(digest, now)) is None


def test_the_command_is_a_module_too(store: SqliteStore) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "deputize", "grants", "revoke", "grt_x"], capture_output=True, text=True
    )
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("deputize: There is no such grant")


def test_data_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    result = run(app, ["users", "list", "--data", str(tmp_path / "x")])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "no authority has its data in" in result.stderr
    assert not (tmp_path / "x").exists()


def test_a_broken_database_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "deputize.db").write_bytes(b"no database, but long enough to look like one" * 100)
    result = run(app, ["users", "list", "--data", str(tmp_path)])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "deputize: file is not a database\n")
