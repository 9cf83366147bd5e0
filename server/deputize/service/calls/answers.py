"""What the use cases of a call return: all that an answer tells, so that nothing is read again for it."""

from dataclasses import dataclass

import orjson

from ...protocol.authorization import Standing
from ...protocol.call import Call, State
from ...protocol.credential import User
from ...protocol.errors import Code, Refusal
from ...protocol.ids import CallId
from ...protocol.question import Surface
from ...protocol.value import value
from ..ports import Reader
from .standing import ALONE, standing_of


@value
class Answered:
    """A call as a request has left it, and who makes it.

    `user` is there if the call is about to run for this user (GUARD-3). `entries` are the indices of what this request
    recorded of it. `code` is why it was denied (CALL-9). `answered_on` is where its user approved it, if he was asked
    and that was looked up. `said`: its tool has just described it as it is described.
    """

    call: Call
    standing: Standing = ALONE
    user: User | None = None
    entries: tuple[int, ...] = ()
    code: Code | None = None
    answered_on: Surface | None = None
    said: bool = False


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that was refused when it came; the record has it under this id."""

    call_id: CallId
    refusal: Refusal


def answered(reader: Reader, call: Call | Refusal) -> Answered | Refusal:
    """Add who makes a call that was not decided again; in full only while its user is asked."""
    if isinstance(call, Refusal):
        return call
    if call.state is State.PENDING:
        return Answered(call, standing_of(reader, call))
    standing = Standing(reader.agent(call.client_id)) if call.client_id else ALONE
    return Answered(call, standing, code=code_of(reader, call))


def code_of(reader: Reader, call: Call) -> Code | None:
    """Return why a call was denied, as the entry of that says; None for any other."""
    if call.state is not State.DENIED:
        return None
    (stored,) = reader.entries(call.entry, 1)
    code = orjson.loads(stored.leaf).get("code")
    return Code(code) if code is not None else None


def approved_on(reader: Reader, call: Call) -> Surface | None:
    """Tell where the user of a call approved it; None if he was not asked, or not asked in this way."""
    asked = reader.asked(call.challenge_id) if call.challenge_id else None
    return asked.question.surface if asked else None
