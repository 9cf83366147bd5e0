"""JSON in one form: strict parsing, RFC 8785 (JCS), and the hashes over it (PROTOCOL §1).

Equal arguments must be equal bytes in every language, or a hash over them means nothing. So what two parsers
could read differently is refused before it is hashed, by the same rules in `js/src/platform/canonical.js`.
"""

import hashlib
import json
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias, cast

import orjson
import rfc8785

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
"""A JSON value. Subclasses (a StrEnum member) count as their base."""

Reason: TypeAlias = Literal[
    "bom",
    "depth",
    "duplicate_member",
    "integer_range",
    "lone_surrogate",
    "non_finite",
    "not_json",
    "not_utf8",
]

MAX_DEPTH = 64
"""How many objects and arrays may lie inside one another."""

_MAX_INTEGER = 2**53 - 1
_FIRST_WITH_EXPONENT = 1e21  # ECMAScript writes smaller whole numbers digit by digit

_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_SERVER_ID = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


class JsonError(ValueError):
    """Not JSON as this protocol means it; `reason` says which rule was broken."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def parse(data: bytes) -> Json:
    """Read one JSON text, as strictly as JSON-1 and JSON-2 ask; anything wrong with it is a `JsonError`.

    Integer literals too long for an integer become floats, as in JavaScript, before they are judged.
    """
    try:
        value: Json = orjson.loads(data)
        # orjson keeps the last of duplicate members. Written back, each member stands once: equal bytes prove
        # that there were none. Most of what arrives is compact and passes here.
        exact = orjson.dumps(value) == data
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        value, exact = None, False
    if not exact:
        value = _parse_with_care(data)
    _survey((value,), 0)
    return value


def check(value: object) -> None:
    """Hold a value that is already parsed to the same rules; raises `JsonError`."""
    _survey((value,), 0)


def canonicalize(value: Json) -> bytes:
    """Return the RFC 8785 form of `value`; raises `JsonError` for what `check` refuses."""
    if _survey((value,), 0):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError:
            pass  # a key of a subclass of str
    return rfc8785.dumps(value)


def b64u(data: bytes) -> str:
    """Return base64url without padding (RFC 4648 §5)."""
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL).decode("ascii")


def unb64u(text: str) -> bytes:
    """Read base64url as `b64u` writes it, and in no other spelling; raises ValueError."""
    data = a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"==")  # lenient in many ways …
    if b64u(data) != text:  # … which all show here
        raise ValueError("not canonical base64url")
    return data


def args_s256(args: Json) -> str:
    """Return base64url(SHA-256(JCS(args))) (HASH-1); raises `JsonError`."""
    return s256(canonicalize(args))


def s256(data: bytes) -> str:
    """Return base64url(SHA-256(data))."""
    return b64u(hashlib.sha256(data).digest())


def action_hash(tool: str, args: Json, server_id: str) -> bytes:
    """Return SHA-256(tool ‖ 0x00 ‖ JCS(args) ‖ 0x00 ‖ server_id), 32 bytes (HASH-2, SEP-2672 §4.6).

    Names that would make the separators ambiguous raise ValueError, arguments that are not JSON `JsonError`.
    """
    if not _TOOL_NAME.fullmatch(tool):
        raise ValueError("a tool name is 1 to 128 of A-Z a-z 0-9 _ . -")
    if not _SERVER_ID.fullmatch(server_id):
        raise ValueError("a server id is not empty and has no control characters")
    return hashlib.sha256(b"\0".join((tool.encode(), canonicalize(args), server_id.encode()))).digest()


def _survey(values: Iterable[object], depth: int) -> bool:
    """Check the values and all that is in them; tell whether orjson with sorted keys writes them canonically.

    It does where keys are ASCII (the order of bytes is then the order of UTF-16) and numbers are integers, or
    fractions that everybody writes without exponent. Strings are escaped alike. The tests hold its output to
    that of rfc8785.
    """
    if depth > MAX_DEPTH:
        raise JsonError("depth")
    plain = True
    for value in values:
        if isinstance(value, str):
            if not value.isascii():
                _check_text(value)
        elif isinstance(value, dict):
            plain &= _check_keys(value)
            plain &= _survey(value.values(), depth + 1)
        elif isinstance(value, list):
            plain &= _survey(value, depth + 1)
        elif value is None or isinstance(value, bool):
            pass
        elif isinstance(value, int):
            if not -_MAX_INTEGER <= value <= _MAX_INTEGER:  # JSON-2
                raise JsonError("integer_range")
        elif isinstance(value, float):
            size = abs(value)
            if not size < float("inf"):  # neither is NaN
                raise JsonError("non_finite")
            if _MAX_INTEGER < size < _FIRST_WITH_EXPONENT:  # JSON-2
                raise JsonError("integer_range")
            plain &= size >= 1e-4 and not value.is_integer()
        else:
            raise JsonError("not_json")
    return plain


def _check_keys(members: dict[Any, object]) -> bool:
    """Check the keys of one object, all at once; tell whether they are ASCII."""
    try:
        text = "".join(members)
    except TypeError:
        raise JsonError("not_json") from None
    if text.isascii():
        return True
    _check_text(text)
    return False


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise JsonError("lone_surrogate") from None


def _parse_with_care(data: bytes) -> Json:
    """Parse what the fast way left over: spaced, spelled otherwise, or wrong. Here faults are told apart."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise JsonError("bom")
    try:
        return cast("Json", _DECODER.decode(data.decode()))
    except UnicodeDecodeError:
        raise JsonError("not_utf8") from None
    except json.JSONDecodeError:
        raise JsonError("not_json") from None
    except RecursionError:
        raise JsonError("depth") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonError("duplicate_member")
    return members


def _number(literal: str) -> int | float:
    # Seventeen characters hold every integer in range. Longer ones are what their double is (JSON-2), as in
    # JavaScript; int() would balk at 4,300 digits.
    return int(literal) if len(literal) <= 17 else float(literal)


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_number)


def values_in(value: Json) -> int:
    """Count the values in a value, itself included."""
    if isinstance(value, dict):
        return 1 + sum(map(values_in, value.values()))
    return 1 + sum(map(values_in, value)) if isinstance(value, list) else 1
