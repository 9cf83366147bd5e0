"""A question to a person, as structure: sentences are made of it last, in the reader's language (`words/`)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .canonical import Json, canonicalize, s256
from .ids import UserId
from .value import value


class Surface(StrEnum):
    """Where a question may be answered: in the site's page that asks, on the authority's own, or on either."""

    PAGE = "page"
    AUTHORITY = "authority"
    EITHER = "either"

    def has(self, where: "Surface") -> bool:
        """Tell whether an answer that is given there counts."""
        return self is Surface.EITHER or self is where


PARTS = (
    *("title", "headline", "row", "value", "asker", "claim"),
    *("warning", "heading", "scope", "tool", "limit", "new", "remark"),
)
"""What a line can be: it says how the line is drawn (GRANT-2, APPR-10)."""

_BESIDE = {
    "value": {"row": ": ", "value": ", "},
    "asker": {"row": ": "},
    "claim": {"asker": " · ", "claim": " · "},
    "new": {"scope": " · ", "limit": " · "},
}
"""What stands between a line and the one before it, where the two are read as one."""


@value
class Text:
    """What a person is shown: its language (BCP 47) and the words, in the order in which they stand.

    `parts` say of each line how it is drawn (GRANT-2). Values, and who asks, follow what they are called by.
    """

    language: str
    lines: tuple[str, ...]
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the words as one text: a line of it for each, but rows, and who asks, each in one."""
        said, before = "", ""
        for part, line in zip(self.parts or ("",) * len(self.lines), self.lines, strict=True):
            said += (_BESIDE.get(part, {}).get(before, "\n") if said else "") + line
            before = part
        return said

    @property
    def s256(self) -> str:
        """Return the digest of the words as shown."""
        return s256(canonicalize([*self.lines]))


@value
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
        return {**self._but_words(), "text_s256": self.text.s256}

    def _but_words(self) -> dict[str, Json]:
        return {
            "what": dict(self.what),
            "approver": self.approver,
            "until": self.until,
            "language": self.text.language,
            "methods": [*self.methods],
            "surface": self.surface.value,
            "approvals": self.approvals,
        }

    def commitment(self, salt: bytes) -> bytes:
        """Commit to it without telling it: SHA-256(salt ‖ SHA-256 of the structure in canonical bytes) (APPR-10)."""
        digest = hashlib.sha256(canonicalize(self.structure())).digest()
        return hashlib.sha256(salt + digest).digest()

    def to_json(self) -> dict[str, Json]:
        """Write it whole: the structure, with the words in place of their digest."""
        return {**self._but_words(), "lines": [*self.text.lines]}

    @classmethod
    def parse(cls, value: Json) -> "Question":
        """Read what `to_json` wrote; ValueError for anything else."""
        match value:
            case {
                "what": dict(what),
                "approver": str(approver),
                "until": int(until),
                "language": str(language),
                "lines": list(lines),
                "methods": list(methods),
                "surface": str(surface),
                "approvals": int(approvals),
                **more,
            } if not more:
                text = Text(language, _strings(lines))
                of = UserId(approver)
                return cls(what, of, until, text, _strings(methods), Surface(surface), approvals)
        raise ValueError("not a question")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was answered, with the salt that opens what was signed and recorded of it (APPR-11)."""

    question: Question
    salt: bytes


def _strings(values: list[Json]) -> tuple[str, ...]:
    strings = tuple(value for value in values if isinstance(value, str))
    if len(strings) < len(values):
        raise ValueError("not a question")
    return strings
