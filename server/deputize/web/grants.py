"""`/agents` and `/grants`: who may act for the user, and what (PROTOCOL §4)."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from ..protocol import grant as given
from ..protocol.block import LONGEST, SHORTEST
from ..protocol.definition import is_digest
from ..protocol.errors import Code, Refused
from ..protocol.grant import GrantState
from ..protocol.ids import UserId
from ..protocol.question import Surface
from ..protocol.scope import ScopeSet
from ..service import blocks, consents, grants, questions
from ..service.grants import PageRequest
from ..service.ports import Reader
from .access import Who
from .answers import envelope
from .context import Context
from .oauth.issuing import Tokens, tokens
from .types import (
    Closed,
    Evidence,
    GrantIdText,
    Hash,
    Nothing,
    Object,
    Scope,
    Seconds,
    Text,
    ToolName,
    said,
    sent,
)


class OpaqueAgent(Closed):
    """The page's key as an agent (AGENT-1)."""

    client_id: Annotated[str, said(pattern="^agt_[A-Za-z0-9_-]{22}$")]
    assurance: Literal["opaque"]
    jkt: Hash


class GrantRequest(Closed):
    """What an agent asks its user for (GRANT-1)."""

    scope: Scope
    expires_in: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    definitions: dict[ToolName, Hash] | UnsetType = UNSET


class PendingGrant(Closed):
    """A request for consent (GRANT-1); `shown` is what is shown and signed."""

    grant_id: GrantIdText
    state: GrantState
    expires_at: Seconds
    shown: Object
    text: Text
    surface: Surface


class Grant(Closed):
    """How a grant stands now."""

    grant_id: GrantIdText
    state: GrantState


class GrantNow(Closed):
    """How a grant stands, and until when (GRANT-7)."""

    grant_id: GrantIdText
    state: Annotated[str, said(enum=[*GrantState, "expired"])]
    expires_at: Seconds
    code: Literal["wrong_digits"] | UnsetType = UNSET


class GrantDenial(Closed):
    """The end of a request for consent: the user's no, if nothing else is said; with `block`, of its agent, too."""

    reason: Literal["declined", "cancelled"] = "declined"
    block: bool = False


class BlockFor(Closed):
    """For how long an agent is blocked: until that is ended, if nothing is said (BLOCK-1)."""

    seconds: Annotated[int, Meta(ge=SHORTEST, le=LONGEST)] | UnsetType = UNSET


class Block(Closed):
    """An agent that is blocked, and until when."""

    client_id: str
    until: Seconds | None


async def register_agent(context: Context, page: Who[PageRequest], body: Nothing) -> OpaqueAgent:
    """Register the page's key as this user's opaque agent (AGENT-1)."""
    agent = await page.run(consents.register_agent)
    return OpaqueAgent(agent.client_id, "opaque", agent.jkt or "")


async def request_grant(context: Context, page: Who[PageRequest], body: GrantRequest) -> PendingGrant:
    """Ask for consent (GRANT-1)."""
    try:
        scopes = ScopeSet.parse(body.scope)
    except ValueError as error:
        raise Refused(Code.INVALID_SCOPE, "`scope` is a list of scope names separated by spaces.") from error
    described = body.definitions or {}
    if not all(map(is_digest, described.values())):
        raise Refused(Code.INVALID_REQUEST, "`definitions` has a base64url SHA-256 for each tool.")
    grant = await page.run(consents.request_grant, scopes, body.expires_in or None, described)
    text = Text.of(questions.of_consent(grant))
    surface = context.authority.policy.surface_of_consent(grant.scopes)
    return PendingGrant(grant.grant_id, grant.state, grant.expires_at, dict(grant.shown), text, surface)


async def challenge(context: Context, page: Who[PageRequest]) -> dict[str, object]:
    """Mint the challenge over the grant as it is shown (GRANT-2)."""
    return envelope(await page.run(consents.challenge, context.named("grant_id")), context.now)


async def consent(context: Context, page: Who[PageRequest], evidence: Evidence) -> Tokens:
    """Take the consent assertion and answer the token response (GRANT-2, GRANT-3)."""
    grant_id = context.named("grant_id")
    verdict = await page.verdict(consents.check, grant_id, sent(evidence))
    renewable = await page.run(consents.agree, grant_id, verdict)
    return tokens(context, renewable)


async def resume(context: Context, page: Who[PageRequest]) -> Tokens:
    """Give a page the tokens of a consent that was given elsewhere (GRANT-9)."""
    return tokens(context, await page.run(consents.resume, context.named("grant_id")))


async def decline(context: Context, page: Who[PageRequest], body: GrantDenial) -> Grant:
    """Note that the user does not want this, or that the dialog went away (GRANT-4)."""
    said_no = body.reason == "declined"
    grant = await page.run(consents.decline, context.named("grant_id"), said_no, body.block)
    return Grant(grant.grant_id, grant.state)


async def show(context: Context, user: Who[UserId]) -> GrantNow:
    """Tell its user how a grant stands, so that nobody has to guess after a lost answer (GRANT-7)."""
    grant = await user.look(grants.look, context.named("grant_id"))
    return await context.look(lambda tx, at: now_of(tx, grant, at.now))


def now_of(reader: Reader, grant: given.Grant, now: int) -> GrantNow:
    """Tell how a grant stands at this second, and whether it is over because of what was typed elsewhere (PHONE-3)."""
    phone = reader.phone(grant.grant_id)
    code: Any = "wrong_digits" if phone is not None and phone.over else UNSET
    return GrantNow(grant.grant_id, given.standing(grant, now), grant.expires_at, code)


async def revoke(context: Context, page: Who[PageRequest]) -> None:
    """Take a grant back; no passkey is asked for (GRANT-5)."""
    await page.run(grants.take_back, context.named("grant_id"))


async def block(context: Context, user: Who[UserId], body: BlockFor) -> Block:
    """Take back what an agent has, and keep it from asking: for so many seconds, or until that is ended (BLOCK-1)."""
    until = context.now + body.seconds if isinstance(body.seconds, int) else None
    blocked = await user.run(blocks.block, context.named("grant_id"), until)
    return Block(blocked.client_id or "", blocked.until)


async def unblock(context: Context, user: Who[UserId]) -> None:
    """Let an agent ask again (BLOCK-1)."""
    await user.run(blocks.unblock, context.named("grant_id"))
