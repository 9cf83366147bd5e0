"""What a hand-over of the record's key says: which key follows which, and from which entry on (LOG-12)."""

from dataclasses import dataclass

from . import vkey
from .checkpoint import Checkpoint

_FIRST = "deputize/handover/v1"


@dataclass(frozen=True, slots=True)
class Handover:
    """The key `old` has signed its last checkpoints over `size` entries with this root; all later ones `new` signs.

    Keys are as `vkey.py` writes them. No checkpoint reads as this, nor this as one: the second line is no number.
    """

    old: str
    new: str
    size: int
    root: bytes

    def body(self) -> str:
        """Write the text that the old key signs."""
        rest = Checkpoint(_FIRST, self.size, self.root).body().partition("\n")[2]
        return f"{_FIRST}\n{self.old}\n{self.new}\n{rest}"

    @classmethod
    def parse(cls, body: str) -> "Handover":
        """Read a body, in exactly the spelling of `body()`; ValueError."""
        first, old, new, rest = body.split("\n", 3)
        for key in (old, new):
            vkey.read(key, vkey.ED25519)
        checkpoint = Checkpoint.parse(f"{first}\n{rest}")
        if checkpoint.origin != _FIRST:
            raise ValueError("not a hand-over")
        return cls(old, new, checkpoint.size, checkpoint.root)


def joined(notes: tuple[str, ...]) -> str:
    """Write the notes of several hand-overs as one text, an empty line between them."""
    return "\n".join(notes)


def parted(text: str) -> tuple[str, ...]:
    """Read what `joined` wrote; ValueError where a note is cut off."""
    if not text:
        return ()
    parts = text.removesuffix("\n").split("\n\n")
    if len(parts) % 2 or not text.endswith("\n"):
        raise ValueError("not a list of notes")
    return tuple(f"{body}\n\n{signature}\n" for body, signature in zip(parts[::2], parts[1::2], strict=True))
