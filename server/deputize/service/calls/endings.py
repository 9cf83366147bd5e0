"""What its user, or whoever shows it to him, may want of a call that is there (APPR-6, CALL-9, CALL-10, MCP-12)."""

from ...protocol.call import Call, State
from ...protocol.errors import Refusal
from ...protocol.ids import CallId, UserId
from ..moment import Moment
from ..ports import Tx
from .answers import Answered, answered
from .moves import NO_CALL, move, own, settled, stopped
from .request import PageCall


def deny(tx: Tx, at: Moment, request: PageCall, state: State) -> Answered | Refusal:
    """End a call that has not run because the user declined it or its dialog went away (APPR-6)."""
    return answered(tx, _ended(tx, own(tx, request, at.now), state, at.now))


def call_off(tx: Tx, at: Moment, user_id: UserId, call_id: CallId, state: State) -> Answered | Refusal:
    """End a call of this user's on whatever page it was made, or over MCP (APPR-6)."""
    call = settled(tx, call_id, at.now)
    mine = call if call is not None and call.user_id == user_id else NO_CALL
    return answered(tx, _ended(tx, mine, state, at.now))


def _ended(tx: Tx, call: Call | Refusal, state: State, now: int) -> Call | Refusal:
    if isinstance(call, Refusal):
        return call
    return move(tx, call, state, now) if call.state in (State.PENDING, State.APPROVED) else stopped(call)


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
