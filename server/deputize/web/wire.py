"""How our values look on the wire."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from ..protocol.agent import Agent
from ..protocol.authorization import permits_page
from ..protocol.call import Call, State
from ..protocol.canonical import Json
from ..protocol.grant import Grant
from ..protocol.policy import Policy
from ..protocol.question import Text
from ..protocol.tool import Tool
from ..service import questions
from ..service.approvals import Minted


def iso(seconds: int) -> str:
    """Write a time as SEP-2672 does."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def envelope(minted: Minted, now: int) -> dict[str, object]:
    """Write a challenge as SEP-2672 §4.4.3, with what its method of approval adds (APPR-1, APPR-9)."""
    challenge = minted.challenge
    return {
        "challengeId": challenge.challenge_id,
        "displayText": str(minted.text),
        "expiresAt": iso(challenge.expires_at),
        **minted.offer(challenge, challenge.expires_at - now),
    }


def call(call: Call, asker: Mapping[str, object] | None) -> dict[str, object]:
    """Write a call as its page sees it (CALL-3, CALL-9); `asker` as `caller` made it, None for the user himself."""
    told: dict[str, object] = {
        "call_id": call.call_id,
        "state": call.state.value,
        "tool": call.tool,
        "scopes": list(call.scopes),
        "executes": call.executes,
        "agent": asker,
    }
    if call.description is not None:
        told["description"] = call.description
    if call.state in (State.PENDING, State.APPROVED):
        told["expires_at"] = call.deadline
    return told


def caller(agent: Agent, lineage: Sequence[Grant]) -> dict[str, object]:
    """Write who calls, an attested agent as the user consented to it, whatever it calls itself by now.

    To one that the grant was handed on to, nobody has consented by name: so the agent that has handed it on is told.
    """
    told: dict[str, object] = {"client_id": agent.client_id, "assurance": agent.assurance.value}
    given = cast("Mapping[str, Any]", lineage[-1].shown).get("agent", {}) if lineage else {}
    if len(lineage) > 1:
        return {**told, "handed_on_by": given}
    return {**told, "name": given["name"]} if "name" in given else told


def text(made: Text) -> dict[str, object]:
    """Write a text with how each line is drawn (GRANT-2)."""
    lines = [{"part": part, "line": line} for part, line in zip(made.parts, made.lines, strict=True)]
    return {"language": made.language, "lines": lines}


def grant_request(grant: Grant) -> dict[str, object]:
    """Write a request for consent (GRANT-1)."""
    return {
        "grant_id": grant.grant_id,
        "state": grant.state.value,
        "expires_at": grant.expires_at,
        "shown": dict(grant.shown),
        "text": text(questions.of_consent(grant)),
    }


def tool(declared: Tool, direct: bool) -> dict[str, Json]:
    """Write what the shim and an HTTP guard need to know of a tool, and whether the page may call it (SHIM-3)."""
    told: dict[str, Json] = {
        "scopes": list(declared.scopes),
        "public": declared.public,
        "approval": declared.approval.name,
        "authenticator_class": declared.authenticator_class.value,
        "executes": declared.executes.value,
        "direct": direct,
        "opaque": declared.opaque,
    }
    if declared.input_schema is not None:
        told["input_schema"] = declared.input_schema.source
    return told


def policy(policy: Policy) -> dict[str, Json]:
    """Write what everybody may know of the policy (SHIM-3)."""
    return {
        "issuer": policy.site.issuer,
        "site": {"name": policy.site.name},
        "wait_s": policy.wait,
        "api_origins": list(policy.api.origins),
        "api_audience": policy.api.audience,
        "sign_in_uri": f"{policy.site.issuer}/account",
        "scopes": {
            name: {"title": scope.title, "writes": scope.writes} for name, scope in policy.scopes.items()
        },
        "tools": {
            name: tool(declared, permits_page(policy, declared) is None)
            for name, declared in policy.tools.items()
        },
    }
