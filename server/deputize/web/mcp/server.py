"""The official SDK carries the protocol: versions, envelopes, headers. Our methods are its handlers."""

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import mcp_types as types
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError

from ...protocol.errors import Code, Refusal, Refused
from ...protocol.rpc import rpc_error
from ..ask import MAX_BODY
from .approving import Approving
from .calling import Calling
from .exchange import EXCHANGE, Exchange
from .messages import CALL, CHALLENGE, ENROLL_BEGIN, ENROLL_FINISH

_CAPABILITY: dict[str, dict[str, Any]] = {"verifiedApproval": {}}
_Context = ServerRequestContext[Any, Any]
_Method = Callable[[Exchange], Awaitable[dict[str, object]]]


def build(calling: Calling, approving: Approving) -> StreamableHTTPSessionManager:
    """Make the SDK's server, without sessions: each request stands alone, on any process (MCP-1)."""
    server: Server[Any] = Server(
        calling.authority.policy.site.name,
        version=version("deputize"),
        get_tool_input_schema=calling.input_schema,  # or it lists all tools before each call
    )
    server.extensions = _CAPABILITY
    server.middleware = [_declare]

    async def list_tools(context: _Context, params: types.PaginatedRequestParams) -> types.ListToolsResult:
        return types.ListToolsResult.model_validate(await answer(calling.list_tools, context))

    async def call_tool(context: _Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        return types.CallToolResult.model_validate(await answer(calling.call_tool, context))

    async def answer(method: _Method, context: _Context) -> dict[str, object]:
        request: Any = context.request
        exchange: Exchange = request.scope[EXCHANGE]
        try:
            return await method(exchange)
        except Refused as refused:
            calling.log.refused(exchange.ask.request, refused.refusal)
            if exchange.is_for_connection(refused.refusal):
                exchange.refusal = refused.refusal
            raise _rpc(refused.refusal) from refused
        except Exception as error:  # ERR-3: told to the owner, not to the caller
            calling.log.failed(exchange.ask.request, error)
            detail = "Something went wrong here. It has been noted."
            raise _rpc(Refusal(Code.SERVER_ERROR, detail)) from error

    def add(name: str, method: _Method) -> None:
        async def handler(context: _Context, params: types.RequestParams) -> dict[str, object]:
            return await answer(method, context)

        server.add_request_handler(name, types.RequestParams, handler)

    server.add_request_handler("tools/list", types.PaginatedRequestParams, list_tools)
    server.add_request_handler(CALL, types.CallToolRequestParams, call_tool)
    add(CHALLENGE, approving.create_challenge)
    add(ENROLL_BEGIN, approving.begin_enrollment)
    add(ENROLL_FINISH, approving.finish_enrollment)
    return StreamableHTTPSessionManager(
        server, json_response=True, stateless=True, max_request_body_size=MAX_BODY
    )


async def _declare(ctx: _Context, call_next: CallNext) -> HandlerResult:
    """Put the capability back into the answer to `initialize`, from which the SDK takes it (MCP-6)."""
    result = await call_next(ctx)
    if ctx.method == "initialize" and isinstance(result, dict):
        result["capabilities"]["extensions"] = _CAPABILITY
    return result


def _rpc(refusal: Refusal) -> MCPError:
    error: Any = rpc_error(refusal)
    return MCPError(error["code"], error["message"], error["data"])
