"""The arguments of a call as an HTTP request carries them: in its path, its query and its body (GUARD-2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from .canonical import Json, JsonError, canonicalize, parse
from .endpoint import Endpoint, is_segment
from .errors import Code, Refused
from .tool import Schema

_LITERALS = {"boolean": (bool,), "integer": (int,), "number": (int, float)}
_ENCODES_NOTHING = re.compile(rb"%(?![0-9A-Fa-f]{2})")  # which urllib would leave as it is
_NAMED = "Name the arguments of this endpoint with `args=`."
_NO_SCHEMA = (
    "This guard has no input schema to read an address by: write the tool's `input_schema` into the policy, or, where "
    f"the guard has no policy, give it in `schemas`. Otherwise: {_NAMED}"
)


@dataclass(frozen=True, slots=True)
class Carried:
    """What a request carries: the parameters of its path, decoded, its query as it came, and its body."""

    method: str
    query: bytes
    content_type: str
    body: bytes
    parameters: Mapping[str, str]

    def arguments(self, endpoint: Endpoint | None, schema: Schema | None) -> dict[str, Json]:
        """Return the arguments that are carried to an endpoint, None for one without parameters.

        Anything else that a handler could take for an argument was neither hashed nor approved, so it is refused: a
        query beside a body, a body beside a query, an argument at two places.
        """
        bodiless = self.method in ("GET", "HEAD")
        listed = endpoint.query if endpoint is not None else ()
        if bodiless and self.body:
            raise Refused(Code.INVALID_REQUEST, "A GET request to this API has no body.")
        if not bodiless and self.query and not listed:
            raise Refused(Code.INVALID_REQUEST, "The arguments are the body; this endpoint has no query.")
        in_path = {name: value_of(name, schema, [text]) for name, text in self.parameters.items()}
        in_query = from_query(self.query, schema)
        if not bodiless and (strange := in_query.keys() - {*listed}):
            raise Refused(Code.INVALID_REQUEST, f"The query of this endpoint has no {min(strange)[:64]!r}.")
        left_out = not self.body and endpoint is not None and _needs_no_body(endpoint, schema)
        in_body = {} if bodiless or left_out else from_body(self.content_type, self.body)
        found = {**in_path, **in_query, **in_body}
        if len(found) < len(in_path) + len(in_query) + len(in_body) or in_body.keys() & {*listed}:
            raise Refused(Code.INVALID_REQUEST, "An argument stands at two places, or not at its own.")
        return found


@dataclass(frozen=True, slots=True)
class Sent:
    """A request for an endpoint: its target, a path and perhaps a query, and its body, None for none."""

    method: str
    target: str
    body: bytes | None


def request_for(endpoint: Endpoint, schema: Schema | None, arguments: Mapping[str, Json]) -> Sent:
    """Write the request that carries these arguments; ValueError for some that its path or query cannot carry."""
    rest = dict(arguments)
    parts = [
        quote(_segment(part[1:-1], schema, rest), safe="") if part.startswith("{") else part
        for part in endpoint.path.split("/")
    ]
    named = list(rest) if endpoint.bodiless else [name for name in endpoint.query if name in rest]
    pairs = [(name, text) for name in named for text in _texts(name, schema, rest.pop(name))]
    target = "/".join(parts) + (f"?{urlencode(pairs)}" if pairs else "")
    empty = endpoint.bodiless or (not rest and _needs_no_body(endpoint, schema))
    return Sent(endpoint.method, target, None if empty else canonicalize(rest))


def unsendable(endpoint: Endpoint, schema: Schema | None, arguments: Mapping[str, Json]) -> str | None:
    """Say why no request for an endpoint carries these arguments; None if one does."""
    if not (endpoint.parameters or endpoint.query or endpoint.bodiless):
        return None
    try:
        request_for(endpoint, schema, arguments)
    except ValueError as error:
        return str(error)
    return None


def from_body(content_type: str, body: bytes) -> dict[str, Json]:
    """Read a body as a strict JSON object (JSON-1); Refused for anything else."""
    kind, *parameters = content_type.lower().split(";")
    # Who decodes it once more, by a charset, would read something else than was hashed.
    if kind.strip(" \t") != "application/json" or not all(map(_is_utf_8, parameters)):
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send the arguments as application/json, in UTF-8.")
    try:
        value = parse(body)
    except JsonError as error:
        raise Refused(Code.INVALID_REQUEST, f"The body is not strict JSON: {error.reason}.") from error
    if not isinstance(value, dict):
        raise Refused(Code.INVALID_REQUEST, "The body is a JSON object.")
    return value


def from_query(query: bytes, schema: Schema | None) -> dict[str, Json]:
    """Read a query by the types in the tool's input schema; Refused if that cannot be done.

    `number` and `boolean` are written as in JSON, an `integer` without fraction and exponent, a `string` as it is; an
    `array` of these repeats its name.
    Refused(invalid_arguments) for a name that the schema lacks, and for one that is repeated without being an array.
    """
    try:
        if _ENCODES_NOTHING.search(query):
            raise ValueError("a percent sign that encodes nothing")
        text = query.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []
    except ValueError as error:
        raise Refused(Code.INVALID_REQUEST, "The query cannot be read.") from error
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    return {name: value_of(name, schema, texts) for name, texts in given.items()}


def _is_utf_8(parameter: str) -> bool:
    name, _, value = parameter.strip(" \t").partition("=")
    return not name.startswith("charset") or value in ("utf-8", '"utf-8"')


def value_of(name: str, schema: Schema | None, texts: list[str]) -> Json:
    """Read the values of one parameter; Refused(invalid_arguments) if the schema has none of this name."""
    if schema is None:
        raise Refused(Code.INVALID_ARGUMENTS, _NO_SCHEMA)
    declared = schema.properties.get(name)
    if not isinstance(declared, dict):
        raise Refused(Code.INVALID_ARGUMENTS, f"The tool has no argument {name[:64]!r}.")
    if declared.get("type") == "array":
        return [_scalar(name, declared.get("items"), text) for text in texts]
    if len(texts) > 1:
        raise Refused(Code.INVALID_ARGUMENTS, f"Argument {name!r} is given twice.")
    return _scalar(name, declared, texts[0])


def is_scalar(declared: Json) -> bool:
    """Tell whether a schema says of a value how its text is read: by one type that is no list and no object."""
    return isinstance(declared, dict) and declared.get("type") in ("string", *_LITERALS)


def _scalar(name: str, declared: Json, text: str) -> Json:
    if not is_scalar(declared) or not isinstance(declared, dict):
        raise Refused(Code.INVALID_ARGUMENTS, f"Argument {name!r} cannot be read from an address. {_NAMED}")
    kind = declared["type"]
    if kind == "string":
        return text
    try:
        value = parse(text.encode()) if text == text.strip() else None
    except (JsonError, UnicodeEncodeError):
        value = None
    if type(value) not in _LITERALS[str(kind)]:
        raise Refused(Code.INVALID_ARGUMENTS, f"Argument {name!r} is no {kind}.")
    return value


def _needs_no_body(endpoint: Endpoint, schema: Schema | None) -> bool:
    """Tell whether all that the schema knows is in the address."""
    placed = {*endpoint.parameters, *endpoint.query}
    return bool(placed) and schema is not None and schema.properties.keys() <= placed


def _segment(name: str, schema: Schema | None, rest: dict[str, Json]) -> str:
    text, *more = _texts(name, schema, rest.pop(name, None))
    if more or not is_segment(text):
        raise ValueError(f"{name!r} is one part of a path, and what it is here cannot be that")
    return text


def _texts(name: str, schema: Schema | None, value: Json) -> list[str]:
    """Write a value so that `value_of` reads the same; ValueError if it cannot be."""
    texts = [_text(name, each) for each in value] if isinstance(value, list) else [_text(name, value)]
    try:
        same = bool(texts) and canonicalize(value_of(name, schema, texts)) == canonicalize(value)
    except Refused as refused:
        raise ValueError(refused.refusal.detail) from refused
    if not same:
        raise ValueError(f"{name!r} cannot be written in an address")
    return texts


def _text(name: str, value: Json) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float):
        raise ValueError(f"{name!r} is a part of an address, so it is a text, a number, true or false")
    return canonicalize(value).decode()
