"""Grants: what a user lets an agent do, and until when. Consent is the act that creates one (PROTOCOL §4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .agent import Agent, Assurance
from .canonical import Json
from .constraint import Constraints
from .definition import Definitions
from .errors import Code, Refusal
from .ids import NO_KEY, ClientId, GrantId, Jkt, UserId
from .scope import ScopeSet

CONSENT_ACTION = "deputize.consent"
CONSENT_LIFETIME = 600  # seconds that a request for consent waits (GRANT-4)
NO_CONSTRAINTS = Constraints()


class GrantState(StrEnum):
    """Where a grant is. Only an active one grants, and only until it expires. A suspended one waits for its user
    (GRANT-10)."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DECLINED = "declined"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


TRANSITIONS: Mapping[GrantState, frozenset[GrantState]] = {
    GrantState.PENDING: frozenset({GrantState.ACTIVE, GrantState.DECLINED, GrantState.REVOKED}),
    GrantState.ACTIVE: frozenset({GrantState.REVOKED, GrantState.SUPERSEDED, GrantState.SUSPENDED}),
    GrantState.SUSPENDED: frozenset({GrantState.ACTIVE, GrantState.REVOKED, GrantState.SUPERSEDED}),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """User × agent × scopes × constraints × expiry, for one key (`jkt`) of the agent; times in seconds since the epoch.

    `shown` is what the user saw and signed. A grant that an agent handed on has a `parent_id` in its place (CHAIN-1).
    `auth_time` is when the user consented. While pending, `expires_at` is the end of the request for consent; once
    active, the end of the grant. `definitions` is how tools were described when the user consented, or when they were
    first called under this consent (GRANT-8); those of a grant that was handed on are the first grant's.
    """

    grant_id: GrantId
    user_id: UserId
    client_id: ClientId
    scopes: ScopeSet
    state: GrantState
    shown: Mapping[str, Json]
    created_at: int
    expires_at: int
    jkt: Jkt
    constraints: Constraints = NO_CONSTRAINTS
    parent_id: GrantId | None = None
    refresh_generation: int = 0
    refreshed_at: int = 0
    auth_time: int = 0
    definitions: Definitions = field(default_factory=dict)

    @property
    def unproven(self) -> bool:
        """Tell whether the agent proved nothing of itself, as the user was told when asked (BEARER-2)."""
        return "unproven" in self.shown

    @property
    def bearer(self) -> bool:
        """Tell whether there is no key, so that whoever has its token can use it (BEARER-1)."""
        return self.jkt == NO_KEY

    def dead(self, now: int) -> Refusal | None:
        """Say why this grant grants nothing at `now`, or None if it lives (GRANT-5, TOKEN-5)."""
        if self.state is GrantState.REVOKED:
            return Refusal(
                Code.GRANT_REVOKED,
                "This delegation was taken back. Ask the user before asking for a new one.",
            )
        if self.state is GrantState.SUPERSEDED:  # GRANT-3; RFC 6750 §3.1
            return Refusal(
                Code.INVALID_TOKEN, "A newer delegation has taken the place of this one. Use that."
            )
        if self.state is GrantState.SUSPENDED:  # GRANT-10
            return Refusal(
                Code.CONSENT_REQUIRED,
                "This delegation waits until the user confirms it, on the account page, or consents anew.",
            )
        if self.state is not GrantState.ACTIVE:
            return Refusal(Code.CONSENT_REQUIRED, "The user has not deputized this agent yet.")
        if now >= self.expires_at:
            return Refusal(Code.GRANT_EXPIRED, "This delegation has run out. The user can renew it.")
        return None


def standing(grant: Grant, now: int) -> str:
    """Tell the state of a grant at this second: `expired` for one that has run out, or that nobody consented to."""
    runs_out = grant.state in (GrantState.PENDING, GrantState.ACTIVE, GrantState.SUSPENDED)
    return "expired" if runs_out and now >= grant.expires_at else grant.state.value


def acting(agent: Agent, grant: Grant) -> Agent:
    """Return the agent as it counts under this grant: as opaque, if it proved nothing (BEARER-2)."""
    return replace(agent, assurance=Assurance.OPAQUE) if grant.unproven else agent


def dead_link(lineage: Sequence[Grant], now: int) -> Refusal | None:
    """Say why the grants of a lineage grant nothing, or None if all of them live (CHAIN-3)."""
    for link in lineage:
        if refusal := link.dead(now):
            return refusal
    return None


def lifetime(shown: Mapping[str, Json]) -> int:
    """Return for how many seconds the grant is to live, by what was shown."""
    seconds = shown["expires_in"]
    if not isinstance(seconds, int):
        raise TypeError("expires_in is a whole number of seconds")
    return seconds
