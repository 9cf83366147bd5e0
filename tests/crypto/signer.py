"""An agent that signs its requests, by a library that knows nothing of deputize (http-message-signatures)."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from json import dumps
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ECDSA_P256_SHA256, ED25519
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

Private: TypeAlias = EllipticCurvePrivateKey | Ed25519PrivateKey
COVERED = ("@method", "@target-uri", "content-digest", '"signature-agent";key="sig1"')


def jwk_of(private: Private) -> dict[str, Any]:
    """Return the public half, as a library writes it."""
    if isinstance(private, Ed25519PrivateKey):
        jwk = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return {name: jwk[name] for name in ("kty", "crv", "x", "y") if name in jwk}


def thumbprint_of(private: Private) -> str:
    """Return the thumbprint of RFC 7638, by the text of that RFC."""
    text = dumps(jwk_of(private), sort_keys=True, separators=(",", ":"))
    return urlsafe_b64encode(sha256(text.encode()).digest()).decode().rstrip("=")


@dataclass
class Message:
    """What the library signs."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


def sign(
    private: Private,
    url: str,
    body: bytes,
    agent: str,
    now: int,
    nonce: str | None = "n1",
    *,
    method: str = "POST",
    lifetime: int | None = 60,
    tag: str | None = "web-bot-auth",
    keyid: str | None = None,
    covered: Sequence[str] = COVERED,
    headers: Mapping[str, str] | None = None,
    label: str = "sig1",
    include_alg: bool = True,
    also: bool = False,
) -> dict[str, str]:
    """Return the headers of a signed request, `headers` among them. With `also`, beside a signature that is there."""
    message = Message(method, url, {**({"Signature-Agent": agent} if agent else {}), **(headers or {})})
    keyid = keyid or thumbprint_of(private)
    signer = HTTPMessageSigner(
        signature_algorithm=ED25519 if isinstance(private, Ed25519PrivateKey) else ECDSA_P256_SHA256,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={keyid: private}),
    )
    digested = "Content-Digest" in message.headers  # by the test, and however that likes
    to_digest = not digested and "content-digest" in covered
    signer.sign(
        message,
        key_id=keyid,
        created=datetime.fromtimestamp(now, UTC),
        expires=None if lifetime is None else datetime.fromtimestamp(now + lifetime, UTC),
        nonce=nonce,
        tag=tag,
        label=label,
        include_alg=include_alg,
        covered_component_ids=[name for name in covered if not to_digest or name != "content-digest"],
        append_if_signature_exists=also,
        body=body if to_digest else None,
        use_existing_digest=digested,
    )
    return message.headers
