"""Tokens: one spelling, one type, one algorithm (TOKEN-1)."""

import gc
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePublicKey,
    generate_private_key,
)
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm
from tests.ill_formed import inside

from deputize.crypto import jwt
from deputize.protocol.canonical import b64u, unb64u
from deputize.protocol.errors import Code, Refused
from deputize.settings import values

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "jwt.json").read_text())
KEY = generate_private_key(SECP256R1())
OTHER_KEY = generate_private_key(SECP256R1())
CLAIMS = {
    "iss": "https://site.example",
    "iat": 1,
    "exp": 301,
    "sub": "usr_1",
    "nested": {"list": [1, "ä", None]},
}
P = 2**256 - 2**224 + 2**192 + 2**96 - 1  # prime of its field
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # order of P-256


def key_of(kid: str) -> EllipticCurvePublicKey | None:
    return {"1": KEY.public_key(), "2": OTHER_KEY.public_key()}.get(kid)


def refused(token: str, **kwargs: Any) -> Code:
    with pytest.raises(Refused) as caught:
        jwt.verify(token, "at+jwt", key_of, **kwargs)
    return caught.value.refusal.code


def signed(header: object, claims: object = CLAIMS) -> str:
    signing_input = f"{b64u(json.dumps(header).encode())}.{b64u(json.dumps(claims).encode())}"
    return f"{signing_input}.{b64u(ECAlgorithm(ECAlgorithm.SHA256).sign(signing_input.encode(), KEY))}"


def test_ill_formed_json_in_a_token_is_refused_though_it_is_signed() -> None:
    """TOKEN-1, JSON-1, JSON-2: in the header, and in the claims."""
    header, claims = b64u(b'{"typ":"at+jwt","alg":"ES256","kid":"1"}'), b64u(b'{"exp":301}')
    for text in inside('"typ":"at+jwt","alg":"ES256","kid":"1","exp":301'):
        for signing_input in (f"{b64u(text)}.{claims}", f"{header}.{b64u(text)}"):
            signature = ECAlgorithm(ECAlgorithm.SHA256).sign(signing_input.encode(), KEY)
            assert refused(f"{signing_input}.{b64u(signature)}") is Code.INVALID_TOKEN


def test_what_anybody_sends_fills_no_memory() -> None:
    """TOKEN-1: headers are read before the signature is checked."""
    tracemalloc.start()
    try:
        for number in range(200):
            refused(signed({"typ": "at+jwt", "alg": "ES256", "kid": number, "more": [[]] * 1400}, {}))
        gc.collect()  # what refused them is in cycles
        assert tracemalloc.get_traced_memory()[0] < 5_000_000
    finally:
        tracemalloc.stop()


def test_what_was_signed_is_read_back() -> None:
    token = jwt.sign(CLAIMS, "at+jwt", "1", KEY)
    assert jwt.verify(token, "at+jwt", key_of) == CLAIMS
    assert jwt.parse(token).header == {"typ": "at+jwt", "alg": "ES256", "kid": "1"}


def test_a_token_of_another_implementation_is_read() -> None:
    example = VECTORS["example"]
    unverified = jwt.parse(example["token"])
    key = ECAlgorithm.from_jwk(example["jwk"])
    assert isinstance(key, EllipticCurvePublicKey)
    assert jwt.check(unverified, key) == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}


@pytest.mark.parametrize("case", VECTORS["malformed"], ids=lambda case: case["name"])
def test_malformed_tokens_are_refused(case: dict[str, str]) -> None:
    """TOKEN-1"""
    with pytest.raises(Refused) as caught:
        jwt.parse(case["token"])
    assert caught.value.refusal.code is Code.INVALID_TOKEN


def test_a_token_has_at_most_8_kib() -> None:
    """TOKEN-1"""
    sizes = {}
    for kid in ("1", "12", "123"):  # base64 has no length of 4n + 1, so that one header does not do for all
        for pad in range(6020, 6080):
            token = signed({"alg": "ES256", "kid": kid}, {"pad": "x" * pad})
            sizes[len(token)] = token
    assert jwt.parse(sizes[8192]).header["alg"] == "ES256"
    with pytest.raises(Refused):
        jwt.parse(sizes[8193])


GOOD = {"typ": "at+jwt", "alg": "ES256", "kid": "1"}


def test_the_header_of_these_tests_is_good_but_for_what_they_change() -> None:
    assert jwt.verify(signed(GOOD), "at+jwt", key_of) == CLAIMS


