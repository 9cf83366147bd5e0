"""`/calls`: the way of one call (PROTOCOL §5 to §7)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, UnsetType

from ..protocol import agent
from ..protocol.agent import Assurance
from ..protocol.call import CALL_TOKEN_LIFETIME, State
from ..protocol.credential import AuthenticatorClass
from ..protocol.definition import is_digest
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.grant import Grant
from ..protocol.ids import CallId, is_id
from ..protocol.question import Surface
from ..protocol.tool import Executes
from ..service import questions
from ..service.calls import approving, arrivals, endings, redemptions, request
from ..service.calls.answers import Answered, Denied
from ..service.calls.request import Executor, OwnCall, PageCall
from ..service.grants import PageRequest
from ..service.moment import Moment
from ..service.ports import Tx
from .access import Who
from .answers import envelope
from .context import Context
from .types import (
    MAX_DELIVERED,
    CallIdText,
    CallRequest,
    Closed,
    Evidence,
    Jwt,
    Row,
    Seconds,
    Text,
    ToolName,
    said,
    sent,
)


class HandedOn(Closed):
    """The agent that has handed its grant on, under the name that the user consented to."""

    client_id: str
    assurance: Assurance
    name: str | UnsetType = UNSET


class Agent(HandedOn):
    """Who calls, under the name that the user consented to; one that it was handed on to has none."""

    handed_on_by: HandedOn | UnsetType = UNSET


class Call(Closed, kw_only=True):
    """A call, as its page sees it (CALL-3, CALL-9); `agent` is null for the user himself.

    While somebody is asked, `text` is what he reads, `description` the same in one, and `details` are the arguments
    that it leaves out (APPR-2); by a credential of this `authenticator_class` he approves it (CRED-6).
    """

    call_id: CallIdText
    state: State
    tool: ToolName
    scopes: list[str]
    executes: Executes
    agent: Agent | None
    description: str | UnsetType = UNSET
    text: Text | UnsetType = UNSET
    details: list[Row] | UnsetType = UNSET
    expires_at: Seconds | UnsetType = UNSET
    authenticator_class: AuthenticatorClass | UnsetType = UNSET
    surface: Surface | UnsetType = UNSET
    answered_on: Annotated[str, said(enum=["page", "authority"])] | UnsetType = UNSET
    code: Code | UnsetType = UNSET


class ApprovedCall(Call, kw_only=True):
    """A call that may run, with its token (TOKEN-3)."""

    call_token: Jwt
    expires_in: Seconds


class RedeemedCall(Call, kw_only=True):
    """A call that was redeemed; a guard is told the site's own id of its user as well (GUARD-3)."""

    external_id: str | UnsetType | None = UNSET


class Denial(Closed):
    """The end of a call (APPR-6); with `block`, of its agent, too (BLOCK-1)."""

    reason: Literal["declined", "cancelled"]
    block: bool = False


class Event(Closed):
    """What has happened to a call (CALL-10)."""

    type: Literal["delivered"]


class Redemption(Closed):
    """A call token that is to be redeemed (GUARD-3)."""

    call_token: Jwt


class Outcome(Closed):
    """What became of a call (GUARD-5)."""

    outcome: Literal["succeeded", "failed", "unknown"]


async def create(context: Context, who: Who[request.CallRequest], body: CallRequest) -> Call | Refusal:
    """Decide a call (CALL-1): 200 with a call token, 202 with a description, or a problem."""
    _check(body)
    started = perf_counter()
    decided: Answered | Denied = await who.run(arrivals.create)
    if isinstance(decided, Denied):
        context.log.denied(decided.call_id, decided.refusal)
        facts = {"call_id": decided.call_id, "state": "denied", **decided.refusal.facts}
        return replace(decided.refusal, facts=facts)
    context.log.decided(decided.call, started)
    return _decided(context, decided)


async def challenge(context: Context, page: Who[PageCall]) -> dict[str, object]:
    """Mint the challenge, at the user's click (APPR-1)."""
    return envelope(await page.run(approving.challenge), context.now)


async def approve(context: Context, page: Who[PageCall], evidence: Evidence) -> Call:
    """Take the evidence of an approval (APPR-3): verified before the transaction that consumes it."""
    started = perf_counter()
    verdict = await page.verdict(approving.check, sent(evidence))
    decided = await page.run(approving.approve, verdict)
    context.log.decided(decided.call, started)
    return _decided(context, decided)


