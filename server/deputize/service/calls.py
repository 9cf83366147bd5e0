"""The way of one call (PROTOCOL §5 to §7). Each function is one transaction; refusals in it are values."""

import hashlib
from dataclasses import dataclass, replace

from ..protocol.authorization import (
    Authorized,
    Decision,
    decide,
    decide_direct,
    known_tool,
)
from ..protocol.call import (
    LIFETIME,
    OUTCOMES,
    REDELIVERY_WINDOW,
    Call,
    State,
)
from ..protocol.canonical import Json
from ..protocol.challenge import Purpose
from ..protocol.credential import AuthenticatorClass
from ..protocol.entry import Entry, Kind, call_entry, move_entry
from ..protocol.errors import USED_PROOF, Code, Refusal, Refused
from ..protocol.grant import dead_link
from ..protocol.ids import CallId, UserId, make_id
from ..protocol.scope import ScopeSet
from ..protocol.token import Delegation
from ..protocol.tool import Executes
from . import approvals, quotas
from .approvals import Action, Minted, Verdict, Verified
from .lineages import parents_of
from .moment import Moment
from .moves import NO_CALL, PageRequest, Stop, end, move, owns, settle, settled, spend, stop_of, stopped
from .ports import CeremonyVerifier, Proof, Reader, Tx


