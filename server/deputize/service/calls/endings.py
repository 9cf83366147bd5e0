"""What its user, or whoever shows it to him, may want of a call that is there (APPR-6, CALL-9, CALL-10, MCP-12)."""

from ...protocol.call import Call, State
from ...protocol.errors import Code, Refusal
from ...protocol.ids import CallId, UserId
from ...protocol.prompt import askers_of
from .. import blocks
from ..moment import Moment
from ..ports import Tx
from .answers import Answered, answered
from .moves import NO_CALL, move, own, settled, stopped
from .request import PageCall
from .silences import declined
from .standing import standing_of


def deny(tx: Tx, at: Moment, request: PageCall, state: State, block: bool = False) -> Answered | Refusal:
    """End a call that has not run because the user declined it or its dialog went away (APPR-6).

    With `block`, its agent is blocked as well (BLOCK-1).
    """
    return answered(tx, _ended(tx, at, own(tx, request, at.now), state, block))


def call_off(
    tx: Tx, at: Moment, user_id: UserId, call_id: CallId, state: State, block: bool = False
) -> Answered | Refusal:
    """End a call of this user's on whatever page it was made, or over MCP (APPR-6)."""
    call = settled(tx, call_id, at.now)
    mine = call if call is not None and call.user_id == user_id else NO_CALL
    return answered(tx, _ended(tx, at, mine, state, block))


_NOBODY_TO_BLOCK = Refusal(
    Code.INVALID_REQUEST, "No agent says that it is behind this call, so there is none to block."
)


def _ended(tx: Tx, at: Moment, call: Call | Refusal, state: State, block: bool) -> Call | Refusal:
    if isinstance(call, Refusal):
        return call
    if block and call.grant_id is None:
        return _NOBODY_TO_BLOCK
    if call.state not in (State.PENDING, State.APPROVED):
        return stopped(call)
    ended = move(tx, call, state, at.now)
    if state is State.DECLINED and call.state is State.PENDING:  # it was a question, and that is the answer
        declined(tx, at, call.user_id, askers_of(standing_of(tx, call).lineage))
    blocked = blocks.block(tx, at, call.user_id, call.grant_id, None) if block and call.grant_id else None
    return blocked if isinstance(blocked, Refusal) else ended


def cancel(tx: Tx, at: Moment, call_id: CallId) -> Call | None:
    """End a call that nobody has redeemed, so that nobody can any more; return what it is now (MCP-12)."""
    call = settled(tx, call_id, at.now)
    return move(tx, call, State.CANCELLED, at.now) if call and call.state is State.APPROVED else call


def deliver(tx: Tx, at: Moment, request: PageCall) -> Answered | Refusal:
    """Note that the result of a call reached the agent (CALL-10)."""
    call = own(tx, request, at.now)
    if not isinstance(call, Refusal):
        tx.mark_delivered([call.call_id], call.user_id, request.proof.jkt)
    return answered(tx, call)


def look(tx: Tx, at: Moment, request: PageCall) -> Answered | Refusal:
    """Show a call to its page (CALL-9)."""
    return answered(tx, own(tx, request, at.now))
