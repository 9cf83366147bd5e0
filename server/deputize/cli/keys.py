"""`deputize keys`: the keys that sign tokens, and the record."""

import time
from enum import StrEnum
from typing import Annotated

import typer

from deputize.cli.data import VAR, Data, keys_of
from deputize.cli.options import POLICY, PolicyPath
from deputize.cli.out import show, when
from deputize.cli.policy import read_policy
from deputize.crypto.keys import PUBLISHED_FIRST

keys = typer.Typer(
    no_args_is_help=True, help="List the keys that sign tokens; rotate those, and the record's."
)


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


class Which(StrEnum):
    """What is signed by the key."""

    TOKENS = "tokens"
    RECORD = "record"


@keys.command()
def rotate(
    which: Annotated[Which, typer.Argument(help="What the key signs.")] = Which.TOKENS,
    data: Data = VAR,
    policy: PolicyPath = POLICY,
) -> None:
    """Make a new key for tokens, or for the record.

    One for tokens is published at once, and signs a few seconds later, when every guard has it. The key before stays
    published for a day, so that the tokens that it signed are good until they expire.

    For the record, the server is stopped, since it would go on with the old key. That one signs, last of all, that the
    new one follows it, and is kept no more; whoever holds it goes on checking with it.
    """
    if which is Which.RECORD:
        from deputize.cli.handing_over import rotate_record

        rotate_record(data, read_policy(policy))
        return
    ring, now = keys_of(data), int(time.time())
    typer.echo(f"{ring.rotate(now)} is published, and signs in {PUBLISHED_FIRST} seconds.")
    for kid in ring.retire(now):
        typer.echo(f"{kid} is dropped: nothing that it signed is still good.")
