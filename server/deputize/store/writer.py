"""Group commit: what many ask for is run in one transaction, and made durable at once (docs/architecture.md §4).

The functions run in the loop that asked for them, one after the other: two threads that take turns at one
interpreter cost more than all that a function writes. What is left to a thread is to wait: for the disk, and
for a database that another process holds.
"""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection
from contextlib import suppress
from math import inf
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Any, TypeAlias

from ..protocol.errors import Refused
from ..service.ports import Tx
from . import header
from .faults import Causes, Damaged, Note, is_cut_short, is_damage, is_failure, unavailable, unknown
from .place import Displaced, Place
from .remembering import Remembering
from .snapshot import Snapshot
from .transaction import Transaction
from .user_keys import UserKeys

BATCH = 64
"""Functions that share a commit at most. While a loop runs them it does nothing else."""

WARY = 100
"""Batches, from one that has to be run again on, whose functions have each a savepoint of its own."""

PLACED = 0.1
"""Seconds for which files that were in their place are not looked at again before a batch; after it they always are."""

Fn: TypeAlias = Callable[[Tx], Any]
Hear: TypeAlias = Callable[[Collection[str]], None]
_Job: TypeAlias = tuple[Fn, asyncio.Future[Any]]
_Result: TypeAlias = tuple[Any, BaseException | None, str | None]
"""What a function returned, or raised, and the call that it told of in the record."""
_Ran: TypeAlias = "list[_Result] | Exception | None"
"""What came of the functions of a batch: an error if all is lost, None if they have not run."""


