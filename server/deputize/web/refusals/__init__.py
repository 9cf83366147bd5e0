"""Where a refusal becomes an answer (PROTOCOL §8), in the dialect that its endpoint's row says. Nothing else makes one.

How each dialect looks is in `programs.py`, `people.py` and `rpc.py`; a guard, which has no authority beside it, answers
as `protocol/problem.py` says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ...log.log import Log
from ...protocol.canonical import Json
from ...protocol.errors import Code, Refusal, Refused
from ...protocol.policy import Policy
from ...protocol.quota import retry_after
from .people import as_page
from .programs import as_oauth, as_problem
from .rpc import as_rpc

NOWHERE = Refusal(Code.NOT_FOUND, "There is nothing at this address.")
_UNFORESEEN = Refusal(Code.SERVER_ERROR, "Something went wrong here. It has been noted.")  # ERR-3
_ROUTING = {
    404: NOWHERE,
    405: Refusal(Code.METHOD_NOT_ALLOWED, "This address does not take this method."),
}
_UNROUTED = Refusal(Code.INVALID_REQUEST, "This request cannot be answered.")


class Dialect(Enum):
    """Whom a refusal is written for: programs, clients of OAuth, people who open a page, clients of MCP."""

    PROBLEM = auto()
    OAUTH = auto()
    PAGE = auto()
    RPC = auto()


@dataclass(frozen=True, slots=True)
class Refusals:
    """Notes and answers the refusals of one authority; `policy` returns the one that was in force last."""

    policy: Callable[[], Policy]
    log: Log

    def noted(
        self, error: Exception, dialect: Dialect, request: Request, message_id: Json = None
    ) -> Response:
        """Note what keeps a request from its answer, and answer that: anything unforeseen as a bare 500 (ERR-3)."""
        if isinstance(error, Refused):
            self.log.refused(request, error.refusal, error.quietly)
            return self.answer(error.refusal, dialect, request, message_id)
        self.log.failed(request, error)
        return self.answer(_UNFORESEEN, dialect, request, message_id)

    def answer(
        self, refusal: Refusal, dialect: Dialect, request: Request, message_id: Json = None
    ) -> Response:
        """Answer a refusal that is noted already, or not worth it; `message_id` is that of the JSON-RPC message."""
        match dialect:
            case Dialect.OAUTH:
                response = as_oauth(refusal)
            case Dialect.PAGE:
                response = as_page(refusal, request, self.policy().site)
            case Dialect.RPC:
                response = as_rpc(refusal, request, self.policy(), message_id)
            case _:
                response = as_problem(refusal)
        if (seconds := retry_after(refusal)) is not None:  # QUOTA-1
            response.headers["retry-after"] = seconds
        return response

    def not_routed(self, error: Exception, dialect: Dialect, request: Request) -> Response:
        """Answer what no route takes; the router says which methods one would (RFC 9110 §15.5.6)."""
        if not isinstance(error, HTTPException):
            return self.answer(_UNROUTED, dialect, request)
        response = self.answer(_ROUTING.get(error.status_code, _UNROUTED), dialect, request)
        if error.status_code == 405 and error.headers is not None:
            response.headers["allow"] = ", ".join(sorted(error.headers["Allow"].split(", ")))
        return response
