"""What is kept no longer goes, in small steps that look at nothing else, and is in no file then (KEEP-1, KEEP-3)."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from tests.store import values as v
from tests.store.contract import do, prepare
from tests.store.values import NOW

from deputize.protocol.block import Block
from deputize.protocol.call import State
from deputize.protocol.constraint import Use
from deputize.protocol.credential import Credential
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.prompt import Decline, Quiet
from deputize.protocol.retention import DAY, Retention
from deputize.service.ports import Session, Tx, Wanted
from deputize.store import keeping
from deputize.store.sqlite import SqliteStore
from deputize.store.transaction import Transaction

SHORT = Retention(calls=30 * DAY, arguments=10 * DAY, refused=20 * DAY, grants=5 * DAY)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "deputize.db")) as store:
        do(store, prepare)
        yield store


def retired(store: SqliteStore, now: int, retention: Retention = SHORT) -> int:
    done = 0
    while step := do(store, lambda tx: tx.retire(retention, now)):
        done += step
    return done


def calls(store: SqliteStore) -> dict[State, bool]:
    """Tell which calls there are, and whether what was in them is."""
    listed = store.look(lambda tx: tx.calls(v.user_id(), Wanted(), 99, NOW)).calls
    return {call.state: call.tells for call in listed}


def test_keep_1_of_a_call_its_arguments_go_first_then_the_refused_then_all(store: SqliteStore) -> None:
    for state in (State.SUCCEEDED, State.DENIED, State.PENDING):
        do(store, methodcaller("add", v.call(state, state)))
    whole = {State.SUCCEEDED: True, State.DENIED: True, State.PENDING: True}
    waits = {State.PENDING: True}  # what has not ended is for CALL-4 to end
    for days, left in (
        (10, {**whole, State.SUCCEEDED: False, State.DENIED: False}),
        (20, {State.SUCCEEDED: False, **waits}),
        (30, waits),
    ):
        before = calls(store)
        assert retired(store, NOW + days * DAY - 1) == 0
        assert calls(store) == before
        assert retired(store, NOW + days * DAY) > 0
        assert calls(store) == left


def test_keep_1_what_is_made_of_arguments_goes_with_them(store: SqliteStore) -> None:
    call = v.call(state=State.SUCCEEDED)
    do(store, lambda tx: tx.add(call))
    retired(store, NOW + 10 * DAY)
    gone: dict[str, Any] = {
        "arguments": None,
        "args_s256": "",
        "match_key": None,
        "salt": b"",
        "description": None,
    }
    assert store.look(lambda tx: tx.call(call.call_id)) == replace(call, **gone)


def test_keep_1_for_good_is_for_good(store: SqliteStore) -> None:
    do(store, lambda tx: tx.add(v.call(state=State.DENIED)))
    assert retired(store, NOW + 10**9, Retention(None, None, None, None)) == 0
    assert calls(store) == {State.DENIED: True}


def test_keep_1_a_grant_stays_as_long_as_its_calls_and_as_what_hangs_on_it(store: SqliteStore) -> None:
    ended = {"state": GrantState.REVOKED, "expires_at": NOW}
    parent = v.grant("parent", **ended)
    child = v.grant("child", parent_id=parent.grant_id, **{**ended, "expires_at": NOW - 1})
    blocked = v.grant("blocked", **ended)
    lasting = v.grant("lasting", **{**ended, "expires_at": NOW + 1})

    def fill(tx: Tx) -> None:
        for grant in (parent, child, blocked, lasting):
            tx.add(grant)
        tx.take(parent.grant_id, Use("calls", 1, 9))
        tx.put(Block(v.user_id(), v.client_id(), NOW, None, blocked.grant_id))

    do(store, fill)
    assert retired(store, NOW + 30 * DAY - 2) == 0
    assert retired(store, NOW + 30 * DAY) == 2
    left = store.look(lambda tx: tx.of_user(Grant, v.user_id()))
    assert {grant.grant_id for grant in left} == {blocked.grant_id, lasting.grant_id}
    do(store, lambda tx: tx.lift_block(v.user_id(), v.client_id()))
    assert retired(store, NOW + 30 * DAY) == 1


def test_keep_1_each_step_is_small(store: SqliteStore) -> None:
    do(store, lambda tx: [tx.add(v.call(n, State.SUCCEEDED)) for n in range(keeping.STEP + 1)])
    late = NOW + 10 * DAY
    assert [do(store, lambda tx: tx.retire(SHORT, late)) for _ in range(3)] == [keeping.STEP, 1, 0]


def test_no_step_looks_at_what_stays(store: SqliteStore) -> None:
    plans: list[str] = []

    def explain(tx: Tx) -> None:
        assert isinstance(tx, Transaction)
        execute = tx._execute

        def explaining(statement: str, parameters: Any) -> Any:
            plans.extend(row[3] for row in execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())
            return execute(statement, parameters)

        keeping.retire(explaining, SHORT, NOW)
        keeping.forget(explaining, v.user_id("ada"))

    do(store, explain)
    assert plans
    scans = {plan for plan in plans if plan.startswith("SCAN")}
    assert scans == {
        "SCAN requests",
        "SCAN recoveries",
    }  # those of ten minutes, when somebody goes; a handful


def fill_of(tx: Tx, name: str) -> None:
    """Store something of every kind for a user, with words that nobody else has."""
    user = replace(v.user(name), name=f"Name of {name}", external_id=f"customer {name}")
    tx.add(user)
    whose = {"user_id": user.user_id}
    tx.add(v.credential(name, label=f"telephone of {name}", **whose))
    tx.add(v.session(name, **whose))
    tx.add_recovery(v.digest(("recovery", name)), user.user_id, NOW + 900)
    agent = v.agent(name, **whose)
    tx.add(agent)
    its = {"client_id": agent.client_id, "jkt": v.jkt(name), **whose}
    parent = v.grant(("parent", name), **its, shown={"user": f"shown to {name}"})
    tx.add(parent)
    tx.add(v.grant(("child", name), **its, parent_id=parent.grant_id))
    tx.take(parent.grant_id, Use("calls", 1, 9))
    tx.add(Decline(user.user_id, "browsers", NOW, NOW + 600))
    tx.put(Quiet(user.user_id, "browsers", NOW, NOW + 600))
    tx.put(Block(user.user_id, agent.client_id, NOW, None, parent.grant_id))
    for number in range(keeping.STEP + 50):  # pages are split and joined on the way
        made = {"client_id": agent.client_id, "page_jkt": v.jkt(name), **whose}
        secret = {"to": f"payee {number} of {name}", "pad": name * 40}
        tx.add(v.call((name, number), State.SUCCEEDED, **made, arguments=secret, args_s256=f"hash of {name}"))
    tx.add(v.challenge(name, owner=user.user_id, subject=f"challenge of {name}"))


def every_byte(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("deputize.db*"))


def test_keep_3_of_who_is_forgotten_no_byte_is_left_and_of_others_all(
    store: SqliteStore, tmp_path: Path
) -> None:
    names = ("Wilhelmina", "Theophrastus")
    for name in names:
        do(store, partial(fill_of, name=name))
    gone, stays = v.user_id(names[0]), v.user_id(names[1])
    marks = [name.encode() for name in names]
    ids = [gone.encode(), stays.encode()]
    assert not any(mark in every_byte(tmp_path) for mark in marks)  # KEEP-4
    assert all(every_byte(tmp_path).count(each) > 500 for each in ids)
    kept = [store.look(methodcaller("of_user", kind, stays)) for kind in (Grant, Session, Credential)]

    do(store, lambda tx: tx.hide(gone, NOW))
    assert store.look(lambda tx: tx.hidden()) == [gone]
    assert store.look(lambda tx: tx.user_by_external_id(f"customer {names[0]}")) is None
    assert store.look(lambda tx: tx.credentials(gone)) == []
    while do(store, lambda tx: tx.forget(gone)):
        pass
    assert store.look(lambda tx: tx.hidden()) == []
    assert asyncio.run(store.scrub())

    left = every_byte(tmp_path)
    assert gone.encode() not in left
    assert left.count(ids[1]) > 500
    assert kept == [store.look(methodcaller("of_user", kind, stays)) for kind in (Grant, Session, Credential)]
    assert len(store.look(lambda tx: tx.calls(stays, Wanted(), 999, NOW)).calls) == keeping.STEP + 50


def test_keep_1_arguments_that_went_are_in_no_file(store: SqliteStore, tmp_path: Path) -> None:
    do(store, lambda tx: fill_of(tx, "Wilhelmina"))
    with closing(store._connect("ro")) as reader:
        sealed = [blob for (blob,) in reader.execute("SELECT sealed FROM calls")]
        (name,) = reader.execute(
            "SELECT sealed FROM users WHERE user_id = ?", [v.user_id("Wilhelmina")]
        ).fetchone()
    assert all(blob in every_byte(tmp_path) for blob in sealed[:9])
    retired(store, NOW + 10 * DAY)
    assert asyncio.run(store.scrub())
    left = every_byte(tmp_path)
    assert not any(blob[:64] in left for blob in sealed)
    assert name in left


def test_who_reads_for_long_keeps_old_pages_and_it_is_told(store: SqliteStore, tmp_path: Path) -> None:
    with closing(store._connect("ro", 0)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM users").fetchall()
        do(store, lambda tx: tx.add(v.user("late")))
        assert not asyncio.run(store.scrub())
    assert asyncio.run(store.scrub())
