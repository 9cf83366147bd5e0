"""An approved call runs, once, and tells what became of it (PROTOCOL §7)."""

from ..protocol.call import Call, State
from ..protocol.entry import Entry, Kind
from ..protocol.errors import USED_PROOF, Code, Refusal
from ..protocol.ids import CallId
from ..protocol.token import CallToken
from ..protocol.tool import Executes
from . import quotas
from .moment import Moment
from .moves import NO_CALL, PageRequest, end, move, owns, settled, stop_of, stopped
from .ports import Reader, Tx


def redeem(
    tx: Tx,
    at: Moment,
    token: CallToken,
    args_s256: str,
    by: Executes,
    page: PageRequest | None,
) -> Call | Refusal:
    """Let an approved call run, once (GUARD-3, GUARD-4). `args_s256` is the digest of what is about to run."""
    call = settled(tx, page.call_id if page else token.call_id, at.now)
    if call is None or token.call_id != call.call_id:
        return NO_CALL
    if page is not None and not tx.use_proof(page.proof):
        return USED_PROOF
    if page is not None and not owns(call, page):
        return NO_CALL
    if refusal := _misdirected(call, args_s256, by):
        entry = Entry(Kind.REDEMPTION_REFUSED, {"call_id": call.call_id, "code": refusal.code})
        quotas.record(tx, at, call.user_id, call.client_id, entry, refusal)
        return refusal  # in each case: whoever runs things has to know why not
    if stop := stop_of(tx, at, call):  # GUARD-4
        return end(tx, at, call, stop)
    return move(tx, call, State.REDEEMED, at.now, by=by.value, policy_s256=at.policy.file_s256)


def external_id(reader: Reader, redeemed: Call | Refusal) -> str | None:
    """Return the id that the site's own login has for the user of a call that was redeemed, if any (GUARD-3)."""
    user = reader.user(redeemed.user_id) if isinstance(redeemed, Call) else None
    return user.external_id if user is not None else None


def _misdirected(call: Call, args_s256: str, by: Executes) -> Refusal | None:
    """Say what is wrong with this attempt to redeem; the call may be good for another one."""
    if call.executes != by.value:
        return Refusal(
            Code.REDEEMER_NOT_ALLOWED, f"Calls of this tool are redeemed by the {call.executes} only."
        )
    if call.state is not State.APPROVED:
        return stopped(call)
    if call.args_s256 != args_s256:
        return Refusal(Code.ARGUMENT_HASH_MISMATCH, "What is about to run is not what was approved.")
    return None


def is_redeemable(reader: Reader, at: Moment, token: CallToken) -> bool:
    """Tell whether a call token is good for a redemption now (OAUTH-8)."""
    call = reader.call(token.call_id)
    if call is None or call.state is not State.APPROVED or call.overdue(at.now) is not None:
        return False
    return stop_of(reader, at, call) is None


def report(
    tx: Tx, call_id: CallId, outcome: State, by: Executes, now: int, page: PageRequest | None
) -> Call | Refusal:
    """Note what became of a redeemed call (GUARD-5)."""
    call = settled(tx, call_id, now)
    if call is None:
        return NO_CALL
    if page is not None and not tx.use_proof(page.proof):
        return USED_PROOF
    if page is not None and not owns(call, page):
        return NO_CALL
    if call.executes != by.value:
        return Refusal(
            Code.REDEEMER_NOT_ALLOWED, f"Outcomes of this tool are reported by the {call.executes} only."
        )
    if call.state is not State.REDEEMED:
        return Refusal(Code.CALL_STATE, f"This call is {call.state}; an outcome is for a redeemed one.")
    return move(tx, call, outcome, now, reported_by=by.value)
