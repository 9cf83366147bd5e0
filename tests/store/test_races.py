"""Single use is one statement: of eight processes that try at the same moment one wins (docs/architecture.md §3)."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from tests.store import values as v
from tests.store.contract import StoreContract, prepare
from tests.store.processes import PROCESSES, racer
from tests.store.values import NOW

from deputize.protocol.request import Status
from deputize.service.ports import Tx
from deputize.store.sqlite import SqliteStore

RACERS = 8
ROUNDS = 25


def fill(tx: Tx) -> None:
    prepare(tx)
    for number in range(ROUNDS):
        tx.add(v.challenge(number))
        tx.add(v.grant(number))
        tx.add(v.request(number, status=Status.GRANTED))
        tx.add(v.call(number))
        tx.add_recovery(v.digest(number), v.user_id(), NOW + 900)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("races") / "deputize.db"


@pytest.fixture(scope="module")
def won(path: Path) -> list[list[dict[str, bool]]]:
    """Return what each racer won in each round."""
    store = SqliteStore(path)
    asyncio.run(store.transact(fill))
    store.close()
    with PROCESSES.Manager() as manager, ProcessPoolExecutor(RACERS, PROCESSES) as processes:
        barrier = manager.Barrier(RACERS)
        return list(processes.map(racer, [path] * RACERS, [barrier] * RACERS, [ROUNDS] * RACERS))


@pytest.mark.parametrize(
    "what", ["consume_challenge", "use_proof", "move_call", "take", "move_request", "consume_recovery"]
)
def test_exactly_one_process_wins(won: list[list[dict[str, bool]]], what: str) -> None:
    """APPR-3, PROOF-2, GUARD-3, CONS-3, CRED-5."""
    winners = [sum(racer[number][what] for racer in won) for number in range(ROUNDS)]
    assert winners == [1] * ROUNDS


def test_the_races_were_no_walkover(won: list[list[dict[str, bool]]]) -> None:
    assert sum(any(wins["use_proof"] for wins in racer) for racer in won) > 1


def test_log_1_the_record_of_all_processes_is_one(won: list[list[dict[str, bool]]], path: Path) -> None:
    store = SqliteStore(path)
    StoreContract().check_record(store, RACERS * ROUNDS)
    store.close()
