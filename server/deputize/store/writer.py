"""Group commit: what many ask for is run in one transaction, and made durable at once (DESIGN §6).

The functions run in the loop that asked for them, one after the other: two threads that take turns at one
interpreter cost more than all that a function writes. What is left to a thread is to wait: for the disk, and
for a database that another process holds.
"""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeAlias

from ..protocol.errors import Code, Refused
from ..service.ports import Tx
from .transaction import Transaction

BATCH = 64
"""Functions that share a commit at most. While a loop runs them it does nothing else."""

Fn: TypeAlias = Callable[[Tx], Any]
_Job: TypeAlias = tuple[Fn, asyncio.Future[Any]]
_Result: TypeAlias = tuple[Any, BaseException | None]
_Ran: TypeAlias = "list[_Result] | Exception | None"
"""What came of the functions of a batch: an error if all is lost, None if they have not run."""


class Writer:
    """Owns a connection in autocommit mode, and the thread that commits on it.

    One batch at a time is under way, from its beginning to the end of its commit. Whoever comes meanwhile
    waits, and is in the next one.
    """

    def __init__(self, connection: sqlite3.Connection, patience: int) -> None:
        """Take the connection; `patience` is how many ms to wait for another process that writes."""
        self._connection = connection
        self._patience = patience
        self._wait_at_most(0)
        self._tx = Transaction(connection.cursor().execute)
        self._gate = Lock()  # for the next three
        self._waiting: list[_Job] = []
        self._under_way = False
        self._closed = False
        self._begun: SimpleQueue[tuple[list[_Job], _Ran] | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="deputize-store", daemon=True)
        self._thread.start()

    def put(self, fn: Fn, future: asyncio.Future[Any]) -> None:
        """Have `fn` run in a transaction; once that is durable, `future` gets what it returned or raised.

        To be called in the future's loop. Refused(record_unavailable) after `close`.
        """
        with self._gate:
            if self._closed:
                raise _unavailable(None)
            self._waiting.append((fn, future))
            if self._under_way:
                return
        future.get_loop().call_soon(self._begin)  # not at once: so all that are ready share a commit

    def close(self) -> None:
        """Finish what was put, then close the connection."""
        with self._gate:
            self._closed = True
        self._begun.put(None)
        self._thread.join()

    def _begin(self) -> None:
        """In a loop: run the functions that wait, and leave the commit to the thread."""
        with self._gate:
            if self._under_way or self._closed or not self._waiting:
                return
            self._under_way = True
            jobs = self._next()
        ran: _Ran = None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            ran = self._run(jobs)
        except sqlite3.OperationalError:
            pass  # another process writes: the thread will wait for it
        finally:
            self._begun.put((jobs, ran))

    def _serve(self) -> None:
        """In the thread: commit one batch after the other."""
        serving = True
        while serving:
            if (batch := self._begun.get()) is not None:
                self._finish(*batch)
                self._go_on()
            with self._gate:
                serving = self._under_way or not self._closed
        while self._waiting:
            self._finish(self._next(), None)
        self._connection.close()

    def _go_on(self) -> None:
        with self._gate:
            self._under_way = False
            loops = {future.get_loop() for _, future in self._waiting}
        for loop in loops:
            with suppress(RuntimeError):  # closed: nobody waits there any more
                loop.call_soon_threadsafe(self._begin)

    def _next(self) -> list[_Job]:
        jobs = self._waiting[:BATCH]
        del self._waiting[:BATCH]
        return jobs

    def _run(self, jobs: list[_Job]) -> list[_Result] | Exception:
        """Run functions in the open transaction."""
        try:
            self._tx.begin()
            results = [self._attempt(fn) for fn, _ in jobs]
            self._tx.flush()
        except Exception as error:
            return error
        return results

    def _finish(self, jobs: list[_Job], ran: _Ran) -> None:
        """Commit, or else undo, and tell who waits."""
        execute = self._connection.execute
        try:
            if ran is None:
                self._begin_patiently()
                ran = self._run(jobs)
            if isinstance(ran, Exception):
                raise ran
            execute("COMMIT")
        except Exception as error:
            with suppress(sqlite3.Error):  # a rollback of what SQLite rolled back itself
                execute("ROLLBACK")
            ran = [(None, _unavailable(error)) for _ in jobs]  # CALL-3
        _answer(jobs, ran)

    def _begin_patiently(self) -> None:
        self._wait_at_most(self._patience)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        finally:
            self._wait_at_most(0)

    def _wait_at_most(self, milliseconds: int) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {milliseconds}")

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
