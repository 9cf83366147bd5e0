"""JSON Web Tokens in the compact form (RFC 7515 §7.1, RFC 7519), signed with ES256 only (TOKEN-1).

Parsing is our own and strict, since libraries accept several spellings and several types of tokens. Of each signature
there are two that are good, (r, s) and (r, n-s), so the text of a token is no key to find it by again: replay and
revocation go by `jti`, `txn` and `grant_id`.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import ECAlgorithm

from ..protocol import canonical
from ..protocol.canonical import Json, JsonError, b64u, unb64u
from ..protocol.errors import Code, Refused
from ..service.kept import Kept

MAX_TOKEN = 8192
"""How many characters a token may have (TOKEN-1)."""

_NUMERIC_DATES = ("iat", "exp", "nbf", "auth_time")
_ES256 = ECDSA(SHA256())
_COORDINATE = 32  # bytes of r, of s, and of x and y (RFC 7518 §3.4, §6.2.1)
_SIGNATURE = 86  # characters that both take

KeyOf = Callable[[str], EllipticCurvePublicKey | None]


class Unverified(NamedTuple):
    """A well-formed token. Nothing in it may be believed until its signature was checked."""

    header: Mapping[str, Json]
    claims: dict[str, Json]
    signing_input: bytes
    signature: bytes
    spelled: str
    """The header as the token has it."""


def parse(token: str, *, code: Code = Code.INVALID_TOKEN) -> Unverified:
    """Parse a token (TOKEN-1); Refused(code) unless it is well-formed in every detail.

    At most 8 KiB; three segments of canonical base64url; strict JSON objects; a header with `alg: ES256` and without
    `crit`; whole numbers in `iat`, `exp`, `nbf` and `auth_time`, if they are there.
    """
    segments = token.split(".", 3) if len(token) <= MAX_TOKEN else []
    if len(segments) != 3 or len(segments[2]) != _SIGNATURE:
        raise Refused(code, "This is not a signed token in its compact form.")
    try:
        spelled = segments[0]
        header = _headers.get(spelled) or _object(spelled)
        claims = _object(segments[1])
        signature = unb64u(segments[2])
    except ValueError as error:  # JsonError is one
        raise Refused(code, "The token is malformed.") from error
    if header.get("alg") != "ES256" or "crit" in header:
        raise Refused(code, "The token is not signed with ES256, or has extensions.")
    for name in _NUMERIC_DATES:
        if type(claims.get(name, 0)) is not int:
            raise Refused(code, "A date in the token is not a whole number.")
    return Unverified(header, claims, token[: -_SIGNATURE - 1].encode(), signature, spelled)


def sign(claims: Mapping[str, object], typ: str, kid: str, key: EllipticCurvePrivateKey) -> str:
    """Return a token with these claims, and with `typ`, `alg` and `kid` in its header."""
    return sign_with_header(_encoded_header(typ, kid), claims, key)


def sign_with_header(header: str, claims: Mapping[str, object], key: EllipticCurvePrivateKey) -> str:
    """Return a token under a header that is encoded already (`encode_header`)."""
    signing_input = f"{header}.{b64u(orjson.dumps(claims))}"
    r, s = decode_dss_signature(key.sign(signing_input.encode(), _ES256))
    return f"{signing_input}.{b64u(r.to_bytes(_COORDINATE) + s.to_bytes(_COORDINATE))}"


def encode_header(typ: str, **members: object) -> str:
    """Return the first segment of a token, whose header has `typ`, `alg: ES256` and these members."""
    return b64u(orjson.dumps({"typ": typ, "alg": "ES256", **members}))


def verify(token: str, typ: str, key_of: KeyOf, *, code: Code = Code.INVALID_TOKEN) -> dict[str, Json]:
    """Return the claims of a token of this type that a known key has signed (TOKEN-1); else Refused(code).

    Audience and dates are not compared: `protocol/token.py` does that.
    """
    unverified = parse(token, code=code)
    kid = key_id(unverified, typ, code=code)
    return check(unverified, key_of(kid), code=code)


def key_id(unverified: Unverified, typ: str, *, code: Code = Code.INVALID_TOKEN) -> str:
    """Return the `kid` of a token of this type; Refused(code) if it is of another type or names no key."""
    kid = unverified.header.get("kid")
    if unverified.header.get("typ") != typ or not isinstance(kid, str):
        raise Refused(code, "The token is of another type.")
    return kid


def check(
    unverified: Unverified, key: EllipticCurvePublicKey | None, *, code: Code = Code.INVALID_TOKEN
) -> dict[str, Json]:
    """Return the claims if this key has signed them; Refused(code) if it has not, or if there is none (None)."""
    if key is None:
        raise Refused(code, "The token was signed with a key that is not known here.")
    if not verify_es256(key, unverified.signing_input, unverified.signature):
        raise Refused(code, "The signature of the token is wrong.")
    remember(unverified)
    return unverified.claims


def public_key(x: str, y: str) -> EllipticCurvePublicKey:
    """Return the P-256 key of these coordinates (RFC 7518 §6.2.1); ValueError if they are no point of it."""
    point = [unb64u(x), unb64u(y)]
    if any(len(coordinate) != _COORDINATE for coordinate in point):
        raise ValueError("a coordinate of P-256 has 32 bytes")
    # As a point it has one spelling. As two numbers, those beyond the field's prime would be taken for their remainder:
    # a key with two thumbprints.
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), b"\4" + b"".join(point))


def jwk_of(key: EllipticCurvePrivateKey | EllipticCurvePublicKey) -> dict[str, Json]:
    """Return a P-256 key as a JWK (RFC 7518 §6.2), a private one with its private half."""
    return {name: str(value) for name, value in ECAlgorithm.to_jwk(key, as_dict=True).items()}


def verify_es256(key: EllipticCurvePublicKey, signing_input: bytes, signature: bytes) -> bool:
    """Tell whether this is the P-256 key's signature, 64 bytes r ‖ s (RFC 7518 §3.4); never raises."""
    if len(signature) != 2 * _COORDINATE:
        return False
    r, s = int.from_bytes(signature[:_COORDINATE]), int.from_bytes(signature[_COORDINATE:])
    try:
        key.verify(encode_dss_signature(r, s), signing_input, _ES256)
    except InvalidSignature:
        return False
    return True


def _object(segment: str) -> dict[str, Json]:
    value = canonical.parse(unb64u(segment))
    if not isinstance(value, dict):
        raise JsonError("not_json")
    return value


# Parsed headers, since few come again and again: one of each signing key, and of each maker of proofs.
_headers = Kept[Mapping[str, Json]](4 * 2**20)


def remember(unverified: Unverified) -> None:
    """Keep the parsed header of a token whose signature is right, so that it is not parsed again."""
    _headers.keep(unverified.spelled, unverified.header)


_encoded_header = lru_cache(maxsize=64)(lambda typ, kid: encode_header(typ, kid=kid))
