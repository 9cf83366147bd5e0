"""Public keys of others, as they publish them (RFC 7517)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .canonical import Json, canonicalize, s256, unb64u
from .ids import Jkt

MAX_KEYS = 10

_REQUIRED = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
"""What the private half of any kind of key is made of (RFC 7518 §6, RFC 9864)."""

_ES256 = ("ES256", "ecdsa-p256-sha256")  # as JOSE names it, and as RFC 9421 does
_ED25519 = ("Ed25519", "EdDSA", "ed25519")
_PUBLISHED = frozenset(  # with their private halves, in RFC 9421 §B.1.3 and §B.1.4
    {"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA", "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}
)


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: P-256 (RFC 7518 §6.2.1), or Ed25519, which has no `y` (RFC 8037 §2).

    Whether it is a point of its curve shows at its use.
    """

    x: str
    y: str | None
    kid: str | None = None

    @property
    def jwk(self) -> dict[str, Json]:
        """Return the members that make it this key (RFC 7638 §3.2)."""
        if self.y is None:
            return {"kty": "OKP", "crv": "Ed25519", "x": self.x}
        return {"kty": "EC", "crv": "P-256", "x": self.x, "y": self.y}


def thumbprint(jwk: Mapping[str, Json]) -> Jkt:
    """Return the SHA-256 thumbprint of a key (RFC 7638), base64url; ValueError for what is no public key."""
    kind = jwk.get("kty")
    required = _REQUIRED.get(kind) if isinstance(kind, str) else None
    if required is None or not all(isinstance(jwk.get(name), str) for name in required):
        raise ValueError("not a JWK of an EC, OKP or RSA key")
    members: dict[str, Json] = {name: jwk[name] for name in required}
    return Jkt(s256(canonicalize(members)))


def named(keys: Sequence[Key], kid: object) -> Key | None:
    """Return the P-256 key that a `kid` names, without one (None) the only key; None if there is no such."""
    found = [key for key in keys if key.y is not None and kid in (None, key.kid)]
    return found[0] if len(found) == 1 else None


def parse_keys(jwks: Json) -> tuple[Key, ...]:
    """Read those keys of a JWK Set (RFC 7517 §5) that are for ES256 or Ed25519; ValueError.

    Keys of other kinds are passed over: they may be meant for others. One private key spoils the set. An Ed25519 key
    only signs requests, which name it by its thumbprint (OAUTH-14), so its `kid` may be anything.
    """
    match jwks:
        case {"keys": list(items)} if 1 <= len(items) <= MAX_KEYS:
            keys = [item for item in items if isinstance(item, dict)]
        case _:
            raise ValueError(f"a JWK Set here has 1 to {MAX_KEYS} keys")
    if any(key.keys() & PRIVATE_MEMBERS for key in keys):
        raise ValueError("one of the keys is private or a secret, and now it is known: make others")
    if any(str(key.get("x")) in _PUBLISHED for key in keys):
        raise ValueError("one of the keys is an example of RFC 9421, and everybody has its private half")
    found = tuple(_p256(key) for key in keys if _is_for(key, "EC", "P-256", *_ES256))
    kids = {key.kid for key in found}
    okp = tuple(_ed25519(key) for key in keys if _is_for(key, "OKP", "Ed25519", *_ED25519))
    if not found + okp or len(kids) < len(found) or (len(found) > 1 and None in kids):
        raise ValueError(
            "a JWK Set here has a P-256 key for ES256 or an Ed25519 key, "
            "and each of several for ES256 a kid of its own"
        )
    return found + okp


def _is_for(jwk: Mapping[str, Json], kty: str, crv: str, *algs: str) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        (jwk.get("kty"), jwk.get("crv")) == (kty, crv)
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", algs[0]) in algs
        and isinstance(operations, list)
        and "verify" in operations
    )


def _p256(jwk: Mapping[str, Json]) -> Key:
    match jwk:
        case {"x": str(x), "y": str(y)} if len(unb64u(x)) == len(unb64u(y)) == 32:
            return Key(x, y, _kid(jwk))
    raise ValueError("x and y of a P-256 key are 32 bytes each, in base64url")


def _ed25519(jwk: Mapping[str, Json]) -> Key:
    match jwk:
        case {"x": str(x)} if len(unb64u(x)) == 32:
            return Key(x, None, _kid(jwk))
    raise ValueError("x of an Ed25519 key is 32 bytes, in base64url")


def _kid(jwk: Mapping[str, Json]) -> str | None:
    kid = jwk.get("kid")
    if not isinstance(kid, str | None):
        raise ValueError("a kid is a text")
    return kid
