"""The file that keeps the newest checkpoint of a record outside its database (HEAD-1)."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ..alone import alone_in
from ..crypto.note import Verifier, open_note, sign
from ..private import replace_alone
from ..protocol.checkpoint import Checkpoint
from ..protocol.merkle import Frontier
from ..protocol.policy import Policy

BESIDE = "checkpoint"
"""Where it is if the policy does not say: in the folder of the database."""
_MOST = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """What the file has: its bytes, None if there is no file, and the checkpoint, None if there is none of our own."""

    text: bytes | None = None
    checkpoint: Checkpoint | None = None


class HeadFile:
    """Reads and replaces the file. Only a checkpoint that the record's own key has signed counts."""

    def __init__(self, path: Path, origin: str, key: Callable[[], Ed25519PrivateKey]) -> None:
        """Take where it is, the origin of the record (LOG-3), and what returns the record's key."""
        self.path = path
        self._real = path.resolve()  # a link is not replaced, but what it leads to
        self.origin = origin
        self._key = key

    @classmethod
    def of(cls, policy: Policy, data: Path, key: Callable[[], Ed25519PrivateKey]) -> "HeadFile":
        """Return the file of an authority that has its data in this folder."""
        path = Path(policy.record.head) if policy.record.head is not None else data / BESIDE
        return cls(path, policy.site.record_origin, key)

    def read(self) -> Kept:
        """Return what is there; OSError if that cannot be told, also where the folder is not there."""
        try:
            descriptor = os.open(
                self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            )  # a pipe is not waited for
        except FileNotFoundError:
            os.stat(self._real.parent)  # noqa: PTH116  # raises: a disk that is not mounted is not an empty one
            return Kept()
        with os.fdopen(descriptor, "rb") as file:
            return self.opened(file.read(_MOST))

    def opened(self, text: bytes) -> Kept:
        """Open a note; one that is not by this key is none. Under which origin it was signed does not matter: where an
        issuer moves, its record goes on."""
        try:
            origin = text.decode().partition("\n")[0]
            body = open_note(text.decode(), [Verifier(origin, self._key().public_key())])
            return Kept(text, Checkpoint.parse(body))
        except ValueError:
            return Kept(text)

    @contextmanager
    def alone(self) -> Iterator[int]:
        """Keep other processes from replacing it; yields what `replace` needs."""
        with alone_in(self._real.parent) as folder:
            yield folder

    def replace(self, head: Frontier, folder: int) -> Kept:
        """Put a checkpoint of this head in its place, in one step, and to the disk; OSError."""
        checkpoint = Checkpoint(self.origin, head.size, head.root())
        text = sign(checkpoint.body(), self.origin, self._key()).encode()
        replace_alone(self._real, text, folder)
        return Kept(text, checkpoint)
