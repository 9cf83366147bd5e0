"""Approvals of calls: of one that waits (PROTOCOL §6), and ahead of one over MCP (MCP-8, MCP-9).

Evidence is verified before the transaction that consumes it.
"""

from ...protocol.authorization import Standing
from ...protocol.call import Call, State
from ...protocol.canonical import Json
from ...protocol.challenge import Purpose
from ...protocol.entry import Kind, call_facts
from ...protocol.errors import Code, Refusal, Refused
from ...protocol.prompt import askers_of
from ...protocol.question import Surface, Text
from ...protocol.tool import Tool
from ...protocol.value import changed
from .. import approvals, prompts, questions, quotas
from ..approvals import Action, Minted, Rejected, Verdict, Verified
from ..moment import Moment
from ..ports import Reader, Tx
from . import counters
from .answers import Answered, Denied
from .decisions import Stop, decide, needs_approval, stop_of
from .drafts import asked_by
from .moves import NO_CALL, end, move, own, own_in, owns, stopped
from .request import Approver, CallRequest, OwnCall
from .standing import enter, standing_of


def challenge(tx: Tx, at: Moment, request: Approver) -> Minted | Refusal:
    """Mint the challenge for a pending call, at the user's click (APPR-1)."""
    found = asking(tx, at, request)
    if isinstance(found, Refusal):
        return found
    call, standing = found
    if occupied := prompts.occupied(tx, at, call.user_id, call.call_id, askers_of(standing.lineage)):
        return occupied
    return approvals.mint(tx, at, _action(at, call, request), _put(at, call, standing))


def asking(tx: Tx, at: Moment, request: Approver) -> tuple[Call, Standing] | Refusal:
    """Find a call that waits for its user, and what stands behind it.

    What may not be asked any more ends (PROMPT-3).
    """
    found = own_in(tx, at, request, State.PENDING)
    if isinstance(found, Refusal):
        return found
    call, standing = found
    if quiet := prompts.quiet(tx, at, call.user_id, askers_of(standing.lineage)):
        return end(tx, at, call, Stop(quiet))  # it was one of too many to be ended with the others
    return found


def challenge_ahead(tx: Tx, at: Moment, request: CallRequest) -> Minted | Refusal:
    """Mint the challenge for a call that is to follow; it belongs to this user and grant (MCP-8)."""
    who = request.principal
    standing = enter(tx, at, who)
    if isinstance(standing, Refusal):
        return standing
    tool = _approved_ahead(at, request)
    if tool is None:
        return Refusal(
            Code.TOOL_NOT_APPROVED_REQUIRED, "There is no tool of this name that asks for an approval."
        )
    if limited := quotas.entry(tx, at, who.user_id, who.client_id):
        return limited  # so that there are not more of them than there could be calls
    decision = decide(tx, at, request, standing, evidence=True)
    if isinstance(decision, Refusal):
        return decision
    if quiet := prompts.quiet(tx, at, who.user_id, askers_of(standing.lineage)):
        return quiet
    text = questions.of_call(at, decision.description, standing, on_page=False)
    return approvals.mint(tx, at, _action_ahead(request, tool), text)


def check(reader: Reader, at: Moment, request: Approver, evidence: Json) -> Verdict:
    """Verify evidence for a call, before the transaction (APPR-3); Refused(call_unknown). No state changes here."""
    call = reader.call(request.call_id)
    if call is None or not owns(call, request):
        raise Refused.of(NO_CALL)
    return approvals.check(reader, at, _action(at, call, request), evidence)


def check_ahead(reader: Reader, at: Moment, request: CallRequest, evidence: Json) -> Verdict | None:
    """Verify evidence that came with a call, before the transaction; None if the tool needs no approval (MCP-9)."""
    tool = _approved_ahead(at, request)
    return approvals.check(reader, at, _action_ahead(request, tool), evidence) if tool else None


def missing(at: Moment, request: CallRequest) -> Rejected | None:
    """Return the verdict over a call that came without the evidence it needs; else None (MCP-9)."""
    return None if request.way.waits or not _lacks(at, request) else _MISSING


def lacking(at: Moment, request: CallRequest, refusal: Refusal) -> Refusal:
    """Say of a call that came without evidence, and of which nobody can be asked, first that it lacks it, if it does
    (SEP-2672 §4.3).
    """
    if not request.way.waits or not _lacks(at, request):
        return refusal
    return Refusal(Code.MISSING_EVIDENCE, f"{_MISSING.refusal.detail} Nobody can be asked: {refusal.detail}")


