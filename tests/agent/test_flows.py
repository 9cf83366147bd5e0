"""What an agent says and believes, without a network: flows are sent answers as an authority might give them."""

import hashlib
import json
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from deputize.agent import (
    AccessDenied,
    AgentClient,
    AgentError,
    AgentKey,
    ClientRefused,
    ConsentNeeded,
    DeviceCode,
    NotDeputized,
    OAuthError,
    RequestExpired,
    Tokens,
    Unexpected,
)
from deputize.agent.flows import Flows
from deputize.agent.wire import Answer, Flow, Request
from deputize.crypto import jwt
from deputize.protocol.canonical import args_s256, b64u

BANK = "https://bank.example/deputize"
ME = "https://agent.example/agent.json"
NOW = 1_800_000_000
CALLBACK = "http://127.0.0.1:4000/callback"
ENDPOINTS = {
    "authorization_endpoint": f"{BANK}/authorize",
    "pushed_authorization_request_endpoint": f"{BANK}/par",
    "token_endpoint": f"{BANK}/token",
    "device_authorization_endpoint": f"{BANK}/device_authorization",
    "introspection_endpoint": f"{BANK}/introspect",
    "revocation_endpoint": f"{BANK}/revoke",
    "deputize_calls_endpoint": f"{BANK}/calls",
}
METADATA = {"issuer": BANK, **ENDPOINTS}
ACCESS, REFRESH, CODE = "access" * 10, "refresh" * 10, "code" * 12
TOKENS: dict[str, Any] = {
    "access_token": ACCESS,
    "token_type": "DPoP",
    "expires_in": 300,
    "refresh_token": REFRESH,
    "scope": "a",
    "sub": "usr_x",
    "grant_id": "grt_x",
}
DEVICE = {
    "device_code": CODE,
    "user_code": "BCDF-GHJK",
    "verification_uri": f"{BANK}/device",
    "expires_in": 600,
    "interval": 5,
}


def answer(said: Any, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, said if isinstance(said, bytes) else json.dumps(said).encode())


def refusal(code: str, description: str = "No.", **more: Any) -> Answer:
    headers = {"dpop_nonce": more.pop("nonce")} if "nonce" in more else {}
    return answer({"error": code, "error_description": description, **more}, 400, **headers)


class Memory:
    """Keeps tokens here."""

    def __init__(self, tokens: Tokens | None = None) -> None:
        self.tokens = tokens

    def read(self) -> Tokens | None:
        return self.tokens

    def write(self, tokens: Tokens | None) -> None:
        self.tokens = tokens


class Talk:
    """An agent, and what it sent so far."""

    def __init__(self, tokens: bool = False, clock: Callable[[], float] = lambda: NOW) -> None:
        self.key = AgentKey.generate()
        self.store = Memory(Tokens.of(TOKENS, BANK, ME, NOW) if tokens else None)
        self.flows = Flows(BANK, ME, self.key, self.store, clock)
        self.sent: list[Request] = []

    def play(self, flow: Flow[Any], *answers: Answer, found: bool = True) -> Any:
        """Answer the flow's requests in turn; all answers are to be used. Metadata is found unless it is the matter."""
        left = [*([answer(METADATA)] if found and not self.sent else []), *answers]
        try:
            request = next(flow)
            while True:
                self.sent.append(request)
                request = flow.send(left.pop(0))
        except StopIteration as done:
            assert left == []
            return done.value
        except AgentError:
            assert left == []
            raise

    def form(self, index: int = -1) -> dict[str, str]:
        return dict(parse_qsl(self.sent[index].body.decode()))

    def proof(self, index: int = -1) -> dict[str, Any]:
        return dict(jwt.parse(self.sent[index].headers["dpop"]).claims)

    def assertion(self, index: int = -1) -> dict[str, Any]:
        return dict(jwt.parse(self.form(index)["client_assertion"]).claims)

    def pushed(self) -> str:
        """Push a request and return its state."""
        self.play(
            self.flows.authorization_url("a", CALLBACK, None),
            answer({"request_uri": "urn:x", "expires_in": 90}, 201),
        )
        return self.form()["state"]


