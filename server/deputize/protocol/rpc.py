"""How a refusal looks in a JSON-RPC answer (MCP-7, MCP-10; SEP-2672 §4.10)."""

from collections.abc import Mapping

from .errors import Code, Refusal

APPROVAL = -32001
"""The number of every refusal of SEP-2672, with `data.reason`, and of nothing else."""

REFUSED = -32010
"""The number of the authority's own refusals, with `data.code`; -32000 to -32019 are free for them."""

URL_ELICITATION = -32042
"""The number of MCP 2025-11-25 for a call whose user has to be led to an address first (MCP-15)."""

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603

_NUMBERS: Mapping[Code, int] = {
    Code.INVALID_REQUEST: INVALID_REQUEST,
    Code.PAYLOAD_TOO_LARGE: INVALID_REQUEST,
    Code.UNSUPPORTED_MEDIA_TYPE: INVALID_REQUEST,
    Code.METHOD_NOT_ALLOWED: INVALID_REQUEST,
    Code.INVALID_ARGUMENTS: INVALID_PARAMS,
    Code.UNKNOWN_TOOL: INVALID_PARAMS,
    Code.URL_ELICITATION_REQUIRED: URL_ELICITATION,
    Code.SERVER_ERROR: INTERNAL_ERROR,
    Code.RECORD_UNAVAILABLE: INTERNAL_ERROR,
}


def rpc_error(refusal: Refusal, **facts: object) -> dict[str, object]:
    """Return the `error` member: code, message, and data with `reason` or `code` and the refusal's facts."""
    member = "reason" if refusal.code.is_reason else "code"
    number = APPROVAL if refusal.code.is_reason else _NUMBERS.get(refusal.code, REFUSED)
    data = {**refusal.facts, **facts, member: refusal.code.value}
    return {"code": number, "message": refusal.detail, "data": data}
