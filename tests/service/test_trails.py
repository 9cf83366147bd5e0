"""The owner finds in the record what tells of somebody or something, by an index or without one alike."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest
from tests.store import values as v
from tests.store.contract import do

from deputize.protocol.entry import Entry
from deputize.protocol.ids import ClientId
from deputize.service import reading, record, trails
from deputize.service.ports import Reader, Tx
from deputize.service.reading import Sought
from deputize.store import recording, snapshot
from deputize.store.sqlite import SqliteStore

USERS = (v.user_id("a"), v.user_id("b"))
CAROL = v.user_id("c")
GRANT = v.grant_id("of some calls")
CALLS = 600
"""More than one page, each of two entries: one arrives, and the next one only names it."""


def fill(tx: Tx) -> None:
    for name in ("a", "b"):  # under whose keys their calls are sealed
        tx.add(v.user(name))
    for number in range(CALLS):
        sub, tool = USERS[number % 2], ("pay", "look")[number % 3 == 0]
        call = v.call(number, user_id=sub, tool=tool, client_id=ClientId("agt_x"))
        tx.add(call)
        told = {"call_id": call.call_id, "sub": sub, "tool": tool, "client_id": "agt_x"}
        told |= {"grant_id": GRANT} if number % 7 == 0 else {}
        tx.append(Entry("call.approved", told), v.NOW + number)
        code = "grant_revoked" if number % 5 == 0 else None
        tx.append(Entry("call.denied", {"call_id": call.call_id, "code": code}), v.NOW + number)
    # Who chose this name of a tool wants to be found as somebody's.
    tx.append(Entry("call.denied", {"call_id": "cal_x", "sub": CAROL, "tool": USERS[0]}), v.NOW + CALLS)


@pytest.fixture(scope="module", params=["not indexed", "half indexed", "indexed"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path_factory.mktemp("record") / "deputize.db")) as store:
        do(store, fill)
        steps = {"not indexed": 0, "half indexed": 1, "indexed": 100}[request.param]
        for _ in range(steps):
            do(store, trails.step)
        yield store


def found(store: SqliteStore, sought: Sought) -> list[int]:
    """Look page by page, both ways, which have to agree."""
    older, page = list[int](), store.look(lambda tx: reading.older(tx, sought))
    older += [line.entry.index for line in page.lines]
    while page.next is not None:
        page = store.look(partial(reading.older, sought=sought, before=page.next))
        older += [line.entry.index for line in page.lines]
    newer, start = list[int](), None
    while (page := store.look(partial(reading.newer, sought=sought, start=start))).next != start:
        newer += [line.entry.index for line in page.lines]
        start = page.next
    assert newer == older[::-1]
    return newer


def entries_of(*numbers: int) -> list[int]:
    return [index for number in numbers for index in (2 * number, 2 * number + 1)]


@pytest.mark.parametrize(
    ("sought", "indexes"),
    [
        (Sought(), [*range(2 * CALLS + 1)]),
        (Sought(user=USERS[0]), entries_of(*range(0, CALLS, 2))),
        (Sought(user=CAROL), [2 * CALLS]),
        (Sought(tool="look"), entries_of(*range(0, CALLS, 3))),
        (Sought(tool="look", user=USERS[1]), entries_of(*range(3, CALLS, 6))),
        (Sought(reason="grant_revoked", agent="agt_x"), [2 * n + 1 for n in range(0, CALLS, 5)]),
        (Sought(user=USERS[0], since=v.NOW + 590), entries_of(*range(590, CALLS, 2))),
        (Sought(since=v.NOW + CALLS), [2 * CALLS]),
        (Sought(since=v.NOW + CALLS + 1), []),
        (Sought(user="usr_nobody"), []),
        (Sought(text=v.call_id(599).upper()), entries_of(599)),
        (Sought(text="grant_REVOKED", tool="look"), [2 * n + 1 for n in range(0, CALLS, 15)]),
    ],
    ids=[*"abcdefghijkl"],
)
def test_what_is_looked_for_is_found_and_nothing_else(
    store: SqliteStore, sought: Sought, indexes: list[int]
) -> None:
    assert found(store, sought) == indexes


def test_a_trail_is_the_same_with_the_index_and_without(store: SqliteStore) -> None:
    def trail(about: str) -> list[int]:
        return [entry.index for entry in store.look(lambda tx: record.trail(tx, about))]

    assert trail(v.call_id(7)) == entries_of(7)
    assert trail(USERS[1]) == entries_of(*range(1, CALLS, 2))
    assert trail(CAROL) == [2 * CALLS]
    assert trail(GRANT) == entries_of(*range(0, CALLS, 7))  # with what only names the call


def test_a_look_for_two_things_that_seldom_meet_is_short_and_the_next_one_goes_on(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trails, "_SEEKS", 3)
    assert found(store, Sought(tool="look", user=USERS[1])) == entries_of(*range(3, CALLS, 6))
    assert found(store, Sought(tool="look", user=USERS[0], reason="grant_revoked")) == [
        2 * n + 1 for n in range(0, CALLS, 30)
    ]
    assert found(store, Sought(tool="look", user=CAROL)) == []


def test_what_is_remembered_of_calls_is_bounded_and_changes_nothing(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trails, "_KNOWN", 2)
    assert found(store, Sought(user=USERS[1])) == entries_of(*range(1, CALLS, 2))

    def known(tx: Reader) -> int:
        arrivals = trails.Arrivals(tx)
        for entry in tx.entries(0, 40):
            arrivals.whole(trails.told(entry))
        return len(arrivals._known)

    assert store.look(known) == 2


def test_the_index_is_never_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds two texts of one hash sees nothing of the other's."""
    for module in (snapshot, recording):
        monkeypatch.setattr(module, "hashed", lambda _: 1)
    with closing(SqliteStore(tmp_path / "deputize.db")) as store:
        for sub in (CAROL, USERS[0]):
            do(store, methodcaller("append", Entry("user.signed_in", {"sub": sub}), v.NOW))
        do(store, trails.step)
        assert found(store, Sought(user=CAROL)) == [0]
        assert [entry.index for entry in store.look(lambda tx: record.trail(tx, USERS[0]))] == [1]


def test_an_entry_whose_arrival_is_found_nowhere_is_still_listed(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "deputize.db")) as store:
        do(store, lambda tx: tx.append(Entry("call.denied", {"call_id": "cal_gone"}), v.NOW))
        do(store, trails.step)
        assert found(store, Sought()) == [0]
        assert found(store, Sought(user=USERS[0])) == []


def test_each_step_is_small(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "deputize.db")) as store:
        do(store, fill)
        sizes = list(iter(lambda: do(store, trails.step), 0))
        assert sizes == [500, 500, 201]
        assert store.look(lambda tx: tx.indexed()) == 2 * CALLS + 1