class TestDiscovery:
    @pytest.mark.parametrize(
        ("issuer", "url"),
        [
            ("https://bank.example", "https://bank.example/.well-known/oauth-authorization-server"),
            ("https://b.example/a/b", "https://b.example/.well-known/oauth-authorization-server/a/b"),
            ("http://localhost:8000/d", "http://localhost:8000/.well-known/oauth-authorization-server/d"),
        ],
    )
    def test_asks_at_the_root_with_the_path_behind(self, issuer: str, url: str) -> None:  # RFC 8414 §3.1
        request = next(Flows(issuer, ME, AgentKey.generate(), None, lambda: NOW).discover())
        assert (request.method, request.url) == ("GET", url)

    def test_metadata_is_fetched_once(self) -> None:
        talk = Talk()
        found = talk.play(talk.flows.discover())
        assert talk.play(talk.flows.discover()) is found
        assert (found.token_endpoint, found.deputize_calls_endpoint) == (f"{BANK}/token", f"{BANK}/calls")

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ({**METADATA, "issuer": "https://evil.example"}, "another issuer"),  # RFC 8414 §3.3
            ({**METADATA, "issuer": BANK + "/"}, "another issuer"),
            (ENDPOINTS, "another issuer"),
            ({**METADATA, "token_endpoint": "http://bank.example/token"}, "no token_endpoint"),
            ({**METADATA, "token_endpoint": "https://["}, "no token_endpoint"),
            ({**METADATA, "token_endpoint": None}, "no token_endpoint"),
            ({**METADATA, "deputize_calls_endpoint": 1}, "no deputize_calls_endpoint"),
            ([], "something else than a JSON object"),
            (b"<html>", "something else than a JSON object"),
            (b'{"issuer": "a", "issuer": "b"}', "something else than a JSON object"),
        ],
    )
    def test_believes_nobody_else(self, said: Any, why: str) -> None:
        talk = Talk()
        with pytest.raises(Unexpected, match=why):
            talk.play(talk.flows.discover(), answer(said), found=False)
        with pytest.raises(Unexpected, match="answered 404"):
            talk.play(talk.flows.discover(), answer(METADATA, 404), found=False)

    @pytest.mark.parametrize(
        "issuer", ["http://bank.example", "bank.example", "", "ftp://bank.example", "https://"]
    )
    def test_talks_to_nobody_without_tls(self, issuer: str) -> None:
        with pytest.raises(ValueError, match="https"):
            AgentClient(issuer, ME, AgentKey.generate())


class TestPushing:
    def test_says_all_that_a_careful_client_says(self) -> None:  # OAUTH-1 to OAUTH-3
        talk = Talk()
        limits = [{"type": "webmcp_tool", "tool": "note"}]
        url = talk.play(
            talk.flows.authorization_url("a b", CALLBACK, limits), answer({"request_uri": "urn:x"}, 201)
        )
        form = talk.form()
        assert form["response_type"] == "code"
        assert (form["scope"], form["redirect_uri"]) == ("a b", CALLBACK)
        assert (form["code_challenge_method"], len(form["code_challenge"])) == ("S256", 43)
        assert form["dpop_jkt"] == talk.key.thumbprint
        assert json.loads(form["authorization_details"]) == limits
        assert (talk.proof()["htm"], talk.proof()["htu"]) == ("POST", f"{BANK}/par")
        assertion = talk.assertion()
        assert assertion["aud"] == BANK  # one string
        assert assertion["iss"] == assertion["sub"] == ME
        assert 0 < assertion["exp"] - assertion["iat"] <= 60
        assert (
            url == f"{BANK}/authorize?client_id=https%3A%2F%2Fagent.example%2Fagent.json&request_uri=urn%3Ax"
        )

    def test_makes_state_and_verifier_anew_each_time(self) -> None:
        talk = Talk()
        assert talk.pushed() != talk.pushed()
        assert talk.form(1)["code_challenge"] != talk.form(2)["code_challenge"]
        assert talk.assertion(1)["jti"] != talk.assertion(2)["jti"]
        assert talk.proof(1)["jti"] != talk.proof(2)["jti"]

    def test_an_answer_without_request_uri_is_unexpected(self) -> None:
        talk = Talk()
        with pytest.raises(Unexpected):
            talk.play(talk.flows.authorization_url("a", CALLBACK, None), answer({}, 201))


