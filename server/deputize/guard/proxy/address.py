"""What an upstream could take for a guarded address, beyond case, slashes and encoding (PROXY-2).

A proxy reads an address that its upstream reads again. Where the two readings differ, a request goes around the guard,
so what a framework at its loosest would route to a guarded handler is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from ...protocol.endpoint import Endpoint
from ...protocol.errors import Code, Refused

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_QUERY = re.compile(r"[\x21\x22\x24-\x7e]*")  # what browsers send (URL Standard, query state), without '#'
_SCRIPT = re.compile(r".\.(?:php\d?|phtml|f?cgi|pl|py|rb|aspx?|ashx|asmx|jsp|do|dll)\Z", re.IGNORECASE)
_AS_PHP = str.maketrans(" .[", "___")
_METHOD = re.compile(r"_+method(?![a-z0-9])|x_http_method|x_(?:http_)?method_override|http_method_override")


def check_query(query: str) -> None:
    """Raise Refused(invalid_request) for a query that not all read alike, or whose fields stand for another method."""
    if not _QUERY.fullmatch(query):
        raise refused("a query has printable ASCII characters, and no fragment behind it")
    for field in re.split("[&;]", query):
        name = unquote(field.partition("=")[0].replace("+", " "), errors="replace")
        if _METHOD.match(name.strip().casefold().translate(_AS_PHP).replace("-", "_")):
            raise refused(f"for some frameworks, {name[:64]!r} makes another method of it")


def names_in(query: str) -> Iterator[str]:
    """Yield what a front controller could take for the path, of the names and values in a query: `?r=api/transfers`."""
    for field in re.split("[&;]", query):
        for text in field.split("=", 1):
            yield "/" + unquote(text.replace("+", " "), errors="replace").lstrip("/")


def could_be(endpoint: Endpoint, path: str) -> bool:
    """Tell whether an upstream could take a path, decoded, for this endpoint's, whatever the method."""
    own = (endpoint, replace(endpoint, path=_bare(endpoint.path)))
    return any(each.resembles(reading) for each in own for reading in _readings(path))


def refused(why: str) -> Refused:
    """Make the refusal of an address."""
    return Refused(
        Code.INVALID_REQUEST, f"This request could be read in two ways, and is not passed on: {why}."
    )


def _readings(path: str) -> Iterator[str]:
    """Yield a path, and what it is to those who have front controllers, suffixes for formats, or index pages."""
    segments = path.split("/")
    behind = [at for at, segment in enumerate(segments) if _SCRIPT.search(segment.partition(";")[0])]
    for each in (path, *("/" + "/".join(segments[at + 1 :]) for at in behind)):  # /index.php/api/transfers
        bare = _bare(each)  # /api/transfers.json
        yield each
        yield bare
        if bare.casefold().endswith("/index"):
            yield bare[: -len("/index")]


def _bare(path: str) -> str:
    """Leave out what stands behind the first dot of the last segment that is not empty, if anything before it."""
    path = path.rstrip("/")
    before, slash, last = path.rpartition("/")
    return before + slash + last[:1] + last[1:].partition(".")[0]
