"""What decisions and `/readyz` say when the database is ill: each fault, on the real SQLite (READY-1 to READY-6)."""

import asyncio
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from operator import methodcaller
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from tests.store import values as v
from tests.store.contract import Oops, do, do_all, glanced, prepare, raising, seen
from tests.store.faulty_disk import Fault, faulty_disk, sqlite_library
from tests.store.processes import let_call, write
from tests.store.test_sqlite import pragma, refusal, sql
from tests.store.values import NOW

from deputize.protocol.errors import Code, Refused
from deputize.protocol.quota import Rate
from deputize.service.faults import Locked, NoStore
from deputize.service.ports import Reader, Tx
from deputize.store import checking, faults, place, probe, sqlite, writer
from deputize.store.faults import Causes, Damaged
from deputize.store.migrations import NewerDatabase
from deputize.store.place import Displaced, Place
from deputize.store.sqlite import SqliteStore

needs_vfs = pytest.mark.skipif(
    sqlite_library() is None, reason="SQLite is linked into this Python, so no disk can be put under it"
)


@pytest.fixture(autouse=True)
def _asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each question answered by a look: what is true for a second is tested where that is meant."""
    monkeypatch.setattr(probe, "EVERY", 0)
    monkeypatch.setattr(sqlite, "EVERY", 0)
    monkeypatch.setattr(writer, "PLACED", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "deputize.db"


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def store(path: Path, told: list[dict[str, Any]]) -> Iterator[SqliteStore]:
    store = SqliteStore(path, note=lambda event, **facts: told.append(facts))
    do(store, prepare)
    yield store
    store.close()


def fault(store: SqliteStore) -> str | None:
    return asyncio.run(store.health()).fault


def append(tx: Tx) -> int:
    return tx.append(v.entry(), NOW)


class Late:
    """A connection whose next commit is said to have failed, and is made: so a disk does that loses the last word."""

    def __init__(self, connection: sqlite3.Connection, made: bool = True) -> None:
        self._connection = connection
        self._fails = True
        self._made = made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement == "COMMIT" and self._fails:
            self._fails = False
            if self._made:
                self._connection.execute(statement)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return self._connection.execute(statement, *parameters)


def test_ready_3_what_was_said_to_have_failed_and_is_there_ends_all_decisions(store: SqliteStore) -> None:
    do(store, append)
    store._writer._connection = Late(store._writer._connection)  # type: ignore[assignment]  # it is one, but for that
    assert refusal(do_all(store, [append])[0]) is Code.OUTCOME_UNKNOWN
    assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE
    assert "what could not be committed is there all the same" in str(fault(store))


def test_ready_3_what_was_said_to_have_failed_and_is_gone_was_not_recorded(store: SqliteStore) -> None:
    do(store, append)
    late = Late(store._writer._connection, made=False)
    store._writer._connection = late  # type: ignore[assignment]  # it is one, but for that
    assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE
    assert do(store, append) == 1
    assert fault(store) is None


def test_quota_1_what_a_failed_commit_would_have_counted_is_not_given(store: SqliteStore) -> None:
    take = methodcaller("take_quota", "entries", Rate(9, 60), NOW, 4)
    late = Late(store._writer._connection, made=False)
    store._writer._connection = late  # type: ignore[assignment]  # it is one, but for that
    assert [refusal(each) for each in do_all(store, [take] * 5)] == [Code.RECORD_UNAVAILABLE] * 5
    assert do_all(store, [take] * 12) == [0] * 9 + [60] * 3


def test_ready_6_a_damage_that_a_reader_meets_is_told_and_ends_all_decisions(
    store: SqliteStore, told: list[dict[str, Any]]
) -> None:
    def meet(reader: Reader) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    for ask in (seen, glanced):
        with pytest.raises(Refused) as refused:
            ask(store, meet)
        assert refused.value.refusal.code is Code.RECORD_UNAVAILABLE
    assert [facts["fault"] for facts in told] == ["the database is damaged"]
    assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE


# Another file under it


def another(path: Path) -> Path:
    """Make another database that is good in itself, and longer."""
    other = path.parent.parent / "other.db"

    def make() -> None:
        with closing(SqliteStore(other)) as store:
            do(store, prepare)
            do_all(store, [methodcaller("append", v.entry(n), NOW) for n in range(9)])

    thread = Thread(target=make)  # this one may be in a loop
    thread.start()
    thread.join()
    return other


def cut(path: Path, part: float) -> None:
    # Not by this process: closing the file would drop the locks that SQLite has on it.
    size = int(path.stat().st_size * part)
    subprocess.run(["truncate", "-s", str(size), path], check=True)


def gone(path: Path) -> Path:
    path.unlink()
    return path


def link_to_a_copy(path: Path) -> None:
    shutil.copy(path, path.with_name("copy.db"))
    path.unlink()
    path.symlink_to("copy.db")


def link_to_itself(path: Path) -> None:
    path.rename(path.with_name("moved.db"))
    path.symlink_to("moved.db")


DISPLACED: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.rename(path.with_name("gone")).unlink(),
    "its log deleted": lambda path: path.with_name(path.name + "-wal").unlink(),
    "the index of its log deleted": lambda path: path.with_name(path.name + "-shm").unlink(),
    "its folder deleted": lambda path: shutil.rmtree(path.parent),
    "its folder moved away": lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
    "moved away": lambda path: path.rename(path.with_name("elsewhere.db")),
    "another moved over it": lambda path: another(path).rename(path),
    "a copy moved over it": lambda path: (
        shutil.copy(path, path.with_name("copy")),
        path.with_name("copy").rename(path),
    ),
    "another put there": lambda path: shutil.copy(another(path), gone(path)),
    "an empty one put there": lambda path: gone(path).touch(),
    "a link to a copy put there": link_to_a_copy,
    "a link to itself put there": link_to_itself,
    "a folder put there": lambda path: gone(path).mkdir(),
    "cut to nothing": lambda path: cut(path, 0),
    "cut in half": lambda path: cut(path, 0.5),
}


@pytest.mark.parametrize("how", DISPLACED)
def test_ready_2_nothing_is_acknowledged_when_another_file_is_under_it(
    how: str, store: SqliteStore, path: Path, told: list[dict[str, Any]]
) -> None:
    assert do(store, append) == 0
    assert fault(store) is None
    DISPLACED[how](path)
    results = do_all(store, [append] * 3)
    assert [refusal(result) for result in results] == [Code.RECORD_UNAVAILABLE] * 3
    said = fault(store)
    assert said is not None
    assert "database" in said
    assert str(path.parent) not in said
    assert [facts["fault"] for facts in told] == [said]


@pytest.mark.parametrize("how", DISPLACED)
def test_ready_2_what_is_committed_while_its_file_goes_away_is_in_doubt(
    how: str, store: SqliteStore, path: Path
) -> None:
    @cache
    def displace() -> None:
        DISPLACED[how](path)

    def lose(tx: Tx) -> None:  # it is run twice, since one beside it fails
        append(tx)
        displace()

    lost, also_lost, raised = do_all(
        store, [lose, lambda tx: tx.use_proof(v.proof()), raising(Oops(), append)]
    )
    assert [refusal(lost), refusal(also_lost)] == [Code.OUTCOME_UNKNOWN] * 2
    assert lost.refusal.facts == {"call_id": v.text("cal", "entry")}
    assert also_lost.refusal.facts == {}
    assert isinstance(raised, Oops)
    assert fault(store) is not None


@pytest.mark.parametrize("how", DISPLACED)
def test_ready_2_right_after_a_decision_the_next_is_in_doubt_at_least(
    how: str, store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was in its place a moment ago is not looked at before the commit, but after it."""
    monkeypatch.setattr(writer, "PLACED", 3600)
    assert do(store, append) == 0
    DISPLACED[how](path)
    said = [refusal(do_all(store, [append])[0]) for _ in range(3)]
    assert said == [Code.OUTCOME_UNKNOWN, Code.RECORD_UNAVAILABLE, Code.RECORD_UNAVAILABLE]


