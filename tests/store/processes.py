"""What other processes do in these tests. A server that has imported this module forks them, in no time."""

import asyncio
from functools import partial
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from tests.store import values as v
from tests.store.values import NOW

from deputize.protocol.call import State
from deputize.protocol.constraint import Use
from deputize.protocol.request import Status
from deputize.service.ports import Tx
from deputize.store.sqlite import SqliteStore
from deputize.store.user_keys import UserKeys

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload([__name__])


def open_and_append(path: Path) -> int:
    """Open the store, maybe as the first, append one entry, and return its index."""
    store = SqliteStore(path)
    try:
        return asyncio.run(store.transact(lambda tx: tx.append(v.entry(), NOW)))
    finally:
        store.close()


def race(tx: Tx, number: int) -> dict[str, bool]:
    """Try to win, each for the only time, what round `number` is about; tell what was won."""
    approved = v.call(number)
    redeemed = approved.moved(State.REDEEMED, NOW, tx.append(v.entry(number), NOW))
    return {
        "consume_challenge": tx.consume_challenge(v.challenge(number), NOW),
        "use_proof": tx.use_proof(v.proof(number)),
        "move_call": tx.move_call(redeemed, approved.state, NOW),
        "take": tx.take(v.grant_id(number), Use("calls", 1, 1)),
        "move_request": tx.move_request(v.request(number, status=Status.REDEEMED)),
        "consume_recovery": tx.consume_recovery(v.digest(number), NOW) is not None,
    }


def racer(path: Path, barrier: Barrier, rounds: int) -> list[dict[str, bool]]:
    """Run all rounds, each at the same moment as the other racers."""
    store = SqliteStore(path)

    async def run() -> list[dict[str, bool]]:
        won = []
        for number in range(rounds):
            barrier.wait(60)
            won.append(await store.transact(partial(race, number=number)))
        return won

    try:
        return asyncio.run(run())
    finally:
        store.close()


def let_call(path: Path) -> None:
    """Make the key of the user whose calls `write` writes."""
    UserKeys.beside(path).make_missing({v.user_id(): None})


def write(tx: Tx, number: int) -> int:
    """Write what a call writes, a proof, an entry and the call, and return the entry's index."""
    assert tx.use_proof(v.proof(number))
    entry = tx.append(v.entry(number), NOW)
    tx.add(v.call(number, entry=entry, match_key=None))
    return entry


def commit_forever(path: Path, acknowledged: Connection, start: int) -> None:
    """Write call after call for many callers at once, and send the number of each when it is acknowledged."""
    store = SqliteStore(path)
    let_call(path)
    numbers = count(start)

    async def caller() -> None:
        for number in numbers:
            entry = await store.transact(partial(write, number=number))
            acknowledged.send((number, entry))

    async def run() -> None:
        await asyncio.gather(*(caller() for _ in range(12)))

    asyncio.run(run())
