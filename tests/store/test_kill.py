"""What was acknowledged survives kill -9, and the record is whole after each."""

import random
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import orjson
import pytest
from tests.size import tries
from tests.store import values as v
from tests.store.processes import PROCESSES, commit_forever

from deputize.protocol.merkle import Frontier, leaf_hash
from deputize.service.ports import Reader
from deputize.store.sqlite import SqliteStore

KILLS = tries(20, 50)


def killed(path: Path, start: int, after: int) -> dict[int, int]:
    """Run a process that commits without end, kill it, and return what it acknowledged: number and entry."""
    ours, its = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=commit_forever, args=(path, its, start))
    process.start()
    its.close()
    acknowledged = dict(received(ours, after))
    process.kill()
    acknowledged |= dict(received(ours, None))  # what it had still said
    process.join(30)
    assert process.exitcode == -9
    process.close()
    ours.close()
    return acknowledged


def received(connection: Connection, limit: int | None) -> list[tuple[int, int]]:
    messages: list[tuple[int, int]] = []
    while limit is None or len(messages) < limit:
        if not connection.poll(30):
            pytest.fail("the process says nothing")
        try:
            messages.append(connection.recv())
        except EOFError:
            break
    return messages


def check(tx: Reader, known: Frontier, acknowledged: dict[int, int]) -> Frontier:
    """Check what came since `known`: the head is the tree over it, each entry has its call, none is lost."""
    frontier, calls = known, {}
    for entry in tx.entries(known.size, 100_000):
        assert entry.index == frontier.size
        assert entry.leaf_hash == leaf_hash(entry.leaf)
        frontier = frontier.append(entry.leaf_hash)
        call = tx.call(orjson.loads(entry.leaf)["call_id"])
        assert call is not None
        assert call.entry == entry.index
        calls[call.call_id] = entry.index
    assert tx.head() == frontier
    for number, index in acknowledged.items():
        assert calls[v.call_id(number)] == index
    return frontier


def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "deputize.db"
    chance = random.Random(2672)
    frontier, total = Frontier(), 0
    for number in range(KILLS):
        acknowledged = killed(path, number * 100_000, chance.randint(1, 60))
        total += len(acknowledged)
        store = SqliteStore(path)
        frontier = store.look(partial(check, known=frontier, acknowledged=acknowledged))
        store.close()
    assert frontier.size >= total > KILLS * 12
    store = SqliteStore(path)
    assert store.look(lambda tx: check(tx, Frontier(), {})) == frontier
    store.close()
