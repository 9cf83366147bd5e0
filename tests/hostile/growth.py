"""How time grows with size: in processor time, so that a slow or a busy machine changes nothing.

A square takes 256 times as long for sixteen times as much, what is straight 16 times; 64 lies between them. What takes
no longer than some plain requests is let be, whatever its shape: it harms nobody at the largest size that there is.
"""

import asyncio
import gc
import importlib.util
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest

STEP = 16  # from the one size to the other
MOST = 64  # between the times at the one and at the other
TRIES = 5  # of which the fastest counts
ROUNDS = 3  # of tries, in all of which a square is one: others on the machine can slow any one of them down
NOISE = STEP  # plain requests, below which nothing is compared

FULL = "HOSTILE" in os.environ
"""Whether all is tried that can be, however long that takes, and at once (`make hostile`)."""

_DOOR = import_module("deputize.web.door") if importlib.util.find_spec("deputize.web.door") else None
LINES: int = getattr(_DOOR, "MAX_LINES", 100)
HEADERS: int = getattr(_DOOR, "MAX_HEADERS", 64 * 1024)
COOKIES: int = getattr(_DOOR, "MAX_COOKIES", 16 * 1024)
TARGET: int = getattr(_DOOR, "MAX_URL", 8 * 1024)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Measure without the garbage collector, which would come at any time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Faster(Exception):
    """Time grows faster than it may."""


async def check(run: Callable[[int], Awaitable[float]], most: int, plain: float, noise: float = 0) -> None:
    """Compare the times at `most` and at a sixteenth of it; `run` is given a size, and returns processor seconds.

    What is plain takes `plain` seconds, which are taken off, so that a square does not hide behind them; but no more
    than half, since what is refused early takes less. Below `noise`, or NOISE times what is plain, nothing is compared.
    Raises `Faster`.
    """
    if await run(most) - plain < max(noise, NOISE * plain):
        return
    small, before, after = max(most // STEP, 1), 0.0, 0.0
    for _ in range(ROUNDS):
        times = [min([await run(size) for _ in range(TRIES)]) for size in (small, most)]
        before, after = (seconds - min(plain, times[0] / 2) for seconds in times)
        if after < MOST * before:
            return
    raise Faster(f"{after * 1e3:.1f} ms at {most}, {before * 1e3:.2f} ms at {small}")


class Faults(list[str]):
    """What has grown too fast."""

    async def compare(
        self, name: str, run: Callable[[int], Awaitable[float]], most: int, plain: float, noise: float = 0
    ) -> None:
        try:
            await check(run, most, plain, noise)
        except Faster as fault:
            self.append(f"{name}: {fault}")

    def none(self) -> None:
        """Fail if there is any."""
        if self:
            pytest.fail("\n".join(self), pytrace=False)


class Stopwatch:
    """Processor seconds of this whole process, threads and all."""

    def __enter__(self) -> "Stopwatch":
        self._begun = time.process_time()
        return self

    def __exit__(self, *exception: object) -> None:
        self.seconds = time.process_time() - self._begun


class Hold:
    """The longest time for which the event loop did one thing, in processor seconds."""

    async def begin(self) -> None:
        """Begin anew: with the next thing that the loop does, which is what comes after this."""
        await asyncio.sleep(0)
        self._longest = 0.0

    async def end(self) -> float:
        """Return the longest time since then."""
        await asyncio.sleep(0)
        return self._longest

    def __enter__(self) -> "Hold":
        run = self._run = asyncio.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            begun = time.thread_time()
            run(handle)
            self._longest = max(self._longest, time.thread_time() - begun)

        self._longest = 0.0
        asyncio.Handle._run = timed  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.Handle._run = self._run  # type: ignore[method-assign]
