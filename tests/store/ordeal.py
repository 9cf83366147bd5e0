"""Calls on a disk that fails: what was answered has to be true of what a crash leaves at any later moment (READY-3)."""

import asyncio
import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import orjson
from tests.store import values as v
from tests.store.contract import do_all
from tests.store.faulty_disk import Fault, FaultyDisk, Platter, faulty_disk
from tests.store.processes import let_call, write

from deputize.protocol.errors import Code, Refused
from deputize.protocol.ids import CallId
from deputize.protocol.merkle import Frontier
from deputize.service.ports import Reader
from deputize.store.sqlite import SqliteStore

NAME = "deputize.db"
FAULTS = {
    "a sync fails": ("sync", Fault(sqlite3.SQLITE_IOERR_FSYNC)),
    "a sync fails that was done": ("sync", Fault(sqlite3.SQLITE_IOERR_FSYNC, 1)),
    "the disk is full": ("write", Fault(sqlite3.SQLITE_FULL)),
    "the disk is full in the middle": ("write", Fault(sqlite3.SQLITE_FULL, 0.5)),
    "a write fails": ("write", Fault(sqlite3.SQLITE_IOERR_WRITE)),
    "a write fails near its end": ("write", Fault(sqlite3.SQLITE_IOERR_WRITE, 0.99)),
}
"""What may fail, and how: with which code of SQLite, and how much of it is done all the same."""
NUMBERS = {v.call_id(number): number for number in range(1000)}


@dataclass
class Ordeal:
    """A fault that comes after so many operations of its kind, and stays for so many."""

    kind: str
    after: int
    times: int
    answers: dict[int, str] = field(default_factory=dict)
    failed: int = 0
    images: list[tuple[dict[int, str], dict[str, bytes]]] = field(default_factory=list)

    def run(self, template: Path, folder: Path, chance: random.Random, batches: int = 6) -> "Ordeal":
        """Make calls, note each answer, and what a kill and a loss of power would leave after each batch."""
        shutil.copytree(template, folder)
        with faulty_disk() as disk, closing(SqliteStore(folder / NAME)) as store, _files(folder) as content:
            disk.platters = _now(content)
            store._writer._connection.execute("PRAGMA wal_autocheckpoint = 40")  # so that these fail, too
            self._batch(store, 0, 3)
            disk.judge = self._judge
            for batch in range(1, batches + 1):
                self._batch(store, batch * 10, chance.randint(1, 4))
                now = dict(self.answers)
                self.images.append((now, content()))
                self.images.append((now, _without_power(disk, chance)))
            disk.judge = lambda operation, file: None
        return self

    def check(self, folder: Path) -> Counter[str]:
        """Hold what was answered against what each crash left, and against what is there after the clean end."""
        for number, (answers, files) in enumerate(self.images):
            place = folder.with_name(f"{folder.name}-{number}")
            shutil.copytree(folder, place)
            for name, data in files.items():
                (place / name).write_bytes(data)
            self._hold(answers, found(place, NUMBERS), f"{self}: image {number}")
            shutil.rmtree(place)
        self._hold(self.answers, found(folder, NUMBERS), f"{self}: the end")
        shutil.rmtree(folder)
        return Counter(self.answers.values())

    def __str__(self) -> str:
        return f"{self.kind} after {self.after}, {self.times} times"

    def _judge(self, operation: str, file: str) -> Fault | None:
        wanted, fault = FAULTS[self.kind]
        if operation != wanted or not file.startswith(NAME):
            return None
        self.failed += 1
        return fault if self.after < self.failed <= self.after + self.times else None

    def _batch(self, store: SqliteStore, first: int, size: int) -> None:
        numbers = range(first, first + size)
        results = do_all(store, [partial(write, number=number) for number in numbers])
        for number, result in zip(numbers, results, strict=True):
            self.answers[number] = _said(result)

    def _hold(self, answers: dict[int, str], found: set[int], where: str) -> None:
        lost = [number for number, said in answers.items() if said == "yes" and number not in found]
        done = [number for number, said in answers.items() if said == "no" and number in found]
        assert not lost, f"{where}: acknowledged and lost: {lost}"
        assert not done, f"{where}: refused and done: {done}"


def template(folder: Path) -> Path:
    """Make an empty database, and the key of who calls, in a folder to be copied."""
    made = folder / "template"
    made.mkdir()
    SqliteStore(made / NAME).close()
    let_call(made / NAME)
    return made


def _said(result: object) -> str:
    if isinstance(result, Refused):
        told = result.refusal
        assert told.code in {Code.RECORD_UNAVAILABLE, Code.OUTCOME_UNKNOWN}, told
        if told.code is Code.RECORD_UNAVAILABLE:
            return "no"
        assert str(told.facts["call_id"]).startswith("cal_")
        return "perhaps"
    assert isinstance(result, int), result
    return "yes"


@contextmanager
def _files(folder: Path) -> Iterator[partial[dict[str, bytes]]]:
    """Yield what reads the database and its log as a killed process leaves them.

    The files stay open meanwhile: closing one would drop SQLite's locks on it.
    """
    descriptors = {name: os.open(folder / name, os.O_RDONLY) for name in (NAME, f"{NAME}-wal")}
    try:
        yield partial(_content, descriptors)
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)


def _content(descriptors: dict[str, int]) -> dict[str, bytes]:
    return {name: os.pread(file, os.fstat(file).st_size, 0) for name, file in descriptors.items()}


def _now(content: partial[dict[str, bytes]]) -> dict[str, Platter]:
    return {name: Platter(bytearray(data)) for name, data in content().items()}


def _without_power(disk: FaultyDisk, chance: random.Random) -> dict[str, bytes]:
    return {
        name: platter.after_power_loss(chance)
        for name, platter in disk.platters.items()
        if "-journal" not in name
    }


def found(folder: Path, numbers: dict[CallId, int]) -> set[int]:
    """Open what a crash left, check the record, and return the numbers of the calls in it."""

    def read(tx: Reader) -> set[int]:
        frontier, there = Frontier(), set()
        for entry in tx.entries(0, 10_000):
            frontier = frontier.append(entry.leaf_hash)
            call = tx.call(orjson.loads(entry.leaf)["call_id"])
            assert call is not None
            assert call.entry == entry.index
            there.add(numbers[call.call_id])
        assert tx.head() == frontier
        return there

    with closing(SqliteStore(folder / NAME)) as store:
        asyncio.run(store.check())
        return store.look(read)
