"""The decision over a call when it comes, and again while it is under way (CALL-1, MCP-7, POLICY-3)."""

from dataclasses import dataclass, replace

from ...protocol.authorization import (
    Decision,
    Standing,
    decide_arguments,
    known_tool,
    misfit,
    permits,
    permits_page,
)
from ...protocol.call import Call, State
from ...protocol.errors import Code, Refusal
from ...protocol.tool import Tool
from .. import approvals, prompts
from ..blocks import barred
from ..moment import Moment
from ..ports import Reader
from .request import NOBODY, WRONG_USER, CallRequest

_WRONG_KEY = Refusal(Code.INVALID_TOKEN, "This delegation token is for another key than its grant.")


def decide(
    reader: Reader, at: Moment, request: CallRequest, standing: Standing, evidence: bool = False
) -> Decision:
    """Decide a call that has just come; the first failure answers (CALL-1).

    With `evidence`, or where some is needed, it is decided as one that was approved; evidence and counters are checked
    after this.
    """
    policy, who, delegation = at.policy, request.principal, request.principal.delegation
    if delegation is not None and who.present != delegation.user_id:  # CALL-2
        return NOBODY if who.present is None else WRONG_USER
    if paused := prompts.paused(reader, who.user_id):  # PROMPT-5
        return paused
    if not request.offered:  # MCP-5
        return Refusal(Code.UNKNOWN_TOOL, f"No tool is called {request.tool} here.")
    tool = known_tool(policy, request.tool)
    if isinstance(tool, Refusal):
        return tool
    approval = evidence or needs_approval(request, tool)
    able = approvals.able(reader, at, who.user_id) if request.way.waits else None
    if delegation is None:
        closed = permits_page(policy, tool) if request.is_direct else None
    elif standing.lineage and standing.lineage[0].jkt != delegation.jkt:
        return _WRONG_KEY
    else:
        closed = permits(policy, tool, request.described, standing, request.arguments, at.now)
    if closed is None:
        return decide_arguments(tool, request.arguments, able, approval)
    if request.way.widens and closed.code is Code.INSUFFICIENT_SCOPE:
        # more, perhaps, than one can have
        wanted = sorted(standing.lineage[0].scopes.names | tool.scopes.names)
        return replace(closed, facts={"scope": " ".join(wanted)})
    return closed


def needs_approval(request: CallRequest, tool: Tool) -> bool:
    """Tell whether a human has to approve these arguments: by the policy, or by who asks (BEARER-4, CALL-7)."""
    return request.principal.unproven or request.is_direct or tool.approval.required(request.arguments)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a call under way goes no further, and the state that this puts it in."""

    refusal: Refusal
    state: State = State.DENIED


_CHANGED = Refusal(
    Code.CANCELLED,
    "The site has changed what it asks for this. Nothing has run. Call again, if it is still wanted.",
)


def stop_of(reader: Reader, at: Moment, call: Call, standing: Standing) -> Stop | None:
    """Decide a call under way again, by grants, agents and policy as they are now; None if it may go on (POLICY-3)."""
    tool = known_tool(at.policy, call.tool)
    if isinstance(tool, Refusal):
        return Stop(tool)
    if refusal := _keeps_out(reader, at, call, tool, standing):
        return Stop(refusal)
    if misfits := misfit(tool, call.arguments):
        return Stop(misfits)
    moved = (tool.authenticator_class, tool.executes.value) != (call.authenticator_class, call.executes)
    unasked = call.state is State.APPROVED and call.challenge_id is None
    if moved or (unasked and tool.approval.required(call.arguments)):
        return Stop(_CHANGED, State.CANCELLED)
    return None


def _keeps_out(reader: Reader, at: Moment, call: Call, tool: Tool, standing: Standing) -> Refusal | None:
    """Say why whoever made this call may not make it any more; None if he may."""
    if paused := prompts.paused(reader, call.user_id):  # PROMPT-5
        return paused
    if call.grant_id is not None:  # CONS-5, too
        return permits(at.policy, tool, call.described, standing, call.arguments, at.now)
    if out := barred(reader, call.user_id, None, at.now):  # BLOCK-3: no grant of his has ended with it
        return out
    return permits_page(at.policy, tool) if call.page_jkt is not None else None  # else the user of MCP-4
