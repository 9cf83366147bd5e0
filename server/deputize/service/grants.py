"""Grants: their renewal and their end (PROTOCOL §4). Each function is one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..protocol.agent import Agent
from ..protocol.entry import Entry, Kind, grant_entry
from ..protocol.errors import USED_PROOF, Code, Refusal
from ..protocol.grant import Grant, GrantState, dead_link
from ..protocol.ids import ClientId, GrantId, Jkt, UserId
from ..protocol.proof import Proof
from ..protocol.scope import ScopeSet
from .moment import Moment
from .ports import Reader, Tx

REFRESH_GRACE = 60  # seconds (TOKEN-4)
NO_GRANT = Refusal(Code.GRANT_UNKNOWN, "There is no such grant of yours.")
_BAD_REFRESH = Refusal(
    Code.INVALID_GRANT, "This refresh token is not good any more. The user has to consent again."
)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request of a page about a grant: who is signed in, and the proof by the page's key.

    `/authorize` has no key: it is there for attested agents, whose grants name their own (OAUTH-4).
    """

    user_id: UserId
    proof: Proof | None

    @property
    def jkt(self) -> Jkt | None:
        """Return the page's key, if the page has one."""
        return self.proof.jkt if self.proof else None

    def spend(self, tx: Tx) -> bool:
        """Use the proof up (PROOF-2); False if it was used before."""
        return self.proof is None or tx.use_proof(self.proof)


@dataclass(frozen=True, slots=True)
class OwnRequest(PageRequest):
    """A request of the user himself about what a page has asked him for, on a page of the authority's (APPR-12).

    No key of the page that asked is wanted: that binds who goes on, not who answers.
    """

    proof: None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """What is asked with a refresh token whose seal was checked (GRANT-6): the grant and the generation that it names,
    and the client and the scopes that the request names, each None where it does not.
    """

    grant_id: GrantId
    generation: int
    client_id: str | None
    scopes: ScopeSet | None


@dataclass(frozen=True, slots=True)
class Renewable:
    """A live grant, its agent, and the agents that the grant was handed on from, nearest first.

    The next refresh token is to name the grant's generation.
    """

    grant: Grant
    agent: Agent
    parents: tuple[Agent, ...] = ()


def parents_of(reader: Reader, lineage: Sequence[Grant]) -> tuple[Agent, ...]:
    """List the agents that the first grant of a lineage was handed on from, nearest first (CHAIN-1)."""
    return tuple(agent for link in lineage[1:] if (agent := reader.agent(link.client_id)) is not None)


def look(reader: Reader, at: Moment, user_id: UserId, grant_id: str) -> Grant | Refusal:
    """Show a grant, or a request for one, to its user (GRANT-7)."""
    grant = reader.grant(GrantId(grant_id))
    return grant if grant is not None and grant.user_id == user_id else NO_GRANT


def take_back(tx: Tx, at: Moment, request: PageRequest, grant_id: str) -> Refusal | None:
    """Take a grant back, as its user (GRANT-5)."""
    return revoke(tx, grant_id, at.now, request.user_id) if request.spend(tx) else USED_PROOF


def revoke(tx: Tx, grant_id: str, now: int, user_id: UserId | None = None) -> Refusal | None:
    """Take a grant back: its user's doing, or with `user_id` None the owner's (GRANT-5). Twice is no error."""
    grant = tx.grant(GrantId(grant_id))
    if grant is None or (user_id is not None and grant.user_id != user_id):
        return NO_GRANT
    revoke_grant(tx, grant, now, by="user" if user_id is not None else "owner")
    return None


def revoke_agent(tx: Tx, client_id: str, now: int) -> Refusal | None:
    """Revoke an agent and with it everything that it was granted."""
    agent = tx.agent(ClientId(client_id))
    if agent is None:
        return Refusal(Code.UNKNOWN_AGENT, "There is no such agent.")
    if tx.revoke_agent(agent.client_id, now):
        tx.append(Entry(Kind.AGENT_REVOKED, {"client_id": agent.client_id, "sub": agent.user_id}), now)
    for grant in tx.active_grants(agent.client_id):
        revoke_grant(tx, grant, now, by="owner")
    return None


def renew(tx: Tx, at: Moment, jkt: Jkt, asked: Renewal) -> Renewable | Refusal:
    """Rotate a refresh token whose seal was checked, for the key of a proof that is spent; an older one than the
    previous revokes the grant (TOKEN-4). Where there is no key, the previous one does too (BEARER-5).
    """
    grant = tx.grant(asked.grant_id)
    agent = tx.agent(grant.client_id) if grant is not None else None
    if grant is None or agent is None or grant.jkt != jkt or agent.revoked_at is not None:
        return _BAD_REFRESH
    lineage = tx.lineage(grant.grant_id)
    if dead_link(lineage, at.now) is not None or asked.client_id not in (None, agent.client_id):
        return _BAD_REFRESH
    if asked.scopes is not None and asked.scopes != grant.scopes:  # RFC 6749 §6
        return Refusal(Code.INVALID_SCOPE, "A delegation is renewed as it is. To narrow it, hand it on.")
    grace = 0 if grant.bearer else REFRESH_GRACE  # BEARER-5: without a key, who comes twice may be another
    rotated = tx.rotate_refresh(grant.grant_id, asked.generation, at.now, grace)
    if rotated is None:
        revoke_grant(tx, grant, at.now, by="authority", code=Code.INVALID_GRANT)
        return _BAD_REFRESH
    return Renewable(replace(grant, refresh_generation=rotated), agent, parents_of(tx, lineage))


def renew_for_page(tx: Tx, at: Moment, proof: Proof, asked: Renewal) -> Renewable | Refusal:
    """Renew as `renew` does, and use the proof of the page's key up (PROOF-2)."""
    return renew(tx, at, proof.jkt, asked) if tx.use_proof(proof) else USED_PROOF


def revoke_grant(tx: Tx, grant: Grant, now: int, **facts: object) -> None:
    """Revoke a grant and say so in the record; one that has ended already stays as it is."""
    if tx.move_grant(grant.grant_id, GrantState.REVOKED, now):
        tx.append(entry(Kind.GRANT_REVOKED, grant, **facts), now)


def supersede(tx: Tx, older: Grant, newer: Grant, now: int) -> None:
    """End a grant whose place a newer one of the same agent and key takes, and say so in the record (GRANT-3)."""
    if tx.move_grant(older.grant_id, GrantState.SUPERSEDED, now):
        tx.append(entry(Kind.GRANT_SUPERSEDED, older, superseded_by=newer.grant_id), now)


def entry(kind: Kind, grant: Grant, **facts: object) -> Entry:
    """Tell of a grant that a user was asked for."""
    facts = {"unproven": grant.unproven or None, "expires_at": grant.expires_at, **facts}
    return grant_entry(kind, grant, **facts)