def test_ready_2_a_folder_that_others_use_is_looked_at_again(store: SqliteStore, path: Path) -> None:
    for number in range(3):
        path.with_name(f"{number}").touch()
        assert do(store, append) == number
    path.with_name(path.name + "-wal").unlink()
    assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE


def test_ready_2_a_folder_that_was_not_touched_for_long_is_looked_at_once(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "_STEP", 0)
    do(store, append)
    assert store._place._settled is not None
    path.with_name(path.name + "-wal").rename(path.with_name("gone"))
    assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE


def test_ready_2_a_file_that_came_while_the_database_was_opened_is_not_the_one_that_is_open(
    store: SqliteStore, path: Path
) -> None:
    do(store, append)
    identity = place.identity_of(path)
    Place(path, identity).require()
    shutil.copy(path.rename(path.with_name("elsewhere.db")), path)
    with pytest.raises(Displaced, match="replaced while it was opened"):
        Place(path, identity)


def test_ready_2_damage_that_is_found_meanwhile_ends_decisions_however_fresh_the_look(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PLACED", 3600)

    def find(tx: Tx) -> None:
        store._writer.found(Damaged("found by another thread"))

    assert do(store, find) is None
    assert [refusal(do_all(store, [append])[0]) for _ in range(2)] == [Code.RECORD_UNAVAILABLE] * 2


def test_ready_2_a_file_that_is_put_back_is_good_again(store: SqliteStore, path: Path) -> None:
    path.rename(path.with_name("away"))
    assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE
    path.with_name("away").rename(path)
    assert do(store, append) == 0
    assert fault(store) is None


def test_ready_2_a_link_that_was_there_from_the_start_is_followed_until_it_leads_elsewhere(
    path: Path,
) -> None:
    real = path.with_name("real.db")
    path.symlink_to(real.name)
    real.touch()
    with closing(SqliteStore(path)) as store:
        assert do(store, append) == 0
        path.unlink()
        shutil.copy(real, path.with_name("copy.db"))
        path.symlink_to("copy.db")
        assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE


def test_ready_2_a_thread_that_begins_to_read_reads_no_other_database(store: SqliteStore, path: Path) -> None:
    another(path).rename(path)

    async def read() -> int:
        return await asyncio.to_thread(store.look, lambda tx: tx.head().size)

    with pytest.raises(Refused) as refused:
        asyncio.run(read())
    assert refused.value.refusal.code is Code.RECORD_UNAVAILABLE
    assert "nothing was done" in refused.value.refusal.detail


def test_ready_2_an_older_copy_that_is_written_over_it_is_found(store: SqliteStore, path: Path) -> None:
    """The same file, of the same length: only what is in it tells."""
    do_all(store, [methodcaller("append", v.entry(n), NOW) for n in range(5)])
    do(store, lambda tx: pragma(tx, "user_version"))
    checkpoint(path)
    older = path.with_name("older")
    subprocess.run(["cp", path, older], check=True)
    do(store, append)
    checkpoint(path)
    assert fault(store) is None
    assert older.stat().st_size == path.stat().st_size
    subprocess.run(["cp", older, path], check=True)  # over it, not in its place
    assert fault(store) == "the record is not the one that was written here: an older copy, or another's"
    assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE


def checkpoint(path: Path) -> None:
    """Have another process bring all that is in the log into the file."""
    ask = "sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(PASSIVE)').fetchone()"
    code = f"import sqlite3, sys; print({ask})"
    said = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)
    assert said.stdout.startswith("(0,"), said.stdout


