"""How the owner's commands open the data of an authority.

They may run beside its server: each change is a transaction in the same store, and is recorded as any other.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from deputize.cli.operator import naming, operator
from deputize.cli.out import UNUSABLE, fail
from deputize.crypto.keys import KeyRing
from deputize.opening import KEYS, store_in
from deputize.protocol.errors import Refusal
from deputize.service.faults import NoStore
from deputize.service.ports import Reader, Store, Tx

T = TypeVar("T")

Data = Annotated[
    Path, typer.Option("--data", envvar="DEPUTIZE_DATA", help="Folder of the authority's database and keys.")
]
VAR = Path("var")


@contextmanager
def opened(data: Path, keys: Path | None = None) -> Iterator[Store]:
    """Open the store, and close it at the end; ends the command if there is none. For `keys` see `store_in`."""
    try:
        store = store_in(_existing(data), new=False, keys=keys)
    except NoStore as missing:
        fail(f"{missing}: bring it back from a backup", UNUSABLE)
    try:
        yield store
    finally:
        store.close()


def keys_of(data: Path) -> KeyRing:
    """Read the keys; ends the command if there are none."""
    path = _existing(data) / KEYS
    if not path.is_file():
        fail(f"{path} is missing: bring it back from a backup", UNUSABLE)
    return KeyRing(path)


def _existing(data: Path) -> Path:
    """Return a folder in which an authority has its data; ends the command for any other."""
    if not data.is_dir() or not any(data.iterdir()):
        fail(f"no authority has its data in {data}: name its folder by --data", UNUSABLE)
    return data


def read(data: Path, fn: Callable[[Reader], T]) -> T:
    """Return what a function finds in one snapshot of the store; ends the command if there is none."""
    with opened(data) as store:
        return store.look(fn)


def change(data: Path, fn: Callable[[Tx, int], Refusal | None]) -> None:
    """Run a use case at this second, in one transaction; ends the command if it refuses."""
    now, who = int(time.time()), operator()
    with opened(data) as store:
        refusal = asyncio.run(store.transact(lambda tx: fn(naming(tx, who), now)))
    if refusal is not None:
        fail(refusal.detail)
