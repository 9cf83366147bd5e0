"""The dimensions of a request: each place in it that can grow, and each way to grow there.

A dimension is made of the request itself: its lines, its members, what its texts are made of. One that is not seen by
that has a row in `KNOWN`, by the name of its header, parameter or member.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from tests.hostile.growth import COOKIES, FULL, HEADERS, LINES, TARGET
from tests.hostile.requests import FORM, JSON, Request
from tests.web.test_openapi import DOCUMENT, template_of

from deputize.protocol.canonical import MAX_DEPTH
from deputize.web.context import MAX_BODY

FILLERS = (
    *("a", "0", "-", ".", ",", ";", "=", "%", "%41", ":", "/", "@", "~", "&", "+", "(", "[", "{", "{{", "<"),
    *('"', "\\", '\\"', "\\101", " ", "\t", "; a=", ', a="', '("a" ', "a.", "a=b, ", "a;q=0,"),
    *("’", "\u05d0", "\u0301"),
)
"""What texts are made of that parsers trip over."""

FEW = FILLERS if FULL else ("a", "\\")
"""The same for places that have been filled in all ways elsewhere."""

HEADERS_READ = (
    *(
        "accept",
        "authorization",
        "content-digest",
        "content-type",
        "cookie",
        "deputize-csrf",
        "deputize-guard",
    ),
    *(
        "deputize-page",
        "dpop",
        "forwarded",
        "host",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "origin",
    ),
    *(
        "sec-fetch-dest",
        "sec-fetch-site",
        "signature",
        "signature-agent",
        "signature-input",
        "x-forwarded-for",
    ),
)
_serial = count()
_filled: set[tuple[object, ...]] = set()


@dataclass(frozen=True)
class Dimension:
    """One way in which a request grows: `grown(n)` is it with n units, `most` as many as are let in."""

    name: str
    most: int
    grown: Callable[[int], Request]


Way = tuple[str, int, Callable[[int], Any]]
"""How a value grows: the name of the way, how many units there can be, and the value with so many."""


def of(request: Request) -> Iterator[Dimension]:
    """Find the dimensions of a request."""
    yield from _lines(request)
    if request.header(b"signature-input"):
        yield Dimension(
            "lines that are signed", LINES - len(request.headers), lambda n: _covering(request, n)
        )
    yield from _target(request)
    if request.kind == JSON:
        yield from _body(request)
    elif request.kind == FORM:
        yield from _form(request)


def fillers(*place: object) -> Sequence[str]:
    """Return all fillers for a place that is new, and few for one that was in another request of the same run."""
    return FEW if is_known(*place) else FILLERS


def is_known(*place: object) -> bool:
    """Tell whether this was asked of this place already."""
    known = place in _filled
    _filled.add(place)
    return known


def texts(most: int, fillers: Sequence[str] = FILLERS) -> Iterator[Way]:
    """Grow a text of so many bytes. No two are the same, so that nothing remembers them."""
    for filler in fillers:
        size = len(filler.encode())
        yield f"of {filler!r}", most // size, partial(_filled_with, filler, "")
        if filler.startswith("\\"):
            yield (
                f"of quoted {filler!r}",
                most // size,
                partial(_filled_with, filler, '"'),
            )


def _filled_with(filler: str, quote: str, n: int) -> str:
    return f"{quote}{filler * n}{next(_serial)}{quote}"


def values(most: int, fillers: Sequence[str] = FILLERS) -> Iterator[Way]:
    """Grow a JSON value of so many bytes."""
    yield from texts(most, fillers)
    yield "of numbers", most // 2, lambda n: [1] * n
    yield "of texts", most // 8, lambda n: [f"x{k}" for k in range(n)]
    yield "of members", most // 12, lambda n: {f"x{k}": k for k in range(n)}
    yield "of groups", most // 10, lambda n: [{"a": 1}] * n
    yield "of escapes", most // 6, lambda n: orjson.Fragment(b'"%b"' % (b"\\u0041" * n))
    yield "of digits", most, lambda n: orjson.Fragment(b"9" * n)
    yield "fractions", most // 8, lambda n: [0.1 + k for k in range(n)]
    yield "nested lists", MAX_DEPTH, lambda n: _nested(n, lambda inner: [inner])
    yield "nested groups", MAX_DEPTH, lambda n: _nested(n, lambda inner: {"a": inner})
    yield "a tree", most // 4, _tree


def _nested(n: int, around: Callable[[Any], Any]) -> Any:
    value: Any = 0
    for _ in range(n):
        value = around(value)
    return value


def _tree(n: int) -> Any:
    return [_tree((n - 1) // 2), _tree((n - 1) // 2)] if n > 2 else 0


# --- what is known of single values -------------------------------------------------------------------------------


def _scopes(value: str, most: int) -> Iterator[Way]:
    yield "of scopes", most // 7, lambda n: " ".join(f"s{k:05}" for k in range(n))
    yield "of one scope", most // 13, lambda n: " ".join(["account:read"] * n)


def _ids(value: Any, most: int) -> Iterator[Way]:
    yield "of ids", most // 30, lambda n: [f"cal_{k:022}" for k in range(n)]


def _token(value: str, most: int) -> Iterator[Way]:
    """Grow what is in a JWS, header and claims; its signature is then wrong."""
    yield "of segments", most // 2, lambda n: ".".join(["e"] * n)
    yield "of tildes", most // 2, lambda n: "~".join(["e"] * n)
    scheme, space, token = value.rpartition(" ")
    segments = token.split(".")
    for index in (0, 1):
        content = orjson.loads(_unb64(segments[index]))
        for place in ("", *content):
            for name, most_here, grow in values(most // 2, FEW):

                def grown(
                    n: int, index: int = index, old: Any = content, place: str = place, grow: Any = grow
                ) -> str:
                    new = {**old, place or "more": grow(n)}
                    changed = [*segments[:index], _b64(orjson.dumps(new)), *segments[index + 1 :]]
                    return scheme + space + ".".join(changed)

                yield f"{'header' if index == 0 else 'claims'} {place} {name}", most_here, grown


def _details(value: Any, most: int) -> Iterator[Way]:
    """Grow limits that an agent asks for; with each of them, a consent is to be written (CONS-1, CONS-4)."""

    def one(**members: Any) -> str:
        return orjson.dumps([{"type": "webmcp_tool", "tool": "note", **members}]).decode()

    def schema(of: Callable[[int], Any]) -> Callable[[int], str]:
        return lambda n: one(schema=of(n))

    any_of = lambda inner: {"anyOf": [inner, {"type": "string"}]}  # noqa: E731
    yield (
        "details",
        16,
        lambda n: orjson.dumps(
            [{"type": "webmcp_tool", "tool": "note", "max_calls": k + 1} for k in range(n)]
        ).decode(),
    )
    yield "sums", most // 16, lambda n: one(sum={f"/a{k}": 1 for k in range(n)})
    yield "a pointer", most // 2, lambda n: one(sum={"/a" * n: 1})
    yield "values", most // 4, schema(lambda n: {"enum": list(range(n))})
    yield (
        "properties",
        most // 24,
        schema(lambda n: {"properties": {f"p{k}": {"type": "string"} for k in range(n)}}),
    )
    yield "required", most // 10, schema(lambda n: {"required": [f"p{k}" for k in range(n)]})
    yield "parts", most // 18, schema(lambda n: {"allOf": [{"type": "object"}] * n})
    yield "alternatives", most // 18, schema(lambda n: {"anyOf": [{"type": "object"}] * n})
    yield "nested parts", 28, schema(lambda n: _nested(n, any_of))
    yield (
        "nested properties",
        28,
        schema(lambda n: _nested(n, lambda inner: {"properties": {"p": inner or {}}})),
    )
    yield "nested refusals", 56, schema(lambda n: _nested(n, lambda inner: {"not": inner or {}}))


def _ceremony(value: str, most: int) -> Iterator[Way]:
    """Grow the JSON or the CBOR in a WebAuthn response."""
    inner = _unb64(value)
    if inner.startswith(b"{"):
        content = orjson.loads(inner)
        for place in ("more", *content):
            for name, size, grow in values(most * 3 // 4, FEW):
                yield (
                    f"{place} {name}",
                    size,
                    partial(_with_member, content, place, grow),
                )
    for name, unit in (("lists", b"\x81"), ("maps", b"\xa1\x00"), ("tags", b"\xc1"), ("endless", b"\x9f")):
        size = most * 3 // 4 // len(unit)
        yield f"nested CBOR {name}", size, partial(_repeated, b"", unit, b"\x00")
        yield f"more CBOR {name}", size, partial(_repeated, inner, unit, b"")
    yield "zeros", most * 3 // 4, lambda n: _b64(bytes(n))
    yield (
        "CBOR members",
        most // 4,
        lambda n: _b64(
            b"\xb9"
            + n.to_bytes(2, "big")
            + b"".join(b"\x19" + k.to_bytes(2, "big") + b"\x00" for k in range(n))
        ),
    )
    yield "CBOR bytes", most * 3 // 4, lambda n: _b64(b"\x5a" + n.to_bytes(4, "big") + bytes(n))
    yield "CBOR number", most * 3 // 4, lambda n: _b64(b"\xc2\x5a" + n.to_bytes(4, "big") + b"\xff" * n)


def _with_member(content: Mapping[str, Any], name: str, grow: Callable[[int], Any], n: int) -> str:
    return _b64(orjson.dumps({**content, name: grow(n)}))


def _repeated(before: bytes, unit: bytes, after: bytes, n: int) -> str:
    return _b64(before + unit * n + after)


def _accepts(value: Any, most: int) -> Iterator[Way]:
    yield "of types", most // 10, lambda n: ", ".join(f"a/b{k};q=0.1" for k in range(n))[:most]


def _components(value: Any, most: int) -> Iterator[Way]:
    most = min(most, 4096)
    parameters = value.rpartition(")")[2]

    def covering(names: list[str]) -> str:
        return f"sig1=({' '.join(names)}){parameters}"

    yield "components", most // 8, lambda n: covering([f'"x{k}"' for k in range(n)])
    yield "one component", most // 9, lambda n: covering(['"accept"'] * n)
    yield "labels", most // 6, lambda n: value + "".join(f", s{k}=1" for k in range(n))
    yield "parameters", most // 6, lambda n: value + "".join(f";p{k}=1" for k in range(n))


KNOWN: Mapping[str, Callable[[Any, int], Iterator[Way]]] = {
    "accept": _accepts,
    "attestationObject": _ceremony,
    "authenticatorData": _ceremony,
    "authorization": _token,
    "authorization_details": _details,
    "call_token": _token,
    "client_assertion": _token,
    "clientDataJSON": _ceremony,
    "delivered": _ids,
    "deputize-guard": _token,
    "deputize-page": _token,
    "dpop": _token,
    "scope": _scopes,
    "signature": _ceremony,
    "signature-input": _components,
    "subject_token": _token,
}
"""Ways of their own, for what has this name."""


def documented(request: Request) -> set[str]:
    """Collect the names of all parameters and members of a request that the OpenAPI document has."""
    said = DOCUMENT["paths"][template_of(request.path)][request.method.lower()]
    schemas = [content["schema"] for content in said.get("requestBody", {}).get("content", {}).values()]
    names = {parameter["name"] for parameter in said["parameters"] if parameter["in"] == "query"}
    for schema in schemas:  # grows
        if "$ref" in schema:
            schemas.append(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        schemas += schema.get("oneOf", [])
        names |= schema.get("properties", {}).keys()
    return names


def _ways(name: str, value: Any, most: int) -> Iterator[Way]:
    if (
        KNOWN.get(name) in (_token, _ceremony) and not FULL and is_known("in", name)
    ):  # read alike wherever they are
        return
    if name in KNOWN and (value or KNOWN[name] in (_accepts, _details, _ids)):
        yield from KNOWN[name](value, most)


# --- where they are in a request ----------------------------------------------------------------------------------


def _lines(request: Request) -> Iterator[Dimension]:
    sent = {name.decode(): value.decode() for name, value in request.headers}
    rest = sum(len(name) + len(value) for name, value in request.headers)

    def lines(name: bytes, value: bytes, n: int) -> Request:
        return replace(request, headers=(*request.headers, *[(name, value)] * n))

    for name in dict.fromkeys((*HEADERS_READ, *sent)):
        value = sent.get(name, "a=1").encode()
        most = min(LINES - len(sent), max((HEADERS - rest) // len(value), 1))
        yield Dimension(f"lines of {name}", most, partial(lines, name.encode(), value))
        room = min(COOKIES, HEADERS) if name == "cookie" else HEADERS - rest
        for way, most, grow in (
            *texts(room, fillers(name, name in sent)),
            *_ways(name, sent.get(name, ""), room),
        ):
            ours = f"{sent.get(name, '')}; __Host-deputize=" if name == "cookie" else ""

            def grown(n: int, name: str = name, ours: str = ours, grow: Any = grow) -> Request:
                return request.having(name.encode(), (ours + grow(n)).encode()[: HEADERS - rest])

            yield Dimension(f"header {name} {way}", most, grown)


def _covering(request: Request, n: int) -> Request:
    """Send that many lines more, and have all of them covered (OAUTH-14)."""
    more, old = [f"x{k}" for k in range(n)], request.header(b"signature-input").decode()
    new = old.replace("=(", "=(" + "".join(f'"{name}" ' for name in more), 1)
    signed = request.having(b"signature-input", new.encode())
    return replace(signed, headers=(*signed.headers, *((name.encode(), b"1") for name in more)))


def _target(request: Request) -> Iterator[Dimension]:
    room = TARGET - len(request.path)
    *before, _ = request.path.split("/")
    for way, most, grow in texts(room // 3, fillers("path")):
        for name, start in (("path", request.path), ("end of the path", "/".join([*before, ""]))):

            def grown(n: int, start: str = start, grow: Any = grow) -> Request:
                return replace(request, path=start + grow(n))

            yield Dimension(f"{name} {way}", most, grown)
    yield Dimension("many in the query", room // 6, lambda n: replace(request, query=_many(n)))
    sent = dict(parse_qsl(request.query.decode()))
    for name in dict.fromkeys((*sent, *documented(request))) if request.method == "GET" else ():
        for dimension, query in _parameters(sent, name, room):
            yield replace(dimension, grown=partial(_with_query, request, query, room))


def _form(request: Request) -> Iterator[Dimension]:
    room = MAX_BODY - len(request.body) - 64
    sent = dict(parse_qsl(request.body.decode()))
    yield Dimension(
        "many in the form", room // 9, lambda n: replace(request, body=request.body + b"&" + _many(n))
    )
    for name in dict.fromkeys((*sent, *documented(request))):
        for dimension, body in _parameters(sent, name, room):
            yield replace(dimension, grown=partial(_with_body, request, body))


def _parameters(
    sent: Mapping[str, str], name: str, room: int
) -> Iterator[tuple[Dimension, Callable[[int], bytes]]]:
    """Grow one parameter, sent so far or not: its value, and how often it is there."""
    value, others = sent.get(name, ""), {known: sent[known] for known in sent if known != name}
    for way, most, grow in (*texts(room // 3, fillers(name)), *_ways(name, value, room // 3)):

        def grown(n: int, grow: Any = grow) -> bytes:
            return urlencode({**others, name: grow(n)}).encode()

        yield Dimension(f"{name} {way}", most, _never), grown
    again = urlencode({name: value or "x"}).encode()
    yield (
        Dimension(f"{name} again", room // (len(again) + 1), _never),
        lambda n: urlencode(others).encode() + (b"&" + again) * n,
    )


def _with_query(request: Request, query: Callable[[int], bytes], most: int, n: int) -> Request:
    return replace(request, query=query(n)[:most])


def _with_body(request: Request, body: Callable[[int], bytes], n: int) -> Request:
    return replace(request, body=body(n))


def _many(n: int) -> bytes:
    return b"&".join(b"x%d=1" % k for k in range(n))


def _never(n: int) -> Request:
    raise NotImplementedError


def _body(request: Request) -> Iterator[Dimension]:
    """Grow a body of JSON: the whole, and whatever is in it."""
    room = MAX_BODY - len(request.body) - 64
    whole = orjson.loads(request.body)
    for name, unit in (("lists", b"["), ("groups", b'{"a":'), ("spaces", b" "), ("twice", b'{"a":1,"a":1}')):
        most = room // len(unit)
        yield Dimension(f"body of {name}", most, partial(_with_body, request, unit.__mul__))
    for name, most, grown in documents(whole, room, documented(request)):
        yield Dimension(name, most, partial(_with_body, request, grown))


Document = tuple[str, int, Callable[[int], bytes]]
"""How a JSON text grows: the name of the way, how many units there can be, and the text with so many."""


def documents(whole: Any, room: int, absent: Iterable[str] = ()) -> Iterator[Document]:
    """Grow a JSON text at each place in it, and at members that it has not."""
    for place in dict.fromkeys((*_places(whole), *((name,) for name in absent))):
        name, value = str(place[-1]) if place else "", _at(whole, place)
        for way, most, grow in (
            *values(room, fillers(*place)),
            *_more(value, room),
            *_ways(name, value, room),
        ):
            yield f"{'.'.join(map(str, place))} {way}", most, partial(_with_value, whole, place, grow)


def _more(value: Any, most: int) -> Iterator[Way]:
    """Repeat what is in a list, or in an object, under other names."""
    size = len(orjson.dumps(value))
    if isinstance(value, list) and value:
        yield "again and again", most // size, lambda n: value * n
    elif isinstance(value, dict) and value:
        yield (
            "again and again",
            most // (size + 6 * len(value)),
            lambda n: {f"{name}{k or ''}": value[name] for k in range(n) for name in value},
        )


def _with_value(whole: Any, place: tuple[Any, ...], grow: Callable[[int], Any], n: int) -> bytes:
    return orjson.dumps(_put(whole, place, grow(n)))


def _places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from _places(value[name], (*here, name))
    if isinstance(value, dict):
        yield (*here, "more")  # a member that it has not


def _at(value: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        value = (
            value[step] if isinstance(value, list) else value.get(step) if isinstance(value, dict) else None
        )
    return value


def _put(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    step, *rest = place
    if isinstance(value, list):
        return [*value[:step], _put(value[step], tuple(rest), new), *value[step + 1 :]]
    return {**value, step: _put(value.get(step), tuple(rest), new)}


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "===")
