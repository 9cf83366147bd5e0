"""Quotas by user and by agent, counted in the transaction that decides (PROTOCOL §20).

What a quota refuses leaves no entry: the quota is there to keep the record from being filled.
"""

from typing import TypeVar

from ..protocol.entry import Entry
from ..protocol.errors import Refusal
from ..protocol.ids import ClientId, UserId
from ..protocol.quota import Quota, Rate, counted_as, pair, too_many
from .moment import Moment
from .ports import Tx, Waiting

T = TypeVar("T")

_AHEAD = 64
"""Entries that are taken at once, but never more than a hundredth: a call that is allowed is to cost no statement."""


def take(tx: Tx, quota: Quota, rate: Rate | None, who: str, now: int, ahead: int = 1) -> Refusal | None:
    """Take one from what somebody has of a quota, or refuse."""
    wait = tx.take_quota(f"{quota.value} {who}", rate, now, ahead) if rate is not None else 0
    return too_many(quota, wait) if wait else None


def entry(tx: Tx, at: Moment, user_id: UserId, client_id: ClientId | None) -> Refusal | None:
    """Count an entry of the record, by an agent for a user."""
    rate = at.policy.quotas.entries
    if rate is None:
        return None
    ahead = min(_AHEAD, rate.most // 100 or 1)
    return take(tx, Quota.ENTRIES, rate, pair(user_id, client_id), at.now, ahead)


def record(
    tx: Tx, at: Moment, user_id: UserId, client_id: ClientId | None, entry: Entry, refusal: T
) -> T | Refusal:
    """Record what refuses something, and return it; or where there were too many, record nothing, and refuse so."""
    rate = at.policy.quotas.refused_calls
    if limited := take(tx, Quota.REFUSED_CALLS, rate, pair(user_id, client_id), at.now):
        return limited
    tx.append(entry, at.now)
    return refusal


def pending_call(tx: Tx, at: Moment, user_id: UserId, client_id: ClientId | None) -> Refusal | None:
    """Refuse one more call that waits for its user, where too many wait."""
    most = at.policy.quotas.pending_calls
    if most is None:
        return None
    return _full(Quota.PENDING_CALLS, most, tx.waiting_calls(user_id, counted_as(client_id), at.now), at.now)


def pending_consent(tx: Tx, at: Moment, user_id: UserId, client_id: ClientId) -> Refusal | None:
    """Refuse one more request for consent, where too many wait."""
    most = at.policy.quotas.pending_consents
    if most is None:
        return None
    return _full(
        Quota.PENDING_CONSENTS, most, tx.waiting_grants(user_id, counted_as(client_id), at.now), at.now
    )


def _full(quota: Quota, most: int, waiting: Waiting, now: int) -> Refusal | None:
    return too_many(quota, waiting.until - now) if waiting.number >= most else None
