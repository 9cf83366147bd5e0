"""What a checkpoint says: which log, how many entries, which root (LOG-3, c2sp.org/tlog-checkpoint)."""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from deputize.protocol.merkle import HASH_BYTES

_ORIGIN = re.compile(r"[^\x00-\x1f\ud800-\udfff]+")
_BODY = re.compile(r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of one log: its origin, its size in entries, the root hash (32 bytes) at that size.

    An origin that is empty or not one line, a negative size or a root of another length raise ValueError.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not _ORIGIN.fullmatch(self.origin):
            raise ValueError("an origin is one line of text")
        if not 0 <= self.size < 10**19:
            raise ValueError("a size is a whole number")
        if len(self.root) != HASH_BYTES:
            raise ValueError("a root hash is 32 bytes")

    def body(self) -> str:
        """Write the text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode('ascii')}\n"

    @classmethod
    def parse(cls, body: str) -> "Checkpoint":
        """Read a body, in exactly the spelling of `body()`; raises ValueError.

        Extension lines, which the specification allows and advises against, are refused: to drop them would
        be to drop something that was signed.
        """
        match = _BODY.fullmatch(body)
        if match is None:
            raise ValueError("not a checkpoint")
        checkpoint = cls(match["origin"], int(match["size"]), b64decode(match["root"]))
        if checkpoint.body() != body:
            raise ValueError("not canonical base64")
        return checkpoint
