"""What becomes of open calls when a newer grant of the same agent takes the place of theirs (GRANT-3)."""

from dataclasses import replace

from ...protocol.authorization import Standing
from ...protocol.call import Call, State
from ...protocol.errors import Code, Refusal
from ...protocol.grant import Grant
from ..moment import Moment
from ..ports import Tx
from . import counters
from .decisions import stop_of
from .moves import carry, move
from .standing import standing_of

MOST = 100
"""Calls that are put under a newer grant: more than anybody is asked about, and little enough to wait behind."""


def carry_over(tx: Tx, at: Moment, older: Grant, newer: Grant) -> None:
    """Put the open calls of the older grant under the newer one, each with an entry; cancel what that does not allow.

    A question that is open stays open, and is answered under the newer grant. What was approved is taken from the
    newer grant's counters. Of many, the older ones stay behind, where nothing is allowed any more.
    """
    standing: Standing | None = None
    for call in reversed(tx.open_calls(older.grant_id, at.now, MOST)):
        carried = replace(call, grant_id=newer.grant_id)
        standing = standing or standing_of(tx, carried)
        code = _refused(tx, at, carried, standing)
        if code is not None:
            move(tx, call, State.CANCELLED, at.now, code, policy_s256=at.policy.file_s256)
        else:
            carry(tx, carried, at.now, grant_id=newer.grant_id)


def _refused(tx: Tx, at: Moment, carried: Call, standing: Standing) -> Code | None:
    """Say why the grant that the call has now does not allow it; if it does, what was approved is taken from it."""
    if stop := stop_of(tx, at, carried, standing):
        return stop.refusal.code
    uses = counters.left(tx, standing.lineage, carried)
    if isinstance(uses, Refusal):
        return uses.code
    if carried.state is State.APPROVED:
        uses.take(tx)
    return None
