"""What of a request's head goes on to the upstream, and of an answer's head back (PROXY-3, PROXY-4)."""

import re
from collections.abc import Iterable
from ipaddress import ip_address

from ...protocol.errors import Code, Refused
from ...protocol.policy import Network

Headers = list[tuple[bytes, bytes]]
"""Lines of a head: names in lower case, as ASGI has them."""

FACTS = b"deputize-facts"
"""The header with what the guard knows of a call (PROXY-5). From outside it comes to nobody."""

_NAME = re.compile(rb"[a-z0-9-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 §5.5
_LENGTH = re.compile(rb"[0-9]{1,15}")
_ONCE = frozenset({b"host", b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"})
_HOP = frozenset(
    {
        b"connection",
        b"expect",  # our server has answered it
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""What is for one connection only (RFC 9110 §7.6.1)."""
_OPTIONS = _HOP | {b"close"}
_NEVER = frozenset({FACTS, b"proxy"})  # CGI would make HTTP_PROXY of it
_FORWARDING = (b"forwarded", b"x-forwarded-", b"x-real-ip")
_REROUTING = frozenset(
    {
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"http-method-override",
        b"x-original-method",
        b"x-original-url",
        b"x-original-uri",
        b"x-rewrite-url",
        b"x-forwarded-path",
        b"x-forwarded-uri",
        b"x-forwarded-method",
        b"x-envoy-original-path",
        b"path-info",
        b"script-name",
        b"request-method",
        b"request-uri",
    }
)
"""By these, frameworks and servers take another method or path than those in the first line."""


def onward(headers: Iterable[tuple[bytes, bytes]], http_version: str) -> Headers:
    """Return what goes on of a request's head, without what is for this connection only.

    Refused(invalid_request) for a head that two readers could read in two ways: lengths that are not one length, fields
    that are there twice, fields that stand for another method or path, `Connection` with the name of anything that
    is not for one connection, and an upgrade.
    """
    kept: Headers = []
    seen: set[bytes] = set()
    for name, value in headers:
        if name.replace(b"_", b"-") in _REROUTING:
            raise _refused(f"{name.decode()} could make another request of it")
        if not _VALUE.fullmatch(value):
            raise _refused("a field has control characters")
        if name in _ONCE and name in seen:
            raise _refused(f"{name.decode()} is there twice")
        seen.add(name)
        _check(name, value)
        # Where a hyphen and other characters become one, as in CGI, such a name is another spelling of one of ours.
        if name not in _HOP and name not in _NEVER and _NAME.fullmatch(name):
            kept.append((name, value))
    if {b"content-length", b"transfer-encoding"} <= seen or (
        b"transfer-encoding" in seen and http_version != "1.1"
    ):
        raise _refused("it has two lengths")
    if b"host" not in seen:
        raise _refused("it names no host")
    return kept


def is_chunked(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether a body follows of which no length is said; `onward` has let the head through."""
    return any(name == b"transfer-encoding" for name, _ in headers)


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether a body follows."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in headers
    )


def length(headers: Headers) -> int:
    """Return how long the body is said to be, less than nothing where nothing is said of it."""
    return next((int(value) for name, value in headers if name == b"content-length"), -1)


def forwarding(
    headers: Headers, client: tuple[str, int] | None, trusted: Iterable[Network], scheme: str
) -> Headers:
    """Return the head with what it says of where the request comes from.

    Only `trusted` proxies are believed; what anybody else says is taken out, and what is known here takes its place.
    """
    peer = client[0] if client is not None else None
    if peer is not None and any(ip_address(peer) in network for network in trusted):
        chain = [value for name, value in headers if name == b"x-forwarded-for"]
        kept = [(name, value) for name, value in headers if name != b"x-forwarded-for"]
        return [*kept, (b"x-forwarded-for", b", ".join([*chain, peer.encode()]))]
    kept = [(name, value) for name, value in headers if not name.startswith(_FORWARDING)]
    host = next((value for name, value in headers if name == b"host"), b"")
    said = [(b"x-forwarded-host", host), (b"x-forwarded-proto", scheme.encode())]
    return [*kept, *said, *([(b"x-forwarded-for", peer.encode())] if peer is not None else [])]


def back(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return what goes back of an answer's head: all but what was for one connection only."""
    lower = [(name.lower(), value) for name, value in headers]
    named = {
        option.strip().lower()
        for name, value in lower
        if name == b"connection"
        for option in value.split(b",")
    }
    if is_chunked(lower):
        named.add(b"content-length")  # which meant nothing beside it (RFC 9112 §6.3)
    return [(name, value) for name, value in lower if name not in _HOP and name not in named]


def _check(name: bytes, value: bytes) -> None:
    if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
        raise _refused("its Transfer-Encoding is not chunked")
    if name == b"content-length" and not _LENGTH.fullmatch(value):
        raise _refused("its Content-Length is no number")
    if name == b"upgrade":
        raise _refused(
            "it would go on as something else than HTTP, WebSocket for example, where no guard sees it"
        )
    if name == b"connection":
        strange = {option.strip().lower() for option in value.split(b",")} - _OPTIONS - {b""}
        if strange:
            raise _refused(
                f"Connection names {min(strange)[:64].decode('latin-1')}, which is for the upstream"
            )


def _refused(why: str) -> Refused:
    return Refused(Code.INVALID_REQUEST, f"This request is not passed on: {why}.")
