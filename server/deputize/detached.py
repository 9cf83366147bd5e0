"""Work that goes on although the task that began it is cancelled: a client went away, a time ran out."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_RUNNING: set[asyncio.Task[Any]] = set()  # the loop itself keeps none of them


def detached(work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
    """Begin it in a task of its own. Who awaits the result, and is cancelled, leaves it running."""
    task = asyncio.get_running_loop().create_task(work)
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
    return asyncio.shield(task)
