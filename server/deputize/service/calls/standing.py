"""What stands behind a call: read once in each transaction, since a grant may have ended meanwhile (CHAIN-3, MCP-2)."""

from ...protocol.authorization import Standing
from ...protocol.call import Call
from ...protocol.token import Delegation
from ..grants import parents_of
from ..ports import Reader

ALONE = Standing()


def standing_of(reader: Reader, whose: Delegation | Call | None) -> Standing:
    """Read what stands behind a delegation, or a call that was made under one."""
    if whose is None or whose.client_id is None or whose.grant_id is None:
        return ALONE
    lineage = reader.lineage(whose.grant_id)
    return Standing(reader.agent(whose.client_id), lineage, parents_of(reader, lineage))
