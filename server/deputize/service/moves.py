"""Where a call goes from where it is: by time, or by what its grant and the policy are now (CALL-4, POLICY-3)."""

from dataclasses import dataclass, replace

from ..protocol.authorization import known_tool, misfit, permits, permits_page
from ..protocol.call import LIFETIME, STOPPED_CODE, Call, State
from ..protocol.entry import move_entry
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.ids import CallId, UserId
from .barring import barred
from .lineages import parents_of
from .moment import Moment
from .ports import Proof, Reader, Tx

NO_CALL = Refusal(Code.CALL_UNKNOWN, "There is no such call of yours.")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request of a page about a call of its own: who is signed in, and the proof by the page's key (CALL-2)."""

    call_id: CallId
    user_id: UserId
    proof: Proof


def owns(call: Call, request: PageRequest) -> bool:
    """Tell whether a call is of this user and of this page (CALL-2)."""
    return call.user_id == request.user_id and call.page_jkt == request.proof.jkt


def settled(tx: Tx, call_id: CallId, now: int) -> Call | None:
    """Find a call, in the state that time has put it in."""
    call = tx.call(call_id)
    return settle(tx, call, now) if call is not None else None


def settle(tx: Tx, call: Call, now: int) -> Call:
    """Move a call into the state that time has put it in."""
    state = call.overdue(now)
    return move(tx, call, state, now) if state is not None else call


def stopped(call: Call) -> Refusal:
    """Say that a call is not where it would have to be, by the reason that its state has (CALL-4)."""
    code = STOPPED_CODE.get(call.state, Code.CALL_STATE)
    return Refusal(code, f"This call is {call.state}.", {"state": call.state.value})


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a call under way goes no further, and the state that this puts it in."""

    refusal: Refusal
    state: State = State.DENIED


_CHANGED = Refusal(
    Code.CANCELLED,
    "The site has changed what it asks for this. Nothing has run. Call again, if it is still wanted.",
)


def stop_of(reader: Reader, at: Moment, call: Call) -> Stop | None:
    """Decide a call under way again, by grants, agents and policy as they are now; None if it may go on (POLICY-3)."""
    tool = known_tool(at.policy, call.tool)
    if isinstance(tool, Refusal):
        return Stop(tool)
    if call.grant_id is not None:
        lineage = reader.lineage(call.grant_id)
        agent = reader.agent(call.client_id) if call.client_id else None
        parents = parents_of(reader, lineage)
        if refusal := permits(
            at.policy, tool, agent, lineage, call.arguments, at.now, parents
        ):  # CONS-5, too
            return Stop(refusal)
    elif out := barred(reader, call.user_id, None, at.now):  # BLOCK-3: no grant of his has ended with it
        return Stop(out)
    elif call.page_jkt is not None and (
        closed := permits_page(at.policy, tool)
    ):  # else it is the user of MCP-4
        return Stop(closed)
    if tool.input_schema is not None and (fault := tool.input_schema.fault(call.arguments)):
        return Stop(misfit(fault))
    moved = (tool.authenticator_class, tool.executes.value) != (call.authenticator_class, call.executes)
    unasked = call.state is State.APPROVED and call.challenge_id is None
    if moved or (unasked and tool.approval.required(call.arguments)):
        return Stop(_CHANGED, State.CANCELLED)
    return None


def end(tx: Tx, at: Moment, call: Call, stop: Stop) -> Refusal:
    """Let a call under way go no further, and return why."""
    move(tx, call, stop.state, at.now, stop.refusal.code, policy_s256=at.policy.file_s256)
    return stop.refusal


_EXHAUSTED = Refusal(
    Code.CONSTRAINT_EXHAUSTED, "What the user allowed of this is used up. Ask the user to allow more."
)


def spend(tx: Tx, call: Call, take: bool = True) -> Refusal | None:
    """Take what this call uses from the counters of its grant, and of those that it was handed on from (CONS-3).

    In the transaction that approves it; before, only look whether enough is left.
    """
    lineage = tx.lineage(call.grant_id) if call.grant_id is not None else []
    try:
        uses = [(link, use) for link in lineage for use in link.constraints.uses(call.tool, call.arguments)]
    except Refused as refused:
        return refused.refusal
    used = {link.grant_id: tx.used(link.grant_id) for link, _ in uses}
    if any(used[link.grant_id].get(use.counter, 0) + use.amount > use.limit for link, use in uses):
        return _EXHAUSTED
    if take and not all(tx.take(link.grant_id, use) for link, use in uses):
        raise Refused.of(
            _EXHAUSTED
        )  # a race that only a database with many writers can lose: all is rolled back
    return None


def move(tx: Tx, call: Call, state: State, now: int, code: Code | None = None, **facts: object) -> Call:
    """Move a call and record it. Losing the race rolls the whole transaction back: nothing of it happened."""
    moved = replace(call, state=state, deadline=now + LIFETIME.get(state, 0))
    entry = tx.append(move_entry(moved, code, **facts), now)
    if not tx.move_call(call, state, now, entry, call.challenge_id):
        raise Refused(Code.CALL_STATE, "This call moved on meanwhile. Look at it again.")
    return replace(moved, entry=entry)
