"""Which entries of the record tell of what: by an index that follows the record at a few seconds' distance.

The index is made of the record and never believed: what it finds is held against the entries, and what it does not
reach yet is looked through.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import cycle

import orjson

from ..protocol.canonical import Json
from ..protocol.ids import CallId, is_id
from .ports import Reader, StoredEntry, Tx

STEP = 500
"""Entries that one transaction indexes at most, so that nobody waits long behind it."""
RATE = 500
"""Entries that are indexed in a second, at least, while there are more (LOG-9)."""
_PAGE = 1000
_KNOWN = 10_000  # calls whose arrivals are remembered at once: entries of one call mostly lie near each other
_SEEKS = 5000  # in the index, by one look
_ABOUT = frozenset({"call_id", "grant_id", "parent_id", "superseded_by", "client_id", "child", "sub"})
"""What says of an entry what it is about (LOG-5). All else agents may have chosen: a tool can be named as a call."""
_OF_CALL = ("sub", "client_id", "tool")
"""What the entry of a call's arrival tells for all that comes after it."""

Told = Mapping[str, Json]


def told(entry: StoredEntry) -> dict[str, Json]:
    """Return what an entry tells (LOG-1); ValueError for one that was damaged."""
    value = orjson.loads(entry.leaf)
    if not isinstance(value, dict):
        raise ValueError(f"entry {entry.index} is damaged")
    return value


def about(named: str) -> str:
    """Return the key of what an id names: a call, a grant, an agent or a user."""
    return f"about {named}"


def states_of(grant_id: str) -> str:
    """Return the key of a grant's own states, without the calls that were made by it."""
    return f"states {grant_id}"


def of_tool(name: str) -> str:
    """Return the key of a tool."""
    return f"tool {name}"


def of_reason(code: str) -> str:
    """Return the key of a code of refusal."""
    return f"reason {code}"


class Arrivals:
    """Knows of calls what their arrivals told: later entries name nothing but the call."""

    def __init__(self, reader: Reader) -> None:
        """Find them in this snapshot."""
        self._reader = reader
        self._known: dict[str, Told] = {}

    def whole(self, entry: Told) -> Told:
        """Return what an entry tells, with whose call of what it is about."""
        call_id = entry.get("call_id")
        if not isinstance(call_id, str):
            return entry
        if "sub" in entry and "tool" in entry:
            self._known[call_id] = {name: entry[name] for name in _OF_CALL if name in entry}
        elif call_id not in self._known:
            self._known[call_id] = self._find(call_id)
        if len(self._known) > _KNOWN:
            del self._known[next(iter(self._known))]
        return {**self._known.get(call_id, {}), **entry}

    def _find(self, call_id: str) -> Told:
        for index in self._reader.trails(about(call_id), 0, self._reader.indexed(), 1):
            arrival = told(self._reader.entries(index, 1)[0])
            if arrival.get("call_id") == call_id:
                return {name: arrival[name] for name in _OF_CALL if name in arrival}
        call = self._reader.call(CallId(call_id))
        if call is None:
            return {}
        found = zip(_OF_CALL, (call.user_id, call.client_id, call.tool), strict=True)
        return {name: value for name, value in found if value is not None}


def keys_of(whole: Told) -> set[str]:
    """Return the keys under which an entry is found, as `Arrivals.whole` has it."""
    keys = {about(value) for name, value in whole.items() if name in _ABOUT and isinstance(value, str)}
    for name, key in (("tool", of_tool), ("code", of_reason)):
        if isinstance(value := whole.get(name), str):
            keys.add(key(value))
    if str(whole.get("kind")).startswith("grant.") and isinstance(grant_id := whole.get("grant_id"), str):
        keys.add(states_of(grant_id))
    return keys


