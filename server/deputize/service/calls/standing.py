"""What stands behind a call: read in the transaction that decides, since a grant may have ended meanwhile (CHAIN-3)."""

from dataclasses import replace

from ...protocol.authorization import Standing
from ...protocol.call import Call
from ...protocol.errors import USED_PROOF, Code, Refusal
from ...protocol.token import Delegation
from ..grants import parents_of
from ..moment import Moment
from ..ports import Reader, Tx
from .request import Principal

ALONE = Standing()


def standing_of(reader: Reader, whose: Delegation | Call | None) -> Standing:
    """Read what stands behind a delegation, or a call that was made under one."""
    if whose is None or whose.client_id is None or whose.grant_id is None:
        return ALONE
    lineage = reader.lineage(whose.grant_id)
    return Standing(reader.agent(whose.client_id), lineage, parents_of(reader, lineage))


def enter(tx: Tx, at: Moment, who: Principal) -> Standing | Refusal:
    """Use up the proofs of who calls (PROOF-2), and read what stands behind him.

    Nobody comes over a connection whose grant is no more (MCP-2), also where the message names another (MCP-3).
    """
    if not who.spend(tx):
        return USED_PROOF
    standing = standing_of(tx, who.delegation)
    connection = who.connection
    if connection is None:
        return standing
    if not who.in_band:
        return standing.lost(connection, at.now) or standing
    lost = standing_of(tx, connection).lost(connection, at.now)
    return replace(lost, code=Code.INVALID_TOKEN) if lost else standing
