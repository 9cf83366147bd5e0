"""A user is forgotten: all that is kept of him goes, and the record says that it did (KEEP-3).

Each function is one transaction. The first takes at once whatever he, his agents or his calls could still do; what may
be much is deleted in steps after it.
"""

from ..protocol.canonical import Json
from ..protocol.challenge import Purpose
from ..protocol.credential import FORGETTING_ACTION
from ..protocol.entry import Entry, Kind
from ..protocol.errors import Refusal
from ..protocol.grant import GrantState
from ..protocol.ids import UserId
from ..protocol.question import Surface
from . import approvals, grants, questions, quotas, trails
from .approvals import Action, Minted, Verdict
from .calls.moves import abandon
from .moment import Moment
from .ports import Reader, Tx

_OPEN = 1000
"""Open calls that are ended with an entry each; a user has far fewer (QUOTA-2)."""


def challenge(tx: Tx, at: Moment, user_id: UserId) -> Minted | Refusal:
    """Mint the challenge over the end of an account, at its user's click."""
    return approvals.mint(tx, at, _end_of(user_id), questions.of_forgetting(at))


def check(reader: Reader, at: Moment, user_id: UserId, evidence: Json) -> Verdict:
    """Verify, before the transaction, that the user ends his account. No state changes here."""
    return approvals.check(reader, at, _end_of(user_id), evidence)


def approve(tx: Tx, at: Moment, user_id: UserId, verdict: Verdict) -> UserId | Refusal:
    """Begin to forget a user at his own word, or record why not."""
    verified = approvals.conclude(tx, at, verdict, _end_of(user_id), questions.of_forgetting(at))
    if isinstance(verified, Refusal):
        entry = approvals.refused_entry(Kind.FORGETTING_REFUSED, verdict, verified, sub=user_id)
        return quotas.record(tx, at, user_id, None, entry, verified)
    begin(tx, user_id, at.now, by="user", **verified.facts)
    return user_id


def begin(tx: Tx, user_id: UserId, now: int, by: str, **facts: object) -> None:
    """Forget whatever a user is known by, and end all that goes on in his name; `step` deletes the rest."""
    if user_id in tx.hidden():
        return  # it is under way
    for call in tx.unsettled(user_id, _OPEN):
        abandon(tx, call, now)
    for grant in tx.grants(user_id):
        if grant.state in (GrantState.ACTIVE, GrantState.SUSPENDED):
            grants.revoke_grant(tx, grant, now, by=by)
    tx.append(Entry(Kind.USER_FORGOTTEN, {"sub": user_id, "by": by, **facts}), now)
    tx.hide(user_id, now)


def step(tx: Tx) -> int:
    """Delete some of what is kept of those who are forgotten; return how much, 0 once nothing is left."""
    return sum(tx.forget(user_id) for user_id in tx.hidden())


def again(tx: Tx, now: int, by: str = "authority", lost: bool = False) -> int:
    """Forget once more whom older data, or an older copy of the keys, have brought back (SEAL-5); return how many.

    A key that was destroyed does not come back with the data, nor one with an older copy whose user the record says was
    forgotten. With `lost`, those are forgotten as well whose keys are there no more, since nothing opens what is kept
    of them.
    """
    found = tx.whose_keys()
    brought = (*found.destroyed, *(found.lost if lost else ()))
    for user_id in brought:
        tx.destroy_key(user_id)
        begin(tx, user_id, now, by=by)
    entries = map(trails.told, trails.telling(tx, found.left) if found.left else ())
    forgotten = {entry["sub"] for entry in entries if entry["kind"] == Kind.USER_FORGOTTEN}
    left = [user_id for user_id in found.left if user_id in forgotten]
    for user_id in left:
        tx.destroy_key(user_id)
    return len(brought) + len(left)


def is_again(reader: Reader) -> bool:
    """Tell whether there may be somebody to forget once more."""
    found = reader.whose_keys()
    return bool(found.destroyed or found.left)


def _end_of(user_id: UserId) -> Action:
    arguments: Json = {"user": user_id}
    return Action(
        Purpose.FORGETTING, user_id, FORGETTING_ACTION, arguments, user_id, surface=Surface.AUTHORITY
    )
