"""`/calls`: the way of one call (PROTOCOL §5 to §7)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, Literal, cast

import msgspec
from msgspec import UNSET, UnsetType

from ..protocol import agent
from ..protocol.agent import Assurance
from ..protocol.call import CALL_TOKEN_LIFETIME, State
from ..protocol.canonical import unb64u
from ..protocol.errors import USED_PROOF, Code, Refusal, Refused
from ..protocol.grant import Grant
from ..protocol.ids import CallId, is_id
from ..protocol.proof import Proof
from ..protocol.tool import Executes
from ..service.approvals import Verdict
from ..service.calls import approving, arrivals, endings, redemptions
from ..service.calls import request as request_of
from ..service.calls.answers import Answered, Denied
from ..service.calls.request import PageCall
from ..service.grants import PageRequest
from ..service.moment import Moment
from ..service.ports import Tx
from .access import Deputy, Executor, Who
from .answers import envelope
from .context import Context
from .types import MAX_DELIVERED, CallIdText, CallRequest, Closed, Evidence, Jwt, Seconds, ToolName, sent


class HandedOn(Closed):
    """The agent that has handed its grant on, under the name that the user consented to."""

    client_id: str
    assurance: Assurance
    name: str | UnsetType = UNSET


class Agent(HandedOn):
    """Who calls, under the name that the user consented to; one that it was handed on to has none."""

    handed_on_by: HandedOn | UnsetType = UNSET


class Call(Closed, kw_only=True):
    """A call, as its page sees it (CALL-3, CALL-9); `agent` is null for the user himself."""

    call_id: CallIdText
    state: State
    tool: ToolName
    scopes: list[str]
    executes: Executes
    agent: Agent | None
    description: str | UnsetType = UNSET
    expires_at: Seconds | UnsetType = UNSET


class ApprovedCall(Call, kw_only=True):
    """A call that may run, with its token (TOKEN-3)."""

    call_token: Jwt
    expires_in: Seconds


class RedeemedCall(Call, kw_only=True):
    """A call that was redeemed; a guard is told the site's own id of its user as well (GUARD-3)."""

    external_id: str | UnsetType | None = UNSET


class Denial(Closed):
    """The end of a call (APPR-6)."""

    reason: Literal["declined", "cancelled"]


class Event(Closed):
    """What has happened to a call (CALL-10)."""

    type: Literal["delivered"]


class Redemption(Closed):
    """A call token that is to be redeemed (GUARD-3)."""

    call_token: Jwt


class Outcome(Closed):
    """What became of a call (GUARD-5)."""

    outcome: Literal["succeeded", "failed", "unknown"]


async def create(context: Context, who: Deputy, body: CallRequest) -> Call | Refusal:
    """Decide a call (CALL-1): 200 with a call token, 202 with a description, or a problem."""
    _check(body)
    delivered = tuple(CallId(each) for each in body.delivered)
    proofs = (who.page, who.evidence) if who.evidence else (who.page,)

    def decide(tx: Tx, at: Moment) -> Answered | Denied | Refusal:
        user = who.session(tx)
        request = request_of.CallRequest(
            way=request_of.PAGE,
            principal=request_of.Principal(user.user_id if user else None, who.delegation, proofs),
            tool=body.tool,
            arguments=body.arguments,
            canonical=who.canonical,
            args_s256=who.args_s256,
            definition_s256=body.definition_s256,
            page_jkt=who.page.jkt,
            delivered=delivered,
        )
        return arrivals.create(tx, at, request)

    started = perf_counter()
    decided: Answered | Denied = await context.run(decide)
    if isinstance(decided, Denied):
        context.log.denied(decided.call_id, decided.refusal)
        facts = {"call_id": decided.call_id, "state": "denied", **decided.refusal.facts}
        return replace(decided.refusal, facts=facts)
    context.log.decided(decided.call, started)
    return _decided(context, decided)


async def challenge(context: Context, page: Who[PageRequest]) -> dict[str, object]:
    """Mint the challenge, at the user's click (APPR-1)."""
    return envelope(await _its(context, page).run(approving.challenge), context.now)


async def approve(context: Context, page: Who[PageRequest], evidence: Evidence) -> Call:
    """Take the evidence of an approval (APPR-3): verified on a snapshot, consumed in a transaction."""
    started, its = perf_counter(), _its(context, page)
    verdict: Verdict = await its.look(approving.check, sent(evidence))
    decided = await its.run(approving.approve, verdict)
    context.log.decided(decided.call, started)
    return _decided(context, decided)


async def deny(context: Context, page: Who[PageRequest], body: Denial) -> Call:
    """End a call that the user declined, or whose dialog went away (APPR-6)."""

    def end(tx: Tx, at: Moment, by: PageRequest) -> Answered | Refusal:
        if by.proof is None:  # on the account page: taking away is never hard
            return endings.call_off(tx, at, by.user_id, _call_id(context), State.DECLINED)
        return endings.deny(tx, at, _of_call(context, by), State(body.reason))

    return _told(await page.run(end))


