"""Bodies: read strictly (JSON-1 to JSON-3), then into the type that the endpoint has for it."""

from typing import TypeVar, cast, is_typeddict

import msgspec
from msgspec import ValidationError, inspect
from msgspec.structs import FieldInfo, fields

from ..protocol.canonical import Json, JsonError, parse
from ..protocol.errors import Code, Refused
from .context import Context

B = TypeVar("B")


async def read_json(context: Context, kind: type[B]) -> B:
    """Read the body as `read`; Refused(unsupported_media_type), and as `Context.bytes`."""
    if media_type(context) != "application/json":
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json.")
    return read(await context.bytes(), kind)


def media_type(context: Context) -> str:
    """Return what the body is said to be."""
    return (context.header("content-type") or "").partition(";")[0].strip(" \t").lower()


def read(text: bytes, kind: type[B]) -> B:
    """Read a JSON object of this type; Refused(invalid_request) with what is wrong with it.

    Of evidence, which is an open object, each method of approval checks the members itself (APPR-9).
    """
    try:
        body = parse(text)
    except JsonError as error:
        raise Refused(Code.INVALID_REQUEST, f"The body is not strict JSON: {error.reason}.") from error
    if not isinstance(body, dict):
        raise Refused(Code.INVALID_REQUEST, "The body is a JSON object.")
    if is_typeddict(kind):
        return cast("B", body)
    try:
        return msgspec.convert(body, kind)
    except ValidationError:
        return _again(body, kind)


def _again(body: dict[str, Json], kind: type[B]) -> B:
    """Read a body that did not fit once more, member by member: so that the refusal says which one is wrong."""
    known = {field.encode_name: field for field in fields(cast("type[msgspec.Struct]", kind))}
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
