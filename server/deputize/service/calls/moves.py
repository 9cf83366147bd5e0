"""Where a call goes from where it is, each move with its entry (CALL-4)."""

from dataclasses import replace

from ...protocol.authorization import Standing
from ...protocol.call import STOPPED_CODE, Call, State
from ...protocol.entry import move_entry
from ...protocol.errors import USED_PROOF, Code, Refusal, Refused
from ...protocol.ids import CallId
from ..moment import Moment
from ..ports import Tx
from .decisions import Stop, stop_of
from .request import Approver, PageCall
from .standing import standing_of

NO_CALL = Refusal(Code.CALL_UNKNOWN, "There is no such call of yours.")
_MOVED_ON = Refusal(Code.CALL_STATE, "This call moved on meanwhile. Look at it again.")


def move(tx: Tx, call: Call, state: State, now: int, code: Code | None = None, **facts: object) -> Call:
    """Move a call and record it. Losing the race rolls the whole transaction back: nothing of it happened."""
    moved = call.moved(state, now, tx.head().size)
    tx.append(move_entry(moved, code, **facts), now)
    if not tx.move_call(moved, call.state, now):
        raise Refused.of(_MOVED_ON)
    return moved


def carry(tx: Tx, call: Call, now: int, **facts: object) -> Call:
    """Record that a call goes on as it is here, perhaps under another grant. Losing the race rolls all back, too."""
    carried = replace(call, entry=tx.append(move_entry(call, None, **facts), now))
    if not tx.carry_call(carried):
        raise Refused.of(_MOVED_ON)
    return carried


def end(tx: Tx, at: Moment, call: Call, stop: Stop) -> Refusal:
    """Let a call under way go no further, and return why."""
    move(tx, call, stop.state, at.now, stop.refusal.code, policy_s256=at.policy.file_s256)
    return stop.refusal


def settle(tx: Tx, call: Call, now: int) -> Call:
    """Move a call into the state that time has put it in."""
    state = call.overdue(now)
    return move(tx, call, state, now) if state is not None else call


def abandon(tx: Tx, call: Call, now: int) -> Call:
    """End a call under way that nobody will go on with: as time has ended it already, or else here and now."""
    if (late := settle(tx, call, now)) is not call:
        return late
    return move(tx, call, State.UNKNOWN if call.state is State.REDEEMED else State.CANCELLED, now)


def settled(tx: Tx, call_id: CallId, now: int) -> Call | None:
    """Find a call, in the state that time has put it in."""
    call = tx.call(call_id)
    return settle(tx, call, now) if call is not None else None


def owns(call: Call, request: Approver) -> bool:
    """Tell whether a call is of this user and, where a page asks about it, of this page (CALL-2)."""
    mine = call.user_id == request.user_id
    return mine and (not isinstance(request, PageCall) or call.page_jkt == request.proof.jkt)


def own(tx: Tx, request: Approver, now: int) -> Call | Refusal:
    """Find the call that its page, or its user, asks about, and use the page's proof up."""
    if isinstance(request, PageCall) and not tx.use_proof(request.proof):
        return USED_PROOF
    call = settled(tx, request.call_id, now)
    return call if call is not None and owns(call, request) else NO_CALL


def own_in(tx: Tx, at: Moment, request: Approver, state: State) -> tuple[Call, Standing] | Refusal:
    """Find such a call in this state, and what stands behind it; what is not allowed any more ends (POLICY-3)."""
    call = own(tx, request, at.now)
    if isinstance(call, Refusal):
        return call
    if call.state is not state:
        return stopped(call)
    standing = standing_of(tx, call)
    if stop := stop_of(tx, at, call, standing):
        return end(tx, at, call, stop)
    return call, standing


def stopped(call: Call) -> Refusal:
    """Say that a call is not where it would have to be, by the reason that its state has (CALL-4)."""
    code = STOPPED_CODE.get(call.state, Code.CALL_STATE)
    return Refusal(code, f"This call is {call.state}.", {"state": call.state.value})


def expire(tx: Tx, now: int, limit: int = 200) -> int:
    """Move what is overdue, each with its entry (CALL-4); return how many."""
    overdue = tx.overdue_calls(now, limit)
    for call in overdue:
        settle(tx, call, now)
    return len(overdue)
