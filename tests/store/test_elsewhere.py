"""A store for which everybody has to wait. What it stores is SQLite's doing: these are the promises about how."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.store.contract import StoreContract, do, prepare
from tests.store.elsewhere import Elsewhere

from deputize.service.ports import Store

PROMISES = [
    StoreContract.test_ready_1_it_is_well,
    StoreContract.test_a_transaction_returns_what_its_function_returns,
    StoreContract.test_what_was_acknowledged_is_read_at_once,
    StoreContract.test_a_transaction_sees_what_it_wrote,
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Elsewhere(tmp_path / "deputize.db")
    yield store
    store.close()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_what_every_store_promises(
    store: Store, promise: Callable[[StoreContract, Store], None]
) -> None:
    if "store" in promise.__annotations__:
        do(store, prepare)
    promise(StoreContract(), store)
