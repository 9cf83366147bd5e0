"""What counts as the arguments of a request (GUARD-2), and what must not get past them."""

import asyncio
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message
from tests.ill_formed import inside

from deputize.guard import arguments
from deputize.guard.arguments import MAX_BODY, arguments_of
from deputize.protocol.arguments import from_query
from deputize.protocol.canonical import Json
from deputize.protocol.endpoint import Endpoint
from deputize.protocol.errors import Code, Refused
from deputize.protocol.tool import Schema

from .conftest import QUERY_SCHEMA, TRANSFER, Site

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.INVALID_REQUEST),
        (b"{", Code.INVALID_REQUEST),
        (b"[]", Code.INVALID_REQUEST),
        (b'"text"', Code.INVALID_REQUEST),
        (b"null", Code.INVALID_REQUEST),
        (b'{"amount":1,"amount":250}', Code.INVALID_REQUEST),
        (b'{"amount":NaN}', Code.INVALID_REQUEST),
        (b'{"amount":9007199254740993}', Code.INVALID_REQUEST),
        (b'{"name":"\\ud800"}', Code.INVALID_REQUEST),
        (b"\xef\xbb\xbf{}", Code.INVALID_REQUEST),
        (b'{"name":"\xff"}', Code.INVALID_REQUEST),
        ("{}".encode("utf-16"), Code.INVALID_REQUEST),
        (b'{"a":' * 65 + b"1" + b"}" * 65, Code.INVALID_REQUEST),
    ],
)
def test_a_body_is_strict_json(site: Site, body: bytes, code: Code) -> None:
    """GUARD-2, JSON-1, JSON-2"""
    token = site.authority.call("transfer_money", TRANSFER)
    site.refused(code, token, content=body, headers=JSON)
    assert site.authority.log == []


def test_no_ill_formed_body_gets_to_the_handler(site: Site) -> None:
    """JSON-1, JSON-2: nor any other that they refuse."""
    for body in inside('"amount":250'):
        token = site.authority.call("transfer_money", TRANSFER)
        site.refused(Code.INVALID_REQUEST, token, content=body, headers=JSON)
    assert site.authority.log == []


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json-patch+json", "text/json"],
)
def test_a_body_says_that_it_is_json(site: Site, content_type: str) -> None:
    """GUARD-2: a handler that reads forms would see another thing in it."""
    token = site.authority.call("transfer_money", {})
    headers = {"Content-Type": content_type}
    assert site.refused(Code.UNSUPPORTED_MEDIA_TYPE, token, content=b"{}", headers=headers).status_code == 415


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_taken_by_any_spelling_of_its_name(site: Site, content_type: str) -> None:
    token = site.authority.call("transfer_money", {})
    assert site.send(token, content=b"{}", headers={"Content-Type": content_type}).status_code == 200


def test_a_body_has_at_most_64_kib(site: Site) -> None:
    """JSON-3: counted as it arrives, whatever it says of its length."""
    arguments: dict[str, Json] = {"text": "x" * (MAX_BODY - len('{"text":""}'))}
    body = json.dumps(arguments, separators=(",", ":")).encode()
    assert len(body) == MAX_BODY

    def chunks(of: bytes) -> Iterator[bytes]:
        yield of[:1000]
        yield of[1000:]

    for content in (body, chunks(body)):
        token = site.authority.call("transfer_money", arguments)
        assert site.send(token, content=content, headers=JSON).status_code == 200
    assert [given for given, _ in site.ran] == [body, body]
    for content in (body + b" ", chunks(body + b" ")):
        token = site.authority.call("transfer_money", arguments)
        assert site.refused(Code.PAYLOAD_TOO_LARGE, token, content=content, headers=JSON).status_code == 413


def test_a_query_beside_a_body_is_refused(site: Site) -> None:
    """GUARD-2: a handler could take it for arguments, and nobody approved it."""
    token = site.authority.call("transfer_money", TRANSFER)
    site.refused(Code.INVALID_REQUEST, token, path="/api/transfers?amount=1000000")
    assert site.send(token, path="/api/transfers?").status_code == 200


def test_a_body_beside_a_query_is_refused(site: Site) -> None:
    """GUARD-2"""
    token = site.authority.call("list_transactions", {})
    site.refused(Code.INVALID_REQUEST, token, "GET", "/api/transactions", json={"limit": 5})


