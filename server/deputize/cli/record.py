"""`deputize log verify`: the record, recomputed (LOG-4)."""

from base64 import b64encode
from pathlib import Path
from typing import Annotated

import typer

from deputize.cli.data import Data, keys_of, read
from deputize.cli.out import fail
from deputize.cli.policy import PolicyPath, read_policy
from deputize.crypto.note import NoteError, Verifier, open_note
from deputize.protocol.checkpoint import Checkpoint
from deputize.service import record
from deputize.service.ports import Reader
from deputize.service.record import Report

log = typer.Typer(no_args_is_help=True, help="The record of every decision.")


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

    def compare(tx: Reader) -> Report:
        kept = {f"kept checkpoint {n}": note.encode() for n, note in enumerate(tx.checkpoints(), 1)}
        return record.verify(tx, {name: _open(name, text, verifier) for name, text in (kept | given).items()})

    report = read(data, compare)
    if report.fault is not None:
        fail(str(report.fault))
    root = b64encode(report.root).decode()
    typer.echo(f"The record is whole. Entries: {report.size}, {report.signed} of them signed. Root: {root}")
    if not given:
        typer.echo("None of the checkpoints was kept elsewhere: see --checkpoint.", err=True)


def _open(name: str, text: bytes, verifier: Verifier) -> Checkpoint:
    """Read a signed checkpoint of this record; ends the command if it is none."""
    try:
        checkpoint = Checkpoint.parse(open_note(text.decode(), [verifier]))
    except NoteError as error:
        fail(f"{name} is not signed with this record's key: {error.reason}")
    except ValueError:
        fail(f"{name} is not a checkpoint")
    if checkpoint.origin != verifier.name:
        fail(f"{name} is of another record: {checkpoint.origin}")
    return checkpoint
