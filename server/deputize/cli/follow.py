"""`deputize log follow`: anybody with the record's key sees that a site only ever adds to it (LOG-7)."""

import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from deputize.cli import key_file
from deputize.cli.changes import replace_file
from deputize.cli.kept import EntriesKept, HashesKept
from deputize.cli.looking import PATIENCE, Served, why
from deputize.cli.out import UNUSABLE, fail, when
from deputize.cli.trust import Key, Quorum, Trust, Witnesses
from deputize.crypto.note import NoteError
from deputize.crypto.succession import Succession
from deputize.extras import needing
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.shown import plain
from deputize.protocol.tiles import WIDTH
from deputize.protocol.url import is_secure
from deputize.service.following import Behind, Broken, Enough, Followed, NoTile

LOOK = 4096 * WIDTH
"""Entries of which one look takes the hashes, and of which it takes the entries, at most."""
LONGEST = 300
"""Seconds after which a look goes on with none of either."""
_AGAIN = 5  # times that a site is asked again which has fewer entries than it had: of two nodes the other one answers
_WORDS = {
    "another_record": "its checkpoint is of another record",
    "bad_handover": "the hand-overs of its key do not follow one another",
    "bad_signature": "its checkpoint has a signature that is not by this key, or of another text",
    "malformed_note": "what it serves is no checkpoint",
    "no_known_signature": "its checkpoint is not signed by this key",
    "not_a_checkpoint": "what it serves is no checkpoint",
}
"""What is told where a note cannot be opened; `TooFew` has words of its own."""


def follow(
    issuer: Annotated[str, typer.Argument(metavar="URL", help="The issuer: https://bank.example/deputize")],
    key: Key,
    keep: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the newest checkpoint and all hashes are kept.")
    ] = Path("followed"),
    every: Annotated[int, typer.Option(min=1, metavar="SECONDS", help="How often to look.")] = 60,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A file with an older checkpoint, or one that somebody else was shown. May be given several times.",
        ),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Where to send, by POST, what is wrong, as JSON.")
    ] = None,
    entries: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Where to keep the entries, too, for who may read them: see --reader."
        ),
    ] = None,
    reader: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Your key as a reader of the record: `deputize log keygen`."),
    ] = None,
    witness: Witnesses = None,
    quorum: Quorum = None,
) -> None:
    """Look again and again whether the record of a site continues what was seen of it, from anywhere.

    It needs nothing but the record's key. What it sees first it takes as it is, unless you have an older checkpoint;
    from then on it says what was rewritten, cut off or put back, keeps the checkpoint that is signed over that, and
    ends with exit code 1. One look takes a million entries at most; of a longer record, the newest checkpoint is proven
    to continue them. If the site cannot be reached, or its checkpoint is not cosigned as it should be, it says so and
    tries again; with --once, the exit code is then 2.
    """
    trust = Trust.read(key, witness, quorum)
    if webhook is not None and not is_secure(webhook):
        fail("--webhook is reached by https, or by http on this machine", UNUSABLE)
    if (entries is None) != (reader is None):
        fail(
            "--entries and --reader go together: where entries are kept, and the key that may read them",
            UNUSABLE,
        )
    with needing("agent"):
        import httpx2
    with httpx2.Client(timeout=PATIENCE, trust_env=False) as http:
        site = Served(
            http, issuer.rstrip("/"), key_file.load(reader, "deputize log keygen") if reader else None
        )
        hashes = HashesKept(keep, trust.verifier)
        said = EntriesKept(entries, hashes) if entries else None
        while True:
            before, text, handovers = hashes.size, b"", b""
            try:
                text = site.get("checkpoint")
                handovers = site.get("handovers")  # second: they are not to be behind the checkpoint
                keys = hashes.handed_over(handovers)
                newest = _opened(text, trust, keys)
                look, others = _Look(newest.size), _given(checkpoint or (), keys)
                hashes.go_on(newest, text, site.tile, keys, others, look.enough(hashes.size))
                if said is not None:
                    said.go_on(site.tile, look.enough(hashes.size - said.missing))
            except (httpx2.HTTPError, NoteError, NoTile) as error:
                told = _silence(issuer, hashes, error)
                if once:
                    fail(told, UNUSABLE)
                typer.echo(f"deputize: {plain(told)}", err=True)
            except Broken as broken:
                fault = str(broken)
                if isinstance(broken, Behind) and _has_all(site, hashes, trust):
                    fault += "; asked again, it has all of them: one of its nodes is old"
                evidence = _evidence(keep, b"\n".join(filter(None, (text, handovers))))
                told = _contradiction(trust.verifier.name, hashes, fault, evidence)
                if webhook is not None:
                    report = {"record": trust.verifier.name, "fault": fault, "seen": hashes.note.decode()}
                    report["checkpoint"] = text.decode(errors="replace")
                    if handovers:
                        report["handovers"] = handovers.decode(errors="replace")
                    try:
                        http.post(webhook, json=report).raise_for_status()
                    except httpx2.HTTPError as error:
                        told += f" ({webhook} was not told: {_told(error)})"
                fail(told)
            else:
                typer.echo(f"{hashes.size} entries, {hashes.size - before} of them new: it only grew.")
                if missing := hashes.missing + (said.missing if said else 0):
                    typer.echo(f"The next looks go on with {missing} more.", err=True)
            if once:
                return
            time.sleep(every)


