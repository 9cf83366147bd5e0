"""`deputize log verify`: the record, recomputed (LOG-4)."""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Annotated

import orjson
import typer

from deputize.cli.data import Data, keys_of, read
from deputize.cli.out import fail
from deputize.cli.policy import PolicyPath, read_policy
from deputize.crypto.note import NoteError, Verifier, open_note
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.merkle import Frontier, leaf_hash
from deputize.service.ports import Reader

log = typer.Typer(no_args_is_help=True, help="The record of every decision.")

_BATCH = 1000


class RecordError(Exception):
    """The record is not what it was. The message names the first entry that is wrong."""


@log.callback()
def _group() -> None:
    """Keep `verify` a command of its own, though it is the only one."""


@log.command()
def verify(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A file with a checkpoint that you kept. May be given several times."),
    ] = None,
    data: Data = Path("var"),
    policy: PolicyPath = Path("deputize.toml"),
) -> None:
    """Recompute every entry's hash and the root, and compare them with the checkpoints.

    Who can write to the data, keys included, can make the whole record anew. That shows only against a
    checkpoint that was kept elsewhere: the authority answers one at /log/checkpoint.
    """
    origin = read_policy(policy).site.issuer.partition("://")[2]  # LOG-3
    verifier = Verifier(origin, keys_of(data).record_key().public_key())
    given = {str(path): path.read_bytes() for path in checkpoint or []}

    def compare(tx: Reader) -> tuple[Frontier, int]:
        kept = {f"kept checkpoint {n}": note.encode() for n, note in enumerate(tx.checkpoints(), 1)}
        checkpoints = [(name, _open(name, text, verifier)) for name, text in (kept | given).items()]
        return recompute(tx, checkpoints), len(checkpoints)

    try:
        tree, compared = read(data, compare)
    except RecordError as error:
        fail(str(error))
    root = b64encode(tree.root()).decode()
    typer.echo(f"The record is whole. Entries: {tree.size}. Checkpoints: {compared}. Root: {root}")
    if not given:
        typer.echo("None of the checkpoints was kept elsewhere: see --checkpoint.", err=True)


def recompute(tx: Reader, checkpoints: Iterable[tuple[str, Checkpoint]]) -> Frontier:
    """Return the tree over all entries; RecordError if one of them, the head or a checkpoint contradicts it.

    1. Entry after entry: it is there, in its place, and has the hash that is stored with it.
    2. At the size of each checkpoint: the root is what was signed. If not, one of the entries since the
       last checkpoint that agreed was changed together with its hash.
    3. No checkpoint is over more entries than there are, and the stored head is over all.
    """
    signed: dict[int, dict[str, bytes]] = defaultdict(dict)
    for name, checkpoint in checkpoints:
        signed[checkpoint.size][name] = checkpoint.root
    head = _head(tx)
    signed[head.size]["the stored head"] = head.root()
    tree, agreed = Frontier(), 0
    for tree in accumulate(_leaves(tx), Frontier.append, initial=Frontier()):
        roots = signed.pop(tree.size, {})
        for name, root in roots.items():
            if root != tree.root():
                since = f"entry {agreed} or later" if agreed < tree.size - 1 else f"entry {agreed}"
                raise RecordError(f"{since} was changed: {name}, over {tree.size} entries, has another root")
        agreed = tree.size if roots else agreed
    for size, names in sorted(signed.items()):
        raise RecordError(f"entry {tree.size} is missing: {', '.join(names)} is over {size} entries")
    if head.size < tree.size:
        raise RecordError(f"entry {head.size} was added without the stored head, over {head.size} entries")
    return tree


def _leaves(tx: Reader) -> Iterator[bytes]:
    """Return the hash of each entry, in order; RecordError at the first that is missing or wrong."""
    index = 0
    while batch := tx.entries(index, _BATCH):
        for entry in batch:
            if entry.index != index:
                raise RecordError(f"entry {index} is missing")
            if leaf_hash(entry.leaf) != entry.leaf_hash:
                raise RecordError(f"entry {index} was changed: the hash that is stored with it is another")
            if not _is_entry(entry.leaf, index):
                raise RecordError(f"entry {index} is not an entry")
            yield entry.leaf_hash
            index += 1


def _is_entry(leaf: bytes, index: int) -> bool:
    """Tell whether these are the bytes of an entry with this index (LOG-1)."""
    try:
        value = orjson.loads(leaf)
    except orjson.JSONDecodeError:
        return False
    canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == leaf
    return canonical and isinstance(value, dict) and value.get("i") == index


def _head(tx: Reader) -> Frontier:
    try:
        return tx.head()
    except ValueError as error:
        raise RecordError("the stored head is not one") from error


def _open(name: str, text: bytes, verifier: Verifier) -> Checkpoint:
    """Read a signed checkpoint of this record; RecordError if it is none."""
    try:
        checkpoint = Checkpoint.parse(open_note(text.decode(), [verifier]))
    except NoteError as error:
        raise RecordError(f"{name} is not signed with this record's key: {error.reason}") from error
    except ValueError as error:
        raise RecordError(f"{name} is not a checkpoint") from error
    if checkpoint.origin != verifier.name:
        raise RecordError(f"{name} is of another record: {checkpoint.origin}")
    return checkpoint
