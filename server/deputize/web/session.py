"""The cookies of ours, which only we read back (SESSION-1, SIGNIN-1)."""

from collections.abc import Iterable

from starlette.responses import Response

from ..authority.authority import digest
from ..crypto.sealed import Sealer
from ..protocol.canonical import b64u, unb64u
from ..protocol.errors import Code, Refused
from ..protocol.login import DEPARTURE_LIFETIME

COOKIE = "__Host-deputize"
AWAY = "__Host-deputize-sign-in"
"""Of a browser whose user is at the site's login (SIGNIN-1)."""


def read_cookie(sealer: Sealer, lines: Iterable[str]) -> bytes | None:
    """Return the digest of the session that the lines of `Cookie` name, or None for none or a bad one.

    Refused(invalid_request) as `cookie`.
    """
    match sealer.open("session", cookie(COOKIE, lines) or ""):
        case str(text):
            return digest(unb64u(text))
    return None


def cookie(name: str, lines: Iterable[str]) -> str | None:
    """Return the value of a cookie of ours, or None if the lines of `Cookie` have none.

    Of all cookies only this one is looked at, character for character (RFC 6265 §4.2.1). General parsers take time that
    grows with the square of what they are sent, and take more for white space than browsers do, so that a name which
    another host of the domain may set passes for ours. Refused(invalid_request) if it comes twice: one is somebody
    else's.
    """
    ours = f"{name}="
    found = [
        pair.strip(" \t")[len(ours) :]
        for line in lines
        if ours in line
        for pair in line.split(";")
        if pair.lstrip(" \t").startswith(ours)
    ]
    if not found:
        return None
    if len(found) > 1:
        raise Refused(
            Code.INVALID_REQUEST,
            "The session's cookie came twice, and one of them is not ours. Delete the cookies of this site and of its "
            "domain, then sign in again.",
        )
    return found[0]


def set_cookie(response: Response, sealer: Sealer, session_id: bytes, lifetime: int) -> None:
    """Give the browser a session (SESSION-1)."""
    _set(response, COOKIE, sealer.seal("session", b64u(session_id)), lifetime)


def set_away(response: Response, value: str) -> None:
    """Let the browser be known when its user comes back from the site's login (SIGNIN-1)."""
    _set(response, AWAY, value, DEPARTURE_LIFETIME)


def _set(response: Response, name: str, value: str, lifetime: int) -> None:
    response.set_cookie(name, value, max_age=lifetime, path="/", secure=True, httponly=True, samesite="lax")


def clear_cookie(response: Response) -> None:
    """Take the session from the browser."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
