"""Agents: who calls, and how well we know it."""

from dataclasses import dataclass
from enum import StrEnum

from .ids import ClientId, Jkt, UserId
from .scope import ScopeSet


class Assurance(StrEnum):
    """How well an agent is known."""

    OPAQUE = "opaque"
    REGISTERED = "registered"
    ORIGIN = "origin"


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent, bound to a key. An opaque one belongs to one user (AGENT-1)."""

    client_id: ClientId
    assurance: Assurance
    jkt: Jkt
    user_id: UserId
    created_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the policy lets each class of agent have at most, whatever a user grants (AGENT-2)."""

    opaque: ScopeSet

    def of(self, assurance: Assurance) -> ScopeSet:
        """Return the most that an agent of this assurance may have; a class without a rule gets nothing."""
        return self.opaque if assurance is Assurance.OPAQUE else ScopeSet()
