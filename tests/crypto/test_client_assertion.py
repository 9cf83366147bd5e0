"""private_key_jwt: each check with the least change that fails it (OAUTH-1; RFC 7523 §3, rfc7523bis §4)."""

import json
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from jwt.algorithms import ECAlgorithm

from deputize.crypto import client_assertion, dpop
from deputize.crypto.client_assertion import ASSERTION_TYPE
from deputize.protocol.canonical import b64u
from deputize.protocol.errors import Code, Refused
from deputize.protocol.jwk import Key, thumbprint
from deputize.protocol.proof import Proof

PRIVATE = generate_private_key(SECP256R1())
ISSUER = "https://site.example/deputize"
CLIENT = "https://agent.example/agent.json"
NOW = 1_800_000_000
CLAIMS: dict[str, object] = {
    "iss": CLIENT,
    "sub": CLIENT,
    "aud": ISSUER,
    "iat": NOW,
    "exp": NOW + 60,
    "jti": "abc",
}


def public(private: Any = PRIVATE, kid: str | None = "1") -> Key:
    jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return Key(jwk["x"], jwk["y"], kid)


KEY = public()
OTHER = public(generate_private_key(SECP256R1()), "2")


def assertion(claims: dict[str, object] = CLAIMS, **header: object) -> str:
    members = {"alg": "ES256", "typ": "client-authentication+jwt", "kid": "1"} | header
    head = {name: value for name, value in members.items() if value is not None}
    signing_input = f"{b64u(json.dumps(head).encode())}.{b64u(json.dumps(claims).encode())}"
    return f"{signing_input}.{b64u(ECAlgorithm(ECAlgorithm.SHA256).sign(signing_input.encode(), PRIVATE))}"


def check(
    text: str, *keys: Key, now: int = NOW, client_id: str = CLIENT, kind: str = ASSERTION_TYPE
) -> Proof:
    return client_assertion.verify(text, kind, keys or (KEY, OTHER), client_id, ISSUER, now)


def refused(text: str, *keys: Key, part: str = "", **kwargs: Any) -> None:
    with pytest.raises(Refused) as caught:
        check(text, *keys, **kwargs)
    assert caught.value.refusal.code is Code.INVALID_CLIENT
    assert part in caught.value.refusal.detail


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def test_what_these_tests_change_is_good_before() -> None:
    jkt = thumbprint({"kty": "EC", "crv": "P-256", "x": KEY.x, "y": KEY.y})
    proof = check(assertion())
    assert (proof.jkt, proof.jti) == (jkt, "abc")


@pytest.mark.parametrize("kind", ["", "jwt-bearer", ASSERTION_TYPE + " ", ASSERTION_TYPE.upper()])
def test_1_another_type_of_assertion_is_refused(kind: str) -> None:
    refused(assertion(), kind=kind, part="client_assertion_type")


def test_7_a_key_that_signs_requests_only_is_none_of_those() -> None:  # OAUTH-15
    ed25519 = Key("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", None, "1")
    assert check(assertion(kid=None), KEY, ed25519) == check(assertion(), ed25519, KEY)
    refused(assertion(), ed25519, part="kid has to name")


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES384", "EdDSA", "es256", None])
def test_1_another_algorithm_is_refused(alg: str | None) -> None:
    refused(assertion(alg=alg))


@pytest.mark.parametrize("text", ["", "x", assertion() + "=", assertion() + ".", assertion(crit=["exp"])])
def test_1_what_is_no_token_is_refused(text: str) -> None:  # TOKEN-1
    refused(text)


@pytest.mark.parametrize(
    "typ", [None, "JWT", "client-authentication+jwt", "application/client-authentication+jwt"]
)
def test_2_types_that_say_this_or_nothing_are_taken(typ: str | None) -> None:
    assert check(assertion(typ=typ)).jti == "abc"


@pytest.mark.parametrize(
    "typ", ["at+jwt", "dpop+jwt", "txntoken+jwt", "handoff+jwt", "jwt", "", 1, ["JWT"], {}]
)
def test_2_other_types_are_refused(typ: object) -> None:
    refused(assertion(typ=typ), part="another type")


@pytest.mark.parametrize("name", ["iss", "sub"])
@pytest.mark.parametrize("value", [None, "", CLIENT + "/", CLIENT.upper(), [CLIENT], 1])
def test_3_one_that_the_client_did_not_make_about_itself_is_refused(name: str, value: object) -> None:
    refused(assertion(without(name)), part="client_id")
    refused(assertion(CLAIMS | {name: value}), part="client_id")


def test_3_another_clients_is_refused() -> None:
    refused(assertion(), client_id=CLIENT + "x", part="client_id")
    refused(assertion(CLAIMS | {"iss": "x", "sub": "x"}), part="client_id")


@pytest.mark.parametrize(
    "aud",
    [
        None,
        "",
        ISSUER + "/",
        ISSUER + "/token",
        "https://site.example",
        ISSUER.replace("s://", "s://S"),
        [ISSUER],
        [ISSUER, ISSUER],
        [ISSUER, "https://evil.example"],
        {ISSUER: 1},
    ],
)
def test_4_one_for_another_authority_is_refused(aud: object) -> None:
    refused(assertion(CLAIMS | {"aud": aud}), part="aud has to be")
    refused(assertion(without("aud")), part="aud has to be")


