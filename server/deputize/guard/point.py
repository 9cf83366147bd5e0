"""One guard in front of one handler, and how it is found there again (GUARD-7)."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from starlette.requests import Request

from ..protocol.canonical import Json

if TYPE_CHECKING:
    from .guard import Guard

Arguments = dict[str, Json]
Args = Callable[[Request], "Arguments | Awaitable[Arguments]"]
How = Literal["decorator", "dependency", "middleware"]

_MARK = "__deputize__"


@dataclass(frozen=True, eq=False, slots=True)
class Point:
    """A guard in front of a handler: for calls of which tool, and how it got there. Points are equal by identity.

    `args` returns the arguments of a request, None where they are its body or query. `method` is the only one that is
    guarded, None if all are.
    """

    guard: "Guard"
    tool: str
    args: Args | None
    how: How
    method: str | None = None


def mark(function: object, point: Point) -> None:
    """Note on a function that it guards what it calls; `functools.wraps` copies the note to what wraps it."""
    setattr(function, _MARK, point)


def point_of(function: object) -> Point | None:
    """Return the guard that is noted on a function or on one that it wraps, the outermost; None if there is none."""
    return next((point for each in layers(function) if (point := getattr(each, _MARK, None))), None)


def layers(function: object) -> Iterator[object]:
    """Yield a callable, then what it wraps or binds, down to the innermost that can be seen."""
    while function is not None:
        yield function
        if isinstance(function, partial):
            function = function.func
        else:
            function = getattr(function, "__wrapped__", None) or getattr(function, "__func__", None)
