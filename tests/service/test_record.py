"""LOG-3 and LOG-4: whatever is done to a real file behind the store's back shows, and where is told."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.service.agents import code_of
from tests.service.kit import SITE

from deputize.crypto import note
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.entry import Entry
from deputize.protocol.errors import Refusal
from deputize.protocol.ids import Jkt
from deputize.protocol.merkle import EMPTY_ROOT, Frontier, leaf_hash
from deputize.protocol.merkle import root as root_of
from deputize.protocol.proof import Proof
from deputize.protocol.tiles import bundle
from deputize.service import record, trails
from deputize.service.moment import Moment
from deputize.service.ports import Tx
from deputize.service.record import Fault, Report, Signed
from deputize.store.sqlite import SqliteStore

NOW = 1_800_000_000
ORIGIN = "site.example/deputize"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
SIZE = 23

Tamper = Callable[[sqlite3.Connection], object]


def sign(body: str) -> str:
    return note.sign(body, ORIGIN, KEY)


def fill(tx: Tx, size: int = SIZE) -> None:
    for number in range(tx.head().size, size):
        tx.append(Entry("call.approved", {"call_id": f"cal_{number}", "amount": number / 4}), NOW + number)


def transact(path: Path, fn: Callable[[Tx], object]) -> None:
    with closing(SqliteStore(path)) as store:
        asyncio.run(store.transact(fn))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deputize.db"
    transact(path, fill)
    return path


@pytest.fixture
def kept(path: Path) -> dict[str, Checkpoint]:
    """What somebody keeps who asked for a checkpoint at some sizes."""
    with closing(SqliteStore(path)) as store:
        leaves = [entry.leaf_hash for entry in store.look(lambda tx: tx.entries(0, SIZE))]
    return {f"the one of {size}": Checkpoint(ORIGIN, size, root_of(leaves[:size])) for size in (0, 8, 12, 20)}


def tamper(path: Path, how: Tamper) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        how(connection)


def check(path: Path, checkpoints: dict[str, Checkpoint] | None = None) -> Report:
    with closing(SqliteStore(path)) as store:
        return store.look(lambda tx: record.verify(tx, checkpoints or {}))


def fault(path: Path, checkpoints: dict[str, Checkpoint] | None = None) -> Fault:
    found = check(path, checkpoints).fault
    assert found is not None
    return found


def leaf(number: int, **others: object) -> bytes:
    told = {"v": 1, "i": number, "t": NOW, "kind": "call.approved", "call_id": "cal_forged", **others}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def put(number: int, data: bytes, digest: bytes | None = None) -> Tamper:
    """Put an entry in the place of another, with its own hash if no other is given."""
    row = (number, data, digest or leaf_hash(data))
    return lambda db: db.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", row)


def cut(number: int) -> Tamper:
    return lambda db: db.execute("UPDATE entries SET leaf = substr(leaf, 2) WHERE idx = ?", (number,))


def drop(first: int, last: int) -> Tamper:
    return lambda db: db.execute("DELETE FROM entries WHERE idx BETWEEN ? AND ?", (first, last))


def rehead(db: sqlite3.Connection) -> None:
    """Make the stored head anew, over whatever entries are there."""
    head = Frontier()
    for (digest,) in db.execute("SELECT leaf_hash FROM entries ORDER BY idx"):
        head = head.append(digest)
    db.execute("UPDATE log_head SET frontier = ?", (head.to_bytes(),))


def both(*hows: Tamper) -> Tamper:
    return lambda db: [how(db) for how in hows]


def swap(one: int, other: int) -> Tamper:
    return both(
        lambda db: db.execute("UPDATE entries SET idx = -1 WHERE idx = ?", (one,)),
        lambda db: db.execute("UPDATE entries SET idx = ? WHERE idx = ?", (one, other)),
        lambda db: db.execute("UPDATE entries SET idx = ? WHERE idx = -1", (other,)),
    )


# A record that nobody touched


def test_a_whole_record_is_found_whole(path: Path, kept: dict[str, Checkpoint]) -> None:
    report = check(path, kept)
    with closing(SqliteStore(path)) as store:
        head = store.look(lambda tx: tx.head())
    assert report == Report(SIZE, head.root(), 20, None)
    assert check(path) == Report(SIZE, head.root(), 0, None)


def test_an_empty_record_is_whole(tmp_path: Path) -> None:
    nothing = {"the first": Checkpoint(ORIGIN, 0, EMPTY_ROOT)}
    assert check(tmp_path / "deputize.db", nothing) == Report(0, EMPTY_ROOT, 0, None)


def test_a_record_of_many_pages_is_walked_through(path: Path) -> None:
    transact(path, lambda tx: fill(tx, 2 * 1000 + 5))
    assert check(path).size == 2005
    tamper(path, put(2001, leaf(2001), bytes(32)))
    assert fault(path).first == 2001


def test_another_hash_than_the_entries_have_shows_where_it_is_stored_for_a_tile(path: Path) -> None:
    """LOG-3: proofs are made of what is stored, so a whole record under a wrong hash would be proven to nobody."""
    transact(path, lambda tx: fill(tx, 600))
    tamper(path, lambda db: db.execute("UPDATE tiles SET hash = zeroblob(32) WHERE level = 1 AND idx = 1"))
    found = fault(path)
    assert (found.first, found.last) == (256, 511)
    assert "another hash than the one that is stored for tile" in found.what


def test_the_history_of_an_agent_with_many_calls_is_read_in_one_go(tmp_path: Path) -> None:
    """LOG-5: an agent that calls often makes nobody wait for hours who wants to know what it did."""

    def steps(calls: int) -> int:
        """Count what Python is asked to do to find what an agent did that made so many calls."""
        counted = count()

        def call_often(tx: Tx) -> None:
            for number in range(calls):
                call_id = f"cal_{number:022}"
                tx.append(Entry("call.pending", {"call_id": call_id, "client_id": "agt_often"}), NOW)

        path = tmp_path / f"{calls}.db"
        transact(path, call_often)
        with closing(SqliteStore(path)) as store:
            sys.setprofile(lambda *_: next(counted))
            try:
                found = store.look(lambda tx: record.trail(tx, "agt_often"))
            finally:
                sys.setprofile(None)
        assert len(found) == calls
        return next(counted)

    assert steps(2000) < 2.5 * steps(1000)


# A record that somebody touched. Without any checkpoint, where all else was left alone:


@pytest.mark.parametrize(
    ("how", "first", "what"),
    [
        (put(5, leaf(5), bytes(32)), 5, "was changed: the hash"),  # a leaf, or its hash
        (cut(9), 9, "was changed: the hash"),
        (put(0, leaf(0), bytes(32)), 0, "was changed: the hash"),
        (drop(7, 7), 7, "is missing"),
        (drop(0, 0), 0, "is missing"),
        (drop(SIZE - 1, SIZE - 1), SIZE - 1, "is missing: the stored head"),
        (drop(4, SIZE), 4, "is missing: the stored head"),
        (drop(0, SIZE), 0, "is missing: the stored head"),
        (swap(3, 11), 3, "does not tell its own index"),
        (put(SIZE, leaf(SIZE)), SIZE, "was added: the stored head"),
        (put(SIZE + 5, leaf(SIZE + 5)), SIZE, "is missing"),
        (put(-1, leaf(-1)), None, None),  # below what is ever read: no part of the record
        (put(6, b"not json"), 6, "is not JSON"),
        (put(6, b"[6]"), 6, "does not tell its own index"),
        (put(6, leaf(7)), 6, "does not tell its own index"),
        (put(6, leaf(6).replace(b",", b", ", 1)), 6, "is not in canonical form"),
        (put(6, leaf(6)[:-1] + b',"v":2}'), 6, "is not in canonical form"),
    ],
)
def test_the_first_bad_entry_is_named(path: Path, how: Tamper, first: int | None, what: str | None) -> None:
    tamper(path, how)
    report = check(path)
    if first is None or what is None:
        assert report.fault is None
        return
    assert report.fault is not None
    assert (report.fault.first, report.fault.last) == (first, first)
    assert report.fault.what.startswith(what)
    assert str(report.fault).startswith(f"entry {first} {what}")


def test_an_entry_inserted_among_others_shows_at_its_place(path: Path) -> None:
    def insert(db: sqlite3.Connection) -> None:
        db.execute("UPDATE entries SET idx = -idx - 1 WHERE idx >= 10")
        db.execute("UPDATE entries SET idx = -idx WHERE idx < 0")
        put(10, leaf(10))(db)

    tamper(path, both(insert, rehead))
    assert fault(path).first == 11  # the first that does not tell its own index
    assert fault(path).what == "does not tell its own index"


def test_an_entry_changed_with_its_hash_shows_against_the_head(path: Path) -> None:
    tamper(path, put(5, leaf(5)))
    found = fault(path)
    assert (found.first, found.last) == (0, SIZE - 1)
    assert str(found).startswith(
        f"one of the entries 0 to {SIZE - 1} was changed with its hash: the stored head"
    )


@pytest.mark.parametrize(
    "frontier",
    [
        b"",
        b"\0" * 7,
        (SIZE).to_bytes(8, "big"),
        (SIZE).to_bytes(8, "big") + bytes(32 * 4 - 1),
    ],
)
def test_a_head_that_is_none_shows(path: Path, frontier: bytes, kept: dict[str, Checkpoint]) -> None:
    tamper(path, lambda db: db.execute("UPDATE log_head SET frontier = ?", (frontier,)))
    assert str(fault(path, kept)) == "the stored head is damaged"
    tamper(path, put(5, leaf(5), bytes(32)))
    assert fault(path, kept).first == 5


def test_another_head_than_the_records_shows(path: Path) -> None:
    forged = Frontier(SIZE, (bytes(32),) * SIZE.bit_count())
    tamper(path, lambda db: db.execute("UPDATE log_head SET frontier = ?", (forged.to_bytes(),)))
    assert fault(path).what.startswith("was changed with its hash: the stored head")


def test_a_head_set_back_shows(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        leaves = [entry.leaf_hash for entry in store.look(lambda tx: tx.entries(0, 9))]
    earlier = Frontier()
    for digest in leaves:
        earlier = earlier.append(digest)
    tamper(path, lambda db: db.execute("UPDATE log_head SET frontier = ?", (earlier.to_bytes(),)))
    assert str(fault(path)) == "entry 9 was added: the stored head is of 9 entries"


def test_a_head_that_is_gone_shows(path: Path) -> None:
    tamper(path, lambda db: db.execute("DELETE FROM log_head"))
    assert fault(path).first == 0


# Everything made anew, consistently: only a checkpoint that was kept elsewhere tells.


@pytest.mark.parametrize(
    ("changed", "first", "last", "who"),
    [(3, 0, 7, "of 8"), (8, 8, 11, "of 12"), (11, 8, 11, "of 12"), (15, 12, 19, "of 20")],
)
def test_log_4_an_older_checkpoint_tells_between_which_entries_it_was(
    path: Path, kept: dict[str, Checkpoint], changed: int, first: int, last: int, who: str
) -> None:
    tamper(path, both(put(changed, leaf(changed)), rehead))
    assert check(path).fault is None
    report = check(path, kept)
    assert report.fault is not None
    assert (report.fault.first, report.fault.last, report.signed) == (first, last, first)
    assert who in report.fault.what


def test_log_4_what_came_after_every_checkpoint_is_vouched_for_by_nobody(
    path: Path, kept: dict[str, Checkpoint]
) -> None:
    tamper(path, both(put(21, leaf(21)), rehead))
    report = check(path, kept)
    assert (report.fault, report.signed) == (None, 20)


def test_log_4_a_checkpoint_of_each_size_names_the_very_entry(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        leaves = [entry.leaf_hash for entry in store.look(lambda tx: tx.entries(0, SIZE))]
    every = {str(size): Checkpoint(ORIGIN, size, root_of(leaves[:size])) for size in range(SIZE + 1)}
    for changed in (SIZE - 1, 14, 0):
        tamper(path, both(put(changed, leaf(changed)), rehead))
        found = fault(path, every)
        assert (found.first, found.last) == (changed, changed)


def test_log_4_a_record_made_anew_from_nothing_shows(path: Path, kept: dict[str, Checkpoint]) -> None:
    tamper(path, both(*(put(number, leaf(number)) for number in range(SIZE)), rehead))
    assert check(path).fault is None
    assert (fault(path, kept).first, fault(path, kept).last) == (0, 7)


def test_log_4_a_record_cut_short_shows(path: Path, kept: dict[str, Checkpoint]) -> None:
    tamper(path, both(drop(15, SIZE), rehead))
    assert check(path).fault is None
    assert str(fault(path, kept)) == "entry 15 is missing: the one of 20 is of 20 entries"


def test_log_4_an_unsigned_head_does_not_narrow_what_a_checkpoint_says(
    path: Path, kept: dict[str, Checkpoint]
) -> None:
    """A forger's own head, over fewer entries, must not move the blame past what he changed."""
    tamper(path, both(put(13, leaf(13)), drop(16, SIZE), rehead))
    with closing(sqlite3.connect(path)) as db:
        (head,) = db.execute("SELECT frontier FROM log_head").fetchone()
    transact(path, fill)
    tamper(path, lambda db: db.execute("UPDATE log_head SET frontier = ?", (head,)))
    assert (fault(path, kept).first, fault(path, kept).last) == (12, 19)


