"""How long a block lasts: the option `--for`, and the words for it in messages and lists."""

from typing import Annotated

import typer

from deputize.cli.out import UNUSABLE, fail, when
from deputize.protocol.block import LONGEST, SHORTEST, Block
from deputize.settings import values

For = Annotated[
    str | None,
    typer.Option(
        "--for", metavar="TIME", help="How long: 600 (seconds), 90m, 12h, 30d. Without it: until it is ended."
    ),
]


def seconds_of(lasting: str | None) -> int | None:
    """Return the seconds that `--for` says, None if it was not given; ends the command for what cannot be read."""
    try:
        given = int(lasting) if lasting is not None and lasting.isdecimal() else lasting
        return None if given is None else values.seconds(SHORTEST, LONGEST, given)
    except ValueError as error:
        fail(f"--for {lasting}: {error}", UNUSABLE)


def until(seconds: int | None, now: int) -> int | None:
    """Return the second at which a block of so many seconds ends, None if none was said."""
    return None if seconds is None else now + seconds


def told(lasting: str | None) -> str:
    """Say how long, to follow “is blocked”."""
    if lasting is None:
        return " until that is ended"
    return f" for {lasting} seconds" if lasting.isdecimal() else f" for {lasting}"


def blocked(barring: list[Block]) -> str:
    """Say of somebody whom these keep out that they are blocked, and until when."""
    return f"blocked until {when(barring[0].until)}" if barring[0].until is not None else "blocked"
