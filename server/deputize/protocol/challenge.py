"""Challenges: the record of one thing to sign (PROTOCOL §6, SEP-2672 §4.4.3)."""

from dataclasses import dataclass
from enum import StrEnum

from .errors import Code, Refusal
from .ids import ChallengeId, Jkt, UserId

CALL_CHALLENGE_LIFETIME = 60  # seconds
MAX_ATTEMPTS = 5  # failed assertions that close a challenge (APPR-4)
NONCE_BYTES = 32


class Purpose(StrEnum):
    """What a challenge is for. One made for one purpose is unknown to the others."""

    SIGN_UP = "sign_up"
    SIGN_IN = "sign_in"
    ENROLL = "enroll"
    ADD_CREDENTIAL = "add_credential"
    CONSENT = "consent"
    CALL = "call"
    ENROLLMENT_WINDOW = "enrollment_window"
    MCP_CALL = "mcp_call"
    MCP_ENROLLMENT = "mcp_enrollment"


@dataclass(frozen=True, slots=True)
class Challenge:
    """One thing to sign. `subject` names it: a call, a grant, a new credential, or the name of a new user.

    `owner` is the user it was made for, and `page_jkt` the page key that asked; both are None before sign-in.
    """

    challenge_id: ChallengeId
    purpose: Purpose
    nonce: bytes
    action_hash: bytes
    tool: str
    subject: str
    owner: UserId | None
    page_jkt: Jkt | None
    expires_at: int
    attempts: int = 0
    consumed_at: int | None = None

    @property
    def wire(self) -> bytes:
        """Return the bytes that the authenticator signs over: nonce ‖ action hash (APPR-1)."""
        return self.nonce + self.action_hash

    def closed(self, now: int) -> Refusal | None:
        """Say why nothing can be done with it any more, in the order of SEP-2672 §4.8 steps 5 and 6."""
        if self.consumed_at is not None or self.attempts >= MAX_ATTEMPTS:  # APPR-4
            return Refusal(
                Code.CHALLENGE_CONSUMED, "This challenge was used already. Start again to get a new one."
            )
        if now >= self.expires_at:  # TOKEN-5
            return Refusal(
                Code.CHALLENGE_EXPIRED, "The time to confirm ran out. Start again to get a new challenge."
            )
        return None
