"""What stands behind a call: read once in each transaction, since a grant may have ended meanwhile (CHAIN-3, MCP-2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...protocol.agent import Agent
from ...protocol.call import Call
from ...protocol.errors import Code, Refusal
from ...protocol.grant import Grant, dead_link
from ...protocol.token import Delegation
from ..lineages import parents_of
from ..ports import Reader


@dataclass(frozen=True, slots=True)
class Standing:
    """The agent, the grant followed by those that it was handed on from, and the agents of those, nearest first.

    All of it is empty where the user himself calls.
    """

    agent: Agent | None = None
    lineage: Sequence[Grant] = ()
    parents: Sequence[Agent] = ()

    def lost(self, delegation: Delegation, now: int) -> Refusal | None:
        """Say why nothing can be done under a delegation any more, or None (MCP-2)."""
        if self.agent is None or self.agent.revoked_at is not None:
            return Refusal(Code.UNKNOWN_AGENT, "This agent is not registered here any more.")
        if not self.lineage or self.lineage[0].jkt != delegation.jkt:
            return Refusal(Code.CONSENT_REQUIRED, "The user has not deputized this agent.")
        return dead_link(self.lineage, now)


ALONE = Standing()


def standing_of(reader: Reader, whose: Delegation | Call | None) -> Standing:
    """Read what stands behind a delegation, or a call that was made under one."""
    if whose is None or whose.client_id is None or whose.grant_id is None:
        return ALONE
    lineage = reader.lineage(whose.grant_id)
    return Standing(reader.agent(whose.client_id), lineage, parents_of(reader, lineage))
