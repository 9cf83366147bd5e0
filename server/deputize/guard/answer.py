"""What a guard answers to whom it refuses."""

import orjson

from ..protocol.errors import Refusal
from ..protocol.policy import Policy
from ..protocol.problem import MEDIA_TYPE, problem, www_authenticate
from ..protocol.question import Surface
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


def readable(policy: Policy, origin: str | None) -> dict[str, str]:
    """Return headers that let a page of the site read a refusal, where the API is at another origin (GUARD-11).

    For a guard that stands outside of the app: what the app says of other origins is not in its refusals.
    """
    if origin is None or origin not in policy.origins(Surface.PAGE):
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "Retry-After, WWW-Authenticate",
        "Vary": "Origin",
    }
