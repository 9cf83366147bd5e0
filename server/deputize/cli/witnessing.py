"""A small witness: the latest checkpoint of each log that it knows, and never a second history (LOG-10)."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deputize.alone import alone_in
from deputize.crypto.note import Cosigner, NoteError, Verifier, cosign, only, open_note
from deputize.private import create_private, replace_private
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.witness import AddCheckpoint, refusal

_KEY = "witness.key"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answers: an HTTP status, and a text."""

    status: int
    text: str = ""


class Witness:
    """Cosigns checkpoints of these logs under a name. What it has cosigned last lies in a folder, with its key."""

    def __init__(self, name: str, folder: Path, logs: Iterable[Verifier]) -> None:
        """Read the key, or make it; ValueError if the file holds another thing, NoteError for a name that cannot be."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / _KEY
        with alone_in(folder):
            if not file.exists():
                create_private(file, Ed25519PrivateKey.generate().private_bytes_raw())
        self._key = Ed25519PrivateKey.from_private_bytes(file.read_bytes())
        self.verifier = Cosigner(name, self._key.public_key())
        self._folder = folder
        self._logs: dict[str, list[Verifier]] = {}
        for log in logs:
            self._logs.setdefault(log.name, []).append(log)

    def add(self, body: bytes, now: int) -> Answer:
        """Cosign a checkpoint, once that is durable, or say why not (`witness.refusal`).

        Also 400 for what is no request, 404 for a log that is not known, 403 for what that has not signed.
        """
        try:
            asked = AddCheckpoint.parse(body.decode())
        except ValueError:
            return Answer(400, "not a request for a cosignature")
        logs = self._logs.get(asked.note.partition("\n")[0])
        if logs is None:
            return Answer(404, "not a log that is witnessed here")
        try:
            text = open_note(asked.note, logs)
        except NoteError as error:
            return Answer(403, error.reason)
        try:
            new = Checkpoint.parse(text)
        except ValueError:
            return Answer(400, "not a checkpoint")
        with alone_in(self._folder) as folder:  # two requests, or processes, do not pass each other by
            latest = self._latest(new.origin)
            if (status := refusal(asked, new, latest)) is not None:
                return Answer(status, f"{latest.size if latest else 0}\n" if status == 409 else "")
            line = cosign(text, now, self.verifier.name, self._key)
            replace_private(self._file(new.origin), f"{only(asked.note, logs)}{line}".encode())
            os.fsync(folder)
        return Answer(200, line)

    def newest(self, hashed: str) -> str | None:
        """Return the latest checkpoint of a log that was cosigned, by the SHA-256 of its origin in hex."""
        if hashed not in map(_hashed, self._logs):
            return None
        file = self._folder / hashed
        return file.read_text() if file.exists() else None

    def _file(self, origin: str) -> Path:
        return self._folder / _hashed(origin)

    def _latest(self, origin: str) -> Checkpoint | None:
        file = self._file(origin)
        if not file.exists():
            return None
        return Checkpoint.parse(open_note(file.read_text(), [self.verifier]))


def _hashed(origin: str) -> str:
    return sha256(origin.encode()).hexdigest()
