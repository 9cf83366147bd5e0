"""`deputize keys`: the keys that sign tokens, and the record."""

import shlex
import shutil
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deputize.cli import users_keys
from deputize.cli.data import VAR, Data, keys_of
from deputize.cli.options import POLICY, PolicyPath
from deputize.cli.out import UNUSABLE, fail, show, when
from deputize.cli.policy import read_policy
from deputize.crypto.keys import PUBLISHED_FIRST
from deputize.opening import require_unused

keys = typer.Typer(
    no_args_is_help=True,
    help="The keys that sign tokens and the record, and those of users, under which it is kept what is kept of them.",
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
    USERS = "users"


@keys.command()
def rotate(
    which: Annotated[Which, typer.Argument(help="What the key is for.")] = Which.TOKENS,
    data: Data = VAR,
    policy: PolicyPath = POLICY,
) -> None:
    """Make a new key for tokens, or for the record, or one that wraps the keys of users.

    One for tokens is published at once, and signs a few seconds later, when every guard has it. The key before stays
    published for a day, so that the tokens that it signed are good until they expire.

    For the record, the server is stopped, since it would go on with the old key. That one signs, last of all, that the
    new one follows it, and is kept no more; whoever holds it goes on checking with it.

    For users, all their keys are wrapped anew, beside a running server. What wrapped them before opens copies until the
    server destroys it, which it does after half of `archived_keys` in the policy.
    """
    if which is Which.USERS:
        users_keys.of(data).rotate(int(time.time()))
        show_users(data)
        return
    if which is Which.RECORD:
        from deputize.cli.handing_over import rotate_record

        rotate_record(data, read_policy(policy))
        return
    ring, now = keys_of(data), int(time.time())
    typer.echo(f"{ring.rotate(now)} is published, and signs in {PUBLISHED_FIRST} seconds.")
    for kid in ring.retire(now):
        typer.echo(f"{kid} is dropped: nothing that it signed is still good.")


@keys.command("users")
def show_users(data: Data = VAR) -> None:
    """Say where the keys of users are, how many, and what wraps them since when."""
    state = users_keys.of(data).state()
    rows = [
        ["file", str(state.keys)],
        ["users", f"{state.users}, and {state.destroyed} whose keys were destroyed"],
        ["wrapped by", users_keys.said(state.by)],
        ["since", when(state.since)],
        *(
            ["not destroyed yet", f"{name}, replaced {when(replaced_at)}"]
            for name, replaced_at in state.replaced
        ),
    ]
    show(["keys of users", ""], rows)


@keys.command()
def wrap(
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A file of wrapping keys, which is made if missing.")
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND", help="Called as COMMAND wrap|unwrap|destroy NAME; see docs/operating.md."
        ),
    ] = None,
    data: Data = VAR,
) -> None:
    """Have something else wrap the keys of users from now on: a file elsewhere, or a command, for a key service.

    It is tried first, and then all keys are wrapped anew, beside a running server. What wrapped them before is needed
    until `deputize keys users` does not name it any more.

    Where what wraps them is the same as ever, and only sealing.json was lost, which says so, name it: that is noted
    again, and nothing is wrapped anew.
    """
    if (file is None) == (command is None):
        fail("say what is to wrap: --file PATH, or --command COMMAND", UNUSABLE)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys_of_users = users_keys.not_lost(data)
    keys_of_users.wrap_by(file.absolute() if file is not None else _words(command or ""), int(time.time()))
    if keys_of_users.exist():
        show_users(data)
    else:
        typer.echo("It wraps the keys of users from the first one on.")


@keys.command()
def move(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, such as on another disk.")],
    data: Data = VAR,
) -> None:
    """Keep the keys of users in another file, with the server stopped. Nothing is left of them where they were."""
    keys_of_users = users_keys.of(data)
    require_unused(data)
    keys_of_users.move(to)
    show_users(data)


def _words(command: str) -> tuple[str, ...]:
    """Take a command apart as a shell does; its program is found now, wherever the server is started later."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        fail(f"--command cannot be read: {error}", UNUSABLE)
    if not words:
        fail("--command is empty", UNUSABLE)
    program, *arguments = words
    if (found := shutil.which(program)) is None:
        fail(f"there is no program {program}", UNUSABLE)
    return str(Path(found).absolute()), *arguments
