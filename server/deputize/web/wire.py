"""How our values look on the wire."""

from datetime import UTC, datetime

from ..service.approvals import Minted


def iso(seconds: int) -> str:
    """Write a time as SEP-2672 does."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def envelope(minted: Minted, now: int) -> dict[str, object]:
    """Write a challenge as SEP-2672 §4.4.3, with what its method of approval adds (APPR-1, APPR-9)."""
    challenge = minted.challenge
    return {
        "challengeId": challenge.challenge_id,
        "displayText": str(minted.text),
        "expiresAt": iso(challenge.expires_at),
        **minted.offer(challenge, challenge.expires_at - now),
    }
