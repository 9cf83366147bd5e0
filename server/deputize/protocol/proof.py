"""A proof of possession that was verified, as what remembers it sees it."""

from dataclasses import dataclass

from .ids import Jkt


@dataclass(frozen=True, slots=True)
class Proof:
    """A verified proof of possession: whose key, and until when its `jti` must be remembered (PROOF-2)."""

    jkt: Jkt
    jti: str
    keep_until: int
