"""A call comes: it is decided, and the decision recorded (PROTOCOL §5, §15)."""

from dataclasses import replace

from ...protocol.authorization import Authorized, Standing
from ...protocol.call import Call, State
from ...protocol.entry import call_entry, move_entry
from ...protocol.errors import Code, Refusal, Refused
from ...protocol.prompt import askers_of
from ...protocol.quota import Quota
from ...protocol.tool import Executes
from .. import prompts, quotas
from ..approvals import Verdict, Verified
from ..moment import Moment
from ..ports import Tx
from . import approving, counters, meeting
from .answers import Answered, Denied
from .decisions import decide
from .drafts import asked_by, draft
from .meeting import Met
from .moves import move
from .request import CallRequest
from .standing import enter


def create(
    tx: Tx, at: Moment, request: CallRequest, verdict: Verdict | None = None
) -> Answered | Denied | Refusal:
    """Decide a call and record the decision (CALL-1, CALL-3, MCP-9). A bare Refusal is for what is not worth a record.

    `verdict` is of the evidence that came with it. Refused(login_required) where nobody is there.

    1. Proofs are spent (PROOF-2), what stands behind the caller is read, and it is noted what was delivered (CALL-10).
    2. The entry is counted (QUOTA-2).
    3. Who may call this, and with these arguments? How the tool is described joins the consent, if that knows no other
       description yet (GRANT-8).
    4. An equal call that is there is resumed, or refuses this one (CALL-6).
    5. One more question is asked, unless it is quiet (PROMPT-3), and one more call that waits is counted (QUOTA-2).
    6. Is enough left in the counters (CONS-3)?
    7. The approval that came with it is consumed. That evidence is missing is said before what is wrong with the
       arguments (SEP-2672 §4.3).
    8. What it uses is taken; it is recorded and stored and, where it runs here, redeemed (MCP-9).
    """
    who = request.principal
    user_id, client_id = who.user_id, who.client_id  # before anything else: nothing is stored for nobody
    standing = enter(tx, at, who)  # 1
    if isinstance(standing, Refusal):
        return standing
    if request.delivered and request.page_jkt is not None:
        tx.mark_delivered(request.delivered, user_id, request.page_jkt)
    if limited := quotas.entry(tx, at, user_id, client_id):  # 2
        return limited
    verdict = verdict or approving.missing(at, request)
    decision = decide(tx, at, request, standing, evidence=verdict is not None)  # 3
    call = draft(tx, at, request, decision)
    uses = counters.Uses()
    if isinstance(decision, Authorized):
        _remember(tx, request, standing)
        met = meeting.meet(tx, at, call)  # 4
        if met is not None:
            return _resumed(tx, at, request, met, standing) if isinstance(met, Met) else met
        waits = call.state is State.PENDING
        asks = waits or approving.is_missing(verdict)
        quiet = prompts.quiet(tx, at, user_id, askers_of(standing.lineage)) if asks else None  # 5
        limited = quotas.pending(tx, at, Quota.PENDING_CALLS, user_id, client_id) if waits else None
        if limited and not quiet:
            return limited
        looked = quiet or counters.left(tx, standing.lineage, call)  # 6
        uses, decision = (uses, looked) if isinstance(looked, Refusal) else (looked, decision)
    if isinstance(decision, Refusal) and not approving.answers_first(verdict, decision):
        return _refused(tx, at, request, call, decision)
    if verdict is not None:  # 7
        approved = approving.conclude_ahead(tx, at, request, call, standing, verdict)
        if isinstance(approved, Denied):
            tx.add(_denied(call, at.now, tx.head().size - 1))
        if not isinstance(approved, Call):
            return approved
        call = approved
    if call.state is State.APPROVED:
        uses.take(tx)  # 8
    return _stored(tx, at, request, call, standing, verdict)


_OTHERWISE = Refusal(
    Code.CALL_STATE, "This tool was called for the first time by another just now. Call again."
)


def _remember(tx: Tx, request: CallRequest, standing: Standing) -> None:
    """Let the consent know how the tool is described by which it is first called under it (GRANT-8)."""
    if not standing.lineage:
        return
    consented, described = standing.lineage[-1], request.described
    if described.is_new(consented.definitions):
        known = {**consented.definitions, described.place: [described.s256]}
        if not tx.know_definitions(consented, known):
            raise Refused.of(_OTHERWISE)  # only a store with several writers can lose this race


def _refused(tx: Tx, at: Moment, request: CallRequest, call: Call, why: Refusal) -> Denied | Refusal:
    """Record a call that is refused, and keep it for its user to see (HIST-1); no later one meets it (CALL-6)."""
    denied = _denied(call, at.now, tx.head().size)
    entry = call_entry(denied, request.canonical, at.policy, why.code, **asked_by(request))
    told = quotas.record(tx, at, call.user_id, call.client_id, entry, Denied(call.call_id, why))
    if isinstance(told, Denied):
        tx.add(denied)
    return told


def _denied(call: Call, now: int, entry: int) -> Call:
    return replace(call, state=State.DENIED, deadline=now, match_key=None, entry=entry)


def _stored(
    tx: Tx, at: Moment, request: CallRequest, call: Call, standing: Standing, verdict: Verdict | None
) -> Answered:
    facts = {**asked_by(request), **(verdict.facts if isinstance(verdict, Verified) else {})}
    entry = tx.append(call_entry(call, request.canonical, at.policy, None, **facts), at.now)
    if entry != call.entry:  # an earlier call was moved for this one
        call = replace(call, entry=entry)
    if not request.here or call.state is State.PENDING:
        tx.add(call)
        return Answered(call, standing, entries=(entry,), said=True)
    running = call.moved(State.REDEEMED, at.now, tx.head().size)  # at once, so there is one row to write
    tx.append(move_entry(running, by=Executes.API.value, policy_s256=at.policy.file_s256), at.now)
    tx.add(running)
    return Answered(running, standing, tx.user(call.user_id), (entry, running.entry))


def _resumed(tx: Tx, at: Moment, request: CallRequest, met: Met, standing: Standing) -> Answered:
    """Go on with an earlier call; where it may run now and runs here, it is redeemed, once (MCP-15)."""
    if not request.here or met.call.state is not State.APPROVED:
        return Answered(met.call, standing, entries=met.entries, said=True)
    facts = {"by": Executes.API.value, "policy_s256": at.policy.file_s256}
    running = move(tx, met.call, State.REDEEMED, at.now, None, **facts)
    return Answered(running, standing, tx.user(running.user_id), (*met.entries, running.entry))
