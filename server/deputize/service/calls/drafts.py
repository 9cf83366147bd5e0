"""The call that a request makes, and what the record tells of who made it (LOG-6)."""

import hashlib

from ...protocol.authorization import Authorized, Decision
from ...protocol.call import LIFETIME, Call, State
from ...protocol.credential import AuthenticatorClass
from ...protocol.ids import CallId, make_id
from ...protocol.scope import ScopeSet
from ...protocol.tool import Executes, is_safe
from ..moment import Moment
from ..ports import Reader
from .request import CallRequest


def draft(reader: Reader, at: Moment, request: CallRequest, decision: Decision) -> Call:
    """Make the call as it stands by this decision; its entry is the one that comes next."""
    who, way = request.principal, request.way
    yes = decision if isinstance(decision, Authorized) else None
    asked = way.waits and yes is not None and yes.description is not None
    state = State.DENIED if yes is None else State.PENDING if asked else State.APPROVED
    tool = at.policy.tools.get(request.tool) if request.offered else None
    meets = asked or (way.unasked and tool and yes and not is_safe(tool, at.policy.scopes, approval=False))
    executes = way.executes or (tool.executes if tool else Executes.API)
    return Call(
        call_id=CallId(make_id("cal", at.random(16))),
        state=state,
        user_id=who.user_id,
        client_id=who.client_id,
        grant_id=who.delegation.grant_id if who.delegation else None,
        page_jkt=request.page_jkt,
        tool=request.tool,
        scopes=tool.scopes if tool else ScopeSet(),
        arguments=request.arguments,
        args_s256=request.args_s256,
        definition_s256=request.definition_s256,
        match_key=match_key(request) if meets else None,
        salt=at.random(32),
        description=yes.description if yes else None,
        authenticator_class=tool.authenticator_class if tool else AuthenticatorClass.PLATFORM,
        executes=str(executes),
        created_at=at.now,
        deadline=at.now + LIFETIME.get(state, 0),
        entry=reader.head().size,
    )


def match_key(request: CallRequest) -> bytes:
    """Name what makes two calls equal (CALL-6): user, agent, way, key, tool, arguments, definition.

    The key is the page's or, over MCP, the agent's. In place of one that has none stands its grant: a later one of the
    same name may be somebody else's.
    """
    who, by = request.principal, request.principal.delegation
    key: str | None = request.page_jkt
    if key is None and by is not None:
        key = by.grant_id if by.bearer else by.jkt
    parts = (
        who.user_id,
        who.client_id or "",
        request.way.via or "",
        key or "",
        request.tool,
        request.args_s256,
        request.definition_s256,
    )
    return hashlib.sha256("\0".join(parts).encode()).digest()


def asked_by(request: CallRequest) -> dict[str, object]:
    """Return what the record tells of who asks, and on which way."""
    who = request.principal
    return {
        "via": request.way.via,
        "asked_by": "page" if request.is_direct else None,
        "assurance": who.delegation.assurance.value if who.delegation else None,
        "unproven": who.unproven or None,
    }
