"""`deputize log list`, `tail`, `search` and `export`: the record as its owner looks through it."""

import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import orjson
import typer
from rich.cells import cell_len

from deputize.cli.data import VAR, Data, opened
from deputize.cli.out import UNUSABLE, fail, when
from deputize.cli.users import named
from deputize.protocol.ids import is_id
from deputize.protocol.shown import plain
from deputize.service import reading
from deputize.service.ports import Store
from deputize.service.reading import Line, Sought
from deputize.settings import values

Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Only what came since then: a time ago (90m, 12h, 30d), a day (2027-01-31) or a moment (2027-01-31T08:00, "
        "in UTC unless it says otherwise: 2027-01-31T08:00+01:00).",
    ),
]
Tool = Annotated[str | None, typer.Option(metavar="NAME", help="Only calls of this tool.")]
Agent = Annotated[str | None, typer.Option(metavar="AGENT", help="Only of this agent: agt_…, or its URL.")]
Reason = Annotated[
    str | None, typer.Option(metavar="CODE", help="Only what was refused with this code, as grant_revoked.")
]
User = Annotated[
    str | None,
    typer.Option(metavar="USER", help="Only of this user: usr_…, or the id that the site has for him."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="One object a line: the entry, with what its call is about.")
]
Most = Annotated[int | None, typer.Option("-n", min=1, metavar="NUMBER", help="At most so many.")]
EVERY = 1.0
"""Seconds between two looks of `tail --follow`."""

_AGO = re.compile(r"[0-9]+[smhd]")
_OLDEST = 10**11  # seconds; a time ago that is longer is a mistake
_WIDTHS = (8, 20, 19)
_INDENT = " " * 12


def list_entries(
    since: Since = None,
    tool: Tool = None,
    agent: Agent = None,
    reason: Reason = None,
    user: User = None,
    most: Most = None,
    as_json: AsJson = False,
    data: Data = VAR,
) -> None:
    """List entries of the record, the newest first, as they are found: calls, grants, sign-ins, all of them.

    Times are in UTC. An entry that goes on with a call is listed with whose call of what that was.
    """
    with opened(data) as store:
        sought = _sought(store, since, tool, agent, reason, user)
        _print(_older(store, sought), most, as_json)


def search(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What stands in the entry, as an id or a kind; in any case.")
    ],
    since: Since = None,
    tool: Tool = None,
    agent: Agent = None,
    reason: Reason = None,
    user: User = None,
    most: Most = None,
    as_json: AsJson = False,
    data: Data = VAR,
) -> None:
    """List the entries that have a text in them, the newest first.

    The text alone is looked for from end to end; with options, in what these leave. Arguments and the words that
    people were shown are not in the record.
    """
    with opened(data) as store:
        sought = _sought(store, since, tool, agent, reason, user)
        _print(_older(store, replace(sought, text=text)), most, as_json)


def tail(
    since: Since = None,
    tool: Tool = None,
    agent: Agent = None,
    reason: Reason = None,
    user: User = None,
    most: Annotated[int, typer.Option("-n", min=1, metavar="NUMBER", help="How many.")] = 10,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until interrupted.")
    ] = False,
    as_json: AsJson = False,
    data: Data = VAR,
) -> None:
    """List the newest entries in the order in which they came, and perhaps those that come."""
    with opened(data) as store:
        sought = _sought(store, since, tool, agent, reason, user)
        goes_on = store.look(lambda tx: tx.head().size)
        last = [line for line, _ in zip(_older(store, sought, goes_on), range(most), strict=False)]
        _print(iter(last[::-1]), None, as_json)
        while follow:
            page = store.look(partial(reading.newer, sought=sought, start=goes_on))
            _print(iter(page.lines), None, as_json, quiet=True)
            if page.next == goes_on:
                sys.stdout.flush()
                time.sleep(EVERY)
            goes_on = page.next or goes_on


