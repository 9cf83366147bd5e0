"""Proofs of possession: DPoP (RFC 9449, PROOF-1), and in its format Deputize-Page, Deputize-Guard, Deputize-Reader."""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

from ..protocol.canonical import Json, b64u
from ..protocol.errors import Code, Refused
from ..protocol.ids import Jkt
from ..protocol.jwk import PRIVATE_MEMBERS, thumbprint
from ..protocol.proof import MARGIN, Proof, is_jti
from ..service.kept import Kept
from . import jwt

TYP = "dpop+jwt"
WINDOW = 30
"""Seconds that `iat` may lie in the past or in the future (PROOF-1)."""

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>[0-9]*))?(?P<path>/[\x21-\x7e]*)?"
)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_keys = Kept[tuple[EllipticCurvePublicKey, Jkt]](4 * 2**20)  # of good proofs, by their headers
_DEFAULT_PORT = {"http": "80", "https": "443"}

# These members of a JWK, if there, have to have these values. Others mean nothing here (RFC 7517 §4).
_CONSISTENT: dict[str, Json] = {"alg": "ES256", "use": "sig", "key_ops": ["verify"]}


def verify(
    header_values: list[str],
    method: str,
    url: str,
    now: int,
    *,
    code: Code = Code.INVALID_DPOP_PROOF,
    access_token: str | None = None,
    jkt: str | None = None,
    bound: Mapping[str, str] | None = None,
    nonce: Callable[[object], bool] | None = None,
) -> Proof:
    """Check a proof for this very request as RFC 9449 §4.3 numbers it; Refused(code) if a check fails.

    1. There is one header field.
    2. It holds one well-formed JWT (TOKEN-1).
    3. All required claims are there: `jti` (1 to 128 printable ASCII characters), `htm`, `htu`, `iat`.
    4. `typ` is `dpop+jwt`.
    5. `alg` is ES256.
    6. The signature is by the key in `jwk`.
    7. `jwk` is a public P-256 key without a private part. Its `alg`, `use` and `key_ops` (RFC 7517 §4), if there, are
       for verifying ES256, and its `kid` is a string. Other members do not matter.
    8. `htm` is the method.
    9. `htu` is the URL, both without query and fragment and normalized (RFC 3986 §6.2.2, §6.2.3; dot segments
       are left alone).
    10. With `nonce`, the claim is one that it takes, else Refused(use_dpop_nonce) (OAUTH-2).
    11. `iat` is at most 30 s away from `now`.
    12. With `bound`, each of these claims has this value (EVID-2). With `access_token`, `ath` is its hash;
        without, there is no `ath`. With `jkt`, the key is that one.

    The transaction that it authorizes ensures that it is used once (PROOF-2). `keep_until` of the result is the first
    second from which on no copy of it would be taken.
    """
    if len(header_values) != 1:  # 1
        raise Refused(code, "Exactly one proof of possession is needed.")
    unverified = jwt.parse(header_values[0], code=code)  # 2, 5
    header, claims = unverified.header, unverified.claims
    jti, htm, htu, iat = map(claims.get, ("jti", "htm", "htu", "iat"))
    # 3
    if not (isinstance(jti, str) and isinstance(htm, str) and isinstance(htu, str) and isinstance(iat, int)):
        raise Refused(code, "The proof lacks jti, htm, htu or iat.")
    if not is_jti(jti):  # 3
        raise Refused(code, "The jti of the proof is not 1 to 128 printable characters.")
    if header.get("typ") != TYP:  # 4
        raise Refused(code, "The proof is not of type dpop+jwt.")
    # 7, before 6, which needs the key
    key, thumb = _keys.get(unverified.spelled) or _key(header.get("jwk"), code)
    if htm != method:  # 8
        raise Refused(code, "The proof was made for another method.")
    if htu != url and (_normalized(url) is None or _normalized(htu) != _normalized(url)):  # 9
        raise Refused(code, f"The proof was made for another URL than {url}.")
    if nonce is not None and not nonce(claims.get("nonce")):  # 10
        raise Refused(Code.USE_DPOP_NONCE, "Make the proof again, with the nonce of this answer.")
    if not -WINDOW <= now - iat <= WINDOW:  # 11
        raise Refused(
            code,
            f"The proof was made {abs(now - iat)} s {'ago' if now > iat else 'from now'} by the clock here, and may be "
            f"{WINDOW} s off: send it at once, and see that its maker's clock is right.",
            now=now,
        )
    if bound and any(claims.get(name) != value for name, value in bound.items()):  # 12
        raise Refused(code, "The proof was made for another tool or other arguments.")
    if ("ath" in claims, claims.get("ath")) != _named(access_token):  # 12
        raise Refused(code, "The proof was made for another token.")
    if jkt is not None and thumb != jkt:  # 12
        raise Refused(code, "The proof was made with another key.")
    if not jwt.verify_es256(key, unverified.signing_input, unverified.signature):  # 6, which takes longest
        raise Refused(code, "The signature of the proof is wrong.")
    jwt.remember(unverified)
    _keys.keep(unverified.spelled, (key, thumb))
    return Proof(thumb, jti, iat + WINDOW + 1 + MARGIN)


