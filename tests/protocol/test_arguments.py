"""Arguments in a request: what is sent is what is read, and nothing else gets in beside it (GUARD-2)."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.arguments import Carried, request_for, unsendable
from deputize.protocol.canonical import Json, canonicalize
from deputize.protocol.endpoint import Endpoint, decoded
from deputize.protocol.errors import Code, Refused
from deputize.protocol.tool import Schema

SCALARS: dict[str, Json] = {
    "text": {"type": "string"},
    "count": {"type": "integer"},
    "amount": {"type": "number"},
    "sure": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string"}},
}
SCHEMA = Schema({"type": "object", "properties": {**SCALARS, "whom": {"type": "object"}}})
FLAT = Schema({"type": "object", "properties": SCALARS})
JSON = "application/json"


def read(
    endpoint: Endpoint, schema: Schema, target: str, body: bytes = b"", method: str | None = None
) -> dict[str, Json]:
    raw, _, query = target.partition("?")
    parameters = endpoint.match(decoded(raw))
    assert parameters is not None
    carried = Carried(method or endpoint.method, query.encode(), JSON if body else "", body, parameters)
    return carried.arguments(endpoint, schema)


VALUES = st.fixed_dictionaries(
    {"text": st.text(), "count": st.integers(-(2**53) + 1, 2**53 - 1)},
    optional={
        "amount": st.floats(-1e9, 1e9),
        "sure": st.booleans(),
        "tags": st.lists(st.text(), max_size=3),
        "whom": st.dictionaries(st.text(max_size=3), st.none(), max_size=2),
    },
)
PLACES = [
    ("POST /x", SCHEMA),
    ("POST /x/{text}", SCHEMA),
    ("PUT /x/{text}/{count}{?amount,sure,tags}", SCHEMA),
    ("DELETE /{count}{?text,tags}", SCHEMA),
    ("GET /x/{count}", FLAT),
    ("GET /x", FLAT),
]


@pytest.mark.parametrize(("text", "schema"), PLACES)
@given(arguments=VALUES)
def test_what_is_sent_is_what_is_read(text: str, schema: Schema, arguments: dict[str, Json]) -> None:
    endpoint = Endpoint.parse(text)
    try:
        sent = request_for(endpoint, schema, arguments)
    except ValueError:
        assert unsendable(endpoint, schema, arguments)
        return
    assert not unsendable(endpoint, schema, arguments)
    assert re.fullmatch(r"/[!-~]*", sent.target)
    found = read(endpoint, schema, sent.target, sent.body or b"")
    assert canonicalize(found) == canonicalize(arguments)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        *(
            ("POST /{text}", {"text": text})
            for text in ("", ".", "..", "a/b", "a\\b", "50%", "a;b", "a?b", "\n")
        ),
        ("POST /{text}", {}),
        ("POST /{text}", {"text": None}),
        ("POST /{text}", {"text": 5}),
        ("POST /{tags}", {"tags": ["a", "b"]}),
        ("GET /x", {"tags": []}),
        ("GET /x", {"whom": {}}),
        ("GET /x", {"unknown": "x"}),
        ("POST /x{?text}", {"text": "\ud800"}),
    ],
)
def test_endpoint_2_what_an_address_cannot_carry_is_not_sent(
    text: str, arguments: Mapping[str, Json]
) -> None:
    """ENDPOINT-2"""
    assert unsendable(Endpoint.parse(text), SCHEMA, arguments)


@pytest.mark.parametrize(
    ("text", "target", "body", "code"),
    [
        ("POST /x", "/x?text=a", b"{}", Code.INVALID_REQUEST),
        ("POST /x{?text}", "/x?count=1", b"{}", Code.INVALID_REQUEST),
        ("POST /x{?text}", "/x?text=a", b'{"text":"b"}', Code.INVALID_REQUEST),
        ("POST /x{?text}", "/x", b'{"text":"b"}', Code.INVALID_REQUEST),
        ("POST /{text}", "/a", b'{"text":"a"}', Code.INVALID_REQUEST),
        ("POST /{text}", "/a?text=a", b"{}", Code.INVALID_REQUEST),
        ("POST /{text}", "/a", b"", Code.UNSUPPORTED_MEDIA_TYPE),
        ("POST /{count}", "/01", b"{}", Code.INVALID_ARGUMENTS),
        ("POST /{count}", "/1.0", b"{}", Code.INVALID_ARGUMENTS),
        ("POST /{count}", "/%201", b"{}", Code.INVALID_ARGUMENTS),
        ("POST /{count}", "/\u0661", b"{}", Code.INVALID_ARGUMENTS),
        ("GET /{text}", "/a?text=a", b"", Code.INVALID_REQUEST),
        ("GET /{text}", "/a", b"{}", Code.INVALID_REQUEST),
        ("GET /x", "/x?text=a&text=a", b"", Code.INVALID_ARGUMENTS),
        ("GET /x", "/x?whom=a", b"", Code.INVALID_ARGUMENTS),
    ],
)
def test_guard_2_each_argument_stands_at_its_own_place(
    text: str, target: str, body: bytes, code: Code
) -> None:
    target = target.replace("\u0661", "%D9%A1")
    with pytest.raises(Refused) as refused:
        read(Endpoint.parse(text), SCHEMA, target, body)
    assert refused.value.refusal.code is code


def test_guard_2_a_body_is_left_out_where_the_address_has_all() -> None:
    closed = Schema({"properties": {"text": {"type": "string"}}})
    endpoint = Endpoint.parse("DELETE /{text}")
    assert request_for(endpoint, closed, {"text": "a b"}).body is None
    assert unquote(request_for(endpoint, closed, {"text": "a b"}).target) == "/a b"
    assert read(endpoint, closed, "/a") == read(endpoint, closed, "/a", b"{}") == {"text": "a"}
    assert read(endpoint, closed, "/a", b'{"more":1}') == {"text": "a", "more": 1}


def test_guard_2_head_is_read_as_get_is() -> None:
    endpoint = Endpoint.parse("GET /{text}")
    assert read(endpoint, FLAT, "/a?count=1", method="HEAD") == {"text": "a", "count": 1}
