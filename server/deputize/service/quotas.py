"""Quotas by user and by agent, counted in the transaction that decides (PROTOCOL §20).

What a quota refuses leaves no entry: the quota is there to keep the record from being filled.
"""

from typing import TypeVar

from ..protocol.entry import Entry
from ..protocol.errors import Refusal
from ..protocol.ids import ClientId, UserId
from ..protocol.quota import Quota, Rate, counted_as, pair, too_many
from .moment import Moment
from .ports import Tx

T = TypeVar("T")

_AHEAD = 64
"""Entries that are taken at once, but never more than a hundredth: a call that is allowed is to cost no statement."""


def take(tx: Tx, at: Moment, quota: Quota, who: str, ahead: int = 1) -> Refusal | None:
    """Take one from what somebody has of a quota by the policy, or refuse."""
    rate: Rate | None = getattr(at.policy.quotas, quota)
    if rate is None:
        return None
    wait = tx.take_quota(f"{quota} {who}", rate, at.now, min(ahead, rate.most // 100 or 1))
    return too_many(quota, wait) if wait else None


def entry(tx: Tx, at: Moment, user_id: UserId, client_id: ClientId | None) -> Refusal | None:
    """Count an entry of the record, by an agent for a user."""
    return take(tx, at, Quota.ENTRIES, pair(user_id, client_id), _AHEAD)


def record(
    tx: Tx, at: Moment, user_id: UserId, client_id: ClientId | None, entry: Entry, refusal: T
) -> T | Refusal:
    """Record what refuses something, and return it; or where there were too many, record nothing, and refuse so."""
    if limited := take(tx, at, Quota.REFUSED_CALLS, pair(user_id, client_id)):
        return limited
    tx.append(entry, at.now)
    return refusal


def pending(tx: Tx, at: Moment, quota: Quota, user_id: UserId, client_id: ClientId | None) -> Refusal | None:
    """Refuse one more call, or request for consent, that waits for its user, where too many wait."""
    most: int | None = getattr(at.policy.quotas, quota)
    if most is None:
        return None
    waiting = tx.waiting(quota, user_id, counted_as(client_id), at.now)
    return too_many(quota, waiting.until - at.now) if waiting.number >= most else None
