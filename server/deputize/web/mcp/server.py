"""The official SDK knows the protocol: versions, shapes, capabilities. Our methods are its handlers."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, cast

import mcp_types as types
from mcp import MCPError
from mcp.server import Server, ServerRequestContext
from mcp.server.context import HandlerResult
from mcp.server.runner import CallNext
from mcp_types.version import LATEST_HANDSHAKE_VERSION

from ...protocol.errors import Refusal, Refused
from ...protocol.rpc import rpc_error
from . import declaring
from .calling import Calling
from .exchange import Exchange, Method
from .messages import CALL, INITIALIZE, LIST
from .transport import SERVED

_CAPABILITY: dict[str, dict[str, Any]] = {"verifiedApproval": {}}
_Context = ServerRequestContext[Any, Any]


def build(calling: Calling, methods: Mapping[str, Method]) -> Server[Any]:
    """Make the SDK's server, which has our methods as its handlers, and `tools/list`."""
    server: Server[Any] = Server(
        calling.current().policy.site.name,
        version=version("deputize"),
        get_tool_input_schema=calling.input_schema,
    )
    server.extensions = _CAPABILITY
    server.middleware = [_declare]

    def add(name: str, method: Method, **always: object) -> None:
        async def handler(context: _Context, params: types.RequestParams) -> dict[str, object]:
            exchange = cast("Exchange", context.request)
            try:
                made = await method(exchange)
                return made if "resultType" in made else {**always, **made}
            except Refused as refused:
                exchange.note(refused.refusal)
                raise _rpc(refused.refusal) from refused

        server.add_request_handler(name, types.RequestParams, handler)

    # What results have that do not say otherwise; the SDK takes out of it what a client's version does not know.
    add(LIST, calling.list_tools, resultType="complete", ttlMs=0, cacheScope="private")
    for name, method in methods.items():
        add(name, method, **({"resultType": "complete", "isError": False} if name == CALL else {}))
    return server


async def _declare(ctx: _Context, call_next: CallNext) -> HandlerResult:
    """Put the capability back into the answer to `initialize`, from which the SDK takes it (MCP-6), offer only versions
    that are served whole (MCP-1), and begin a session.
    """
    result = await call_next(ctx)
    if ctx.method == INITIALIZE and isinstance(result, dict):
        result["capabilities"]["extensions"] = _CAPABILITY
        if result["protocolVersion"] not in SERVED:
            result["protocolVersion"] = LATEST_HANDSHAKE_VERSION
        _begin(cast("Exchange", ctx.request), result["protocolVersion"])
    return result


def _begin(exchange: Exchange, version: str) -> None:
    """Give a client a session, if it has declared what is worth remembering (MCP-16)."""
    authority, declared = exchange.context.authority, exchange.message.params.get("capabilities")
    asks = declaring.asks(declared, version)
    issuer = authority.policy.site.issuer
    if (made := declaring.session_id(authority.sealer, issuer, exchange.principal, asks)) is not None:
        exchange.headers[declaring.SESSION] = made


def _rpc(refusal: Refusal) -> MCPError:
    error: Any = rpc_error(refusal)
    return MCPError(error["code"], error["message"], error["data"])
