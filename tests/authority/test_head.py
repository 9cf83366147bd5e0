"""The newest checkpoint outside the database: written after the commit, never backwards, only our own counts.

HEAD-1, HEAD-2, HEAD-3.
"""

import asyncio
import errno
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deputize.authority import head
from deputize.authority.head import PATIENCE, Head
from deputize.authority.head_file import HeadFile, Kept
from deputize.crypto.keys import KeyRing
from deputize.protocol.entry import Entry, Kind
from deputize.protocol.merkle import Frontier
from deputize.service.faults import PutBack
from deputize.service.ports import Store
from deputize.store.sqlite import SqliteStore

ORIGIN = "bank.example/deputize"


class Node:
    """A process that has a data folder open."""

    def __init__(self, data: Path, file: Path, **how: bool) -> None:
        self.notes: list[dict[str, Any]] = []
        self.store: Store = SqliteStore(data / "deputize.db")
        self.keys = KeyRing.open(data / "keys.json")
        self.file = HeadFile(file, ORIGIN, self.keys.record_key)
        self.head = Head(self.file, self.store, lambda event, **facts: self.notes.append(facts))
        try:
            self.head.start(**how)
        except BaseException:
            self.store.close()
            raise

    def add(self, entries: int) -> None:
        async def append() -> None:
            for _ in range(entries):
                await self.store.transact(lambda tx: tx.append(Entry(Kind.CALL_REFUSED, {}), 1))

        asyncio.run(append())

    def keep(self) -> int | None:
        """Do what is done every second; return how many entries the file tells of then."""
        asyncio.run(self.head.keep())
        return self.kept

    @property
    def kept(self) -> int | None:
        checkpoint = self.file.read().checkpoint
        return None if checkpoint is None else checkpoint.size


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "var").mkdir()
    return tmp_path / "var"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere" / "bank.checkpoint"


@pytest.fixture
def node(data: Path, file: Path) -> Iterator[Node]:
    node = Node(data, file)
    yield node
    node.store.close()


def again(data: Path, file: Path, **how: bool) -> Node:
    """Start, and stop."""
    node = Node(data, file, **how)
    node.store.close()
    return node


def test_head_1_a_new_record_has_one_before_anything_is_recorded(node: Node, file: Path) -> None:
    assert node.kept == 0
    assert file.stat().st_mode & 0o777 == 0o600
    node.add(3)
    assert (node.kept, node.keep()) == (0, 3)


def test_head_1_it_may_be_behind_what_was_recorded_and_catches_up(node: Node, data: Path, file: Path) -> None:
    node.add(3)
    node.store.close()  # as after kill -9: nothing was kept
    assert again(data, file).kept == 3


def test_head_1_the_end_keeps_what_was_recorded_last(node: Node) -> None:
    node.add(3)
    asyncio.run(node.head.end())
    assert node.kept == 3
    node.store.close()
    asyncio.run(node.head.end())  # as by a signal after the end: nothing is asked of a store that is closed
    assert node.notes == []


def test_head_1_two_processes_keep_one_and_it_never_tells_of_less(node: Node, data: Path, file: Path) -> None:
    other = Node(data, file)
    node.add(2)
    assert node.keep() == 2
    other.add(2)
    assert (other.keep(), node.keep()) == (4, 4)
    stale = Frontier.from_bytes(node.store.look(lambda tx: tx.head()).to_bytes())
    seen = node.file.read()
    other.add(1)
    assert other.keep() == 5
    node.head._replace(seen, stale)  # it had looked, and was held up
    assert node.kept == 5
    assert (node.head.gone, other.head.gone) == (None, None)
    other.store.close()


def older_copy(node: Node, data: Path, to: Path) -> None:
    """Copy the database as it is now, as `deputize backup` would."""
    with node.store._connect("ro") as connection:  # type: ignore[attr-defined]  # SqliteStore has it
        connection.execute("VACUUM INTO ?", [str(to)])
    connection.close()


