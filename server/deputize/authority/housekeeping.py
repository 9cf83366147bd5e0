"""What an authority does by itself every few seconds: expire, delete, and sign the record."""

import asyncio
import time
from contextlib import suppress

from ..log.log import Log
from ..service import trails
from ..service.calls import moves
from .authority import Current

SWEEP_EVERY = 5.0
"""Seconds between sweeps of what has expired."""
_INDEXED_AT_ONCE = 40
"""Steps of the record's index in one sweep: what a record has that was never indexed does not keep the rest waiting."""
KEPT_AFTER = 600
"""Seconds that expired rows still answer `expired` rather than `unknown`."""
CHECKPOINT_EVERY = 60
"""Seconds between checkpoints of a record that grew."""


class Housekeeping:
    """Keeps house in the loop in which it was begun."""

    def __init__(self, current: Current, log: Log) -> None:
        """Keep this authority's; its owner hears of what fails."""
        self._current = current
        self._log = log
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin, unless it goes on already."""
        if self._task is None:
            self._task = asyncio.create_task(self._go_on())

    async def end(self) -> None:
        """End it. What was not done is, after the next start."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self, now: int, held: int | None) -> None:
        """End what has run out by `now`, delete what did long before `held`, and index what is new in the record.

        Without `held` nothing is deleted (CLOCK-1).
        """
        store = self._current().store
        while await store.transact(lambda tx: moves.expire(tx, now)):
            pass  # so many at a time that nobody waits long behind it
        if held is not None:
            while await store.transact(lambda tx: tx.sweep(held - KEPT_AFTER)):
                pass  # likewise
        for _ in range(_INDEXED_AT_ONCE):
            if await store.transact(trails.step) < trails.STEP:
                break

    async def _go_on(self) -> None:
        signed, signed_at = -1, float("-inf")
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            try:
                authority = self._current()
                await self.sweep(authority.now(), authority.clock.held())
                size, ran = await authority.store.read(lambda tx: tx.head().size), time.monotonic()
                if size != signed and ran - signed_at >= CHECKPOINT_EVERY:
                    await authority.checkpoint()
                    signed, signed_at = size, ran
            except Exception as error:  # what fails now is tried again in a moment; the owner reads why
                self._log.alarm("housekeeping", error=repr(error))
