"""Streamable HTTP with one JSON answer to each message: the SDK's rules and its kernel, without its streams (MCP-1).

The SDK serves each request of the older life through a dispatcher with four streams and as many tasks, which costs
several times what a call costs. Here a message goes to the same kernel, `serve_one`, and is held to the same rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What is taken from the SDK below its front door (`mcp`, `mcp.server`): the kernel that serves one request, what that
# has to be told, and the rules of streamable HTTP. Behind the front door there are whole transports only, with sessions
# and streams that MCP-1 does not have. Each name is a public one of its module (in `__all__`, where there is one), the
# SDK is held to its major version, and tests/web/mcp/test_parity.py holds our answers to those of its own transport.
import anyio
import mcp_types as types
import orjson
from mcp import MCPError
from mcp.server import Server
from mcp.server.connection import Connection
from mcp.server.runner import serve_one
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
)
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, SUPPORTED_PROTOCOL_VERSIONS
from starlette.responses import Response

from .accepting import takes_json
from .exchange import Exchange
from .messages import CALL, Message

_VERSION = "mcp-protocol-version"
_BATCHES = frozenset({"2024-11-05", "2025-03-26"})
SERVED = tuple(version for version in SUPPORTED_PROTOCOL_VERSIONS if version not in _BATCHES)
"""The versions that are served whole. Those before have batches, which nothing here reads as one (MCP-1)."""

_JSON = TransportContext(kind="streamable-http", can_send_request=False)


@dataclass(slots=True)
class _Context:
    """What the SDK wants to know of one request. Nothing can be sent to the client but the answer."""

    request_id: types.RequestId
    message_metadata: ServerMessageMetadata
    transport: TransportContext = _JSON
    can_send_request: bool = False
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Refuse."""
        raise NoBackChannelError(method)

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Drop it: there is no stream."""

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Drop it as well."""


async def answer(server: Server[Any], exchange: Exchange) -> Response:
    """Answer a message: 202 for a notification, else its result, or the error that says why there is none."""
    request, message = exchange.context.request, exchange.message
    if not takes_json(request.headers.getlist("accept")):
        refusal = types.ErrorData(code=types.INVALID_REQUEST, message="Accept application/json.")
        return _error(refusal, message.message_id, 406)
    version = exchange.context.header(_VERSION)
    modern = version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS
    try:
        if version in _BATCHES:
            _must_be_none(unsupported_protocol_version_rejection(version, SERVED))
        if message.message_id is None:
            if modern:
                _must_be_none(unsupported_protocol_version_rejection(str(version)))
            return Response(status_code=202)
        connection = _of_envelope(server, exchange) if modern else _of_handshake(version)
        context = _Context(message.message_id, ServerMessageMetadata(request_context=exchange))
        result = await serve_one(
            server, context, message.method, message.params, connection=connection, lifespan_state={}
        )
    except Exception as error:
        told = handler_exception_to_error_data(error)
        if told is None:
            raise
        in_http = modern or told.code == types.UNSUPPORTED_PROTOCOL_VERSION
        return _error(
            told, message.message_id, ERROR_CODE_HTTP_STATUS.get(told.code, 200) if in_http else 200
        )
    return _response({"jsonrpc": "2.0", "id": message.message_id, "result": result}, 200)


def _of_handshake(version: str | None) -> Connection:
    """Take a request for one of a session that was opened by `initialize`, which no process remembers."""
    return Connection.from_envelope(version or types.DEFAULT_NEGOTIATED_VERSION, None, None)


def _of_envelope(server: Server[Any], exchange: Exchange) -> Connection:
    """Read what a request says of itself (2026-07-28); MCPError where headers and body do not agree."""
    headers, message = exchange.context.request.headers, exchange.message
    if (twice := find_duplicated_routing_header(headers.items())) is not None:
        raise MCPError(types.HEADER_MISMATCH, f"{twice} header appears more than once")
    body = {"method": message.method, "params": message.params}
    route = classify_inbound_request(body, headers=dict(headers))
    if isinstance(route, InboundLadderRejection):
        raise MCPError(route.code, route.message, route.data)
    _must_be_none(_parameters(server, headers, message))
    return Connection.from_envelope(route.protocol_version, route.client_info, route.client_capabilities)


def _parameters(
    server: Server[Any], headers: Mapping[str, str], message: Message
) -> InboundLadderRejection | None:
    """Hold the headers that repeat arguments to them, where the tool's schema says that there are such."""
    name, given = message.params.get("name"), message.params.get("arguments")
    arguments = {} if given is None else given
    if message.method != CALL or not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    lookup = server.get_tool_input_schema
    schema = lookup(name) if lookup is not None else None
    return validate_mcp_param_headers(schema, arguments, headers) if schema is not None else None


def _must_be_none(rejection: InboundLadderRejection | None) -> None:
    if rejection is not None:
        raise MCPError(rejection.code, rejection.message, rejection.data)


def _error(error: types.ErrorData, message_id: str | int | None, status: int) -> Response:
    said = error.model_dump(mode="json", by_alias=True, exclude_none=True)
    return _response({"jsonrpc": "2.0", "id": message_id, "error": said}, status)


def _response(body: dict[str, Any], status: int) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
