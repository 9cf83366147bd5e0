"""Calls that come over MCP: who calls, the challenge before the call, the approval with it (PROTOCOL §15).

Each function is one transaction, or reads one snapshot; refusals in a transaction are values.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..protocol.authorization import Authorized, Decision, constrained, decide_arguments, permits
from ..protocol.call import LIFETIME, Call, State
from ..protocol.canonical import Json
from ..protocol.challenge import Purpose
from ..protocol.credential import AuthenticatorClass, Credential
from ..protocol.entry import Kind, call_entry
from ..protocol.errors import USED_PROOF, Code, Refusal
from ..protocol.grant import dead_link
from ..protocol.ids import CallId, UserId, make_id
from ..protocol.scope import ScopeSet
from ..protocol.token import Delegation
from ..protocol.tool import Executes, Tool
from . import approvals, moves, quotas
from .approvals import Action, Minted, Rejected, Verdict, Verified
from .calls import Denied
from .lineages import parents_of
from .moment import Moment
from .ports import CeremonyVerifier, Proof, Reader, Tx


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the user, the delegation whose grant decides, the proofs that a transaction has to spend.

    Without a delegation it is the user himself, on a machine that only he uses (MCP-4). With
    `unproven`, the message came from an agent that never proved who it is (BEARER-4).
    """

    user_id: UserId
    delegation: Delegation | None
    proofs: tuple[Proof, ...] = ()
    unproven: bool = False

    def approves(self, tool: Tool) -> bool:
        """Tell whether calls of this tool may need an approval, when they come from here (MCP-5)."""
        return tool.annotated or (self.unproven and not tool.public)

    def spend(self, tx: Tx) -> bool:
        """Use the proofs up (PROOF-2); False if one was used before."""
        used = [tx.use_proof(proof) for proof in self.proofs]  # each of them, also after the first that was
        return all(used)


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A call, or a challenge for one, as it arrived: `tool` is None if nothing of this `name` is offered.

    `canonical` is the JCS form of the arguments, `args_s256` its hash; `definition_s256` is of the listed tool.
    """

    caller: Caller
    name: str
    tool: Tool | None
    arguments: dict[str, Json]
    canonical: bytes
    args_s256: str
    definition_s256: str


@dataclass(frozen=True, slots=True)
class Granted:
    """A call that may run now; `entries` are the indices of those that tell of it so far."""

    call: Call
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A challenge, and the words that the user is shown with it."""

    minted: Minted
    description: str


def standing(reader: Reader, delegation: Delegation, now: int) -> Refusal | None:
    """Say why nothing can be done under a delegation any more, or None: the grants are read again (MCP-2)."""
    agent = reader.agent(delegation.client_id)
    if agent is None or agent.revoked_at is not None:
        return Refusal(Code.UNKNOWN_AGENT, "This agent is not registered here any more.")
    lineage = reader.lineage(delegation.grant_id)
    if not lineage or lineage[0].jkt != delegation.jkt:
        return Refusal(Code.CONSENT_REQUIRED, "The user has not deputized this agent.")
    return dead_link(lineage, now)


def challenge(tx: Tx, at: Moment, request: ToolRequest) -> Shown | Refusal:
    """Mint the challenge for a call that is to follow; it belongs to this user and grant (MCP-8)."""
    if not request.caller.spend(tx):
        return USED_PROOF
    tool = request.tool
    if tool is None or not request.caller.approves(tool):
        return Refusal(
            Code.TOOL_NOT_APPROVED_REQUIRED, "There is no tool of this name that asks for an approval."
        )
    user_id, delegation = request.caller.user_id, request.caller.delegation
    if limited := quotas.entry(tx, at, user_id, delegation.client_id if delegation else None):
        return limited  # so that there are not more of them than there could be calls
    decision = _decide(tx, at, request, tool, lambda: tx.credentials(user_id), approval=True)
    if isinstance(decision, Refusal):
        return decision
    minted = approvals.mint(tx, at, _action(request, tool))
    return minted if isinstance(minted, Refusal) else Shown(minted, decision.description or "")


def check(
    reader: Reader, at: Moment, request: ToolRequest, evidence: Json, verifier: CeremonyVerifier
) -> Verdict | None:
    """Verify the evidence of a call on a snapshot; None if none is needed and none was given (MCP-9)."""
    tool, caller = request.tool, request.caller
    if tool is None or not caller.approves(tool):
        return None
    if evidence is None and not (caller.unproven or tool.approval.required(request.arguments)):  # BEARER-4
        return None
    return approvals.check(reader, at, _action(request, tool), evidence, verifier)


