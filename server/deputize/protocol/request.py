"""Authorization requests: what an attested agent pushed, until the user answered and it collected (PROTOCOL §11)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .agent import Assurance
from .canonical import s256
from .client import POLL_INTERVAL
from .constraint import Constraints
from .ids import NO_KEY, ClientId, GrantId, Jkt, UserId
from .scope import ScopeSet

REQUEST_URI = "urn:ietf:params:oauth:request_uri:"
PUSHED_LIFETIME = 90  # seconds until the browser must arrive (OAUTH-3)
OPEN_LIFETIME = 600  # seconds that the page then waits for the user
CODE_LIFETIME = 60  # seconds (OAUTH-5)
DEVICE_LIFETIME = 600  # seconds (OAUTH-7)
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628 §6.1: no vowels, so no words
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")  # RFC 7636 §4.1
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")


class Status(StrEnum):
    """Where a request is. Each move is one statement (see `service/ports.py`)."""

    REQUESTED = "requested"
    GRANTED = "granted"
    DENIED = "denied"
    REDEEMED = "redeemed"


MOVES: Mapping[Status, frozenset[Status]] = {
    Status.REQUESTED: frozenset({Status.REQUESTED, Status.GRANTED, Status.DENIED}),
    Status.GRANTED: frozenset({Status.REDEEMED}),
}
"""Whoever looks at a request that nobody has answered has it for himself, and it stays where it is (OAUTH-4)."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What an agent asks for. With a redirect URI it is the code flow, without one the device flow.

    `secret_digest` is of the code once the user agreed, or of the device code from the start: only hashes are kept.
    """

    request_id: str
    client_id: ClientId
    assurance: Assurance
    name: str
    document_s256: str
    jkt: Jkt
    scopes: ScopeSet
    constraints: Constraints
    redirect_uri: str | None
    state: str | None
    code_challenge: str | None
    user_code: str | None
    secret_digest: bytes | None
    expires_at: int
    status: Status = Status.REQUESTED
    user_id: UserId | None = None
    grant_id: GrantId | None = None
    polled_at: int = 0
    interval: int = POLL_INTERVAL

    @property
    def unproven(self) -> bool:
        """Tell whether its agent proved nothing, so that it names no key (BEARER-3)."""
        return self.jkt == NO_KEY


def is_code_challenge(text: str) -> bool:
    """Tell whether this can be an S256 code challenge (RFC 7636 §4.2)."""
    return _CHALLENGE.match(text) is not None


def verifies(code_verifier: str, code_challenge: str) -> bool:
    """Tell whether the verifier is the challenge's (RFC 7636 §4.6)."""
    return _VERIFIER.match(code_verifier) is not None and s256(code_verifier.encode()) == code_challenge


def make_user_code(random: bytes) -> str:
    """Make a code for people to type, `BCDF-GHJK`, from 16 random bytes."""
    number = int.from_bytes(random)
    letters = ""
    for _ in range(8):
        number, index = divmod(number, len(_LETTERS))
        letters += _LETTERS[index]
    return f"{letters[:4]}-{letters[4:]}"


def read_user_code(text: str) -> str:
    """Bring what a person typed into the form of `make_user_code`."""
    letters = "".join(letter for letter in text.upper() if letter in _LETTERS)
    return f"{letters[:4]}-{letters[4:]}"