@pytest.mark.parametrize(
    "change",
    [
        {"typ": "JWT"},
        {"typ": "AT+JWT"},
        {"typ": "application/at+jwt"},
        {"typ": "txntoken+jwt"},
        {"typ": None},
        {"kid": "3"},
        {"kid": "2"},
        {"kid": 1},
        {"kid": None},
        {"kid": ["1"]},
        {"alg": "ES384"},
        {"crit": ["exp"], "exp": 1},
    ],
    ids=str,
)
def test_a_header_that_is_not_ours_is_refused(change: dict[str, object]) -> None:
    """TOKEN-1: exact `typ` and `alg`, no `crit`, known `kid`."""
    assert refused(signed({**GOOD, **change})) is Code.INVALID_TOKEN


@pytest.mark.parametrize("missing", ["typ", "alg", "kid"])
def test_an_incomplete_header_is_refused(missing: str) -> None:
    assert (
        refused(signed({name: value for name, value in GOOD.items() if name != missing}))
        is Code.INVALID_TOKEN
    )


def test_a_key_in_the_header_is_not_used() -> None:
    token = jwt.sign_with_header(
        jwt.encode_header("at+jwt", kid="1", jwk=ECAlgorithm.to_jwk(OTHER_KEY.public_key(), as_dict=True)),
        CLAIMS,
        OTHER_KEY,
    )
    assert refused(token) is Code.INVALID_TOKEN


@given(st.integers(0, 85), st.integers(0, 5))
def test_a_signature_with_one_bit_changed_is_refused(position: int, bit: int) -> None:
    token = jwt.sign(CLAIMS, "at+jwt", "1", KEY)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    index = len(token) - 86 + position
    changed = token[:index] + alphabet[alphabet.index(token[index]) ^ 1 << bit] + token[index + 1 :]
    assert refused(changed) is Code.INVALID_TOKEN


def test_changed_claims_are_refused() -> None:
    header, _, signature = jwt.sign(CLAIMS, "at+jwt", "1", KEY).split(".")
    claims = b64u(json.dumps({**CLAIMS, "sub": "usr_2"}).encode())
    assert refused(f"{header}.{claims}.{signature}") is Code.INVALID_TOKEN


@pytest.mark.parametrize(
    "signature", [bytes(64), b"\xff" * 64, bytes(32) + b"\x01" * 32, b"\x01" * 32 + bytes(32)]
)
def test_signatures_out_of_range_are_refused(signature: bytes) -> None:
    assert not jwt.verify_es256(KEY.public_key(), b"input", signature)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 72])
def test_signatures_of_another_length_are_refused(length: int) -> None:
    assert not jwt.verify_es256(KEY.public_key(), b"input", bytes(length))


def test_the_second_spelling_of_a_signature_is_known() -> None:
    """Whoever keys replay on the text of a token would be wrong: this test says so."""
    signing_input, _, signature = jwt.sign(CLAIMS, "at+jwt", "1", KEY).rpartition(".")
    raw = unb64u(signature)
    other = raw[:32] + (N - int.from_bytes(raw[32:])).to_bytes(32)
    assert jwt.verify(f"{signing_input}.{b64u(other)}", "at+jwt", key_of) == CLAIMS


def test_the_caller_names_the_code() -> None:
    for token in ("", jwt.sign(CLAIMS, "JWT", "1", KEY), jwt.sign(CLAIMS, "at+jwt", "2", KEY)):
        assert refused(token, code=Code.INVALID_CALL_TOKEN) is Code.INVALID_CALL_TOKEN


def test_a_point_has_one_spelling() -> None:
    """A number beyond the prime is its remainder to a library: one key would have two thumbprints."""
    found = 0
    for x in range(32):
        square = (x**3 - 3 * x + B) % P
        y = pow(square, (P + 1) // 4, P)
        if y * y % P != square:
            continue  # no point has this x
        found += 1
        for point in ((x, y), (x, P - y)):
            key = jwt.public_key(*[b64u(number.to_bytes(32)) for number in point])
            numbers = key.public_numbers()
            assert (numbers.x, numbers.y) == point
            with pytest.raises(ValueError, match=r"."):
                jwt.public_key(b64u((point[0] + P).to_bytes(32)), b64u(point[1].to_bytes(32)))
            jwk = {"kty": "EC", "crv": "P-256", "x": b64u((point[0] + P).to_bytes(32))}
            with pytest.raises(ValueError, match="P-256"):
                values.jwk({**jwk, "y": b64u(point[1].to_bytes(32))})
    assert found > 8