def test_a_query_is_the_arguments_of_a_get(site: Site) -> None:
    """GUARD-2"""
    arguments: dict[str, Json] = {"limit": 5, "booked": True, "text": "Käse & Brot", "tags": ["a", "b"]}
    token = site.authority.call("list_transactions", arguments)
    params = {**arguments, "booked": "true"}
    assert site.send(token, "GET", "/api/transactions", params=params).status_code == 200
    assert site.ran == [(b"", arguments)]
    token = site.authority.call("list_transactions", arguments)
    site.refused(
        Code.ARGUMENT_HASH_MISMATCH, token, "GET", "/api/transactions", params={**params, "limit": 6}
    )


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        (b"", {}),
        (b"limit=5", {"limit": 5}),
        (b"limit=-5", {"limit": -5}),
        (b"limit=0", {"limit": 0}),
        (b"least=5", {"least": 5}),
        (b"least=-2.5e2", {"least": -250.0}),
        (b"booked=true", {"booked": True}),
        (b"booked=false&limit=1", {"booked": False, "limit": 1}),
        (b"text=", {"text": ""}),
        (b"text=5", {"text": "5"}),
        (b"text=true", {"text": "true"}),
        (b"text=+a%20b+", {"text": " a b "}),
        (b"text=%C3%A4%26", {"text": "ä&"}),
        (b"text=a=b", {"text": "a=b"}),
        (b"text=a;limit=5", {"text": "a;limit=5"}),
        (b"t%65xt=a", {"text": "a"}),
        (b"tags=a", {"tags": ["a"]}),
        (b"tags=b&limit=1&tags=a", {"tags": ["b", "a"], "limit": 1}),
        (b"days=1&days=2", {"days": [1, 2]}),
    ],
)
def test_a_query_is_read_by_the_types_of_the_schema(query: bytes, arguments: dict[str, Json]) -> None:
    """GUARD-2"""
    read = from_query(query, QUERY_SCHEMA)
    assert read == arguments
    assert {name: type(value) for name, value in read.items()} == {n: type(v) for n, v in arguments.items()}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (b"unknown=1", Code.INVALID_ARGUMENTS),
        (b"Limit=1", Code.INVALID_ARGUMENTS),
        (b"=1", Code.INVALID_ARGUMENTS),
        (b"limit=1&limit=1", Code.INVALID_ARGUMENTS),
        (b"limit=1&limit=2", Code.INVALID_ARGUMENTS),
        (b"text=a&text=b", Code.INVALID_ARGUMENTS),
        (b"limit=", Code.INVALID_ARGUMENTS),
        (b"limit=5.0", Code.INVALID_ARGUMENTS),
        (b"limit=1e2", Code.INVALID_ARGUMENTS),
        (b"limit=05", Code.INVALID_ARGUMENTS),
        (b"limit=%2B5", Code.INVALID_ARGUMENTS),
        (b"limit=+5", Code.INVALID_ARGUMENTS),
        (b"limit=5%0A", Code.INVALID_ARGUMENTS),
        (b"limit=%D9%A5", Code.INVALID_ARGUMENTS),
        (b"limit=5_000", Code.INVALID_ARGUMENTS),
        (b"limit=0x5", Code.INVALID_ARGUMENTS),
        (b"limit=true", Code.INVALID_ARGUMENTS),
        (b"limit=null", Code.INVALID_ARGUMENTS),
        (b"limit=%225%22", Code.INVALID_ARGUMENTS),
        (b"limit=9007199254740992", Code.INVALID_ARGUMENTS),
        (b"least=NaN", Code.INVALID_ARGUMENTS),
        (b"least=Infinity", Code.INVALID_ARGUMENTS),
        (b"least=1e999", Code.INVALID_ARGUMENTS),
        (b"least=false", Code.INVALID_ARGUMENTS),
        (b"booked=True", Code.INVALID_ARGUMENTS),
        (b"booked=1", Code.INVALID_ARGUMENTS),
        (b"booked=", Code.INVALID_ARGUMENTS),
        (b"days=1&days=x", Code.INVALID_ARGUMENTS),
        (b"range=%7B%7D", Code.INVALID_ARGUMENTS),
        (b"either=5", Code.INVALID_ARGUMENTS),
        (b"any=5", Code.INVALID_ARGUMENTS),
        (b"lists=5", Code.INVALID_ARGUMENTS),
        (b"text", Code.INVALID_REQUEST),
        (b"limit=5&", Code.INVALID_REQUEST),
        (b"&limit=5", Code.INVALID_REQUEST),
        (b"text=%FF", Code.INVALID_REQUEST),
        (b"text=\xc3\xa4", Code.INVALID_REQUEST),
    ],
)
def test_a_query_that_does_not_fit_the_schema_is_refused(query: bytes, code: Code) -> None:
    """GUARD-2: unknown, repeated and undecodable parameters are refused."""
    with pytest.raises(Refused) as caught:
        from_query(query, QUERY_SCHEMA)
    assert caught.value.refusal.code is code