def test_ready_2_what_another_process_wrote_is_followed_where_it_goes_on(
    store: SqliteStore, path: Path
) -> None:
    do(store, append)
    with closing(SqliteStore(path)) as other:
        do(other, append)
    assert do(store, append) == 2
    sql(path, "UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 2")
    with closing(SqliteStore(path)) as other:
        do(other, append)
    assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE


def test_ready_2_a_record_that_went_back_is_not_gone_on_with(store: SqliteStore, path: Path) -> None:
    do_all(store, [append] * 3)
    sql(path, "DELETE FROM log_head", "DELETE FROM entries")
    assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE
    assert fault(store) is not None


# A disk that fails


@contextmanager
def no_file_may_grow(path: Path) -> Iterator[None]:
    """A full disk, as the kernel tells it, without any privilege."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name(path.name + "-wal").stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_ready_1_on_a_full_disk_it_is_not_ready(store: SqliteStore, path: Path) -> None:
    do(store, append)
    with no_file_may_grow(path):
        assert fault(store) == "the disk fails, or is full"
    assert fault(store) is None
    assert do(store, append) == 1


FULL = """
import asyncio, os, subprocess, sys
from pathlib import Path
from tests.store.contract import do, do_all, prepare
from tests.store.test_faults import append, refusal
from deputize.store import probe, sqlite
from deputize.store.sqlite import SqliteStore
probe.EVERY = sqlite.EVERY = 0
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
store = SqliteStore(folder / "deputize.db")
do(store, prepare)
assert do(store, append) == 0
ballast = folder / "ballast"
with ballast.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
codes = []
while "record_unavailable" not in codes:  # what the log has room for still goes in
    codes += [str(refusal(one) or "yes") for one in do_all(store, [append] * 5)]
