"""What counts as the arguments of a request: its JSON body, or for GET its query (GUARD-2)."""

from asyncio import timeout
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from ..protocol.canonical import Json, JsonError, parse
from ..protocol.errors import Code, Refused
from ..protocol.tool import Schema

MAX_BODY = 64 * 1024
"""How many bytes a body may have (JSON-3)."""

MAX_DELAY = 30
"""How many seconds a body may take to arrive (JSON-4)."""

_LITERALS = {"boolean": (bool,), "integer": (int,), "number": (int, float)}
_NAMED = "Name the arguments of this endpoint with `args=`."


async def read_body(request: Request) -> bytes:
    """Return the body of a request.

    Refused(payload_too_large) beyond 64 KiB, counted as it arrives (JSON-3); Refused(request_timeout) if it is not
    there after 30 s (JSON-4); Refused(invalid_request) if its sender went away; Refused(unsupported_media_type) if
    FastAPI has read it already, as a form.
    """
    body = bytearray()
    try:
        async with timeout(MAX_DELAY):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise Refused(Code.PAYLOAD_TOO_LARGE, "A request body is at most 64 KiB.")
    except RuntimeError as error:  # Starlette's, for a body that was read: FastAPI has made a form of it
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send the arguments as application/json.") from error
    except TimeoutError as error:
        detail = "The body took too long. Send the request again."
        raise Refused(Code.REQUEST_TIMEOUT, detail) from error
    except ClientDisconnect as error:
        raise Refused(Code.INVALID_REQUEST, "The connection ended before the body was there.") from error
    return bytes(body)


def arguments_of(request: Request, body: bytes, schema: Schema | None) -> dict[str, Json]:
    """Return the arguments that a request carries (GUARD-2).

    Anything else that a handler could take for an argument was neither hashed nor approved, so it is refused: a query
    beside a body, a body beside a query. RuntimeError for path parameters, which only the developer can mend.
    """
    if request.path_params:
        raise RuntimeError(f"path parameters are not covered by the approval. {_NAMED}")
    query: bytes = request.scope["query_string"]
    if request.method in ("GET", "HEAD"):
        if body:
            raise Refused(Code.INVALID_REQUEST, "A GET request to this API has no body.")
        return from_query(query, schema)
    if query:
        raise Refused(Code.INVALID_REQUEST, "The arguments are the body; this endpoint has no query.")
    return from_body(request.headers.get("content-type", ""), body)


def from_body(content_type: str, body: bytes) -> dict[str, Json]:
    """Read a body as a strict JSON object (JSON-1); Refused for anything else."""
    if content_type.partition(";")[0].strip(" \t").lower() != "application/json":
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send the arguments as application/json.")
    try:
        value = parse(body)
    except JsonError as error:
        raise Refused(Code.INVALID_REQUEST, f"The body is not strict JSON: {error.reason}.") from error
    if not isinstance(value, dict):
        raise Refused(Code.INVALID_REQUEST, "The body is a JSON object.")
    return value


def from_query(query: bytes, schema: Schema | None) -> dict[str, Json]:
    """Read a query by the types in the tool's input schema; Refused if that cannot be done.

    `integer`, `number` and `boolean` are written as in JSON, a `string` as it is; an `array` of these repeats its name.
    Refused(invalid_arguments) for a name that the schema lacks, and for one that is repeated without being an array.
    """
    try:
        text = query.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict") if text else []
    except ValueError as error:
        raise Refused(Code.INVALID_REQUEST, "The query cannot be read.") from error
    properties = schema.source.get("properties") if schema is not None else None
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    return {name: _value(name, properties, texts) for name, texts in given.items()}


def _value(name: str, properties: Json, texts: list[str]) -> Json:
    """Read the values of one parameter."""
    declared = properties.get(name) if isinstance(properties, dict) else None
    if not isinstance(declared, dict):
        raise Refused(Code.INVALID_ARGUMENTS, f"The tool has no argument {name[:64]!r}.")
    if declared.get("type") == "array":
        return [_scalar(name, declared.get("items"), text) for text in texts]
    if len(texts) > 1:
        raise Refused(Code.INVALID_ARGUMENTS, f"Argument {name!r} is given twice.")
    return _scalar(name, declared, texts[0])


def _scalar(name: str, declared: Json, text: str) -> Json:
    kind = declared.get("type") if isinstance(declared, Mapping) else None
    if kind == "string":
        return text
    if not isinstance(kind, str) or kind not in _LITERALS:
        raise Refused(Code.INVALID_ARGUMENTS, f"Argument {name!r} cannot be read from a query. {_NAMED}")
    try:
        value = parse(text.encode()) if text == text.strip() else None
    except JsonError:
        value = None
    if type(value) not in _LITERALS[kind]:
        raise Refused(Code.INVALID_ARGUMENTS, f"Argument {name!r} is no {kind}.")
    return value