@pytest.mark.parametrize("schema", [None, Schema({}), Schema({"properties": {"limit": True}})])
def test_without_a_schema_a_query_has_no_arguments(schema: Schema | None) -> None:
    assert from_query(b"", schema) == {}
    with pytest.raises(Refused):
        from_query(b"limit=5", schema)


def test_arguments_that_the_developer_names_are_what_is_compared(decorated_site: Site) -> None:
    """GUARD-2: `args=`, here from the path and the body together; the handler still gets the body."""
    site = decorated_site
    arguments: dict[str, Json] = {"account": "42", "reason": "moving"}
    token = site.authority.call("close_account", arguments)
    path = "/api/accounts/{}/close"
    site.refused(Code.ARGUMENT_HASH_MISMATCH, token, path=path.format(43), json={"reason": "moving"})
    site.refused(Code.ARGUMENT_HASH_MISMATCH, token, path=path.format(42), json={"reason": "other"})
    assert site.send(token, path=path.format(42), json={"reason": "moving"}).status_code == 200
    assert site.ran == [(b'{"reason":"moving"}', arguments)]


def test_path_parameters_that_nobody_named_are_the_developers_mistake(decorated_site: Site) -> None:
    """GUARD-2: nothing runs."""
    site = decorated_site
    token = site.authority.call("close_account", {})
    answer = site.send(token, path="/api/accounts/42/forgotten", json={})
    assert answer.status_code == 500
    assert (site.ran, site.authority.log) == ([], [])


def test_named_arguments_that_are_not_json_are_refused(decorated_site: Site) -> None:
    site = decorated_site
    token = site.authority.call("close_account", {})
    site.refused(Code.INVALID_ARGUMENTS, token, path="/api/not-json", json={})


def test_the_arguments_of_a_call_are_what_the_handler_should_use(site: Site) -> None:
    arguments: dict[str, Any] = {"a": [1, {"b": None}], "c": "ä"}
    token = site.authority.call("transfer_money", arguments)
    assert site.send(token, json=arguments).status_code == 200
    assert site.ran[0][1] == arguments


@pytest.mark.anyio
@pytest.mark.parametrize("before", [[], [b"{"]])
async def test_a_body_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, before: list[bytes]
) -> None:  # JSON-4
    coming = iter(before)

    async def receive() -> Message:
        if (chunk := next(coming, None)) is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": chunk, "more_body": True}

    monkeypatch.setattr(arguments, "MAX_DELAY", 0.05)
    with pytest.raises(Refused) as refused:
        await arguments.read_body(Request({"type": "http", "headers": []}, receive))
    assert refused.value.refusal.code is Code.REQUEST_TIMEOUT


@pytest.mark.anyio
async def test_whoever_goes_away_is_refused_and_breaks_nothing() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(Refused) as refused:
        await arguments.read_body(Request({"type": "http", "headers": []}, receive))
    assert refused.value.refusal.code is Code.INVALID_REQUEST


def test_guard_2_a_parameter_that_the_sites_own_convertor_made_something_of_is_the_developers_to_name() -> (
    None
):
    """Nobody could say any more how it stood in the path, over which the approval was."""
    endpoint, headers = Endpoint.parse("POST /days/{day}"), [(b"content-type", b"application/json")]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "headers": headers, "query_string": b""}
    schema = Schema({"properties": {"day": {"type": "string"}}})
    with pytest.raises(RuntimeError, match="how 'day' stood in the path"):
        arguments_of(Request({**scope, "path_params": {"day": date.min}}), b"{}", schema, endpoint)
    spelled = Request({**scope, "path_params": {"day": "0001-01-01"}})
    assert arguments_of(spelled, b"{}", schema, endpoint) == {"day": "0001-01-01"}