said = codes.count("yes")
assert set(codes) <= {"yes", "record_unavailable"}, codes
print(asyncio.run(store.health()).fault)
ballast.unlink()
print(asyncio.run(store.health()).fault)
assert do(store, append) == said + 1
store.close()
assert SqliteStore(folder / "deputize.db").look(lambda tx: tx.head().size) == said + 2
"""


def may_mount() -> bool:
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="this machine lets nobody mount a small file system of his own")
def test_ready_1_on_a_file_system_that_is_really_full_it_is_not_ready(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", FULL, tmp_path],
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "the disk is full\nNone\n"), done.stderr


INJECTED = {
    "full": ("write", sqlite3.SQLITE_FULL, "the disk is full"),
    "failing": ("write", sqlite3.SQLITE_IOERR_WRITE, "the disk fails, or is full"),
    "failing to sync": ("sync", sqlite3.SQLITE_IOERR_FSYNC, "the disk fails, or is full"),
    "read-only": ("write", sqlite3.SQLITE_READONLY, "the file system can only be read"),
}


@needs_vfs
@pytest.mark.parametrize("how", INJECTED)
def test_ready_1_on_a_disk_that_fails_it_is_not_ready(how: str, path: Path) -> None:
    operation, code, words = INJECTED[how]
    with faulty_disk() as disk, closing(SqliteStore(path)) as store:
        assert do(store, append) == 0
        assert fault(store) is None
        disk.judge = lambda done, file: Fault(code) if done == operation else None
        assert fault(store) == words
        assert refusal(do_all(store, [append])[0]) is not None
        assert fault(store) == words
        disk.judge = lambda done, file: None
        assert fault(store) is None
        assert do(store, append) == 1


@needs_vfs
def test_ready_1_a_failure_ends_what_a_commit_had_shown(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit shows for a second that commits are possible, unless one fails in that second."""
    monkeypatch.setattr(sqlite, "EVERY", 3600)
    with faulty_disk() as disk, closing(SqliteStore(path)) as store:
        do(store, append)
        disk.judge = lambda done, file: Fault(sqlite3.SQLITE_IOERR_FSYNC) if done == "sync" else None
        assert fault(store) is None
        do_all(store, [append])
        assert fault(store) == "the disk fails, or is full"


@needs_vfs
def test_ready_1_a_disk_that_hangs_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PATIENCE", 0.05)
    go_on = Event()

    def wait(done: str, file: str) -> None:
        if done == "sync":
            go_on.wait(60)

    with faulty_disk() as disk, closing(SqliteStore(path)) as store:

        async def ask() -> list[str | None]:
            disk.judge = wait
            hanging = [(await store.health()).fault for _ in range(2)]
            go_on.set()
            await store.transact(append)
            return [*hanging, (await store.health()).fault]

        assert asyncio.run(ask()) == ["the disk has not answered for 0 s"] * 2 + [None]


def test_ready_1_the_disk_is_asked_once_a_second_for_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(probe, "EVERY", 1)
    monkeypatch.setattr(sqlite, "EVERY", 1)
    for module in (probe, sqlite):
        monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    with closing(SqliteStore(path)) as store:
        before = sql(path, "PRAGMA user_version")[0][0][0]

        async def ask() -> None:
            for _ in range(3):
                assert [one.fault for one in await asyncio.gather(*(store.health() for _ in range(20)))] == [
                    None
                ] * 20

        asyncio.run(ask())
        assert sql(path, "PRAGMA user_version")[0][0][0] == before + 2
        clock[0] += 1e9  # later than any commit
        asyncio.run(ask())
        assert sql(path, "PRAGMA user_version")[0][0][0] == before + 4


