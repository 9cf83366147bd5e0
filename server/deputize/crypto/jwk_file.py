"""P-256 keys in files of their own, as JWKs (RFC 7517): of agents, and of guards outside of the authority's process."""

from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from jwt.algorithms import ECAlgorithm
from jwt.exceptions import InvalidKeyError

from ..private import create_private
from ..protocol.canonical import Json
from ..protocol.jwk import thumbprint
from .jwt import jwk_of


def load(path: Path | str) -> EllipticCurvePrivateKey:
    """Read a private key; ValueError if the file holds anything else, OSError if unreadable."""
    try:
        key = ECAlgorithm.from_jwk(orjson.loads(Path(path).read_bytes()))
        if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
            return key
    except (ValueError, TypeError, LookupError, InvalidKeyError):
        pass  # the reason may quote the file
    raise ValueError(f"{path} does not hold a private P-256 key as a JWK")


def save(key: EllipticCurvePrivateKey, path: Path | str) -> None:
    """Write a private key to a new file, for its owner only; FileExistsError if there is one."""
    private = {**public(key), **jwk_of(key)}
    create_private(Path(path), orjson.dumps(private, option=orjson.OPT_INDENT_2) + b"\n")


def line(name: str, key: EllipticCurvePrivateKey) -> str:
    """Write the line of a policy that has the public half of this key, as the only one, under a name such as `keys`."""
    half = ", ".join(f'{member} = "{value}"' for member, value in jwk_of(key.public_key()).items())
    return f"{name} = [{{ {half} }}]"


def public(key: EllipticCurvePrivateKey | EllipticCurvePublicKey) -> dict[str, Json]:
    """Return the public half, for whoever verifies what the key signs; its `kid` is its thumbprint (RFC 7638)."""
    half = jwk_of(key.public_key() if isinstance(key, EllipticCurvePrivateKey) else key)
    return {**half, "alg": "ES256", "kid": thumbprint(half), "use": "sig"}