class Writer:
    """Owns a connection in autocommit mode, and the thread that commits on it.

    One batch at a time is under way, from its beginning to the end of its commit. Whoever comes meanwhile
    waits, and is in the next one. Nobody hears yes of what lies in a file that is no longer in its place, neither
    before nor after the commit; that is looked at in the loop, where a system call waits for no other thread.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        place: Place,
        patience: int,
        keys: UserKeys,
        note: Note | None = None,
    ) -> None:
        """Take the connection, where its files lie, and what seals; `patience` is how many ms to wait for another
        process that writes, `note` takes the causes of what is refused.
        """
        self._connection = connection
        self._place = place
        self._patience = patience
        self._causes = Causes(note)
        self._damage: BaseException | None = None
        self._durable_at = self._placed_at = -inf
        self._wary = 0
        self._hear: Hear | None = None
        self._wait_at_most(0)
        self._tx = Transaction(connection.cursor().execute, keys)
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
                raise unavailable(None)
            self._waiting.append((fn, future))
            if self._under_way:
                return
        future.get_loop().call_soon(self._begin)  # not at once: so all that are ready share a commit

    def listen(self, hear: Hear) -> None:
        """Have `hear` called in the thread, after each commit that has moved something, with the ids of that."""
        self._hear = hear

    def require(self) -> None:
        """Raise what keeps everything from being recorded, as far as that is known without writing."""
        if self._damage is not None:
            raise self._damage
        self._place.require()
        self._placed_at = monotonic()

    @property
    def memory(self) -> Remembering:
        """Return what is remembered here, to be looked into only."""
        return self._tx

    def require_known(self, reader: Snapshot) -> None:
        """`Damaged` unless the record that a reader sees is the one that was written here, or goes on from it."""
        self._tx.require_known(reader)

    def beat(self, tx: Tx) -> None:
        """Write, in a transaction, only to see whether that is possible."""
        header.beat(self._connection.execute)

    def has_written_since(self, moment: float) -> bool:
        """Tell whether a commit was made durable since this moment of the monotonic clock."""
        return self._durable_at >= moment

    def found(self, cause: BaseException) -> None:
        """Tell the owner what fails. Once the database is known to be damaged, all is refused: what an index has lost
        could be used a second time."""
        self._durable_at = self._placed_at = -inf
        if self._damage is None and is_damage(cause):
            self._damage = cause
        self._causes.tell(cause)

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
            if self._damage is not None or monotonic() - self._placed_at >= PLACED:
                self.require()
            ran = self._run(jobs, self._begin_at_once)
        except sqlite3.OperationalError:
            pass  # another process writes: the thread will wait for it
        except Exception as error:
            ran = error
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
        if self._damage is not None:
            with suppress(sqlite3.Error):  # the next start looks through it, then (READY-5)
                header.note_unchecked(self._connection.execute, True)
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

    def _run(self, jobs: list[_Job], begin: Callable[[], None]) -> list[_Result] | Exception:
        """Run functions in a transaction; raises what `begin` raises, as long as nothing of them is there.

        A savepoint for each costs more than some of them do, and few fail: so there is none until one has. Then all is
        undone, and each is run once more, in a savepoint of its own.
        """
        alone = self._wary > 0
        self._wary -= alone
        begin()
        try:
            self._tx.begin()
            results = [self._attempt(fn) for fn, _ in jobs] if alone else self._together(jobs)
            if results is not None:
                self._tx.flush()
                return results
        except Exception as error:
            return error
        self._undo()
        self._wary = WARY
        return self._run(jobs, begin)

    def _together(self, jobs: list[_Job]) -> list[_Result] | None:
        """Run them one after the other; None if one has failed, and with it all."""
        mark, results = self._tx.mark(), list[_Result]()
        try:
            for fn, _ in jobs:
                self._tx.call_id = None
                results.append((fn(self._tx), None, self._tx.call_id))
        except BaseException:
            self._tx.rewind(mark)
            return None
        return results

    def _finish(self, jobs: list[_Job], ran: _Ran) -> None:
        """Commit, or else undo, and tell who waits."""
        try:
            if ran is None:
                self.require()
                ran = self._run(jobs, self._begin_patiently)
            if isinstance(ran, Exception):
                raise ran
        except Exception as error:
            self._undo()
            ran = [(None, self._unavailable(error), None) for _ in jobs]  # CALL-3
        else:
            ran = self._commit(ran)
        moved, self._tx.moved = self._tx.moved, []
        self._answer(jobs, ran)
        if moved and self._hear is not None:
            self._hear(moved)

    def _commit(self, results: list[_Result]) -> list[_Result]:
        """Make a batch durable, or find out what became of it (READY-3)."""
        try:
            self._connection.execute("COMMIT")
        except Exception as error:
            self._undo()
            if self._is_gone() or is_cut_short(error):
                return [(None, self._unavailable(error), None) for _ in results]  # CALL-3
            return self._in_doubt(results, error)
        self._tx.keep()
        self._durable_at = monotonic()
        return results

    def _is_gone(self) -> bool:
        """Make sure that a commit which failed is never found; False if that cannot be done.

        All of it may be in the write-ahead file, beyond the end that the running processes know: whoever opens the
        database after a crash would take it for committed. Another commit takes its place in the file, and from
        there on checksums tell that what follows is no more (https://sqlite.org/fileformat2.html#checksum_algorithm).
        """
        try:
            self.require()
            self._begin_patiently()
            header.beat(self._connection.execute)
            if self._tx.is_there():
                raise Damaged("what could not be committed is there all the same")
            self._connection.execute("COMMIT")
            self.require()
        except Exception as error:
            self._undo()
            self.found(error)
            return False
        return True

    def _undo(self) -> None:
        with suppress(sqlite3.Error):  # a rollback of what SQLite rolled back itself
            self._connection.execute("ROLLBACK")

    def _begin_at_once(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def _begin_patiently(self) -> None:
        self._wait_at_most(self._patience)
        try:
            self._begin_at_once()
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
            return None, self._told(error), None
        execute("RELEASE attempt")
        return result, None, self._tx.call_id

    def _told(self, error: BaseException) -> BaseException:
        """Return what the caller is to hear of an error."""
        if is_failure(error):  # a full disk, a broken file
            return self._unavailable(error)
        if isinstance(error, StopIteration):  # no future can carry it
            told = RuntimeError("a transaction raised StopIteration")
            told.__cause__ = error
            return told
        return error

    def _unavailable(self, cause: BaseException) -> Refused:
        self.found(cause)
        return unavailable(cause)

    def _in_doubt(self, results: list[_Result], cause: BaseException) -> list[_Result]:
        """Answer for what may or may not be found; whoever was refused already knows."""
        self.found(cause)
        return [(None, error or unknown(cause, call_id), call_id) for _, error, call_id in results]

    def _answer(self, jobs: list[_Job], results: list[_Result]) -> None:
        """Wake each loop once for all its futures."""
        answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], _Result]]]
        answers = defaultdict(list)
        for (_, future), result in zip(jobs, results, strict=True):
            answers[future.get_loop()].append((future, result))
        for loop, settled in answers.items():
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(self._settle, settled)

    def _settle(self, answers: list[tuple[asyncio.Future[Any], _Result]]) -> None:
        """In a loop: answer, if the file that was committed to is still the one in its place (READY-2)."""
        results = [result for _, result in answers]
        try:
            if not self._closed:  # then SQLite has taken the companions away itself
                self._place.require()
                self._placed_at = monotonic()
        except Displaced as displaced:
            results = self._in_doubt(results, displaced)
        for (future, _), (result, error, _) in zip(answers, results, strict=True):
            if future.done():  # cancelled by whoever waited
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
