"""What a message has to be before anything looks at it: strict JSON, one JSON-RPC message, from here (MCP-1)."""

from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.web.mcp.conftest import LIST, MODERN, Deputy, LiveBank

from deputize.app import Deputize
from deputize.settings import loads as load_policy

pytestmark = pytest.mark.anyio


@pytest.fixture
async def deputy(live: LiveBank) -> Deputy:
    return await live.deputy()


def with_arguments(text: bytes, method: bytes = b"tools/call", name: bytes = b"name") -> bytes:
    return b'{"jsonrpc":"2.0","id":1,"method":"%s","params":{"%s":"note","arguments":%s}}' % (
        method,
        name,
        text,
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (b'{"a":1,"a":2}', "duplicate_member"),
        (b'{"a":1,"\\u0061":2}', "duplicate_member"),
        (b'{"a":NaN}', "non_finite"),
        (b'{"a":Infinity}', "non_finite"),
        (b'{"a":1e999}', "non_finite"),
        (b'{"a":9007199254740992}', "integer_range"),
        (b'{"a":-9007199254740992}', "integer_range"),
        (b'{"a":"\\ud800"}', "lone_surrogate"),
        (b'{"\\udfff":1}', "lone_surrogate"),
        (b'{"a":"\xff"}', "not_utf8"),
        (b'{"a":"\xed\xa0\x80"}', "not_utf8"),
        (b"[" * 70 + b"]" * 70, "depth"),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "depth"),
        (b"{'a':1}", "not_json"),
        (b"{} //", "not_json"),
        (b"", "not_json"),
    ],
)
@pytest.mark.parametrize("version", ["2025-11-25", MODERN])
async def test_json_1_and_json_2_hold_here(
    live: LiveBank, deputy: Deputy, arguments: bytes, why: str, version: str
) -> None:
    for method, name in ((b"tools/call", b"name"), (b"approval/challenge/create", b"toolName")):
        body = with_arguments(arguments, method, name)
        answer = await live.post(body, deputy.agent, **{"mcp-protocol-version": version})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], answer.json()["id"]) == (400, -32700, None)
        assert error["data"]["parse_error"] == why


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf{}", '{"jsonrpc":"2.0"}'.encode("utf-16"), b"", b"nothing"])
async def test_bodies_that_are_no_json_text(live: LiveBank, deputy: Deputy, body: bytes) -> None:
    answer = await live.post(body, deputy.agent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32700)


async def test_a_whole_number_beyond_all_integers_is_one_number_for_everybody(
    live: LiveBank, deputy: Deputy
) -> None:
    """JSON-2: 1e21 and more is no integer literal in canonical form; the SDK alone would read another number."""
    answer = await live.post(with_arguments(b'{"a":1000000000000000000000}'), deputy.agent)
    assert "result" in answer.json()


