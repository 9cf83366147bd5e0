"""A question to a person, as structure: sentences are made of it last, in the reader's language (`words/`)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .canonical import Json, canonicalize, s256
from .ids import UserId


class Surface(StrEnum):
    """Where a question may be answered."""

    PAGE = "page"
    AUTHORITY = "authority"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Text:
    """What a person is shown: its language (BCP 47) and the words, in the order in which they stand."""

    language: str
    lines: tuple[str, ...]

    @property
    def s256(self) -> str:
        """Return the digest of the words as shown."""
        return s256(canonicalize([*self.lines]))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked (`what`: its kind, and rows with their titles and values, JSON), of whom, by which methods of
    approval, on which surface, how many have to say yes, and until which second; `text` is how it is put.
    """

    what: Mapping[str, Json]
    approver: UserId
    until: int
    text: Text
    methods: tuple[str, ...]
    surface: Surface = Surface.PAGE
    approvals: int = 1

    def structure(self) -> dict[str, Json]:
        """Return all of it but the words, of which it has the language and the digest."""
        return {
            "what": dict(self.what),
            "approver": self.approver,
            "until": self.until,
            "language": self.text.language,
            "text_s256": self.text.s256,
            "methods": [*self.methods],
            "surface": self.surface.value,
            "approvals": self.approvals,
        }

    def digest(self) -> bytes:
        """Return the SHA-256 of the structure in canonical bytes."""
        return hashlib.sha256(canonicalize(self.structure())).digest()
