"""The signatures of an OpenID provider: ID tokens, and logout tokens (OPENID-3).

Providers sign with what they like, most of them by RSA, so this is PyJWT's. What our own tokens are signed with, and
what agents and sites send us, is ES256 alone (`jwt.py`).
"""

from collections.abc import Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ..protocol import canonical
from ..protocol.canonical import Json, unb64u
from ..protocol.jwk import PRIVATE_MEMBERS
from ..protocol.openid import refused

ALGORITHMS = {"ES256": "EC", "PS256": "RSA", "RS256": "RSA", "EdDSA": "OKP"}
"""The algorithms that are taken, each with the kind of its keys. `none` and shared secrets are not among them."""

_MOST = 16 * 1024  # characters of a token
_BITS = 2048  # of an RSA key, at least (RFC 7518 §3.3)


class UnknownKey(Exception):
    """None of the keys is the one that a token names. There may be a new one."""


def verify(token: str, keys: Sequence[Json], types: Sequence[str | None]) -> dict[str, Json]:
    """Return the claims of a token that one of these keys (JWK) has signed, whose `typ` is one of these, in any case.

    Refused(sign_in_failed); UnknownKey, if the token names a key that is not there.
    """
    header = _header(token)
    alg, typ = header.get("alg"), header.get("typ")
    if not isinstance(alg, str) or alg not in ALGORITHMS or "crit" in header:
        raise refused(f"the token has to be signed by one of {', '.join(ALGORITHMS)}, without extensions")
    if (typ and str(typ).lower()) not in types:
        raise refused("the token is of another type")
    key = _key(keys, alg, header.get("kid"))
    try:
        payload = jwt.PyJWS(list(ALGORITHMS)).decode(token, key, algorithms=[alg])
        claims = canonical.parse(payload)
    except (jwt.PyJWTError, ValueError) as error:
        raise refused("the signature of the token is wrong, or it is not strict JSON") from error
    if not isinstance(claims, dict):
        raise refused("the token has no claims")
    return claims


def _header(token: str) -> dict[str, Json]:
    """Read the header as strictly as we read our own (TOKEN-1): PyJWT's reader has no bound to its depth."""
    segments = token.split(".", 3) if len(token) <= _MOST and token.isascii() else []
    try:
        header = canonical.parse(unb64u(segments[0])) if len(segments) == 3 else None
    except ValueError as error:
        raise refused("the header of the token is malformed") from error
    if not isinstance(header, dict):
        raise refused("that is no signed token")
    return header


def _key(keys: Sequence[Json], alg: str, kid: object) -> Any:
    """Choose the one key that is meant: by its `kid`, or else the only one for this algorithm."""
    fit = [
        key
        for key in keys
        if isinstance(key, dict)
        and key.get("kty") == ALGORITHMS[alg]
        and key.get("use", "sig") == "sig"
        and key.get("alg", alg) == alg
        and kid in (None, key.get("kid"))
    ]
    if len(fit) != 1:
        raise UnknownKey
    if fit[0].keys() & PRIVATE_MEMBERS:
        raise refused("one of the keys that it publishes is private")
    try:
        key = jwt.PyJWK(fit[0], alg).key
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise refused("its key cannot be used") from error
    if isinstance(key, RSAPublicKey) and key.key_size < _BITS:
        raise refused(f"its key has less than {_BITS} bits")
    return key