@dataclass(frozen=True, slots=True)
class CallRequest:
    """What arrived at `POST /calls`, parsed. `canonical` is the JCS form of the arguments, `args_s256` its hash.

    `page` is the proof of the page's key, `evidence` that of an attested agent's own key; an opaque agent's key
    is the page's, so one proof is both (CALL-2).
    """

    tool: str
    arguments: dict[str, Json]
    canonical: bytes
    args_s256: str
    definition_s256: str
    delivered: tuple[CallId, ...]
    page: Proof
    evidence: Proof | None
    session_user: UserId | None
    delegation: Delegation | None


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that was refused at the door; the record has it under this id."""

    call_id: CallId
    refusal: Refusal


def create(tx: Tx, at: Moment, request: CallRequest) -> Call | Denied | Refusal:
    """Decide a call and record the decision (CALL-1, CALL-3). A bare Refusal is for what is not worth a record."""
    delegation = request.delegation
    user_id = delegation.user_id if delegation else request.session_user
    if user_id is None:  # nothing is stored for who is nobody, not even his proof
        return Refusal(Code.LOGIN_REQUIRED, "Nobody is signed in. Ask the user to sign in, then call again.")
    proofs = [request.page] if request.evidence is None else [request.page, request.evidence]
    if sum(tx.use_proof(proof) for proof in proofs) < len(proofs):  # PROOF-2: each is spent
        return USED_PROOF
    if request.delivered:
        tx.mark_delivered(request.delivered, user_id, request.page.jkt)
    client_id = delegation.client_id if delegation else None
    if limited := quotas.entry(tx, at, user_id, client_id):
        return limited
    decision = _decide(tx, at, request)
    call = _draft(at, request, user_id, decision, tx.head().size)
    if isinstance(decision, Authorized):
        if call.match_key is not None and (met := _meet(tx, at, call)) is not None:
            return met
        if call.state is State.PENDING and (limited := quotas.pending_call(tx, at, user_id, client_id)):
            return limited
        if decision.constrained and (refusal := spend(tx, call, take=call.state is State.APPROVED)):
            call, decision = replace(call, state=State.DENIED), refusal
    asked_by = None if delegation else "page"  # CALL-7: nobody knows more
    if isinstance(decision, Refusal):
        denied = call_entry(call, request.canonical, at.policy, decision.code, asked_by=asked_by)
        return quotas.record(tx, at, user_id, client_id, denied, Denied(call.call_id, decision))
    entry = tx.append(call_entry(call, request.canonical, at.policy, asked_by=asked_by), at.now)
    if entry != call.entry:  # an earlier call was moved for this one
        call = replace(call, entry=entry)
    tx.add_call(call)
    return call


def _decide(tx: Tx, at: Moment, request: CallRequest) -> Decision:
    delegation = request.delegation
    if delegation and request.session_user != delegation.user_id:  # CALL-1, CALL-2
        if request.session_user is None:
            return Refusal(
                Code.LOGIN_REQUIRED, "Nobody is signed in. Ask the user to sign in, then call again."
            )
        return Refusal(Code.WRONG_USER, "Another user is signed in than the one who deputized this agent.")
    tool = known_tool(at.policy, request.tool)
    if isinstance(tool, Refusal):
        return tool
    if delegation is None:
        user_id = request.session_user
        return decide_direct(
            at.policy, tool, request.arguments, lambda: tx.credentials(user_id) if user_id else []
        )
    lineage = tx.lineage(delegation.grant_id)
    if lineage and lineage[0].jkt != delegation.jkt:
        return Refusal(Code.INVALID_TOKEN, "This delegation token is for another key than its grant.")
    return decide(
        at.policy,
        tool,
        tx.agent(delegation.client_id),
        lineage,
        request.arguments,
        lambda: tx.credentials(delegation.user_id),
        at.now,
        parents_of(tx, lineage),
    )


def _draft(
    at: Moment,
    request: CallRequest,
    user_id: UserId,
    decision: Decision,
    entry: int,
) -> Call:
    yes = decision if isinstance(decision, Authorized) else None
    state = State.DENIED if yes is None else State.PENDING if yes.description is not None else State.APPROVED
    tool = at.policy.tools.get(request.tool)
    delegation = request.delegation
    return Call(
        call_id=CallId(make_id("cal", at.random(16))),
        state=state,
        user_id=user_id,
        client_id=delegation.client_id if delegation else None,
        grant_id=delegation.grant_id if delegation else None,
        page_jkt=request.page.jkt,
        tool=request.tool,
        scopes=tool.scopes if tool else ScopeSet(),
        arguments=request.arguments,
        args_s256=request.args_s256,
        definition_s256=request.definition_s256,
        match_key=_match_key(request, user_id) if yes and not yes.safe else None,
        salt=at.random(32),
        description=yes.description if yes else None,
        authenticator_class=yes.tool.authenticator_class if yes else AuthenticatorClass.PLATFORM,
        executes=(yes.tool.executes if yes else Executes.API).value,
        created_at=at.now,
        deadline=at.now + LIFETIME.get(state, 0),
        entry=entry,
    )


def _match_key(request: CallRequest, user_id: UserId) -> bytes:
    """Name what makes two calls equal (CALL-6): user, agent, page key, tool, arguments, definition."""
    agent = request.delegation.client_id if request.delegation else ""
    parts = (user_id, agent, request.page.jkt, request.tool, request.args_s256, request.definition_s256)
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _meet(tx: Tx, at: Moment, call: Call) -> Call | Denied | Refusal | None:
    """Find the earlier equal call and say what this one means for it; None makes it a new call (CALL-6)."""
    assert call.match_key is not None
    earlier = tx.latest_call(call.match_key)
    if earlier is None:
        return None
    earlier = settle(tx, earlier, at.now)
    if earlier.state is State.REDEEMED:
        return _refuse_meeting(tx, at, earlier, Code.OUTCOME_UNKNOWN)
    if earlier.state in OUTCOMES and not earlier.delivered and at.now < earlier.deadline + REDELIVERY_WINDOW:
        return _refuse_meeting(tx, at, earlier, Code.ALREADY_EXECUTED)
    if earlier.grant_id != call.grant_id and _lives(tx, earlier, at.now):
        return None  # another delegation of this agent asks for itself
    same = _question(earlier) == _question(call)
    if earlier.state is State.PENDING and same:
        return earlier
    if earlier.state is State.APPROVED and same:
        entry = tx.append(move_entry(earlier, resumed=True), at.now)
        tx.renew_call_entry(earlier.call_id, entry)
        return replace(earlier, entry=entry)
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


def _refuse_meeting(tx: Tx, at: Moment, earlier: Call, code: Code) -> Denied | Refusal:
    refusal = Refusal(code, _MEETING[code], {"outcome": earlier.state.value})
    entry = Entry(Kind.CALL_REFUSED, {"call_id": earlier.call_id, "code": code})
    denied = Denied(earlier.call_id, refusal)
    return quotas.record(tx, at, earlier.user_id, earlier.client_id, entry, denied)


def challenge(tx: Tx, at: Moment, request: PageRequest) -> Minted | Refusal:
    """Mint the challenge for a pending call, at the user's click (APPR-1)."""
    call = _own(tx, request, at.now)
    if isinstance(call, Refusal):
        return call
    if call.state is not State.PENDING:
        return stopped(call)
    if stop := stop_of(tx, at, call):
        return end(tx, at, call, stop)
    return approvals.mint(tx, at, action_of(call))


