"""WebAuthn ceremonies (W3C Web Authentication Level 3, §7) by py_webauthn, with its gaps closed (CRED-1).

The library reads what the authenticator makes: its data, attestations, COSE keys, signatures. What the browser makes we
read ourselves, and strictly: the library does not check for embedding, the credential's owner or the wanted credential,
and takes several spellings of a challenge.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn import verify_registration_response
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    encode_cbor,
    parse_authenticator_data,
    parse_backup_flags,
    parse_cbor,
    verify_signature,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import AuthenticatorData

from ..protocol.canonical import Json, b64u, parse, unb64u
from ..protocol.credential import Credential, known_transports
from ..protocol.errors import Code, Refused
from ..protocol.ids import CredentialId
from ..service.ports import Assertion, Registration

ALGORITHMS = (
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)
"""The algorithms of passkeys, best first: ES256, EdDSA (Ed25519), RS256."""

_MAX_CREDENTIAL_ID = 1023  # bytes, WebAuthn L3 §7.1
_RSA_BITS = range(2048, 4096 + 1)  # smaller is weak, larger costs us time only
_FIXED = 37  # bytes of authenticator data that are always there: rp id hash, flags, counter
_PublicKey = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey


@dataclass(frozen=True, slots=True)
class Ceremonies:
    """Verifies the ceremonies of one relying party (CRED-1), in pages of these origins."""

    rp_id: str
    origins: frozenset[str]

    def authentication(
        self,
        response: Mapping[str, Json],
        challenge: bytes,
        credential: Credential,
        handle: bytes,
        *,
        discovered: bool = False,
    ) -> Assertion:
        """Verify an authentication response (WebAuthn L3 §7.2); else Refused(signature_verification_failed).

        1. It has the right form, and is by this very credential.
        2. A user handle, if there is one, is the owner's. With `discovered`, for a request that did not know the user,
           there is one (§7.2 step 6).
        3. The client data: `webauthn.get`, this challenge, one of our origins, not embedded.
        4. The authenticator data: our rp id, a present and verified user, possible backup flags.
        5. The signature.

        The signature counter is returned, not compared: that is a later step of SEP-2672 §4.8.
        """
        try:
            inner = _inner(response, credential.credential_id)  # 1
            user_handle = inner.get("userHandle")
            if user_handle != b64u(handle) and (discovered or user_handle is not None):  # 2
                raise ValueError("user handle")
            client_data = self._client_data(inner, "webauthn.get", challenge)  # 3
            authenticator_data = _binary(inner, "authenticatorData")
            parsed = _authenticator_data(authenticator_data)
            if parsed.rp_id_hash != hashlib.sha256(self.rp_id.encode()).digest():  # 4
                raise ValueError("rp id")
            if not (parsed.flags.up and parsed.flags.uv):  # 4
                raise ValueError("user verification")
            parse_backup_flags(parsed.flags)  # 4
            key, algorithm = _public_key(credential.public_key)
            verify_signature(  # 5
                public_key=key,
                signature_alg=algorithm,
                signature=_binary(inner, "signature"),
                data=authenticator_data + hashlib.sha256(client_data).digest(),
            )
        except Exception as error:  # py_webauthn lets through whatever its own parsers raise
            raise Refused(
                Code.SIGNATURE_VERIFICATION_FAILED, "The passkey's answer could not be verified. Try again."
            ) from error
        return Assertion(credential, parsed.sign_count)

    def registration(self, response: Mapping[str, Json], challenge: bytes) -> Registration:
        """Verify a registration response (WebAuthn L3 §7.1); else Refused(verification_failed).

        No attestation is asked for. A statement that comes all the same has to be valid, and is not kept.
        """
        try:
            inner = _inner(response, None)
            self._client_data(inner, "webauthn.create", challenge)
            attestation = _attestation(inner)
            verified = verify_registration_response(
                credential={
                    "id": response["id"],
                    "rawId": response["rawId"],
                    "type": "public-key",
                    "response": {
                        "clientDataJSON": inner["clientDataJSON"],
                        "attestationObject": b64u(attestation),
                    },
                },
                expected_challenge=challenge,
                expected_rp_id=self.rp_id,
                expected_origin=sorted(self.origins),
                require_user_verification=True,  # CRED-1
                supported_pub_key_algs=list(ALGORITHMS),
            )
            credential_id = b64u(verified.credential_id)
            if credential_id != response["id"] or len(verified.credential_id) > _MAX_CREDENTIAL_ID:
                raise ValueError("credential id")
            public_key = _canonical(verified.credential_public_key)
        except Exception as error:  # as above
            raise Refused(
                Code.VERIFICATION_FAILED, "The new passkey could not be verified. Try again."
            ) from error
        return Registration(
            CredentialId(credential_id),
            public_key,
            verified.sign_count,
            known_transports(inner.get("transports")),
        )

    def _client_data(self, inner: Mapping[str, Json], ceremony: str, challenge: bytes) -> bytes:
        """Check the client data (§5.8.1), and return its bytes; ValueError if a check fails."""
        raw = _binary(inner, "clientDataJSON")
        data = parse(raw)
        if (
            not isinstance(data, dict)
            or data.get("type") != ceremony
            or data.get("challenge") != b64u(challenge)
        ):
            raise ValueError("type or challenge")
        if data.get("origin") not in self.origins:
            raise ValueError("origin")
        if data.get("crossOrigin", False) is not False or "topOrigin" in data:  # CRED-1
            raise ValueError("embedded")
        return raw


def creation_options(
    challenge: bytes,
    rp_id: str,
    rp_name: str,
    handle: bytes,
    name: str,
    lifetime: int,
    *,
    exclude: Iterable[Credential] = (),
    resident_key: Literal["required", "preferred"] = "preferred",
) -> dict[str, Json]:
    """Return PublicKeyCredentialCreationOptionsJSON for the user of this name; `lifetime` is in seconds.

    Sign-up needs `resident_key="required"`, since only a discoverable credential can sign in without a user name.
    """
    return {
        "rp": {"id": rp_id, "name": rp_name},
        "user": {"id": b64u(handle), "name": name, "displayName": name},
        "challenge": b64u(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": int(algorithm)} for algorithm in ALGORITHMS],
        "timeout": lifetime * 1000,
        "excludeCredentials": [_descriptor(credential) for credential in exclude],
        "authenticatorSelection": {
            "residentKey": resident_key,
            "requireResidentKey": resident_key == "required",
            "userVerification": "required",
        },
        "attestation": "none",
    }


def request_options(
    challenge: bytes, rp_id: str, allow: Iterable[Credential], lifetime: int
) -> dict[str, Json]:
    """Return PublicKeyCredentialRequestOptionsJSON; `lifetime` is in seconds.

    An empty `allow` means any discoverable credential: that is for sign-in only.
    """
    return {
        "challenge": b64u(challenge),
        "timeout": lifetime * 1000,
        "rpId": rp_id,
        "allowCredentials": [_descriptor(credential) for credential in allow],
        "userVerification": "required",
    }


def _inner(response: Mapping[str, Json], credential_id: str | None) -> Mapping[str, Json]:
    """Return `response` of a browser's answer; ValueError if that is by another credential than this (None: any)."""
    match response:
        case {"type": "public-key", "id": str(id_), "rawId": str(raw_id), "response": dict(inner)}:
            pass
        case _:
            raise ValueError("form")
    if id_ != raw_id or (credential_id is not None and id_ != credential_id):
        raise ValueError("credential id")
    return inner


