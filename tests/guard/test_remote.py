"""The guard's way to the authority over HTTP, whatever the authority does (GUARD-3, GUARD-6, PROOF-4)."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from deputize.crypto import dpop
from deputize.guard import Guard, HttpRedeemer, blocking
from deputize.guard.blocking import BlockingRedeemer
from deputize.guard.guard import refusal_response
from deputize.guard.remote import _refused
from deputize.protocol.call import State
from deputize.protocol.errors import Code, Refused
from deputize.protocol.jwk import thumbprint
from deputize.protocol.token import CallToken

from .conftest import AUDIENCE, KEY, KID, TRANSFER, Authority, decorated, served, site_of, text_of
from .conftest import Handlers as SiteHandlers

pytestmark = pytest.mark.anyio

GUARD_KEY = generate_private_key(SECP256R1())
NOW = 1_800_000_000


class Clock:
    def __init__(self) -> None:
        self.time = float(NOW)

    def __call__(self) -> float:
        return self.time


def jwk(kid: str) -> dict[str, object]:
    public = ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    return {**public, "kid": kid, "use": "sig", "alg": "ES256"}


@dataclass
class Remote:
    """An authority over HTTP: it answers as PROTOCOL §7 says, or with `instead`, and notes what was asked."""

    authority: Authority = field(default_factory=Authority)
    url: str = ""
    instead: Response | None = None
    keys: list[dict[str, object]] = field(default_factory=lambda: [jwk(KID)])
    asked: list[str] = field(default_factory=list)
    proofs: list[str] = field(default_factory=list)

    async def redeem(self, request: Request) -> Response:
        text = (await self._body(request))["call_token"]
        call_id = self._call_id(request)
        if self.instead is None:
            self.authority.states[call_id] = State.REDEEMED
            assert text.count(".") == 2
        return self.instead or self._json(
            200, {"call_id": call_id, "state": "redeemed", "external_id": self.authority.external_id}
        )

    async def report(self, request: Request) -> Response:
        outcome = State((await self._body(request))["outcome"])
        call_id = self._call_id(request)
        self.authority.states[call_id] = outcome
        return self.instead or self._json(200, {"call_id": call_id, "state": outcome.value})

    async def jwks(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return self.instead or self._json(200, {"keys": self.keys})

    def _call_id(self, request: Request) -> Any:
        return request.path_params["call_id"]

    async def _body(self, request: Request) -> dict[str, Any]:
        """Read a body as the real authority does: after the proof of the guard's key (PROOF-4)."""
        self.asked.append(request.url.path)
        proof = dpop.verify(
            request.headers.getlist("deputize-guard"), "POST", self.url + request.url.path, NOW
        )
        assert proof.jkt == thumbprint(ECAlgorithm.to_jwk(GUARD_KEY.public_key(), as_dict=True))
        assert proof.jti not in self.proofs
        self.proofs.append(proof.jti)
        assert request.headers["content-type"] == "application/json"
        body: dict[str, Any] = await request.json()
        return body

    def _json(self, status: int, value: object) -> Response:
        return Response(json.dumps(value), status, media_type="application/json")

    def refuse(self, code: str, status: int = 409, **more: object) -> None:
        self.instead = self._json(status, {"code": code, "detail": "So it is.", **more})


@pytest.fixture
def remote() -> Iterator[Remote]:
    remote = Remote()
    routes = [
        Route("/deputize/calls/{call_id}/redemption", remote.redeem, methods=["POST"]),
        Route("/deputize/calls/{call_id}/outcome", remote.report, methods=["POST"]),
        Route("/deputize/jwks.json", remote.jwks),
    ]
    with served(Starlette(routes=routes)) as url:
        remote.url = url
        yield remote


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def redeemer(remote: Remote, clock: Clock) -> AsyncIterator[HttpRedeemer]:
    redeemer = HttpRedeemer(f"{remote.url}/deputize", GUARD_KEY, clock=clock)
    yield redeemer
    await redeemer.aclose()


