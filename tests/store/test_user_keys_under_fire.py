"""The keys of users while processes die, disks are full, and files go away under a running store (SEAL-1, SEAL-5)."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from tests.size import tries

from deputize.protocol.credential import User
from deputize.protocol.errors import Code, Refused
from deputize.protocol.ids import UserId
from deputize.service.faults import Locked
from deputize.store.sqlite import SqliteStore
from deputize.store.user_keys import UserKeys
from deputize.store.wrapping import FileWrapping

ADA, BOB = UserId("usr_ada"), UserId("usr_bob")

WORKER = """
import sys, time
from pathlib import Path
from deputize.service.faults import Locked
from deputize.store.user_keys import UserKeys
keys, me = UserKeys.beside(Path(sys.argv[1])), sys.argv[2]
for number in range(100_000):
    try:
        if me == "rotating":
            keys.rotate(int(time.time()))
            keys.sweep(int(time.time()) + 10, 2)
            continue
        user = f"usr_{me}_{number}"
        keys.make(user, f"{user}@harbor")
        print("made", user, flush=True)
        if number % 2:
            keys.destroy(user)
            print("destroyed", user, flush=True)
    except Locked as locked:  # others write for longer than one waits
        print("refused", locked, flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "deputize.db")
    asyncio.run(store.transact(lambda tx: tx.add(User(ADA, "Ada", b"ada", 0))))
    yield store
    store.close()


@pytest.mark.parametrize("seed", range(tries(1, 10)))
def test_what_was_told_is_so_after_all_processes_were_killed(tmp_path: Path, seed: int) -> None:
    database, random = tmp_path / "deputize.db", Random(seed)  # no secret
    UserKeys.beside(database).make(ADA)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(database), name], stdout=subprocess.PIPE, text=True
        )
        for name in ("one", "two", "rotating")
    ]
    lines: list[str] = []
    for worker in workers[:2]:
        assert worker.stdout is not None
        lines += [worker.stdout.readline() for _ in range(random.randint(4, 12))]
    for worker in random.sample(workers, 3):
        worker.kill()
    lines += [line for worker in workers for line in worker.communicate()[0].splitlines(keepends=True)]
    told = [line.split() for line in lines if line.endswith("\n")]
    assert {what for what, *_ in told} >= {"made", "destroyed"}
    destroyed = {user for what, user, *_ in told if what == "destroyed"}
    keys = UserKeys.beside(database)
    for what, user, *_ in told:
        if what == "made" and user not in keys.destroyed():  # which may have been done and not told
            assert keys.of(UserId(user)) is not None
            assert keys.user_of(f"{user}@harbor") == user
    for user in destroyed:
        assert keys.of(UserId(user)) is None
        assert keys.user_of(f"{user}@harbor") is None
    assert destroyed <= keys.destroyed()
    assert keys.of(ADA) is not None
    keys.close()


def test_of_all_who_make_the_first_key_at_once_each_has_his_in_the_one_file(tmp_path: Path) -> None:
    everybody = [UserKeys.beside(tmp_path / "deputize.db") for _ in range(6)]
    with ThreadPoolExecutor(len(everybody)) as pool:
        made = list(pool.map(lambda each: each[1].make(UserId(f"usr_{each[0]}")), enumerate(everybody)))
    again = UserKeys.beside(tmp_path / "deputize.db")
    for number, key in enumerate(made):
        found = again.of(UserId(f"usr_{number}"))
        assert found is not None
        assert found.open(key.seal(b"his", b""), b"") == b"his"
    for each in (*everybody, again):
        each.close()


def test_ready_1_keys_that_go_away_while_it_runs_are_told_and_refuse_what_needs_them(
    store: SqliteStore, tmp_path: Path
) -> None:
    assert asyncio.run(store.health()).fault is None
    (tmp_path / "user-keys.db").rename(tmp_path / "away")
    time_of_probe(store)
    assert asyncio.run(store.health()).fault == "the file of users' keys is missing"
    with pytest.raises(Refused) as refused:
        asyncio.run(store.transact(lambda tx: tx.add(User(BOB, "Bob", b"bob", 0))))
    assert refused.value.refusal.code is Code.RECORD_UNAVAILABLE
    assert not (tmp_path / "user-keys.db").exists()
    (tmp_path / "away").rename(tmp_path / "user-keys.db")
    time_of_probe(store)
    assert asyncio.run(store.health()).fault is None
    assert asyncio.run(store.transact(lambda tx: tx.add(User(BOB, "Bob", b"bob", 0))))


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "is missing"), (b"{", "is damaged"), (b'{"v": 1, "keys": {}}', "has not the one")],
)
def test_seal_5_what_wraps_them_is_missed_while_it_runs_before_it_is_needed(
    store: SqliteStore, tmp_path: Path, content: bytes | None, said: str
) -> None:
    assert asyncio.run(store.wrapping_fault()) is None
    (wrapping := tmp_path / "wrapping.json").rename(tmp_path / "away")
    if content is not None:
        wrapping.write_bytes(content)
    fault = asyncio.run(store.wrapping_fault())
    assert fault is not None
    assert (str(fault).startswith(f"the file of wrapping keys {said}"), fault.where) == (True, wrapping)
    assert asyncio.run(store.health()).fault is None
    assert asyncio.run(store.transact(lambda tx: tx.add(User(BOB, "Bob", b"bob", 0))))
    (tmp_path / "away").rename(wrapping)
    assert asyncio.run(store.wrapping_fault()) is None


def test_seal_5_what_wraps_no_keys_yet_is_not_missed(tmp_path: Path) -> None:
    assert UserKeys(tmp_path / "user-keys.db", FileWrapping(tmp_path / "none.json")).wrapping_fault() is None


def time_of_probe(store: SqliteStore) -> None:
    """Have the next question for its health answered anew."""
    store._probe._found = float("-inf"), None


def fill(keys: UserKeys) -> None:
    """Make keys until there is no room."""
    for number in range(1000):
        keys.make(UserId(f"usr_{number}"))


def test_a_full_disk_refuses_a_sign_up_and_leaves_nothing_half_made(
    store: SqliteStore, tmp_path: Path
) -> None:
    vault = store._keys._vault
    assert vault is not None
    pages = vault._file.rows("PRAGMA page_count")[0][0]
    vault._file.rows(f"PRAGMA max_page_count = {pages}")  # SQLite says of this what it says of a full disk
    with pytest.raises(Locked, match="the disk is full"):
        fill(store._keys)
    with pytest.raises(Refused) as refused:
        asyncio.run(store.transact(lambda tx: tx.add(User(BOB, "Bob", b"bob", 0))))
    assert refused.value.refusal.code is Code.RECORD_UNAVAILABLE
    assert store._keys.of(BOB) is None
    assert store._keys.of(ADA) is not None
    store._keys.destroy(ADA)  # what is forgotten is, on a full disk, too
    assert store._keys.of(ADA) is None