async def show(context: Context, page: Who[PageRequest]) -> Call:
    """Show a call to its page (CALL-9)."""
    return _told(await _its(context, page).run(endings.look))


async def events(context: Context, page: Who[PageRequest], body: Event) -> Call:
    """Note that a result reached the agent (CALL-10)."""
    return _told(await _its(context, page).run(endings.deliver))


async def redeem(context: Context, by: Executor, body: Redemption) -> Call:
    """Redeem a call token, once: a guard or, for tools that run in the page, the page (GUARD-3)."""
    token = context.authority.read_call_token(body.call_token, context.now)
    if token.call_id != _call_id(context):
        raise Refused(Code.INVALID_CALL_TOKEN, "This call token is for another call.")

    def redeem(tx: Tx, at: Moment, page: PageCall | None) -> Answered | Refusal:
        return redemptions.redeem(tx, at, token, token.args_s256, by.by, page)

    redeemed = await _run(context, by, redeem)
    user = redeemed.user
    return _told(redeemed, RedeemedCall, external_id=user.external_id if user else UNSET)


async def report(context: Context, by: Executor, body: Outcome) -> Call:
    """Note the outcome of a redeemed call (GUARD-5)."""

    def report(tx: Tx, at: Moment, page: PageCall | None) -> Answered | Refusal:
        return redemptions.report(tx, at, _call_id(context), State(body.outcome), by.by, page)

    return _told(await _run(context, by, report))


async def _run(
    context: Context, by: Executor, fn: Callable[[Tx, Moment, PageCall | None], Answered | Refusal]
) -> Answered:
    """Run a use case for a guard, whose proof is used up with it, or for the page."""

    def run(tx: Tx, at: Moment) -> Answered | Refusal:
        if not by.spend(tx):
            return USED_PROOF
        return fn(tx, at, _its(context, by.page).find(tx) if by.page else None)

    return await context.run(run)


def _its(context: Context, page: Who[PageRequest]) -> Who[PageCall]:
    """Return who asks about the call that the address names."""
    return page.map(lambda by: _of_call(context, by))


def _of_call(context: Context, by: PageRequest) -> PageCall:
    return PageCall(_call_id(context), by.user_id, cast(Proof, by.proof))


def _agent(found: agent.Agent, lineage: Sequence[Grant]) -> Agent:
    """Write who calls, an attested agent as the user consented to it, whatever it calls itself by now.

    To one that the grant was handed on to, nobody has consented by name: so the agent that has handed it on is told.
    """
    told = Agent(found.client_id, found.assurance)
    given = cast("Mapping[str, Any]", lineage[-1].shown).get("agent", {}) if lineage else {}
    if len(lineage) > 1:
        told.handed_on_by = msgspec.convert(given, HandedOn)
    elif "name" in given:
        told.name = given["name"]
    return told


def _told(made: Answered, kind: type[Call] = Call, **more: object) -> Call:
    """Write a call, and who makes it: in full where a human is asked."""
    found, asked = made.call, made.call.state is State.PENDING
    who = made.standing.agent
    open_until = found.deadline if found.state in (State.PENDING, State.APPROVED) else UNSET
    members: dict[str, Any] = {"expires_at": open_until, **more}
    return kind(
        call_id=found.call_id,
        state=found.state,
        tool=found.tool,
        scopes=list(found.scopes),
        executes=Executes(found.executes),
        agent=_agent(who, made.standing.lineage if asked else ()) if who else None,
        description=UNSET if found.description is None else found.description,
        **members,
    )


def _decided(context: Context, made: Answered) -> Call:
    """Answer an approved call with its token, a pending one with what is to be shown (CALL-3)."""
    if made.call.state is State.PENDING:
        return _told(made)
    token = context.authority.call_token(made.call, context.now)
    return _told(made, ApprovedCall, call_token=token, expires_in=CALL_TOKEN_LIFETIME)


def _call_id(context: Context) -> CallId:
    return CallId(context.named("call_id"))


def _check(body: CallRequest) -> None:
    """Refuse what is a text and not what it should be."""
    try:
        is_digest = len(unb64u(body.definition_s256)) == 32
    except ValueError:
        is_digest = False
    if not is_digest:
        raise Refused(Code.INVALID_REQUEST, "`definition_s256` is a base64url SHA-256.")
    if len(body.delivered) > MAX_DELIVERED or not all(is_id("cal", each) for each in body.delivered):
        raise Refused(Code.INVALID_REQUEST, f"`delivered` is a list of at most {MAX_DELIVERED} call ids.")
