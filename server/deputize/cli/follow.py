"""`deputize log follow`: anybody with the record's key sees that a site only ever adds to it (LOG-7)."""

import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deputize.cli import key_file
from deputize.cli.changes import replace_file
from deputize.cli.kept import EntriesKept, HashesKept
from deputize.cli.out import UNUSABLE, fail
from deputize.cli.trust import Key, Quorum, Trust, Witnesses
from deputize.crypto import dpop
from deputize.crypto.note import NoteError
from deputize.crypto.succession import Succession
from deputize.extras import needing
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.shown import plain
from deputize.protocol.tiles import WIDTH
from deputize.protocol.url import is_secure
from deputize.service.following import Broken, NoTile

if TYPE_CHECKING:
    import httpx2
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

PATIENCE = 30
"""Seconds that the site has for one answer."""
_MOST = 64 * 1024  # bytes of a checkpoint, or of a tile
_MOST_ENTRIES = WIDTH * (2 + 65_535)  # LOG-8


def follow(
    issuer: Annotated[str, typer.Argument(metavar="URL", help="The issuer: https://bank.example/deputize")],
    key: Key,
    keep: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the newest checkpoint and all hashes are kept.")
    ] = Path("followed"),
    every: Annotated[int, typer.Option(min=1, metavar="SECONDS", help="How often to look.")] = 60,
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False,
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

    It needs nothing but the record's key. What it sees first it takes as it is; from then on it says what was
    rewritten, cut off or put back, keeps the checkpoint that is signed over that, and ends with exit code 1. If the
    site cannot be reached, or its checkpoint is not cosigned as it should be, it says so and tries again; with --once,
    the exit code is then 2.
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
        site = _Site(
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
                checkpoint = _opened(text, trust, keys)
                hashes.go_on(checkpoint, text, site.tile, keys)
                if said is not None:
                    said.go_on(site.tile)
            except (httpx2.HTTPError, NoteError, NoTile) as error:
                told = f"{issuer} gives no signed record now: {_told(error)}"
                if once:
                    fail(told, UNUSABLE)
                typer.echo(f"deputize: {plain(told)}", err=True)
            except Broken as broken:
                told = f"the record of {trust.verifier.name} is not the one that was seen before: {broken}"
                evidence = _evidence(keep, b"\n".join(filter(None, (text, handovers))))
                told += f"; {evidence} is signed over that"
                if webhook is not None:
                    fault = {"record": trust.verifier.name, "fault": str(broken), "checkpoint": text.decode()}
                    fault["seen"] = hashes.note.decode()
                    if handovers:
                        fault["handovers"] = handovers.decode()
                    try:
                        http.post(webhook, json=fault).raise_for_status()
                    except httpx2.HTTPError as error:
                        told += f" ({webhook} was not told: {_told(error)})"
                fail(told)
            else:
                typer.echo(f"{hashes.size} entries, {hashes.size - before} of them new: it only grew.")
            if once:
                return
            time.sleep(every)


class _Site:
    """What a site serves below `/log/`."""

    def __init__(self, http: "httpx2.Client", issuer: str, key: "EllipticCurvePrivateKey | None") -> None:
        self._http, self._issuer, self._key = http, issuer, key

    def get(self, path: str) -> bytes:
        url, headers = f"{self._issuer}/log/{path}", {}
        if path.startswith("tile/entries/") and self._key is not None:
            headers["Deputize-Reader"] = dpop.make(self._key, "GET", url, int(time.time()))
        most = _MOST_ENTRIES if path.startswith("tile/entries/") else _MOST
        until = time.monotonic() + PATIENCE
        with self._http.stream("GET", url, headers=headers) as answer:
            answer.raise_for_status()
            data = bytearray()
            for part in answer.iter_bytes():  # whoever is watched may want that nobody watches
                data += part
                if len(data) > most:
                    raise NoTile(f"{path} is too long")
                if time.monotonic() > until:
                    raise NoTile(f"{path} takes too long")
        return bytes(data)

    def tile(self, path: str) -> bytes:
        import httpx2

        try:
            return self.get(f"tile/{path}")
        except httpx2.HTTPError as error:
            raise NoTile(_told(error)) from error


def _opened(note: bytes, trust: Trust, keys: Succession) -> Checkpoint:
    """Read a checkpoint; NoteError, or `Broken` if it is by a key whose turn it is not."""
    try:
        return trust.opened(note, keys)
    except NoteError as error:
        if error.reason == "key_handed_over":
            raise Broken("its checkpoint is signed by a key whose turn it is not") from None
        raise


def _evidence(folder: Path, note: bytes) -> Path:
    """Keep a signed checkpoint that contradicts the one in this folder: who has both can show it to anybody."""
    file = folder / f"contradiction-{sha256(note).hexdigest()[:16]}"
    replace_file(file, note)
    return file


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__  # a broken connection has no words of its own
