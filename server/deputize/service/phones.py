"""How a question is put on its user's other device, by the page that asks it (PHONE-1).

What is typed there is judged in `digits.py`.
"""

from ..protocol.errors import Code, Refusal
from ..protocol.phone import Phone, draw
from ..protocol.question import Surface
from . import consents
from .calls import approving
from .calls.request import PageCall
from .grants import PageRequest
from .moment import Moment
from .ports import Tx


def put_call(tx: Tx, at: Moment, request: PageCall) -> Phone | Refusal:
    """Let a call that waits be answered on another device, by who types its digits (PHONE-1)."""
    found = approving.asking(tx, at, request)
    if isinstance(found, Refusal):
        return found
    call, _ = found
    if not at.policy.surface_of(call.tool).has(Surface.AUTHORITY):
        return _NOT_THERE
    return _put(tx, at, call.call_id, call.deadline)


def put_consent(tx: Tx, at: Moment, request: PageRequest, grant_id: str) -> Phone | Refusal:
    """Let a request for consent be answered so."""
    grant = consents.asking(tx, at, request, grant_id)
    if isinstance(grant, Refusal):
        return grant
    return _put(tx, at, grant.grant_id, grant.expires_at)


_NOT_THERE = Refusal(
    Code.WRONG_SURFACE, "This is not approved elsewhere: the site takes it on the page only."
)


def _put(tx: Tx, at: Moment, subject: str, until: int) -> Phone:
    """Draw the digits of a question, or find those that it has: an answer may have been lost (PHONE-2)."""
    there = tx.phone(subject)
    if there is not None:
        return there
    phone = Phone(subject, draw(at.random), until)
    tx.add(phone)
    return phone
