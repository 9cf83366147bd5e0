"""The SQLite store: the contract, and what is its own: file, versions, batches, commits that fail."""

import asyncio
import gc
import resource
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from tests.store import older
from tests.store import values as v
from tests.store.contract import Oops, StoreContract, do, do_all, listed, prepare, raising, seen
from tests.store.processes import PROCESSES, open_and_append
from tests.store.values import NOW

from deputize.protocol.call import State
from deputize.protocol.errors import Code, Refused
from deputize.protocol.quota import Quota, Rate
from deputize.service.ports import Store, Tx, Wanted
from deputize.store import migrations, snapshot, sqlite, writer
from deputize.store.listing import listing
from deputize.store.migrations import InUse, NewerDatabase, known_versions
from deputize.store.sqlite import SqliteStore
from deputize.store.transaction import Transaction


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deputize.db"


@pytest.fixture
def empty(path: Path) -> Iterator[Store]:
    store = SqliteStore(path)
    yield store
    store.close()


@pytest.fixture
def store(empty: Store) -> Store:
    do(empty, prepare)
    return empty


class TestSqlite(StoreContract):
    @pytest.fixture
    def empty(self, path: Path) -> Iterator[Store]:
        store = SqliteStore(path)
        yield store
        store.close()


def refusal(error: object) -> Code | None:
    return error.refusal.code if isinstance(error, Refused) else None


def pragma(tx: Tx, text: str) -> int:
    """Ask the connection that writes."""
    assert isinstance(tx, Transaction)
    return int(tx._execute(f"PRAGMA {text}", {}).fetchone()[0])


def sql(path: Path, *statements: str) -> Any:
    connection = sqlite3.connect(path)
    try:
        with connection:
            return [connection.execute(statement).fetchall() for statement in statements]
    finally:
        connection.close()


# The file


def test_the_file_and_its_companions_are_private(store: Store, path: Path) -> None:
    files = [file for file in path.parent.iterdir() if file.is_file()]
    assert {"deputize.db", "deputize.db-shm", "deputize.db-wal"} < {file.name for file in files}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_that_others_could_read_is_made_private(path: Path) -> None:
    SqliteStore(path).close()
    path.chmod(0o644)
    SqliteStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_commit_is_synced(store: Store) -> None:
    def settings(tx: Tx) -> list[int]:
        return [pragma(tx, name) for name in ("synchronous", "foreign_keys")]

    assert do(store, settings) == [2, 1]


def test_rows_outlive_the_process(store: Store, path: Path) -> None:
    do(store, lambda tx: tx.append(v.entry(), NOW))
    store.close()
    again = SqliteStore(path)
    assert again.look(lambda tx: (tx.user(v.user_id()), tx.head().size)) == (v.user(), 1)
    assert do(again, lambda tx: tx.append(v.entry(), NOW)) == 1
    again.close()


def test_a_closed_store_leaves_one_file_and_no_connection(store: Store, path: Path) -> None:
    seen(store, lambda tx: tx.head())
    store.close()
    assert list(path.parent.glob("deputize.db*")) == [path]
    gc.collect()  # an open connection would warn, and warnings are errors here


def test_a_missing_folder_and_a_foreign_file_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SqliteStore(tmp_path / "missing" / "deputize.db")
    other = tmp_path / "notes.txt"
    other.write_text("dear diary " * 99)
    with pytest.raises(sqlite3.DatabaseError):
        SqliteStore(other)
    assert other.read_text() == "dear diary " * 99


def test_two_stores_see_each_other(store: Store, path: Path) -> None:
    other = SqliteStore(path)
    for n in range(6):
        assert do((store, other)[n % 2], methodcaller("append", v.entry(n), NOW)) == n
    assert seen(store, lambda tx: tx.head()) == seen(other, lambda tx: tx.head())
    other.close()
    TestSqlite().check_record(store, 6)


# Versions


