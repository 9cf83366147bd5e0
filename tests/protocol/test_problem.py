"""How a refusal looks in an HTTP answer (ERR-1, ERR-2)."""

import pytest

from deputize.protocol.errors import Code, Refusal
from deputize.protocol.problem import STEPS_UP, problem, www_authenticate

STATUSES = {
    400: (
        "invalid_request version_skew sign_in_failed invalid_client_metadata invalid_grant "
        "unsupported_grant_type invalid_target invalid_scope invalid_authorization_details "
        "tool_is_public invalid_arguments missing_evidence unsupported_method missing_digits "
        "verification_failed"
    ),
    401: (
        "login_required invalid_token invalid_dpop_proof invalid_client missing_call_token invalid_call_token"
    ),
    403: (
        "cross_site_request wrong_user user_blocked unsupported_response_type unauthorized_client "
        "access_denied authorization_pending slow_down expired_token use_dpop_nonce unknown_agent "
        "agent_not_allowed agent_blocked paused asked_too_often consent_required consent_declined "
        "grant_expired grant_revoked insufficient_scope consent_outdated constraint_violated "
        "constraint_exhausted unknown_tool definition_changed wrong_surface url_elicitation_required "
        "challenge_wrong_tool unknown_credential authenticator_class_mismatch "
        "signature_verification_failed signature_counter_regression argument_hash_mismatch "
        "no_eligible_credential tool_not_approved_required wrong_digits enrollment_not_allowed "
        "call_wrong_tool redeemer_not_allowed reader_not_allowed"
    ),
    404: "not_found grant_unknown call_unknown challenge_unknown",
    405: "method_not_allowed",
    408: "request_timeout",
    409: (
        "call_state question_open declined cancelled expired already_executed outcome_unknown "
        "challenge_consumed challenge_expired credential_already_enrolled no_pending_enrollment "
        "call_redeemed"
    ),
    413: "payload_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    429: "too_many_requests",
    431: "headers_too_large",
    500: "server_error",
    502: "upstream_unavailable",
    503: "authority_unavailable record_unavailable",
}
"""What clients, proxies and those who try again go by: another status is another protocol."""


def test_each_code_has_its_status() -> None:
    """ERR-1"""
    assert {code: code.status for code in Code} == {
        Code(code): status for status, codes in STATUSES.items() for code in codes.split()
    }


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