@pytest.mark.parametrize("more", [0, 5, 9])
def test_head_2_an_older_copy_is_refused_whatever_was_added_to_it(
    node: Node, data: Path, file: Path, tmp_path: Path, more: int
) -> None:
    node.add(4)
    older_copy(node, data, tmp_path / "older.db")
    node.add(5)
    node.keep()
    node.store.close()
    shutil.copy(tmp_path / "older.db", data / "deputize.db")
    store = SqliteStore(data / "deputize.db")
    for _ in range(more):
        asyncio.run(store.transact(lambda tx: tx.append(Entry(Kind.CALL_REFUSED, {}), 1)))
    store.close()
    what = "are not those that were recorded" if more >= 5 else "it is an older copy"
    for how in ({}, {"new": True}):  # the flag is for a file that is missing
        with pytest.raises(PutBack, match=rf"{what}\. Put the newest copy .* --accept-rollback"):
            again(data, file, **how)


def test_head_2_of_two_nodes_the_one_that_is_old_stops_and_the_other_goes_on(
    node: Node, data: Path, file: Path, tmp_path: Path
) -> None:
    node.add(4)
    old = tmp_path / "old"
    old.mkdir()
    older_copy(node, data, old / "deputize.db")
    shutil.copy(data / "keys.json", old)
    node.keep()
    other = Node(old, file)  # a moment ago it was the newest
    node.add(3)
    other.add(1)
    assert (node.keep(), other.keep()) == (7, 7)
    assert node.head.gone is None
    assert str(other.head.gone).startswith(
        "The database has 5 entries where 7 were recorded: it is an older copy."
    )
    assert other.notes == [{"fault": other.head.gone}]
    other.add(9)
    assert other.keep() == 7  # it does not write any more
    other.store.close()


def test_head_2_missing_beside_a_record_is_refused_but_for_the_flag(
    node: Node, data: Path, file: Path
) -> None:
    node.add(1)
    node.store.close()
    file.unlink()
    for _ in range(2):
        with pytest.raises(PutBack, match=r"is missing\. So nobody can tell .* by --new-head"):
            again(data, file)
    assert again(data, file, new=True).kept == 1
    assert again(data, file).kept == 1


def test_head_2_a_disk_that_is_not_there_is_no_file_that_is_missing(
    node: Node, data: Path, file: Path
) -> None:
    node.add(1)
    node.store.close()
    shutil.rmtree(file.parent)
    with pytest.raises(FileNotFoundError):
        again(data, file, new=True)


def foreign(node: Node, tmp_path: Path, kind: str) -> bytes:
    size = Frontier().append(bytes(32)).append(bytes(32))
    if kind == "rubbish":
        return b"\xff\x00"
    own = HeadFile(tmp_path / "x", ORIGIN, KeyRing.open(tmp_path / "other.json").record_key)
    with own.alone() as folder:
        return own.replace(size, folder).text or b""


KINDS = pytest.mark.parametrize("kind", ["rubbish", "another key"])


@KINDS
def test_head_3_nobody_stops_a_site_by_what_its_key_has_not_signed(
    node: Node, file: Path, tmp_path: Path, kind: str
) -> None:
    node.add(1)
    file.write_bytes(foreign(node, tmp_path, kind))
    assert node.keep() == 1
    assert node.head.gone is None
    told = f"{file} has no checkpoint that this record's own key has signed."
    assert node.notes == [{"fault": told, "replaced": True}]


@KINDS
def test_head_2_at_the_start_what_is_not_ours_is_left_alone_and_nothing_is_known(
    node: Node, data: Path, file: Path, tmp_path: Path, kind: str
) -> None:
    node.store.close()
    text = foreign(node, tmp_path, kind)
    file.write_bytes(text)
    with pytest.raises(PutBack, match="no checkpoint that this record's own key has signed"):
        again(data, file)
    assert file.read_bytes() == text
    assert again(data, file, new=True).kept == 0


def test_head_3_one_that_is_taken_away_is_written_again_and_told(node: Node, file: Path) -> None:
    node.add(1)
    node.keep()
    file.unlink()
    assert node.keep() == 1
    assert node.notes == [{"fault": f"The newest checkpoint, {file}, is missing.", "replaced": True}]


def test_head_3_where_it_cannot_be_written_decisions_go_on_and_it_is_told_once(
    node: Node, file: Path
) -> None:
    moved = file.parent.with_name("gone")
    file.parent.rename(moved)
    node.add(1)
    for _ in range(2):
        asyncio.run(node.head.keep())
    assert (node.head.gone, node.head.fault) == (None, f"{file}: No such file or directory")
    assert [note["fault"] for note in node.notes] == [f"{file}: No such file or directory"]
    moved.rename(file.parent)
    assert (node.keep(), node.head.fault) == (1, None)