def call(
    tx: Tx,
    at: Moment,
    request: ToolRequest,
    verdict: Verdict | None,
    redeem: bool,
) -> Granted | Denied | Refusal:
    """Decide a call, act on its approval, record it, and redeem it where it runs here (MCP-9).

    Missing evidence comes before what is wrong with the arguments (SEP-2672 §4.3), and after who may call at all.
    A bare Refusal is for what is not worth a record.
    """
    if not request.caller.spend(tx):
        return USED_PROOF
    user_id = request.caller.user_id
    client_id = request.caller.delegation.client_id if request.caller.delegation else None
    if limited := quotas.entry(tx, at, user_id, client_id):
        return limited
    tool = request.tool
    if tool is None:
        decision: Decision = Refusal(Code.UNKNOWN_TOOL, f"No tool is called {request.name} here.")
    else:
        decision = _decide(tx, at, request, tool, None, approval=verdict is not None)
    draft = _draft(at, request, decision, verdict)
    if isinstance(decision, Authorized) and decision.constrained:
        decision = moves.spend(tx, draft, take=False) or decision
    missing = isinstance(verdict, Rejected) and verdict.refusal.code is Code.MISSING_EVIDENCE
    if isinstance(decision, Refusal) and not (missing and decision.code is Code.INVALID_ARGUMENTS):  # §4.3
        denied, told = replace(draft, state=State.DENIED), _by(request.caller)
        entry = call_entry(denied, request.canonical, at.policy, decision.code, **told)
        return quotas.record(tx, at, user_id, client_id, entry, Denied(draft.call_id, decision))
    assert tool is not None  # or the decision were a refusal
    if verdict is not None and (refusal := approvals.conclude(tx, verdict, _action(request, tool), at.now)):
        facts = {
            "call_id": draft.call_id,
            "sub": draft.user_id,
            "client_id": draft.client_id,
            "grant_id": draft.grant_id,
            "tool": draft.tool,
            **_by(request.caller),
        }
        entry = approvals.refused_entry(Kind.APPROVAL_REFUSED, verdict, refusal, **facts)
        return quotas.record(tx, at, user_id, client_id, entry, Denied(draft.call_id, refusal))
    assert isinstance(decision, Authorized)
    if decision.constrained:
        moves.spend(tx, draft)
    told = {**_by(request.caller), **_approval(verdict)}
    approved = tx.append(call_entry(draft, request.canonical, at.policy, None, **told), at.now)
    granted = replace(draft, entry=approved)
    tx.add_call(granted)
    if not redeem:
        return Granted(granted, (approved,))
    running = moves.move(
        tx, granted, State.REDEEMED, at.now, by=Executes.API.value, policy_s256=at.policy.file_s256
    )
    return Granted(running, (approved, running.entry))


def cancel(tx: Tx, call_id: CallId, now: int) -> Call | None:
    """End a call that nobody has redeemed, so that nobody can any more; return what it is now."""
    call = moves.settled(tx, call_id, now)
    return moves.move(tx, call, State.CANCELLED, now) if call and call.state is State.APPROVED else call


def _decide(
    tx: Tx,
    at: Moment,
    request: ToolRequest,
    tool: Tool,
    credentials: Callable[[], list[Credential]] | None,
    approval: bool,
) -> Decision:
    """Decide as CALL-1 has it; the user himself needs no grant (MCP-4)."""
    delegation = request.caller.delegation
    if delegation is None:
        return decide_arguments(at.policy, tool, request.arguments, credentials, approval)
    lineage = tx.lineage(delegation.grant_id)
    if lineage and lineage[0].jkt != delegation.jkt:
        return Refusal(Code.INVALID_TOKEN, "This delegation token is for another key than its grant.")
    agent = tx.agent(delegation.client_id)
    if refusal := permits(
        at.policy, tool, agent, lineage, request.arguments, at.now, parents_of(tx, lineage)
    ):
        if refusal.code is Code.INSUFFICIENT_SCOPE:  # MCP-7: a step up that loses nothing
            wanted = lineage[0].scopes.names | tool.scopes.names  # more, perhaps, than one grant can have
            return replace(refusal, facts={"scope": " ".join(sorted(wanted))})
        return refusal
    decision = decide_arguments(at.policy, tool, request.arguments, credentials, approval)
    if isinstance(decision, Authorized):
        return replace(decision, constrained=constrained(lineage))
    return decision


def _action(request: ToolRequest, tool: Tool) -> Action:
    """Return what the user confirms: no call is there yet, so the challenge is the grant's (MCP-8)."""
    delegation = request.caller.delegation
    return Action(
        Purpose.MCP_CALL,
        delegation.grant_id if delegation else "",
        tool.name,
        request.arguments,
        tool.authenticator_class,
        request.caller.user_id,
        None,
    )


def _draft(at: Moment, request: ToolRequest, decision: Decision, verdict: Verdict | None) -> Call:
    """Make the call as it stands once it is approved. Over MCP each is a new one (MCP-11)."""
    delegation, tool = request.caller.delegation, request.tool
    return Call(
        call_id=CallId(make_id("cal", at.random(16))),
        state=State.APPROVED,
        user_id=request.caller.user_id,
        client_id=delegation.client_id if delegation else None,
        grant_id=delegation.grant_id if delegation else None,
        page_jkt=None,
        tool=request.name,
        scopes=tool.scopes if tool else ScopeSet(),
        arguments=request.arguments,
        args_s256=request.args_s256,
        definition_s256=request.definition_s256,
        match_key=None,
        salt=at.random(32),
        description=decision.description if isinstance(decision, Authorized) else None,
        authenticator_class=tool.authenticator_class if tool else AuthenticatorClass.PLATFORM,
        executes=Executes.API.value,
        created_at=at.now,
        deadline=at.now + LIFETIME[State.APPROVED],
        entry=-1,
        challenge_id=verdict.challenge_id if isinstance(verdict, Verified) else None,
    )


def _by(caller: Caller) -> dict[str, object]:
    assurance = caller.delegation.assurance.value if caller.delegation else None
    return {"via": "mcp", "assurance": assurance, "unproven": caller.unproven or None}


def _approval(verdict: Verdict | None) -> dict[str, object]:
    if not isinstance(verdict, Verified):
        return {}
    return {
        "credential_id": verdict.assertion.credential_id,
        "method": "webauthn",
        "evidence_s256": verdict.evidence_s256,
    }
