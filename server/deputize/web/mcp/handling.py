"""Running a handler: so many at a time, each to its own end, whoever waits for it (MCP-18, MCP-20)."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from inspect import isawaitable, iscoroutinefunction
from typing import TypeAlias

import anyio
from anyio.to_thread import run_sync

from ...authority.waiting import AGAIN, Waiting
from ...protocol.call import State
from ...protocol.canonical import Json
from ...protocol.errors import Code, Refusal, Refused
from ...protocol.tool import Schema
from ...protocol.value import value
from ..refusals.rpc import as_result
from .contents import Untellable, as_error, told
from .offers import HandledCall, Handler, ToolFailed

PATIENCE = 300.0
"""Seconds after which a client hears that a handler has not ended; it is called off then."""

TASKS, TASKS_EACH = 512, 32
"""Handlers at a time in one process that are async, and how many of these one user may have."""

THREADS, THREADS_EACH = 64, 8
"""The same of those that take a thread, which nobody can take back: apart from the threads that the site has."""

_UNKNOWN = "Something went wrong while this ran. Nobody knows whether it was done: check before trying again."
_UNTOLD = "This ran to its end, but what it returned {}. Nobody knows whether it was done: check before trying again."
_CALLED_OFF = (
    f"This was called off while it ran, by its client or since it took more than {PATIENCE:.0f} seconds. Nobody knows "
    "whether it was done: check before trying again."
)
_ENDLESS = (
    f"This did not end within {PATIENCE:.0f} seconds. Nobody knows whether it was done, or will be: check before "
    "trying again."
)
_NO_PLACE = "Too much is running already, so nothing was done. Try again when some of it has ended."


@value
class Ran:
    """What the agent gets, and what became of the call."""

    result: dict[str, object]
    outcome: State


Crashed: TypeAlias = Callable[[Exception], None]
"""Hears of what nobody foresaw."""


@value
class Running:
    """A handler on its way. Whoever is not cancelled himself awaits `ended`, once; `stop` asks it to end."""

    ended: Awaitable[Ran]
    stop: Callable[[], None]

    @classmethod
    def over(cls, ran: Ran) -> "Running":
        """Be one that has ended before it began."""
        ended: asyncio.Future[Ran] = asyncio.get_running_loop().create_future()
        ended.set_result(ran)
        return cls(ended, lambda: None)


class Handling:
    """The handlers that run in one process."""

    def __init__(self) -> None:
        """None yet."""
        self._tasks, self._threads = Waiting(TASKS), Waiting(THREADS)

    @cached_property
    def _limiter(self) -> anyio.CapacityLimiter:
        return anyio.CapacityLimiter(THREADS)  # nobody waits for one: there are no more places than that

    def begin(
        self,
        handler: Handler,
        arguments: dict[str, Json],
        call: HandledCall,
        schema: Schema | None,
        crashed: Crashed,
    ) -> Running:
        """Begin to run a handler; where there is no place for it, nothing is done, and that is what it ends with."""
        is_async = iscoroutinefunction(handler)
        places, each = (self._tasks, TASKS_EACH) if is_async else (self._threads, THREADS_EACH)
        try:
            place = places.place(call.user.user_id, "", each)
        except Refused:
            refusal = Refusal(Code.TOO_MANY_REQUESTS, _NO_PLACE, {"retry_after": AGAIN})
            return Running.over(Ran(as_result(refusal, call.call_id), State.FAILED))
        limiter = None if is_async else self._limiter
        doing = asyncio.get_running_loop().create_task(
            run(handler, arguments, call, schema, crashed, limiter)
        )

        async def to_the_end() -> Ran:
            with place:
                try:
                    return await doing
                except asyncio.CancelledError:  # it was called off, and has said nothing of itself
                    return Ran(unknown(_CALLED_OFF, call), State.UNKNOWN)

        def stop() -> None:
            if call.link is not None:
                call.link.cancelled = True
            if is_async:  # what runs in a thread has to look
                doing.cancel()

        return Running(to_the_end(), stop)


async def run(
    handler: Handler,
    arguments: dict[str, Json],
    call: HandledCall,
    schema: Schema | None,
    crashed: Crashed,
    limiter: anyio.CapacityLimiter | None = None,
) -> Ran:
    """Run a handler, with a `limiter` in a thread; what it returns or raises becomes a result. CancelledError if it was
    cancelled."""
    try:
        if limiter is None:
            returned = handler(arguments, call)
        else:
            returned = await run_sync(handler, arguments, call, limiter=limiter)
        result = told(await returned if isawaitable(returned) else returned, schema)
        return Ran(result, State.FAILED if result.get("isError") else State.SUCCEEDED)
    except ToolFailed as failed:
        return Ran(as_error(str(failed)), State.FAILED)
    except Untellable as error:
        crashed(error)
        return Ran(unknown(_UNTOLD.format(error.why), call), State.UNKNOWN)
    except Exception as error:  # ERR-3: told to the owner, not to the agent
        crashed(error)
        return Ran(unknown(_UNKNOWN, call), State.UNKNOWN)
    except SystemExit as error:  # it is for the handler's own program, which this is not
        crashed(RuntimeError(f"the handler wanted to exit: {error}"))
        return Ran(unknown(_UNKNOWN, call), State.UNKNOWN)


def endless(call: HandledCall) -> dict[str, object]:
    """Say that a handler has not ended in time."""
    return unknown(_ENDLESS, call)


def unknown(text: str, call: HandledCall) -> dict[str, object]:
    """Say that nobody knows what became of a call."""
    return as_result(Refusal(Code.OUTCOME_UNKNOWN, text), call.call_id)
