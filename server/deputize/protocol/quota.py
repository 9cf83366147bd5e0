"""How much of one thing there may be at a time, so that nothing small stops the authority (PROTOCOL §20)."""

from dataclasses import dataclass
from enum import StrEnum

from .agent import is_opaque_id
from .errors import Code, Refusal
from .ids import ClientId, UserId


class Quota(StrEnum):
    """What is counted. The value is what the policy, the answers and the metric call it, `told` what people hear."""

    told: str

    def __new__(cls, value: str, told: str) -> "Quota":
        """Make a member of the two."""
        quota = str.__new__(cls, value)
        quota._value_, quota.told = value, told
        return quota

    SIGN_UPS = "sign_ups", "accounts that were made from this network"
    SIGN_INS = "sign_ins", "sign-ins from this network"
    PUSHED_REQUESTS = "pushed_requests", "requests for authorization"
    DEVICE_CODES = "device_codes", "device codes"
    PENDING_CONSENTS = "pending_consents", "questions to the user that wait for an answer"
    PENDING_CALLS = "pending_calls", "calls that wait for the user's approval"
    REFUSED_CALLS = "refused_calls", "calls that were refused"
    ENTRIES = "entries", "requests of one kind or another"
    FINDINGS = "findings", "reports of pages from this network"
    WAITS = "waits", "pages that wait for an answer given elsewhere"
    WRONG_CODES = "wrong_codes", "wrong codes"
    DOWNLOADS = "downloads", "downloads of what is kept"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `most` in a window of `within` seconds, which begins with the first that is counted (QUOTA-1)."""

    most: int
    within: int


WRONG_CODES = Rate(10, 600)
"""User codes that no agent waits for, by the user who types them (OAUTH-7)."""


DOWNLOADS = Rate(10, 3600)
"""Downloads of all that is kept of a user, by that user (KEEP-2)."""
RECEIPTS = Rate(100, 600)
"""Receipts of calls, by their user (LOG-9)."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """What the policy allows of each thing (QUOTA-2); None is without end. No honest user meets the defaults."""

    sign_ups: Rate | None = Rate(1_000, 600)
    sign_ins: Rate | None = Rate(3_000, 600)
    pushed_requests: Rate | None = Rate(3_000, 600)
    device_codes: Rate | None = Rate(3_000, 600)
    pending_consents: int | None = 30
    pending_calls: int | None = 200
    refused_calls: Rate | None = Rate(600, 60)
    entries: Rate | None = Rate(1_000_000, 3600)
    findings: Rate | None = Rate(600, 600)
    waits: int | None = 64


def counted_as(client_id: ClientId | None) -> ClientId | None:
    """Return as whom an agent is counted for a user (QUOTA-3): by its `client_id`, if that is proved or claimed.

    All of a user's browsers count as one, None, together with the page itself: who is known by nothing but a key could
    make another key for each request.
    """
    return None if client_id is None or is_opaque_id(client_id) else client_id


def pair(user_id: UserId, client_id: ClientId | None) -> str:
    """Name the two that a quota is counted for, so that no user takes anything from another (QUOTA-3)."""
    return f"{user_id} {counted_as(client_id) or ''}".rstrip()


def too_many(quota: Quota, wait: int) -> Refusal:
    """Refuse what goes beyond a quota, with the seconds until there is more of it again (QUOTA-1)."""
    wait = max(wait, 1)
    detail = f"There were too many {quota.told}. Wait {wait} seconds, then try again."
    facts = {"quota": quota.value, "retry_after": wait}
    return Refusal(Code.TOO_MANY_REQUESTS, detail, facts, told=quota.value.replace("_", "-"))


def retry_after(refusal: Refusal) -> str | None:
    """Return the value of `Retry-After` (RFC 9110 §10.2.3), or None where there is none."""
    seconds = refusal.facts.get("retry_after")
    return str(seconds) if type(seconds) is int and seconds >= 0 else None  # True is none
