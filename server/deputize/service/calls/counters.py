"""What a call takes from the counters of its grant, and of those that it was handed on from (CONS-3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...protocol.call import Call
from ...protocol.constraint import Use
from ...protocol.errors import Code, Refusal, Refused
from ...protocol.grant import Grant
from ...protocol.ids import GrantId
from ..ports import Reader, Tx

_EXHAUSTED = Refusal(
    Code.CONSTRAINT_EXHAUSTED, "What the user allowed of this is used up. Ask the user to allow more."
)


@dataclass(frozen=True, slots=True)
class Uses:
    """What a call would take, and from which grants."""

    parts: Sequence[tuple[GrantId, Use]] = ()

    def take(self, tx: Tx) -> None:
        """Take it, in the transaction that looked, and that approves the call."""
        if not all(tx.take(grant_id, use) for grant_id, use in self.parts):
            raise Refused.of(_EXHAUSTED)  # only a store with several writers can lose this race


def left(reader: Reader, lineage: Sequence[Grant], call: Call) -> Uses | Refusal:
    """Return what this call would take, or a refusal if not so much is left."""
    try:
        parts = [
            (link.grant_id, use)
            for link in lineage
            for use in link.constraints.uses(call.tool, call.arguments)
        ]
    except Refused as refused:
        return refused.refusal
    if not parts:
        return Uses()
    used = {grant_id: reader.used(grant_id) for grant_id, _ in parts}
    if any(used[grant_id].get(use.counter, 0) + use.amount > use.limit for grant_id, use in parts):
        return _EXHAUSTED
    return Uses(parts)
