"""Agents: who calls, and how well we know it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .ids import ClientId, Jkt, UserId
from .scope import ScopeSet
from .url import origin_of


class Assurance(StrEnum):
    """How well an agent is known."""

    OPAQUE = "opaque"
    REGISTERED = "registered"
    ORIGIN = "origin"


def is_opaque_id(client_id: str) -> bool:
    """Tell whether an id is one that we made for a browser profile (AGENT-1), and no URL."""
    return client_id.startswith("agt_")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent. An opaque one is bound to one key and belongs to one user (AGENT-1); an attested one to neither: its
    grants name the key of each delegation. `name` is what users read; an opaque agent has none.
    """

    client_id: ClientId
    assurance: Assurance
    jkt: Jkt | None
    user_id: UserId | None
    created_at: int
    name: str = ""
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the policy lets each agent have at most, whatever a user grants (AGENT-2).

    `origin` is for agents whose `client_id` is at one of `origins`, `registered` for each named one.
    """

    opaque: ScopeSet
    origin: ScopeSet = field(default_factory=ScopeSet)
    origins: frozenset[str] = frozenset()
    registered: Mapping[ClientId, ScopeSet] = field(default_factory=dict)

    def of(self, agent: Agent) -> ScopeSet:
        """Return the most that this agent may have: nothing, if the policy has no rule for it (any more).

        A client with a document but without proof gets only what opaque agents and its origin may both have: leaving
        the key out gains nothing (BEARER-2).
        """
        match agent.assurance:
            case Assurance.OPAQUE if is_opaque_id(agent.client_id):
                return self.opaque
            case Assurance.OPAQUE if self._has_origin_of(agent):
                return self.opaque & self.origin
            case Assurance.ORIGIN if self._has_origin_of(agent):
                return self.origin
            case Assurance.REGISTERED:
                return self.registered.get(agent.client_id, ScopeSet())
        return ScopeSet()

    def _has_origin_of(self, agent: Agent) -> bool:
        return origin_of(agent.client_id) in self.origins