class TestFinishing:
    def url(self, state: str, /, **changed: str | None) -> str:
        said = {"code": CODE, "state": state, "iss": BANK, **changed}
        return (
            CALLBACK + "?" + "&".join(f"{name}={value}" for name, value in said.items() if value is not None)
        )

    def test_collects_with_what_was_pushed(self) -> None:
        talk = Talk()
        state = talk.pushed()
        challenge = talk.form()["code_challenge"]
        tokens = talk.play(talk.flows.finish(self.url(state)), answer(TOKENS))
        assert tokens.access_token == ACCESS
        assert talk.store.tokens == talk.flows.tokens == tokens
        form = talk.form()
        assert (form["grant_type"], form["code"]) == ("authorization_code", CODE)
        assert form["redirect_uri"] == CALLBACK
        assert challenge == _s256(form["code_verifier"])

    @pytest.mark.parametrize(
        ("changed", "why"),
        [
            ({"state": "x"}, "state is unknown"),
            ({"state": None}, "state is unknown"),
            ({"iss": "https://evil.example"}, "another authority"),  # RFC 9207: mix-up
            ({"iss": None}, "another authority"),
            ({"code": None}, "neither a code nor an error"),
        ],
    )
    def test_believes_no_forged_redirect(self, changed: dict[str, str | None], why: str) -> None:
        talk = Talk()
        state = talk.pushed()
        with pytest.raises(Unexpected, match=why):
            talk.play(talk.flows.finish(self.url(state, **changed)))

    def test_nor_one_that_says_something_twice(self) -> None:
        talk = Talk()
        state = talk.pushed()
        with pytest.raises(Unexpected):
            talk.play(talk.flows.finish(self.url(state) + "&code=evil"))

    def test_nor_the_same_one_again(self) -> None:
        talk = Talk()
        url = self.url(talk.pushed())
        assert talk.flows.expects(url)
        talk.play(talk.flows.finish(url), answer(TOKENS))
        assert not talk.flows.expects(url)
        with pytest.raises(Unexpected, match="state is unknown"):
            talk.play(talk.flows.finish(url))

    def test_a_no_of_the_user_is_access_denied(self) -> None:
        talk = Talk()
        url = self.url(talk.pushed(), code=None, error="access_denied", error_description="No")
        with pytest.raises(AccessDenied) as caught:
            talk.play(talk.flows.finish(url))
        assert (caught.value.code, caught.value.description) == ("access_denied", "No")

    def test_an_error_of_another_authority_is_not_believed(self) -> None:
        talk = Talk()
        url = self.url(talk.pushed(), code=None, error="access_denied", iss="https://evil.example")
        with pytest.raises(Unexpected, match="another authority"):
            talk.play(talk.flows.finish(url))

    def test_a_token_that_anybody_could_use_is_not_taken(self) -> None:
        talk = Talk()
        url = self.url(talk.pushed())
        with pytest.raises(Unexpected, match="DPoP-bound"):
            talk.play(talk.flows.finish(url), answer({**TOKENS, "token_type": "Bearer"}))
        assert talk.store.tokens is None


