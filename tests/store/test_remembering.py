"""What the writing connection remembers is what is there: in each transaction, after each write, whoever wrote."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from tests.store import values as v
from tests.store.contract import Oops, do, do_all, glanced, prepare, raising, seen
from tests.store.values import NOW

from deputize.protocol.call import State
from deputize.protocol.canonical import Json
from deputize.protocol.constraint import Constraints
from deputize.protocol.grant import GrantState
from deputize.protocol.prompt import Quiet
from deputize.protocol.question import Question, Surface, Text
from deputize.protocol.quota import Rate
from deputize.protocol.retention import Retention
from deputize.service.ports import Reader, Tx
from deputize.store import remembering, transaction, writer
from deputize.store.remembering import Remembering
from deputize.store.snapshot import Snapshot
from deputize.store.sqlite import SqliteStore

SESSION = v.session(sid="https://site.example s1")
GRANT = v.grant(state=GrantState.ACTIVE)
CALL = v.call(state=State.PENDING)
APPROVED = replace(
    CALL, state=State.APPROVED, deadline=NOW + 99, entry=5, challenge_id=v.challenge_id(), method="webauthn"
)
CHALLENGE = v.challenge()
QUESTION = Question(
    {"kind": "call"}, v.user_id(), NOW + 60, Text("en", ("Send it?",)), ("webauthn",), Surface.PAGE
)
QUIET = Quiet(v.user_id(), "browsers", NOW, NOW + 60)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "deputize.db")) as store:
        do(store, prepare)
        do(store, lambda tx: [tx.add(each) for each in (SESSION, v.credential(), GRANT, CALL)])
        do(store, lambda tx: tx.ask(CHALLENGE, QUESTION))
        do(store, lambda tx: tx.put(QUIET))
        yield store


def told(reader: Reader) -> tuple[object, ...]:
    """Read what is remembered."""
    return (
        reader.user(v.user_id()),
        reader.session(v.digest("session")),
        reader.agent(v.client_id()),
        reader.grant(v.grant_id()),
        reader.credentials(v.user_id()),
        reader.call(v.call_id()),
        reader.challenge(v.challenge_id()),
        reader.quiet(v.user_id(), NOW),
        reader.quiet(v.user_id("bob"), NOW),
    )


def there(tx: Tx) -> tuple[object, ...]:
    """Read the same from the database."""
    assert isinstance(tx, Remembering)
    return told(Snapshot(tx._plainly, tx._keys))


WRITES: dict[str, Callable[[Tx], object]] = {
    "window opened": lambda tx: tx.open_enrollment(v.user_id(), NOW + 300),
    "agents paused": lambda tx: tx.pause(v.user_id(), NOW),
    "session ended": lambda tx: tx.end_session(v.digest("session")),
    "sessions ended": lambda tx: tx.end_sessions(v.user_id()),
    "sessions elsewhere ended": lambda tx: tx.end_sessions_of("https://site.example s1"),
    "all under way cut off": lambda tx: tx.cut(NOW),
    "grant suspended": lambda tx: tx.move_grant(v.grant_id(), GrantState.SUSPENDED, NOW),
    "sessions swept": lambda tx: tx.sweep(NOW + 10**6),
    "agent revoked": lambda tx: tx.revoke_agent(v.client_id(), NOW),
    "agent renamed": lambda tx: tx.put(v.agent(name="Another")),
    "grant revoked": lambda tx: tx.move_grant(v.grant_id(), GrantState.REVOKED, NOW),
    "grant renewed": lambda tx: tx.rotate_refresh(v.grant_id(), GRANT.refresh_generation, NOW, 0),
    "definitions learned": lambda tx: tx.know_definitions(GRANT, {"note": ["A"]}),
    "passkey added": lambda tx: tx.add(v.credential("another")),
    "passkey removed": lambda tx: tx.remove_credential(v.credential().credential_id, v.user_id()),
    "call approved": lambda tx: tx.move_call(APPROVED, State.PENDING, NOW),
    "call ended": lambda tx: tx.move_call(replace(CALL, state=State.DECLINED), State.PENDING, NOW),
    "call carried on": lambda tx: tx.carry_call(replace(CALL, entry=7)),
    "call delivered": lambda tx: tx.mark_delivered([v.call_id()], v.user_id(), v.jkt()),
    "arguments retired": lambda tx: [
        tx.move_call(replace(CALL, state=State.EXPIRED), State.PENDING, NOW + 10**6),
        tx.retire(Retention(arguments=1), NOW + 10**6),
    ],
    "challenge used": lambda tx: tx.consume_challenge(CHALLENGE, NOW),
    "challenge failed": lambda tx: tx.fail_challenge(v.challenge_id()),
    "challenge dropped": lambda tx: tx.drop_challenge(v.challenge_id()),
    "quiet made longer": lambda tx: tx.put(replace(QUIET, until=NOW + 90)),
    "quiet ended": lambda tx: tx.end_quiet(v.user_id(), "browsers"),
    "another made quiet": lambda tx: tx.put(replace(QUIET, user_id=v.user_id("bob"))),
    "user hidden": lambda tx: tx.hide(v.user_id(), NOW),
    "counter stored": lambda tx: tx.advance_counter(v.credential(), v.credential().sign_count + 1),
}


FOR_GOOD: dict[str, Callable[[Tx], object]] = {
    "user forgotten": lambda tx: tx.forget(v.user_id()),
    "key destroyed": lambda tx: tx.destroy_key(v.user_id()),
}


@pytest.mark.parametrize("write", [*WRITES.values(), *FOR_GOOD.values()], ids=[*WRITES, *FOR_GOOD])
def test_what_a_transaction_writes_it_reads(store: SqliteStore, write: Callable[[Tx], object]) -> None:
    def run(tx: Tx) -> tuple[object, ...]:
        before = told(tx)
        assert before == there(tx)
        write(tx)
        assert told(tx) == there(tx) != before
        return told(tx)

    assert do(store, told) == do(store, there)
    after = do(store, run)
    assert do(store, told) == do(store, there) == after


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_another_process_writes_the_next_transaction_reads(
    store: SqliteStore, tmp_path: Path, write: Callable[[Tx], object]
) -> None:
    before = do(store, told)
    with closing(SqliteStore(tmp_path / "deputize.db")) as other:
        do(other, write)
    assert do(store, told) == do(store, there) != before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_was_undone_is_not_remembered(store: SqliteStore, write: Callable[[Tx], object]) -> None:
    before = do(store, told)
    with pytest.raises(Oops):
        do(store, raising(Oops(), lambda tx: (write(tx), told(tx))))
    assert do(store, told) == do(store, there) == before


def test_what_a_lost_batch_has_read_is_not_remembered(store: SqliteStore) -> None:
    before = do(store, told)
    tx, connection = store._writer._tx, store._writer._connection
    connection.execute("BEGIN IMMEDIATE")
    tx.begin()
    tx.move_grant(v.grant_id(), GrantState.REVOKED, NOW)
    assert told(tx) != before
    connection.execute("ROLLBACK")
    assert do(store, told) == do(store, there) == before


def test_a_read_again_asks_the_database_for_nothing(store: SqliteStore) -> None:
    asked: list[str] = []
    do(store, told)
    store._writer._connection.set_trace_callback(asked.append)
    do(store, told)
    assert [each for each in asked if " FROM " in each and "log_head" not in each] == []


def test_strangers_cannot_make_it_remember_more_and_more(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "_MOST", 3)
    do(store, lambda tx: [tx.add(v.session(number)) for number in range(8)])

    def read(tx: Tx) -> int:
        assert isinstance(tx, Remembering)
        found = [tx.session(v.digest(number)) for number in (*range(8), "none", "nor this")]
        assert found == [*(v.session(number) for number in range(8)), None, None]
        return len(tx._rows["sessions"])

    assert do(store, read) <= 3


@pytest.mark.parametrize("size", [1, 5000])
def test_what_takes_much_memory_is_read_anew(store: SqliteStore, size: int) -> None:
    """As many rows as are remembered would take hundreds of MB of it: agents choose arguments, and limits."""
    schema: Json = {"properties": {"name": {"const": "x" * min(size, 2000)}}}
    limits = Constraints.parse([{"type": "webmcp_tool", "tool": "pay", "schema": schema}])
    grant = v.grant("large", jkt=v.jkt("large"), constraints=limits)
    call = v.call("large", arguments={"name": "x" * size}, state=State.PENDING, deadline=NOW + 60)

    def read(tx: Tx) -> tuple[bool, bool]:
        assert isinstance(tx, Remembering)
        assert (tx.grant(grant.grant_id), tx.call(call.call_id)) == (grant, call)
        return grant.grant_id in tx._rows["grants"], call.call_id in tx._rows["calls"]

    do(store, lambda tx: [tx.add(grant), tx.add(call)])
    assert do(store, read) == (size == 1, size == 1)


def test_what_is_not_there_takes_no_room(store: SqliteStore) -> None:
    def read(tx: Tx) -> int:
        assert isinstance(tx, Remembering)
        assert tx.session(v.digest("none")) is None
        assert tx.credentials(v.user_id("eve")) == []
        return len(tx._rows["sessions"]) + len(tx._rows["credentials"])

    assert do(store, read) == 0


def test_what_a_use_case_does_to_a_list_is_not_remembered(store: SqliteStore) -> None:
    do(store, lambda tx: tx.credentials(v.user_id()).clear())
    assert do(store, told) == do(store, there)


def test_a_statement_that_does_not_say_what_it_changes_may_change_anything() -> None:
    assert set(remembering._changed_by("WITH a AS (SELECT 1) DELETE FROM users")) == set(remembering._KEYS)
    assert remembering._changed_by("DELETE FROM users") == ("users",)
    assert remembering._changed_by("SELECT 1") == ()
    assert remembering._changed_by("INSERT OR IGNORE INTO trails VALUES (1)") == ()


def _statements(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (each for inner in value.values() for each in _statements(inner))
    elif isinstance(value, list):
        yield from (each for inner in value for each in _statements(inner))


def test_a_statement_that_is_given_a_key_changes_the_rows_of_that_key_only() -> None:
    found = 0
    for statement in _statements([value for name, value in vars(transaction).items() if name.isupper()]):
        for table in remembering._changed_by(statement) if remembering._WRITES.match(statement) else ():
            key, column = remembering._KEYS[table]
            if new := re.match(r"INSERT INTO \w+ \( (.*?) \) VALUES \( \?", statement):
                assert new[1].split(", ")[column] == key, statement
                found += 1
            if re.search(rf":{key}\b", statement):
                assert re.search(rf"\bWHERE\b.*\b{key} = :{key}\b(?! OR)", statement, re.DOTALL), statement
                found += 1
    assert found >= 20


def test_a_glance_asks_the_database_for_what_is_not_remembered_only(
    store: SqliteStore, tmp_path: Path
) -> None:
    def known(reader: Reader) -> tuple[object, ...]:
        return (
            reader.user(v.user_id()),
            reader.session(v.digest("session")),
            reader.credentials(v.user_id()),
            reader.call(v.call_id()),
            reader.challenge(v.challenge_id()),
        )

    asked: list[str] = []
    store._reader().set_trace_callback(asked.append)
    store._writer.memory._forget_all()
    before = glanced(store, known)
    assert None not in before
    assert len(asked) == 7  # with BEGIN and COMMIT
    do(store, told)
    asked.clear()
    assert glanced(store, known) == before
    assert asked == []
    with closing(SqliteStore(tmp_path / "deputize.db")) as other:
        do(other, WRITES["session ended"])
    assert glanced(store, known) == before != seen(store, known)


class TestSavepoints:
    """There are none until a function fails; then for a while."""

    @pytest.fixture
    def asked(self, store: SqliteStore) -> list[str]:
        asked: list[str] = []
        store._writer._connection.set_trace_callback(asked.append)
        return asked

    def test_functions_that_succeed_need_none(self, store: SqliteStore, asked: list[str]) -> None:
        do_all(store, [lambda tx: tx.use_proof(v.proof(1)), lambda tx: tx.use_proof(v.proof(2))])
        assert not [each for each in asked if "SAVEPOINT" in each]

    def test_one_that_fails_is_undone_alone_and_run_twice_at_most(
        self, store: SqliteStore, asked: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writer, "WARY", 3)
        runs = Counter[str]()

        def used(name: str) -> Callable[[Tx], bool]:
            def run(tx: Tx) -> bool:
                runs[name] += 1
                tx.append(v.entry(name), NOW)
                return tx.use_proof(v.proof(name))

            return run

        def all_three(turn: int) -> list[Any]:
            wanted = used(f"a{turn}"), raising(Oops(), used(f"b{turn}")), used(f"c{turn}")
            return do_all(store, list(wanted))

        before = seen(store, lambda reader: reader.head().size)
        for turn in range(3):
            first, failed, last = all_three(turn)
            assert (first, last) == (True, True)
            assert isinstance(failed, Oops)
            assert do(store, methodcaller("use_proof", v.proof(f"b{turn}"))) is True
        assert seen(store, lambda reader: reader.head().size) == before + 6
        assert max(runs.values()) == 2
        # Three batches are run so, of which the first is the one that failed.
        assert [runs[f"a{turn}"] for turn in range(3)] == [2, 1, 2]

    def test_who_is_counted_ahead_is_not_counted_twice(self, store: SqliteStore) -> None:
        rate = Rate(3, 60)

        def take(tx: Tx) -> int:
            return tx.take_quota("q", rate, NOW, 3)

        assert do_all(store, [take, raising(Oops(), take)])[0] == 0
        assert do_all(store, [take, take, take])[:2] == [0, 0]
        assert do(store, take) > 0