class _Look:
    """How far one look goes, and what a human who sits before it is told meanwhile."""

    def __init__(self, size: int) -> None:
        """Begin one at a record of this size."""
        self._size, self._until = size, time.monotonic() + LONGEST

    def enough(self, begun: int) -> Enough:
        """Return what tells whether enough was taken since there were so many."""

        def enough(size: int) -> bool:
            if sys.stderr.isatty():  # what is told next is longer
                typer.echo(f"{size} of {self._size} entries\r", nl=False, err=True)
            return size - begun >= LOOK or time.monotonic() > self._until

        return enough


def _opened(note: bytes, trust: Trust, keys: Succession) -> Checkpoint:
    """Read a checkpoint; NoteError, or `Broken` if it is by a key whose turn it is not."""
    try:
        return trust.opened(note, keys)
    except NoteError as error:
        if error.reason == "key_handed_over":
            raise Broken("its checkpoint is signed by a key whose turn it is not") from None
        raise


def _given(files: Sequence[Path], keys: Succession) -> list[tuple[str, Checkpoint]]:
    """Read checkpoints that were kept, or that others were shown, each with its name; ends the command for others."""
    read = []
    for file in files:
        try:
            read.append((str(file), keys.opened(file.read_bytes())))
        except NoteError as error:
            if error.reason == "key_handed_over":
                raise Broken(f"{file} is signed by a key whose turn it was not") from None
            fail(f"{file} is not a checkpoint of this record: {error.reason}", UNUSABLE)
    return read


def _has_all(site: Served, hashes: HashesKept, trust: Trust) -> bool:
    """Tell whether a site that has shown too few entries has as many as were seen when it is asked again."""
    import httpx2

    for _ in range(_AGAIN):
        try:
            newest = trust.opened(site.get("checkpoint"), hashes.keys)
            Followed(hashes.seen.tree, hashes.seen.leaves[:]).go_on(newest, site.tile, lambda _: True)
        except (httpx2.HTTPError, NoteError, NoTile, Broken):
            continue
        return True
    return False


def _silence(issuer: str, hashes: HashesKept, error: Exception) -> str:
    """Say why there is nothing to look at, and since when."""
    last = f" (it last did at {when(hashes.seen_at)}, with {hashes.size} entries)" if hashes.note else ""
    return f"{issuer} gives no signed record now{last}: {_told(error)}"


def _contradiction(name: str, hashes: HashesKept, fault: str, evidence: Path) -> str:
    """Say what is wrong with a record, since when, and what to keep of it."""
    if not hashes.note:
        return f"the record of {name} cannot be right: {fault}; keep {evidence}, which it serves now"
    return (
        f"the record of {name} is not the one that was seen at {when(hashes.seen_at)}: {fault}; keep {evidence}, which "
        f"it serves now, and {hashes.file}, which it served then"
    )


def _evidence(folder: Path, note: bytes) -> Path:
    """Keep a signed checkpoint that contradicts the one in this folder: who has both can show it to anybody."""
    file = folder / f"contradiction-{sha256(note).hexdigest()[:16]}"
    replace_file(file, note)
    return file


def _told(error: Exception) -> str:
    if isinstance(error, NoteError):
        return _WORDS.get(error.reason, str(error))
    return why(error)