class TestAgain:
    """When the authority asks for a nonce, or tells its clock."""

    def test_a_nonce_is_used_and_the_newest_kept(self) -> None:  # OAUTH-2
        talk = Talk(tokens=True)
        talk.play(
            talk.flows.refresh(), refusal("use_dpop_nonce", nonce="one"), answer(TOKENS, dpop_nonce="two")
        )
        assert "nonce" not in talk.proof(-2)
        assert talk.proof(-1)["nonce"] == "one"
        talk.play(talk.flows.refresh(), answer(TOKENS))
        assert talk.proof()["nonce"] == "two"

    def test_every_try_has_its_own_assertion_and_proof(self) -> None:  # OAUTH-1, PROOF-2
        talk = Talk(tokens=True)
        talk.play(talk.flows.refresh(), refusal("use_dpop_nonce", nonce="one"), answer(TOKENS))
        assert talk.assertion(-2)["jti"] != talk.assertion(-1)["jti"]
        assert talk.proof(-2)["jti"] != talk.proof(-1)["jti"]

    def test_a_nonce_is_tried_once(self) -> None:
        talk = Talk(tokens=True)
        with pytest.raises(OAuthError) as caught:
            talk.play(
                talk.flows.refresh(),
                refusal("use_dpop_nonce", nonce="one"),
                refusal("use_dpop_nonce", nonce="two"),
            )
        assert caught.value.code == "use_dpop_nonce"

    def test_a_nonce_that_is_asked_for_and_not_given_is_a_refusal(self) -> None:
        talk = Talk(tokens=True)
        with pytest.raises(OAuthError, match="use_dpop_nonce"):
            talk.play(talk.flows.refresh(), refusal("use_dpop_nonce"))

    @pytest.mark.parametrize("code", ["invalid_dpop_proof", "invalid_client"])
    def test_the_clock_is_set_once(self, code: str) -> None:
        talk = Talk(tokens=True)
        talk.play(talk.flows.refresh(), refusal(code, now=NOW + 5000), answer(TOKENS))
        assert talk.proof()["iat"] == talk.assertion()["iat"] == NOW + 5000
        assert talk.flows.tokens is not None
        assert talk.flows.tokens.expires_at == NOW + 5300
        assert talk.play(talk.flows.fresh()) == talk.flows.tokens  # good by the authority's clock
        with pytest.raises(OAuthError, match=code):
            talk.play(talk.flows.refresh(), refusal(code, now=NOW), refusal(code, now=NOW))

    def test_clock_and_nonce_are_set_in_one_request(self) -> None:
        talk = Talk(tokens=True)
        talk.play(
            talk.flows.refresh(),
            refusal("invalid_client", now=NOW + 5000),
            refusal("use_dpop_nonce", nonce="one"),
            answer(TOKENS),
        )
        assert (talk.proof()["iat"], talk.proof()["nonce"]) == (NOW + 5000, "one")

    def test_other_refusals_are_final(self) -> None:
        talk = Talk(tokens=True)
        with pytest.raises(ClientRefused):
            talk.play(talk.flows.refresh(), refusal("invalid_client"))
        with pytest.raises(OAuthError, match="invalid_scope"):
            talk.play(talk.flows.refresh(), refusal("invalid_scope", now=NOW + 1))


class TestHolding:
    def test_a_token_is_renewed_before_its_end(self) -> None:
        clock = [float(NOW)]
        talk = Talk(tokens=True, clock=lambda: clock[0])
        clock[0] += 269
        assert talk.play(talk.flows.fresh(), found=False).access_token == ACCESS
        clock[0] += 1
        renewed = talk.play(
            talk.flows.fresh(), answer({**TOKENS, "access_token": "new", "refresh_token": "next"})
        )
        assert (renewed.access_token, talk.form()["refresh_token"]) == ("new", REFRESH)
        talk.play(talk.flows.refresh(), answer(TOKENS))
        assert talk.form()["refresh_token"] == "next"

    def test_what_is_refused_for_good_is_dropped(self) -> None:
        talk = Talk(tokens=True)
        with pytest.raises(ConsentNeeded):
            talk.play(talk.flows.refresh(), refusal("invalid_grant"))
        assert talk.store.tokens is talk.flows.tokens is None
        with pytest.raises(NotDeputized):
            talk.play(talk.flows.evidence("note", {}))

    def test_what_is_refused_for_now_is_kept(self) -> None:
        talk = Talk(tokens=True)
        with pytest.raises(OAuthError):
            talk.play(talk.flows.refresh(), refusal("server_error"))
        assert talk.flows.tokens is not None

    def test_without_a_refresh_token_the_user_is_asked(self) -> None:
        talk = Talk()
        with pytest.raises(NotDeputized):
            talk.play(talk.flows.refresh(), found=False)

    def test_tokens_of_another_agent_or_authority_are_not_used(self) -> None:
        theirs = Memory(Tokens.of(TOKENS, BANK, "https://other.example/a.json", NOW))
        with pytest.raises(ValueError, match="another"):
            Flows(BANK, ME, AgentKey.generate(), theirs, lambda: NOW)
        with pytest.raises(ValueError, match="another"):
            Flows("https://other.example", ME, AgentKey.generate(), theirs, lambda: NOW)


