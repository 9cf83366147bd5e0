"""What an upstream could take for a guarded address, beyond case, slashes and encoding (PROXY-2).

A proxy reads an address that its upstream reads again. Where the two readings differ, a request goes around the guard,
so what a framework at its loosest would route to a guarded handler is refused.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import lru_cache
from urllib.parse import unquote

from ...protocol.endpoint import Endpoint, readings
from ...protocol.errors import Code, Refused

_MORE = 3  # parts of a path beside an endpoint's: a script, an index, nothing behind the last slash
_FIELDS = 100

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


def near(endpoints: Collection[Endpoint], path: str) -> list[Endpoint]:
    """Return the endpoints that an upstream could take a path, decoded, for, whatever the method."""
    longest = max((each.path.count("/") for each in endpoints), default=0)
    found = frozenset().union(*map(readings, set(_lenient(path, longest + _MORE))))
    return [each for each in endpoints if each.is_one_of(found) or _bared(each).is_one_of(found)]


def named(endpoints: Collection[Endpoint], query: str) -> bool:
    """Tell whether a front controller could take a part of a query for an endpoint's path: `?r=api/transfers`.

    Refused(invalid_request) if it has too many parts to tell.
    """
    fields = re.split("[&;]", query)
    if len(fields) > _FIELDS:
        raise refused(f"where something may be done, a query has at most {_FIELDS} fields")
    texts = {text.lstrip("/") for field in fields for text in _decoded(field)}
    return any(near(endpoints, f"/{text}") for text in texts)


def refused(why: str) -> Refused:
    """Make the refusal of an address."""
    return Refused(
        Code.INVALID_REQUEST,
        f"This request could be read in two ways, and is not passed on: {why.removesuffix('.')}.",
    )


def _lenient(path: str, parts: int) -> Iterator[str]:
    """Yield a path, and what it is to those who have front controllers, suffixes for formats, or index pages.

    Behind a front controller an endpoint has at most so many parts.
    """
    segments = path.split("/")
    behind = range(max(0, len(segments) - parts), len(segments))
    starts = [at + 1 for at in behind if _SCRIPT.search(segments[at].partition(";")[0])]
    for each in (path, *("/" + "/".join(segments[at:]) for at in starts)):  # /index.php/api/transfers
        bare = _bare(each)  # /api/transfers.json
        yield each
        yield bare
        if bare.casefold().endswith("/index"):
            yield bare[: -len("/index")]


def _decoded(field: str) -> list[str]:
    return [unquote(text.replace("+", " "), errors="replace") for text in field.split("=", 1)]


@lru_cache(maxsize=1024)
def _bared(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, path=_bare(endpoint.path))


def _bare(path: str) -> str:
    """Leave out what stands behind the first dot of the last segment that is not empty, if anything before it."""
    path = path.rstrip("/")
    before, slash, last = path.rpartition("/")
    return before + slash + last[:1] + last[1:].partition(".")[0]