def export(
    since: Since = None,
    tool: Tool = None,
    agent: Agent = None,
    reason: Reason = None,
    user: User = None,
    data: Data = VAR,
) -> None:
    """Write out entries, oldest first, one a line: in a file or a pipe the very bytes that the record hashes (LOG-1).

    What a call was about stands in the entry of its arrival; later ones name the call.
    """
    with opened(data) as store:
        sought = _sought(store, since, tool, agent, reason, user)
        start: int | None = None
        while True:
            page = store.look(partial(reading.newer, sought=sought, start=start))
            for line in page.lines:
                _write(line.entry.leaf)
            if page.next == start:
                return
            start = page.next


def _sought(
    store: Store,
    since: str | None,
    tool: str | None,
    agent: str | None,
    reason: str | None,
    user: str | None,
) -> Sought:
    """Read the options; ends the command for what cannot be read, and for a user that there is not."""
    moment = None if since is None else _moment(since)
    # Who is forgotten is still in the record.
    who = user if user is None or is_id("usr", user) else store.look(lambda tx: named(tx, user))
    return Sought(who, agent, tool, reason, moment)


def _moment(text: str) -> int:
    try:
        if _AGO.fullmatch(text):
            return int(time.time()) - values.seconds(0, _OLDEST, text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(
            f"--since {text}: write 90m, 12h, 30d, a day (2027-01-31) or a moment (2027-01-31T08:00Z)",
            UNUSABLE,
        )
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _older(store: Store, sought: Sought, before: int | None = None) -> Iterator[Line]:
    """Yield what is found, the newest first. Between two pages nothing of the store is held."""
    page = store.look(partial(reading.older, sought=sought, before=before))
    yield from page.lines
    while page.next is not None:
        page = store.look(partial(reading.older, sought=sought, before=page.next))
        yield from page.lines


def _print(lines: Iterator[Line], most: int | None, as_json: bool, quiet: bool = False) -> None:
    """Print lines as they come; where there are none, say so on standard error, but for `quiet`."""
    number = 0
    for number, line in enumerate(lines, 1):
        if as_json:
            _write(orjson.dumps(dict(line.whole), option=orjson.OPT_SORT_KEYS))
        else:
            if number == 1 and not quiet:
                typer.secho(_row(["entry", "time (UTC)", "kind"], ["about"]), bold=True)
            typer.echo(_row(*_cells(line)))
        if number == most:
            return
    if not number and not quiet:
        typer.echo("Nothing in the record is like that.", err=True)


def _cells(line: Line) -> tuple[list[str], list[str]]:
    """Tell of an entry: what every line has, and what it is about, first what one asks on with."""
    whole = line.whole
    first = next((str(whole[each]) for each in ("call_id", "grant_id", "credential_id") if each in whole), "")
    names = {"tool": "tool {}", "code": "refused: {}", "client_id": "by {}", "sub": "for {}"}
    rest = [form.format(whole[name]) for name, form in names.items() if name in whole]
    return [str(line.entry.index), when(int(str(whole["t"]))), str(whole["kind"])], [first or "-", *rest]


def _row(head: list[str], rest: list[str]) -> str:
    """Write one line; on a terminal that is too narrow for it what does not fit stands below."""
    cells = [plain(cell).ljust(width) for cell, width in zip(head, _WIDTHS, strict=True)]
    lines = ["  ".join(cells)]
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for cell in map(plain, rest):
        if columns is not None and cell_len(f"{lines[-1]}  {cell}") > columns:
            lines.append(_INDENT + cell)
        else:
            lines[-1] += f"  {cell}"
    return "\n".join(lines)


def _write(text: bytes) -> None:
    """Write a line of JSON: to a terminal with escapes for what could steer it, which is the same JSON."""
    if sys.stdout.isatty():
        text = "".join(each if plain(each) == each else _escaped(each) for each in text.decode()).encode()
    typer.echo(text)


def _escaped(character: str) -> str:
    code = character.encode("utf-16-be")
    return "".join(f"\\u{code[at : at + 2].hex()}" for at in range(0, len(code), 2))
