"""LOG-4: `deputize log verify` recomputes everything and names the first bad entry."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deputize.cli import app
from deputize.crypto import note
from deputize.crypto.keys import KeyRing
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.entry import Entry
from deputize.protocol.merkle import Frontier, leaf_hash
from deputize.service.ports import Tx
from deputize.store import recording
from deputize.store.sqlite import SqliteStore

ORIGIN = "localhost:8000/deputize"  # of the policy that `init` writes
run = CliRunner().invoke


@pytest.fixture(autouse=True)
def _ten_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a record of ten entries, with checkpoints over four and over eight of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recording, "urandom", bytes)  # so that these tests know each hash
    run(app, ["init"])
    Path("var").mkdir()
    KeyRing.open(Path("var/keys.json"))
    store = SqliteStore(Path("var/deputize.db"))

    def fill(tx: Tx) -> None:
        for index in range(10):
            tx.append(Entry("call.approved", {"call_id": f"cal_{index}"}), 1_700_000_000)
            if index in (3, 7):
                tx.add_checkpoint(index + 1, signed(tx.head()))

    asyncio.run(store.transact(fill))
    store.close()


def signed(head: Frontier, origin: str = ORIGIN, key: KeyRing | None = None) -> str:
    key = key or KeyRing(Path("var/keys.json"))
    return note.sign(Checkpoint(origin, head.size, head.root()).body(), origin, key.record_key())


def tamper(statement: str, **parameters: object) -> None:
    """Change the database as whoever can write the file could."""
    connection = sqlite3.connect("var/deputize.db")
    with connection:
        for trigger in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger[0]}")
        assert connection.execute(statement, parameters).rowcount
    connection.close()


def leaf(index: int, call_id: str) -> bytes:
    return Entry("call.approved", {"call_id": call_id}).leaf(index, 1_700_000_000, bytes(16))


def verdict(*options: str) -> tuple[int, str]:
    result = run(app, ["log", "verify", *options])
    assert (result.exit_code == 0) == bool(result.stdout)
    return result.exit_code, result.stdout or result.stderr


def tree(size: int) -> Frontier:
    head = Frontier()
    for index in range(size):
        head = head.append(leaf_hash(leaf(index, f"cal_{index}")))
    return head


def test_a_whole_record_is_said_to_be_whole() -> None:
    code, told = verdict()
    assert code == 0
    assert told.startswith("The record is whole. Entries: 10, 8 of them signed. Root: ")
    assert run(app, ["log", "verify"]).stderr == (
        "Whether entries are missing at its end is not known: var/checkpoint has no checkpoint of this record, and "
        "none that was kept elsewhere was given by --checkpoint.\n"
    )


def test_head_1_it_is_compared_with_the_checkpoint_that_left_it() -> None:
    Path("var/checkpoint").write_text(signed(tree(10)))
    told = run(app, ["log", "verify"])
    assert (told.exit_code, told.stderr) == (
        0,
        "It goes on from the 10 entries of the newest checkpoint, var/checkpoint.\n",
    )
    Path("var/checkpoint").write_text(signed(tree(16)))
    assert verdict() == (
        1,
        "deputize: entry 10 is missing: the newest checkpoint, var/checkpoint, is of 16 entries\n",
    )
    Path("policy.toml").write_text(Path("deputize.toml").read_text() + '[record]\nhead = "/nowhere/head"\n')
    assert verdict("--policy", "policy.toml")[0] == 1  # a disk that is not there tells nothing


def test_a_checkpoint_that_was_kept_elsewhere_is_met() -> None:
    Path("kept.txt").write_text(signed(tree(6)))
    Path("more.txt").write_text(signed(tree(10)))
    result = run(app, ["log", "verify", "--checkpoint", "kept.txt", "--checkpoint", "more.txt"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("The record is whole. Entries: 10, 10 of them signed.")


def test_an_empty_record_is_said_to_be_whole() -> None:
    Path("empty").mkdir()
    KeyRing.open(Path("empty/keys.json"))
    SqliteStore(Path("empty/deputize.db")).close()
    assert verdict("--data", "empty")[1].startswith("The record is whole. Entries: 0, 0 of them signed.")


CHANGED = {"leaf": leaf(5, "cal_x"), "hash": leaf_hash(leaf(5, "cal_x"))}


@pytest.mark.parametrize(
    ("statement", "parameters", "told"),
    [
        ("UPDATE entries SET leaf = :leaf WHERE idx = 5", CHANGED, "entry 5 was changed: the hash"),
        ("UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 5", {}, "entry 5 was changed: the hash"),
        (
            "UPDATE entries SET leaf = :leaf, leaf_hash = :hash WHERE idx = 5",
            CHANGED,
            "one of the entries 4 to 7 was changed with its hash: kept checkpoint 2 of 8 entries",
        ),
        (
            "UPDATE entries SET leaf = :leaf, leaf_hash = :hash WHERE idx = 9",
            {"leaf": leaf(9, "cal_x"), "hash": leaf_hash(leaf(9, "cal_x"))},
            "one of the entries 8 to 9 was changed with its hash: the stored head of 10 entries",
        ),
        ("DELETE FROM entries WHERE idx = 5", {}, "entry 5 is missing"),
        ("DELETE FROM entries WHERE idx = 0", {}, "entry 0 is missing"),
        ("DELETE FROM entries WHERE idx = 9", {}, "entry 9 is missing: the stored head is of 10 entries"),
        ("DELETE FROM entries WHERE idx >= 5", {}, "entry 5 is missing: the stored head is of 10 entries"),
        (
            "UPDATE entries SET idx = idx + 90 WHERE idx = 5",
            {},
            "entry 5 is missing",
        ),
        (
            "UPDATE entries SET leaf = :leaf, leaf_hash = :hash WHERE idx = 5",
            {"leaf": leaf(6, "cal_6"), "hash": leaf_hash(leaf(6, "cal_6"))},
            "entry 5 does not tell its own index",
        ),
        (
            "UPDATE entries SET leaf = :leaf, leaf_hash = :hash WHERE idx = 5",
            {"leaf": b"{", "hash": leaf_hash(b"{")},
            "entry 5 is not JSON",
        ),
        (
            "UPDATE log_head SET frontier = :head",
            {"head": tree(9).to_bytes()},
            "the stored head is of 9 entries",
        ),
        ("UPDATE log_head SET frontier = x'00'", {}, "the stored head is damaged"),
        (
            "UPDATE checkpoints SET note = replace(note, '4', '5') WHERE size = 4",
            {},
            "kept checkpoint 1 is not",
        ),
    ],
)
def test_what_was_changed_is_named(statement: str, parameters: dict[str, object], told: str) -> None:
    tamper(statement, **parameters)
    code, line = verdict()
    assert (code, line.count("\n")) == (1, 1)
    assert told in line


def test_a_record_that_was_made_anew_shows_against_a_checkpoint_kept_elsewhere() -> None:
    Path("kept.txt").write_text(signed(tree(10)))
    head = Frontier()
    for index in range(10):
        changed = leaf(index, "cal_x" if index == 5 else f"cal_{index}")
        head = head.append(leaf_hash(changed))
        tamper(
            "UPDATE entries SET leaf = :leaf, leaf_hash = :hash WHERE idx = :index",
            leaf=changed,
            hash=leaf_hash(changed),
            index=index,
        )
        if index in (3, 7):
            tamper(
                "UPDATE checkpoints SET note = :note WHERE size = :size", note=signed(head), size=index + 1
            )
    tamper("UPDATE log_head SET frontier = :head", head=head.to_bytes())
    assert verdict()[0] == 0
    code, line = verdict("--checkpoint", "kept.txt")
    assert code == 1
    assert "kept.txt of 10 entries has another root" in line


def test_log_3_a_checkpoint_must_be_this_records_and_signed_by_its_key() -> None:
    Path("other").mkdir()
    bad = {
        "": "malformed_note",
        signed(tree(4), key=KeyRing.open(Path("other/keys.json"))): "no_known_signature",
        signed(tree(4), "elsewhere.example"): "no_known_signature",
        signed(tree(4)).replace("\n4\n", "\n5\n"): "bad_signature",
        note.sign("words\n", ORIGIN, KeyRing(Path("var/keys.json")).record_key()): "is not a checkpoint",
        note.sign(
            Checkpoint("elsewhere.example", 4, tree(4).root()).body(),
            ORIGIN,
            KeyRing(Path("var/keys.json")).record_key(),
        ): "is of another record: elsewhere.example",
    }
    for text, told in bad.items():
        Path("kept.txt").write_text(text)
        code, line = verdict("--checkpoint", "kept.txt")
        assert (code, line.count("\n")) == (1, 1)
        assert line.startswith("deputize: kept.txt is ")
        assert told in line


@pytest.mark.parametrize("missing", ["--checkpoint", "--data", "--policy"])
def test_what_is_not_there_is_said_in_one_line(missing: str) -> None:
    code, line = verdict(missing, "nothing")
    assert code in (1, 2)
    assert line.count("\n") == 1
    assert "nothing" in line
