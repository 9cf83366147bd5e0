"""Log lines, written by a thread of their own, so that whoever logs never waits and never fails.

A pipe may have no reader, a disk be full. The decisions are in the database, and no answer is worth losing for a log
line: a bounded queue takes the lines, and those that do not fit, or cannot be written, are counted.
"""

import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Event, Thread
from typing import IO, Any

MOST = 4096
"""How many lines may wait to be written."""

_TOGETHER = 0.02  # seconds between writes, so that a busy server writes fifty times a second


class Lines:
    """A bounded queue and its thread. The thread starts with the first line, and so after a fork as well."""

    def __init__(self, file: IO[bytes] | None, lost: Callable[[int], None], most: int = MOST) -> None:
        """Write to this binary file; without one (standard error is closed) every line is lost.

        `lost` is called, in any thread, with the number of lines that were dropped.
        """
        self._file = file  # kept, since it closes with its last reference
        # Unbuffered: Python writes its buffer again after a failure, and at exit waits for a lock that the thread has.
        self._raw: Any = getattr(file, "raw", file)
        self._lost = lost
        self._most = most
        self._thread = Thread()

    def put(self, line: bytes) -> None:
        """Have a line written, newline included; it is dropped if too many wait already."""
        if not self._thread.is_alive() and not self._begin():
            self._lost(1)
            return
        if len(self._waiting) >= self._most:
            self._lost(1)
            return
        self._waiting.append(line)
        if not self._some.is_set():
            self._some.set()

    def _begin(self) -> bool:
        """Start the thread with a new queue and new locks, since after a fork the old ones are the parent's."""
        self._waiting: deque[bytes] = deque()
        self._some = Event()
        self._written = Condition()
        self._writing = self._cut = False
        self._thread = Thread(target=self._serve, name="deputize-log", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # too many threads, or the interpreter ends
            return False
        return True

    def flush(self, within: float = 1.0) -> bool:
        """Wait at most so many seconds until all lines are written or lost; tell whether they are."""
        if not self._thread.is_alive():
            return True
        with self._written:
            return self._written.wait_for(lambda: not self._waiting and not self._writing, within)

    def _serve(self) -> None:
        """Write what waits, again and again: what the thread runs."""
        pause = Event()
        while True:
            self._some.wait()
            self._some.clear()
            self._writing = True
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if lines and not self._write(b"".join(lines)):
                self._lost(len(lines))
            with self._written:
                self._writing = False
                self._written.notify_all()
            pause.wait(_TOGETHER)

    def _write(self, text: bytes) -> bool:
        """Write all of it; tell whether that could be done."""
        left = memoryview(b"\n" + text if self._cut else text)
        with suppress(Exception):  # whatever a file may raise: gone, full, closed, or no file
            while left and (
                done := self._raw.write(left)
            ):  # None: it would have to wait, and was told not to
                left = left[done:]
        self._cut = bool(left) and (self._cut or len(left) < len(text))
        return not left


def standard_error() -> IO[bytes] | None:
    """Return standard error as a binary file; None if it is closed."""
    return getattr(sys.stderr, "buffer", None)
