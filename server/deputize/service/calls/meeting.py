"""A call that is not safe meets an earlier one that equals it, so that nothing is done twice (CALL-6)."""

from ...protocol.call import LIFETIME, OUTCOMES, REDELIVERY_WINDOW, Call, State
from ...protocol.entry import Entry, Kind
from ...protocol.errors import Code, Refusal
from ...protocol.grant import dead_link
from .. import quotas
from ..moment import Moment
from ..ports import Reader, Tx
from .answers import Denied
from .moves import carry, move, settle


def meet(tx: Tx, at: Moment, call: Call) -> Call | Denied | Refusal | None:
    """Find the earlier equal call and say what this one means for it; None makes it a new call."""
    earlier = tx.latest_call(call.match_key) if call.match_key is not None else None
    if earlier is None:
        return None
    earlier = settle(tx, earlier, at.now)
    if earlier.state is State.REDEEMED:
        return _refused(tx, at, earlier, Code.OUTCOME_UNKNOWN)
    if earlier.state in OUTCOMES and not earlier.delivered and at.now < earlier.deadline + REDELIVERY_WINDOW:
        return _refused(tx, at, earlier, Code.ALREADY_EXECUTED)
    if earlier.grant_id != call.grant_id and _lives(tx, earlier, at.now):
        return None  # another delegation of this agent asks for itself
    same = _question(earlier) == _question(call)
    if earlier.state is State.PENDING and same:
        return earlier
    if earlier.state is State.APPROVED and same:
        return carry(tx, earlier, at.now, resumed=True)
    if earlier.state in LIFETIME:  # its grant is gone, or what is asked has changed: the old question is void
        move(tx, earlier, State.CANCELLED, at.now)
    return None


def _lives(reader: Reader, call: Call, now: int) -> bool:
    return call.grant_id is not None and dead_link(reader.lineage(call.grant_id), now) is None


def _question(call: Call) -> tuple[object, ...]:
    return call.grant_id, call.description, call.authenticator_class


_MEETING = {
    Code.OUTCOME_UNKNOWN: "An equal call is running and has not told its outcome. Check before trying again.",
    Code.ALREADY_EXECUTED: "An equal call was executed a moment ago. Do not repeat it; check its effect instead.",
}


def _refused(tx: Tx, at: Moment, earlier: Call, code: Code) -> Denied | Refusal:
    refusal = Refusal(code, _MEETING[code], {"outcome": earlier.state.value})
    entry = Entry(Kind.CALL_REFUSED, {"call_id": earlier.call_id, "code": code})
    denied = Denied(earlier.call_id, refusal)
    return quotas.record(tx, at, earlier.user_id, earlier.client_id, entry, denied)
