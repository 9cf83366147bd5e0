"""Whether a database is behind the newest checkpoint that has left it (HEAD-1)."""

from ..protocol.checkpoint import Checkpoint
from ..protocol.merkle import Frontier
from ..protocol.tiles import Tree
from .ports import Reader

CURE = (
    "Put the newest copy in its place, or go on with this one by `deputize restore --accept-rollback`, which "
    "suspends what users have allowed until they confirm it."
)


def gone(reader: Reader, newest: Checkpoint) -> str | None:
    """Say in what a database is not the one that a checkpoint of it left, nor one that goes on from that.

    The checkpoint was read first: what another process has recorded since is in the snapshot, or nothing is wrong.
    """
    size = reader.head().size
    if size < newest.size:
        entries = "1 entry" if size == 1 else f"{size} entries"
        return f"the database has {entries} where {newest.size} were recorded: it is an older copy"
    try:
        same = Tree(newest.size, reader.hashes).root() == newest.root
    except LookupError:
        same = False
    return (
        None if same else f"the first {newest.size} entries of the database are not those that were recorded"
    )


def judged(reader: Reader, newest: Checkpoint | None, known: bool = False) -> tuple[Frontier, str | None]:
    """Return the end of the record, and what is `gone`; of no checkpoint, nothing.

    Of one that is `known`, since it was compared before, only the size is. ValueError if the end is damaged.
    """
    head = reader.head()
    if newest is None or (known and head.size >= newest.size):
        return head, None
    return head, gone(reader, newest)