@pytest.mark.parametrize(
    ("times", "now", "good"),
    [
        ({"exp": NOW + 60}, NOW, True),
        ({"exp": NOW + 61}, NOW, False),
        ({"exp": NOW + 60}, NOW + 89, True),
        ({"exp": NOW + 60}, NOW + 90, False),
        ({"iat": NOW + 30, "exp": NOW + 90}, NOW, True),
        ({"iat": NOW + 31, "exp": NOW + 90}, NOW, False),
        ({"iat": NOW + 30, "exp": NOW + 91}, NOW, False),
        ({"iat": NOW - 1_000, "exp": NOW + 1}, NOW, False),
        ({"iat": NOW + 10, "exp": NOW + 5}, NOW, True),
        ({"iat": None, "exp": NOW + 90}, NOW, True),
        ({"iat": None, "exp": NOW + 91}, NOW, False),
        ({"iat": None, "exp": NOW - 29}, NOW, True),
        ({"iat": None, "exp": NOW - 30}, NOW, False),
        ({"nbf": NOW + 30}, NOW, True),
        ({"nbf": NOW + 31}, NOW, False),
        ({"exp": None}, NOW, False),
        ({"exp": str(NOW + 60)}, NOW, False),
        ({"exp": NOW + 59.5}, NOW, False),
        ({"exp": True}, NOW, False),
        ({"iat": str(NOW)}, NOW, False),
        ({"nbf": str(NOW)}, NOW, False),
    ],
    ids=str,
)
def test_5_one_that_is_not_of_now_is_refused(
    times: dict[str, object], now: int, good: bool
) -> None:  # TOKEN-5
    claims = {name: value for name, value in (CLAIMS | times).items() if value is not None}
    if good:
        assert check(assertion(claims), now=now).jti == "abc"
    else:
        refused(assertion(claims), now=now)


def test_a_wrong_clock_learns_the_right_one() -> None:
    with pytest.raises(Refused) as caught:
        check(assertion(), now=NOW + 1_000)
    assert caught.value.refusal.facts == {"now": NOW + 1_000}


@pytest.mark.parametrize("leeway", range(-30, 31, 10))
def test_a_proof_is_remembered_as_long_as_it_could_be_shown(leeway: int) -> None:  # PROOF-2
    text = assertion(CLAIMS | {"iat": NOW + leeway, "exp": NOW + leeway + 60})
    keep_until = check(text).keep_until
    refused(text, now=keep_until - 60)  # nor at any later time, and a commit takes less than the rest
    assert check(text, now=keep_until - 61).keep_until == keep_until


@pytest.mark.parametrize("jti", ["a", "~" * 128, 'printable: {"}'])
def test_6_a_jti_that_can_be_kept_is_taken(jti: str) -> None:
    assert check(assertion(CLAIMS | {"jti": jti})).jti == jti


@pytest.mark.parametrize("jti", [None, "", "a" * 129, "a\n", "\0", "ä", 1, ["a"]])
def test_6_a_jti_that_cannot_be_kept_is_refused(jti: object) -> None:
    refused(assertion(CLAIMS | {"jti": jti}), part="jti")
    refused(assertion(without("jti")), part="jti")


@pytest.mark.parametrize("kid", ["2", "3", "", 1, ["1"], {}])
def test_7_a_kid_that_names_another_key_or_none_is_refused(kid: object) -> None:
    refused(assertion(kid=kid))


def test_7_no_kid_is_enough_for_one_key_only() -> None:
    assert check(assertion(kid=None), KEY) == check(assertion())
    assert check(assertion(kid=None), public(kid=None)) == check(assertion())
    refused(assertion(kid=None), KEY, OTHER, part="kid")
    refused(assertion(kid="1"), public(kid=None), part="kid")
    with pytest.raises(Refused):
        client_assertion.verify(assertion(kid=None), ASSERTION_TYPE, (), CLIENT, ISSUER, NOW)


def test_8_another_signature_is_refused() -> None:
    refused(assertion(), Key(OTHER.x, OTHER.y, "1"), part="signature")
    signing_input, _, _ = assertion().rpartition(".")
    foreign = assertion(CLAIMS | {"jti": "abd"}).rpartition(".")[2]
    refused(f"{signing_input}.{foreign}", part="signature")


@pytest.mark.parametrize("x", [KEY.y, "A" * 43, b64u(b"\xff" * 32)], ids=["its y", "zero", "most"])
def test_8_a_key_that_is_no_point_is_refused(x: str) -> None:
    refused(assertion(), Key(x, KEY.y, "1"), part="not a point")


def test_a_key_in_the_header_is_nobodys() -> None:
    mallory = generate_private_key(SECP256R1())
    jwk = ECAlgorithm.to_jwk(mallory.public_key(), as_dict=True)
    text = pyjwt.encode(CLAIMS, mallory, "ES256", headers={"kid": "1", "jwk": jwk})
    refused(text, part="signature")


def test_assertions_of_a_common_library_pass() -> None:
    assert check(pyjwt.encode(CLAIMS, PRIVATE, "ES256", headers={"kid": "1"})).jti == "abc"


def test_a_dpop_proof_by_the_same_key_is_no_assertion() -> None:
    refused(dpop.make(PRIVATE, "POST", ISSUER + "/token", NOW, "abc"), KEY, part="another type")
