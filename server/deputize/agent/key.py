"""The key of an agent: it authenticates the agent, and its delegations are bound to it."""

import secrets
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)

from ..crypto import client_assertion, dpop, jwk_file, jwt
from ..protocol.canonical import Json, b64u
from ..protocol.ids import Jkt
from ..protocol.jwk import thumbprint


class AgentKey:
    """A P-256 key for client assertions and DPoP proofs. Only `save` writes its private half anywhere."""

    def __init__(self, private_key: EllipticCurvePrivateKey) -> None:
        """Use this key; ValueError for another curve than P-256."""
        if not isinstance(private_key.curve, SECP256R1):
            raise ValueError("an agent's key is on the curve P-256")
        self._private_key = private_key
        self._thumbprint = thumbprint(jwt.jwk_of(private_key.public_key()))

    def __repr__(self) -> str:
        return f"AgentKey({self._thumbprint})"

    @classmethod
    def generate(cls) -> Self:
        """Make a new one."""
        return cls(generate_private_key(SECP256R1()))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a private JWK (RFC 7517) from a file; ValueError if it holds anything else, OSError if unreadable."""
        return cls(jwk_file.load(path))

    def save(self, path: Path | str) -> None:
        """Write the private JWK to a new file, for its owner only; FileExistsError if there is one."""
        jwk_file.save(self._private_key, path)

    @property
    def thumbprint(self) -> Jkt:
        """Return the RFC 7638 thumbprint: its `kid`, and what a parent names it by (CHAIN-1)."""
        return self._thumbprint

    def public_jwk(self) -> dict[str, Json]:
        """Return the public half, as it stands in the agent's document or in a site's policy."""
        return jwk_file.public(self._private_key)

    def assertion(self, client_id: str, issuer: str, now: int) -> str:
        """Return a new client assertion for this authority, good for 60 s and once (OAUTH-1; RFC 7523)."""
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": issuer,
            "iat": now,
            "exp": now + client_assertion.LIFETIME,
            "jti": b64u(secrets.token_bytes(16)),
        }
        return jwt.sign(claims, client_assertion.TYP, self._thumbprint, self._private_key)

    def proof(self, method: str, url: str, now: int, access_token: str | None = None, **more: str) -> str:
        """Return a new DPoP proof for one request (RFC 9449 §4.2); `more` are further claims, such as `nonce`."""
        return dpop.make(self._private_key, method, url, now, access_token=access_token, **more)