def noted(path: Path) -> str:
    """Return the version that a database says it is of."""
    (((version,),),) = sql(path, "SELECT version_num FROM alembic_version")
    return str(version)


def test_versions_are_numbered_without_a_gap(path: Path) -> None:
    assert known_versions() == [f"{n:04}" for n in range(1, len(known_versions()) + 1)]
    SqliteStore(path).close()
    assert noted(path) == known_versions()[-1]


@pytest.mark.parametrize("version", known_versions()[:-1])
def test_a_database_of_an_older_version_is_brought_up_with_all_that_is_in_it(
    path: Path, tmp_path: Path, version: str
) -> None:
    (tmp_path / "new").mkdir()
    new = tmp_path / "new" / "deputize.db"
    with closing(SqliteStore(new)) as store:
        do(store, methodcaller("append", v.entry(), NOW))
    approved = v.call("approved", State.APPROVED, challenge_id=v.challenge_id(), method="webauthn")
    older.made(path, version)
    older.insert(path, *map(older.row_of, (v.user(), v.call(), approved)))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ATTACH ? AS new", [str(new)])
        with connection:
            for table in ("entries", "log_head"):
                connection.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")  # noqa: S608  # of our own
    schema = "SELECT name, sql FROM sqlite_schema ORDER BY name"
    assert sql(path, schema) != sql(new, schema)
    with closing(SqliteStore(path)) as store:
        assert store.look(lambda tx: tx.user(v.user_id())) == v.user()
        assert store.look(lambda tx: tx.calls(v.user_id(), Wanted(), 3, NOW).calls) == [approved, v.call()]
        assert store.look(lambda tx: tx.head().size) == 1
    assert noted(path) == known_versions()[-1]
    assert sql(path, schema) == sql(new, schema)


def test_an_older_database_that_is_in_use_is_refused_and_left_alone(path: Path) -> None:  # READY-7
    older.made(path, known_versions()[-2])
    with closing(sqlite3.connect(path)) as server:
        server.execute("PRAGMA journal_mode = WAL")
        server.execute("SELECT 1 FROM sqlite_schema").fetchall()  # open, and idle
        with pytest.raises(InUse, match=f"is of version {known_versions()[-2]}, which is older"):
            SqliteStore(path)
        server.execute("BEGIN IMMEDIATE")  # it is not held up either
        server.execute("COMMIT")
    assert noted(path) == known_versions()[-2]
    SqliteStore(path).close()
    assert noted(path) == known_versions()[-1]


