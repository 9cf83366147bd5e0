"""URLs that strangers give us, in one spelling each: equal URLs are equal strings (RFC 3986 §6.2.1)."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_URL = 512
"""How many characters such a URL may have."""

_PCHAR = r"[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2}"
_URL = re.compile(
    r"(?P<origin>(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[::1\])(?::(?P<port>[1-9][0-9]{0,4}))?)"
    rf"(?P<path>/(?:{_PCHAR}|/)*)(?P<query>\?(?:{_PCHAR}|[/?])*)?"
)
# A last label that begins with a digit is a number to some reader of URLs: 127.1, 0x7f.0x1, 2130706433.
_NAME = re.compile(r"(?=.{1,253}\Z)(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+[a-z][a-z0-9-]{0,62}(?<!-)")
_DOTS = re.compile(r"(?:\.|%2[Ee]){1,2}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Url:
    """An http or https URL, and its parts; `query` has its question mark."""

    text: str
    scheme: str
    origin: str
    host: str
    port: int
    path: str
    query: str

    @classmethod
    def parse(cls, text: str, local: bool = False) -> "Url":
        """Read an https URL of a host with a public name; with `local`, also of this machine, and any port.

        ValueError for every spelling but the plain one, and for user, fragment and dot segments.
        """
        parts = _URL.fullmatch(text) if len(text) <= MAX_URL else None
        if parts is None or any(_DOTS.fullmatch(segment) for segment in parts["path"].split("/")):
            raise ValueError(
                f"a URL here has a host in lower case and a path, at most {MAX_URL} ASCII characters, "
                "and neither user nor fragment nor dot segments"
            )
        scheme, host, port = parts["scheme"], parts["host"], int(parts["port"] or _PORTS[parts["scheme"]])
        if not (local and host in _LOOPBACK) and (scheme != "https" or _NAME.fullmatch(host) is None):
            raise ValueError("a URL here begins with https:// and the public name of a host")
        if parts["port"] and (not local or port == _PORTS[scheme] or port > 65535):
            raise ValueError("a URL here names no port")
        return cls(text, scheme, parts["origin"], host, port, parts["path"], parts["query"] or "")


def is_secure(url: str) -> bool:
    """Tell whether secrets may go to this URL: https, or http that stays on this machine.

    A name below localhost may not: not every resolver knows that it has to (RFC 6761 §6.3), and some ask the network.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets without an address
        return False
    here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or here)


def origin_of(url: str) -> str:
    """Return the origin of a URL in this spelling; of anything else, something that is no origin of one."""
    return "/".join(url.split("/", 3)[:3])
