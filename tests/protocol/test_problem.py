"""How a refusal looks in an HTTP answer (ERR-1, ERR-2)."""

from http import HTTPStatus

import pytest

from deputize.protocol.errors import Code, Refusal
from deputize.protocol.problem import STEPS_UP, problem, www_authenticate


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_status_of_an_error(code: Code) -> None:
    """ERR-1"""
    assert 400 <= HTTPStatus(code.status) < 600


def test_a_problem_has_the_members_of_the_rfc_and_the_facts() -> None:
    """ERR-1, RFC 9457 §3"""
    assert problem(Refusal(Code.CALL_UNKNOWN, "There is no such call.", {"call_id": "cal_1"})) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no such call.",
        "code": "call_unknown",
        "call_id": "cal_1",
    }


@pytest.mark.parametrize("member", ["type", "title", "status", "detail", "code"])
def test_a_fact_never_takes_the_place_of_a_member(member: str) -> None:
    refusal = Refusal(Code.DECLINED, "The user declined.", {member: "another"})
    assert problem(refusal) == problem(Refusal(Code.DECLINED, "The user declined."))


@pytest.mark.parametrize("code", Code)
def test_401_says_how_to_authenticate(code: Code) -> None:
    """ERR-2"""
    header = www_authenticate(Refusal(code, ""))
    if code.status == 401:
        unsent = code in (Code.LOGIN_REQUIRED, Code.MISSING_CALL_TOKEN)  # RFC 6750 §3.1
        error = "" if unsent else f'error="{code.value}", '
        assert header == f'DPoP {error}algs="ES256"'
        assert www_authenticate(Refusal(code, "", unsent=True)) == 'DPoP algs="ES256"'
    else:
        assert (header is not None) == (code in STEPS_UP)


@pytest.mark.parametrize("code", sorted(STEPS_UP))
def test_what_another_consent_mends_says_what_to_ask_for(code: Code) -> None:
    """ERR-2, RFC 6750 §3.1, which has one word for both"""
    refusal = Refusal(code, "", {"scope": "account:read payments:write"})
    expected = 'DPoP error="insufficient_scope", scope="account:read payments:write", algs="ES256"'
    assert www_authenticate(refusal) == expected
