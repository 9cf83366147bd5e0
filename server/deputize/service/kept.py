"""Values kept in memory, to be made only once. Strangers choose some: bytes are bounded, and the oldest go first."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")

# What is made of a text takes about so many bytes for each character, and so many by itself.
_FACTOR, _EACH = 4, 512


class Kept(Generic[V]):
    """Values by the texts that they were made of, in about so many bytes.

    Nothing belongs in here that nobody signed and nobody stored: anybody could push out what others need.
    """

    def __init__(self, most: int) -> None:
        """Keep `most` bytes."""
        self._most = most
        self._size = 0
        self._values: OrderedDict[str, V] = OrderedDict()
        self.get: Callable[[str], V | None] = self._values.get
        """Return what was made of a text, or None if it is not kept."""

    def keep(self, text: str, value: V) -> None:
        """Keep a value; what has been here longest makes room."""
        if text in self._values:
            return
        self._values[text] = value
        self._size += _FACTOR * len(text) + _EACH
        while self._size > self._most:
            oldest, _ = self._values.popitem(last=False)
            self._size -= _FACTOR * len(oldest) + _EACH

    def __len__(self) -> int:
        """Count the values."""
        return len(self._values)


def keeping(make: Callable[[str], V], most: int) -> Callable[[str], V]:
    """Return the same function, which keeps what it returns, in about `most` bytes; what it raises is not kept."""
    kept = Kept[V](most)

    def made(text: str) -> V:
        if (value := kept.get(text)) is None:
            value = make(text)
            kept.keep(text, value)
        return value

    return made
