"""The digits without which a question that was put on another device is not answered there (PHONE-3)."""

from ..protocol.call import Call, State
from ..protocol.entry import Kind
from ..protocol.errors import Refusal
from ..protocol.grant import Grant, GrantState
from ..protocol.phone import MISSING_DIGITS, WRONG_DIGITS
from ..protocol.prompt import askers_of
from . import grants
from .calls.decisions import Stop
from .calls.moves import end
from .calls.silences import declined
from .calls.standing import standing_of
from .moment import Moment
from .ports import Tx


def judged(tx: Tx, at: Moment, asked: Call | Grant, typed: str | None) -> Refusal | None:
    """Refuse an answer to a question of its user that waits, if it has digits and these were not typed.

    Wrong ones end it, in this transaction, and count as a no (PROMPT-3).
    """
    phone = tx.phone(asked.call_id if isinstance(asked, Call) else asked.grant_id)
    if phone is None:
        return None
    if typed is None:
        return MISSING_DIGITS
    if phone.shows(typed):
        return None
    tx.fail_phone(phone.subject)
    if isinstance(asked, Call):
        askers = askers_of(standing_of(tx, asked).lineage)
        end(tx, at, asked, Stop(WRONG_DIGITS, State.DENIED))
    else:
        askers = askers_of([asked])
        tx.move_grant(asked.grant_id, GrantState.DECLINED, at.now)
        tx.append(grants.entry(Kind.GRANT_DECLINED, asked, code=WRONG_DIGITS.code), at.now)
    declined(tx, at, asked.user_id, askers)
    return WRONG_DIGITS
