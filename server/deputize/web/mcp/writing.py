"""The answer to a usual message, as the SDK would write it (MCP-1)."""

from importlib.metadata import version

import orjson
from starlette.responses import Response

from ...protocol.errors import Refusal
from ...protocol.rpc import INVALID_PARAMS, INVALID_REQUEST, rpc_error
from .exchange import Exchange
from .messages import CALL, MODERN

_SERVER = "io.modelcontextprotocol/serverInfo"
_VERSION = version("deputize")
_IN_HTTP = frozenset({INVALID_PARAMS, INVALID_REQUEST})


def result(exchange: Exchange, life: str, made: dict[str, object]) -> Response:
    """Write what a method has made; the modern life wants it called complete, and signed."""
    if exchange.message.method == CALL and "resultType" not in made:
        made = {"isError": False, **made}
    if life == MODERN:
        server = {"name": exchange.context.authority.policy.site.name, "version": _VERSION}
        meta = made.get("_meta")
        told = meta if isinstance(meta, dict) else {}
        made = {"resultType": "complete", **made, "_meta": {**told, _SERVER: server}}
    return _response(exchange, {"result": made}, 200)


def error(exchange: Exchange, life: str, refusal: Refusal) -> Response:
    """Write why there is no result; in the modern life HTTP has to say so, too, where a message makes no sense."""
    told = rpc_error(refusal)
    return _response(exchange, {"error": told}, 400 if life == MODERN and told["code"] in _IN_HTTP else 200)


def _response(exchange: Exchange, said: dict[str, object], status: int) -> Response:
    body = {"jsonrpc": "2.0", "id": exchange.message.message_id, **said}
    return Response(orjson.dumps(body), status, media_type="application/json")
