"""Signatures of an OpenID provider, and what passes for one elsewhere (OPENID-3)."""

import hmac
from functools import cache
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deputize.crypto import provider_token
from deputize.crypto.provider_token import UnknownKey
from deputize.protocol.canonical import Json, b64u
from deputize.protocol.errors import Code, Refused

CLAIMS = {"sub": "7"}
TYPES = (None, "jwt")


@cache
def private(alg: str, bits: int) -> Any:
    match alg:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, bits)


def jwk(made: str, kid: str | None = "one", bits: int = 2048, **more: Any) -> dict[str, Json]:
    """Publish the key that was made for an algorithm."""
    key = jwt.get_algorithm_by_name(made).to_jwk(private(made, bits).public_key(), as_dict=True)
    return {name: value for name, value in {**key, "kid": kid, **more}.items() if value is not None}


def token(alg: str, bits: int = 2048, claims: Any = CLAIMS, **header: Any) -> str:
    return jwt.encode(claims, private(alg, bits), alg, headers={"kid": "one", **header})


def refused(text: str, *keys: Json) -> None:
    with pytest.raises(Refused) as raised:
        provider_token.verify(text, keys, TYPES)
    assert raised.value.refusal.code is Code.SIGN_IN_FAILED


@pytest.mark.parametrize("alg", ["ES256", "PS256", "RS256", "EdDSA"])
def test_these_are_taken(alg: str) -> None:
    for key in (jwk(alg), jwk(alg, alg=alg, use="sig")):
        assert provider_token.verify(token(alg), [key], TYPES) == CLAIMS
    without = jwt.encode(CLAIMS, private(alg, 2048), alg)
    assert provider_token.verify(without, [jwk(alg, kid=None)], TYPES) == CLAIMS


@pytest.mark.parametrize("alg", ["ES384", "RS384", "PS512"])
def test_others_are_not(alg: str) -> None:
    refused(token(alg), jwk(alg))


@pytest.mark.parametrize("alg", ["none", "HS256", "None", "", None, 7, ["ES256"], "RS1"], ids=str)
def test_nothing_passes_without_a_signature_by_the_key(alg: Any) -> None:
    """Nor by a secret that is the public key, as whoever confuses algorithms would have it."""
    key = private("RS256", 2048).public_key()
    for secret in (
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.DER, PublicFormat.PKCS1),
        orjson.dumps(jwk("RS256")),
    ):
        head = b64u(orjson.dumps({"alg": alg, "kid": "one"}))
        signing_input = f"{head}.{b64u(orjson.dumps(CLAIMS))}"
        signature = hmac.digest(secret, signing_input.encode(), "sha256")
        for signed in (b"", signature):
            refused(f"{signing_input}.{b64u(signed)}", jwk("RS256"))


def test_one_alg_is_not_another() -> None:
    """A key for PS256 signs no RS256, and one of another kind nothing."""
    with pytest.raises(UnknownKey):
        provider_token.verify(token("RS256"), [jwk("RS256", alg="PS256")], TYPES)
    with pytest.raises(UnknownKey):
        provider_token.verify(token("ES256"), [jwk("RS256")], TYPES)
    with pytest.raises(UnknownKey):
        provider_token.verify(token("ES256"), [jwk("ES256", use="enc")], TYPES)


def test_which_key_has_to_be_clear() -> None:
    for keys in ([], [jwk("ES256", kid="two")], [jwk("ES256"), jwk("ES256")], ["x"]):
        with pytest.raises(UnknownKey):
            provider_token.verify(token("ES256"), keys, TYPES)


@pytest.mark.parametrize(
    "header", [{"typ": "at+jwt"}, {"typ": "logout+jwt"}, {"crit": ["b64"], "b64": True}], ids=str
)
def test_a_token_for_something_else_is_none(header: dict[str, Any]) -> None:
    refused(token("ES256", **header), jwk("ES256"))


def test_a_weak_or_private_key_is_none() -> None:
    jws = jwt.PyJWS()
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):  # PyJWT's, of making it
        weak = jws.encode(orjson.dumps(CLAIMS), private("RS256", 1024), "RS256", headers={"kid": "one"})
    refused(weak, jwk("RS256", bits=1024))
    key: dict[str, Any] = jwt.get_algorithm_by_name("ES256").to_jwk(private("ES256", 2048), as_dict=True)
    refused(token("ES256"), {**key, "kid": "one"})
    refused(token("ES256"), jwk("ES256", x="AA"))


def test_what_is_changed_or_malformed_is_none() -> None:
    good = token("ES256")
    head, body, signature = good.split(".")
    other = b64u(orjson.dumps({"sub": "8"}))
    for text in ("", "x", "a.b.c", f"{head}.{other}.{signature}", f"{head}.{body}.", good + "x" * 20_000):
        refused(text, jwk("ES256"))
    deep = b64u(b'{"alg":' + b"[" * 6000 + b"]" * 6000 + b"}")
    doubled = b64u(b'{"alg":"none","alg":"ES256"}')
    for first in (deep, doubled, b64u(b"[]"), head + "=", "\udcff"):
        refused(f"{first}.{body}.{signature}", jwk("ES256"))
    twice = b'{"sub":"7","sub":"8"}'
    jws = jwt.PyJWS()
    for payload in (twice, b"[]", b"null", b"x"):
        refused(jws.encode(payload, private("ES256", 2048), "ES256", headers={"kid": "one"}), jwk("ES256"))
