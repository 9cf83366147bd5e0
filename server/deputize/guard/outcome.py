"""What became of a call that ran: told to the authority once, however the answer ends (GUARD-5)."""

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..detached import detached
from ..protocol.call import State
from ..protocol.ids import CallId

_LOG = logging.getLogger("deputize.guard")
_END_OF_ANSWER = frozenset({"http.response.body", "http.response.pathsend"})
_WATCH = "deputize.watch"

Tell = Callable[[CallId, State], Awaitable[None]]
Report = Callable[[int | None], Coroutine[Any, Any, None]]


class Outcome:
    """What becomes of one redeemed call. It is reported once, and no answer fails for that (GUARD-5)."""

    def __init__(self, tell: Tell, call_id: CallId) -> None:
        """Nothing has become of it yet."""
        self._tell = tell
        self._call_id = call_id
        self._reported = False

    async def report(self, status: int | None) -> None:
        """Report once what this status of the answer means; None if there is no whole answer."""
        if self._reported:
            return
        self._reported = True
        await detached(self._report(outcome_of(status)))  # half told is not told, whoever goes away meanwhile

    async def _report(self, outcome: State) -> None:
        try:
            await self._tell(self._call_id, outcome)
        except Exception:  # whatever it is: the handler has run, and its answer must go out
            _LOG.warning("call %s %s, which could not be reported", self._call_id, outcome, exc_info=True)

    async def watch(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Run an app and report when its answer is whole, but before the last of it is sent.

        So whoever has the answer and asks the authority next finds the outcome there. If the task is
        cancelled, the outcome is unknown, and is told so while the cancellation goes on.
        """
        await _watched(self.report, app, scope, receive, send)


class Reported(Response):
    """An endpoint's answer, with its headers and cookies; its outcome is reported as it goes out."""

    def __init__(self, response: Response, outcome: Outcome) -> None:
        self._response = response
        self._outcome = outcome
        self.status_code = response.status_code
        self.raw_headers = response.raw_headers
        self.background = None  # the answer runs its own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        await self._outcome.watch(self._response, scope, receive, send)


class Watch:
    """A whole app, watched for guards that do not see its answers: FastAPI makes them after its dependencies."""

    def __init__(self, app: ASGIApp) -> None:
        """Watch this app."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, and tell the outcome of the call that was entrusted meanwhile, if any."""
        if scope["type"] != "http" or _WATCH in scope:
            await self.app(scope, receive, send)
            return
        entrusted: list[Outcome] = []

        async def report(status: int | None) -> None:
            for outcome in entrusted:
                await outcome.report(status)

        scope[_WATCH] = entrusted
        await _watched(report, self.app, scope, receive, send)


def watch(app: object) -> None:
    """Watch a Starlette or FastAPI app that serves already, from the next request on."""
    stack = getattr(app, "middleware_stack", None)
    if stack is not None and not isinstance(stack, Watch):
        app.middleware_stack = Watch(stack)  # type: ignore[attr-defined] # it has one


def entrust(scope: Scope, outcome: Outcome) -> bool:
    """Leave an outcome to the watch over this request's app; False if there is none yet: there will be."""
    if _WATCH not in scope:
        watch(scope.get("app"))
        return False
    scope[_WATCH].append(outcome)
    return True


def outcome_of(status: int | None) -> State:
    """Tell what an answer of this status says of the effect (GUARD-5)."""
    if status is None or status >= 500:
        return State.UNKNOWN
    return State.SUCCEEDED if status < 400 else State.FAILED


def _is_bare(scope: Scope, start: Message) -> bool:
    """Tell whether an answer has a head only (RFC 9110 §6.4.1)."""
    return (
        scope.get("method") == "HEAD"
        or start["status"] in (204, 304)
        or any(
            value == b"0" and name.lower() == b"content-length" for name, value in start.get("headers", ())
        )
    )


async def _watched(report: Report, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    status: int | None = None

    async def seen(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            if _is_bare(scope, message):  # whoever has this has all of it
                await report(status)
        elif message["type"] in _END_OF_ANSWER and not message.get("more_body", False):
            await report(status)
        await send(message)

    try:
        await app(scope, receive, seen)
    except HTTPException as error:  # somebody above makes this the answer, unless one has begun
        await report(error.status_code if status is None else None)
        raise
    except CancelledError:
        detached(report(None))
        raise
    except Exception:
        await report(None)
        raise
    await report(None)
