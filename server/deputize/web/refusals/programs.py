"""What programs read that are refused: a problem or, where OAuth is spoken, its error (ERR-1)."""

import orjson
from starlette.responses import Response

from ...protocol.errors import Refusal
from ...protocol.problem import MEDIA_TYPE, problem, www_authenticate


def as_problem(refusal: Refusal) -> Response:
    """Answer as RFC 9457 (ERR-1, ERR-2)."""
    response = Response(orjson.dumps(problem(refusal)), refusal.code.status, media_type=MEDIA_TYPE)
    if (challenge := www_authenticate(refusal)) is not None:
        response.headers["www-authenticate"] = challenge
    return response


def as_oauth(refusal: Refusal) -> Response:
    """Answer as RFC 6749 §5.2 (ERR-1), with the facts: `now`, above all (SHIM-3)."""
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
    return response
