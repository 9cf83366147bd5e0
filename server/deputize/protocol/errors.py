"""Every reason for which deputize says no: one table, one code each (PROTOCOL §8).

A `Refusal` is a value, so that a transaction can record it and still commit; `Refused` carries one out of the code that
found it. How one looks on the wire is in `problem.py`, the sentence for a model in the shim.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Code(StrEnum):
    """The reason codes. The value is what stands on the wire."""

    # the request
    INVALID_REQUEST = "invalid_request"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    HEADERS_TOO_LARGE = "headers_too_large"
    URI_TOO_LONG = "uri_too_long"
    REQUEST_TIMEOUT = "request_timeout"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CROSS_SITE_REQUEST = "cross_site_request"
    TOO_MANY_REQUESTS = "too_many_requests"
    # who asks
    LOGIN_REQUIRED = "login_required"
    INVALID_TOKEN = "invalid_token"
    INVALID_DPOP_PROOF = "invalid_dpop_proof"
    WRONG_USER = "wrong_user"
    USER_BLOCKED = "user_blocked"
    # agents and grants
    INVALID_CLIENT = "invalid_client"
    INVALID_CLIENT_METADATA = "invalid_client_metadata"
    INVALID_GRANT = "invalid_grant"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    ACCESS_DENIED = "access_denied"
    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED_TOKEN = "expired_token"
    USE_DPOP_NONCE = "use_dpop_nonce"
    INVALID_TARGET = "invalid_target"
    INVALID_SCOPE = "invalid_scope"
    INVALID_AUTHORIZATION_DETAILS = "invalid_authorization_details"
    UNKNOWN_AGENT = "unknown_agent"
    AGENT_NOT_ALLOWED = "agent_not_allowed"
    AGENT_BLOCKED = "agent_blocked"
    CONSENT_REQUIRED = "consent_required"
    CONSENT_DECLINED = "consent_declined"
    GRANT_UNKNOWN = "grant_unknown"
    GRANT_EXPIRED = "grant_expired"
    GRANT_REVOKED = "grant_revoked"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    CONSTRAINT_VIOLATED = "constraint_violated"
    CONSTRAINT_EXHAUSTED = "constraint_exhausted"
    # calls
    UNKNOWN_TOOL = "unknown_tool"
    TOOL_IS_PUBLIC = "tool_is_public"
    INVALID_ARGUMENTS = "invalid_arguments"
    CALL_UNKNOWN = "call_unknown"
    CALL_STATE = "call_state"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    ALREADY_EXECUTED = "already_executed"
    OUTCOME_UNKNOWN = "outcome_unknown"
    # approval (SEP-2672 §4.10)
    MISSING_EVIDENCE = "missing_evidence"
    UNSUPPORTED_METHOD = "unsupported_method"
    CHALLENGE_UNKNOWN = "challenge_unknown"
    CHALLENGE_CONSUMED = "challenge_consumed"
    CHALLENGE_EXPIRED = "challenge_expired"
    CHALLENGE_WRONG_TOOL = "challenge_wrong_tool"
    UNKNOWN_CREDENTIAL = "unknown_credential"
    AUTHENTICATOR_CLASS_MISMATCH = "authenticator_class_mismatch"
    SIGNATURE_VERIFICATION_FAILED = "signature_verification_failed"
    SIGNATURE_COUNTER_REGRESSION = "signature_counter_regression"
    ARGUMENT_HASH_MISMATCH = "argument_hash_mismatch"
    NO_ELIGIBLE_CREDENTIAL = "no_eligible_credential"
    TOOL_NOT_APPROVED_REQUIRED = "tool_not_approved_required"
    # enrollment
    ENROLLMENT_NOT_ALLOWED = "enrollment_not_allowed"
    CREDENTIAL_ALREADY_ENROLLED = "credential_already_enrolled"
    NO_PENDING_ENROLLMENT = "no_pending_enrollment"
    VERIFICATION_FAILED = "verification_failed"
    # the guard
    MISSING_CALL_TOKEN = "missing_call_token"
    INVALID_CALL_TOKEN = "invalid_call_token"
    CALL_WRONG_TOOL = "call_wrong_tool"
    CALL_REDEEMED = "call_redeemed"
    REDEEMER_NOT_ALLOWED = "redeemer_not_allowed"
    AUTHORITY_UNAVAILABLE = "authority_unavailable"
    # ourselves
    RECORD_UNAVAILABLE = "record_unavailable"
    SERVER_ERROR = "server_error"


STATUS: Mapping[Code, int] = {
    **dict.fromkeys(Code, 403),  # whoever asks, the answer is no
    # the request cannot be read, or asks for what there is not
    Code.INVALID_REQUEST: 400,
    Code.INVALID_ARGUMENTS: 400,
    Code.INVALID_CLIENT_METADATA: 400,
    Code.INVALID_GRANT: 400,
    Code.INVALID_SCOPE: 400,
    Code.INVALID_TARGET: 400,
    Code.INVALID_AUTHORIZATION_DETAILS: 400,
    Code.UNSUPPORTED_GRANT_TYPE: 400,
    Code.TOOL_IS_PUBLIC: 400,
    Code.MISSING_EVIDENCE: 400,
    Code.UNSUPPORTED_METHOD: 400,
    Code.VERIFICATION_FAILED: 400,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.REQUEST_TIMEOUT: 408,
    Code.PAYLOAD_TOO_LARGE: 413,
    Code.URI_TOO_LONG: 414,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.HEADERS_TOO_LARGE: 431,
    # who asks must say so first
    Code.INVALID_CLIENT: 401,
    Code.LOGIN_REQUIRED: 401,
    Code.INVALID_TOKEN: 401,
    Code.INVALID_DPOP_PROOF: 401,
    Code.MISSING_CALL_TOKEN: 401,
    Code.INVALID_CALL_TOKEN: 401,
    # there is no such thing, for this user
    Code.NOT_FOUND: 404,
    Code.GRANT_UNKNOWN: 404,
    Code.CALL_UNKNOWN: 404,
    Code.CHALLENGE_UNKNOWN: 404,
    # it is not in a state for this
    Code.CALL_STATE: 409,
    Code.DECLINED: 409,
    Code.CANCELLED: 409,
    Code.EXPIRED: 409,
    Code.ALREADY_EXECUTED: 409,
    Code.OUTCOME_UNKNOWN: 409,
    Code.CALL_REDEEMED: 409,
    Code.CHALLENGE_CONSUMED: 409,
    Code.CHALLENGE_EXPIRED: 409,
    Code.CREDENTIAL_ALREADY_ENROLLED: 409,
    Code.NO_PENDING_ENROLLMENT: 409,
    # all in good time
    Code.TOO_MANY_REQUESTS: 429,
    # our own fault
    Code.SERVER_ERROR: 500,
    Code.RECORD_UNAVAILABLE: 503,
    Code.AUTHORITY_UNAVAILABLE: 503,
}
"""The HTTP status of each code (ERR-1)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no, with what happened and what to do in one sentence, and facts for machines (`facts`, JSON values).

    `unsent` says that nothing came with the request that could show who asks, and so nothing that was wrong (ERR-2).
    """

    code: Code
    detail: str
    facts: Mapping[str, object] = field(default_factory=dict)
    unsent: bool = False


class Refused(Exception):
    """Raised where no transaction is open; carries the refusal."""

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
