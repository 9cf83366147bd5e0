"""Challenges: the record of one thing to sign (PROTOCOL §6, SEP-2672 §4.4.3)."""

from dataclasses import dataclass
from enum import StrEnum

from .canonical import Json, unb64u
from .errors import Code, Refusal
from .ids import ChallengeId, Jkt, UserId
from .value import value

CALL_CHALLENGE_LIFETIME = 60  # seconds
MAX_ATTEMPTS = 5  # failed assertions that close a challenge (APPR-4)
NONCE_BYTES = 32


class Purpose(StrEnum):
    """What a challenge is for. One made for one purpose is unknown to the others."""

    SIGN_UP = "sign_up"
    SIGN_IN = "sign_in"
    SITE_SIGN_IN = "site_sign_in"
    ENROLL = "enroll"
    ADD_CREDENTIAL = "add_credential"
    CONSENT = "consent"
    CALL = "call"
    ENROLLMENT_WINDOW = "enrollment_window"
    FORGETTING = "forgetting"
    MCP_CALL = "mcp_call"
    MCP_ENROLLMENT = "mcp_enrollment"


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who signs up: a user who exists only when that is finished."""

    user_id: UserId
    handle: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Enrolling:
    """Why a credential may be enrolled (`service.credentials.Basis`), with the hash of a recovery link."""

    basis: str
    recovery: bytes | None = None


@dataclass(frozen=True, slots=True)
class Inside:
    """What an enrollment over MCP is under: a grant, and the window that closes at that second (CRED-7)."""

    grant_id: str
    enrolls_until: int


@dataclass(frozen=True, slots=True)
class Away:
    """Who is away at the site's login: the browser, by the hash of its cookie, where it is, and where it goes on
    (SIGNIN-1).

    With `anew` he was asked to sign in there although he may be signed in already (SIGNIN-4).
    """

    browser: bytes
    where: str
    return_to: str
    anew: bool


Subject = str | NewUser | Enrolling | Inside | Away
"""What a challenge is about: the id of a call, a grant, a credential or a user (none: empty), or what is enrolled, or
who is away to sign in."""


def read_subject(value: Json) -> Subject:
    """Read a subject that was written as JSON, its members under their names and bytes in base64url; ValueError."""
    match value:
        case str(named):
            return named
        case {"user_id": str(user_id), "handle": str(handle), "name": str(name)}:
            return NewUser(UserId(user_id), unb64u(handle), name)
        case {"basis": str(basis), "recovery": str(recovery)}:
            return Enrolling(basis, unb64u(recovery))
        case {"basis": str(basis), "recovery": None}:
            return Enrolling(basis)
        case {"grant_id": str(grant_id), "enrolls_until": int(until)}:
            return Inside(grant_id, until)
        case {"browser": str(browser), "where": str(where), "return_to": str(to), "anew": bool(anew)}:
            return Away(unb64u(browser), where, to, anew)
    raise ValueError("no subject of a challenge")


@value
class Challenge:
    """One thing to sign. Sign-up, sign-in and enrollment sign no action: they have no hash, tool or `method`.

    `owner` is the user it was made for, and `page_jkt` the key of the page that asked; both are None before sign-in.
    Where a question is asked, `nonce` commits to it, and `salt` opens the commitment (APPR-10).
    """

    challenge_id: ChallengeId
    purpose: Purpose
    nonce: bytes
    subject: Subject
    owner: UserId | None
    expires_at: int
    action_hash: bytes = b""
    tool: str = ""
    page_jkt: Jkt | None = None
    attempts: int = 0
    consumed_at: int | None = None
    method: str = ""
    salt: bytes = b""

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
