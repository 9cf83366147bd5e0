"""Identifiers: a prefix that tells what is named, and 128 random bits (base64url, 22 characters)."""

import re
from typing import NewType

from .canonical import b64u

UserId = NewType("UserId", str)
ClientId = NewType("ClientId", str)
GrantId = NewType("GrantId", str)
CallId = NewType("CallId", str)
ChallengeId = NewType("ChallengeId", str)
CredentialId = NewType("CredentialId", str)
"""base64url of the WebAuthn credential id, as the browser says it."""
Jkt = NewType("Jkt", str)
"""base64url SHA-256 JWK thumbprint (RFC 7638) of the key that a proof was made with."""
NO_KEY = Jkt("")
"""In place of a thumbprint: no key (BEARER-1). No proof has it, so no comparison of keys succeeds."""

_RANDOM_BYTES = 16
_SHAPE = re.compile(r"(?:usr|agt|grt|cal|chl)_[A-Za-z0-9_-]{22}\Z")


def make_id(prefix: str, random: bytes) -> str:
    """Return `prefix_` + base64url of the first 16 bytes of `random`; fewer bytes are a ValueError."""
    if len(random) < _RANDOM_BYTES:
        raise ValueError("an identifier needs 16 random bytes")
    return f"{prefix}_{b64u(random[:_RANDOM_BYTES])}"


def is_id(prefix: str, text: object) -> bool:
    """Tell whether `text` has the shape of an identifier with this prefix."""
    return isinstance(text, str) and text.startswith(prefix + "_") and _SHAPE.match(text) is not None
