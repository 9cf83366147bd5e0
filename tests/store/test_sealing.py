"""What is kept of users lies sealed under their keys, each value for its one place (KEEP-4 to KEEP-7)."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.store import older
from tests.store import values as v
from tests.store.contract import do, do_all, glanced, seen
from tests.store.values import NOW

from deputize.protocol.agent import Assurance
from deputize.protocol.call import State
from deputize.protocol.canonical import s256
from deputize.protocol.challenge import Away, NewUser, Purpose
from deputize.protocol.constraint import Constraints
from deputize.protocol.errors import Code, Refused
from deputize.protocol.grant import GrantState
from deputize.protocol.question import Asked, Question, Text
from deputize.protocol.request import Status
from deputize.service.ports import Reader, Stored, Tx, Wanted
from deputize.store import migrations, sqlite
from deputize.store.migrations import sealing
from deputize.store.sealing import about as its_place
from deputize.store.sqlite import SqliteStore
from deputize.store.user_keys import UserKey, UserKeys

SECRET = "Wilhelmina"
"""Stands in all that is to be sealed, and in nothing else."""
EXTERNAL = f"customer of {SECRET}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deputize.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as store:
        yield store


LIMITS = Constraints.parse([{"type": "webmcp_tool", "tool": "pay", "sum": {f"/{SECRET}": 99.5}}])
USER = replace(v.user(), name=f"Name of {SECRET}", external_id=EXTERNAL)
CREDENTIAL = v.credential(label=f"telephone of {SECRET}")
AGENT = v.agent()
GRANT = v.grant(state=GrantState.ACTIVE, shown={"user": SECRET, "n": [1.5, None]}, constraints=LIMITS)
CALL = v.call(state=State.PENDING, arguments={"to": SECRET, "amount": 12.5, "größe": None})
QUESTION = Question(
    {"kind": "call", "rows": [["To", SECRET]]},
    USER.user_id,
    NOW + 60,
    Text("en", (f"To {SECRET}?",)),
    ("webauthn",),
)
CHALLENGE = v.challenge(consumed_at=NOW, method="webauthn", salt=v.digest("salt"))
SIGN_UP = v.challenge(
    "up", purpose=Purpose.SIGN_UP, owner=None, subject=NewUser(v.user_id("new"), b"h", SECRET)
)
AWAY = v.challenge(
    "away", purpose=Purpose.SITE_SIGN_IN, owner=None, subject=Away(b"b", "w", f"/{SECRET}", False)
)
REQUEST = v.request(state=f"state of {SECRET}", constraints=LIMITS)
ASKED = Asked(QUESTION, CHALLENGE.salt)


def fill(tx: Tx, *others: Stored) -> None:
    for value in (USER, CREDENTIAL, AGENT, GRANT, CALL, SIGN_UP, AWAY, REQUEST, *others):
        tx.add(value)
    tx.ask(replace(CHALLENGE, consumed_at=None), QUESTION)
    assert tx.consume_challenge(CHALLENGE, NOW)


def everything(reader: Reader) -> list[object]:
    """Read all of it, by each way that there is."""
    return [
        reader.user(USER.user_id),
        reader.users(),
        reader.user_by_external_id(EXTERNAL),
        reader.credential(CREDENTIAL.credential_id),
        reader.credentials(USER.user_id),
        reader.agent(AGENT.client_id),
        reader.grant(GRANT.grant_id),
        reader.grants(USER.user_id),
        reader.active_grant(USER.user_id, GRANT.client_id, GRANT.jkt),
        reader.call(CALL.call_id),
        reader.calls(USER.user_id, Wanted(), 9, NOW).calls,
        reader.latest_call(USER.user_id, CALL.match_key or b""),
        reader.challenge(CHALLENGE.challenge_id),
        reader.asked(CHALLENGE.challenge_id),
        reader.challenge(SIGN_UP.challenge_id),
        reader.challenge(AWAY.challenge_id),
        reader.request(REQUEST.request_id),
    ]


ALL = [
    USER,
    [USER],
    USER,
    CREDENTIAL,
    [CREDENTIAL],
    AGENT,
    GRANT,
    [GRANT],
    GRANT,
    CALL,
    [CALL],
    CALL,
    CHALLENGE,
    ASKED,
    SIGN_UP,
    AWAY,
    REQUEST,
]


def traces() -> list[bytes]:
    """Return what would tell of her: her words, and what is made of words that can be guessed."""
    assert CALL.match_key is not None
    told = (
        CALL.args_s256,
        CALL.match_key,
        CALL.match_key.hex(),
        CHALLENGE.action_hash,
        CHALLENGE.action_hash.hex(),
    )
    return [SECRET.encode(), *(each if isinstance(each, bytes) else each.encode() for each in told)]


def files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def sql(path: Path, statement: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def test_keep_4_all_of_it_is_read_as_it_was_and_no_file_tells_it(store: SqliteStore, path: Path) -> None:
    do(store, fill)
    assert seen(store, everything) == ALL
    assert do(store, everything) == ALL
    assert not [trace for trace in traces() if trace in files(path.parent)]


def test_keep_4_a_request_goes_over_from_the_key_of_its_hour_to_its_users(
    store: SqliteStore, path: Path
) -> None:
    do(store, fill)
    moved = replace(REQUEST, status=Status.GRANTED, user_id=USER.user_id, expires_at=NOW + 9000)
    assert do(store, lambda tx: tx.move_request(moved))
    assert seen(store, lambda tx: tx.request(REQUEST.request_id)) == moved
    store._keys.destroy(USER.user_id)
    assert seen(store, lambda tx: tx.request(REQUEST.request_id)) is None


# Once the key is destroyed


EMPTIED: dict[str, Any] = {
    "arguments": None,
    "args_s256": "",
    "match_key": None,
    "salt": b"",
    "description": None,
}


def test_keep_5_without_the_key_nothing_opens_and_nothing_is_allowed(store: SqliteStore) -> None:
    do(store, fill)
    store._keys.destroy(USER.user_id)
    nobody = replace(USER, name="", external_id=None)
    revoked = replace(GRANT, shown={}, constraints=Constraints(), state=GrantState.REVOKED)
    emptied = replace(CALL, **EMPTIED)
    left = [
        nobody,
        [nobody],
        None,
        None,
        [],
        AGENT,
        revoked,
        [revoked],
        revoked,
        emptied,
        [emptied],
        None,
        None,
        None,
    ]
    for ask in (seen, do):
        assert ask(store, everything) == [*left, SIGN_UP, AWAY, REQUEST]


def test_keep_5_without_a_key_nothing_is_written(store: SqliteStore) -> None:
    do(store, fill)
    store._keys.destroy(USER.user_id)
    late = v.credential("late"), v.grant("late"), v.challenge("late")
    results = do_all(store, [methodcaller("add", each) for each in late])
    assert {result.refusal.code for result in results} == {Code.RECORD_UNAVAILABLE}
    refused = v.call("late", State.DENIED)  # of it the record tells, and that is all
    do(store, lambda tx: tx.add(refused))
    assert seen(store, lambda tx: tx.call(refused.call_id)) == replace(refused, **EMPTIED)


def test_keep_5_what_is_nobodys_goes_with_its_hour(store: SqliteStore) -> None:
    do(store, fill)
    store._keys.sweep(NOW + 4 * 3600)
    assert seen(store, lambda tx: [tx.challenge(SIGN_UP.challenge_id), tx.request(REQUEST.request_id)]) == [
        None,
        None,
    ]
    assert seen(store, lambda tx: tx.call(CALL.call_id)) == CALL


def test_keep_3_to_forget_is_to_destroy_the_key_first(store: SqliteStore) -> None:
    do(store, fill)
    do(store, lambda tx: tx.hide(USER.user_id, NOW))
    assert store._keys.of(USER.user_id) is not None  # this may still be undone

    def forget(tx: Tx) -> None:
        tx.forget(USER.user_id)
        raise OSError

    assert isinstance(do_all(store, [forget])[0], OSError)
    assert store._keys.destroyed() == {USER.user_id}
    assert seen(store, lambda tx: tx.hidden()) == [USER.user_id]  # for the next step
    assert seen(store, lambda tx: tx.call(CALL.call_id)) == replace(CALL, **EMPTIED)


def test_a_sign_up_that_is_undone_leaves_its_external_id_to_the_next(store: SqliteStore) -> None:
    def undone(tx: Tx) -> None:
        tx.add(USER)
        raise OSError

    do_all(store, [undone])
    assert seen(store, lambda tx: tx.user_by_external_id(EXTERNAL)) is None
    again = replace(v.user("again"), external_id=EXTERNAL)
    do(store, lambda tx: tx.add(again))
    assert seen(store, lambda tx: tx.user_by_external_id(EXTERNAL)) == again


def test_keep_5_what_was_opened_before_is_not_told_without_the_key(store: SqliteStore) -> None:
    do(store, fill)
    for _ in range(2):
        assert do(store, lambda tx: tx.call(CALL.call_id)) == CALL
    store._keys.destroy(USER.user_id)
    for ask in (do, glanced):
        assert ask(store, lambda reader: reader.call(CALL.call_id)) == replace(CALL, **EMPTIED)


def test_a_call_is_opened_once_by_the_connection_that_writes(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(store, fill)
    key = store._keys.of(USER.user_id)
    monkeypatch.setattr(store._keys, "of", lambda user_id: key)  # it is read anew after a look at its file
    assert do(store, lambda tx: tx.call(CALL.call_id)) == CALL
    opened: list[bytes] = []
    monkeypatch.setattr(UserKey, "open", lambda key, sealed, place: opened.append(place))
    assert do(store, lambda tx: tx.call(CALL.call_id)) == CALL
    assert opened == []


# Somebody writes into the database


OTHER = replace(v.user("bob"), name="Bob")
OTHERS = v.call("bobs", State.PENDING, user_id=OTHER.user_id, match_key=v.digest("bobs"))
READS: dict[str, tuple[str, Callable[[Reader], Any]]] = {
    "users": (USER.user_id, lambda tx: tx.user(USER.user_id)),
    "credentials": (CREDENTIAL.credential_id, lambda tx: tx.credential(CREDENTIAL.credential_id)),
    "grants": (GRANT.grant_id, lambda tx: tx.grant(GRANT.grant_id)),
    "calls": (CALL.call_id, lambda tx: tx.call(CALL.call_id)),
    "challenges": (CHALLENGE.challenge_id, lambda tx: tx.challenge(CHALLENGE.challenge_id)),
    "requests": (REQUEST.request_id, lambda tx: tx.request(REQUEST.request_id)),
}
KEYS = {
    "users": "user_id",
    "credentials": "credential_id",
    "grants": "grant_id",
    "calls": "call_id",
    "challenges": "challenge_id",
    "requests": "request_id",
}


def put(path: Path, table: str, blob: object) -> None:
    key, _ = READS[table]
    sql(path, f"UPDATE {table} SET sealed = ? WHERE {KEYS[table]} = ?", blob, key)  # noqa: S608  # of our own


def sealed(path: Path, table: str, key: str) -> bytes:
    ((blob,),) = sql(path, f"SELECT sealed FROM {table} WHERE {KEYS[table]} = ?", key)  # noqa: S608  # of our own
    assert isinstance(blob, bytes)
    return blob


def refused(store: SqliteStore, read: Any) -> list[Code]:
    told = []
    for ask in (seen, do):
        with pytest.raises(Refused) as error:
            ask(store, read)
        told.append(error.value.refusal.code)
    return told


FORGED: dict[str, Callable[[Path], bytes]] = {
    "another row's": lambda path: sealed(path, "calls", OTHERS.call_id),
    "longer": lambda path: sealed(path, "calls", CALL.call_id) + b"more",
    "zeros": lambda path: b"\x01" + bytes(40),
    "cut off": lambda path: b"\x01",
    "empty": lambda path: b"",
    "plain": lambda path: b'["Eve", null]',
}


def test_keep_6_what_was_not_sealed_for_a_row_is_refused_there(store: SqliteStore, path: Path) -> None:
    do(store, lambda tx: fill(tx, OTHER, OTHERS))
    own = {table: sealed(path, table, key) for table, (key, _) in READS.items()}
    for table, (_, read) in READS.items():
        for name, forge in FORGED.items():
            put(path, table, forge(path))
            assert refused(store, read) == [Code.RECORD_UNAVAILABLE] * 2, (table, name)
        put(path, table, own[table])
    assert seen(store, lambda tx: [read(tx) for _, read in READS.values()])[3:4] == [CALL]
    assert do(store, lambda tx: tx.append(v.entry(), NOW)) == 0  # all else goes on


def test_keep_6_two_rows_of_one_user_do_not_change_places(store: SqliteStore, path: Path) -> None:
    second = v.call("second", arguments={"to": "another"}, match_key=v.digest("second"))
    do(store, lambda tx: fill(tx, second))
    put(path, "calls", sealed(path, "calls", second.call_id))
    assert refused(store, lambda tx: tx.call(CALL.call_id)) == [Code.RECORD_UNAVAILABLE] * 2
    assert seen(store, lambda tx: tx.call(second.call_id)) == second


def test_keep_6_a_row_that_is_given_to_another_user_is_not_read_to_him(
    store: SqliteStore, path: Path
) -> None:
    do(store, lambda tx: fill(tx, OTHER))
    for table in ("calls", "grants", "credentials"):
        sql(path, f"UPDATE {table} SET user_id = ?", OTHER.user_id)  # noqa: S608  # of our own
        assert refused(store, READS[table][1]) == [Code.RECORD_UNAVAILABLE] * 2


def test_keep_6_a_key_by_which_calls_meet_leads_to_no_call_of_another(store: SqliteStore, path: Path) -> None:
    do(store, lambda tx: fill(tx, OTHER, OTHERS))
    sql(path, "UPDATE calls SET match_key = (SELECT match_key FROM calls WHERE call_id = ?)", CALL.call_id)
    key = CALL.match_key or b""
    assert seen(store, lambda tx: tx.latest_call(USER.user_id, key)) == CALL
    assert seen(store, lambda tx: tx.latest_call(OTHER.user_id, key)) is None


def test_keep_6_what_was_emptied_is_as_without_its_key(store: SqliteStore, path: Path) -> None:
    do(store, fill)
    for table in READS:
        put(path, table, None)
    assert seen(store, lambda tx: tx.user_by_external_id(EXTERNAL)) is None
    user, credential, grant, call, challenge, request = seen(
        store, lambda tx: [read(tx) for _, read in READS.values()]
    )
    assert user == replace(USER, name="", external_id=None)
    assert (credential, challenge, request) == (None, None, None)
    assert grant.state is GrantState.REVOKED
    assert call == replace(CALL, **EMPTIED)


def test_keep_6_an_older_value_of_the_same_row_is_what_it_was(store: SqliteStore, path: Path) -> None:
    """Whoever writes into the database can put back what lay there; RESTORE-2 finds that of the record."""
    first = replace(CREDENTIAL, active=False)
    do(store, lambda tx: [tx.add(USER), tx.add(first)])
    old = sealed(path, "credentials", first.credential_id)
    do(store, lambda tx: tx.add(replace(first, label="new")))
    put(path, "credentials", old)
    assert seen(store, lambda tx: tx.credential(first.credential_id)) == first


def test_keep_6_of_a_user_whose_key_is_missing_nothing_is_told(store: SqliteStore, path: Path) -> None:
    do(store, lambda tx: tx.add(USER))
    user_id, handle = v.user_id("keyless"), v.digest("keyless")
    sql(
        path,
        "INSERT INTO users (user_id, handle, created_at, enrolls_until, sealed) VALUES (?, ?, 0, 0, ?)",
        user_id,
        handle,
        sealed(path, "users", USER.user_id),
    )
    found = seen(store, lambda tx: tx.user(user_id))
    assert found is not None
    assert (found.name, found.external_id) == ("", None)
    with pytest.raises(Refused) as error:
        do(store, lambda tx: tx.add(v.grant("keyless", user_id=user_id)))
    assert error.value.refusal.code is Code.RECORD_UNAVAILABLE


# From the version before


HIDDEN = replace(v.user("hidden"), name="")
ATTESTED = v.agent("attested", jkt=None, user_id=None, assurance=Assurance.ORIGIN, name="Robot")


def before(path: Path) -> None:
    """Make a database of version 0009 that has a row of every kind, and of one who is being forgotten."""
    older.made(path, "0009")
    older.insert(
        path,
        *map(
            older.row_of,
            (
                USER,
                v.session(sid="the login's"),
                CREDENTIAL,
                AGENT,
                ATTESTED,
                GRANT,
                CALL,
                SIGN_UP,
                AWAY,
                REQUEST,
            ),
        ),
        *map(
            older.row_of,
            (v.call("emptied", **{**EMPTIED, "match_key": None}), v.call("safe", match_key=None)),
        ),
        ("users", {**older.row_of(HIDDEN)[1], "forgotten_at": NOW}),
        older.row_of(v.call("hidden", user_id=HIDDEN.user_id)),
        older.asked(CHALLENGE, QUESTION),
    )
    sql(path, "UPDATE calls SET arguments = CAST('null' AS BLOB) WHERE salt = x''")


def test_keep_7_what_an_older_version_wrote_is_sealed_and_nothing_plain_is_left(path: Path) -> None:
    before(path)
    plain = [trace for trace in traces() if trace in files(path.parent)]
    assert len(plain) == len(traces()) - 2  # all but what was not in hex
    with closing(SqliteStore(path)) as store:
        assert all(trace not in files(path.parent) for trace in traces())
        nobody = replace(HIDDEN, name="", external_id=None)
        expected = [*ALL]
        expected[1] = [USER, nobody]
        expected[10] = [v.call("safe", match_key=None), v.call("emptied", **EMPTIED), CALL]
        assert seen(store, everything) == expected
        assert seen(store, lambda tx: [tx.agents()[-1], tx.session(v.digest("session"))]) == [
            ATTESTED,
            v.session(sid=s256(b"the login's")),
        ]
        assert seen(store, lambda tx: tx.call(v.call_id("hidden"))) == replace(
            v.call("hidden", user_id=HIDDEN.user_id), **EMPTIED
        )
        assert store._keys.of(HIDDEN.user_id) is None
        assert seen(store, lambda tx: tx.hidden()) == [HIDDEN.user_id]
    tables = sql(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")
    assert (migrations._LEFT,) not in tables


@pytest.mark.parametrize("at", [1, 4, 10])
def test_keep_7_an_upgrade_that_is_cut_short_is_done_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    before(path)
    number = 0

    def about(column: str, row: str) -> bytes:
        nonlocal number
        number += 1
        if number == at:
            raise KeyboardInterrupt
        return its_place(column, row)

    monkeypatch.setattr(sealing, "about", about)
    with pytest.raises(sqlite3.OperationalError):
        SqliteStore(path)
    monkeypatch.setattr(sealing, "about", its_place)
    with closing(SqliteStore(path)) as store:
        assert seen(store, everything)[:1] == [USER]
        assert not [trace for trace in traces() if trace in files(path.parent)]


def test_keep_7_what_an_upgrade_did_not_come_to_sweep_the_next_start_does(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before(path)
    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "is_unswept", lambda connection: False)  # as when it is killed before
        with closing(SqliteStore(path)) as store:
            assert seen(store, lambda tx: tx.user(USER.user_id)) == USER
            assert SECRET.encode() in files(path.parent)
    with closing(SqliteStore(path)) as store:
        assert seen(store, lambda tx: tx.user(USER.user_id)) == USER
        assert not [trace for trace in traces() if trace in files(path.parent)]


@pytest.mark.parametrize("reads", [False, True])
def test_keep_7_what_somebody_has_open_is_not_swept_under_him(path: Path, reads: bool) -> None:
    """A backup that was at it while the server started, and a command beside the server: neither cuts the file off."""
    before(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:

        def look(connection: sqlite3.Connection) -> bool:
            """Read right after the upgrade, which wants to be alone, too."""
            other.execute("BEGIN")
            other.execute("SELECT 1 FROM users").fetchall()
            if not reads:
                other.execute("COMMIT")
            return migrations.is_unswept(connection)

        with mock.patch.object(sqlite, "is_unswept", look):
            store = SqliteStore(path)
        if reads:
            other.execute("COMMIT")
    with closing(store):
        size = path.stat().st_size
        assert SECRET.encode() in files(path.parent)
        SqliteStore(path).close()
        assert asyncio.run(store.scrub())
        do(store, lambda tx: tx.append(v.entry(), NOW))
        assert path.stat().st_size >= size
        assert asyncio.run(store.health()).fault is None
    with closing(SqliteStore(path)):
        assert not [trace for trace in traces() if trace in files(path.parent)]


def test_keep_7_of_many_rows_it_is_told_how_far_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before(path)
    monkeypatch.setattr(sealing, "EVERY", 5)
    told: list[object] = []
    SqliteStore(path, note=lambda event, **facts: told.append((event, facts))).close()
    assert told == [("upgrade", {"sealed": 5}), ("upgrade", {"sealed": 10})]


def test_keep_7_who_was_forgotten_since_is_not_brought_along(path: Path) -> None:
    keys = UserKeys.beside(path)
    keys.destroy(USER.user_id)
    keys.close()
    before(path)
    with closing(SqliteStore(path)) as store:
        assert seen(store, lambda tx: tx.user(USER.user_id)) == replace(USER, name="", external_id=None)
        assert not [trace for trace in traces() if trace in files(path.parent)]
