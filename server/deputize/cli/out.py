"""What the commands say: results on standard output, an error as one line on standard error."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NoReturn

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from deputize.protocol.tool import plain

FAULT = 1
"""Exit code where what was asked for is refused, or what was checked is wrong."""
UNUSABLE = 2
"""Exit code where the command cannot begin: a file is missing, an option is wrong."""


def fail(message: str, code: int = FAULT) -> NoReturn:
    """End the command with one line on standard error."""
    typer.echo(f"deputize: {plain(message)}", err=True)
    raise typer.Exit(code)


def show(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table: as wide as the terminal, or, into a file or pipe, one line per row and no frame.

    What users chose themselves (names) cannot send control characters to the terminal.
    """
    console = Console(markup=False, highlight=False, emoji=False)
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False, collapse_padding=True)
    for index, column in enumerate(columns):
        table.add_column(
            column, overflow="fold", no_wrap=index == 0
        )  # what one copies is in the first column
    for row in rows:
        table.add_row(*map(plain, row))
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)


def when(seconds: int) -> str:
    """Write a time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
