"""What time it is, and whether that can be relied on (CLOCK-1, CLOCK-2)."""

import time
from collections import deque
from collections.abc import Callable

HELD_FOR = 600
"""Seconds for which a time must have held before anything is forgotten by it (CLOCK-1)."""

STEP = 5
"""Seconds by which a clock may go back without a word: that much is set right every day."""


class Clock:
    """The seconds since the epoch, as the machine has them; `fault` says that they went back."""

    def __init__(
        self, seconds: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the time by `seconds`, and how much of it has passed by `monotonic`."""
        self._seconds = seconds
        self._monotonic = monotonic
        self._greatest = float("-inf")
        self._offsets: deque[tuple[float, float]] = deque()
        self.fault: str | None = None

    def __call__(self) -> float:
        """Return what time it is."""
        now = self._seconds()
        if now >= self._greatest:
            self._greatest, self.fault = now, None
        elif self.fault is None and now < self._greatest - STEP:
            self.fault = f"it went back by {self._greatest - now:.0f} s"
        return now

    def held(self) -> int | None:
        """Return the second before which things may be forgotten, to be asked for every few seconds.

        It is what the clock would say had it always run as it did when it was slowest in the last HELD_FOR seconds;
        None until it was watched for so long. A clock that is ahead for a while moves nothing.
        """
        watched = self._monotonic()
        self._offsets.append((watched, self() - watched))
        begin = watched - HELD_FOR
        while len(self._offsets) > 1 and self._offsets[1][0] <= begin:
            self._offsets.popleft()
        if self._offsets[0][0] > begin:
            return None
        return int(watched + min(offset for _, offset in self._offsets))
