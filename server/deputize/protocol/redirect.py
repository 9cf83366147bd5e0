"""Where an authorization code may be sent (OAUTH-3; RFC 9700 §2.1, RFC 8252 §7)."""

import re
from collections.abc import Iterable

from .url import MAX_URL, Url

_ABSOLUTE = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*):(?P<rest>[A-Za-z0-9._~:/?@!$&'()+,;=%\[\]-]+)")
_LOOPBACK = re.compile(
    r"(?P<host>http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::[1-9][0-9]{0,4})?(?P<rest>/.*)?"
)


def redirect_uri(text: str, client: Url) -> str:
    """Read a redirect URI that a client registers, and return it; ValueError.

    It is https, or http on the user's own machine (RFC 8252 §7.3), or in the scheme of an app, which begins
    with the host of its client_id backward (RFC 8252 §7.1): `com.example.app:/cb` for `app.example.com`.
    """
    parts = _ABSOLUTE.fullmatch(text) if len(text) <= MAX_URL else None
    if parts is None:
        raise ValueError("a redirect URI is an absolute URL in ASCII without fragment and without wildcards")
    match parts["scheme"]:
        case "https":
            Url.parse(text, local=True)
        case "http":
            if _LOOPBACK.fullmatch(text) is None:
                raise ValueError("a redirect URI with http is on 127.0.0.1, [::1] or localhost")
        case scheme:
            ours, theirs = client.host.split(".")[::-1], scheme.split(".")
            common = min(len(ours), len(theirs))
            if common < 2 or ours[:common] != theirs[:common] or parts["rest"][0] != "/":
                raise ValueError("the scheme of a redirect URI is https, or the client's host name backward")
    return text


def matches(uri: str, registered: Iterable[str]) -> bool:
    """Tell whether a code may be sent there: what is registered, character by character (RFC 9700 §2.1).

    Only on the user's own machine any port will do, since apps get one at random (RFC 8252 §7.3).
    """
    known = frozenset(registered)
    local = _without_port(uri)
    return uri in known or (local is not None and local in map(_without_port, known))


def is_local(uri: str) -> bool:
    """Tell whether a redirect URI is of an app that listens on the user's own machine (RFC 8252 §7.3)."""
    return _LOOPBACK.fullmatch(uri) is not None


def _without_port(uri: str) -> tuple[str, str] | None:
    parts = _LOOPBACK.fullmatch(uri)
    return None if parts is None else (parts["host"], parts["rest"] or "")