class TestEvidence:
    def test_is_bound_to_tool_and_arguments(self) -> None:  # EVID-1, EVID-2
        talk = Talk(tokens=True)
        arguments = {"amount": 5, "to": "Ada"}
        member = talk.play(talk.flows.evidence("pay", arguments))
        token, _, proof = member["deputize_delegation"].partition("~")
        assert (set(member), token) == ({"deputize_delegation"}, ACCESS)
        header, claims, *_ = jwt.parse(proof)
        assert header["typ"] == "dpop+jwt"
        assert (claims["htm"], claims["htu"], claims["iat"]) == ("POST", f"{BANK}/calls", NOW)
        assert (claims["tool"], claims["args_s256"]) == ("pay", args_s256({"to": "Ada", "amount": 5}))
        assert claims["ath"] == _s256(ACCESS)
        assert set(claims) == {"htm", "htu", "iat", "jti", "ath", "tool", "args_s256"}  # no nonce

    def test_the_member_itself_does_not_count(self) -> None:
        talk = Talk(tokens=True)
        made = [talk.play(talk.flows.evidence("pay", {"amount": 5}))]
        made.append(talk.play(talk.flows.evidence("pay", {"amount": 5, **made[0]})))
        claims = [jwt.parse(member["deputize_delegation"].partition("~")[2]).claims for member in made]
        assert claims[0]["args_s256"] == claims[1]["args_s256"]
        assert claims[0]["jti"] != claims[1]["jti"]


class TestDevice:
    def test_polls_as_often_as_it_may(self) -> None:  # OAUTH-7, RFC 8628 §3.5
        talk = Talk()
        shown: list[DeviceCode] = []
        pending = refusal("authorization_pending")
        talk.play(
            talk.flows.device("a", shown.append, None),
            answer(DEVICE),
            pending,
            refusal("use_dpop_nonce", nonce="n"),
            pending,
            refusal("slow_down"),
            pending,
            answer(TOKENS),
        )
        assert [request.after for request in talk.sent[2:]] == [5, 5, 0, 5, 10, 10]
        assert shown[0].user_code == "BCDF-GHJK"
        assert shown[0].verification_uri_complete == f"{BANK}/device"
        assert talk.flows.tokens is not None

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("access_denied", AccessDenied),
            ("expired_token", RequestExpired),
            ("invalid_grant", ConsentNeeded),
        ],
    )
    def test_ends_when_it_is_over(self, code: str, kind: type[OAuthError]) -> None:
        talk = Talk()
        with pytest.raises(kind):
            talk.play(talk.flows.device("a", lambda code: None, None), answer(DEVICE), refusal(code))

    def test_an_answer_without_a_code_is_unexpected(self) -> None:
        talk = Talk()
        with pytest.raises(Unexpected):
            talk.play(talk.flows.device("a", lambda code: None, None), answer({"user_code": "x"}))


