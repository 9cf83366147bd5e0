"""Every reason for which deputize says no: one table, one code each (PROTOCOL §8).

A `Refusal` is a value, so that a transaction can record it and still commit; `Refused` carries one out of the code that
found it. How one looks on the wire is in `problem.py`, what people and models are told in
`words/en.ftl`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")
_REASON = 1


class Code(StrEnum):
    """The reason codes: each is what stands on the wire, and has an HTTP status (ERR-1).

    401: say first who you are. 403: no, whoever asks. 404: this user has no such thing. 409: it is not in a state for
    this.
    """

    status: int
    is_reason: bool
    """Whether it is of the closed list of reasons in SEP-2672 §4.10."""

    def __new__(cls, value: str, *told: int) -> "Code":
        """Make a member of its value, its status, and perhaps _REASON; ValueError without a status."""
        code = str.__new__(cls, value)
        code._value_ = value
        code.status, *reason = told
        code.is_reason = bool(reason)
        return code

    # the request
    INVALID_REQUEST = "invalid_request", 400
    PAYLOAD_TOO_LARGE = "payload_too_large", 413
    HEADERS_TOO_LARGE = "headers_too_large", 431
    URI_TOO_LONG = "uri_too_long", 414
    REQUEST_TIMEOUT = "request_timeout", 408
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415
    NOT_FOUND = "not_found", 404
    METHOD_NOT_ALLOWED = "method_not_allowed", 405
    CROSS_SITE_REQUEST = "cross_site_request", 403
    VERSION_SKEW = "version_skew", 400
    TOO_MANY_REQUESTS = "too_many_requests", 429
    # who asks
    LOGIN_REQUIRED = "login_required", 401
    INVALID_TOKEN = "invalid_token", 401
    INVALID_DPOP_PROOF = "invalid_dpop_proof", 401
    WRONG_USER = "wrong_user", 403
    USER_BLOCKED = "user_blocked", 403
    SIGN_IN_FAILED = "sign_in_failed", 400
    # agents and grants
    INVALID_CLIENT = "invalid_client", 401
    INVALID_CLIENT_METADATA = "invalid_client_metadata", 400
    INVALID_GRANT = "invalid_grant", 400
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type", 400
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type", 403
    UNAUTHORIZED_CLIENT = "unauthorized_client", 403
    ACCESS_DENIED = "access_denied", 403
    AUTHORIZATION_PENDING = "authorization_pending", 403
    SLOW_DOWN = "slow_down", 403
    EXPIRED_TOKEN = "expired_token", 403
    USE_DPOP_NONCE = "use_dpop_nonce", 403
    INVALID_TARGET = "invalid_target", 400
    INVALID_SCOPE = "invalid_scope", 400
    INVALID_AUTHORIZATION_DETAILS = "invalid_authorization_details", 400
    UNKNOWN_AGENT = "unknown_agent", 403
    AGENT_NOT_ALLOWED = "agent_not_allowed", 403
    AGENT_BLOCKED = "agent_blocked", 403
    PAUSED = "paused", 403
    ASKED_TOO_OFTEN = "asked_too_often", 403
    CONSENT_REQUIRED = "consent_required", 403
    CONSENT_DECLINED = "consent_declined", 403
    GRANT_UNKNOWN = "grant_unknown", 404
    GRANT_EXPIRED = "grant_expired", 403
    GRANT_REVOKED = "grant_revoked", 403
    INSUFFICIENT_SCOPE = "insufficient_scope", 403
    CONSENT_OUTDATED = "consent_outdated", 403
    CONSTRAINT_VIOLATED = "constraint_violated", 403
    CONSTRAINT_EXHAUSTED = "constraint_exhausted", 403
    # calls
    UNKNOWN_TOOL = "unknown_tool", 403
    TOOL_IS_PUBLIC = "tool_is_public", 400
    DEFINITION_CHANGED = "definition_changed", 403
    INVALID_ARGUMENTS = "invalid_arguments", 400
    CALL_UNKNOWN = "call_unknown", 404
    CALL_STATE = "call_state", 409
    QUESTION_OPEN = "question_open", 409
    WRONG_SURFACE = "wrong_surface", 403
    DECLINED = "declined", 409
    CANCELLED = "cancelled", 409
    EXPIRED = "expired", 409
    ALREADY_EXECUTED = "already_executed", 409
    OUTCOME_UNKNOWN = "outcome_unknown", 409
    # approval (SEP-2672 §4.10)
    URL_ELICITATION_REQUIRED = "url_elicitation_required", 403
    MISSING_EVIDENCE = "missing_evidence", 400, _REASON
    UNSUPPORTED_METHOD = "unsupported_method", 400, _REASON
    CHALLENGE_UNKNOWN = "challenge_unknown", 404, _REASON
    CHALLENGE_CONSUMED = "challenge_consumed", 409, _REASON
    CHALLENGE_EXPIRED = "challenge_expired", 409, _REASON
    CHALLENGE_WRONG_TOOL = "challenge_wrong_tool", 403, _REASON
    UNKNOWN_CREDENTIAL = "unknown_credential", 403, _REASON
    AUTHENTICATOR_CLASS_MISMATCH = "authenticator_class_mismatch", 403, _REASON
    SIGNATURE_VERIFICATION_FAILED = "signature_verification_failed", 403, _REASON
    SIGNATURE_COUNTER_REGRESSION = "signature_counter_regression", 403, _REASON
    ARGUMENT_HASH_MISMATCH = "argument_hash_mismatch", 403, _REASON
    NO_ELIGIBLE_CREDENTIAL = "no_eligible_credential", 403, _REASON
    TOOL_NOT_APPROVED_REQUIRED = "tool_not_approved_required", 403, _REASON
    # on another device
    MISSING_DIGITS = "missing_digits", 400
    WRONG_DIGITS = "wrong_digits", 403
    # enrollment
    ENROLLMENT_NOT_ALLOWED = "enrollment_not_allowed", 403
    CREDENTIAL_ALREADY_ENROLLED = "credential_already_enrolled", 409, _REASON
    NO_PENDING_ENROLLMENT = "no_pending_enrollment", 409, _REASON
    VERIFICATION_FAILED = "verification_failed", 400, _REASON
    # the guard
    MISSING_CALL_TOKEN = "missing_call_token", 401
    INVALID_CALL_TOKEN = "invalid_call_token", 401
    CALL_WRONG_TOOL = "call_wrong_tool", 403
    CALL_REDEEMED = "call_redeemed", 409
    REDEEMER_NOT_ALLOWED = "redeemer_not_allowed", 403
    READER_NOT_ALLOWED = "reader_not_allowed", 403
    AUTHORITY_UNAVAILABLE = "authority_unavailable", 503
    UPSTREAM_UNAVAILABLE = "upstream_unavailable", 502
    # ourselves
    RECORD_UNAVAILABLE = "record_unavailable", 503
    SERVER_ERROR = "server_error", 500


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no, with what happened and what to do in one sentence, and facts for machines (`facts`, JSON values).

    With `unsent`, the request had no credentials at all, so none of them was wrong (ERR-2). `told` names what people
    read of it on a page, where its code does not say enough (SHIM-10).
    """

    code: Code
    detail: str
    facts: Mapping[str, object] = field(default_factory=dict)
    unsent: bool = False
    told: str = ""


class Refused(Exception):
    """Raised where no transaction is open; carries the refusal."""

    quietly = False
    """Whether it is counted only, and no line of the log tells of it."""

    def __init__(self, code: Code, detail: str, **facts: object) -> None:
        """Make one from the parts of its refusal."""
        super().__init__(detail)
        self.refusal = Refusal(code, detail, facts)

    @classmethod
    def of(cls, refusal: Refusal) -> "Refused":
        """Wrap a refusal that a transaction returned as a value."""
        error = cls(refusal.code, refusal.detail)
        error.refusal = refusal
        return error


def or_refuse(outcome: T | Refusal) -> T:
    """Turn the refusal that a transaction returned into an error, now that it is committed."""
    if isinstance(outcome, Refusal):
        raise Refused.of(outcome)
    return outcome


USED_PROOF = Refusal(
    Code.INVALID_DPOP_PROOF,
    "This proof was used before, or is too old to tell. Make a new one for each request.",
)
"""What a request hears that comes twice (PROOF-2)."""
