"""The end of the record, as the transactions of one connection move it on (LOG-1, READY-2)."""

# ruff: noqa: D102  # what methods of a `Tx` promise is written in service/ports.py

from collections.abc import Iterable
from functools import cache
from os import urandom
from typing import TypeAlias, cast

import orjson

from ..protocol.entry import Entry
from ..protocol.merkle import Frontier, leaf_hash
from ..protocol.tiles import finished
from .faults import Damaged
from .snapshot import Execute, Snapshot, hashed
from .user_keys import UserKeys

_ADD_ENTRY = "INSERT INTO entries (idx, leaf, leaf_hash) VALUES (:idx, :leaf, :leaf_hash)"
_ADD_TILE = "INSERT INTO tiles (level, idx, hash) VALUES (:level, :idx, :hash)"
_SET_HEAD = """
    INSERT INTO log_head (one, frontier) VALUES (1, :frontier)
    ON CONFLICT (one) DO UPDATE SET frontier = excluded.frontier"""
_INDEX = """
    INSERT OR IGNORE INTO trails (about, idx)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:rows)"""
_SET_INDEXED = """
    INSERT INTO trails_head (one, size) VALUES (1, :size) ON CONFLICT (one) DO UPDATE SET size = excluded.size"""
_ADD_CHECKPOINT = "INSERT INTO checkpoints (size, note) VALUES (:size, :note) ON CONFLICT DO NOTHING"

_Last: TypeAlias = tuple[int, bytes] | None
"""The index and the hash of an entry that was appended here."""
Mark: TypeAlias = tuple[Frontier, _Last]
"""Where the record ended at a savepoint."""


class Recording(Snapshot):
    """Appends to the record, over one connection, in one transaction after another.

    Whoever commits calls `begin` first, `flush` last and then `keep`; around a savepoint, `mark` and perhaps `rewind`.
    """

    def __init__(self, execute: Execute, keys: UserKeys) -> None:
        super().__init__(execute, keys)
        self._head = self._stored_head = Frontier()
        self._last: _Last = None
        self._known: Mark = Frontier(), None
        self.call_id: str | None = None
        """The call that was told of last since `mark`."""

    def begin(self) -> None:
        """Read the head: another process may have appended since. `Damaged` if the record is not ours any more."""
        self._head = self._stored_head = self.require_known(self)
        self._last = self._known[1]

    def require_known(self, reader: Snapshot) -> Frontier:
        """Return the head that a reader sees; `Damaged` unless it is the one that `keep` knows, or later (READY-2)."""
        known, last = self._known
        try:
            head = Snapshot.head(reader)
        except ValueError:
            raise Damaged("the head of the record is damaged") from None
        if head == known:
            return head
        if head.size > known.size and (last is None or _has(reader, *last)):
            return head
        raise Damaged("the record is not the one that was written here: an older copy, or another's")

    def is_there(self) -> bool:
        """Tell whether what was appended last, and not kept, is in the database all the same."""
        return self._last is not None and self._last != self._known[1] and _has(self, *self._last)

    def keep(self) -> None:
        """Remember the head, now that it is durable."""
        self._known = self._head, self._last

    def mark(self) -> Mark:
        """Return what `rewind` needs to follow the database back to where it is now."""
        self.call_id = None
        return self._head, self._last

    def rewind(self, mark: Mark) -> None:
        """Follow a rollback to a savepoint."""
        self._head, self._last = mark

    def flush(self) -> None:
        """Write the head, once for all that was appended."""
        if self._head is not self._stored_head:
            self._execute(_SET_HEAD, {"frontier": self._head.to_bytes()})

    def head(self) -> Frontier:
        return self._head

    def append(self, entry: Entry, now: int) -> int:
        head = self._head
        leaf = entry.leaf(head.size, now, urandom(16))
        digest = leaf_hash(leaf)
        self._execute(_ADD_ENTRY, {"idx": head.size, "leaf": leaf, "leaf_hash": digest})
        for level, index, above in finished(head, digest):
            self._execute(_ADD_TILE, {"level": level, "idx": index, "hash": above})
        self._head, self._last = head.append(digest), (head.size, digest)
        self.call_id = cast("str | None", entry.facts.get("call_id")) or self.call_id
        return head.size

    def index(self, rows: Iterable[tuple[str, int]], size: int) -> None:
        # In one statement, and in the order in which they lie there, which is faster than that in which they came.
        keys = cache(hashed)
        listed = sorted((keys(key), idx) for key, idx in rows)
        self._execute(_INDEX, {"rows": orjson.dumps(listed).decode()})
        self._execute(_SET_INDEXED, {"size": size})

    def add_checkpoint(self, size: int, note: str) -> None:
        self._execute(_ADD_CHECKPOINT, {"size": size, "note": note})


def _has(reader: Snapshot, index: int, digest: bytes) -> bool:
    return [entry.leaf_hash for entry in reader.entries(index, 1)] == [digest]
