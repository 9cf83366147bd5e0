"""What a provider's metadata and tokens have to say (OPENID-1, OPENID-3, SIGNIN-7)."""

from typing import Any

import pytest

from deputize.protocol.canonical import Json
from deputize.protocol.errors import Code, Refused
from deputize.protocol.login import Identity
from deputize.protocol.openid import Metadata, ended_by, identity_of, name_in, read_metadata

NOW = 1_800_000_000
ISSUER, CLIENT, NONCE = "https://login.bank.example", "deputize", "n" * 43
METADATA: dict[str, Json] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth?tenant=1",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
}
ID_TOKEN: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sub": "248289761001",
    "nonce": NONCE,
    "iat": NOW,
    "exp": NOW + 3600,
}
EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sid": "s1",
    "iat": NOW,
    "exp": NOW + 120,
    "jti": "j1",
    "events": {EVENT: {}},
}


def put(told: dict[str, Any], wrong: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**told, **wrong}.items() if value is not None}


class TestMetadata:
    def test_of_the_issuer_are_good(self) -> None:
        more: dict[str, Json] = {
            "userinfo_endpoint": f"{ISSUER}/me",
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
            "code_challenge_methods_supported": ["S256"],
        }
        told = read_metadata({**METADATA, **more}, ISSUER, False)
        at = (f"{ISSUER}/auth?tenant=1", f"{ISSUER}/token", f"{ISSUER}/jwks")
        assert told == Metadata(*at, f"{ISSUER}/me", True, True)
        assert read_metadata(METADATA, ISSUER, False) == Metadata(*at, None, False, False)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"issuer": "https://evil.example"},  # OpenID Connect Discovery §4.3
            {"issuer": f"{ISSUER}/"},
            {"issuer": None},
            {"authorization_endpoint": None},
            {"authorization_endpoint": "http://login.bank.example/auth"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"token_endpoint": "https://127.0.0.1/token"},
            {"token_endpoint": "http://localhost:9/token"},
            {"jwks_uri": "file:///etc/passwd"},
            {"userinfo_endpoint": "https://10.0.0.1/me"},
            {"token_endpoint_auth_methods_supported": ["client_secret_basic"]},
            {"code_challenge_methods_supported": ["plain"]},
            {"code_challenge_methods_supported": "S256"},
        ],
        ids=str,
    )
    def test_of_another_or_that_lead_elsewhere_are_not(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(Refused) as raised:
            read_metadata(put(METADATA, wrong), ISSUER, False)
        assert raised.value.refusal.code is Code.SIGN_IN_FAILED

    @pytest.mark.parametrize("document", [None, [], "x", {}], ids=str)
    def test_are_an_object(self, document: Json) -> None:
        with pytest.raises(Refused):
            read_metadata(document, ISSUER, False)


class TestIdTokens:
    def judged(self, **wrong: Any) -> Identity:
        return identity_of(put(ID_TOKEN, wrong), ISSUER, CLIENT, NONCE, NOW)

    def test_say_who_it_is(self) -> None:  # OPENID-2
        more = {"name": "Ada", "auth_time": NOW - 9, "sid": "s1", "session_expiry": NOW + 60, "azp": CLIENT}
        expected = Identity(f"{ISSUER} 248289761001", "Ada", NOW - 9, f"{ISSUER} s1", NOW + 60)
        assert self.judged(**more, aud=[CLIENT], email="ada@bank.example") == expected
        assert self.judged() == Identity(f"{ISSUER} 248289761001", "", 0)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"iss": "https://evil.example"},
            {"iss": None},
            {"aud": "another"},
            {"aud": None},
            {"aud": [CLIENT, "another"]},
            {"aud": []},
            {"azp": "another"},
            {"nonce": "m" * 43},
            {"nonce": None},
            {"sub": None},
            {"sub": ""},
            {"sub": "a b"},
            {"sub": "x" * 256},
            {"sub": 7},
            {"iat": None},
            {"exp": None},
            {"iat": "now"},
            {"iat": NOW + 31},
            {"iat": NOW - 330},
            {"exp": NOW - 30},
            {"auth_time": NOW + 31},
            {"auth_time": "now"},
            {"auth_time": True},
            {"sid": 7},
            {"session_expiry": "soon"},
        ],
        ids=str,
    )
    def test_are_held_to_each_claim(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(Refused) as raised:
            self.judged(**wrong)
        assert raised.value.refusal.code is Code.SIGN_IN_FAILED

    def test_may_come_from_a_clock_that_differs(self) -> None:  # TOKEN-5
        for near in ({"iat": NOW + 30}, {"iat": NOW - 329}, {"exp": NOW - 29}, {"auth_time": NOW + 30}):
            self.judged(**near)

    def test_name_people_by_what_is_there(self) -> None:
        assert name_in({"name": " ", "preferred_username": "ada"}) == "ada"
        assert name_in({"name": 7, "email": "ada@bank.example"}) is None


class TestLogoutTokens:
    """OpenID Connect Back-Channel Logout §2.6."""

    def test_say_what_has_ended(self) -> None:
        told = ended_by(LOGOUT, ISSUER, CLIENT, NOW)
        assert (told.sid, told.external_id) == (f"{ISSUER} s1", None)
        told = ended_by(put(LOGOUT, {"sid": None, "sub": "7"}), ISSUER, CLIENT, NOW)
        assert (told.sid, told.external_id) == (None, "7")
        assert told.proof.keep_until > NOW + 300

    @pytest.mark.parametrize(
        "wrong",
        [
            {"iss": "https://evil.example"},
            {"aud": "another"},
            {"nonce": NONCE},  # that is an ID Token
            {"events": None},
            {"events": {}},
            {"events": {EVENT: True}},
            {"events": [EVENT]},
            {"jti": None},
            {"jti": ""},
            {"sid": None},
            {"sid": 7},
            {"sub": 7},
            {"iat": NOW - 330},
            {"exp": NOW - 30},
            {"exp": None},
        ],
        ids=str,
    )
    def test_are_held_to_each_claim(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(Refused):
            ended_by(put(LOGOUT, wrong), ISSUER, CLIENT, NOW)


@pytest.mark.parametrize(
    ("taken", "basic"),
    [
        (None, True),  # OpenID Connect Discovery §3: the default
        (["client_secret_basic", "client_secret_post"], True),
        (["client_secret_post"], False),
    ],
)
def test_a_secret_goes_where_the_provider_takes_it(taken: Json, basic: bool) -> None:  # OPENID-1
    told = put(METADATA, {"token_endpoint_auth_methods_supported": taken})
    assert read_metadata(told, ISSUER, False, has_secret=True).basic is basic


@pytest.mark.parametrize(
    ("taken", "has_secret", "told"),
    [
        (["client_secret_basic"], False, "does not take private_key_jwt; get a client secret there"),
        (["private_key_jwt"], True, r"does not take client_secret_basic or client_secret_post\."),
    ],
)
def test_a_provider_that_takes_no_proof_of_ours_is_told_with_the_cure(
    taken: Json, has_secret: bool, told: str
) -> None:
    with pytest.raises(Refused, match=told):
        read_metadata({**METADATA, "token_endpoint_auth_methods_supported": taken}, ISSUER, False, has_secret)
