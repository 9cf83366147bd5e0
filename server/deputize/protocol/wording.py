"""Constraints in words, for the person who consents and for the one who looks at what was given (CONS-4, OAUTH-4)."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from .canonical import Json
from .constraint import Constraint, Constraints, amount_of
from .sentence import label, member, sentences
from .tool import Tool

_TIMES = {1: "once", 2: "twice"}


def limits_in_words(constraints: Constraints, tools: Mapping[str, Tool]) -> list[Json]:
    """Return `[{"limits": […], "title", "tool"}]`: for each tool that is limited, every limit, one sentence each.

    The `title` is the site's; it is empty for a tool that has none.
    """
    told: dict[str, dict[str, None]] = {}
    for part in constraints.parts:
        tool = tools.get(part.tool)
        own = tool.input_schema.source if tool is not None and tool.input_schema is not None else None
        told.setdefault(part.tool, {}).update(dict.fromkeys(_sentences(part, own)))
    return [
        {
            "limits": [*said] or ["Without limits of its own"],
            "title": tools[name].title if name in tools else "",
            "tool": name,
        }
        for name, said in told.items()
    ]


def _sentences(part: Constraint, own: Json) -> Iterator[str]:
    if part.max_calls is not None:
        yield f"At most {_TIMES.get(part.max_calls, f'{part.max_calls} times')}"
    for pointer, limit in part.sums.items():
        yield f"{_place(pointer, own)}: at most {amount_of(limit)} in all"
    if part.not_before is not None:
        yield f"Not before {_moment(part.not_before)}"
    if part.not_after is not None:
        yield f"Only until {_moment(part.not_after)}"
    if part.hours is not None:
        start, end = part.hours
        yield f"Every day from {start} to {end}{'' if start < end else ' of the next day,'} UTC"
    if part.schema is not None:
        yield from sentences(part.schema.source, own)


def _place(pointer: str, own: Json) -> str:
    """Call the place of a sum as the site does."""
    way = []
    for name in pointer.split("/")[1:]:
        way.append(label(own, name))
        own = member(own, name)
    return " › ".join(way)


def _moment(seconds: int) -> str:
    time = datetime.fromtimestamp(seconds, UTC)
    return f"{time.day} {time:%b %Y}, {time:%H:%M:%S} UTC".replace(":00 UTC", " UTC")
