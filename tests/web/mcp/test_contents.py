"""What a handler returns, as a result: MCP-18."""

from base64 import b64encode
from typing import Any

import orjson
import pytest
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from mcp_types.methods import validate_server_result

from deputize.protocol.tool import Schema
from deputize.web.mcp import contents
from deputize.web.mcp.contents import ERROR, MOST, MOST_JSON, Untellable, fitting, told

BYTES = b64encode(b"\0\1\2").decode()
TEXT = TextContent(text="Your statement")
IMAGE = ImageContent(data=BYTES, mime_type="image/png")
LINK = ResourceLink(uri="https://bank.example/2026.pdf", name="2026", mime_type="application/pdf")
BALANCE = Schema({"type": "object", "properties": {"balance": {"type": "number"}}, "required": ["balance"]})
WHOLE = CallToolResult(content=[TEXT], structured_content={"balance": 5}, _meta={"a": 1})

EACH: dict[str, tuple[object, dict[str, Any]]] = {
    "text": (TEXT, {"type": "text", "text": "Your statement"}),
    "an image": (IMAGE, {"type": "image", "data": BYTES, "mimeType": "image/png"}),
    "audio": (
        AudioContent(data=BYTES, mime_type="audio/wav"),
        {"type": "audio", "data": BYTES, "mimeType": "audio/wav"},
    ),
    "a link": (
        LINK,
        {
            "type": "resource_link",
            "uri": "https://bank.example/2026.pdf",
            "name": "2026",
            "mimeType": "application/pdf",
        },
    ),
    "a resource of text": (
        EmbeddedResource(resource=TextResourceContents(uri="bank://2026", text="…", mime_type="text/plain")),
        {"type": "resource", "resource": {"uri": "bank://2026", "mimeType": "text/plain", "text": "…"}},
    ),
    "a resource of bytes": (
        EmbeddedResource(resource=BlobResourceContents(uri="bank://2026", blob=BYTES)),
        {"type": "resource", "resource": {"uri": "bank://2026", "blob": BYTES}},
    ),
}


def fits_both_lives(result: dict[str, Any]) -> None:
    """Let the SDK judge."""
    validate_server_result("tools/call", "2025-11-25", result)
    validate_server_result("tools/call", "2026-07-28", {"resultType": "complete", **result})


@pytest.mark.parametrize("kind", EACH)
def test_content_of_each_kind_is_a_result_in_both_lives(kind: str) -> None:
    value, written = EACH[kind]
    assert told(value) == {"content": [written]}
    fits_both_lives(told(value))


def test_a_list_may_have_all_of_them_and_plain_text() -> None:
    result: Any = told(["Here:", *(value for value, _ in EACH.values())])
    assert result["content"] == [
        {"type": "text", "text": "Here:"},
        *(written for _, written in EACH.values()),
    ]
    fits_both_lives(result)


def test_a_whole_result_is_taken_as_it_is() -> None:
    assert told(WHOLE) == {
        "content": [{"type": "text", "text": "Your statement"}],
        "structuredContent": {"balance": 5},
        "_meta": {"a": 1},
    }
    assert told(CallToolResult(content=[TEXT], is_error=True))["isError"] is True
    fits_both_lives(told(WHOLE))


@pytest.mark.parametrize(
    ("value", "structured"), [({"a": None}, {"a": None}), ([1, 2], None), (5, None), ("{}", None), ([], None)]
)
def test_json_is_text_and_an_object_is_structured_as_well(value: object, structured: object) -> None:
    result: Any = told(value)
    assert result.get("structuredContent") == structured
    assert result["content"][0]["text"] == (value if isinstance(value, str) else orjson.dumps(value).decode())
    fits_both_lives(result)


@pytest.mark.parametrize("value", [{"a": 1}, "text"])
def test_what_most_handlers_return_is_not_held_to_the_types_of_the_sdk(
    value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(contents, "_types")
    assert told(value)["content"]


DEEP: list[Any] = []
for _ in range(2_000):
    DEEP = [DEEP]

UNTELLABLE: dict[str, tuple[object, str]] = {
    "no JSON": (object(), "cannot be sent"),
    "no JSON in a whole result": (
        CallToolResult(content=[], structured_content={"a": object()}),
        "cannot be sent",
    ),
    "too deep": (DEEP, "cannot be sent"),
    "half a character in content": (TextContent(text="\ud800"), "cannot be sent"),
    "an image that is none": (ImageContent(data="…", mime_type="image/png"), "not in base64"),
    "bytes without padding": (ImageContent(data="AAE", mime_type="image/png"), "not in base64"),
    "a resource that is none": (
        EmbeddedResource(resource=BlobResourceContents(uri="a:b", blob="***")),
        "not in base64",
    ),
    "content beside JSON": ([TEXT, {"a": 1}], "beside what is neither"),
    "a list as structure": (CallToolResult(content=[], structured_content=[1]), "no object"),
    "a question": (CallToolResult(content=[], result_type="input_required"), "asks for something"),
    "much text": ("ä" * (MOST // 2 + 1), "more than"),
    "much JSON": (["x" * MOST_JSON], "JSON of more than"),
    "much structure": (
        CallToolResult(content=[], structured_content={"a": "x" * MOST_JSON}),
        "JSON of more than",
    ),
    "a large image": (ImageContent(data="AAAA" * (MOST // 4), mime_type="image/png"), "more than"),
}


@pytest.mark.parametrize("why", UNTELLABLE)
def test_what_is_no_result_is_none_and_says_why(why: str) -> None:
    value, said = UNTELLABLE[why]
    with pytest.raises(Untellable, match=said):
        told(value)


def test_as_much_as_may_be_is_told() -> None:
    assert told("x" * MOST)["content"] == [{"type": "text", "text": "x" * MOST}]


class TestOutputSchema:
    @pytest.mark.parametrize("value", [{"balance": 5}, WHOLE, CallToolResult(content=[], is_error=True)])
    def test_what_fits_and_what_is_an_error_is_told(self, value: object) -> None:
        assert told(value, BALANCE) == told(value)

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            ({"balance": "5"}, "does not fit"),
            ({}, "does not fit"),
            (CallToolResult(content=[], structured_content={}), "does not fit"),
            ("5", "not structured"),
            (None, "not structured"),
            ([{"balance": 5}], "not structured"),
            (TEXT, "not structured"),
            (CallToolResult(content=[TEXT]), "not structured"),
        ],
        ids=str,
    )
    def test_what_does_not_fit_is_not(self, value: object, why: str) -> None:
        with pytest.raises(Untellable, match=why) as caught:
            told(value, BALANCE)
        assert "5" not in caught.value.why  # what the agent hears has nothing of it

    @pytest.mark.parametrize("schema", [None, BALANCE])
    @pytest.mark.parametrize("structured", [{"code": "declined"}, {"balance": 1}, None])
    def test_an_error_is_kept_from_clients_that_would_hold_it_to_the_schema(
        self, schema: Schema | None, structured: dict[str, Any] | None
    ) -> None:
        content = contents.as_error("No.")
        result = {**content, "_meta": {"a": 1}, **({"structuredContent": structured} if structured else {})}
        moved = schema is BALANCE and structured == {"code": "declined"}
        expected = {**content, "_meta": {"a": 1, ERROR: structured}} if moved else result
        assert fitting(result, schema) == expected
        fits_both_lives(fitting(result, schema))

    def test_what_is_no_error_is_left_where_it_is(self) -> None:
        result = told({"balance": 5})
        assert fitting(result, Schema({"type": "object", "required": ["other"]})) is result
