"""Keeping the newest checkpoint outside the database, and seeing that this is not behind it (HEAD-1, HEAD-2)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic

from ..protocol.errors import Refused
from ..protocol.merkle import Frontier
from ..service.faults import PutBack
from ..service.heads import CURE, judged
from ..service.ports import Store
from .head_file import HeadFile, Kept

EVERY = 1.0
"""Seconds between two looks: so far the file may be behind what was acknowledged, and the time that a disk takes."""
PATIENCE = 5.0
"""Seconds after which a disk that does not answer counts as one that fails."""

_Note = Callable[..., None]


class Head:
    """The newest checkpoint of a store. `gone` says why the store must not serve any more (HEAD-2)."""

    def __init__(self, file: HeadFile, store: Store, note: _Note) -> None:
        """Keep it in this file; `note` takes what the owner has to know."""
        self._file = file
        self._store = store
        self._note = note
        self._judged = Kept()
        self._error: str | None = None
        self._asked_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self.gone: str | None = None

    @property
    def fault(self) -> str | None:
        """Say why the newest checkpoint is not kept now; None if it is."""
        if self._asked_at is not None and monotonic() - self._asked_at > PATIENCE:
            return f"its disk has not answered for {PATIENCE:.0f} s"
        return self._error

    def start(self, new: bool = False, anew: bool = False) -> None:
        """Compare, and write the file; `PutBack` if the store is behind it, or not empty where there is none.

        With `new`, there may be none, and one by another key or record is replaced; `anew` says that keys or store were
        just made anew, so that what is there tells nothing of them. OSError if the file cannot be read, or where none
        was, not be made.
        """
        with self._file.alone() as folder:
            kept = self._file.read()
            if anew and kept.text is not None:
                self._note("head", fault=f"{self._file.path} is of the record of before.", replaced=True)
                kept = Kept()
            try:
                head, gone = self._store.look(partial(judged, newest=kept.checkpoint))
            except ValueError:
                raise PutBack(f"The head of the record in the database is damaged. {CURE}") from None
            if gone is not None:
                raise PutBack(f"{gone[0].upper()}{gone[1:]}. {CURE}")
            if kept.checkpoint is None and (head.size or kept.text is not None) and not (new or anew):
                raise PutBack(f"{self._missing(kept)} {_NOBODY_KNOWS}")
            if kept.checkpoint is not None and kept.checkpoint.origin != self._file.origin:
                self._note("head", fault=_MOVED.format(kept.checkpoint.origin, self._file.origin))
            self._judged = kept
            if kept.checkpoint is None:
                self._judged = self._file.replace(head, folder)
            elif kept.checkpoint.size < head.size:
                try:
                    self._judged = self._file.replace(head, folder)
                except OSError as error:
                    self._failed(f"{self._file.path}: {error.strerror or error}")

    def begin(self) -> None:
        """Go on keeping it, in the running loop, unless that goes on already."""
        if self._task is None:
            self._task = asyncio.create_task(self._go_on())

    async def witnessed(self, size: int, cosigned: int, wanted: int) -> None:
        """Hear how many witnesses have cosigned a checkpoint, which is nothing to who keeps it in a file."""

    async def end(self) -> None:
        """End it, and keep what was recorded last; once, since the store is closed after it."""
        if self._ended:
            return
        self._ended = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(TimeoutError):
            await asyncio.wait_for(self.keep(), PATIENCE)

    async def keep(self) -> None:
        """Look at the file, then at the record; replace the file if the record goes on from it, and is longer.

        The file is never made to tell of less: where another process has replaced it meanwhile, the next look compares.
        """
        if self.gone is not None:
            return
        self._asked_at = monotonic()
        try:
            kept = await asyncio.to_thread(self._file.read)
            known = kept.text == self._judged.text
            head, gone = await self._store.read(partial(judged, newest=kept.checkpoint, known=known))
            if gone is not None:
                self.gone = f"{gone[0].upper()}{gone[1:]}. {CURE}"
                self._note("head", fault=self.gone)
                return
            if kept.checkpoint is None:  # this process has seen the record all the time, so it knows better
                self._note("head", fault=self._missing(kept), replaced=True)
            if kept.checkpoint is None or kept.checkpoint.size < head.size:
                kept = await asyncio.to_thread(self._replace, kept, head)
            self._judged = kept
        except OSError as error:
            self._failed(f"{self._file.path}: {error.strerror or error}")
        except Refused:  # the store itself fails, and says so (READY-6)
            pass
        else:
            self._error = None
        finally:
            self._asked_at = None

    def _replace(self, seen: Kept, head: Frontier) -> Kept:
        with self._file.alone() as folder:
            there = self._file.read()
            return self._file.replace(head, folder) if there.text == seen.text else self._judged

    async def _go_on(self) -> None:
        while self.gone is None:
            try:
                await self.keep()
            except Exception as error:  # what fails now is tried again in a moment; the owner reads why
                self._failed(repr(error))
            await asyncio.sleep(EVERY)

    def _failed(self, said: str) -> None:
        if said != self._error:
            self._note("head", fault=said)
        self._error = said

    def _missing(self, kept: Kept) -> str:
        if kept.text is None:
            return f"The newest checkpoint, {self._file.path}, is missing."
        return f"{self._file.path} has no checkpoint that this record's own key has signed."


_MOVED = (
    "The record was signed as {}, and is signed as {} from now on: who checks it by a key under the old name cannot, "
    "until its key is handed over by `deputize keys rotate record`, or he is given the new one (`deputize log key`)."
)
_NOBODY_KNOWS = (
    "So nobody can tell whether the database is an older copy. Bring it back, or if you are sure of the database, "
    "begin a new one by --new-head (new_head=True)."
)
