"""`deputize keys`: the keys that sign tokens."""

import time

import typer

from deputize.cli.data import VAR, Data, keys_of
from deputize.cli.out import show, when
from deputize.crypto.keys import PUBLISHED_FIRST

keys = typer.Typer(no_args_is_help=True, help="List and rotate the keys that sign tokens.")


@keys.command("list")
def list_keys(data: Data = VAR) -> None:
    """List the keys that tokens may be signed with, the one in use first."""
    show(
        ["key", "since", "state"],
        (
            [
                key.kid,
                when(key.created_at),
                "in use" if key.replaced_at is None else f"replaced {when(key.replaced_at)}",
            ]
            for key in keys_of(data).list()
        ),
    )


@keys.command()
def rotate(data: Data = VAR) -> None:
    """Make a new key for tokens. It is published at once, and signs a few seconds later, when every guard has it.

    The key before stays published for a day, so that the tokens that it signed are good until they expire.
    """
    ring, now = keys_of(data), int(time.time())
    typer.echo(f"{ring.rotate(now)} is published, and signs in {PUBLISHED_FIRST} seconds.")
    for kid in ring.retire(now):
        typer.echo(f"{kid} is dropped: nothing that it signed is still good.")
