"""What passes a guard, and in which order it is refused (GUARD-1, GUARD-3 to GUARD-6, ERR-1, ERR-2)."""

import logging
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message

from deputize.crypto import jwt
from deputize.guard import Guard, GuardedCall
from deputize.protocol.call import State
from deputize.protocol.canonical import canonicalize
from deputize.protocol.errors import Code, Refused
from deputize.protocol.ids import CallId
from deputize.protocol.token import CALL_TYP, DELEGATION_TYP

from .conftest import AUDIENCE, ISSUER, KEY, KID, TRANSFER, Authority, Site, key_of, text_of


def test_an_approved_call_runs_once_with_its_arguments(site: Site) -> None:
    """GUARD-1, GUARD-5"""
    token = site.authority.call("transfer_money", TRANSFER)
    answer = site.send(token)
    assert answer.status_code == 200
    assert answer.json() == {
        "call_id": token.call_id,
        "user": "usr_1",
        "agent": "agt_1",
        "external_id": None,
    }
    assert [arguments for _, arguments in site.ran] == [TRANSFER]
    assert site.authority.states[token.call_id] is State.SUCCEEDED
    site.refused(Code.CALL_REDEEMED, token)


def test_the_bytes_that_were_hashed_are_the_bytes_that_run(site: Site) -> None:
    """GUARD-1: equal arguments in another spelling pass, and the handler gets that spelling."""
    body = b'{ "name":"Ada Lovelace", "iban":"DE89370400440532013000","amount":2.5e2 }'
    answer = site.send(
        site.authority.call("transfer_money", TRANSFER),
        content=body,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 200
    assert site.ran == [(body, TRANSFER)]


def test_the_users_own_call_has_no_agent(site: Site) -> None:
    """CALL-7"""
    token = site.authority.call("transfer_money", TRANSFER, client_id=None, grant_id=None)
    assert site.send(token).json()["agent"] is None


def test_without_a_call_token_nothing_runs(site: Site) -> None:
    """GUARD-1, ERR-1, ERR-2"""
    answer = site.refused(Code.MISSING_CALL_TOKEN, None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'DPoP algs="ES256"'  # ERR-2
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json()
    assert problem.pop("detail")
    assert problem == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "code": "missing_call_token",
    }
    assert site.authority.log == []


def test_two_call_tokens_are_refused(site: Site) -> None:
    first, second = (text_of(site.authority.call("transfer_money", TRANSFER)) for _ in range(2))
    for texts in ([first, second], [first, first], [f"{first}, {second}"]):
        assert site.refused(Code.INVALID_CALL_TOKEN, texts).status_code == 401


def test_another_token_is_no_call_token(site: Site) -> None:
    """GUARD-1, TOKEN-1, TOKEN-3, TOKEN-5: each token has one thing wrong."""
    token = site.authority.call("transfer_money", TRANSFER)
    claims = token.claims(ISSUER, AUDIENCE)
    now = int(time.time())
    wrong: dict[str, str] = {
        "no token": "token",
        "a delegation by its type": jwt.sign(claims, DELEGATION_TYP, KID, KEY),
        "another type": jwt.sign(claims, "JWT", KID, KEY),
        "an unknown key": jwt.sign(claims, CALL_TYP, "key-2", KEY),
        "another key": jwt.sign(claims, CALL_TYP, KID, generate_private_key(SECP256R1())),
        "another audience": text_of(token, audience="https://bank.example/other"),
        "the authority as audience": text_of(token, audience=ISSUER),
        "several audiences": jwt.sign({**claims, "aud": [AUDIENCE]}, CALL_TYP, KID, KEY),
        "another issuer": text_of(token, issuer="https://evil.example/deputize"),
        "expired": text_of(replace(token, expires_at=now)),
        "no end": jwt.sign({name: claims[name] for name in claims if name != "exp"}, CALL_TYP, KID, KEY),
        "no call": text_of(replace(token, call_id=CallId("../../x"))),
        "no context": jwt.sign({**claims, "tctx": None}, CALL_TYP, KID, KEY),
    }
    for what, text in wrong.items():
        answer = site.refused(Code.INVALID_CALL_TOKEN, text)
        assert answer.status_code == 401, what
        assert answer.headers["www-authenticate"] == 'DPoP error="invalid_call_token", algs="ES256"'
    assert site.authority.log == []
    assert site.send(token).status_code == 200


def test_a_call_token_of_another_tool_is_refused(site: Site) -> None:
    """GUARD-1"""
    assert (
        site.refused(Code.CALL_WRONG_TOOL, site.authority.call("close_account", TRANSFER)).status_code == 403
    )
    assert site.authority.log == []


@pytest.mark.parametrize(
    "body",
    [
        {**TRANSFER, "amount": 251},
        {**TRANSFER, "amount": "250"},
        {**TRANSFER, "more": None},
        {"amount": 250},
        {},
    ],
    ids=str,
)
def test_other_arguments_than_the_approved_are_refused(site: Site, body: dict[str, Any]) -> None:
    """GUARD-1: nothing is redeemed for other arguments, so the call is still good for its own."""
    token = site.authority.call("transfer_money", TRANSFER)
    assert site.refused(Code.ARGUMENT_HASH_MISMATCH, token, json=body).status_code == 403
    assert site.authority.states[token.call_id] is State.APPROVED
    assert site.send(token).status_code == 200


def test_the_first_check_that_fails_answers(site: Site) -> None:
    """GUARD-1: a request with everything wrong hears of each fault in turn."""
    wrong = {**TRANSFER, "amount": 1}
    site.authority.revoked = True
    token = site.authority.call("close_account", TRANSFER, expires_at=0)
    site.refused(Code.MISSING_CALL_TOKEN, None, json=wrong)
    site.refused(Code.INVALID_CALL_TOKEN, token, json=wrong)
    token = site.authority.call("close_account", TRANSFER)
    site.refused(Code.CALL_WRONG_TOOL, token, json=wrong)
    token = site.authority.call("transfer_money", TRANSFER)
    site.refused(Code.ARGUMENT_HASH_MISMATCH, token, json=wrong)
    assert site.authority.log == []
    site.refused(Code.GRANT_REVOKED, token)
    assert site.authority.log == ["redeem"]


@pytest.mark.anyio
async def test_a_body_that_takes_longer_than_the_token_lives_is_refused() -> None:
    """GUARD-1, TOKEN-5: the token is good when the request begins, and not when its body is there."""
    authority = Authority()
    token = authority.call("transfer_money", TRANSFER)
    now = [token.expires_at - 1]
    guard = Guard(ISSUER, AUDIENCE, key_of, authority, clock=lambda: now[0])

    async def admit(seconds: int) -> GuardedCall:
        async def receive() -> Message:
            now[0] += seconds
            return {"type": "http.request", "body": canonicalize(TRANSFER), "more_body": False}

        headers = {"txn-token": text_of(token), "content-type": "application/json"}
        scope = {"type": "http", "method": "POST", "query_string": b"", "headers": Headers(headers).raw}
        return (await guard.admit("transfer_money", Request(scope, receive)))[0]

    with pytest.raises(Refused) as refused:
        await admit(1)
    assert refused.value.refusal.code is Code.INVALID_CALL_TOKEN
    assert authority.log == []
    now[0] = token.expires_at - 1
    assert (await admit(0)).call_id == token.call_id


def test_a_revoked_grant_stops_the_call(site: Site) -> None:
    """GUARD-4"""
    site.authority.revoked = True
    token = site.authority.call("transfer_money", TRANSFER)
    assert site.refused(Code.GRANT_REVOKED, token).status_code == 403
    assert site.authority.states[token.call_id] is State.DENIED


def test_an_authority_that_is_away_means_no(site: Site) -> None:
    """GUARD-6"""
    site.authority.away = True
    assert (
        site.refused(Code.AUTHORITY_UNAVAILABLE, site.authority.call("transfer_money", TRANSFER)).status_code
        == 503
    )


def test_a_race_for_one_call_has_one_winner(site: Site) -> None:
    """GUARD-3"""
    token = site.authority.call("transfer_money", TRANSFER)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(site.send(token).status_code)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [409] * 7
    assert len(site.ran) == 1


@pytest.mark.parametrize(
    ("how", "status", "outcome"),
    [
        ({"how": "plain", "status": 200}, 200, State.SUCCEEDED),
        ({"how": "plain", "status": 303}, 303, State.SUCCEEDED),
        ({"how": "plain", "status": 400}, 400, State.FAILED),
        ({"how": "plain", "status": 499}, 499, State.FAILED),
        ({"how": "plain", "status": 500}, 500, State.UNKNOWN),
        ({"how": "http", "status": 409}, 409, State.FAILED),
        ({"how": "http", "status": 503}, 503, State.UNKNOWN),
        ({"how": "raise"}, 500, State.UNKNOWN),
        ({"how": "stream"}, 200, State.SUCCEEDED),
        ({"how": "background"}, 200, State.SUCCEEDED),
    ],
    ids=str,
)
def test_what_a_handler_answers_is_the_outcome(
    site: Site, how: dict[str, Any], status: int, outcome: State
) -> None:
    """GUARD-5"""
    token = site.authority.call("answer", how)
    assert site.send(token, path="/api/answer", json=how).status_code == status
    assert site.authority.states[token.call_id] is outcome
    assert site.authority.log.count(f"report {outcome}") == 1


def test_a_stream_is_reported_when_it_has_ended(site: Site) -> None:
    """GUARD-5"""
    how: dict[str, Any] = {"how": "stream"}
    answer = site.send(site.authority.call("answer", how), path="/api/answer", json=how)
    assert answer.content == b"x" * 30
    assert site.authority.log == ["redeem", "chunk 0", "chunk 1", "chunk 2", "report succeeded"]


def test_a_stream_that_breaks_is_unknown(site: Site) -> None:
    """GUARD-5: its status promised more than it kept."""
    how: dict[str, Any] = {"how": "stream", "broken": True}
    token = site.authority.call("answer", how)
    with pytest.raises(Exception, match="peer closed"):
        site.send(token, path="/api/answer", json=how)
    assert site.authority.log[-1] == "report unknown"
    assert site.authority.states[token.call_id] is State.UNKNOWN


def test_background_tasks_run_after_the_report(site: Site) -> None:
    how: dict[str, Any] = {"how": "background"}
    site.send(site.authority.call("answer", how), path="/api/answer", json=how)
    assert site.authority.log == ["redeem", "report succeeded"]
    assert site.afterwards.wait(5)


def test_an_answer_keeps_its_headers_and_cookies(site: Site) -> None:
    how: dict[str, Any] = {"how": "headers"}
    answer = site.send(site.authority.call("answer", how), path="/api/answer", json=how)
    assert (answer.text, answer.headers["x-site"], answer.cookies["a"]) == ("done", "yes", "b")


def test_an_outcome_that_cannot_be_told_fails_no_answer(
    decorated_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """GUARD-5, ERR-3: it is logged, by call id, without any token."""
    site = decorated_site
    site.authority.going = True
    token = site.authority.call("transfer_money", TRANSFER)
    with caplog.at_level(logging.WARNING, "deputize.guard"):
        assert site.send(token).status_code == 200
    assert site.authority.states[token.call_id] is State.REDEEMED
    (record,) = [record for record in caplog.records if record.name == "deputize.guard"]
    assert token.call_id in record.getMessage()
    assert text_of(token).split(".")[2] not in caplog.text


def test_other_requests_pass_the_middleware_untouched(wrapped_site: Site) -> None:
    assert wrapped_site.send(None, "GET", "/api/open").text == "open"
    assert wrapped_site.send(None, "POST", "/api/open", content=b"{").text == "open"
    assert wrapped_site.send(None, "GET", "/api/transfers").status_code == 405
    assert wrapped_site.send(None, "POST", "/api/nothing").status_code == 404
    assert wrapped_site.authority.log == []


def test_head_is_guarded_as_get(site: Site) -> None:
    assert site.send(None, "HEAD", "/api/transactions").status_code == 401
    token = site.authority.call("list_transactions", {})
    assert site.send(token, "HEAD", "/api/transactions").status_code == 200
    assert site.authority.states[token.call_id] is State.SUCCEEDED


@pytest.mark.anyio
async def test_keys_may_be_found_asynchronously() -> None:
    async def find(kid: str) -> Any:
        return key_of(kid)

    authority = Authority()
    guard = Guard(ISSUER, AUDIENCE, find, authority)
    token = text_of(authority.call("search", {})).encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"txn-token", token)],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    call, replay = await guard.admit("search", Request(scope, receive))
    assert call.arguments == {}
    assert await replay() == {"type": "http.request", "body": b"", "more_body": False}
