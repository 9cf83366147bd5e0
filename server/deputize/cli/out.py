"""What the commands say: results on standard output, an error as one line on standard error."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NoReturn

import typer
from rich.cells import cell_len, set_cell_size

from deputize.protocol.shown import plain

FAULT = 1
"""Exit code where what was asked for is refused, or what was checked is wrong."""
UNUSABLE = 2
"""Exit code where the command cannot begin: a file is missing, an option is wrong."""


def fail(message: str, code: int = FAULT) -> NoReturn:
    """End the command with one line on standard error."""
    typer.echo(f"deputize: {plain(message)}", err=True)
    raise typer.Exit(code)


def show(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table, one line for each row however wide: ids are there to be copied, lines to be searched.

    Control characters are taken out: users choose their names themselves.
    """
    header, *lines = table = [list(columns), *(list(map(plain, row)) for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    typer.secho(_line(header, widths), bold=True)
    for line in lines:
        typer.echo(_line(line, widths))


def _line(cells: list[str], widths: list[int]) -> str:
    return "  ".join(set_cell_size(*cell) for cell in zip(cells, widths, strict=True)).rstrip()


def when(seconds: int) -> str:
    """Write a time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(seconds: int) -> str:
    """Write a day, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
