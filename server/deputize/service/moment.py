"""What every use case is given besides its transaction and what was asked."""

from collections.abc import Callable
from dataclasses import dataclass

from ..protocol.policy import Policy

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Moment:
    """One request's own view: the policy in force, randomness (`random(n)` is n bytes), and the second that it is.

    `language` is what whoever is asked reads (BCP 47): the catalogue of words has it (`words/`).
    """

    policy: Policy
    random: Random
    now: int
    language: str = "en"
