"""The guard as a FastAPI dependency, which nobody can put in the wrong order (GUARD-7)."""

from collections.abc import AsyncIterator

from fastapi.exceptions import RequestValidationError
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.security.base import SecurityBase
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..protocol.errors import Refusal, Refused
from .admission import GuardedCall
from .guard import refusal_response
from .outcome import Outcome, entrust
from .point import Point

_HANDLERS = "starlette.exception_handlers"


class GuardDependency(SecurityBase):
    """Admits the call that a request carries, for whatever depends on this; made by `Guard.__call__`.

    The app's OpenAPI document has it as the header `Txn-Token`.
    """

    def __init__(self, point: Point) -> None:
        """Guard as this point says."""
        self.point = point
        self.scheme_name = "Txn-Token"
        self.model = APIKey(
            **{"in": APIKeyIn.header},
            name="Txn-Token",
            description="A call token of deputize: for one call, with exactly its arguments, once.",
        )

    async def __call__(self, request: Request) -> AsyncIterator[GuardedCall]:
        """Admit the call (GUARD-1), and report its outcome (GUARD-5).

        FastAPI validates the other parameters after this. Where they are wrong, the handler does not run, the answer is
        422, and the outcome is `failed`.
        """
        guard = self.point.guard
        try:
            call, replay = await guard.admit(self.point.tool, request, self.point.args)
        except Refused as refused:
            raise _Refused(request, refused.refusal) from refused
        # The body that FastAPI and the handler read from now on is the one that was hashed.
        request._body = (await replay())["body"]
        outcome = Outcome(guard.redeemer.report, call.call_id)
        if entrust(request.scope, outcome):
            yield call
            return
        try:  # nothing watches an app that was never started, in its first request: only what is raised is seen
            yield call
        except HTTPException as error:
            await outcome.report(error.status_code)
            raise
        except RequestValidationError:
            await outcome.report(422)
            raise
        finally:
            await outcome.report(None)


class _Refused(HTTPException):
    """A refusal that the app answers as a problem (ERR-1), whatever handlers of HTTPException it has."""

    def __init__(self, request: Request, refusal: Refusal) -> None:
        response = refusal_response(refusal)
        super().__init__(refusal.code.status, refusal.detail, dict(response.headers))
        self.response = response
        handlers = request.scope.get(_HANDLERS)
        if handlers is not None:
            handlers[0].setdefault(_Refused, _answer)


async def _answer(request: Request, error: "_Refused") -> Response:
    return error.response