@pytest.fixture
def token() -> CallToken:
    return Authority().call("transfer_money", TRANSFER)


async def refusal(redeemer: HttpRedeemer, token: CallToken) -> Refused:
    with pytest.raises(Refused) as caught:
        await redeemer.redeem(token, text_of(token), token.args_s256)
    return caught.value


async def test_it_redeems_and_reports_over_http(
    remote: Remote, redeemer: HttpRedeemer, token: CallToken
) -> None:
    """GUARD-3, GUARD-5, PROOF-4: with a fresh proof for each request."""
    remote.authority.external_id = "customer-7"
    assert await redeemer.redeem(token, text_of(token), token.args_s256) == "customer-7"
    assert remote.authority.states[token.call_id] is State.REDEEMED
    await redeemer.report(token.call_id, State.FAILED)
    assert remote.authority.states[token.call_id] is State.FAILED
    calls = f"/deputize/calls/{token.call_id}"
    assert remote.asked == [f"{calls}/redemption", f"{calls}/outcome"]
    assert len(set(remote.proofs)) == 2


PASSED_ON = [
    Code.CALL_REDEEMED,
    Code.CALL_UNKNOWN,
    Code.CALL_STATE,
    Code.EXPIRED,
    Code.CANCELLED,
    Code.INVALID_CALL_TOKEN,
    Code.GRANT_REVOKED,
    Code.GRANT_EXPIRED,
    Code.REDEEMER_NOT_ALLOWED,
    Code.RECORD_UNAVAILABLE,
]
KEPT = [
    "invalid_dpop_proof",
    "invalid_request",
    "server_error",
    "not_found",
    "login_required",
    "no_such_code",
]


@pytest.mark.parametrize("code", PASSED_ON)
async def test_what_is_said_of_the_call_is_passed_on(
    remote: Remote, redeemer: HttpRedeemer, token: CallToken, code: Code
) -> None:
    remote.refuse(code, code.status)
    refused = await refusal(redeemer, token)
    assert (refused.refusal.code, refused.refusal.detail) == (code, "So it is.")


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        (Code.OUTCOME_UNKNOWN, {"call_id": "cal_1"}),
        (Code.TOO_MANY_REQUESTS, {"retry_after": 42, "quota": "refused_calls"}),
        (Code.CALL_STATE, {"state": "denied"}),
        (Code.AGENT_BLOCKED, {"until": None}),
    ],
)
async def test_what_can_be_done_about_it_is_passed_on(
    remote: Remote, redeemer: HttpRedeemer, token: CallToken, code: Code, facts: dict[str, Any]
) -> None:
    remote.refuse(code, code.status, **facts)
    told = (await refusal(redeemer, token)).refusal
    assert (told.code, dict(told.facts)) == (code, facts)
    answer = refusal_response(told)
    assert json.loads(bytes(answer.body)).items() >= facts.items()
    assert answer.headers.get("retry-after") == (
        str(facts["retry_after"]) if "retry_after" in facts else None
    )


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = st.text() | st.sampled_from(["scope", "retry_after", "type", "detail", "code", "self", "refusal"])


@given(
    st.sampled_from([*PASSED_ON, Code.INSUFFICIENT_SCOPE, Code.TOO_MANY_REQUESTS]),
    st.dictionaries(NAMES, HOSTILE | st.text(min_size=500), max_size=20),
)
def test_so_much_is_passed_on_and_nothing_that_breaks_out_of_a_header(
    code: Code, facts: dict[str, Any]
) -> None:
    told = _refused({**facts, "code": code.value, "detail": "So it is."}).refusal
    assert (told.code, told.detail) == (code, "So it is.")
    answer = refusal_response(told)
    assert len(answer.body) < 8_000
    assert json.loads(bytes(answer.body))["detail"] == "So it is."
    for name, value in answer.headers.items():
        assert value.isprintable(), name
        assert value.count('"') % 2 == 0, name
    assert answer.headers.get("retry-after", "0").isdigit()