def step(tx: Tx) -> int:
    """Index the next entries, and return how many these were."""
    start = tx.indexed()
    arrivals, rows = Arrivals(tx), list[tuple[str, int]]()
    entries = tx.entries(start, STEP)
    for entry in entries:
        rows += ((key, entry.index) for key in keys_of(arrivals.whole(told(entry))))
    if entries:
        tx.index(rows, entries[-1].index + 1)
    return len(entries)


def telling(reader: Reader, ids: Collection[str]) -> list[StoredEntry]:
    """Find the entries that are about one of these, by themselves or by the call that they go on with, in order."""
    by_themselves = all(is_id("cal", each) for each in ids)
    return _under(reader, map(about, ids), [each.encode() for each in ids] if by_themselves else None)


def states(reader: Reader, grant_ids: Collection[str]) -> list[StoredEntry]:
    """Find the entries of these grants' own states, in order."""
    return _under(reader, map(states_of, grant_ids), [each.encode() for each in grant_ids])


def _under(reader: Reader, keys: Iterable[str], texts: Collection[bytes] | None) -> list[StoredEntry]:
    """Find the entries that have one of these keys, in order; of those that the index does not reach only such as have
    one of the `texts` in them, if there are any."""
    wanted = set(keys)
    arrivals, indexed = Arrivals(reader), reader.indexed()
    found: dict[int, StoredEntry] = {}
    for key in wanted:
        for entry in _by_index(reader, key, indexed):
            if not wanted.isdisjoint(keys_of(arrivals.whole(told(entry)))):
                found[entry.index] = entry
    for entry in entries_from(reader, indexed):
        if texts is not None and not any(text in entry.leaf for text in texts):
            continue
        if not wanted.isdisjoint(keys_of(arrivals.whole(told(entry)))):
            found[entry.index] = entry
    return [found[index] for index in sorted(found)]


def _by_index(reader: Reader, key: str, end: int) -> Iterator[StoredEntry]:
    start = 0
    while indexes := reader.trails(key, start, end, _PAGE):
        for index in indexes:
            yield from reader.entries(index, 1)
        start = indexes[-1] + 1


def entries_from(reader: Reader, start: int) -> Iterator[StoredEntry]:
    """Read all entries in order from an index on, page by page."""
    while page := reader.entries(start, _PAGE):
        yield from page
        start = page[-1].index + 1


def having(
    reader: Reader, keys: Sequence[str], start: int, end: int, most: int, back: bool
) -> tuple[list[StoredEntry], int]:
    """Read at most so many of the entries in a range that the index has under all of these keys, or all, without any.

    From the first on, or from the last one `back`. Tell also where that ended, which may be short of the range though
    little was found: what is under each of two keys can be long, and seldom the same.
    """
    if keys:
        indexes, ended = _meeting(reader, keys, start, end, most, back)
        return [entry for index in indexes for entry in reader.entries(index, 1)], ended
    first = max(start, end - most) if back else start
    entries = reader.entries(first, min(most, end - first))
    return (entries[::-1], first) if back else (entries, first + len(entries))


def _meeting(
    reader: Reader, keys: Sequence[str], start: int, end: int, most: int, back: bool
) -> tuple[list[int], int]:
    """Find what is under all of these keys: each is sought, in turn, from where the one before it was found on."""
    if len(keys) == 1:
        found = reader.trails(keys[0], start, end, most, back)
        if len(found) == most:
            return found, found[-1] if back else found[-1] + 1
        return found, start if back else end
    found, at, agreed = [], end - 1 if back else start, 0
    for key, _ in zip(cycle(keys), range(_SEEKS), strict=False):
        there = reader.trails(key, start, at + 1, 1, back) if back else reader.trails(key, at, end, 1)
        if not there:
            return found, start if back else end
        agreed = agreed + 1 if there[0] == at else 1
        at = there[0]
        if agreed == len(keys):
            found.append(at)
            at, agreed = (at - 1 if back else at + 1), 0
            if len(found) == most:
                break
    return found, at + 1 if back else at
