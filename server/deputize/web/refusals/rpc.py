"""What MCP clients read that are refused: in HTTP, in JSON-RPC, and in the result of a tool (MCP-7)."""

from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ...protocol.canonical import Json
from ...protocol.errors import Code, Refusal
from ...protocol.policy import Policy
from ...protocol.problem import STEPS_UP, www_authenticate
from ...protocol.rpc import PARSE_ERROR, rpc_error

_DEAD = frozenset({Code.UNKNOWN_AGENT, Code.CONSENT_REQUIRED, Code.GRANT_EXPIRED, Code.GRANT_REVOKED})
"""The token's grant is gone: the client has to get another one."""

_IN_HTTP = frozenset(
    {
        *STEPS_UP,
        Code.INVALID_TOKEN,
        Code.INVALID_DPOP_PROOF,
        Code.LOGIN_REQUIRED,
        Code.RECORD_UNAVAILABLE,
        Code.WRONG_USER,
    }
)


def resource_metadata_url(issuer: str) -> str:
    """Return where the RFC 9728 metadata of `{issuer}/mcp` is (RFC 9728 §3.1: path insertion)."""
    origin = "/".join(issuer.split("/")[:3])
    return f"{origin}/.well-known/oauth-protected-resource{issuer.removeprefix(origin)}/mcp"


def is_told_in_http(refusal: Refusal, in_band: bool) -> bool:
    """Tell whether the connection has to do something, so that it has to hear of it (MCP-7).

    A fault of a grant that the message itself names (`in_band`) is none of the connection.
    """
    return refusal.code in _IN_HTTP or (refusal.code in _DEAD and not in_band)


def tell_in_http(response: Response, refusal: Refusal, policy: Policy, anonymous: bool = False) -> None:
    """Give an answer the status of a refusal, and `WWW-Authenticate` with the metadata (MCP-2; RFC 9728 §5.1).

    `anonymous`: no credentials were sent, so no error is named, but the scopes to ask for are (RFC 6750 §3.1).
    """
    told = Refusal(Code.INVALID_TOKEN, refusal.detail) if refusal.code in _DEAD else refusal
    response.status_code = told.code.status
    metadata = f'resource_metadata="{resource_metadata_url(policy.site.issuer)}"'
    if anonymous and told.code.status == HTTPStatus.UNAUTHORIZED:
        scope = [f'scope="{" ".join(policy.mcp_scopes)}"'] if policy.mcp_scopes else []
        schemes = [["Bearer"]] if policy.bearer else []
        response.headers["www-authenticate"] = ", ".join(
            f"{scheme} {', '.join([*more, *scope, metadata])}"
            for scheme, *more in [*schemes, ["DPoP", 'algs="ES256"']]
        )
    elif (challenge := www_authenticate(told)) is not None:
        # Bearer comes first: most of its clients look at nothing else (BEARER-1).
        challenges = [_bearer_challenge(told), challenge] if policy.bearer else [challenge]
        response.headers["www-authenticate"] = ", ".join(f"{each}, {metadata}" for each in challenges)


def _bearer_challenge(refusal: Refusal) -> str:
    """Say it in one of the words that RFC 6750 §3.1 has."""
    if refusal.code in STEPS_UP:
        return f'Bearer error="insufficient_scope", scope="{refusal.facts.get("scope", "")}"'
    return 'Bearer error="invalid_token"'


def as_rpc(refusal: Refusal, request: Request, policy: Policy, message_id: Json) -> Response:
    """Answer, by a JSON-RPC error in HTTP, a message that is refused before the SDK sees it."""
    error = rpc_error(refusal)
    if "parse_error" in refusal.facts:
        error["code"] = PARSE_ERROR
    body = orjson.dumps({"jsonrpc": "2.0", "id": message_id, "error": error})
    response = Response(body, media_type="application/json")
    tell_in_http(response, refusal, policy, anonymous="authorization" not in request.headers)
    if refusal.code is Code.METHOD_NOT_ALLOWED:  # who was refused a GET has nothing to listen for (MCP-17)
        response.headers["allow"] = "POST" if request.method == "GET" else "GET, POST"
    return response


def as_result(refusal: Refusal, call_id: str | None) -> dict[str, object]:
    """Tell a model that its call was refused, and why, as the shim does (SHIM-6)."""
    return {
        "isError": True,
        "content": [{"type": "text", "text": refusal.detail}],
        "structuredContent": {**refusal.facts, "code": refusal.code.value, "correlation_id": call_id},
    }