class TestChains:
    def test_a_parent_gets_a_handoff_for_its_child(self) -> None:  # CHAIN-1
        talk = Talk(tokens=True)
        jwt_type = "urn:ietf:params:oauth:token-type:jwt"
        said = {"access_token": "handoff", "issued_token_type": jwt_type, "token_type": "N_A"}
        assert (
            talk.play(talk.flows.hand_on("https://c.example/a", "jkt", "a", [{"x": 1}]), answer(said))
            == "handoff"
        )
        form = talk.form()
        assert (form["subject_token"], form["requested_actor"], form["dpop_jkt"]) == (
            ACCESS,
            "https://c.example/a",
            "jkt",
        )
        assert (form["scope"], json.loads(form["authorization_details"])) == ("a", [{"x": 1}])
        assert talk.flows.tokens is not None
        assert talk.flows.tokens.access_token == ACCESS
        with pytest.raises(Unexpected):
            talk.play(talk.flows.hand_on("https://c.example/a", "jkt", None, None), answer(TOKENS))

    def test_a_child_gets_tokens_for_its_handoff(self) -> None:  # CHAIN-2
        talk = Talk()
        talk.play(talk.flows.take_over("handoff", None, None), answer(TOKENS))
        assert talk.form()["subject_token"] == "handoff"
        assert "scope" not in talk.form()
        assert talk.flows.tokens is not None


def test_revoking_forgets_the_tokens_and_needs_no_proof() -> None:  # OAUTH-9
    talk = Talk(tokens=True)
    talk.play(talk.flows.revoke(), answer(b""))
    assert talk.form()["token"] == REFRESH
    assert "dpop" not in talk.sent[-1].headers
    assert talk.store.tokens is talk.flows.tokens is None
    talk.play(talk.flows.revoke())
    assert talk.play(talk.flows.introspect()) == {"active": False}


def test_introspection_needs_no_proof() -> None:  # OAUTH-8
    talk = Talk(tokens=True)
    assert talk.play(talk.flows.introspect(), answer({"active": True}))["active"] is True
    assert talk.form()["token"] == ACCESS
    assert "dpop" not in talk.sent[-1].headers


@pytest.mark.parametrize(
    "said",
    [answer(b"<html>oops", 502), answer({"detail": "x"}, 500), answer({"error": 1}, 400), answer([], 400)],
)
def test_answers_that_make_no_sense_are_unexpected(said: Answer) -> None:
    talk = Talk(tokens=True)
    with pytest.raises(Unexpected, match="The authority answered"):
        talk.play(talk.flows.refresh(), said)


def test_no_error_and_no_request_shows_a_secret() -> None:
    """Not even where the authority repeats what it was sent."""
    talk = Talk(tokens=True)
    form: dict[str, str] = {}

    def told(flow: Flow[Any], *answers: Answer) -> str:
        with pytest.raises(AgentError) as caught:
            talk.play(flow, *answers)
        form.update(talk.form())
        return "".join(traceback.format_exception(caught.value)) + repr(caught.value)

    texts = [told(talk.flows.refresh(), refusal("server_error", f"{REFRESH} and\x1b[2J {ACCESS}"))]
    texts.append(told(talk.flows.introspect(), refusal(REFRESH, ACCESS)))
    texts.append(told(talk.flows.refresh(), answer(f"{REFRESH}".encode(), 500)))
    texts += [repr(request) for request in talk.sent] + [repr(talk.flows.tokens)]
    texts.append(repr(AgentClient(BANK, ME, talk.key, talk.store)))
    for secret in (ACCESS, REFRESH, form["client_assertion"], "\x1b"):
        assert not [text for text in texts if secret in text]


def test_urls_are_read_as_they_are_written() -> None:
    talk = Talk()
    url = talk.play(
        talk.flows.authorization_url("a", CALLBACK, None), answer({"request_uri": "urn:a:b c&d"}, 201)
    )
    assert parse_qs(urlsplit(url).query) == {"client_id": [ME], "request_uri": ["urn:a:b c&d"]}


def _s256(text: str) -> str:
    return b64u(hashlib.sha256(text.encode()).digest())
