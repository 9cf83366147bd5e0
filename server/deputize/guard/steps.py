"""Taking steps that say what they need: an order that is written once, whether one awaits or not."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar, cast

S = TypeVar("S")
T = TypeVar("T")


async def taken(steps: Generator[S, Any, T], answer: Callable[[S], Awaitable[object]]) -> T:
    """Take all steps, each with its answer, and return what comes of them."""
    sent: object = None
    while True:
        try:
            wanted = steps.send(sent)
        except StopIteration as done:
            return cast("T", done.value)
        sent = await answer(wanted)


def taken_now(steps: Generator[S, Any, T], answer: Callable[[S], object]) -> T:
    """Take them as `taken` does, where nothing is awaited."""
    sent: object = None
    while True:
        try:
            wanted = steps.send(sent)
        except StopIteration as done:
            return cast("T", done.value)
        sent = answer(wanted)
