"""The one switch from a refusal to an HTTP answer (PROTOCOL §8)."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from ..authority.authority import Current
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.problem import MEDIA_TYPE, problem, www_authenticate
from ..protocol.quota import retry_after
from .ask import Ask
from .operations import Log

T = TypeVar("T")
Handler = Callable[[Ask], Awaitable[Response]]
Respond = Callable[[Refusal], Response]

_ROUTING = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED}
_ROUTING_DETAIL = {404: "There is nothing at this address.", 405: "This address does not take this method."}


def answer(value: object, status: int = 200) -> Response:
    """Answer JSON."""
    return Response(orjson.dumps(value), status, media_type="application/json")


def refusal_response(refusal: Refusal, **facts: object) -> Response:
    """Answer a refusal as RFC 9457 (ERR-1, ERR-2); `facts` are added to its own."""
    body = orjson.dumps({**facts, **problem(refusal)})
    response = Response(body, refusal.code.status, media_type=MEDIA_TYPE)
    if (challenge := www_authenticate(refusal)) is not None:
        response.headers["www-authenticate"] = challenge
    return later(response, refusal)


def oauth_response(refusal: Refusal) -> Response:
    """Answer a refusal of `/token` as RFC 6749 §5.2 (ERR-1), and its facts: `now`, above all (SHIM-3)."""
    facts = dict(refusal.facts)
    nonce, scheme = facts.pop("nonce", None), facts.pop("scheme", None)
    status = refusal.code.status
    if status < 429 and scheme is None:  # RFC 6749 §5.2; RFC 9126 §2.3 has 429 as well
        status = 400
    response = answer({**facts, "error": refusal.code.value, "error_description": refusal.detail}, status)
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


class Endpoint:
    """Makes Starlette endpoints of our handlers: refusals become answers, anything unforeseen a bare 500 (ERR-3)."""

    def __init__(self, current: Current, log: Log) -> None:
        """Serve this authority, under the policy that is in force at each request."""
        self._current = current
        self._log = log

    def __call__(
        self, handler: Handler, refuse: Respond = refusal_response
    ) -> Callable[[Request], Awaitable[Response]]:
        """Wrap one handler."""
        current, log = self._current, self._log

        async def endpoint(request: Request) -> Response:
            try:
                ask = Ask(request, current)
                response = await handler(ask)
                if ask.noted is not None:
                    log.refused(request, ask.noted)
                return response
            except Refused as refused:
                log.refused(request, refused.refusal)
                return refuse(refused.refusal)
            except Exception as error:  # ERR-3: told to the owner, not to the caller
                log.failed(request, error)
                return refuse(Refusal(Code.SERVER_ERROR, "Something went wrong here. It has been noted."))

        return endpoint


async def nowhere(request: Request) -> Response:
    """Answer that there is nothing here."""
    return await not_routed(request, HTTPException(404))


async def not_routed(request: Request, error: Exception, respond: Respond = refusal_response) -> Response:
    """Answer what no route takes."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = _ROUTING.get(status, Code.INVALID_REQUEST)
    response = respond(Refusal(code, _ROUTING_DETAIL.get(status, "This request cannot be answered.")))
    if code is Code.METHOD_NOT_ALLOWED:  # RFC 9110 §15.5.6
        response.headers["allow"] = ", ".join(sorted(_methods(request)))
    return response


def _methods(request: Request) -> set[str]:
    """Collect what this address takes; it may have a route for each method."""
    here = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in here for method in getattr(route, "methods", None) or ()}