@pytest.mark.parametrize(
    "message",
    [
        [],
        [LIST],
        5,
        b"null",
        "x",
        {},
        {"id": 1, "method": "ping"},
        {"jsonrpc": "1.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "method": 5},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
        {"jsonrpc": "2.0", "id": {}, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": None},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "more": 1},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}},
    ],
)
async def test_what_is_no_request_is_400(live: LiveBank, deputy: Deputy, message: Any) -> None:
    answer = await live.post(message, deputy.agent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)


async def test_a_body_has_64_kib(live: LiveBank, deputy: Deputy) -> None:  # JSON-3
    base = with_arguments(b'{"text":"%s"}')
    fits = base % (b"x" * (64 * 1024 - len(base) + 2))
    assert len(fits) == 64 * 1024
    assert (await live.post(fits, deputy.agent)).status_code == 200
    answer = await live.post(fits + b" ", deputy.agent)
    assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_message_is_application_json(live: LiveBank, deputy: Deputy, kind: str) -> None:
    assert (await live.post(LIST, deputy.agent, **{"content-type": kind})).status_code == 415


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH"])
async def test_there_are_no_other_methods(live: LiveBank, deputy: Deputy, method: str) -> None:
    answer = await live.client().request(method, live.url, headers={"accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST" if method == "GET" else "GET, POST")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:1"},
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_other_sites_do_not_get_in(live: LiveBank, deputy: Deputy, headers: dict[str, str]) -> None:
    answer = await live.post(LIST, deputy.agent, **headers)  # SESSION-2
    assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (403, "cross_site_request")
    assert (await live.post(LIST, deputy.agent, origin=live.origin)).status_code == 200


async def test_notifications_are_acknowledged(live: LiveBank, deputy: Deputy) -> None:
    message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    answer = await live.post(message, deputy.agent)
    assert (answer.status_code, answer.content) == (202, b"")
    assert (await live.post(message)).status_code == 401


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
async def test_older_handshakes_are_answered(live: LiveBank, deputy: Deputy, version: str) -> None:
    client = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": client}
    answer = (await live.post(message, deputy.agent)).json()
    assert (answer["id"], answer["result"]["protocolVersion"]) == ("a", version)


async def test_a_version_that_nobody_speaks_is_refused(live: LiveBank, deputy: Deputy) -> None:
    answer = await live.post(LIST, deputy.agent, **{"mcp-protocol-version": "2030-01-01"})
    assert answer.status_code == 400


async def test_an_unknown_method_is_told(live: LiveBank, deputy: Deputy) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "approval/enroll/all"}
    assert (await live.post(message, deputy.agent)).json()["error"]["code"] == -32601


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
METHODS = st.sampled_from(
    [
        "tools/call",
        "tools/list",
        "approval/challenge/create",
        "approval/enroll/begin",
        "approval/enroll/finish",
    ]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=METHODS | st.text(max_size=20), params=JSON, message_id=JSON)
async def test_nothing_that_is_sent_is_a_500(
    live: LiveBank, deputy: Deputy, method: str, params: Any, message_id: Any
) -> None:
    try:
        body = orjson.dumps({"jsonrpc": "2.0", "id": message_id, "method": method, "params": params})
    except TypeError:  # integers that no JSON has here
        return
    answer = await live.post(body, deputy.agent)
    assert answer.status_code < 500
    assert "error" in answer.json() or "result" in answer.json()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(evidence=JSON, arguments=JSON)
async def test_no_evidence_is_a_500(live: LiveBank, deputy: Deputy, evidence: Any, arguments: Any) -> None:
    meta = {"io.modelcontextprotocol/verified-approval": evidence}
    params = {"name": "transfer_money", "arguments": arguments, "_meta": meta}
    try:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    except TypeError:
        return
    answer = await live.post(body, deputy.agent)
    assert answer.status_code in (200, 400)
    assert answer.json().get("error", {}).get("code") != -32603


async def test_a_client_in_a_page_of_the_site_may_send_what_mcp_wants_sent(tmp_path: Path) -> None:
    """Stand-alone, the page's origin is another one: its browser asks first."""
    text = (
        '[site]\nname = "Bank"\norigin = "https://www.bank.example"\nissuer = "https://auth.bank.example"\n'
    )
    policy = load_policy((text + 'rp_id = "bank.example"\n').encode())
    deputize = Deputize(policy, tmp_path / "var")
    transport = httpx2.ASGITransport(Starlette(routes=[Mount("/", deputize)]))
    async with httpx2.AsyncClient(transport=transport, base_url="https://auth.bank.example") as http:
        wanted = "authorization,content-type,dpop,mcp-method,mcp-name,mcp-protocol-version,mcp-session-id"
        asked = {"access-control-request-method": "POST", "access-control-request-headers": wanted}
        answer = await http.options("/mcp", headers={"origin": "https://www.bank.example", **asked})
        assert answer.status_code == 200
        told = await http.get("/mcp", headers={"origin": "https://www.bank.example"})
        assert "mcp-session-id" in told.headers["access-control-expose-headers"]
        other = await http.options("/mcp", headers={"origin": "https://evil.example", **asked})
        assert other.status_code == 405
        assert "access-control-allow-origin" not in other.headers
    await deputize.aclose()
