"""What a person reads of a call: a headline, and under it rows with the arguments (APPR-2).

What an agent has supplied is set apart in each line, in quotation marks where it is text, so it never passes for a
title, and no line of it can begin another row.
"""

from collections.abc import Iterable, Iterator, Mapping

from .canonical import Json, values_in
from .clauses import label, member
from .shown import isolated, length, plain, quoted, said, visible, warning
from .value import value

MAX_HEADLINE = 500
MAX_ROWS = 4_000
"""Characters of all titles and values of the rows together."""

_MANY, _DEEP = 60, 4
"""Values in one argument, and levels of it, beyond which it is one row of JSON."""
_STEP = " › "
_ROW, _CELL = "\n", "\t"
"""What ends a row, and a title or value, as it is kept; neither is in a line, where they would be U+FFFD."""


@value
class Row:
    """One argument, or a part of one: what the site calls it, and its value, or of a list those of its entries."""

    title: str
    values: tuple[str, ...]


@value
class Description:
    """What a call would do, as its tool puts it."""

    headline: str
    rows: tuple[Row, ...] = ()

    @property
    def kept(self) -> str:
        """Write it as `read` reads it."""
        rows = (_CELL.join((row.title, *row.values)) for row in self.rows)
        return _ROW.join((self.headline, *rows))

    @classmethod
    def read(cls, kept: str) -> "Description":
        """Read what `kept` wrote."""
        headline, *rows = kept.split(_ROW)
        cells = (row.split(_CELL) for row in rows)
        return cls(headline, tuple(Row(title, tuple(values)) for title, *values in cells))

    def check(self) -> None:
        """Refuse, with ValueError, what says nothing or more than one would read."""
        if not self.headline.strip() or length(self.headline) > MAX_HEADLINE:
            raise ValueError(f"the description is empty or longer than {MAX_HEADLINE} characters")
        if sum(length(row.title) + sum(map(length, row.values)) for row in self.rows) > MAX_ROWS:
            raise ValueError(f"the rows of the description are longer than {MAX_ROWS} characters")


def details(arguments: Mapping[str, Json], own: Json, without: Iterable[str] = ()) -> tuple[Row, ...]:
    """Put all arguments in rows, but for those that are shown elsewhere; `own` is the schema of the tool, if any."""
    shown = frozenset(without)
    return tuple(
        row
        for name, each in arguments.items()
        if name not in shown
        for row in rows_of(title_of(own, name), each, member(own, name))
    )


def rows_of(title: str, told: Json, own: Json) -> Iterator[Row]:
    """Put a value in rows: members and entries one below the other, and what would be too many of them as JSON."""
    yield from _rows(title, told, own, _DEEP) if values_in(told) <= _MANY else (Row(title, (said(told),)),)


def _rows(title: str, told: Json, own: Json, levels: int) -> Iterator[Row]:
    match told:
        case dict() if told and levels:
            for name, each in told.items():
                yield from _rows(title + _STEP + title_of(own, name), each, member(own, name), levels - 1)
        case [_, *_] if not any(isinstance(each, dict | list) for each in told):
            yield Row(title, tuple(map(said, told)))
        case [_, *_] if levels:
            entry = own.get("items") if isinstance(own, dict) else None
            for number, each in enumerate(told, 1):
                yield from _rows(f"{title}{_STEP}{number}", each, entry, levels - 1)
        case _:
            yield Row(title, (said(told),))


def title_of(own: Json, name: str) -> str:
    """Call an argument as the site's schema does; a name that it does not have is the agent's, and set apart."""
    called = label(own, name)
    if "title" not in called:
        return isolated(quoted(visible(name))) + warning(name)
    title = plain(str(called["title"]))
    return f"{title} ({plain(name)})" if "name" in called else title
