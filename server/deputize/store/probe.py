"""Whether a decision could be recorded now, asked of the disk itself, and once for all who want to know (READY-1)."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

EVERY = 1.0
"""Seconds that an answer is good for."""
PATIENCE = 5.0
"""Seconds after which a disk that does not answer counts as one that fails."""


class Probe:
    """Shares what `look` finds: words that say what keeps a decision from being recorded, or None."""

    def __init__(self, look: Callable[[], Awaitable[str | None]]) -> None:
        """Take what looks; it is called in the loop of whoever asks."""
        self._look = look
        self._found: tuple[float, str | None] = (-EVERY, None)
        self._looking: asyncio.Task[str | None] | None = None

    async def fault(self) -> str | None:
        """Return what is known, or what a look finds if that is a second old."""
        at, fault = self._found
        if monotonic() - at < EVERY:
            return fault
        task = self._looking
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            task = self._looking = asyncio.create_task(self._ask())
        try:
            return await asyncio.wait_for(asyncio.shield(task), PATIENCE)
        except TimeoutError:
            return f"the disk has not answered for {PATIENCE:.0f} s"

    async def _ask(self) -> str | None:
        found = await self._look()
        self._found = monotonic(), found
        return found