def _binary(members: Mapping[str, Json], name: str) -> bytes:
    value = members.get(name)
    if not isinstance(value, str):
        raise ValueError(name)
    return unb64u(value)


def _attestation(inner: Mapping[str, Json]) -> bytes:
    """Return the bytes of the attestation object (§6.5); ValueError unless they are its shortest form.

    The library's parsers ignore what follows a value, and accept longer forms of it than needed.
    """
    raw = _binary(inner, "attestationObject")
    object_ = parse_cbor(raw)
    if encode_cbor(object_) != raw or object_.keys() != {"fmt", "attStmt", "authData"}:
        raise ValueError("attestation object")
    _authenticator_data(object_["authData"])
    return raw


def _authenticator_data(raw: bytes) -> AuthenticatorData:
    """Read authenticator data (§6.1); ValueError unless they are all of these bytes."""
    parsed = parse_authenticator_data(raw)
    written = raw[:_FIXED]
    if (attested := parsed.attested_credential_data) is not None:
        key_id = attested.credential_id
        written += attested.aaguid + len(key_id).to_bytes(2, "big") + key_id + attested.credential_public_key
    if written + (parsed.extensions or b"") != raw:
        raise ValueError("authenticator data")
    return parsed


def _canonical(cose: bytes) -> bytes:
    """Return a COSE key in its shortest form; ValueError for one with more members than it needs.

    "The COSE_Key-encoded credential public key MUST contain the alg parameter and MUST NOT contain any other OPTIONAL
    parameters" (WebAuthn L3 §6.5.1). It is stored, and a stranger could pad it.
    """
    key, said = _read_key(cose)
    algorithm = int(said)
    members: dict[int, int | bytes]
    match key:
        case EllipticCurvePublicKey():
            point = key.public_numbers()
            members = {1: 2, 3: algorithm, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)}
        case Ed25519PublicKey():
            members = {1: 1, 3: algorithm, -1: 6, -2: key.public_bytes_raw()}
        case _:
            numbers = key.public_numbers()
            members = {1: 3, 3: algorithm, -1: _shortest(numbers.n), -2: _shortest(numbers.e)}
    if parse_cbor(cose).keys() != members.keys():
        raise ValueError("a public key with other members")
    return encode_cbor(members)


def _shortest(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _read_key(cose: bytes) -> tuple[_PublicKey, COSEAlgorithmIdentifier]:
    """Read a COSE key (RFC 9052 §7); ValueError unless it is of the kind that its algorithm needs."""
    decoded = decode_credential_public_key(cose)
    key = decoded_public_key_to_cryptography(decoded)
    match key, decoded.alg:
        case EllipticCurvePublicKey(curve=SECP256R1()), COSEAlgorithmIdentifier.ECDSA_SHA_256:
            pass
        case Ed25519PublicKey(), COSEAlgorithmIdentifier.EDDSA:
            pass
        case RSAPublicKey(key_size=bits), COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256 if (
            bits in _RSA_BITS
        ):
            pass
        case _:
            raise ValueError("public key")
    return key, COSEAlgorithmIdentifier(decoded.alg)


# Kept, since reading a key takes as long as all else but the signature; by the short form that is enrolled.
_public_key = lru_cache(maxsize=4096)(_read_key)


def _descriptor(credential: Credential) -> dict[str, Json]:
    return {
        "type": "public-key",
        "id": credential.credential_id,
        "transports": [*sorted(credential.transports)],
    }
