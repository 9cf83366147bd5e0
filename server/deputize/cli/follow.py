"""`deputize log follow`: anybody with the record's key sees that a site only ever adds to it (LOG-7)."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from deputize.cli.changes import replace_file
from deputize.cli.out import UNUSABLE, fail
from deputize.crypto.note import NoteError, Verifier, open_note
from deputize.extras import needing
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.merkle import HASH_BYTES
from deputize.protocol.shown import plain
from deputize.service.following import Broken, Followed, NoTile

PATIENCE = 30
"""Seconds that the site has for one answer."""
_NOTE, _LEAVES = "checkpoint", "leaves"


def follow(
    issuer: Annotated[str, typer.Argument(metavar="URL", help="The issuer: https://bank.example/deputize")],
    key: Annotated[str, typer.Option(help="The record's key, from `deputize log key` of its owner.")],
    keep: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the newest checkpoint and all hashes are kept.")
    ] = Path("followed"),
    every: Annotated[int, typer.Option(min=1, metavar="SECONDS", help="How often to look.")] = 60,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Where to send, by POST, what is wrong, as JSON.")
    ] = None,
) -> None:
    """Look again and again whether the record of a site continues what was seen of it, from anywhere.

    It needs nothing but the record's key. What it sees first it takes as it is; from then on it says what was
    rewritten, cut off or put back, and ends with exit code 1. If the site cannot be reached, it says so and tries
    again; with --once, the exit code is then 2.
    """
    try:
        verifier = Verifier.parse(key)
    except NoteError:
        fail("--key is not a record's key: write name+hash+base64, as `deputize log key` does", UNUSABLE)
    with needing("agent"):
        import httpx2
    keep.mkdir(parents=True, exist_ok=True)
    seen = _kept(keep, verifier)
    with httpx2.Client(timeout=PATIENCE, trust_env=False) as http:

        def get(path: str) -> bytes:
            answer = http.get(f"{issuer.rstrip('/')}/log/{path}")
            answer.raise_for_status()
            return answer.content

        def tile(path: str) -> bytes:
            try:
                return get(f"tile/{path}")
            except httpx2.HTTPError as error:
                raise NoTile(_told(error)) from error

        while True:
            before, text = seen.tree.size, b""
            try:
                text = get("checkpoint")
                checkpoint = _opened(text, verifier)
                seen.go_on(checkpoint, tile)
            except (httpx2.HTTPError, NoteError, NoTile) as error:
                told = f"{issuer} gives no signed record now: {_told(error)}"
                if once:
                    fail(told, UNUSABLE)
                typer.echo(f"deputize: {plain(told)}", err=True)
            except Broken as broken:
                told = f"the record of {verifier.name} is not the one that was seen before: {broken}"
                if webhook is not None:
                    fault = {"record": verifier.name, "fault": str(broken), "checkpoint": text.decode()}
                    try:
                        http.post(webhook, json=fault).raise_for_status()
                    except httpx2.HTTPError as error:
                        told += f" ({webhook} was not told: {_told(error)})"
                fail(told)
            else:
                _keep(keep, seen, text, before)
                typer.echo(
                    f"{checkpoint.size} entries, {checkpoint.size - before} of them new: it only grew."
                )
            if once:
                return
            time.sleep(every)


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__  # a broken connection has no words of its own


def _opened(text: bytes, verifier: Verifier) -> Checkpoint:
    """Read a signed checkpoint; NoteError for anything else."""
    try:
        checkpoint = Checkpoint.parse(open_note(text.decode(), [verifier]))
    except NoteError:
        raise
    except ValueError:
        raise NoteError("malformed_note") from None
    if checkpoint.origin != verifier.name:
        raise NoteError("malformed_note")
    return checkpoint


def _kept(folder: Path, verifier: Verifier) -> Followed:
    """Read what was seen until now; ends the command if it is not whole, or of another record."""
    note, leaves = folder / _NOTE, folder / _LEAVES
    if not note.exists():
        return Followed()
    try:
        checkpoint = _opened(note.read_bytes(), verifier)
    except NoteError as error:
        fail(f"{note} is not signed with this key: {error.reason}", UNUSABLE)
    seen = Followed.read(leaves.read_bytes()[: checkpoint.size * HASH_BYTES] if leaves.exists() else b"")
    if (seen.tree.size, seen.tree.root()) != (checkpoint.size, checkpoint.root):
        fail(f"{leaves} is not what {note} is over: begin anew, in another folder", UNUSABLE)
    return seen


def _keep(folder: Path, seen: Followed, text: bytes, before: int) -> None:
    """Keep what is new: the hashes first, and then, at once, the checkpoint over them."""
    with (folder / _LEAVES).open("ab") as leaves:
        leaves.truncate(before * HASH_BYTES)  # what came before a checkpoint that was not kept any more
        leaves.write(seen.leaves[before * HASH_BYTES :])
        leaves.flush()
        os.fsync(leaves.fileno())
    replace_file(folder / _NOTE, text)
