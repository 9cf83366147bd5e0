"""The record as its owner looks through it: which entries, of whom, since when; a page at a time (`deputize log list`).

A page is one snapshot, so that a reader who takes his time holds nothing up.
"""

from collections.abc import Callable
from dataclasses import dataclass

from . import trails
from .ports import Reader, StoredEntry
from .trails import Arrivals, Told

PAGE = 500
"""Entries that one page looks at."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries are looked for: all that is said here holds. `text` stands anywhere in the entry, in any case.

    An entry that goes on with a call is of the user, agent and tool of that call.
    """

    user: str | None = None
    agent: str | None = None
    tool: str | None = None
    reason: str | None = None
    since: int | None = None
    text: str | None = None

    def keys(self) -> list[str]:
        """Return what all of them are found under."""
        named: list[tuple[str | None, Callable[[str], str]]] = [
            (self.user, trails.about),
            (self.agent, trails.about),
            (self.tool, trails.of_tool),
            (self.reason, trails.of_reason),
        ]
        return [key(value) for value, key in named if value is not None]

    def mentions(self, entry: StoredEntry) -> bool:
        """Tell whether the text stands in an entry, which is told without reading what it tells."""
        return self.text is None or self.text.lower() in entry.leaf.decode().lower()

    def fits(self, whole: Told) -> bool:
        """Tell whether an entry that has the text is one of them."""
        return (
            (self.user is None or whole.get("sub") == self.user)
            and (self.agent is None or self.agent in (whole.get("client_id"), whole.get("child")))
            and (self.tool is None or whole.get("tool") == self.tool)
            and (self.reason is None or whole.get("code") == self.reason)
            and (self.since is None or int(str(whole["t"])) >= self.since)
        )


@dataclass(frozen=True, slots=True)
class Line:
    """An entry that was found: as it lies in the record, and with whose call of what it goes on."""

    entry: StoredEntry
    whole: Told


@dataclass(frozen=True, slots=True)
class Page:
    """What one look found, and where the next one goes on; None where there is no more."""

    lines: list[Line]
    next: int | None


def older(reader: Reader, sought: Sought, before: int | None = None) -> Page:
    """Look from the newest entry, or from the one `before` this index, back to the first."""
    end = reader.head().size if before is None else before
    first = since(reader, sought.since) if sought.since is not None else 0
    indexed = reader.indexed()
    keys = sought.keys() if end <= indexed else []
    start = first if keys else max(first, end - PAGE, indexed if end > indexed else 0)
    found, ended = trails.having(reader, keys, start, end, PAGE, back=True)
    return Page(_fitting(reader, sought, found), ended if ended > first else None)


def newer(reader: Reader, sought: Sought, start: int | None = None) -> Page:
    """Look from the first entry that can be one of them, or from this index, on to the newest.

    What comes later is found from where this ended, which is never None.
    """
    if start is None:
        start = since(reader, sought.since) if sought.since is not None else 0
    size, indexed = reader.head().size, reader.indexed()
    keys = sought.keys() if start < indexed else []
    end = indexed if keys else min(start + PAGE, size)
    found, ended = trails.having(reader, keys, start, end, PAGE, back=False)
    return Page(_fitting(reader, sought, found), max(ended, start))


def since(reader: Reader, second: int) -> int:
    """Return the index of the first entry of this second or later, by a clock that only went on."""
    low, high = 0, reader.head().size
    while low < high:
        middle = (low + high) // 2
        if int(str(trails.told(reader.entries(middle, 1)[0])["t"])) < second:
            low = middle + 1
        else:
            high = middle
    return low


def _fitting(reader: Reader, sought: Sought, found: list[StoredEntry]) -> list[Line]:
    arrivals = Arrivals(reader)
    lines = [Line(entry, arrivals.whole(trails.told(entry))) for entry in found if sought.mentions(entry)]
    return [line for line in lines if sought.fits(line.whole)]
