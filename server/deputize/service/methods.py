"""Methods of approval (APPR-9): who can answer by each, what the page is given, and how an answer is verified.

A method is a module that makes one of these (`methods/`), a module of the page under the same name
(`js/src/people/methods/`), and what it says (`words/en.ftl`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..protocol.canonical import Json
from ..protocol.challenge import Challenge
from ..protocol.credential import AuthenticatorClass
from ..protocol.errors import Refusal
from ..protocol.ids import UserId
from ..protocol.question import Surface
from .ports import Reader, Tx

Offer = Callable[[Challenge, int], dict[str, Json]]
"""Makes what the page is given beside the members that all envelopes have (APPR-9), of a challenge and the seconds that
it lasts."""


class Answer(Protocol):
    """What somebody answered by a method: verified, but for what only the transaction that acts on it can tell."""

    @property
    def facts(self) -> Mapping[str, Json]:
        """Return what the record says of it, JSON: by which credential, for example."""

    def settle(self, tx: Tx) -> Refusal | None:
        """Store what has to be stored with it (SEP-2672 §4.8 step 14), or say why it is not good any more (APPR-8)."""


class Method(Protocol):
    """One method of approval. It keeps nothing of its own between two calls of it."""

    @property
    def name(self) -> str:
        """Return what evidence calls it in `method`."""

    def offer(self, reader: Reader, approver: UserId, wanted: AuthenticatorClass) -> Offer | None:
        """Offer this person to answer by it; None where he cannot, or not by an authenticator of this class."""

    def well_formed(self, evidence: Mapping[str, Json]) -> bool:
        """Tell whether evidence has what `verify` reads, beside `method` and `challengeId` (SEP-2672 §4.8 step 2)."""

    def verify(
        self,
        reader: Reader,
        challenge: Challenge,
        wanted: AuthenticatorClass,
        surface: Surface,
        evidence: Mapping[str, Json],
    ) -> Answer:
        """Verify evidence that is well-formed, by the owner of the challenge, over all of `challenge.wire` (steps 8 to
        11), and given on this surface, as far as evidence of the method tells where it was given (APPR-12); Refused
        with the reason otherwise, which counts as a failure of the challenge (APPR-4)."""


@dataclass(frozen=True, slots=True)
class Methods:
    """The methods that are registered, best first; ValueError if two have one name."""

    registered: tuple[Method, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) < len(self.registered):
            raise ValueError("two methods of approval have one name")

    def __iter__(self) -> Iterator[Method]:
        return iter(self.registered)

    @property
    def names(self) -> tuple[str, ...]:
        """Return what they are called."""
        return tuple(method.name for method in self.registered)

    def named(self, name: str) -> Method | None:
        """Find one by its name."""
        return next((method for method in self.registered if method.name == name), None)