# Ruined pages


def ruin(path: Path, pages: range, seed: int = 0) -> None:
    chance = random.Random(seed)
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * 4096)
            file.write(chance.randbytes(4096))


def test_ready_1_ruined_pages_under_it_are_found(store: SqliteStore, path: Path) -> None:
    do_all(store, [methodcaller("append", v.entry(n), NOW) for n in range(40)])
    checkpoint(path)
    size = path.stat().st_size // 4096
    code = "import sys; f = open(sys.argv[1], 'r+b'); f.write(b'x' * 4096 * int(sys.argv[2]))"
    subprocess.run([sys.executable, "-c", code, path, str(size)], check=True)
    assert fault(store) == "the database is damaged"
    assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE


def index_that_lost_a_row(path: Path) -> None:
    """Make a database whose proofs could be used again: what is stored is not in the unique index."""
    with closing(SqliteStore(path)) as store:
        let_call(path)
        do_all(store, [partial(write, number=number) for number in range(50)])
    sql(
        path,
        "PRAGMA writable_schema = ON",
        "CREATE TABLE spare (digest BLOB NOT NULL UNIQUE)",
        """UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema
           WHERE name = 'sqlite_autoindex_spare_1') WHERE name = 'sqlite_autoindex_proofs_1'""",
        "DELETE FROM sqlite_schema WHERE tbl_name = 'spare'",
    )


def left_open(path: Path) -> None:
    """Leave a database as processes do that were killed."""
    code = f"""
import os
from pathlib import Path
from tests.store.contract import do
from tests.store.test_faults import append
from deputize.store.sqlite import SqliteStore
do(SqliteStore(Path({str(path)!r})), append)
os.kill(os.getpid(), 9)
"""
    killed = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": ":".join(sys.path)}, check=False
    )
    assert killed.returncode == -9


def checked(store: SqliteStore) -> None:
    """Wait until it has been looked through."""
    assert store._check is not None
    store._check._thread.join(60)


def test_ready_5_a_database_that_was_left_open_is_looked_through(path: Path) -> None:
    left_open(path)
    with closing(SqliteStore(path)) as store:
        store.check_if_left_open()
        assert do(store, append) == 1
        checked(store)
        assert fault(store) is None
    with closing(SqliteStore(path)) as store:
        store.check_if_left_open()
        assert store._check is None


def test_ready_5_behind_a_link_it_is_noticed_too(path: Path) -> None:
    real = path.with_name("real.db")
    left_open(real)
    path.symlink_to(real.name)
    with closing(SqliteStore(path)) as store:
        store.check_if_left_open()
        assert store._check is not None


def test_ready_5_what_was_left_open_stays_unchecked_until_somebody_looks(path: Path) -> None:
    left_open(path)
    for _ in range(2):  # commands open it and close it again
        SqliteStore(path).close()
    with closing(SqliteStore(path)) as store:
        store.check_if_left_open()
        checked(store)
    with closing(SqliteStore(path)) as store:
        store.check_if_left_open()
        assert store._check is None


def test_ready_5_what_somebody_has_open_was_not_left(path: Path) -> None:
    with closing(SqliteStore(path)) as one, closing(SqliteStore(path)) as other:
        do_all(one, [append] * 3)
        other.check_if_left_open()
        assert other._check is None


