"""Handing on: an agent gives a part of its delegation to a sub-agent (PROTOCOL §13). Each function is a transaction."""

from dataclasses import replace

from ..protocol.constraint import Constraints
from ..protocol.entry import Kind, grant_entry
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.grant import Grant, GrantState, dead_link
from ..protocol.handoff import MAX_CHAIN, Handoff
from ..protocol.ids import ClientId, GrantId, Jkt, make_id
from ..protocol.proof import Proof
from ..protocol.scope import ScopeSet
from ..protocol.token import Delegation
from . import quotas
from .blocks import barred
from .clients import Client, spend
from .grants import Renewable, parents_of
from .moment import Moment
from .ports import Tx

_NOT_YOURS = Refusal(Code.INVALID_GRANT, "This token is not the caller's to hand on.")
_ABOVE = Refusal(
    Code.INVALID_REQUEST, "An agent does not hand on to itself, nor to one that this was handed on from."
)
_USED = Refusal(Code.INVALID_GRANT, "This handoff was used before. Ask the parent for a new one.")


def hand_on(
    tx: Tx,
    at: Moment,
    client: Client,
    delegation: Delegation,
    child: ClientId,
    child_jkt: Jkt,
    scopes: ScopeSet | None,
    asked: Constraints,
) -> Handoff | Refusal:
    """Make the claims of a handoff for a child: no wider than the parent's live grant (CHAIN-1, CHAIN-4)."""
    if refusal := spend(tx, at, client):
        return refusal
    lineage = tx.lineage(delegation.grant_id)
    if not lineage or delegation.client_id != client.agent.client_id or delegation.jkt != client.jkt:
        return _NOT_YOURS
    if dead := dead_link(lineage, at.now):
        return Refusal(Code.INVALID_GRANT, dead.detail)
    if len(lineage) >= MAX_CHAIN:  # CHAIN-4
        return Refusal(Code.INVALID_GRANT, f"A chain has at most {MAX_CHAIN} agents.")
    if child in (link.client_id for link in lineage):  # CHAIN-5
        return _ABOVE
    if full := _full(tx, lineage[0], at.policy.children, at.now) or quotas.entry(
        tx, at, lineage[0].user_id, client.agent.client_id
    ):
        return full
    narrowed = _narrowed(lineage[0], scopes, asked)
    if isinstance(narrowed, Refusal):
        return narrowed
    handoff = Handoff(
        lineage[0].user_id, lineage[0].grant_id, child, child_jkt, narrowed.scopes, narrowed.constraints
    )
    tx.append(grant_entry(Kind.GRANT_HANDED_ON, lineage[0], child=child, scope=str(narrowed.scopes)), at.now)
    return handoff


def take_over(
    tx: Tx,
    at: Moment,
    client: Client,
    handoff: Handoff,
    once: Proof,
    scopes: ScopeSet | None,
    asked: Constraints,
) -> Renewable | Refusal:
    """Turn a handoff into the child's own grant, below the parent's (CHAIN-2). `once` spends the handoff's `jti`."""
    if refusal := spend(tx, at, client):
        return refusal
    if handoff.child != client.agent.client_id or handoff.child_jkt != client.jkt:
        return _NOT_YOURS
    lineage = tx.lineage(handoff.parent_id)
    if not lineage or dead_link(lineage, at.now) is not None or len(lineage) >= MAX_CHAIN:
        return Refusal(Code.INVALID_GRANT, "The grant that this was handed on from is no more.")
    parent = lineage[0]
    if out := barred(tx, parent.user_id, client.agent.client_id, at.now):  # BLOCK-1
        return Refusal(Code.INVALID_GRANT, out.detail)
    if full := _full(tx, parent, at.policy.children, at.now):
        return full
    if not tx.use_proof(once):  # not before: there may be room again while the handoff is still good
        return _USED
    offered = replace(parent, scopes=handoff.scopes & parent.scopes, constraints=handoff.constraints)
    narrowed = _narrowed(offered, scopes, asked)
    if isinstance(narrowed, Refusal):
        return narrowed
    tx.put(client.agent)
    grant = Grant(
        GrantId(make_id("grt", at.random(16))),
        parent.user_id,
        client.agent.client_id,
        narrowed.scopes,
        GrantState.ACTIVE,
        {},
        at.now,
        min(link.expires_at for link in lineage),
        client.jkt,
        narrowed.constraints,
        parent.grant_id,
        auth_time=parent.auth_time,
    )
    tx.add(grant)
    tx.append(
        grant_entry(Kind.GRANT_ACTIVE, grant, parent_id=parent.grant_id, expires_at=grant.expires_at), at.now
    )
    return Renewable(grant, client.agent, parents_of(tx, [grant, *lineage]))


def _full(tx: Tx, parent: Grant, most: int, now: int) -> Refusal | None:
    if tx.children(parent.grant_id, now) < most:
        return None
    return Refusal(
        Code.INVALID_REQUEST,
        f"A grant is handed on to {most} agents at most here. Revoke one that is not needed any more.",
    )


def _narrowed(grant: Grant, scopes: ScopeSet | None, asked: Constraints) -> Grant | Refusal:
    """Return the grant with no more than what is asked; asking for more is refused (CONS-2)."""
    wanted = grant.scopes if scopes is None else scopes
    if not wanted or not wanted <= grant.scopes:
        return Refusal(Code.INVALID_SCOPE, "A part of a grant has no scope that the grant does not have.")
    if tool := grant.constraints.widened_by(asked):
        detail = f"authorization_details: the limits on {tool} are wider than those of the grant."
        return Refusal(Code.INVALID_AUTHORIZATION_DETAILS, detail)
    try:
        constraints = grant.constraints.narrow(asked)
    except Refused as refused:
        return refused.refusal
    return replace(grant, scopes=wanted, constraints=constraints)
