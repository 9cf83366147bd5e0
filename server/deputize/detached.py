"""Work that goes on when the task that began it is cancelled, since a client went away or a time ran out."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_RUNNING: set[asyncio.Task[Any]] = set()  # the loop has weak references only


def detached(work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
    """Begin the work in a task of its own, and return a future of its result; cancelling that leaves it running."""
    task = asyncio.get_running_loop().create_task(work)
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
    return asyncio.shield(task)
