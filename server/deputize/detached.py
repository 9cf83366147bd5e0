"""Work that goes on: when the task that began it is cancelled, or after its first step was taken alone."""

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_RUNNING: set[asyncio.Task[Any]] = set()  # the loop has weak references only


def detached(work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
    """Begin the work in a task of its own, and return a future of its result; cancelling that leaves it running."""
    return asyncio.shield(apart(work))


def apart(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Do the same, and return the task itself: for who waits for it by `asyncio.wait`, which cancels nothing."""
    task = asyncio.get_running_loop().create_task(work)
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
    return task


@coroutine
def begun(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Go on with work whose first step, `work.send(None)`, has returned what it waits for."""
    try:
        yield waits_for
    except BaseException as error:  # it is cancelled: that is the work's to hear of
        try:
            waits_for = work.throw(error)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # what the work returns
        return (yield from begun(work, waits_for))
    return (yield from work.__await__())
