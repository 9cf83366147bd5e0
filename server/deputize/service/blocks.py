"""Keeping somebody out: a user an agent, the owner an agent or a user (BLOCK-1 to BLOCK-3).

Each function is one transaction. Whoever is blocked loses at once what he was given: nothing has to look for a block
when it decides over a call, but only where something new would be given.
"""

from ..protocol.block import Block
from ..protocol.entry import Entry, Kind
from ..protocol.errors import Code, Refusal
from ..protocol.grant import Grant, GrantState
from ..protocol.ids import ClientId, GrantId, UserId
from . import grants
from .moment import Moment
from .ports import Reader, Tx

_NOT_BLOCKED = Refusal(Code.NOT_FOUND, "Nobody is blocked there, or not any more.")


def barred(reader: Reader, user_id: UserId | None, client_id: ClientId | None, now: int) -> Refusal | None:
    """Say who keeps this agent from this user, or the user from everything, at `now`; None if nobody does.

    It is asked wherever something new would be given.
    """
    blocks = reader.barring(user_id, client_id, now)
    return blocks[0].refusal() if blocks else None


def block(tx: Tx, at: Moment, user_id: UserId, grant_id: str, until: int | None) -> Block | Refusal:
    """Take back all that the agent of a grant has from this user, and let it ask for nothing (BLOCK-1)."""
    grant = tx.grant(GrantId(grant_id))
    if grant is None or grant.user_id != user_id:
        return grants.NO_GRANT
    blocked = Block(user_id, grant.client_id, at.now, until, grant.grant_id)
    _block(tx, blocked, tx.grants(user_id), at.now)
    return blocked


def unblock(tx: Tx, at: Moment, user_id: UserId, grant_id: str) -> Refusal | None:
    """Let an agent ask again that this user has blocked; it has nothing until the user consents."""
    blocked = next((each for each in tx.blocks(user_id, at.now) if each.grant_id == grant_id), None)
    return lift(tx, user_id, blocked.client_id, at.now) if blocked is not None else _NOT_BLOCKED


def block_agent(tx: Tx, client_id: ClientId, until: int | None, now: int) -> None:
    """Keep an agent from all users, as the owner; it need not have come yet (BLOCK-2)."""
    _block(tx, Block(None, client_id, now, until), tx.active_grants(client_id), now)


def block_user(tx: Tx, user_id: UserId, until: int | None, now: int) -> Refusal | None:
    """Keep a user out, as the owner: no session and no grant of his goes on (BLOCK-3)."""
    if tx.user(user_id) is None:
        return Refusal(Code.NOT_FOUND, "There is no such user.")
    _block(tx, Block(user_id, None, now, until), tx.grants(user_id), now)
    tx.end_sessions(user_id)
    return None


def lift(tx: Tx, user_id: UserId | None, client_id: ClientId | None, now: int) -> Refusal | None:
    """End a block, of an agent for all users or of a user altogether as the owner, else of an agent for this user.

    Who comes back has nothing yet: what there was is gone.
    """
    if not tx.lift_block(user_id, client_id):
        return _NOT_BLOCKED
    tx.append(_entry(Block(user_id, client_id, now), Kind.USER_UNBLOCKED, Kind.AGENT_UNBLOCKED), now)
    return None


def _block(tx: Tx, blocked: Block, given: list[Grant], now: int) -> None:
    tx.put(blocked)
    tx.append(_entry(blocked, Kind.USER_BLOCKED, Kind.AGENT_BLOCKED), now)
    by = _by(blocked.user_id, blocked.client_id)
    for grant in given:
        if grant.state in (GrantState.ACTIVE, GrantState.SUSPENDED) and blocked.client_id in (
            None,
            grant.client_id,
        ):
            grants.revoke_grant(tx, grant, now, by=by)


def _entry(blocked: Block, of_user: Kind, of_agent: Kind) -> Entry:
    facts = {"sub": blocked.user_id, "client_id": blocked.client_id, "until": blocked.until}
    by = _by(blocked.user_id, blocked.client_id)
    return Entry(of_user if blocked.client_id is None else of_agent, {**facts, "by": by})


def _by(user_id: UserId | None, client_id: ClientId | None) -> str:
    return "owner" if user_id is None or client_id is None else "user"
