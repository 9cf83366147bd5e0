"""Bodies: read strictly (JSON-1 to JSON-3), then into the type that the endpoint has for it."""

from typing import TypeVar, cast

import msgspec
from msgspec import ValidationError, inspect
from msgspec.structs import FieldInfo, fields

from ..protocol.canonical import Json, JsonError, parse
from ..protocol.errors import Code, Refused
from .context import Context
from .types import Evidence

B = TypeVar("B", bound=msgspec.Struct)


async def read_evidence(context: Context) -> Evidence:
    """Read the evidence of an approval, as `read_json` does: an object whose members its method checks (APPR-9)."""
    body = _parse(await _bytes(context))
    if not isinstance(body, dict):
        raise Refused(Code.INVALID_REQUEST, "The body is a JSON object.")
    return cast("Evidence", body)


async def read_json(context: Context, kind: type[B]) -> B:
    """Read the body as `read`; Refused(unsupported_media_type), and as `Context.bytes`."""
    return read(await _bytes(context), kind)


def media_type(context: Context) -> str:
    """Return what the body is said to be."""
    return (context.header("content-type") or "").partition(";")[0].strip(" \t").lower()


def read(text: bytes, kind: type[B]) -> B:
    """Read a JSON object of this type; Refused(invalid_request) with what is wrong with it."""
    body = _parse(text)
    try:
        return msgspec.convert(body, kind)
    except ValidationError:
        return _again(body, kind)


async def _bytes(context: Context) -> bytes:
    if media_type(context) != "application/json":
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json.")
    return await context.bytes()


def _parse(text: bytes) -> Json:
    try:
        return parse(text)
    except JsonError as error:
        raise Refused(Code.INVALID_REQUEST, f"The body is not strict JSON: {error.reason}.") from error


def _again(body: Json, kind: type[B]) -> B:
    """Read a body that did not fit once more, member by member: so that the refusal says which one is wrong."""
    if not isinstance(body, dict):
        raise Refused(Code.INVALID_REQUEST, "The body is a JSON object.")
    known = {field.encode_name: field for field in fields(kind)}
    for name, value in body.items():
        if name not in known:
            raise Refused(Code.INVALID_REQUEST, f"Unknown member: {name[:64]!r}.")
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # 1.0 is 1 in JSON
        try:
            msgspec.convert(value, known[name].type)
        except ValidationError as error:
            raise Refused(Code.INVALID_REQUEST, _wrong(known[name], value)) from error
        body[name] = value
    for name, field in known.items():
        if field.required and name not in body:
            raise Refused(Code.INVALID_REQUEST, f"Member {name!r} is missing.")
    return msgspec.convert(body, kind)


def _wrong(field: FieldInfo, value: Json) -> str:
    """Say what a member has to be, where that is more than a type."""
    told = inspect.type_info(field.type)
    for each in told.types if isinstance(told, inspect.UnionType) else (told,):
        match each, value:
            case inspect.LiteralType(values=values), str():
                *others, last = (f"`{each}`" for each in values)
                return f"`{field.encode_name}` is {' or '.join([*([', '.join(others)] if others else []), last])}."
            case inspect.IntType(ge=int(least), le=most), int() if not isinstance(value, bool):
                limits = f"at least {least}" if most is None else f"from {least} to {most}"
                return f"`{field.encode_name}` is {limits}."
    return f"Member {field.encode_name!r} has the wrong type."
