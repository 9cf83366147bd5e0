"""What a log asks of a witness, and when that says yes (LOG-10, c2sp.org/tlog-witness)."""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from .checkpoint import Checkpoint
from .merkle import EMPTY_ROOT, HASH_BYTES
from .tiles import verify_consistency

MAX_PROOF = 63
"""Hashes in a proof."""

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """The body of `POST add-checkpoint`: from which size on the `proof` leads to the checkpoint in a signed note."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    def text(self) -> str:
        """Write it."""
        hashes = (b64encode(each).decode("ascii") for each in self.proof)
        return "\n".join([f"old {self.old}", *hashes, "", self.note])

    @classmethod
    def parse(cls, text: str) -> "AddCheckpoint":
        """Read what `text()` wrote; ValueError for anything else."""
        head, blank, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        old = _OLD.fullmatch(first)
        if old is None or not blank or len(lines) > MAX_PROOF:
            raise ValueError("not a request for a cosignature")
        asked = cls(int(old[1]), tuple(b64decode(line, validate=True) for line in lines), note)
        if asked.text() != text or not {HASH_BYTES}.issuperset(map(len, asked.proof)):
            raise ValueError("not in the one spelling of a request for a cosignature")
        return asked


def refusal(asked: AddCheckpoint, new: Checkpoint, latest: Checkpoint | None) -> int | None:
    """Return the HTTP status by which a witness refuses a genuine checkpoint, after the latest of that log that it has
    cosigned; None if it cosigns it.

    400: the older is the larger one. 409: another checkpoint than that was the latest, and the log is told its size.
    422: it does not continue that.
    """
    seen = latest.size if latest is not None else 0
    if asked.old > new.size:
        return 400
    if asked.old != seen:
        return 409
    before = latest.root if latest is not None else EMPTY_ROOT
    if new.size == 0 and new.root != EMPTY_ROOT:
        return 422
    return None if verify_consistency(seen, before, new.size, new.root, asked.proof) else 422
