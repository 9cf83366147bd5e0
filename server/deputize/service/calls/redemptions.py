"""An approved call runs, once, and tells what became of it (PROTOCOL §7)."""

from ...protocol.call import Call, State
from ...protocol.entry import Entry, Kind
from ...protocol.errors import USED_PROOF, Code, Refusal
from ...protocol.ids import CallId
from ...protocol.token import CallToken
from ...protocol.tool import Executes
from .. import quotas
from ..moment import Moment
from ..ports import Reader, Tx
from .answers import Answered, answered
from .decisions import stop_of
from .moves import NO_CALL, end, move, own, settled, stopped
from .request import Executor, PageCall
from .standing import standing_of


def redeem(tx: Tx, at: Moment, by: Executor, token: CallToken, args_s256: str) -> Answered | Refusal:
    """Let an approved call run, once (GUARD-3, GUARD-4). `args_s256` is the digest of what is about to run.

    The answer has the user where the site's API is to know for whom it runs.
    """
    call, where = _found(tx, at, by, token.call_id), _where(by)
    if isinstance(call, Refusal):
        return call
    if token.call_id != call.call_id:
        return NO_CALL
    if refusal := _misdirected(call, args_s256, where):
        entry = Entry(Kind.REDEMPTION_REFUSED, {"call_id": call.call_id, "code": refusal.code})
        quotas.record(tx, at, call.user_id, call.client_id, entry, refusal)
        return refusal  # in each case: whoever runs things has to know why not
    standing = standing_of(tx, call)
    if stop := stop_of(tx, at, call, standing):  # GUARD-4
        return end(tx, at, call, stop)
    redeemed = move(tx, call, State.REDEEMED, at.now, by=where.value, policy_s256=at.policy.file_s256)
    return Answered(redeemed, standing, tx.user(call.user_id) if where is Executes.API else None)


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
    return stop_of(reader, at, call, standing_of(reader, call)) is None


def report(tx: Tx, at: Moment, by: Executor, call_id: CallId, outcome: State) -> Answered | Refusal:
    """Note what became of a redeemed call, as the page or a guard tells it over HTTP (GUARD-5)."""
    return answered(tx, note(tx, at, call_id, outcome, by))


def note(tx: Tx, at: Moment, call_id: CallId, outcome: State, by: Executor = None) -> Call | Refusal:
    """Note the same, and return only the call; nobody has to be named where it ran in this process (MCP-11)."""
    call, where = _found(tx, at, by, call_id), _where(by)
    if isinstance(call, Refusal):
        return call
    if call.executes != where.value:
        return Refusal(
            Code.REDEEMER_NOT_ALLOWED, f"Outcomes of this tool are reported by the {call.executes} only."
        )
    if call.state is not State.REDEEMED:
        return Refusal(Code.CALL_STATE, f"This call is {call.state}; an outcome is for a redeemed one.")
    return conclude(tx, at, call, outcome, where)


def conclude(tx: Tx, at: Moment, call: Call, outcome: State, where: Executes = Executes.API) -> Call:
    """Note the same of a call in hand, which was redeemed to run here; Refused(call_state) if it is not any more."""
    return move(tx, call, outcome, at.now, reported_by=where.value)


def _where(by: Executor) -> Executes:
    return Executes.PAGE if isinstance(by, PageCall) else Executes.API


def _found(tx: Tx, at: Moment, by: Executor, call_id: CallId) -> Call | Refusal:
    """Find the call that somebody runs, and use the proof up that he gives of himself (PROOF-2)."""
    if isinstance(by, PageCall):
        return own(tx, by, at.now)
    if by is not None and not tx.use_proof(by):
        return USED_PROOF
    return settled(tx, call_id, at.now) or NO_CALL