def check_approval(
    reader: Reader, at: Moment, request: PageRequest, evidence: Json, verifier: CeremonyVerifier
) -> Verdict:
    """Verify evidence for a call on a snapshot (APPR-3); Refused(call_unknown). No state changes here."""
    call = reader.call(request.call_id)
    if call is None or not owns(call, request):
        raise Refused.of(NO_CALL)
    return approvals.check(reader, at, action_of(call), evidence, verifier)


def approve(tx: Tx, at: Moment, request: PageRequest, verdict: Verdict) -> Call | Refusal:
    """Act on a verdict: consume, move, record; or record the failure (APPR-3 to APPR-5)."""
    call = _own(tx, request, at.now)
    if isinstance(call, Refusal):
        return call
    if call.state is not State.PENDING and isinstance(verdict, Verified):
        return stopped(call)
    if stop := stop_of(tx, at, call):  # APPR-5
        return end(tx, at, call, stop) if call.state is State.PENDING else stopped(call)
    if refusal := approvals.conclude(tx, verdict, action_of(call), at.now):
        entry = approvals.refused_entry(Kind.APPROVAL_REFUSED, verdict, refusal, call_id=call.call_id)
        return quotas.record(tx, at, call.user_id, call.client_id, entry, refusal)
    assert isinstance(verdict, Verified)
    if refusal := spend(tx, call):
        return end(tx, at, call, Stop(refusal))
    approved = replace(call, challenge_id=verdict.challenge_id)
    return move(
        tx,
        approved,
        State.APPROVED,
        at.now,
        challenge_id=verdict.challenge_id,
        credential_id=verdict.assertion.credential_id,
        method="webauthn",
        evidence_s256=verdict.evidence_s256,
        policy_s256=at.policy.file_s256,
    )


def deny(tx: Tx, request: PageRequest, state: State, now: int) -> Call | Refusal:
    """End a call that has not run because the user declined it or its dialog went away (APPR-6)."""
    call = _own(tx, request, now)
    return call if isinstance(call, Refusal) else _end(tx, call, state, now)


def call_off(tx: Tx, call_id: CallId, user_id: UserId, state: State, now: int) -> Call | Refusal:
    """End a call of this user's on whatever page it was made, or over MCP (APPR-6)."""
    call = settled(tx, call_id, now)
    return _end(tx, call, state, now) if call is not None and call.user_id == user_id else NO_CALL


def _end(tx: Tx, call: Call, state: State, now: int) -> Call | Refusal:
    return move(tx, call, state, now) if call.state in (State.PENDING, State.APPROVED) else stopped(call)


def deliver(tx: Tx, request: PageRequest, now: int) -> Call | Refusal:
    """Note that the result of a call reached the agent (CALL-10)."""
    call = _own(tx, request, now)
    if not isinstance(call, Refusal):
        tx.mark_delivered([call.call_id], call.user_id, request.proof.jkt)
    return call


def look(tx: Tx, request: PageRequest, now: int) -> Call | Refusal:
    """Show a call to its page (CALL-9)."""
    return _own(tx, request, now)


def expire(tx: Tx, now: int, limit: int = 200) -> int:
    """Move what is overdue, each with its entry (CALL-4); return how many."""
    overdue = tx.overdue_calls(now, limit)
    for call in overdue:
        settle(tx, call, now)
    return len(overdue)


def action_of(call: Call) -> Action:
    """Return what a user confirms by approving this call."""
    return Action(
        Purpose.CALL,
        call.call_id,
        call.tool,
        call.arguments,
        call.authenticator_class,
        call.user_id,
        call.page_jkt,
    )


def _own(tx: Tx, request: PageRequest, now: int) -> Call | Refusal:
    if not tx.use_proof(request.proof):
        return USED_PROOF
    call = settled(tx, request.call_id, now)
    return call if call is not None and owns(call, request) else NO_CALL
