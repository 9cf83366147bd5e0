"""What a call cannot do without, each alone: one signature checked, one made, three rows on the disk."""

import hashlib
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from secrets import token_bytes

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

_SECONDS = 0.5  # for each
_BODY = 600  # bytes of a call, and of an entry


@dataclass(frozen=True, slots=True)
class Primitives:
    """Seconds for each."""

    verify: float
    sign: float
    row: float


def measure(folder: Path, batch: int) -> Primitives:
    """Measure on the core where it is called; `batch` calls share a commit."""
    key = generate_private_key(SECP256R1())
    public, algorithm, message = key.public_key(), ECDSA(SHA256()), token_bytes(400)
    signature = key.sign(message, algorithm)
    return Primitives(
        verify=_each(lambda: public.verify(signature, message, algorithm)),
        sign=_each(lambda: key.sign(message, algorithm)),
        row=_rows(folder / "floor.db", batch),
    )


def _rows(path: Path, batch: int) -> float:
    """Time three bare rows (a proof, a call, an entry) in a durable commit that `batch` calls share."""
    connection = sqlite3.connect(path, isolation_level=None)
    execute = connection.execute
    for statement in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "CREATE TABLE IF NOT EXISTS proof (digest BLOB PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS call (id TEXT PRIMARY KEY, body BLOB)",
        "CREATE TABLE IF NOT EXISTS entry (i INTEGER PRIMARY KEY, leaf BLOB, hash BLOB)",
    ):
        execute(statement)
    ((rows,),) = execute("SELECT COALESCE(MAX(i), 0) FROM entry").fetchall()
    numbers = count(rows + 1)
    body, digest = token_bytes(_BODY), hashlib.sha256(b"").digest()

    def commit() -> None:
        execute("BEGIN IMMEDIATE")
        for _ in range(batch):
            number = next(numbers)
            execute("INSERT INTO proof VALUES (?)", (token_bytes(16),))
            execute("INSERT INTO call VALUES (?, ?)", (f"cal_{number}", body))
            execute("INSERT INTO entry VALUES (?, ?, ?)", (number, body, digest))
        execute("COMMIT")

    try:
        return _each(commit) / batch
    finally:
        connection.close()


def _each(work: Callable[[], object]) -> float:
    """Return the seconds that one takes, on average."""
    work()
    started = now = time.perf_counter()
    done = 0
    while now < started + _SECONDS:
        work()
        done += 1
        now = time.perf_counter()
    return (now - started) / done
