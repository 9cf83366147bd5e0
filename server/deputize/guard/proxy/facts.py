"""What the upstream's handler is told of a call, so that it can verify it: a JWT over the request (PROXY-5)."""

import hashlib
from collections.abc import Mapping

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from ...crypto import jwt
from ...protocol.canonical import Json, b64u
from ...protocol.errors import Code, Refused
from ...protocol.jwk import thumbprint
from ..admission import GuardedCall

TYP = "deputize-facts+jwt"
LIFETIME = 60
"""Seconds in which a handler has to have begun."""
MAX_TOLD = 4096
"""How many bytes arguments, as JSON, and target may have together: some servers take no field beyond 8 KiB."""

_THUMBPRINT = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"  # RFC 9278


class Facts:
    """Makes them for one API, signed with the guard's key."""

    def __init__(self, key: EllipticCurvePrivateKey, audience: str) -> None:
        """Sign with this P-256 key."""
        self._key = key
        self._kid = thumbprint(jwt.jwk_of(key.public_key()))
        self._audience = audience

    def check(self, arguments: Mapping[str, Json], target: str) -> None:
        """Raise Refused(payload_too_large) for what would not fit, before a call is redeemed for it."""
        if len(orjson.dumps(arguments)) + len(target) > MAX_TOLD:
            raise Refused(
                Code.PAYLOAD_TOO_LARGE,
                "These arguments are more than fits in a head, in which the proxy passes them on.",
            )

    def of(self, call: GuardedCall, method: str, target: str, body: bytes, now: int) -> str:
        """Return the JWT for one request: its method, its path with its query, and its body, byte for byte."""
        claims = {
            "iss": _THUMBPRINT + self._kid,
            "aud": self._audience,
            "iat": now,
            "exp": now + LIFETIME,
            "txn": call.call_id,
            "sub": call.user_id,
            "external_id": call.external_id,
            "client_id": call.client_id,
            "scope": str(call.scopes),
            "tool": call.tool,
            "arguments": call.arguments,
            "htm": method,
            "target": target,
            "body_s256": b64u(hashlib.sha256(body).digest()),
        }
        return jwt.sign(claims, TYP, self._kid, self._key)
