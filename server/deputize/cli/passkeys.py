"""`deputize credentials`: the passkeys of a user, and removing one."""

from typing import Annotated

import typer

from deputize.cli.data import VAR, Data, change, read
from deputize.cli.out import fail, show, when
from deputize.cli.users import User
from deputize.protocol.ids import UserId
from deputize.service import credentials
from deputize.words.catalogue import DEFAULT, words
from deputize.words.passkeys import passkey

passkeys = typer.Typer(no_args_is_help=True, help="List and remove the passkeys of a user.")


@passkeys.command("list")
def list_credentials(user: User, data: Data = VAR) -> None:
    """List the passkeys of a user, oldest first."""
    found = read(data, lambda tx: tx.credentials(UserId(user)) if tx.user(UserId(user)) is not None else None)
    if found is None:
        fail("There is no such user: `deputize users list` names them.")
    show(
        ["passkey", "label", "since"],
        ([each.credential_id, passkey(words(DEFAULT), each), when(each.created_at)] for each in found),
    )


@passkeys.command("remove", context_settings={"ignore_unknown_options": True})  # some begin with a dash
def remove_credential(
    credential: Annotated[
        str, typer.Argument(metavar="PASSKEY", help="The passkey, as `deputize credentials list` says.")
    ],
    data: Data = VAR,
) -> None:
    """Remove a passkey that was lost. Nothing is signed with it from then on, and the removal is recorded.

    Sessions go on: block and unblock the user to end them. Who has no passkey left gets back in by `users recover`.
    """
    change(data, lambda tx, now: credentials.withdraw_credential(tx, credential, now))
    typer.echo(f"{credential} is removed.")