@pytest.mark.parametrize("code", KEPT)
async def test_what_is_said_of_the_guard_is_not_passed_on(
    remote: Remote, redeemer: HttpRedeemer, token: CallToken, code: str
) -> None:
    """GUARD-6"""
    remote.refuse(code)
    refused = await refusal(redeemer, token)
    assert refused.refusal.code is Code.AUTHORITY_UNAVAILABLE
    assert "So it is." not in refused.refusal.detail


def answers(token: CallToken) -> dict[str, Response]:
    good = json.dumps({"call_id": token.call_id, "state": "redeemed", "external_id": None})
    return {
        "nothing": Response(b""),
        "no content": Response(status_code=204),
        "a portal's page": Response("<html>Sign in to the network</html>", media_type="text/html"),
        "no object": Response(f"[{good}]"),
        "another call": Response(good.replace(token.call_id, token.call_id[:-1])),
        "another state": Response(good.replace("redeemed", "approved")),
        "no state": Response(json.dumps({"call_id": token.call_id, "external_id": None})),
        "no word of the user": Response(json.dumps({"call_id": token.call_id, "state": "redeemed"})),
        "a user that is none": Response(good.replace("null", "7")),
        "a member twice": Response(good.replace("{", '{"state":"denied",')),
        "another status": Response(good, 201),
        "an error with a good body": Response(good, 500),
        "a code that is none": Response('{"code": {}, "detail": ""}', 409),
        "a detail that is none": Response('{"code": "call_redeemed", "detail": {}}', 409),
        "too much": Response(good + " " * 70_000),
        "a redirect": RedirectResponse(f"/deputize/calls/{token.call_id}/redemption?again"),
        "compressed in name only": Response(good, headers={"Content-Encoding": "gzip"}),
    }


@pytest.mark.parametrize("what", answers(Authority().call("t", {})))
async def test_anything_else_is_no_redemption(
    remote: Remote, redeemer: HttpRedeemer, token: CallToken, what: str
) -> None:
    """GUARD-6"""
    remote.instead = answers(token)[what]
    assert (await refusal(redeemer, token)).refusal.code is Code.AUTHORITY_UNAVAILABLE
    assert len(remote.asked) == 1


async def test_an_answer_that_says_no_length_is_counted(
    remote: Remote, redeemer: HttpRedeemer, token: CallToken
) -> None:
    async def long() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b" " * 1000
        yield json.dumps({"call_id": token.call_id, "state": "redeemed", "external_id": None}).encode()

    remote.instead = StreamingResponse(long())
    assert (await refusal(redeemer, token)).refusal.code is Code.AUTHORITY_UNAVAILABLE


async def test_an_authority_that_is_not_there_means_no(token: CallToken) -> None:
    """GUARD-6"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    redeemer = HttpRedeemer(f"http://127.0.0.1:{port}/deputize", GUARD_KEY)
    assert (await refusal(redeemer, token)).refusal.code is Code.AUTHORITY_UNAVAILABLE
    with pytest.raises(Refused):
        await redeemer.key_of(KID)
    await redeemer.aclose()


async def test_an_authority_that_does_not_answer_means_no(token: CallToken) -> None:
    """GUARD-6: a socket that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/deputize"
        redeemer = HttpRedeemer(url, GUARD_KEY, timeout=0.05)
        assert (await refusal(redeemer, token)).refusal.code is Code.AUTHORITY_UNAVAILABLE
        await redeemer.aclose()


