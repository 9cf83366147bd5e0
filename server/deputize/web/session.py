"""The session cookie and the CSRF token: what only we read back (SESSION-1, SESSION-2)."""

from starlette.responses import Response

from ..crypto.sealed import Sealer
from ..protocol.canonical import b64u, unb64u
from .authority import digest

COOKIE = "__Host-deputize"
CSRF_HEADER = "deputize-csrf"


def read_cookie(sealer: Sealer, value: str | None) -> bytes | None:
    """Return the digest of the session that a cookie names, or None for none or a bad one."""
    if value is None:
        return None
    match sealer.open("session", value):
        case str(text):
            return digest(unb64u(text))
    return None


def set_cookie(response: Response, sealer: Sealer, session_id: bytes, lifetime: int) -> None:
    """Give the browser a session (SESSION-1)."""
    response.set_cookie(
        COOKIE,
        sealer.seal("session", b64u(session_id)),
        max_age=lifetime,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )


def clear_cookie(response: Response) -> None:
    """Take the session from the browser."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def csrf_token(sealer: Sealer, user_id: str, session_digest: bytes | None) -> str:
    """Make the token that a page sends back in `Deputize-CSRF`: for this user in this session, if it is ours."""
    return sealer.seal("csrf", [user_id, b64u(session_digest or b"")])


def check_csrf(sealer: Sealer, value: str | None, user_id: str, session_digest: bytes | None) -> bool:
    """Tell whether a page sent the token of this user and session, not older than a day."""
    expected = [user_id, b64u(session_digest or b"")]
    return value is not None and sealer.open("csrf", value, max_age=86400) == expected
