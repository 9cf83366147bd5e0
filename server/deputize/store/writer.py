"""Group commit: one thread runs what many ask for in one durable transaction, then answers (DESIGN §6)."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeAlias

from ..protocol.errors import Code, Refused
from ..service.ports import Tx
from .transaction import Transaction

BATCH = 256
"""Functions that share a commit at most."""

Fn: TypeAlias = Callable[[Tx], Any]
_Job: TypeAlias = tuple[Fn, asyncio.Future[Any]]
_Result: TypeAlias = tuple[Any, BaseException | None]


class Writer:
    """Owns a connection in autocommit mode, and the thread that writes through it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tx = Transaction(connection.cursor().execute)
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._gate = Lock()
        self._closed = False
        self._thread = Thread(target=self._run, name="deputize-store", daemon=True)
        self._thread.start()

    def put(self, fn: Fn, future: asyncio.Future[Any]) -> None:
        """Have `fn` run in a transaction; once that is durable, `future` gets what it returned or raised.

        Refused(record_unavailable) after `close`.
        """
        with self._gate:
            if self._closed:
                raise _unavailable(None)
            self._jobs.put((fn, future))

    def close(self) -> None:
        """Finish what was put, then close the connection."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            jobs, open_ = self._take()
            if jobs:
                _answer(jobs, self._commit([fn for fn, _ in jobs]))
        self._connection.close()

    def _take(self) -> tuple[list[_Job], bool]:
        """Wait for a job and take all that are there; the second value is False if there will be no more."""
        jobs: list[_Job] = []
        try:
            job = self._jobs.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) == BATCH:
                    return jobs, True
                job = self._jobs.get_nowait()
        except Empty:
            return jobs, True
        return jobs, False

    def _commit(self, fns: list[Fn]) -> list[_Result]:
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            self._tx.begin()
            results = [self._attempt(fn) for fn in fns]
            self._tx.flush()
            execute("COMMIT")
        except Exception as error:
            with suppress(sqlite3.Error):  # a rollback of what SQLite rolled back itself
                execute("ROLLBACK")
            return [(None, _unavailable(error)) for _ in fns]  # CALL-3
        return results

    def _attempt(self, fn: Fn) -> _Result:
        """Run one function in a savepoint of its own. What this raises, not returns, ends the whole batch."""
        execute = self._connection.execute
        mark = self._tx.mark()
        execute("SAVEPOINT attempt")
        try:
            result = fn(self._tx)
        except BaseException as error:
            # Fails if SQLite has rolled back everything by itself, as it may when the disk is full.
            execute("ROLLBACK TO attempt")
            execute("RELEASE attempt")
            self._tx.rewind(mark)
            return None, _told(error)
        execute("RELEASE attempt")
        return result, None


def _told(error: BaseException) -> BaseException:
    """Return what the caller is to hear of an error."""
    if type(error) in {sqlite3.OperationalError, sqlite3.DatabaseError}:  # a full disk, a broken file
        return _unavailable(error)
    if isinstance(error, StopIteration):  # no future can carry it
        told = RuntimeError("a transaction raised StopIteration")
        told.__cause__ = error
        return told
    return error


def _unavailable(cause: BaseException | None) -> Refused:
    detail = "This could not be recorded, so it was not done. Try again later."
    refused = Refused(Code.RECORD_UNAVAILABLE, detail)
    refused.__cause__ = cause
    return refused


def _answer(jobs: list[_Job], results: list[_Result]) -> None:
    """Wake each loop once for all its futures."""
    answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], _Result]]] = defaultdict(list)
    for (_, future), result in zip(jobs, results, strict=True):
        answers[future.get_loop()].append((future, result))
    for loop, settled in answers.items():
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, settled)


def _settle(answers: list[tuple[asyncio.Future[Any], _Result]]) -> None:
    for future, (result, error) in answers:
        if future.done():  # cancelled by whoever waited
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
