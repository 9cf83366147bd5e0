"""Public keys of others, as they publish them (RFC 7517)."""

from collections.abc import Mapping
from dataclasses import dataclass

from .canonical import Json, unb64u

MAX_KEYS = 10

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})  # of any kind of key


@dataclass(frozen=True, slots=True)
class Key:
    """A public P-256 key for ES256 (RFC 7518 §6.2.1). Whether it is a point of the curve shows at its use."""

    x: str
    y: str
    kid: str | None = None


def parse_keys(jwks: Json) -> tuple[Key, ...]:
    """Read those keys of a JWK Set (RFC 7517 §5) that are for ES256; ValueError.

    Others are passed over, since their owner may have them for others, but a private one spoils the set.
    """
    match jwks:
        case {"keys": list(items)} if 1 <= len(items) <= MAX_KEYS:
            keys = [item for item in items if isinstance(item, dict)]
        case _:
            raise ValueError(f"a JWK Set here has 1 to {MAX_KEYS} keys")
    if any(key.keys() & _PRIVATE for key in keys):
        raise ValueError("one of the keys is private or a secret, and now it is known: make others")
    found = tuple(_key(key) for key in keys if _for_es256(key))
    kids = {key.kid for key in found}
    if not found or len(kids) < len(found) or (len(found) > 1 and None in kids):
        raise ValueError("a JWK Set here has a P-256 key for ES256, and each of several a kid of its own")
    return found


def _for_es256(jwk: Mapping[str, Json]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        (jwk.get("kty"), jwk.get("crv")) == ("EC", "P-256")
        and jwk.get("use", "sig") == "sig"
        and jwk.get("alg", "ES256") == "ES256"
        and isinstance(operations, list)
        and "verify" in operations
    )


def _key(jwk: Mapping[str, Json]) -> Key:
    match jwk:
        case {"x": str(x), "y": str(y)} if len(unb64u(x)) == len(unb64u(y)) == 32:
            kid = jwk.get("kid")
        case _:
            raise ValueError("x and y of a P-256 key are 32 bytes each, in base64url")
    if not isinstance(kid, str | None):
        raise ValueError("a kid is a text")
    return Key(x, y, kid)