class TestWhoCannotAwait:
    """GUARD-6, for a guard that speaks WSGI."""

    def refusal(self, url: str, token: CallToken, timeout: float = 5.0) -> Code:
        redeemer = BlockingRedeemer(f"{url}/deputize", GUARD_KEY, timeout, clock=lambda: NOW)
        with pytest.raises(Refused) as caught:
            redeemer.redeem(token, text_of(token))
        assert redeemer._client is not None  # it is the process's own, and never closed
        redeemer._client.close()
        return caught.value.refusal.code

    def test_takes_nothing_else_for_a_redemption(self, remote: Remote, token: CallToken) -> None:
        for number, what in enumerate(
            ("too much", "a redirect", "another call", "compressed in name only"), 1
        ):
            remote.instead = answers(token)[what]
            assert self.refusal(remote.url, token) is Code.AUTHORITY_UNAVAILABLE, what
            assert len(remote.asked) == number

    def test_waits_no_longer_than_it_may_for_a_whole_answer(
        self, remote: Remote, token: CallToken, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its client counts from one part of an answer to the next: this one comes in parts, each soon enough."""
        now = iter(range(0, 100, 2))
        monkeypatch.setattr(blocking, "time", SimpleNamespace(monotonic=lambda: next(now)))
        good = json.dumps({"call_id": token.call_id, "state": "redeemed", "external_id": None})

        async def parts() -> AsyncIterator[str]:
            for part in good:
                yield part

        remote.instead = StreamingResponse(parts())
        assert self.refusal(remote.url, token, timeout=1) is Code.AUTHORITY_UNAVAILABLE

    def test_runs_nothing_where_nobody_is_or_nobody_answers(self, token: CallToken) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            assert self.refusal(url, token, timeout=0.05) is Code.AUTHORITY_UNAVAILABLE
        assert self.refusal(url, token) is Code.AUTHORITY_UNAVAILABLE


async def test_a_client_of_the_sites_own_is_used(remote: Remote, token: CallToken) -> None:
    seen: list[str] = []

    async def see(request: httpx2.Request) -> None:
        seen.append(request.url.path)

    client = httpx2.AsyncClient(event_hooks={"request": [see]})
    redeemer = HttpRedeemer(f"{remote.url}/deputize/", GUARD_KEY, client, clock=lambda: NOW)
    await redeemer.redeem(token, text_of(token), token.args_s256)
    assert seen == remote.asked
    await redeemer.aclose()
    assert client.is_closed


@pytest.mark.parametrize(
    "issuer", ["https://bank.example/deputize", "http://localhost", "http://[::1]:8000/a"]
)
async def test_an_authority_over_https_or_on_this_machine_is_taken(issuer: str) -> None:
    await HttpRedeemer(issuer, GUARD_KEY).aclose()


@pytest.mark.parametrize(
    "issuer",
    [
        "http://bank.example/deputize",
        "http://bank.localhost",
        "https://[",
        "bank.example",
        "ftp://localhost",
        "",
    ],
)
async def test_the_authority_is_reached_by_https(issuer: str) -> None:
    with pytest.raises(ValueError, match="https"):
        HttpRedeemer(issuer, GUARD_KEY)


async def test_keys_are_fetched_once(remote: Remote, redeemer: HttpRedeemer, clock: Clock) -> None:
    # GUARD-10
    for _ in range(3):
        key = await redeemer.key_of(KID)
        assert key is not None
        assert key.public_numbers() == KEY.public_key().public_numbers()
        clock.time += 99
    assert remote.asked == ["/deputize/jwks.json"]
    clock.time += 10
    await redeemer.key_of(KID)
    assert len(remote.asked) == 2


async def test_an_unknown_key_is_looked_for_once_in_five_seconds(
    remote: Remote, redeemer: HttpRedeemer, clock: Clock
) -> None:
    assert await redeemer.key_of("key-2") is None
    remote.keys.append(jwk("key-2"))
    for _ in range(4):
        assert await redeemer.key_of("key-2") is None
        assert await redeemer.key_of("key-3") is None
        clock.time += 1
    assert len(remote.asked) == 1
    clock.time += 1
    assert await redeemer.key_of("key-2") is not None
    assert len(remote.asked) == 2


async def test_a_key_that_was_taken_away_is_forgotten(
    remote: Remote, redeemer: HttpRedeemer, clock: Clock
) -> None:
    assert await redeemer.key_of(KID) is not None
    remote.keys.clear()
    clock.time += 299
    assert await redeemer.key_of(KID) is not None
    clock.time += 1
    assert await redeemer.key_of(KID) is None


async def test_keys_that_cannot_be_fetched_mean_no(
    remote: Remote, redeemer: HttpRedeemer, clock: Clock
) -> None:
    """GUARD-6: known ones are good while they are fresh, and the authority is left alone for five seconds."""
    assert await redeemer.key_of(KID) is not None
    remote.instead = Response("down", 503)
    clock.time += 299
    assert await redeemer.key_of(KID) is not None
    clock.time += 1
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await redeemer.key_of(KID)
        assert caught.value.refusal.code is Code.AUTHORITY_UNAVAILABLE
    assert len(remote.asked) == 2
    remote.instead = None
    clock.time += 5
    assert await redeemer.key_of(KID) is not None


async def test_stale_keys_are_not_used_while_the_authority_is_left_alone(
    remote: Remote, redeemer: HttpRedeemer, clock: Clock
) -> None:
    assert await redeemer.key_of(KID) is not None
    remote.instead = Response("down", 503)
    clock.time += 296
    with pytest.raises(Refused):
        await redeemer.key_of("key-2")
    clock.time += 3
    assert await redeemer.key_of(KID) is not None
    clock.time += 1
    with pytest.raises(Refused):
        await redeemer.key_of(KID)
    assert len(remote.asked) == 2


async def test_the_largest_key_set_is_read(remote: Remote, redeemer: HttpRedeemer) -> None:
    remote.keys[:] = [jwk(str(number)) for number in range(32)]
    text = json.dumps({"keys": remote.keys})
    remote.instead = Response(text + " " * (64 * 1024 - len(text)))
    assert await redeemer.key_of("31") is not None


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"alg": "ES384"},
        {"x": "AA"},
        {"y": ECAlgorithm.to_jwk(GUARD_KEY.public_key(), as_dict=True)["y"]},
        {"kid": 1},
        ECAlgorithm.to_jwk(generate_private_key(SECP384R1()).public_key(), as_dict=True),
    ],
)
async def test_keys_of_other_kinds_are_passed_over(
    remote: Remote, redeemer: HttpRedeemer, other: dict[str, object]
) -> None:
    remote.keys[:] = [jwk("other") | other, jwk(KID)]
    assert await redeemer.key_of(KID) is not None
    assert await redeemer.key_of("other") is None


@pytest.mark.parametrize("jwks", ["{}", '{"keys": {}}', "[]", json.dumps({"keys": [jwk(KID)] * 33})])
async def test_a_key_set_that_is_none_means_no(remote: Remote, redeemer: HttpRedeemer, jwks: str) -> None:
    remote.instead = Response(jwks)
    with pytest.raises(Refused) as caught:
        await redeemer.key_of(KID)
    assert caught.value.refusal.code is Code.AUTHORITY_UNAVAILABLE


async def test_a_guarded_api_redeems_over_http(remote: Remote) -> None:
    """GUARD-1, GUARD-5: client, API and authority, each behind its own socket."""
    redeemer = HttpRedeemer(f"{remote.url}/deputize", GUARD_KEY, clock=lambda: NOW)
    guard = Guard(f"{remote.url}/deputize", AUDIENCE, redeemer.key_of, redeemer)
    handlers = SiteHandlers(remote.authority)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await redeemer.aclose()

    token = remote.authority.call("transfer_money", TRANSFER)
    text = text_of(token, issuer=guard.issuer)
    app = Starlette(routes=[Mount("/", decorated(handlers, guard))], lifespan=lifespan)
    with site_of(app, handlers) as site:
        assert site.send(text).status_code == 200
        assert remote.authority.states[token.call_id] is State.SUCCEEDED
        remote.refuse("call_redeemed")
        assert site.refused(Code.CALL_REDEEMED, text).status_code == 409
    assert len(handlers.ran) == 1
