"""The data of an authority, for the commands of its owner.

They work beside a running server: each change is one transaction in the same store, and recorded like any.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

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
def opened(data: Path) -> Iterator[Store]:
    """Open the store, or end the command if there is none: none is made."""
    try:
        store = store_in(_existing(data), new=False)
    except NoStore as missing:
        fail(f"{missing}: bring it back from a backup", UNUSABLE)
    try:
        yield store
    finally:
        store.close()


def keys_of(data: Path) -> KeyRing:
    """Read the keys, or end the command if there are none."""
    path = _existing(data) / KEYS
    if not path.is_file():
        fail(f"{path} is missing: bring it back from a backup", UNUSABLE)
    return KeyRing(path)


def _existing(data: Path) -> Path:
    """Return a folder that an authority has its data in."""
    if not data.is_dir() or not any(data.iterdir()):
        fail(f"no authority has its data in {data} (say --data)", UNUSABLE)
    return data


def read(data: Path, fn: Callable[[Reader], T]) -> T:
    """Run a function over one snapshot of the store, or end the command if there is none."""
    with opened(data) as store:
        return store.look(fn)


def change(data: Path, fn: Callable[[Tx, int], Refusal | None]) -> None:
    """Run a use case at this second, or end the command with what refuses it."""
    now = int(time.time())
    with opened(data) as store:
        refusal = asyncio.run(store.transact(lambda tx: fn(tx, now)))
    if refusal is not None:
        fail(refusal.detail)
