"""A software authenticator: real keys, real CTAP structures, no browser. For tests over HTTP and for benchmarks.

It signs whatever it is asked to, with the user-verified flag set: which is why a key alone never enrolls (CRED-3).
"""

import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256

from ..protocol.canonical import Json, b64u, unb64u

_UP, _UV, _AT = 0x01, 0x04, 0x40


@dataclass
class Key:
    """One credential in the authenticator."""

    credential_id: bytes
    private_key: EllipticCurvePrivateKey
    handle: bytes
    count: int = 0


@dataclass
class SoftAuthenticator:
    """Answers creation and request options for a page on `origin`.

    `flags` are those of its authenticator data (WebAuthn L3 §6.1); `counting` says whether its signature counter moves.
    """

    origin: str
    transports: tuple[str, ...] = ("internal",)
    flags: int = _UP | _UV
    counting: bool = True
    keys: dict[str, Key] = field(default_factory=dict)

    def create(self, options: dict[str, Any], **client_data: Json) -> dict[str, Any]:
        """Return RegistrationResponseJSON for creation options, with a new P-256 key and attestation `none`."""
        private_key = generate_private_key(SECP256R1())
        credential_id = os.urandom(32)
        key = Key(credential_id, private_key, unb64u(options["user"]["id"]))
        self.keys[b64u(credential_id)] = key
        numbers = private_key.public_key().public_numbers()
        cose = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        )
        attested = bytes(16) + len(credential_id).to_bytes(2, "big") + credential_id + cose
        data = self._authenticator_data(options["rp"]["id"], key, _AT) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            credential_id,
            {
                "clientDataJSON": b64u(self._client_data("webauthn.create", options, client_data)),
                "attestationObject": b64u(attestation),
                "transports": list(self.transports),
            },
        )

    def get(
        self, options: dict[str, Any], credential_id: str | None = None, **client_data: Json
    ) -> dict[str, Any]:
        """Return AuthenticationResponseJSON for request options, by the key of this id, else the first allowed one."""
        allowed = {each["id"] for each in options.get("allowCredentials", ())} or self.keys
        key = self.keys[credential_id or next(name for name in self.keys if name in allowed)]
        key.count += self.counting
        data = self._authenticator_data(options["rpId"], key)
        client = self._client_data("webauthn.get", options, client_data)
        signature = key.private_key.sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        return self._answer(
            key.credential_id,
            {
                "clientDataJSON": b64u(client),
                "authenticatorData": b64u(data),
                "signature": b64u(signature),
                "userHandle": b64u(key.handle),
            },
        )

    def _authenticator_data(self, rp_id: str, key: Key, flags: int = 0) -> bytes:
        return (
            hashlib.sha256(rp_id.encode()).digest()
            + bytes([self.flags | flags])
            + key.count.to_bytes(4, "big")
        )

    def _client_data(self, ceremony: str, options: dict[str, Any], changed: dict[str, Any]) -> bytes:
        data = {
            "type": ceremony,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": False,
        }
        return orjson.dumps({**data, **changed})

    def _answer(self, credential_id: bytes, response: dict[str, Any]) -> dict[str, Any]:
        name = b64u(credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "authenticatorAttachment": "platform" if self.transports == ("internal",) else "cross-platform",
            "clientExtensionResults": {},
        }
