"""The newest checkpoint that has left the database, wherever the policy has it kept (HEAD-1, HEAD-4)."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from deputize.authority.head_at_witnesses import AtWitnesses, newest_of
from deputize.authority.head_file import HeadFile
from deputize.crypto.keys import KeyRing
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.policy import Policy


@dataclass(frozen=True, slots=True)
class Newest:
    """What is kept, None where there is none by our own key; how a sentence names it, and how one says that."""

    checkpoint: Checkpoint | None
    name: str
    none: str

    @classmethod
    def of(cls, settings: Policy, data: Path, keys: KeyRing) -> "Newest":
        """Read the file, or ask the witnesses, of whom not all show what they keep; OSError."""
        if settings.record.at_witnesses:
            shown = asyncio.run(AtWitnesses(settings, keys).shown())
            return cls(
                newest_of(shown),
                "the newest checkpoint that its witnesses show",
                "its witnesses show no checkpoint of this record",
            )
        file = HeadFile.of(settings, data, keys.record_key)
        return cls(
            file.read().checkpoint,
            f"the newest checkpoint, {file.path},",
            f"{file.path} has no checkpoint of this record",
        )
