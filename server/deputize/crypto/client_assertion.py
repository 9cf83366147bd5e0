"""Client authentication by `private_key_jwt` (OAUTH-1; RFC 7523 §3, rfc7523bis-11 §4)."""

from collections.abc import Sequence

from ..protocol.errors import Code, Refused
from ..protocol.jwk import Key, named, thumbprint
from ..protocol.proof import MARGIN, Proof, is_jti
from . import jwt

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYP = "client-authentication+jwt"
LIFETIME = 60
"""Seconds that an assertion may live."""

LEEWAY = 30
"""Seconds by which the client's clock may differ from ours (TOKEN-5)."""

_TYPES = (TYP, f"application/{TYP}", "JWT", None)


def verify(
    assertion: str, assertion_type: str, keys: Sequence[Key], client_id: str, issuer: str, now: int
) -> Proof:
    """Check that this client made the assertion, for this issuer and just now; Refused(invalid_client).

    1. `assertion_type` is that of a JWT, and the assertion is a well-formed one, signed with ES256 (TOKEN-1).
    2. `typ` is `client-authentication+jwt`, or absent or `JWT`, as most libraries have it. Any other value is that of
       another kind of token.
    3. `iss` and `sub` are the client.
    4. `aud` is the issuer, as one string: not the token endpoint, not a list (rfc7523bis §4).
    5. `exp` is there, has not passed, and is at most 60 s ahead. If there is an `iat`, it is not in the future, and
       `exp` is at most 60 s after it. If there is an `nbf`, it has passed. The clocks may differ by 30 s (TOKEN-5).
    6. `jti` is 1 to 128 printable ASCII characters.
    7. `kid` names one of the P-256 keys, or there is only one of them and no `kid`.
    8. The signature is by that key.

    The transaction that it authorizes ensures that it is used once, as with a DPoP proof (PROOF-2).
    """
    if assertion_type != ASSERTION_TYPE:  # 1
        raise _refused("client_assertion_type is not that of a JWT")
    unverified = jwt.parse(assertion, code=Code.INVALID_CLIENT)  # 1
    header, claims = unverified.header, unverified.claims
    if header.get("typ") not in _TYPES:  # 2
        raise _refused("the JWT is of another type")
    if not client_id == claims.get("iss") == claims.get("sub"):  # 3
        raise _refused("iss and sub have to be the client_id")
    if claims.get("aud") != issuer:  # 4
        raise _refused("aud has to be the issuer of this authority, one string")
    exp, iat, nbf, jti = (claims.get(name) for name in ("exp", "iat", "nbf", "jti"))
    if not isinstance(exp, int) or not now - LEEWAY < exp <= now + LIFETIME + LEEWAY:  # 5
        raise _refused(f"exp has to be there, and at most {LIFETIME} seconds ahead", now=now)
    if isinstance(iat, int) and (iat > now + LEEWAY or exp - iat > LIFETIME):  # 5
        raise _refused(f"iat is in the future, or more than {LIFETIME} seconds before exp", now=now)
    if isinstance(nbf, int) and nbf > now + LEEWAY:  # 5
        raise _refused("nbf is in the future", now=now)
    if not is_jti(jti):  # 6
        raise _refused("jti has to be 1 to 128 printable characters")
    key = named(keys, header.get("kid"))  # 7
    if key is None:
        raise _refused("kid has to name one of the client's keys")
    try:
        public_key = jwt.public_key(key.x, key.y or "")
    except ValueError as error:
        raise _refused("the client's key is not a point of P-256") from error
    if not jwt.verify_es256(public_key, unverified.signing_input, unverified.signature):  # 8
        raise _refused("the signature is wrong")
    return Proof(thumbprint(key.jwk), jti, exp + LEEWAY + MARGIN)


def _refused(reason: str, **facts: object) -> Refused:
    return Refused(Code.INVALID_CLIENT, f"The client assertion is not good: {reason}.", **facts)
