"""What pages have said of late, so that the log says it once an hour: anybody can send it, as often as they like."""

from enum import Enum, auto

EVERY = 3600
"""Seconds after which what is still said is told again."""

MOST = 64
"""How many sayings about what the policy does not know are told in this time."""


class News(Enum):
    """Whether a saying is worth a line."""

    NEW = auto()
    FULL = auto()
    OLD = auto()


class Sayings:
    """Remembers what was told. What is about the policy's own names has always room: nobody takes that (PAGE-4)."""

    def __init__(self) -> None:
        """Nothing was told yet."""
        self._told: set[object] = set()
        self._strange = 0
        self._ends_at = 0

    def tell(self, saying: object, known: bool, now: int) -> News:
        """Tell whether this is new; FULL for the first that has no room. `now` is in seconds.

        It is `known` if only so many can come: of the findings that there are, about names in the policy.
        """
        if not now < self._ends_at <= now + EVERY:  # the clock may have gone wrong
            self._told, self._strange, self._ends_at = set(), 0, now + EVERY
        if saying in self._told:
            return News.OLD
        if not known:
            self._strange += self._strange <= MOST
            if self._strange > MOST:
                saying = News.FULL
                if saying in self._told:
                    return News.OLD
        self._told.add(saying)
        return News.FULL if saying is News.FULL else News.NEW

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._told)
