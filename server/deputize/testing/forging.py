"""What somebody can do to a record who has its data and its keys, for those who want to see that it shows."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from deputize.protocol.canonical import Json, canonicalize
from deputize.protocol.merkle import Frontier, leaf_hash
from deputize.protocol.tiles import finished

_EMPTY = """
    DELETE FROM entries;
    DELETE FROM tiles;
    DELETE FROM checkpoints;
    DELETE FROM trails;
    DELETE FROM trails_head"""


def remake(data: Path, change: Callable[[list[bytes]], Sequence[bytes]]) -> None:
    """Make the record in a folder anew, of other entries: all hashes and the head fit, and what was signed is gone.

    No server has it open. The next one is started with `new_head`, and signs it.
    """
    with closing(sqlite3.connect(data / "deputize.db")) as database, database:
        found = database.execute("SELECT leaf FROM entries ORDER BY idx").fetchall()
        database.executescript(_EMPTY)
        tree = Frontier()
        for index, leaf in enumerate(change([leaf for (leaf,) in found])):
            digest = leaf_hash(leaf)
            entry = (index, leaf, digest)
            database.execute("INSERT INTO entries (idx, leaf, leaf_hash) VALUES (?, ?, ?)", entry)
            above = finished(tree, digest)
            database.executemany("INSERT INTO tiles (level, idx, hash) VALUES (?, ?, ?)", above)
            tree = tree.append(digest)
        database.execute("UPDATE log_head SET frontier = ?", (tree.to_bytes(),))
    (data / "checkpoint").unlink(missing_ok=True)


def retold(leaf: bytes, **facts: Json) -> bytes:
    """Return an entry that tells of other facts."""
    return canonicalize({**json.loads(leaf), **facts})
