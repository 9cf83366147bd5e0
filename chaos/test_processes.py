"""Processes that are killed, that race, and whose folder is moved away, all under load."""

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

from tests.store import values as v
from tests.store.ordeal import NAME, found
from tests.store.processes import PROCESSES, let_call, racer, write
from tests.store.test_kill import check, killed
from tests.store.test_races import RACERS, fill

from deputize.protocol.errors import Code, Refused
from deputize.protocol.merkle import Frontier
from deputize.store.sqlite import SqliteStore


def test_nothing_that_was_acknowledged_is_lost_by_kills(
    rounds: Iterator[int], chance: random.Random, tmp_path: Path
) -> None:
    """One to three processes on one file, each killed at a moment of its own; the record goes on over all of them."""
    path, frontier, total = tmp_path / NAME, Frontier(), 0
    SqliteStore(path).close()
    with ThreadPoolExecutor(3) as threads:
        for number in rounds:
            doomed = [
                threads.submit(killed, path, (number * 3 + one) * 100_000, chance.randint(1, 300))
                for one in range(chance.randint(1, 3))
            ]
            acknowledged = {name: entry for one in doomed for name, entry in one.result().items()}
            total += len(acknowledged)
            with closing(SqliteStore(path)) as store:
                frontier = store.look(partial(check, known=frontier, acknowledged=acknowledged))
    with closing(SqliteStore(path)) as store:
        asyncio.run(store.check())
        assert store.look(lambda tx: check(tx, Frontier(), {})) == frontier
    print(f"{number + 1} rounds of kills, {total} acknowledged answers, none lost")
    assert frontier.size >= total > 0


def test_of_all_who_race_one_wins(rounds: Iterator[int], chance: random.Random, tmp_path: Path) -> None:
    races = 0
    for number in rounds:
        path, processes, each = tmp_path / f"{number}.db", chance.randint(2, RACERS), 25
        with closing(SqliteStore(path)) as store:
            asyncio.run(store.transact(fill))
        with PROCESSES.Manager() as manager, ProcessPoolExecutor(processes, PROCESSES) as pool:
            barrier = manager.Barrier(processes)
            won = list(pool.map(racer, [path] * processes, [barrier] * processes, [each] * processes))
        for one in range(each):
            for what in won[0][one]:
                assert sum(wins[one][what] for wins in won) == 1, (processes, one, what)
                races += 1
    print(f"{races} races, one winner each")


def test_nothing_is_acknowledged_that_went_away_with_its_folder(
    rounds: Iterator[int], chance: random.Random, tmp_path: Path
) -> None:
    """At any moment the folder, or the database, is moved: what was acknowledged is where it was moved to."""
    total = 0
    for number in rounds:
        folder, elsewhere = tmp_path / f"{number}", tmp_path / f"{number}-elsewhere"
        folder.mkdir()
        said = asyncio.run(under_load(folder, elsewhere, chance.randint(1, 400)))
        yes = {name for name, code in said.items() if code is None}
        no = {name for name, code in said.items() if code is Code.RECORD_UNAVAILABLE}
        numbers = {v.call_id(name): name for name in said}
        there = found(elsewhere, numbers)
        assert not yes - there, f"acknowledged and lost: {yes - there}"
        assert not no & there, f"refused and done: {no & there}"
        total += len(yes)
    print(f"{number + 1} folders, {total} acknowledged answers, none lost")


async def under_load(folder: Path, elsewhere: Path, after: int) -> dict[int, Code | None]:
    """Call from sixteen sides, and move the folder away after so many answers; tell what each answer was."""
    said: dict[int, Code | None] = {}
    numbers = count()
    store = SqliteStore(folder / NAME)
    let_call(folder / NAME)

    async def caller() -> None:
        refused = 0
        while refused < 3:
            number = next(numbers)
            try:
                await store.transact(partial(write, number=number))
                said[number] = None
            except Refused as error:
                said[number] = error.refusal.code
                refused += 1
            if len(said) == after:
                asyncio.get_running_loop().run_in_executor(None, folder.rename, elsewhere)

    await asyncio.gather(*(caller() for _ in range(16)))
    store.close()
    return said
