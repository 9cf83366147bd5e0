"""What a tool has to say, as a result of `tools/call`: any content that MCP has (MCP-18)."""

from base64 import b64decode
from collections.abc import Sequence
from functools import cache
from math import inf
from typing import Any

import orjson

from ...protocol.tool import Schema

MOST = 4 * 1024 * 1024
"""Bytes of what a handler may return, as it is sent."""

MOST_JSON = 256 * 1024
"""Bytes of these that may be JSON of its own: looking at more would hold up everybody else."""

ERROR = "dev.deputize/error"
"""Where the structured content of an error is that does not fit the tool's output schema."""


class Untellable(ValueError):
    """No result can be made of what a handler returned: why, in words for the agent; `detail` is the owner's."""

    def __init__(self, why: str, detail: object = "") -> None:
        """`why` goes on after “what it returned”."""
        super().__init__(f"what the handler returned {why}: {detail}" if detail else why)
        self.why = why


def told(value: object, schema: Schema | None = None) -> dict[str, object]:
    """Make a result of what a handler returned; Untellable if there is none.

    Content of `mcp_types`, one or a list in which text may stand as it is; a `CallToolResult`; else text or JSON. What
    is structured fits the tool's output schema, if it has one, and is there then.
    """
    try:
        result, size = _result(value)
    except (
        TypeError,
        ValueError,
    ) as error:  # of JSON, of Unicode, of pydantic; of a depth beyond what can be written
        raise error if isinstance(error, Untellable) else Untellable("cannot be sent", error) from error
    if size > MOST:
        raise Untellable(f"is more than {MOST} bytes", size)
    check(result, schema)
    return result


def check(result: dict[str, object], schema: Schema | None) -> None:
    """Hold a result, which tells of no error, to the tool's output schema; Untellable if it does not fit."""
    if schema is None or result.get("isError"):
        return
    if "structuredContent" not in result:
        raise Untellable("is not structured, as its output schema has it")
    if fault := schema.fault(_structure(result)):
        raise Untellable("does not fit its output schema", fault)


def fitting(result: dict[str, object], schema: Schema | None) -> dict[str, object]:
    """Put elsewhere what is structured in an error, unless it fits: there are clients that hold errors to it, too."""
    if schema is None or not result.get("isError") or "structuredContent" not in result:
        return result
    if schema.accepts(_structure(result)):
        return result
    meta = result.get("_meta")
    kept = {name: each for name, each in result.items() if name != "structuredContent"}
    return {
        **kept,
        "_meta": {**(meta if isinstance(meta, dict) else {}), ERROR: result["structuredContent"]},
    }


def as_json(value: object, most: float = inf) -> dict[str, object]:
    """Make a result of text, or of JSON: text, and the JSON beside it where that is an object.

    orjson's TypeError for what is neither, Untellable for JSON of more than so many bytes.
    """
    if value is None:
        value = "Done."
    if isinstance(value, str):
        return {"content": [_text(value)]}
    # As deep as it will lie in the answer, so that what can be written here can be written there.
    plain = orjson.dumps([[[value]]], option=orjson.OPT_NON_STR_KEYS)[3:-3]
    _check_size(plain, most)
    text = plain.decode()
    content: dict[str, object] = {"content": [_text(text)]}
    return {**content, "structuredContent": orjson.loads(text)} if text.startswith("{") else content


def as_error(text: str) -> dict[str, object]:
    """Make a result that says what went wrong."""
    return {"isError": True, "content": [_text(text)]}


def _result(value: object) -> tuple[dict[str, object], int]:
    """Make the result, and tell its size."""
    if not isinstance(value, dict | str):  # as most is
        types, blocks = _types()
        if isinstance(value, types.CallToolResult):
            return _whole(value)
        parts = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(each, blocks) for each in parts):
            made: dict[str, object] = {"content": _content(parts)}
            return made, len(orjson.dumps({"result": made}))
    result = as_json(value, MOST_JSON)
    (only,) = _list(result["content"])
    return result, len(only["text"].encode())


def _whole(value: Any) -> tuple[dict[str, object], int]:
    """Take a `CallToolResult` as it is, as far as both lives of the protocol know it."""
    if value.result_type != "complete":
        raise Untellable("asks for something", value.result_type)
    result: dict[str, object] = {"content": _content(value.content)}
    if value.structured_content is not None:
        if not isinstance(value.structured_content, dict):
            raise Untellable("is structured, and no object")
        plain = orjson.dumps(value.structured_content, option=orjson.OPT_NON_STR_KEYS)
        _check_size(plain, MOST_JSON)
        result["structuredContent"] = orjson.loads(plain)
    if value.is_error:
        result["isError"] = True
    if value.meta:
        result["_meta"] = {**value.meta}
    return result, len(orjson.dumps({"result": result}))


def _content(parts: Sequence[Any]) -> list[dict[str, Any]]:
    _, blocks = _types()
    made = []
    for each in parts:
        if isinstance(each, str):
            made.append(_text(each))
        elif isinstance(each, blocks):
            block: dict[str, Any] = each.model_dump(mode="json", by_alias=True, exclude_none=True)
            _check_base64(block)
            made.append(block)
        else:
            raise Untellable("has content of MCP beside what is neither that nor text", type(each).__name__)
    return made


def _check_size(plain: bytes, most: float) -> None:
    if len(plain) > most:
        raise Untellable(f"is JSON of more than {most} bytes", len(plain))


def _check_base64(block: dict[str, Any]) -> None:
    """Clients refuse a whole answer for bytes that they cannot read."""
    for data in (block.get("data"), block.get("resource", {}).get("blob")):
        if data is not None:
            try:
                b64decode(data, validate=True)
            except ValueError as error:
                raise Untellable("has bytes that are not in base64", error) from error


def _structure(result: dict[str, object]) -> Any:
    return result["structuredContent"]


def _list(content: Any) -> list[dict[str, Any]]:
    return list(content)


def _text(text: str) -> dict[str, Any]:
    """Write text so that it can be sent: half a surrogate pair is no character, and becomes a question mark."""
    return {"type": "text", "text": text.encode(errors="replace").decode()}


@cache
def _types() -> tuple[Any, Any]:
    """Load the SDK's types when the first handler has returned: half a second, for those only who use MCP."""
    import mcp_types as types

    return types, (
        types.TextContent,
        types.ImageContent,
        types.AudioContent,
        types.ResourceLink,
        types.EmbeddedResource,
    )
