"""Receipts: entries of the record, with the proof that a signed checkpoint covers them (LOG-5)."""

from base64 import b64decode, b64encode
from dataclasses import dataclass

import orjson

from .canonical import Json, b64u, canonicalize, unb64u
from .checkpoint import Checkpoint
from .entry import commitment
from .merkle import leaf_hash, verify_inclusion
from .question import Asked, Question

_NOT_ONE = "not a receipt"


@dataclass(frozen=True, slots=True)
class Proven:
    """One entry: its index, its bytes, and the hashes from its leaf to the root, nearest first (RFC 9162 §2.1.3)."""

    index: int
    leaf: bytes
    proof: tuple[bytes, ...]

    def told(self) -> dict[str, Json]:
        """Return what the entry tells; ValueError if that is no JSON object."""
        told = orjson.loads(self.leaf)
        if not isinstance(told, dict):
            raise ValueError(_NOT_ONE)
        return told


@dataclass(frozen=True, slots=True)
class Opening:
    """What was committed to (LOG-2): the arguments of a call, and the 32 bytes of its salt."""

    arguments: Json
    salt: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What somebody without access to the record needs to be sure of some of it.

    `checkpoint` is a signed note (LOG-3), which whoever checks opens with a key that he has from elsewhere.
    """

    checkpoint: str
    entries: tuple[Proven, ...]
    opening: Opening | None = None
    questions: tuple[Asked, ...] = ()
    handovers: tuple[str, ...] = ()
    """By which the record's keys followed one another, for who holds an older one (LOG-12)."""

    def unproven(self, checkpoint: Checkpoint) -> list[int]:
        """Return the indexes of the entries that the opened checkpoint does not cover, as they stand here."""
        return [
            entry.index
            for entry in self.entries
            if entry.told().get("i") != entry.index
            or not verify_inclusion(
                leaf_hash(entry.leaf), entry.index, checkpoint.size, entry.proof, checkpoint.root
            )
        ]

    def opens(self) -> bool:
        """Tell whether the opening is what the entries commit to; one of them has to."""
        if self.opening is None:
            return False
        all_told = [entry.told() for entry in self.entries]
        committed = [told["args_commitment"] for told in all_told if "args_commitment" in told]
        opened = commitment(self.opening.salt, canonicalize(self.opening.arguments))
        return bool(committed) and all(each == opened for each in committed)

    def unasked(self) -> list[Asked]:
        """Return the questions that no entry here commits to."""
        asked = {entry.told().get("question_commitment") for entry in self.entries}
        return [each for each in self.questions if b64u(each.question.commitment(each.salt)) not in asked]

    def to_json(self) -> dict[str, Json]:
        """Write it."""
        entries: list[Json] = [
            {
                "index": entry.index,
                "leaf": entry.leaf.decode(),
                "proof": [b64encode(sibling).decode() for sibling in entry.proof],
            }
            for entry in self.entries
        ]
        written: dict[str, Json] = {"v": 1, "checkpoint": self.checkpoint, "entries": entries}
        if self.opening is not None:
            written["opening"] = {"arguments": self.opening.arguments, "args_salt": b64u(self.opening.salt)}
        if self.questions:
            written["questions"] = [
                {"question": each.question.to_json(), "salt": b64u(each.salt)} for each in self.questions
            ]
        if self.handovers:
            written["handovers"] = list(self.handovers)
        return written

    @classmethod
    def parse(cls, value: Json) -> "Receipt":
        """Read what `to_json` wrote; ValueError for anything else."""
        match value:
            case {"v": 1, "checkpoint": str(checkpoint), "entries": [_, *_] as entries, **more}:
                pass
            case _:
                raise ValueError(_NOT_ONE)
        questions = more.pop("questions", [])
        if not isinstance(questions, list):
            raise ValueError(_NOT_ONE)
        handovers = more.pop("handovers", [])
        if not isinstance(handovers, list):
            raise ValueError(_NOT_ONE)
        match more:
            case {} if not more:
                opening = None
            case {"opening": {"arguments": arguments, "args_salt": str(salt), **inside}, **rest} if (
                not inside and not rest
            ):
                opening = Opening(arguments, unb64u(salt))
            case _:
                raise ValueError(_NOT_ONE)
        return cls(
            checkpoint,
            tuple(map(_proven, entries)),
            opening,
            tuple(map(_asked, questions)),
            tuple(map(_note, handovers)),
        )


def _asked(value: Json) -> Asked:
    match value:
        case {"question": question, "salt": str(salt), **more} if not more:
            return Asked(Question.parse(question), unb64u(salt))
    raise ValueError(_NOT_ONE)


def _note(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError(_NOT_ONE)
    return value


def _proven(value: Json) -> Proven:
    match value:
        case {"index": int(index), "leaf": str(leaf), "proof": list(proof), **more} if not more:
            entry = Proven(index, leaf.encode(), tuple(_hash(sibling) for sibling in proof))
        case _:
            raise ValueError(_NOT_ONE)
    entry.told()
    return entry


def _hash(value: Json) -> bytes:
    if not isinstance(value, str):
        raise ValueError(_NOT_ONE)
    return b64decode(value, validate=True)
