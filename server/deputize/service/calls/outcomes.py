"""What became of a call: it ran and somebody says how, or it was called off (PROTOCOL §7, APPR-6, CALL-9, CALL-10)."""

from ...protocol.call import Call, State
from ...protocol.errors import Code, Refusal
from ...protocol.ids import CallId, UserId
from ...protocol.tool import Executes
from ..ports import Tx
from .answers import Answered, answered
from .moves import NO_CALL, move, own, settled, stopped
from .request import PageCall


def report(
    tx: Tx, call_id: CallId, outcome: State, by: Executes, now: int, page: PageCall | None
) -> Answered | Refusal:
    """Note what became of a redeemed call, as the page or a guard tells it over HTTP (GUARD-5)."""
    call = own(tx, page, now) if page else settled(tx, call_id, now)
    return answered(tx, _noted(tx, call, outcome, by, now))


def note(tx: Tx, call_id: CallId, outcome: State, now: int) -> Call | Refusal:
    """Note the same of a call that ran in this process (GUARD-5, MCP-11)."""
    return _noted(tx, settled(tx, call_id, now), outcome, Executes.API, now)


def _noted(tx: Tx, call: Call | Refusal | None, outcome: State, by: Executes, now: int) -> Call | Refusal:
    if call is None or isinstance(call, Refusal):
        return call or NO_CALL
    if call.executes != by.value:
        return Refusal(
            Code.REDEEMER_NOT_ALLOWED, f"Outcomes of this tool are reported by the {call.executes} only."
        )
    if call.state is not State.REDEEMED:
        return Refusal(Code.CALL_STATE, f"This call is {call.state}; an outcome is for a redeemed one.")
    return move(tx, call, outcome, now, reported_by=by.value)


def deny(tx: Tx, request: PageCall, state: State, now: int) -> Answered | Refusal:
    """End a call that has not run because the user declined it or its dialog went away (APPR-6)."""
    return answered(tx, _ended(tx, own(tx, request, now), state, now))


def call_off(tx: Tx, call_id: CallId, user_id: UserId, state: State, now: int) -> Answered | Refusal:
    """End a call of this user's on whatever page it was made, or over MCP (APPR-6)."""
    call = settled(tx, call_id, now)
    mine = call if call is not None and call.user_id == user_id else NO_CALL
    return answered(tx, _ended(tx, mine, state, now))


def _ended(tx: Tx, call: Call | Refusal, state: State, now: int) -> Call | Refusal:
    if isinstance(call, Refusal):
        return call
    return move(tx, call, state, now) if call.state in (State.PENDING, State.APPROVED) else stopped(call)


def cancel(tx: Tx, call_id: CallId, now: int) -> Call | None:
    """End a call that nobody has redeemed, so that nobody can any more; return what it is now (MCP-12)."""
    call = settled(tx, call_id, now)
    return move(tx, call, State.CANCELLED, now) if call and call.state is State.APPROVED else call


def deliver(tx: Tx, request: PageCall, now: int) -> Answered | Refusal:
    """Note that the result of a call reached the agent (CALL-10)."""
    call = own(tx, request, now)
    if not isinstance(call, Refusal):
        tx.mark_delivered([call.call_id], call.user_id, request.proof.jkt)
    return answered(tx, call)


def look(tx: Tx, request: PageCall, now: int) -> Answered | Refusal:
    """Show a call to its page (CALL-9)."""
    return answered(tx, own(tx, request, now))
