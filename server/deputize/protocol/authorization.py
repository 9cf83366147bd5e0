"""The decision over one call: pure, in the documented order, deny by default (CALL-1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .agent import Agent, Assurance
from .arguments import unsendable
from .canonical import Json
from .credential import AuthenticatorClass
from .definition import Described
from .description import Description
from .errors import Code, Refusal
from .grant import Grant, acting, dead_link
from .policy import Policy
from .token import Delegation
from .tool import Tool
from .value import value


@dataclass(frozen=True, slots=True)
class Authorized:
    """A yes. With `description`, only after a human has approved exactly that (CALL-5)."""

    description: Description | None


Decision = Authorized | Refusal

_UNREGISTERED = Refusal(Code.UNKNOWN_AGENT, "This agent is not registered here any more.")


@value
class Standing:
    """What stands behind a call: the agent, the grant followed by those that it was handed on from (CHAIN-3), and the
    agents of those others, nearest first. All of it is empty where the user himself calls.
    """

    agent: Agent | None = None
    lineage: Sequence[Grant] = ()
    parents: Sequence[Agent] = ()

    def lost(self, delegation: Delegation, now: int) -> Refusal | None:
        """Say why nothing can be done under a delegation any more, or None (MCP-2)."""
        if self.agent is None or self.agent.revoked_at is not None:
            return _UNREGISTERED
        if not self.lineage or self.lineage[0].jkt != delegation.jkt:
            return Refusal(Code.CONSENT_REQUIRED, "The user has not deputized this agent.")
        return dead_link(self.lineage, now)


Able = Callable[[AuthenticatorClass], bool]
"""Tells whether the user could approve something by any method, with an authenticator of this class (CALL-5)."""


def known_tool(policy: Policy, name: str) -> Tool | Refusal:
    """Find the tool that the owner declared under this name; a page cannot add any (SHIM-1, CALL-8)."""
    tool = policy.tools.get(name)
    if tool is None:
        return Refusal(
            Code.UNKNOWN_TOOL, "The site has not declared this tool to its authority, so nobody may call it."
        )
    if tool.public:
        return Refusal(Code.TOOL_IS_PUBLIC, "This tool is public: it runs without asking.")
    return tool


def permits(
    policy: Policy, tool: Tool, described: Described, standing: Standing, arguments: Json, now: int
) -> Refusal | None:
    """Say why this agent may not call this tool at all: definition, agent, grant, ceiling, scopes, constraints; None
    if it may.

    Those that handed the grant on hand on only what the policy lets them have now. Counters are checked later, where
    they are kept.
    """
    if not tool.allows(described):  # PIN-1
        return Refusal(
            Code.DEFINITION_CHANGED,
            "This page describes the tool otherwise than the site's owner has seen it, so nobody may call it here.",
            {"tool": tool.name, "definition_s256": described.s256},
        )
    agent, lineage = standing.agent, standing.lineage
    if agent is None or agent.revoked_at is not None:
        return _UNREGISTERED
    if (
        not lineage
        or lineage[0].client_id != agent.client_id
        or agent.user_id not in (None, lineage[0].user_id)
    ):
        return Refusal(Code.CONSENT_REQUIRED, "The user has not deputized this agent yet.")
    if dead := dead_link(lineage, now):
        return dead
    grant = lineage[0]
    if grant.unproven and not policy.bearer:  # BEARER-5
        return Refusal(Code.AGENT_NOT_ALLOWED, "The site takes no agents any more that prove nothing.")
    agent = acting(agent, grant)
    ceiling = policy.ceiling.of(agent)
    for parent in standing.parents:
        ceiling = ceiling & policy.ceiling.of(parent)
    closed = agent.assurance is Assurance.OPAQUE and not tool.opaque  # AGENT-3
    if closed or not tool.scopes <= ceiling:  # AGENT-2
        return Refusal(
            Code.AGENT_NOT_ALLOWED,
            "The site does not let this kind of agent use this tool, whatever the user allows.",
            {"scope": str(tool.scopes - ceiling), "assurance": agent.assurance.value},
        )
    if not tool.scopes <= grant.scopes:
        return Refusal(
            Code.INSUFFICIENT_SCOPE,
            "The user has not allowed this. Ask the user to allow it, then call again.",
            {"scope": str(tool.scopes - grant.scopes)},
        )
    if described.differs(lineage[-1].definitions):  # GRANT-8
        return Refusal(
            Code.CONSENT_OUTDATED,
            "This tool is described otherwise than when the user consented. Ask the user again, then call again.",
            {"scope": str(grant.scopes), "tool": tool.name},
        )
    for link in lineage:  # a child has its parent's constraints; asking both costs nothing and trusts nobody
        if outside := link.constraints.refuses(tool.name, arguments, now):
            return outside
    return None


def permits_page(policy: Policy, tool: Tool) -> Refusal | None:
    """Say why the page may not call this tool, where no agent has named itself; None if it may (CALL-7).

    A tool that is closed to opaque agents is closed to the page, unless the policy says otherwise: any agent can leave
    its delegation out. Reading the file checks this too, but a tool declared from Python meets another ceiling with
    each file.
    """
    if not tool.direct:
        return Refusal(
            Code.CONSENT_REQUIRED,
            "This tool is for deputized agents; the site has no form of its own for it.",
        )
    if tool.closed(policy.ceiling.opaque) and not tool.direct_when_closed:
        return Refusal(
            Code.AGENT_NOT_ALLOWED, "The site lets nobody use this tool who has not proved which agent it is."
        )
    return None


def misfit(tool: Tool, arguments: Json) -> Refusal | None:
    """Refuse arguments that the tool's schema finds fault with, or that its endpoint cannot be sent (ENDPOINT-2)."""
    fault = tool.input_schema.fault(arguments) if tool.input_schema is not None else None
    if fault is None and tool.endpoint is not None and isinstance(arguments, dict):
        fault = unsendable(tool.endpoint, tool.input_schema, arguments)
    return Refusal(Code.INVALID_ARGUMENTS, f"The arguments do not fit the tool: {fault}") if fault else None


def decide_arguments(tool: Tool, arguments: dict[str, Json], able: Able | None, approval: bool) -> Decision:
    """Decide what remains once it is known that the caller may: schema, approval, and whether anybody could approve.

    With `approval`, a human has to approve the arguments. Only then is `able` asked; it is None where the approval came
    with the call (MCP-9).
    """
    if misfits := misfit(tool, arguments):
        return misfits
    if not approval:
        return Authorized(None)
    try:
        description = tool.description(arguments)  # APPR-2
    except ValueError as error:
        return Refusal(Code.INVALID_ARGUMENTS, f"The user could not be shown this call: {error}")
    if able is not None and not able(tool.authenticator_class):  # CALL-5
        return Refusal(
            Code.NO_ELIGIBLE_CREDENTIAL,
            "The user has nothing that may approve this. A passkey can be added on the account page.",
            {"authenticator_class": tool.authenticator_class.value},
        )
    return Authorized(description)
