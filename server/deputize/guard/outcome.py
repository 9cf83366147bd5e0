"""The outcome of a call that ran: reported to the authority once, however the answer ends (GUARD-5)."""

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
ReportStatus = Callable[[int | None], Coroutine[Any, Any, None]]


class Outcome:
    """The outcome of one redeemed call, reported once; where that fails, the answer goes out all the same (GUARD-5)."""

    def __init__(self, tell: Tell, call_id: CallId) -> None:
        """Report by `tell`."""
        self._tell = tell
        self._call_id = call_id
        self._reported = False

    async def report(self, status: int | None) -> None:
        """Report what this status of the answer means, the first time; None means that there is no whole answer."""
        await self._once(outcome_of(status))

    async def nothing_ran(self) -> None:
        """Report that the handler was not reached."""
        await self._once(State.FAILED)

    async def _once(self, outcome: State) -> None:
        if self._reported:
            return
        self._reported = True
        await detached(self._report(outcome))  # a report that has begun ends, whoever goes away meanwhile

    async def _report(self, outcome: State) -> None:
        try:
            await self._tell(self._call_id, outcome)
        except Exception:  # whatever it is: the handler has run, and its answer must go out
            _LOG.warning("call %s %s, which could not be reported", self._call_id, outcome, exc_info=True)


class ReportedResponse(Response):
    """An endpoint's response, whose outcome is reported as it is sent."""

    def __init__(self, response: Response, outcome: Outcome) -> None:
        self._response = response
        self._outcome = outcome
        self.status_code = response.status_code
        self.raw_headers = response.raw_headers
        self.background = None  # the answer runs its own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        await watched(self._outcome.report, self._response, scope, receive, send)


class Watch:
    """An app, watched for guards that cannot see its answers: FastAPI makes them after its dependencies have run."""

    def __init__(self, app: ASGIApp) -> None:
        """Watch this app."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, and report the outcomes that were entrusted to this meanwhile."""
        if scope["type"] != "http" or _WATCH in scope:
            await self.app(scope, receive, send)
            return
        entrusted: list[Outcome] = []

        async def report(status: int | None) -> None:
            for outcome in entrusted:
                await outcome.report(status)

        scope[_WATCH] = entrusted
        await watched(report, self.app, scope, receive, send)


def watch(app: object) -> None:
    """Watch a Starlette or FastAPI app that serves already, from its next request on."""
    stack = getattr(app, "middleware_stack", None)
    if stack is not None and not isinstance(stack, Watch):
        app.middleware_stack = Watch(stack)  # type: ignore[attr-defined] # it has one


def entrust(scope: Scope, outcome: Outcome) -> bool:
    """Leave an outcome to whatever watches this request's app. False if nothing does yet: from the next request on."""
    if _WATCH not in scope:
        watch(scope.get("app"))
        return False
    scope[_WATCH].append(outcome)
    return True


def outcome_of(status: int | None) -> State:
    """Return what an answer of this status says of the call's effect; None means no whole answer (GUARD-5)."""
    if status is None or status >= 500:
        return State.UNKNOWN
    return State.SUCCEEDED if status < 400 else State.FAILED


def _is_bare(scope: Scope, start: Message) -> bool:
    """Tell whether an answer has no content (RFC 9110 §6.4.1), so that nothing follows its head."""
    return (
        scope.get("method") == "HEAD"
        or start["status"] in (204, 304)
        or b"content-length" in [name.lower() for name, value in start.get("headers", ()) if value == b"0"]
    )


async def raised(report: ReportStatus, error: Exception | CancelledError, begun: bool = False) -> None:
    """Report what was raised in place of an answer, or after one has `begun`."""
    if isinstance(
        error, CancelledError
    ):  # the client went away, or a time ran out: the task ends without waiting
        detached(report(None))
    elif isinstance(error, HTTPException) and not begun:  # somebody above makes this the answer
        await report(error.status_code)
    else:
        await report(None)


async def watched(report: ReportStatus, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run an app, and report before the last part of its answer is sent.

    So whoever has the answer and asks the authority next finds the outcome there.
    """
    status: int | None = None

    async def seen(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            if _is_bare(scope, message):  # then this is all of it
                await report(status)
        elif message["type"] in _END_OF_ANSWER and not message.get("more_body", False):
            await report(status)
        await send(message)

    try:
        await app(scope, receive, seen)
    except (Exception, CancelledError) as error:
        await raised(report, error, begun=status is not None)
        raise
    await report(None)
