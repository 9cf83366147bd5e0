"""A clock that the test holds: it stands still until the test moves it."""

import time


class HeldClock:
    """Seconds since the epoch, to be handed to `Deputize(clock=…)`.

    In the page nothing has to be moved: the shim learns the authority's time from its answers.
    """

    def __init__(self, start: float | None = None) -> None:
        """Hold at `start`, or else at the second that it is now."""
        self._now = float(int(time.time()) if start is None else start)

    def __call__(self) -> float:
        """Return the time."""
        return self._now

    def move(self, seconds: float) -> None:
        """Move forward; ValueError for going back, which no server's clock does."""
        if seconds < 0:
            raise ValueError("the clock moves forward only")
        self._now += seconds