def _lacks(at: Moment, request: CallRequest) -> bool:
    tool = _approved_ahead(at, request)
    return tool is not None and needs_approval(request, tool)


def is_missing(verdict: Verdict | None) -> bool:
    """Tell whether a call came without the evidence that it needs, so that its user would have to be asked."""
    return isinstance(verdict, Rejected) and verdict.refusal.code is Code.MISSING_EVIDENCE


_MISSING = Rejected(Refusal(Code.MISSING_EVIDENCE, "The evidence of the approval is missing."), None, None)


def approve(tx: Tx, at: Moment, request: Approver, verdict: Verdict) -> Answered | Refusal:
    """Act on a verdict: consume, move, record; or record the failure (APPR-3 to APPR-5)."""
    call = own(tx, request, at.now)
    if isinstance(call, Refusal):
        return call
    if call.state is not State.PENDING and isinstance(verdict, Verified):
        return stopped(call)
    standing = standing_of(tx, call)
    if stop := stop_of(tx, at, call, standing):  # APPR-5
        return end(tx, at, call, stop) if call.state is State.PENDING else stopped(call)
    verified = approvals.conclude(tx, at, verdict, _action(at, call, request), _put(at, call, standing))
    if isinstance(verified, Refusal):
        entry = approvals.refused_entry(Kind.APPROVAL_REFUSED, verdict, verified, call_id=call.call_id)
        return quotas.record(tx, at, call.user_id, call.client_id, entry, verified)
    uses = counters.left(tx, standing.lineage, call)
    if isinstance(uses, Refusal):
        return end(tx, at, call, Stop(uses))
    uses.take(tx)
    approved = _approved(call, verified)
    facts = {**verified.facts, "policy_s256": at.policy.file_s256}
    return Answered(move(tx, approved, State.APPROVED, at.now, None, **facts), standing)


def answers_first(verdict: Verdict | None, decision: Refusal) -> bool:
    """Tell whether to answer that evidence is missing, rather than what is wrong with the arguments (SEP-2672 §4.3)."""
    return is_missing(verdict) and decision.code is Code.INVALID_ARGUMENTS


def conclude_ahead(
    tx: Tx, at: Moment, request: CallRequest, call: Call, standing: Standing, verdict: Verdict
) -> Call | Denied | Refusal:
    """Consume the approval that came with a call, or record why that failed, and for which call (MCP-9)."""
    action = _action_ahead(request, at.policy.tools[request.tool])
    verified = approvals.conclude(tx, at, verdict, action, _put(at, call, standing))
    if isinstance(verified, Verified):
        return _approved(call, verified)
    facts = {**call_facts(call), **asked_by(request)}
    entry = approvals.refused_entry(Kind.APPROVAL_REFUSED, verdict, verified, **facts)
    return quotas.record(tx, at, call.user_id, call.client_id, entry, Denied(call.call_id, verified))


def _approved(call: Call, verdict: Verified) -> Call:
    return changed(call, challenge_id=verdict.challenge_id, method=verdict.challenge.method)


def _approved_ahead(at: Moment, request: CallRequest) -> Tool | None:
    """Find the tool of a request, if calls of it may need an approval (MCP-5)."""
    tool = at.policy.tools.get(request.tool) if request.offered else None
    return tool if tool is not None and request.principal.approves(tool) else None


def _put(at: Moment, call: Call, standing: Standing) -> Text:
    return questions.of_call(at, call.description, standing, call.page_jkt is not None)


def _action(at: Moment, call: Call, request: Approver) -> Action:
    """Return what a user confirms by approving this call, in the page that made it or on the authority's (APPR-12)."""
    on_its_own = isinstance(request, OwnCall)
    return Action(
        Purpose.CALL,
        call.call_id,
        call.tool,
        call.arguments,
        call.user_id,
        call.authenticator_class,
        None if on_its_own else call.page_jkt,
        surface=Surface.AUTHORITY if on_its_own else Surface.PAGE,
        takes=at.policy.surface_of(call.tool),
    )


def _action_ahead(request: CallRequest, tool: Tool) -> Action:
    """Return the same before there is a call: the challenge is the grant's (MCP-8)."""
    who = request.principal
    subject, kind = who.delegation.grant_id if who.delegation else "", tool.authenticator_class
    arguments, takes = request.arguments, tool.surface
    return Action(Purpose.MCP_CALL, subject, tool.name, arguments, who.user_id, kind, takes=takes)
