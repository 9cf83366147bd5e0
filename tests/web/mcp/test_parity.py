"""Our transport answers as the SDK's own does: the same rules, with less under way (MCP-1)."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import mcp_types as types
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from tests.size import tries
from tests.web.mcp.conftest import MODERN
from tests.web.mcp.test_transport import ENVELOPE, OLDER

from deputize.web.mcp import transport
from deputize.web.mcp.messages import Message

pytestmark = pytest.mark.anyio

URL = "http://localhost/mcp"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"to": {"type": "string", "x-mcp-header": "To"}}}
TOOL = {"name": "pay", "inputSchema": SCHEMA}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}


def server() -> Server[Any]:
    """Make a server with methods that need to know nothing of who asks."""
    made: Server[Any] = Server("Bank", version="1", get_tool_input_schema=lambda name: SCHEMA)
    made.middleware = []

    async def list_tools(context: Any, params: types.RequestParams) -> dict[str, Any]:
        return {"tools": [TOOL], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}

    async def call(context: Any, params: types.RequestParams) -> dict[str, Any]:
        if context.params.get("name") == "refuse":
            raise MCPError(-32001, "No.", {"reason": "missing_evidence"})
        told = {"content": [{"type": "text", "text": "Zoë"}], "structuredContent": {"a": [1, None]}}
        return {**told, "resultType": "complete", "_meta": {"a": 1}}

    async def other(context: Any, params: types.RequestParams) -> dict[str, Any]:
        return {"got": context.params or {}}

    made.add_request_handler("tools/list", types.RequestParams, list_tools)
    made.add_request_handler("tools/call", types.RequestParams, call)
    made.add_request_handler("approval/challenge/create", types.RequestParams, other)
    return made


@pytest.fixture
async def sides() -> AsyncIterator[tuple[httpx2.AsyncClient, httpx2.AsyncClient]]:
    """Serve it by the SDK's transport, and by ours."""
    ours = server()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        value = await request.json()
        message = Message(value.get("id"), value["method"], value.get("params", {}))
        context = SimpleNamespace(request=request, header=request.headers.get)
        exchange: Any = SimpleNamespace(context=context, message=message)
        response = await transport.answer(ours, exchange)
        await response(scope, receive, send)

    manager = StreamableHTTPSessionManager(server(), json_response=True, stateless=True)
    async with manager.run():
        transports = httpx2.ASGITransport(cast("Any", manager.handle_request)), httpx2.ASGITransport(app)
        async with (
            httpx2.AsyncClient(transport=transports[0]) as theirs,
            httpx2.AsyncClient(transport=transports[1]) as own,
        ):
            yield theirs, own


versions = st.sampled_from([None, *OLDER, MODERN, MODERN, MODERN, "2030-01-01", "x"])
# All but `subscriptions/listen`, for which the SDK opens a stream, and we have none.
methods = st.sampled_from(
    [
        *("tools/list", "tools/call", "approval/challenge/create", "initialize", "server/discover", "ping"),
        *("nothing", "resources/list", "notifications/initialized", "logging/setLevel"),
    ]
)
arguments: st.SearchStrategy[Any] = st.sampled_from([{}, {"to": "Ada"}, {"to": 5}, None, [], "x"])
metas: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(ENVELOPE, ENVELOPE, ENVELOPE, {}, None, [], "x", {"progressToken": 1}, {"progressToken": True}),
        {**ENVELOPE, "io.modelcontextprotocol/protocolVersion": "2025-11-25"},
        {**ENVELOPE, "io.modelcontextprotocol/protocolVersion": 5},
        {**ENVELOPE, "io.modelcontextprotocol/clientInfo": {"name": "x", "version": "1"}},
        {**ENVELOPE, "io.modelcontextprotocol/clientInfo": 5},
        {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": "x"},
    ]
)
params = st.builds(
    lambda said, meta: {**said, **({} if meta is None else {"_meta": meta})},
    st.sampled_from(["pay", "refuse", 5]).flatmap(
        lambda name: st.builds(lambda given: {"name": name, "arguments": given}, arguments)
    )
    | st.sampled_from(
        [{}, HELLO, {**HELLO, "protocolVersion": "2024-11-05"}, {"cursor": "x"}, {"cursor": 5}]
    ),
    metas,
)
ids = st.sampled_from([1, "a", -5, 2**53 - 1, None])
repeated = st.fixed_dictionaries(
    {},
    optional={
        "mcp-method": st.just("") | methods,
        "mcp-name": st.sampled_from(["pay", "refuse", "=?base64?cGF5?=", "other"]),
        "mcp-param-to": st.sampled_from(["Ada", "5", "=?base64?!?="]),
    },
)


@settings(max_examples=tries(300, 1_500), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions, methods, params | st.none(), ids, repeated, st.booleans())
@example(
    MODERN,
    "tools/call",
    {"name": "pay", "arguments": {"to": "Ada"}, "_meta": ENVELOPE},
    1,
    {"mcp-param-to": "Ada"},
    True,
)
@example(MODERN, "tools/call", {"name": "refuse", "_meta": ENVELOPE}, 1, {}, True)
@example(
    MODERN,
    "tools/call",
    {"name": "pay", "arguments": [], "_meta": ENVELOPE},
    1,
    {"mcp-param-to": "Ada"},
    True,
)
@example("2025-11-25", "tools/call", {"name": "refuse"}, 1, {}, True)
@example(None, "initialize", HELLO, 1, {}, True)
async def test_our_transport_answers_as_the_sdks_does(
    sides: tuple[httpx2.AsyncClient, httpx2.AsyncClient],
    version: str | None,
    method: str,
    said: dict[str, Any] | None,
    message_id: int | str | None,
    repeated: dict[str, str],
    consistent: bool,
) -> None:
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    message |= {} if said is None else {"params": said}
    message |= {} if message_id is None else {"id": message_id}
    headers = {"accept": "application/json", **repeated}
    headers |= {} if version is None else {"mcp-protocol-version": version}
    if consistent:
        name = (said or {}).get("name")
        headers |= {"mcp-method": method, **({"mcp-name": name} if isinstance(name, str) else {})}
    theirs, ours = [await side.post(URL, json=message, headers=headers) for side in sides]
    assert (ours.status_code, body(ours)) == (theirs.status_code, body(theirs))


@pytest.mark.parametrize("version", ["2025-11-25", MODERN])
@pytest.mark.parametrize(
    "accept", ["text/html", "text/event-stream", "*/*", "application/*", "application/json"]
)
async def test_our_transport_asks_for_the_same_accept(
    sides: tuple[httpx2.AsyncClient, httpx2.AsyncClient], version: str, accept: str
) -> None:
    headers = {"accept": accept, "mcp-protocol-version": version}
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    theirs, ours = [await side.post(URL, json=message, headers=headers) for side in sides]
    assert ours.status_code == theirs.status_code


def body(answer: httpx2.Response) -> Any:
    return answer.json() if answer.content else None
