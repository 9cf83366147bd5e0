"""Who stands in the line of a grant that was handed on (PROTOCOL §13)."""

from collections.abc import Sequence

from ..protocol.agent import Agent
from ..protocol.grant import Grant
from .ports import Reader


def parents_of(reader: Reader, lineage: Sequence[Grant]) -> tuple[Agent, ...]:
    """List the agents that the first grant of a lineage was handed on from, nearest first (CHAIN-1)."""
    return tuple(agent for link in lineage[1:] if (agent := reader.agent(link.client_id)) is not None)