def test_ready_5_while_it_is_looked_through_decisions_are_made(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_open(path)
    go_on, look_through = Event(), checking.look_through

    def slowly(connection: sqlite3.Connection) -> None:
        go_on.wait(60)
        look_through(connection)

    monkeypatch.setattr(checking, "look_through", slowly)
    with closing(SqliteStore(path)) as store:
        store.check_if_left_open()
        assert do(store, append) == 1
        assert asyncio.run(store.health()).checking
        go_on.set()
        checked(store)
        assert not asyncio.run(store.health()).checking


def test_ready_5_what_is_found_ends_all_decisions(path: Path, told: list[dict[str, Any]]) -> None:
    index_that_lost_a_row(path)
    left_open(path)
    with closing(SqliteStore(path, note=lambda event, **facts: told.append(facts))) as store:
        store.check_if_left_open()
        checked(store)
        assert fault(store) == "the database is damaged"
        assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE
        with pytest.raises(Damaged):
            asyncio.run(store.check())
    assert "proofs" in told[0]["error"]
    with closing(SqliteStore(path)) as store:  # it was closed well this time, and is damaged still
        store.check_if_left_open()
        checked(store)
        assert fault(store) == "the database is damaged"


def test_ready_5_damage_that_was_met_is_looked_for_after_the_next_start(path: Path) -> None:
    index_that_lost_a_row(path)
    with closing(SqliteStore(path)) as store:
        assert fault(store) is None  # nobody has met it
        with pytest.raises(Damaged):
            asyncio.run(store.check())
        store._writer.found(Damaged("met"))
    with closing(SqliteStore(path)) as store:
        store.check_if_left_open()
        checked(store)
        assert fault(store) == "the database is damaged"


def test_ready_5_a_newer_database_that_was_left_open_is_left_alone(path: Path) -> None:
    left_open(path)
    with closing(sqlite3.connect(path)) as newer:
        with newer:
            newer.execute("UPDATE alembic_version SET version_num = '9999'")
        reader = sqlite3.connect(path)  # keeps the log there
        reader.execute("SELECT * FROM alembic_version").fetchone()
    log = path.with_name(path.name + "-wal")
    kept = log.read_bytes()
    reader.close()
    log.write_bytes(kept)
    with pytest.raises(NewerDatabase):
        SqliteStore(path)
    assert sql(path, "PRAGMA user_version") == [[(0,)]]


def test_ready_5_a_check_that_is_interrupted_is_made_up_for(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        do_all(store, [partial(write, number=number) for number in range(2000)])
    left_open(path)
    for _ in range(2):
        store = SqliteStore(path)
        store.check_if_left_open()
        assert store._check is not None
        store.close()
        if not sql(path, "PRAGMA user_version")[0][0][0] & 1:
            return  # it was quicker
    with closing(SqliteStore(path)) as store:
        store.check_if_left_open()
        checked(store)
        assert fault(store) is None


# The start, the log, the room


@pytest.mark.parametrize("content", [None, b""], ids=["missing", "empty"])
def test_ready_4_no_database_is_made_where_there_has_to_be_one(content: bytes | None, path: Path) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NoStore, match="missing" if content is None else "empty"):
        SqliteStore(path, new=False)
    assert (path.read_bytes() if path.exists() else None) == content


def test_ready_6_a_cause_is_told_when_it_comes_and_once_a_minute() -> None:
    told: list[tuple[str, int]] = []
    clock = [0.0]
    causes = Causes(
        lambda event, **facts: told.append((facts["fault"], facts["also_unsaid"])), lambda: clock[0]
    )
    gone = Displaced("gone")
    for _ in range(5):
        causes.tell(gone)
    causes.tell(Damaged("bad"))
    clock[0] += faults.LOG_EVERY - 1
    causes.tell(gone)
    clock[0] += 1
    causes.tell(gone)
    causes.tell(Damaged("bad"))
    causes.tell(Locked("lost", "keys.db"))  # where that is, the owner may know
    assert told == [("gone", 0), ("bad", 0), ("gone", 5), ("bad", 0), ("lost: keys.db", 0)]


def test_ready_6_a_log_that_fails_fails_no_answer(path: Path) -> None:
    def note(event: str, **facts: object) -> None:
        raise BrokenPipeError

    with closing(SqliteStore(path, note=note)) as store:
        path.rename(path.with_name("away"))
        assert refusal(do_all(store, [append])[0]) is Code.RECORD_UNAVAILABLE
        path.with_name("away").rename(path)
        assert do(store, append) == 0


def test_what_a_long_reader_made_of_the_log_is_given_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 512 * 1024
    monkeypatch.setattr(sqlite, "WAL_LIMIT", limit)
    log = path.with_name(path.name + "-wal")
    with closing(SqliteStore(path)) as store:
        do(store, lambda tx: pragma(tx, "wal_autocheckpoint = 60"))
        do(store, append)
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM entries").fetchone()
        number = iter(range(100_000))
        while log.stat().st_size < 2 * limit:
            do_all(store, [partial(write, number=next(number)) for _ in range(60)])
        reader.execute("COMMIT")
        reader.close()
        for _ in range(3):
            do(store, append)
        assert log.stat().st_size <= limit
