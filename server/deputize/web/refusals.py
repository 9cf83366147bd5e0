"""How a refusal is answered over HTTP, in each of its dialects (PROTOCOL §8): which one, an endpoint's row says.

MCP has a dialect of its own (`mcp/refusals.py`), and pages have words (`pages/refusals.py`).
"""

from collections.abc import Callable

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ..protocol.errors import Code, Refusal
from ..protocol.problem import MEDIA_TYPE, problem, www_authenticate
from ..protocol.quota import retry_after

Dialect = Callable[[Refusal], Response]

UNFORESEEN = Refusal(Code.SERVER_ERROR, "Something went wrong here. It has been noted.")  # ERR-3

_ROUTING = {
    404: Refusal(Code.NOT_FOUND, "There is nothing at this address."),
    405: Refusal(Code.METHOD_NOT_ALLOWED, "This address does not take this method."),
}
_UNROUTED = Refusal(Code.INVALID_REQUEST, "This request cannot be answered.")


def as_problem(refusal: Refusal, **facts: object) -> Response:
    """Answer a refusal as RFC 9457 (ERR-1, ERR-2); `facts` are added to its own."""
    body = orjson.dumps({**facts, **problem(refusal)})
    response = Response(body, refusal.code.status, media_type=MEDIA_TYPE)
    if (challenge := www_authenticate(refusal)) is not None:
        response.headers["www-authenticate"] = challenge
    return later(response, refusal)


def as_oauth(refusal: Refusal) -> Response:
    """Answer a refusal as RFC 6749 §5.2 (ERR-1), and its facts: `now`, above all (SHIM-3)."""
    facts = dict(refusal.facts)
    nonce, scheme = facts.pop("nonce", None), facts.pop("scheme", None)
    status = refusal.code.status
    if status < 429 and scheme is None:  # RFC 6749 §5.2; RFC 9126 §2.3 has 429 as well
        status = 400
    body = orjson.dumps({**facts, "error": refusal.code.value, "error_description": refusal.detail})
    response = Response(body, status, media_type="application/json")
    if nonce is not None:  # OAUTH-2; RFC 9449 §8
        response.headers["dpop-nonce"] = str(nonce)
    if scheme is not None:  # OAUTH-1
        response.headers["www-authenticate"] = f'{scheme} realm="deputize", error="{refusal.code}"'
    return later(response, refusal)


def later(response: Response, refusal: Refusal) -> Response:
    """Say in the header how long to wait, where that is known (QUOTA-1), and return the answer."""
    if (seconds := retry_after(refusal)) is not None:
        response.headers["retry-after"] = seconds
    return response


def not_routed(error: Exception, dialect: Dialect = as_problem) -> Response:
    """Answer what no route takes; the router says which methods one would (RFC 9110 §15.5.6)."""
    if not isinstance(error, HTTPException):
        return dialect(_UNROUTED)
    response = dialect(_ROUTING.get(error.status_code, _UNROUTED))
    if error.status_code == 405 and error.headers is not None:
        response.headers["allow"] = ", ".join(sorted(error.headers["Allow"].split(", ")))
    return response