def make(
    key: EllipticCurvePrivateKey,
    method: str,
    url: str,
    now: int,
    jti: str = "",
    access_token: str | None = None,
    **more: str,
) -> str:
    """Return a proof for one request, as its header has it. Unless `jti` is given, it is new; `more` are claims."""
    claims: dict[str, object] = {
        "jti": jti or b64u(secrets.token_bytes(16)),
        "htm": method,
        "htu": re.split(r"[?#]", url)[0],
        "iat": now,
        **more,
    }
    if access_token is not None:
        claims["ath"] = _ath(access_token)
    header = jwt.encode_header(TYP, jwk=jwt.jwk_of(key.public_key()))
    return jwt.sign_with_header(header, claims, key)


def _named(access_token: str | None) -> tuple[bool, str | None]:
    """Tell whether a proof has an `ath`, and which, where this token is presented."""
    return (False, None) if access_token is None else (True, _ath(access_token))


def _ath(access_token: str) -> str:
    return b64u(hashlib.sha256(access_token.encode()).digest())


def _key(jwk: Json, code: Code) -> tuple[EllipticCurvePublicKey, Jkt]:
    """Return the key of a JWK, and its thumbprint; Refused(code) for a JWK that check 7 of `verify` refuses."""
    match jwk:
        case {"kty": "EC", "crv": "P-256", "x": str(x), "y": str(y), **others} if (
            not others.keys() & PRIVATE_MEMBERS
            and all(others.get(name, said) == said for name, said in _CONSISTENT.items())
            and isinstance(others.get("kid", ""), str)
        ):
            pass
        case _:
            raise Refused(code, "The jwk of the proof is not a public P-256 key.")
    try:
        return jwt.public_key(x, y), thumbprint({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    except ValueError as error:
        raise Refused(code, "The jwk of the proof is not a point of P-256.") from error


def _normalized(url: str) -> str | None:
    """Return a URL without query and fragment, in the one form of all that are equal; None if it is not absolute."""
    parts = _URL.fullmatch(re.split(r"[?#]", url)[0])
    if parts is None:
        return None
    scheme, port = parts["scheme"].lower(), parts["port"] or ""
    authority = _unescape(parts["host"]).lower() + (
        "" if port in ("", _DEFAULT_PORT.get(scheme)) else f":{port}"
    )
    return f"{scheme}://{authority}{_unescape(parts['path'] or '/')}"


def _unescape(text: str) -> str:
    """Decode escapes of characters that need none, and write the others in capitals (RFC 3986 §6.2.2)."""

    def one(escape: re.Match[str]) -> str:
        character = chr(int(escape[1], 16))
        return character if _UNRESERVED.fullmatch(character) else escape[0].upper()

    return _ESCAPE.sub(one, text)
