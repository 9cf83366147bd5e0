"""Where a guard stands: in front of what, for which tool, and how it got there (GUARD-7)."""

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
    """A guard in front of a handler; each is one of its own.

    `args` names the arguments, if anything does; `method` is the one that it is for, None for whatever comes.
    """

    guard: "Guard"
    tool: str
    args: Args | None
    how: How
    method: str | None = None


def mark(function: object, point: Point) -> None:
    """Say of a function that it guards what it calls; `functools.wraps` says it of whatever wraps it, too."""
    setattr(function, _MARK, point)


def point_of(function: object) -> Point | None:
    """Return the guard that a function, or any that it wraps, brings with it."""
    return next((point for each in layers(function) if (point := getattr(each, _MARK, None))), None)


def layers(function: object) -> Iterator[object]:
    """Peel a callable: first itself, then what it wraps, binds or calls, as far as it says so."""
    while function is not None:
        yield function
        if isinstance(function, partial):
            function = function.func
        else:
            function = getattr(function, "__wrapped__", None) or getattr(function, "__func__", None)