def test_a_newer_database_is_refused_and_left_alone(path: Path) -> None:
    SqliteStore(path).close()
    sql(path, "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(NewerDatabase, match="9999") as refused:
        SqliteStore(path)
    assert refused.value.version == "9999"
    assert path.read_bytes() == before


def test_an_upgrade_that_fails_leaves_nothing_behind(path: Path) -> None:
    sql(path, "CREATE TABLE calls (mine TEXT)", "INSERT INTO calls VALUES ('x')")
    with pytest.raises(Exception, match="calls already exists"):
        SqliteStore(path)
    tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
    assert sql(path, tables, "SELECT mine FROM calls") == [[("calls",)], [("x",)]]


def test_a_database_that_alembic_made_is_taken_over(path: Path, tmp_path: Path) -> None:
    SqliteStore(path).close()
    other = tmp_path / "other.db"
    # What Alembic 1.20 wrote besides the statements of the scripts.
    table = (
        "CREATE TABLE alembic_version ("
        "version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    first = (Path(migrations.__file__).parent / "versions/0001_first.sql").read_text()
    with closing(sqlite3.connect(other)) as connection:
        connection.executescript(f"{table};{first}")
        with connection:
            connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    SqliteStore(other).close()
    schema = "SELECT name, sql FROM sqlite_schema WHERE name <> 'alembic_version' ORDER BY name"
    assert sql(other, schema) == sql(path, schema)
    assert noted(other) == known_versions()[-1]


def test_processes_may_all_be_the_first_to_open(tmp_path: Path) -> None:
    with ProcessPoolExecutor(6, PROCESSES) as processes:
        for attempt in range(5):
            path = tmp_path / f"{attempt}.db"
            assert sorted(processes.map(open_and_append, [path] * 6)) == list(range(6))


# Long histories


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(), "calls_of_user"),
        (Wanted(tool="pay", since=NOW, until=NOW + 9), "calls_of_user"),
        (Wanted(agent="https://a.example/a"), "calls_of_agent"),
        (Wanted(agent="nobody"), "calls_of_agent"),
        (Wanted(agent="browsers", state=State.EXPIRED), "calls_of_user"),
        (Wanted(tool="pay", agent="nobody", state=State.DENIED), "calls_of_agent"),
        (Wanted(tool="pay", approved=True, before=v.call_id()), "calls_approved"),
    ],
)
def test_a_history_is_read_by_an_index_and_not_sorted(
    store: Store, path: Path, wanted: Wanted, index: str
) -> None:
    named = {**asdict(wanted), "user_id": "u", "now": NOW, "limit": 9}
    with closing(sqlite3.connect(path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {listing(wanted)}", named)]
    assert f"USING INDEX {index} " in plan[0]
    assert not any("TEMP B-TREE" in step for step in plan)


def test_a_look_through_a_history_is_bounded_and_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever fills a history with what is not wanted keeps nobody waiting for what is."""
    monkeypatch.setattr(snapshot, "LOOKED_AT", 4)
    for number in range(10):
        do(
            store,
            methodcaller(
                "add", v.call(number, tool="pay" if number in (1, 8) else "note", state=State.DENIED)
            ),
        )
    wanted = Wanted(tool="pay", state=State.DENIED)
    assert listed(store, wanted, 3) == [
        [v.call(8, tool="pay", state=State.DENIED)],
        [],
        [v.call(1, tool="pay", state=State.DENIED)],
    ]


# Batches: what is handed in at once, or while a commit goes on, is committed together.


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the size of each batch."""
    sizes: list[int] = []
    finish = writer.Writer._finish

    def noting(self: writer.Writer, jobs: list[Any], ran: Any) -> None:
        sizes.append(len(jobs))
        finish(self, jobs, ran)

    monkeypatch.setattr(writer.Writer, "_finish", noting)
    return sizes


def test_many_functions_share_one_commit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = counting(monkeypatch)
    results = do_all(store, [methodcaller("append", v.entry(n), NOW) for n in range(40)])
    assert results == list(range(40))
    assert sizes == [40]
    TestSqlite().check_record(store, 40)


def test_a_batch_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = counting(monkeypatch)
    results = do_all(store, [lambda tx: tx.append(v.entry(), NOW)] * (writer.BATCH + 5))
    assert results == list(range(writer.BATCH + 5))
    assert sizes == [writer.BATCH, 5]


def test_in_one_batch_a_failure_undoes_itself_only(store: Store) -> None:
    def write(tx: Tx) -> object:
        return tx.use_proof(v.proof("the same")), tx.append(v.entry(), NOW)

    def used(tx: Tx) -> tuple[bool, int]:
        return tx.use_proof(v.proof("the same")), tx.head().size

    fails = raising(Oops(), write)
    results = do_all(store, [fails, used, fails, used, fails])
    assert [type(result) for result in results] == [Oops, tuple, Oops, tuple, Oops]
    assert results[1::2] == [(True, 0), (False, 0)]
    assert seen(store, lambda tx: tx.head().size) == 0


def test_in_one_batch_each_sees_what_came_before_it(store: Store) -> None:
    do(store, lambda tx: tx.add(v.challenge()))
    consume = [lambda tx: tx.consume_challenge(v.challenge(), NOW)] * 8
    assert do_all(store, consume) == [True] + [False] * 7


def test_loops_of_several_threads_are_each_answered(store: Store) -> None:
    def append(n: int) -> list[Any]:
        return do_all(store, [lambda tx: tx.append(v.entry(n), NOW)] * 10)

    async def run() -> list[list[Any]]:
        return await asyncio.gather(*(asyncio.to_thread(append, n) for n in range(4)))

    assert sorted(index for indices in asyncio.run(run()) for index in indices) == list(range(40))


@pytest.mark.parametrize("steps", range(4), ids=["handed in", "waiting", "begun", "later"])
def test_a_loop_that_ends_meanwhile_hinders_nobody(store: Store, steps: int) -> None:
    assert isinstance(store, SqliteStore)
    loop = asyncio.new_event_loop()
    store._writer.put(methodcaller("append", v.entry(), NOW), loop.create_future())
    for _ in range(steps):
        loop.call_soon(loop.stop)
        loop.run_forever()
    loop.close()
    assert do(store, methodcaller("append", v.entry(), NOW)) == 1


# Commits that fail


def test_call_3_when_the_commit_fails_nobody_hears_yes(store: Store, path: Path) -> None:
    """A full disk, as the kernel tells it: no file may grow."""
    wal = path.with_name(path.name + "-wal")
    do(store, lambda tx: tx.append(v.entry(), NOW))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
    try:
        results = do_all(store, [methodcaller("append", v.entry(n), NOW) for n in range(9)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [refusal(result) for result in results] == [Code.RECORD_UNAVAILABLE] * 9
    assert all(isinstance(result.__cause__, sqlite3.Error) for result in results)
    TestSqlite().check_record(store, 1)
    assert do(store, lambda tx: tx.append(v.entry(), NOW)) == 1
    TestSqlite().check_record(store, 2)


def test_call_3_when_a_statement_finds_the_disk_full_its_function_is_refused(store: Store) -> None:
    def fill(tx: Tx) -> None:
        pragma(tx, f"max_page_count = {pragma(tx, 'page_count')}")
        for n in range(5000):
            tx.use_proof(v.proof(n))

    results = do_all(
        store, [lambda tx: tx.append(v.entry(), NOW), fill, lambda tx: tx.append(v.entry(), NOW)]
    )
    assert refusal(results[1]) is Code.RECORD_UNAVAILABLE
    kept = [result for result in results if isinstance(result, int)]
    assert kept == list(
        range(len(kept))
    )  # SQLite may have rolled back the whole batch: then nobody heard yes
    assert {refusal(result) for result in results if not isinstance(result, int)} == {Code.RECORD_UNAVAILABLE}
    do(store, lambda tx: pragma(tx, "max_page_count = 1000000"))
    TestSqlite().check_record(store, len(kept))


def test_call_3_a_broken_file_is_a_refusal_and_not_the_end_of_the_batch(store: Store) -> None:
    def append(tx: Tx) -> int:
        return tx.append(v.entry(), NOW)

    broken = raising(sqlite3.DatabaseError("database disk image is malformed"), append)
    results = do_all(store, [append, broken, append])
    assert results[::2] == [0, 1]
    assert refusal(results[1]) is Code.RECORD_UNAVAILABLE


def test_call_3_when_sqlite_rolls_everything_back_the_whole_batch_is_refused(store: Store) -> None:
    def lose(tx: Tx) -> None:
        assert isinstance(tx, Transaction)
        tx._execute("ROLLBACK", {})  # as SQLite does by itself on some errors
        raise sqlite3.OperationalError("disk I/O error")

    append = lambda tx: tx.append(v.entry(), NOW)  # noqa: E731  # one statement, used four times
    assert [refusal(result) for result in do_all(store, [append, lose, append])] == [
        Code.RECORD_UNAVAILABLE
    ] * 3
    TestSqlite().check_record(store, 0)
    assert do(store, append) == 0


def test_call_3_when_another_process_holds_the_database_too_long_it_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 50)
    store = SqliteStore(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Refused) as refused:
        do(store, lambda tx: tx.append(v.entry(), NOW))
    assert refused.value.refusal.code is Code.RECORD_UNAVAILABLE
    other.execute("ROLLBACK")
    other.close()
    assert do(store, lambda tx: tx.append(v.entry(), NOW)) == 0
    store.close()


def test_while_another_process_holds_the_database_the_loop_goes_on(store: Store, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def run() -> list[Any]:
        tasks = [asyncio.create_task(store.transact(methodcaller("append", v.entry(), NOW)))]
        for _ in range(10):
            await asyncio.sleep(0)
        tasks.append(asyncio.create_task(store.transact(methodcaller("append", v.entry(), NOW))))
        await asyncio.sleep(0)
        other.execute("ROLLBACK")
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [0, 1]
    other.close()


def test_a_mistake_in_sql_is_no_refusal_but_an_error(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        do(store, lambda tx: tx.add(v.session(user_id="usr_nobody")))
    do(store, lambda tx: tx.add(v.call()))
    with pytest.raises(sqlite3.IntegrityError):
        do(store, lambda tx: tx.add(v.call()))


# Speed


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda tx: tx.latest_call(v.user_id(), b"key"), "calls_match_key (match_key=?)"),
        (lambda tx: tx.overdue_calls(NOW, 9), "calls_deadline (deadline<?)"),
        (lambda tx: tx.call(v.call_id()), "(call_id=?)"),
        (
            lambda tx: tx.active_grant(v.user_id(), v.client_id(), v.jkt()),
            "grants_active (user_id=? AND client_id=? AND jkt=?)",
        ),
        (lambda tx: tx.active_grants(v.client_id()), "grants_of_agent (client_id=? AND state=?)"),
        (lambda tx: tx.used(v.grant_id()), "(grant_id=?)"),
        (lambda tx: tx.credentials(v.user_id()), "credentials_user_id (user_id=?)"),
        (lambda tx: tx.agents(v.user_id()), "agents_user_id (user_id=?)"),
        (lambda tx: tx.grants(v.user_id()), "grants_user_id (user_id=?)"),
        (
            lambda tx: tx.waiting(Quota.PENDING_CALLS, v.user_id(), None, NOW),
            "calls_pending (user_id=? AND deadline>?)",
        ),
        (
            lambda tx: tx.waiting(Quota.PENDING_CONSENTS, v.user_id(), v.client_id(), NOW),
            "grants_asking (user_id=? AND expires_at>?)",
        ),
        (lambda tx: tx.spent("q", Rate(1, 1), NOW), "(name=?)"),
        (lambda tx: tx.barring(v.user_id(), v.client_id(), NOW), "(user_id=? AND client_id=?)"),
        (lambda tx: tx.end_sessions(v.user_id()), "sessions_user_id (user_id=?)"),
    ],
)
def test_what_is_asked_often_has_an_index(store: Store, ask: Any, index: str) -> None:
    def explain(tx: Tx) -> str:
        plans: list[str] = []
        assert isinstance(tx, Transaction)
        execute = tx._execute

        def explaining(statement: str, parameters: Any) -> Any:
            plan = execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            plans.extend(row[3] for row in plan)
            return execute(statement, parameters)

        ask(Transaction(explaining, tx._keys))
        return "; ".join(plans)

    plan = do(store, explain)
    assert index in plan
    assert "SCAN" not in plan


def test_no_sweep_scans_a_whole_table(store: Store) -> None:
    def explain(tx: Tx) -> list[str]:
        plans: list[str] = []
        assert isinstance(tx, Transaction)
        execute = tx._execute

        def explaining(statement: str, parameters: Any) -> Any:
            plans.extend(row[3] for row in execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())
            return execute(statement, parameters)

        Transaction(explaining, tx._keys).sweep(NOW)
        return plans

    scans = [step for step in do(store, explain) if step.startswith("SCAN")]
    assert scans == ["SCAN proofs", "SCAN oldest", "SCAN recoveries"]  # a thousand; the same; a handful
