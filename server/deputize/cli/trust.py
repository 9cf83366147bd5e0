"""Whom somebody believes who checks a record from outside: its key, and perhaps so many witnesses (LOG-3, LOG-10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from deputize.cli.out import UNUSABLE, fail
from deputize.crypto.note import Cosigner, NoteError, Verifier, signers
from deputize.crypto.succession import Succession
from deputize.protocol.checkpoint import Checkpoint

Key = Annotated[str, typer.Option(help="The record's key, from `deputize log key` of its owner.")]
Witnesses = Annotated[
    list[str] | None,
    typer.Option(
        "--witness",
        metavar="KEY",
        help="The key of a witness, who has to have cosigned. May be given several times.",
    ),
]
Quorum = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="NUMBER", help="How many of the witnesses are enough; by default all of them."
    ),
]


class TooFew(NoteError):
    """A checkpoint that fewer witnesses have cosigned than somebody wants; the message names those who are missing."""

    def __init__(self, size: int, wanted: int, missing: Sequence[Cosigner]) -> None:
        """Say of how many entries it is."""
        super().__init__("too_few_cosignatures")
        self.size, self.wanted, self.missing = size, wanted, missing

    def __str__(self) -> str:
        names = ", ".join(each.name for each in self.missing)
        return (
            f"its checkpoint of {self.size} entries is not cosigned by {names}, and you want {self.wanted} of your "
            "witnesses: others may be shown another record"
        )


@dataclass(frozen=True)
class Trust:
    """A record's key, and how many of which witnesses have to have cosigned its checkpoints."""

    verifier: Verifier
    witnesses: tuple[Cosigner, ...]
    quorum: int

    @classmethod
    def read(cls, key: str, witnesses: Sequence[str] | None, quorum: int | None) -> "Trust":
        """Read options; ends the command if they are none."""
        try:
            verifier = Verifier.parse(key)
        except NoteError:
            fail("--key is not a record's key: write name+hash+base64, as `deputize log key` does", UNUSABLE)
        try:
            known = tuple({each: Cosigner.parse(each) for each in witnesses or ()}.values())
        except NoteError:
            fail(
                "--witness is not the key of a witness: write name+hash+base64, as `deputize witness` does",
                UNUSABLE,
            )
        wanted = len(known) if quorum is None else quorum
        if wanted > len(known):
            fail(f"--quorum is {wanted}, more than the witnesses, who are {len(known)}", UNUSABLE)
        return cls(verifier, known, wanted)

    def opened(self, note: bytes, keys: Succession) -> Checkpoint:
        """Read a checkpoint that is signed and cosigned as it should be; NoteError for anything else, `TooFew`."""
        checkpoint = keys.opened(note)
        cosigned = signers(note.decode(), self.witnesses)[1]
        if len(cosigned) < self.quorum:
            raise TooFew(checkpoint.size, self.quorum, [one for one in self.witnesses if one not in cosigned])
        return checkpoint
