"""What a guard answers to whom it refuses."""

import orjson

from ..protocol.errors import Refusal
from ..protocol.problem import MEDIA_TYPE, problem, www_authenticate
from ..protocol.quota import retry_after


def problem_of(refusal: Refusal) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the answer (ERR-1, ERR-2, QUOTA-1); its status is the code's."""
    headers = {"Cache-Control": "no-store", "Content-Type": MEDIA_TYPE}
    authenticate = www_authenticate(refusal)
    if authenticate is not None:
        headers["WWW-Authenticate"] = authenticate
    if (seconds := retry_after(refusal)) is not None:
        headers["Retry-After"] = seconds
    return headers, orjson.dumps(problem(refusal))
