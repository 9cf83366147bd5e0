"""How often somebody may try what could be guessed (RFC 8628 §5.1)."""

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class Attempts:
    """So many in so many seconds for each who tries; kept in the memory of this process, and lost with it."""

    def __init__(self, most: int, seconds: int) -> None:
        """Allow `most` attempts in any `seconds`."""
        self._limit = RateLimitItemPerSecond(most, seconds)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def are_used_up(self, who: str) -> bool:
        """Tell whether they have none left."""
        return not self._limiter.test(self._limit, who)

    def take(self, who: str) -> None:
        """Take one from theirs."""
        self._limiter.hit(self._limit, who)
