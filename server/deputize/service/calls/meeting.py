"""A call that is not safe meets an earlier one that equals it, so that nothing is done twice (CALL-6)."""

from ...protocol.call import LIFETIME, OUTCOMES, REDELIVERY_WINDOW, Call, State
from ...protocol.canonical import canonicalize
from ...protocol.entry import Entry, Kind, commitment
from ...protocol.errors import Code, Refusal
from ...protocol.grant import dead_link
from ...protocol.value import value
from .. import quotas
from ..moment import Moment
from ..ports import Reader, Tx
from .answers import Denied
from .moves import carry, move, settle


@value
class Met:
    """An earlier call that this one goes on with. `entries` tell of its approval, and that it goes on."""

    call: Call
    entries: tuple[int, ...] = ()


def meet(tx: Tx, at: Moment, call: Call) -> Met | Denied | Refusal | None:
    """Find the earlier equal call and say what this one means for it; None makes it a new call."""
    earlier = tx.latest_call(call.user_id, call.match_key) if call.match_key is not None else None
    if earlier is None:
        return None
    earlier = settle(tx, earlier, at.now)
    if earlier.state is State.REDEEMED:
        return _refused(tx, at, earlier, Code.OUTCOME_UNKNOWN)
    lately = at.now < earlier.deadline + REDELIVERY_WINDOW
    if earlier.state in OUTCOMES and not earlier.delivered and lately:
        return _refused(tx, at, earlier, Code.ALREADY_EXECUTED)
    if earlier.state is State.DECLINED and call.page_jkt is None and lately:  # a page was told
        return _refused(tx, at, earlier, Code.DECLINED)
    if earlier.grant_id != call.grant_id and _lives(tx, earlier, at.now):
        return None  # another delegation of this agent asks for itself
    same = _question(earlier) == _question(call)
    if earlier.state is State.PENDING and same:
        return Met(earlier)
    if earlier.state is State.APPROVED and same:
        carried = carry(tx, earlier, at.now, resumed=True, **_committed(earlier))
        return Met(carried, (earlier.entry, carried.entry))
    if earlier.state in LIFETIME:  # its grant is gone, or what is asked has changed: the old question is void
        move(tx, earlier, State.CANCELLED, at.now)
    return None


def _lives(reader: Reader, call: Call, now: int) -> bool:
    return call.grant_id is not None and dead_link(reader.lineage(call.grant_id), now) is None


def _committed(call: Call) -> dict[str, str]:
    """Commit to the arguments once more where the answer leads to this entry, and not to the first (MCP-11)."""
    return {} if call.page_jkt else {"args_commitment": commitment(call.salt, canonicalize(call.arguments))}


def _question(call: Call) -> tuple[object, ...]:
    return call.grant_id, call.description, call.authenticator_class


_MEETING = {
    Code.OUTCOME_UNKNOWN: "An equal call is running and has not told its outcome. Check before trying again.",
    Code.DECLINED: "The user declined this a moment ago. Nothing has run. Do not ask for the same again.",
    Code.ALREADY_EXECUTED: "An equal call was executed a moment ago. Do not repeat it; check its effect instead.",
}


def _refused(tx: Tx, at: Moment, earlier: Call, code: Code) -> Denied | Refusal:
    refusal = Refusal(code, _MEETING[code], {"outcome": earlier.state.value})
    entry = Entry(Kind.CALL_REFUSED, {"call_id": earlier.call_id, "code": code})
    denied = Denied(earlier.call_id, refusal)
    return quotas.record(tx, at, earlier.user_id, earlier.client_id, entry, denied)
