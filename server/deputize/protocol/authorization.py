"""The decision over one call: pure, in the documented order, deny by default (CALL-1)."""

from collections.abc import Callable
from dataclasses import dataclass

from .agent import Agent
from .canonical import Json
from .credential import Credential
from .errors import Code, Refusal
from .grant import Grant
from .policy import Policy
from .tool import Tool, is_safe


@dataclass(frozen=True, slots=True)
class Authorized:
    """A yes. With `description`, only after a human has approved exactly that (CALL-5); `safe` as CALL-6 means it."""

    tool: Tool
    description: str | None
    safe: bool


Decision = Authorized | Refusal


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


def decide(
    policy: Policy,
    tool: Tool,
    agent: Agent | None,
    grant: Grant | None,
    arguments: dict[str, Json],
    credentials: Callable[[], list[Credential]],
    now: int,
) -> Decision:
    """Decide an agent's call: agent, grant, ceiling, scopes, then what is asked. The first failure answers (CALL-1).

    `credentials` is asked only when an approval is needed: most calls need none.
    """
    if agent is None or agent.revoked_at is not None:
        return Refusal(Code.UNKNOWN_AGENT, "This agent is not registered here any more.")
    if grant is None or grant.client_id != agent.client_id or grant.user_id != agent.user_id:
        return Refusal(Code.CONSENT_REQUIRED, "The user has not deputized this agent yet.")
    if dead := grant.dead(now):
        return dead
    ceiling = policy.ceiling.of(agent.assurance)
    if not tool.scopes <= ceiling:  # AGENT-2
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
    return decide_arguments(policy, tool, arguments, credentials, tool.approval.required(arguments))


def decide_direct(
    policy: Policy, tool: Tool, arguments: dict[str, Json], credentials: Callable[[], list[Credential]]
) -> Decision:
    """Decide a call that the user makes without an agent: only where declared, always approved (CALL-7)."""
    if not tool.direct:
        return Refusal(
            Code.CONSENT_REQUIRED,
            "This tool is for deputized agents; the site has no form of its own for it.",
        )
    return decide_arguments(policy, tool, arguments, credentials, approval=True)


def decide_arguments(
    policy: Policy,
    tool: Tool,
    arguments: dict[str, Json],
    credentials: Callable[[], list[Credential]],
    approval: bool,
) -> Decision:
    """Decide what remains once the caller is known: schema, approval, and whether anybody could approve."""
    if tool.input_schema is not None and (fault := tool.input_schema.fault(arguments)):
        return Refusal(Code.INVALID_ARGUMENTS, f"The arguments do not fit the tool: {fault}")
    if not approval:
        return Authorized(tool, None, is_safe(tool, policy.scopes, approval))
    try:
        description = tool.description(arguments)  # APPR-2
    except ValueError as error:
        return Refusal(Code.INVALID_ARGUMENTS, f"The user could not be shown this call: {error}")
    if not any(credential.satisfies(tool.authenticator_class) for credential in credentials()):  # CALL-5
        return Refusal(
            Code.NO_ELIGIBLE_CREDENTIAL,
            "The user has no passkey that may approve this. One can be added on the account page.",
            {"authenticator_class": tool.authenticator_class.value},
        )
    return Authorized(tool, description, is_safe(tool, policy.scopes, approval))
