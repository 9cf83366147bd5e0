"""How often people are asked, counted in the transaction that decides (PROTOCOL §21).

What waits is ended in `calls/silences.py`, where there is quiet.
"""

from collections.abc import Sequence

from ..protocol.call import State
from ..protocol.challenge import Purpose
from ..protocol.entry import Entry, Kind
from ..protocol.errors import Code, Refusal
from ..protocol.grant import GrantState
from ..protocol.ids import CallId, GrantId, UserId
from ..protocol.prompt import ASKED_TOO_OFTEN, PAUSED, QUESTION_OPEN, Decline, Quiet, askers_of
from .moment import Moment
from .ports import Reader, Tx


def quiet(reader: Reader, at: Moment, user_id: UserId, askers: Sequence[str]) -> Refusal | None:
    """Refuse a question of these askers where it is quiet for one of them (PROMPT-3)."""
    silent = reader.quiet(user_id, at.now)
    return ASKED_TOO_OFTEN if any(each.asker in askers for each in silent) else None


def declined(tx: Tx, at: Moment, user_id: UserId, askers: Sequence[str]) -> list[str]:
    """Count a no, and return those of the askers for whom it is quiet from now on (PROMPT-3)."""
    rate = at.policy.prompts.declines
    if rate is None:
        return []
    silenced: list[str] = []
    for asker in askers:
        tx.add(Decline(user_id, asker, at.now, at.now + rate.within))
        if tx.declines(user_id, asker, rate, at.now) >= rate.most:
            until = at.now + at.policy.prompts.quiet
            tx.put(Quiet(user_id, asker, at.now, until))
            tx.append(_entry(Kind.PROMPTS_QUIETED, user_id, asker=asker, until=until), at.now)
            silenced.append(asker)
    return silenced


def occupied(
    reader: Reader, at: Moment, user_id: UserId, subject: str, askers: Sequence[str]
) -> Refusal | None:
    """Refuse to let a question be answered while as many others of its askers as may be are being answered (PROMPT-2).

    One is, from the click on until its challenge has run out or it is over.
    """
    most = at.policy.prompts.at_once
    if most is None:
        return None
    others = {
        challenge.subject: challenge.purpose
        for challenge in reader.answering(user_id, at.now)
        if isinstance(challenge.subject, str) and challenge.subject != subject
    }
    busy = sum(
        bool(set(askers).intersection(_open(reader, at, each, purpose))) for each, purpose in others.items()
    )
    return QUESTION_OPEN if busy >= most else None


def _open(reader: Reader, at: Moment, subject: object, purpose: Purpose) -> Sequence[str]:
    """Return who asks a question, nobody where it is over."""
    if purpose is Purpose.CALL:
        call = reader.call(CallId(str(subject)))
        is_open = call is not None and call.state is State.PENDING and at.now < call.deadline
        return askers_of(reader.lineage(call.grant_id) if call.grant_id else ()) if call and is_open else ()
    grant = reader.grant(GrantId(str(subject)))
    return askers_of([grant]) if grant is not None and grant.state is GrantState.PENDING else ()


def let_ask(tx: Tx, at: Moment, user_id: UserId, asker: str) -> Refusal | None:
    """End the quiet of an asker, as its user (PROMPT-4)."""
    if not tx.end_quiet(user_id, asker):
        return Refusal(Code.NOT_FOUND, "It is not quiet there, or not any more.")
    tx.append(_entry(Kind.PROMPTS_RESUMED, user_id, asker=asker), at.now)
    return None


def pause(tx: Tx, at: Moment, user_id: UserId) -> None:
    """Pause all agents of a user; twice is no error (PROMPT-5)."""
    if tx.pause(user_id, at.now):
        tx.append(_entry(Kind.AGENTS_PAUSED, user_id), at.now)


def resume(tx: Tx, at: Moment, user_id: UserId) -> None:
    """Let them go on; twice is no error (PROMPT-5)."""
    if tx.pause(user_id, None):
        tx.append(_entry(Kind.AGENTS_RESUMED, user_id), at.now)


def paused(reader: Reader, user_id: UserId) -> Refusal | None:
    """Say that this user has paused his agents, if so."""
    user = reader.user(user_id)
    return PAUSED if user is not None and user.paused_since is not None else None


def _entry(kind: Kind, user_id: UserId, **facts: object) -> Entry:
    return Entry(kind, {"sub": user_id, **facts})
