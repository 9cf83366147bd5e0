"""Who was part of a call gets proof of what the record tells of it (LOG-9)."""

from dataclasses import dataclass

from ...protocol.call import Call
from ...protocol.errors import USED_PROOF, Code, Refusal
from ...protocol.ids import CallId, UserId
from ...protocol.proof import Proof
from ...protocol.question import Asked
from ...protocol.quota import RECEIPTS, Quota, too_many
from ...protocol.receipt import Opening, Receipt
from .. import record, trails
from ..moment import Moment
from ..ports import Reader, Tx
from ..record import Signed
from .moves import NO_CALL

MOST_BEHIND = 10_000
"""Entries that the index does not reach and a request has looked through, all of them within some 20 ms."""


@dataclass(frozen=True, slots=True)
class Found:
    """The entries that a receipt is of, and what opens them, if that is wanted."""

    indexes: list[int]
    opening: Opening | None
    questions: list[Asked]


def begin(
    tx: Tx, at: Moment, by: UserId | Proof, call_id: CallId, with_arguments: bool = False
) -> Call | Refusal:
    """Let its own user have a receipt of a call, or a guard by the proof of its key.

    A guard has the arguments of what it ran, and is told of no others here.
    """
    call = tx.call(call_id)
    if isinstance(by, Proof):
        if not tx.use_proof(by):
            return USED_PROOF
        if with_arguments:
            return Refusal(Code.INVALID_REQUEST, "Only its own user gets the arguments of a call.")
    elif wait := tx.take_quota(f"receipts {by}", RECEIPTS, at.now):
        return too_many(Quota.DOWNLOADS, wait)
    elif call is not None and call.user_id != by:
        call = None
    if call is None:
        return NO_CALL
    if with_arguments and not call.tells:
        return Refusal(Code.EXPIRED, "The arguments of this call are kept no more. Ask without `arguments`.")
    return call


def find(reader: Reader, at: Moment, call: Call, with_arguments: bool = False) -> Found | Refusal:
    """Find what the record has of a call, over one snapshot.

    What the index does not reach is looked through, so that nobody waits for it, up to a length; beyond that the
    receipt has to be asked for later.
    """
    if (behind := reader.head().size - reader.indexed()) > MOST_BEHIND:
        wait = (behind - MOST_BEHIND) // trails.RATE + 1
        detail = f"The index of the record is {behind} entries behind. Ask again in {wait} seconds."
        return Refusal(Code.RECORD_UNAVAILABLE, detail, {"retry_after": wait})
    entries = record.trail(reader, call.call_id)
    opening = Opening(call.arguments, call.salt) if with_arguments else None
    questions = record.asked(reader, entries) if with_arguments else []
    return Found([entry.index for entry in entries], opening, questions)


def make(reader: Reader, at: Moment, found: Found, signed: Signed) -> Receipt:
    """Make the receipt, by a checkpoint that is over all of that."""
    return record.prove(reader, found.indexes, signed, found.opening, found.questions)