async def deny(context: Context, page: Who[PageRequest], body: Denial) -> Call:
    """End a call that the user declined, or whose dialog went away (APPR-6)."""
    call_id = _call_id(context)

    def end(tx: Tx, at: Moment, by: PageRequest) -> Answered | Refusal:
        if by.proof is None:  # on the account page: taking away is never hard
            return endings.deny(tx, at, OwnCall(call_id, by.user_id), State.DECLINED, body.block)
        return endings.deny(tx, at, PageCall(call_id, by.user_id, by.proof), State(body.reason), body.block)

    return told(context, await page.run(end))


async def show(context: Context, page: Who[PageCall]) -> Call:
    """Show a call to its page (CALL-9)."""
    return told(context, await page.run(endings.look))


async def resume(context: Context, page: Who[PageCall]) -> Call:
    """Let a page go on with its call that was approved elsewhere: with a call token (CALL-11)."""
    return _decided(context, await page.run(endings.resume))


async def events(context: Context, page: Who[PageCall], body: Event) -> Call:
    """Note that a result reached the agent (CALL-10)."""
    return told(context, await page.run(endings.deliver))


async def redeem(context: Context, by: Who[Executor], body: Redemption) -> Call:
    """Redeem a call token, once: a guard or, for tools that run in the page, the page (GUARD-3)."""
    token = context.authority.read_call_token(body.call_token, context.now)
    if token.call_id != _call_id(context):
        raise Refused(Code.INVALID_CALL_TOKEN, "This call token is for another call.")
    redeemed = await by.run(redemptions.redeem, token, token.args_s256)
    user = redeemed.user
    return told(context, redeemed, RedeemedCall, external_id=user.external_id if user else UNSET)


async def report(context: Context, by: Who[Executor], body: Outcome) -> Call:
    """Note the outcome of a redeemed call (GUARD-5)."""
    return told(context, await by.run(redemptions.report, _call_id(context), State(body.outcome)))


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


def told(context: Context, made: Answered, kind: type[Call] = Call, **more: object) -> Call:
    """Write a call, and who makes it: in full where a human is asked."""
    found, asked = made.call, made.call.state is State.PENDING
    who = made.standing.agent
    open_until = found.deadline if found.state in (State.PENDING, State.APPROVED) else UNSET
    members: dict[str, Any] = {"expires_at": open_until, **more}
    if asked:
        text = questions.of_call(context.at, found.description, made.standing, found.page_jkt is not None)
        rows = questions.details_of(context.at, found, made.said)
        told = [Row(each.title, [*each.values]) for each in rows]
        members |= {"description": str(text), "text": Text.of(text), "details": told}
        members["authenticator_class"] = found.authenticator_class
    return kind(
        call_id=found.call_id,
        state=found.state,
        tool=found.tool,
        scopes=sorted(found.scopes.names),
        executes=Executes(found.executes),
        agent=_agent(who, made.standing.lineage if asked else ()) if who else None,
        answered_on=made.answered_on.value if made.answered_on else UNSET,
        code=made.code or UNSET,
        **members,
    )


def _decided(context: Context, made: Answered) -> Call:
    """Answer an approved call with its token, a pending one with what is to be shown (CALL-3)."""
    if made.call.state is State.PENDING:
        return told(context, made, surface=context.authority.policy.surface_of(made.call.tool))
    token = context.authority.call_token(made.call, context.now)
    return told(context, made, ApprovedCall, call_token=token, expires_in=CALL_TOKEN_LIFETIME)


def _call_id(context: Context) -> CallId:
    return CallId(context.named("call_id"))


def _check(body: CallRequest) -> None:
    """Refuse what is a text and not what it should be."""
    if not is_digest(body.definition_s256):
        raise Refused(Code.INVALID_REQUEST, "`definition_s256` is a base64url SHA-256.")
    if len(body.delivered) > MAX_DELIVERED or not all(is_id("cal", each) for each in body.delivered):
        raise Refused(Code.INVALID_REQUEST, f"`delivered` is a list of at most {MAX_DELIVERED} call ids.")
