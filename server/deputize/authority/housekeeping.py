"""What an authority does by itself every few seconds: expire, delete, and sign the record."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from ..log.log import Log
from ..service import forgetting, trails
from ..service.calls import moves
from ..service.faults import StoreFault
from ..service.ports import Store, Tx
from .authority import Current

SWEEP_EVERY = 5.0
"""Seconds between sweeps of what has expired."""
_AT_ONCE, _INDEXED = 10, 5
"""Steps of a long work in one sweep, and of the record's index. However much there is to do, calls hardly notice it: a
record that grows faster than it is indexed is looked through where the index ends, and indexed when there is time."""
KEPT_AFTER = 600
"""Seconds that expired rows still answer `expired` rather than `unknown`."""
TOLD_EVERY = 60
"""Seconds between log lines about one and the same failure."""
KEYS_AGAIN = 600
"""Seconds after which what wraps the users' keys is asked again to do what it has failed to do."""
CHECKPOINT_EVERY = 60
"""Seconds between checkpoints of a record that grew."""


async def until_done(store: Store, step: Callable[[Tx], int], most: int | None = None) -> int:
    """Run steps, each a transaction, until one has found nothing, or there were so many; return what they did.

    Others come between them, so that nobody waits long.
    """
    done = 0
    for _ in count() if most is None else range(most):
        if not (did := await store.transact(step)):
            break
        done += did
    return done


class Housekeeping:
    """Keeps house in the loop in which it was begun."""

    def __init__(self, current: Current, log: Log) -> None:
        """Keep this authority's; its owner hears of what fails."""
        self._current = current
        self._log = log
        self._unclean = False
        self._keys_after = float("-inf")
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
        authority = self._current()
        store, retention = authority.store, authority.policy.retention
        wrapping_fault = await store.wrapping_fault()
        self._current().wrapping_fault = wrapping_fault  # of the one in force, which may be another by now
        await until_done(store, lambda tx: moves.expire(tx, now))
        if held is not None:
            await until_done(store, lambda tx: tx.sweep(held - KEPT_AFTER))
            await until_done(store, lambda tx: tx.retire(retention, held), _AT_ONCE)
        if await until_done(store, forgetting.step, _AT_ONCE) or self._unclean:
            self._unclean = not await store.scrub()
        await until_done(store, trails.step, _INDEXED)
        if held is not None:
            await self._renew_keys(store, held, retention.archived_keys)

    async def _renew_keys(self, store: Store, held: int, archived: int | None) -> None:
        """Renew what wraps the users' keys; a command of the owner's that fails is not run again at once."""
        if (now := time.monotonic()) < self._keys_after:
            return
        try:
            await store.renew_keys(held, archived)
        except StoreFault as error:
            self._keys_after = now + KEYS_AGAIN
            self._log.alarm("user_keys", error=str(error), where=str(getattr(error, "where", "")))

    async def _go_on(self) -> None:
        signed, signed_at, faults = -1, float("-inf"), tuple[str, ...]()
        told, told_at = "", float("-inf")
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            try:
                authority = self._current()
                await self.sweep(authority.now(), authority.clock.held())
                size, ran = await authority.store.read(lambda tx: tx.head().size), time.monotonic()
                witnesses, late = authority.witnesses, ran - signed_at >= CHECKPOINT_EVERY
                if (size != signed and (witnesses.named or late)) or (witnesses.faults and late):
                    await authority.checkpoint(size)
                    signed, signed_at = size, ran
                    await authority.head.witnessed(size, witnesses.cosigned, authority.policy.record.quorum)
                if witnesses.faults != faults:
                    faults = witnesses.faults
                    for fault in faults:
                        self._log.alarm("witness", error=fault)
            except Exception as error:  # what fails now is tried again in a moment; the owner reads why
                failed, at = repr(error), time.monotonic()
                if failed != told or at - told_at >= TOLD_EVERY:
                    self._log.alarm("housekeeping", error=failed)
                    told, told_at = failed, at
