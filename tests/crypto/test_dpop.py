"""Proofs of possession: each check of RFC 9449 §4.3, with the least change that fails it (PROOF-1)."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from deputize.crypto import dpop, jwt
from deputize.protocol.canonical import b64u
from deputize.protocol.errors import Code, Refused
from deputize.protocol.jwk import PRIVATE_MEMBERS
from deputize.protocol.proof import Proof

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "dpop.json").read_text())
KEY = generate_private_key(SECP256R1())
JWK: dict[str, Any] = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
URL = "https://site.example/deputize/calls"
NOW = 1_800_000_000
CLAIMS = {"jti": "abc", "htm": "POST", "htu": URL, "iat": NOW}
HEADER = {"typ": "dpop+jwt", "jwk": JWK}


def proof(claims: object = CLAIMS, **header: object) -> str:
    encoded = b64u(json.dumps({"alg": "ES256", **HEADER, **header}).encode())
    signing_input = f"{encoded}.{b64u(json.dumps(claims).encode())}"
    return f"{signing_input}.{b64u(ECAlgorithm(ECAlgorithm.SHA256).sign(signing_input.encode(), KEY))}"


def check(*values: str, **kwargs: Any) -> Proof:
    return dpop.verify(list(values), "POST", URL, NOW, **kwargs)


def refused(*values: str, **kwargs: Any) -> Code:
    with pytest.raises(Refused) as caught:
        check(*values, **kwargs)
    return caught.value.refusal.code


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in CLAIMS.items() if key != name}


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_published_proofs_are_good(case: dict[str, Any]) -> None:
    def verify() -> Proof:
        optional: dict[str, Any] = {name: case.get(name) for name in ("access_token", "jkt")}
        return dpop.verify([case["proof"]], case["method"], case["url"], case["now"], **optional)

    if case["valid"]:
        assert verify().jkt == case["jkt"]
    else:
        with pytest.raises(Refused) as caught:
            verify()
        assert caught.value.refusal.code is Code.INVALID_DPOP_PROOF


def test_what_these_tests_change_is_good_before() -> None:
    assert check(proof()).jti == "abc"


@pytest.mark.parametrize("values", [(), ("a", "b")])
def test_check_1_there_is_one_header_field(values: tuple[str, ...]) -> None:
    assert refused(*values) is Code.INVALID_DPOP_PROOF


def test_check_1_the_same_proof_twice_is_two_header_fields() -> None:
    text = proof()
    assert refused(text, text) is Code.INVALID_DPOP_PROOF
    assert refused(f"{text}, {text}") is Code.INVALID_DPOP_PROOF


@pytest.mark.parametrize("text", ["", "proof", proof() + "=", proof() + ".", " " + proof()])
def test_check_2_what_is_no_token_is_refused(text: str) -> None:
    assert refused(text) is Code.INVALID_DPOP_PROOF


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat"])
@pytest.mark.parametrize("value", [None, True, [], {}, "", 1.5])
def test_check_3_each_claim_is_there_and_of_its_type(name: str, value: object) -> None:
    assert refused(proof(without(name))) is Code.INVALID_DPOP_PROOF
    assert refused(proof(CLAIMS | {name: value})) is Code.INVALID_DPOP_PROOF


@pytest.mark.parametrize("ath", [None, "", 0, False, dpop._ath("token")])
def test_check_12_without_a_token_there_is_no_ath_whatever_it_is(ath: object) -> None:
    assert refused(proof(CLAIMS | {"ath": ath})) is Code.INVALID_DPOP_PROOF


@pytest.mark.parametrize("jti", ["a", "~" * 128, 'printable: {"}'])
def test_check_3_a_jti_that_can_be_kept_is_taken(jti: str) -> None:
    assert check(proof(CLAIMS | {"jti": jti})).jti == jti


@pytest.mark.parametrize("jti", ["", "a" * 129, "a\n", "a\0", "ä", "\x7f", 1])
def test_check_3_a_jti_that_cannot_be_kept_is_refused(jti: object) -> None:
    assert refused(proof(CLAIMS | {"jti": jti})) is Code.INVALID_DPOP_PROOF


@pytest.mark.parametrize("typ", ["JWT", "DPOP+JWT", "application/dpop+jwt", "at+jwt", None])
def test_check_4_another_type_is_refused(typ: str | None) -> None:
    assert refused(proof(typ=typ)) is Code.INVALID_DPOP_PROOF


@pytest.mark.parametrize("alg", ["none", "ES384", "HS256", "es256", None])
def test_check_5_another_algorithm_is_refused(alg: str | None) -> None:
    assert refused(proof(alg=alg)) is Code.INVALID_DPOP_PROOF


def test_check_6_another_signature_is_refused() -> None:
    other = ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key(), as_dict=True)
    assert refused(proof(jwk=other)) is Code.INVALID_DPOP_PROOF
    signing_input, _, signature = proof().rpartition(".")
    foreign = proof(CLAIMS | {"jti": "abd"}).rpartition(".")[2]
    assert check(f"{signing_input}.{signature}").jti == "abc"
    assert refused(f"{signing_input}.{foreign}") is Code.INVALID_DPOP_PROOF


OPTIONAL: list[dict[str, object]] = [
    {"alg": "ES256"},
    {"use": "sig"},
    {"key_ops": ["verify"]},
    {"ext": True},
    {"kid": "k1"},
    {"kid": ""},
    {"x5c": []},
    {"x5u": "https://agent.example/x"},
    {"x5t": "AA"},
    {"x5t#S256": "AA"},
    {"exp": 1, "iat": 0, "new": {"d": "not the key's"}},
]


@pytest.mark.parametrize("two", [{}, *OPTIONAL])
@pytest.mark.parametrize("one", OPTIONAL)
def test_check_7_what_a_public_key_says_of_itself_is_taken(
    one: dict[str, object], two: dict[str, object]
) -> None:
    """RFC 7517 §4: optional members, and those that nobody knows. The thumbprint is that of the key alone."""
    assert check(proof(jwk=JWK | one | two)) == check(proof())


@pytest.mark.parametrize("more", OPTIONAL)
@pytest.mark.parametrize("name", sorted(PRIVATE_MEMBERS))
def test_check_7_a_private_member_is_refused(name: str, more: dict[str, object]) -> None:
    values: list[Any] = ["", "c2VjcmV0", None, []]
    for value in values:
        assert refused(proof(jwk=JWK | more | {name: value})) is Code.INVALID_DPOP_PROOF


PRIVATE = ECAlgorithm.to_jwk(KEY, as_dict=True)
BAD_KEYS: list[Any] = [
    None,
    "key",
    [],
    {},
    PRIVATE,
    JWK | {"d": ""},
    JWK | {"d": None},
    JWK | {"k": "c2VjcmV0"},
    JWK | {"use": "enc"},
    JWK | {"use": None},
    JWK | {"alg": "ES384"},
    JWK | {"alg": None},
    JWK | {"kid": 1},
    JWK | {"kid": None},
    JWK | {"key_ops": []},
    JWK | {"key_ops": "verify"},
    JWK | {"key_ops": ["sign"]},
    JWK | {"key_ops": ["verify", "sign"]},
    JWK | {"kty": "oct"},
    JWK | {"kty": "ec"},
    JWK | {"crv": "P-384"},
    JWK | {"crv": "secp256k1"},
    JWK | {"x": JWK["x"] + "="},
    JWK | {"x": JWK["y"], "y": JWK["x"]},
    JWK | {"x": b64u(bytes(32)), "y": b64u(bytes(32))},
    JWK | {"x": b64u(bytes(31))},
    JWK | {"x": "A" + JWK["x"]},
    JWK | {"x": 1},
    JWK | {"y": b64u(bytes(31))},
    JWK | {"y": "A" + JWK["y"]},
    {name: value for name, value in JWK.items() if name != "y"},
    ECAlgorithm.to_jwk(generate_private_key(SECP384R1()).public_key(), as_dict=True),
    {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    {"kty": "oct", "k": "c2VjcmV0"},
]


@pytest.mark.parametrize("jwk", BAD_KEYS)
def test_check_7_any_other_key_is_refused(jwk: Any) -> None:
    assert refused(proof(jwk=jwk)) is Code.INVALID_DPOP_PROOF


@pytest.mark.parametrize("htm", ["GET", "post", "POST "])
def test_check_8_another_method_is_refused(htm: str) -> None:
    assert refused(proof(CLAIMS | {"htm": htm})) is Code.INVALID_DPOP_PROOF


@pytest.mark.parametrize(
    "htu",
    [
        URL + "?a=b",
        URL + "#f",
        URL + "?#",
        "HTTPS://SITE.example/deputize/calls",
        "https://site.example:443/deputize/calls",
        "https://site.example/deputize/%63alls",
        "https://s%69te.example/deputize/calls",
    ],
)
def test_check_9_the_same_url_in_another_spelling_is_taken(htu: str) -> None:
    assert check(proof(CLAIMS | {"htu": htu})).jti == "abc"


@pytest.mark.parametrize(
    "htu",
    [
        URL + "/",
        URL + "%3Fa",
        URL + "/../calls",
        URL.upper(),
        "https://site.example",
        "https://site.example/deputize%2Fcalls",
        "https://site.example/deputize/call",
        "https://site.example:80/deputize/calls",
        "https://site.example:0443/deputize/calls",
        "https://site.example@evil.example/deputize/calls",
        "https://user:password@site.example/deputize/calls",
        "http://site.example/deputize/calls",
        "//site.example/deputize/calls",
        "/deputize/calls",
        "https:///deputize/calls",
        "https://site.exa\tmple/deputize/calls",
        "https://site.example/deputize/ca\nlls",
        " " + URL,
        "https://site.example/deputize/cälls",
        "",
    ],
)
def test_check_9_another_url_is_refused(htu: str) -> None:
    assert refused(proof(CLAIMS | {"htu": htu})) is Code.INVALID_DPOP_PROOF


def test_check_9_escapes_are_equal_in_small_and_capital_letters() -> None:
    claims = CLAIMS | {"htu": "http://[::1]:8000/a%2fb"}
    verified = dpop.verify([proof(claims)], "POST", "http://[::1]:8000/a%2Fb?query", NOW)
    assert verified.jti == "abc"


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_check_9_the_port_of_the_scheme_need_not_be_said(scheme: str, port: int) -> None:
    plain, spelled = f"{scheme}://site.example/a", f"{scheme}://site.example:{port}/a"
    for htu, url in ((plain, spelled), (spelled, plain)):
        assert dpop.verify([proof(CLAIMS | {"htu": htu})], "POST", url, NOW).jti == "abc"


def test_check_9_what_is_no_url_equals_nothing() -> None:
    with pytest.raises(Refused):
        dpop.verify([proof(CLAIMS | {"htu": "/one"})], "POST", "/other", NOW)


@pytest.mark.parametrize("away", [-30, -1, 0, 1, 30])
def test_check_11_at_most_30_seconds_away_is_taken(away: int) -> None:
    assert check(proof(CLAIMS | {"iat": NOW + away})).jti == "abc"


@pytest.mark.parametrize("iat", [NOW - 31, NOW + 31, 0, -1, str(NOW), float(NOW) + 0.5, True])
def test_check_11_any_other_time_is_refused(iat: object) -> None:
    assert refused(proof(CLAIMS | {"iat": iat})) is Code.INVALID_DPOP_PROOF


def test_check_11_a_refusal_tells_the_time() -> None:
    """SHIM-3: a maker whose clock is wrong learns by how much."""
    with pytest.raises(Refused) as caught:
        check(proof(CLAIMS | {"iat": NOW - 31}))
    assert caught.value.refusal.facts == {"now": NOW}


def test_check_12_a_proof_is_for_its_token() -> None:
    with_token = dpop.make(KEY, "POST", URL, NOW, "abc", "token")
    assert check(with_token, access_token="token").jti == "abc"
    for token in ("Token", "", None):
        assert refused(with_token, access_token=token) is Code.INVALID_DPOP_PROOF
    assert refused(proof(), access_token="token") is Code.INVALID_DPOP_PROOF
    assert refused(proof(CLAIMS | {"ath": None}), access_token="token") is Code.INVALID_DPOP_PROOF


def test_check_12_a_proof_is_by_the_key_that_the_token_is_bound_to() -> None:
    jkt = check(proof()).jkt
    assert check(proof(), jkt=jkt).jkt == jkt
    for other in (jkt[:-1], jkt.swapcase(), ""):
        assert refused(proof(), jkt=other) is Code.INVALID_DPOP_PROOF


def test_check_10_another_nonce_is_refused() -> None:
    """OAUTH-2: whoever asks for one says which it takes; nobody else looks at it."""
    with_nonce = dpop.make(KEY, "POST", URL, NOW, "abc", nonce="n1")
    assert check(with_nonce).jti == "abc"
    assert check(with_nonce, nonce=lambda nonce: nonce == "n1").jti == "abc"
    for text in (with_nonce, proof()):
        assert refused(text, nonce=lambda nonce: nonce == "n2") is Code.USE_DPOP_NONCE


def test_check_12_claims_that_bind_it_to_another_call_are_refused() -> None:
    """EVID-2"""
    bound = {"tool": "transfer_money", "args_s256": "abc"}
    text = dpop.make(KEY, "POST", URL, NOW, "abc", **bound)
    assert check(text, bound=bound).jti == "abc"
    for name in bound:
        assert refused(text, bound=bound | {name: "other"}) is Code.INVALID_DPOP_PROOF
    assert refused(proof(), bound=bound) is Code.INVALID_DPOP_PROOF


@pytest.mark.parametrize("away", [-30, 0, 30])
def test_a_jti_is_kept_longer_than_its_proof_is_good(away: int) -> None:
    """PROOF-2: at `keep_until`, and for any commit before, the proof is too old for its replay."""
    text = proof(CLAIMS | {"iat": NOW + away})
    last_good = NOW + away + 30
    keep_until = check(text).keep_until
    assert dpop.verify([text], "POST", URL, last_good).keep_until == keep_until
    with pytest.raises(Refused):
        dpop.verify([text], "POST", URL, last_good + 1)
    assert keep_until - last_good > 60


def test_the_caller_names_the_code() -> None:
    """PROOF-3, PROOF-4: other headers have the same format."""
    for text in ("", proof(alg="none"), proof(jwk=PRIVATE), proof(CLAIMS | {"htm": "GET"})):
        assert refused(text, code=Code.REDEEMER_NOT_ALLOWED) is Code.REDEEMER_NOT_ALLOWED


def test_what_is_made_is_right() -> None:
    text = dpop.make(KEY, "POST", URL + "?query#fragment", NOW, "abc")
    parsed = jwt.parse(text)
    assert parsed.header == {"alg": "ES256", "typ": "dpop+jwt", "jwk": JWK}
    assert parsed.claims == CLAIMS
    assert check(text) == check(proof())


def test_what_nobody_signed_is_not_kept() -> None:
    """Headers and keys of proofs whose signature is wrong: strangers make as many as they like."""
    for number in range(20):
        key = generate_private_key(SECP256R1())
        good = dpop.make(key, "POST", URL, NOW, f"jti-{number}")
        bad = good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")
        before = len(jwt._headers), len(dpop._keys)
        with pytest.raises(Refused):
            dpop.verify([bad], "POST", URL, NOW)
        with pytest.raises(Refused):
            dpop.verify([good], "POST", URL, NOW + 3600)
        assert (len(jwt._headers), len(dpop._keys)) == before
        for _ in range(2):
            dpop.verify([good], "POST", URL, NOW)
        assert (len(jwt._headers), len(dpop._keys)) == (before[0] + 1, before[1] + 1)