def test_head_3_a_disk_that_hangs_is_told_of_until_it_answers(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, read, now = threading.Event(), node.file.read, [0.0]

    def hang() -> Kept:
        answers.wait()
        return read()

    monkeypatch.setattr(node.file, "read", hang)
    monkeypatch.setattr(head, "monotonic", lambda: now[0])

    async def keep() -> list[str | None]:
        keeping = asyncio.create_task(node.head.keep())
        await asyncio.sleep(0)  # it asks its disk
        faults = []
        for now[0] in (PATIENCE, PATIENCE + 0.1):
            faults.append(node.head.fault)
        answers.set()
        await keeping
        return [*faults, node.head.fault]

    node.add(1)
    assert asyncio.run(keep()) == [None, "its disk has not answered for 5 s", None]
    assert node.kept == 1


def test_ready_4_a_record_that_was_begun_anew_has_a_head_of_its_own(
    node: Node, data: Path, file: Path
) -> None:
    node.add(3)
    node.keep()
    node.store.close()
    (data / "deputize.db").unlink()
    with pytest.raises(PutBack, match="has 0 entries where 3 were recorded"):
        again(data, file)
    assert again(data, file, anew=True).kept == 0


def test_head_1_a_link_stays_and_what_it_leads_to_is_replaced(data: Path, file: Path) -> None:
    link = data / "checkpoint"
    link.symlink_to(file)
    node = Node(data, link)
    node.add(1)
    assert node.keep() == 1
    assert link.is_symlink()
    assert HeadFile(file, ORIGIN, node.keys.record_key).read().checkpoint == node.file.read().checkpoint
    node.store.close()


def test_head_2_entries_that_are_taken_out_of_the_open_database_are_missed(node: Node) -> None:
    node.add(3)
    node.keep()
    with sqlite3.connect(node.store._path) as connection:  # type: ignore[attr-defined]  # likewise
        connection.execute("UPDATE log_head SET frontier = ?", [Frontier().to_bytes()])
    connection.close()
    node.keep()
    assert str(node.head.gone).startswith("The database has 0 entries where 3 were recorded")


def test_head_2_a_damaged_end_of_the_record_is_no_start(node: Node, data: Path, file: Path) -> None:
    node.add(1)
    node.store.close()
    with sqlite3.connect(data / "deputize.db") as connection:
        connection.execute("UPDATE log_head SET frontier = x'00'")
    connection.close()
    with pytest.raises(PutBack, match="is damaged"):
        again(data, file)


def test_head_1_where_the_issuer_has_moved_its_record_goes_on(node: Node, data: Path, file: Path) -> None:
    node.add(3)
    node.store.close()
    moved = HeadFile(file, "shop.example/deputize", node.keys.record_key)
    with moved.alone() as folder:
        moved.replace(Frontier().append(bytes(32)), folder)
    with pytest.raises(PutBack, match="are not those that were recorded"):  # it counts
        again(data, file)
    with moved.alone() as folder:
        moved.replace(Frontier(), folder)
    late = again(data, file)
    assert late.kept == 3
    assert [str(note["fault"])[:70] for note in late.notes] == [
        "The record was signed as shop.example/deputize, and is signed as bank.e"[:70]
    ]
    assert again(data, file).notes == []


def test_head_3_a_disk_that_can_only_be_read_keeps_nobody_from_starting(
    node: Node, data: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.add(2)
    node.store.close()

    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patched:
        patched.setattr(HeadFile, "replace", read_only)
        told = f"{file}: Read-only file system"
        late = Node(data, file)
        assert (late.head.fault, late.notes) == (told, [{"fault": told}])
        assert late.keep() == 0
        assert (late.head.gone, late.head.fault) == (None, told)
    assert (late.keep(), late.head.fault) == (2, None)
    late.store.close()
    file.unlink()
    monkeypatch.setattr(HeadFile, "replace", read_only)
    with pytest.raises(OSError, match="Read-only"):  # where none was, a new one has to be
        again(data, file, new=True)
