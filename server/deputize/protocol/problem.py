"""How a refusal looks in an HTTP answer (PROTOCOL §8): the same at the authority and at a guard."""

from http import HTTPStatus

from .errors import Code, Refusal

MEDIA_TYPE = "application/problem+json"

_UNSENT = frozenset({Code.LOGIN_REQUIRED, Code.MISSING_CALL_TOKEN})
"""Codes that are only for requests that had no credentials at all, so that none were wrong (RFC 6750 §3.1)."""

STEPS_UP = frozenset({Code.INSUFFICIENT_SCOPE, Code.CONSENT_OUTDATED})
"""Codes that another consent of the user mends, while the grant stays as it is for all else (ERR-2)."""


def problem(refusal: Refusal) -> dict[str, object]:
    """Return the body: RFC 9457, with `code` and the refusal's facts as extension members (ERR-1).

    A fact never takes the place of a member that the RFC or ERR-1 names.
    """
    status = refusal.code.status
    return {
        **refusal.facts,
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,  # RFC 9457 §4.2.1
        "status": status,
        "detail": refusal.detail,
        "code": refusal.code.value,
    }


def www_authenticate(refusal: Refusal) -> str | None:
    """Return the value of `WWW-Authenticate`, or None where there is none (ERR-2; RFC 9449 §7.1).

    Where the user would have to allow more, or to consent again, the fact `scope` (names separated by spaces) says what
    the agent has to ask for; RFC 6750 §3.1 has one word for both.
    """
    if refusal.code.status == HTTPStatus.UNAUTHORIZED:
        if refusal.unsent or refusal.code in _UNSENT:
            return 'DPoP algs="ES256"'
        return f'DPoP error="{refusal.code}", algs="ES256"'
    if refusal.code in STEPS_UP:
        return (
            f'DPoP error="{Code.INSUFFICIENT_SCOPE}", scope="{refusal.facts.get("scope", "")}", algs="ES256"'
        )
    return None