def test_a_checkpoint_of_nothing_with_a_root_shows(path: Path) -> None:
    odd = {"odd": Checkpoint(ORIGIN, 0, bytes(32))}
    assert fault(path, odd).what.endswith("odd of 0 entries has another root")


def test_log_9_an_entry_that_is_hidden_from_who_looks_for_its_call_shows(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        asyncio.run(store.transact(trails.step))
    tamper(path, lambda db: db.execute("DELETE FROM trails WHERE idx IN (9, 17)"))
    assert str(fault(path)) == "entry 9 is not found by “about cal_9”"


# Checkpoints and proofs


def kept_of(tx: Tx) -> Signed:
    return record.keep(tx, record.signed(tx, ORIGIN, sign), lambda note: True)


def test_log_3_a_signed_checkpoint_is_of_the_head_and_is_kept(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        signed = asyncio.run(store.transact(kept_of)).note
        head, kept = store.look(lambda tx: (tx.head(), tx.checkpoints()))
    body = note.open_note(signed, [note.Verifier(ORIGIN, KEY.public_key())])
    assert Checkpoint.parse(body) == Checkpoint(ORIGIN, SIZE, head.root())
    assert kept == [signed]
    assert check(path, {"kept": Checkpoint.parse(body)}).signed == SIZE


def test_log_10_nobody_is_shown_less_than_another_process_has_shown(store: SqliteStore) -> None:
    def do(fn: Callable[[Tx], Signed]) -> Signed:
        return asyncio.run(store.transact(fn))

    ours: Callable[[str], bool] = "ours".__eq__
    assert do(lambda tx: record.keep(tx, Signed(5, "ours"), ours)) == Signed(5, "ours")
    assert do(lambda tx: record.keep(tx, Signed(4, "late"), ours)) == Signed(5, "ours")
    assert store.look(lambda tx: record.newer(tx, Signed(4, "late"), ours)) == Signed(5, "ours")
    assert do(lambda tx: record.keep(tx, Signed(5, "cosigned\n"), ours)) == Signed(5, "cosigned\n")
    assert store.look(lambda tx: tx.checkpoints()) == ["ours", "cosigned\n"]
    # What is the last one by now is of another key: of a record that was here before, for all that is known.
    assert do(lambda tx: record.keep(tx, Signed(3, "ours"), ours)) == Signed(3, "ours")


def test_a_checkpoint_that_cannot_be_signed_is_not_kept(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        with pytest.raises(ValueError, match="one line"):
            store.look(lambda tx: record.signed(tx, "two\nlines", sign))
        assert store.look(lambda tx: tx.checkpoints()) == []


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as store:
        yield store


@pytest.mark.parametrize("width", [-1, 0, 1, SIZE, SIZE + 1])
def test_a_tile_and_the_entries_under_it_have_as_many_as_there_are(
    store: SqliteStore, width: int
) -> None:  # LOG-7, LOG-8
    at, proof = Moment(SITE, os.urandom, NOW), Proof(Jkt("key"), f"of {width}", NOW + 60)
    entries = store.look(lambda tx: tx.entries(0, SIZE))

    def bundled(number: int, proof: Proof) -> bytes | Refusal:
        return asyncio.run(store.transact(lambda tx: record.bundle(tx, at, proof, number, width)))

    found = bundled(0, proof)
    if 0 < width <= SIZE:
        assert store.look(lambda tx: record.tile(0, 0, width, tx)) == [
            each.leaf_hash for each in entries[:width]
        ]
        assert found == bundle(each.leaf for each in entries[:width])
    else:
        with pytest.raises(ValueError, match="no such tile"):
            store.look(lambda tx: record.tile(0, 0, width, tx))
        assert code_of(found) == "not_found"
    assert code_of(bundled(0, proof)) == "invalid_dpop_proof"  # PROOF-2
    assert code_of(bundled(1, replace(proof, jti=f"another of {width}"))) == "not_found"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 16, SIZE])
def test_each_entry_is_proven_at_each_size(store: SqliteStore, size: int) -> None:
    entries = store.look(lambda tx: tx.entries(0, size))
    root = root_of([entry.leaf_hash for entry in entries])
    indexes = [entry.index for entry in entries]
    receipt = store.look(partial(record.prove, indexes=indexes, signed=Signed(size, "")))
    assert [proven.leaf for proven in receipt.entries] == [entry.leaf for entry in entries]
    assert receipt.unproven(Checkpoint(ORIGIN, size, root)) == []


@pytest.mark.parametrize(("index", "size"), [(0, SIZE + 1), (5, 5), (-1, 5), (0, 0), (0, -1)])
def test_what_is_not_there_is_not_proven(store: SqliteStore, index: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"there is no entry|is missing"):
        store.look(lambda tx: record.prove(tx, [index], Signed(size, "")))


def test_nothing_is_proven_across_a_gap(path: Path) -> None:
    tamper(path, drop(7, 7))
    with (
        closing(SqliteStore(path)) as store,
        pytest.raises(ValueError, match="one of the entries 0 to 21 is missing"),
    ):
        store.look(lambda tx: record.prove(tx, [2], Signed(SIZE - 1, "")))
