"""Endpoints: where the site's API does what a tool does, as the policy names them (ENDPOINT-1).

    POST /api/transfers/{account}
    GET https://api.bank.example/transfers
    POST /api/transfers/{account}{?notify}

What is in braces is an argument of the tool; the other arguments are the body, or with GET the query. Pure, so that
whatever stands in front of an API reads addresses alike.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from urllib.parse import unquote

Parts = tuple[str, ...]
"""The parts of a path."""

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""The methods that an endpoint may have; GET includes HEAD."""

_ORIGIN = re.compile(r"https?://[^/{}]+")
_LITERAL = re.compile(r"[A-Za-z0-9_~:@-][A-Za-z0-9._~:@-]*(?<!\.)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUERY = re.compile(r"\{\?([^{}]*)\}\Z")  # RFC 6570 §3.2.8
_RAW = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-F]{2})*)+")
_NEEDLESS = re.compile(r"%(?:2D|2E|5F|7E|3[0-9]|[46][1-9A-F]|[57][0-9A])")  # unreserved (RFC 3986 §2.3)
_NO_ASCII = re.compile(r"[^\x00-\x7f]")
_SEPARATING = frozenset("/\\%?#;")
_ADVICE = (
    'write a method and a path: "POST /api/transfers/{account}". In braces are arguments, one for a whole part of the '
    "path; those of a query beside a body follow as {?one,another}; an origin, if any, stands before the path"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and the template of a path. `query` names arguments that are in the query although there is a body.

    Without an `origin` it is at the first of the API's.
    """

    method: str
    path: str
    query: tuple[str, ...] = ()
    origin: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read it as the policy has it; ValueError for anything else."""
        method, space, target = text.partition(" ")
        origin = _ORIGIN.match(target)
        path = target[origin.end() :] if origin else target
        named = _QUERY.search(path)
        query = tuple(named[1].split(",")) if named else ()
        path = path[: named.start()] if named else path
        if not space or not path.startswith("/"):
            raise ValueError(_ADVICE)
        if method not in METHODS:
            raise ValueError(f"write the method as one of {', '.join(METHODS)}")
        *parts, last = path[1:].split("/")
        names = [_name_in(part) for part in (*parts, *([last] if last else []))]
        given = [*filter(None, names), *query]
        if not all(map(_NAME.fullmatch, query)):
            raise ValueError(_ADVICE)
        if len(set(given)) < len(given):
            raise ValueError("each argument stands at one place")
        if query and method == "GET":
            raise ValueError("with GET, all arguments that are not in the path are the query: leave out {?…}")
        return cls(method, path, query, origin[0] if origin else None)

    def __str__(self) -> str:
        named = f"{{?{','.join(self.query)}}}" if self.query else ""
        return f"{self.method} {self.origin or ''}{self.path}{named}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Name the arguments in the path, in their order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    @property
    def bodiless(self) -> bool:
        """Tell whether the arguments that are not in the path are the query."""
        return self.method == "GET"

    def takes(self, method: str) -> bool:
        """Tell whether requests of this method, however it is spelled, do what the tool does."""
        return method.upper() in (self.method, "HEAD" if self.method == "GET" else self.method)

    def match(self, path: str) -> dict[str, str] | None:
        """Return the texts of the path's parameters, if a path, decoded, is of this endpoint; else None."""
        own, given = self.path.split("/"), path.split("/")
        if len(own) != len(given):
            return None
        found = {}
        for mine, text in zip(own, given, strict=True):
            if mine.startswith("{"):
                if not is_segment(text):
                    return None
                found[mine[1:-1]] = text
            elif mine != text:
                return None
        return found

    def resembles(self, path: str) -> bool:
        """Tell whether somebody could take a path for one of this endpoint: by case, slashes, dots, encoding.

        Whoever decides by addresses refuses what resembles and does not `match`, since the site's router may be one of
        those (GUARD-9).
        """
        return self.is_one_of(readings(path))

    def is_one_of(self, paths: frozenset[Parts]) -> bool:
        """Tell whether one of these readings of a path is of this endpoint."""
        own = _template(self.path)
        return any(
            len(own) == len(given)
            and all(mine == text or mine.startswith("{") for mine, text in zip(own, given, strict=True))
            for given in paths
        )

    def meets(self, other: "Endpoint") -> bool:
        """Tell whether a path could be of both, or be taken for it, where they are at one origin."""
        own, given = _template(self.path), _template(other.path)
        return (
            self.method == other.method
            and len(own) == len(given)
            and all(
                mine == theirs or mine.startswith("{") or theirs.startswith("{")
                for mine, theirs in zip(own, given, strict=True)
            )
        )


def readings(path: str) -> frozenset[Parts]:
    """Return the parts of a path as lenient readers would take them.

    Each has some of the habits and not others: what one of them takes for a slash, another has as a part's character.
    """
    return (_known if len(path) <= _USUAL else _newest)(path)


def _read(path: str) -> frozenset[Parts]:
    return frozenset(
        _folded(taken, *habits)
        for taken in {_caseless(path), _caseless(_unquoted(path))}
        for habits in product((False, True), repeat=3 if taken.count(".") > 1 else 2)
    )


_USUAL = 512
"""Characters of a path: the readings of a longer one may take megabytes, and anybody may send one."""
_known, _newest = lru_cache(maxsize=256)(_read), lru_cache(maxsize=1)(_read)


def is_segment(text: str) -> bool:
    """Tell whether an argument can be one part of a path, and is nothing else to anybody who reads that again."""
    return bool(text) and text not in (".", "..") and text.isprintable() and not set(text) & _SEPARATING


def decoded(raw: str) -> str:
    """Return what the path of a request is, which is given as it was sent, without its query.

    ValueError unless there is one reading of it, in its one spelling: what need not be encoded is not; what is
    encoded is printable UTF-8, in capitals, and no slash, backslash or percent sign; there are neither dot segments
    nor empty ones, except behind a slash at the end (RFC 3986 §6.2.2).
    """
    if not _RAW.fullmatch(raw) or _NEEDLESS.search(raw):
        raise ValueError("the path is not in its one spelling")
    try:
        path = unquote(raw, errors="strict")
    except UnicodeDecodeError as error:
        raise ValueError("the path is not UTF-8") from error
    *parts, last = path[1:].split("/")
    if (
        path.count("/") != raw.count("/")
        or not path.isprintable()
        or set(path) & {"\\", "%"}
        or not all(parts)
        or {".", ".."} & {*parts, last}
    ):
        raise ValueError("the path has more than one reading")
    return path


def _name_in(part: str) -> str | None:
    """Return the name of the argument that a part of a template is, or None; ValueError for what is no part."""
    if part.startswith("{") and part.endswith("}") and _NAME.fullmatch(part[1:-1]):
        return part[1:-1]
    if not _LITERAL.fullmatch(part):
        raise ValueError(_ADVICE)
    return None


@lru_cache(maxsize=1024)
def _template(path: str) -> Parts:
    """Return the parts of an endpoint's path, as readings of it have them."""
    return _folded(_caseless(_unquoted(path)), cuts=True, trims=True)


def _unquoted(path: str) -> str:
    """Return a path as somebody takes it who decodes what is decoded already, and knows other slashes."""
    for _ in range(3):
        if (again := unquote(path)) == path:
            break
        path = again
    # One by one: for a long row of accents it takes the square of its length.
    path = _NO_ASCII.sub(lambda found: unicodedata.normalize("NFKC", found[0]), path)
    return path.replace("\\", "/")


def _caseless(path: str) -> str:
    """Fold the case of a path, and a Turkish i to what some take it for, which `casefold` does not."""
    return path.replace("\u0130", "i").replace("\u0131", "i").casefold()


def _folded(path: str, cuts: bool, trims: bool, keeps: bool = False) -> Parts:
    """Return the parts of a path as somebody takes them who cuts parameters off, trims parts, and keeps empty ones
    until dot segments have taken theirs (RFC 3986 §5.2.4)."""
    if trims and not path.isprintable():
        path = "".join(filter(str.isprintable, path))
    parts: list[str] = []
    for part in path.split("/"):
        text = part.partition(";")[0] if cuts else part
        text = text.strip() if trims else text
        if text == "..":
            del parts[-1:]
        elif (text or keeps) and text != ".":
            parts.append((text.rstrip(". ") or text) if trims else text)
    return tuple(filter(None, parts))
