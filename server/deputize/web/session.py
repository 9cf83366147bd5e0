"""The session cookie: what only we read back (SESSION-1)."""

from collections.abc import Iterable

from starlette.responses import Response

from ..authority.authority import digest
from ..crypto.sealed import Sealer
from ..protocol.canonical import b64u, unb64u
from ..protocol.errors import Code, Refused

COOKIE = "__Host-deputize"
_OURS = f"{COOKIE}="


def read_cookie(sealer: Sealer, lines: Iterable[str]) -> bytes | None:
    """Return the digest of the session that the lines of `Cookie` name, or None for none or a bad one.

    Of all cookies only ours is looked at, character for character (RFC 6265 §4.2.1). General parsers take time that
    grows with the square of what they are sent, and take more for white space than browsers do, so that a name which
    another host of the domain may set passes for ours. Refused(invalid_request) if it comes twice: one is somebody
    else's.
    """
    found = [
        pair[len(_OURS) :]
        for line in lines
        if _OURS in line
        for pair in (spaced.strip(" \t") for spaced in line.split(";"))
        if pair.startswith(_OURS)
    ]
    if not found:
        return None
    if len(found) > 1:
        raise Refused(
            Code.INVALID_REQUEST,
            "The session's cookie came twice, and one of them is not ours. Delete the cookies of this site and of its "
            "domain, then sign in again.",
        )
    match sealer.open("session", found[0]):
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
