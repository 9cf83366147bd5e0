"""What its user, or whoever shows it to him, may want of a call that is there (APPR-6, CALL-9, CALL-10, MCP-12)."""

from dataclasses import replace

from ...protocol.call import Call, State
from ...protocol.errors import Code, Refusal
from ...protocol.ids import CallId
from ...protocol.prompt import askers_of
from .. import blocks
from ..moment import Moment
from ..ports import Reader, Tx
from .answers import Answered, Denied, answered, approved_on
from .drafts import match_key
from .moves import carry, move, own, own_in, settle, settled, stopped
from .request import Approver, CallRequest, PageCall
from .silences import declined
from .standing import enter, standing_of


def deny(tx: Tx, at: Moment, request: Approver, state: State, block: bool = False) -> Answered | Refusal:
    """End a call that has not run because the user declined it or its dialog went away (APPR-6).

    Its user ends it wherever it was made, over MCP too. With `block`, its agent is blocked as well (BLOCK-1).
    """
    return answered(tx, _ended(tx, at, own(tx, request, at.now), state, block))


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


def withdraw(tx: Tx, at: Moment, request: CallRequest) -> Denied | Refusal:
    """End the equal call that has not run, since its client says that the user will not answer, and refuse this one.

    That is no answer of the user's (PROMPT-3).
    """
    standing = enter(tx, at, request.principal)
    if isinstance(standing, Refusal):
        return standing
    waiting = tx.latest_call(request.principal.user_id, match_key(request))
    waiting = settle(tx, waiting, at.now) if waiting is not None else None
    if waiting is None or waiting.state not in (State.PENDING, State.APPROVED):
        return _WITHDRAWN
    move(tx, waiting, State.CANCELLED, at.now)
    return Denied(waiting.call_id, _WITHDRAWN)


_WITHDRAWN = Refusal(
    Code.CANCELLED, "The user did not go to answer, so this was called off, and nothing has run."
)


def cancel(tx: Tx, at: Moment, call_id: CallId) -> Call | None:
    """End a call that nobody has redeemed, so that nobody can any more; return what it is now (MCP-12)."""
    call = settled(tx, call_id, at.now)
    return move(tx, call, State.CANCELLED, at.now) if call and call.state is State.APPROVED else call


def resume(tx: Tx, at: Moment, request: PageCall) -> Answered | Refusal:
    """Let the page of a call go on with it that was approved elsewhere, if all still allows it (CALL-11)."""
    found = own_in(tx, at, request, State.APPROVED)
    if isinstance(found, Refusal):
        return found
    call, standing = found
    return Answered(carry(tx, call, at.now, resumed=True), standing)


def deliver(tx: Tx, at: Moment, request: PageCall) -> Answered | Refusal:
    """Note that the result of a call reached the agent (CALL-10)."""
    call = own(tx, request, at.now)
    if not isinstance(call, Refusal):
        tx.mark_delivered([call.call_id], call.user_id, request.proof.jkt)
    return answered(tx, call)


def look(tx: Tx, at: Moment, request: PageCall) -> Answered | Refusal:
    """Show a call to its page, and where it was approved (CALL-9)."""
    return _shown(tx, own(tx, request, at.now))


def as_it_is(reader: Reader, at: Moment, call_id: CallId) -> Answered | None:
    """Look at a call without moving it: the state that time has put it in is told all the same."""
    call = reader.call(call_id)
    found = call and _shown(reader, replace(call, state=call.overdue(at.now) or call.state))
    return found if isinstance(found, Answered) else None


def _shown(reader: Reader, call: Call | Refusal) -> Answered | Refusal:
    told = answered(reader, call)
    if isinstance(told, Refusal):
        return told
    return replace(told, answered_on=approved_on(reader, told.call))
