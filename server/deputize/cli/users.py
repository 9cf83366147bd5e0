"""`deputize users`: who they are, a way back in for one who lost every passkey, and keeping one out."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from deputize.cli.data import VAR, Data, change, opened, read
from deputize.cli.duration import For, blocked, seconds_of, told, until
from deputize.cli.keeping import UNCLEAN, forgotten
from deputize.cli.operator import naming, operator
from deputize.cli.options import POLICY, PolicyPath
from deputize.cli.out import fail, show, when
from deputize.cli.policy import read_policy
from deputize.protocol.canonical import b64u
from deputize.protocol.credential import RECOVERY_LIFETIME
from deputize.protocol.ids import UserId
from deputize.service import blocks, credentials, exports, forgetting
from deputize.service.ports import Reader

users = typer.Typer(
    no_args_is_help=True,
    help="List, export, block and delete users, and let one back in who lost every passkey.",
)

User = Annotated[str, typer.Argument(metavar="USER", help="The user, usr_…, as `deputize users list` says.")]


def named(tx: Reader, text: str) -> UserId:
    """Return the user whom `usr_…` or the id at the site names; ends the command if there is none.

    A name that somebody chose for himself names nobody: another may choose the same.
    """
    found = tx.user(UserId(text)) or tx.user_by_external_id(text)
    if found is None:
        fail(
            f"there is no user {text}: write usr_…, or the id at the site, as `deputize users list` has them"
        )
    return found.user_id


@users.command("list")
def list_users(data: Data = VAR) -> None:
    """List the users, oldest first."""
    now = int(time.time())
    show(
        ["user", "id at the site", "since", "passkeys", "state", "name"],
        read(data, lambda tx: list(_rows(tx, now))),
    )


def _rows(tx: Reader, now: int) -> Iterator[list[str]]:
    hidden = set(tx.hidden())  # what is left of them is deleted within seconds, or by `deputize sweep`
    for user in tx.users():
        barring = tx.barring(user.user_id, None, now)
        yield [
            user.user_id,
            user.external_id or "",
            when(user.created_at),
            str(len(tx.credentials(user.user_id))),
            "forgotten" if user.user_id in hidden else blocked(barring) if barring else "active",
            user.name,
        ]


@users.command("export")
def export_user(user: User, data: Data = VAR) -> None:
    """Print all that is kept of a user, as JSON: for him, who may want to know. It is what he downloads himself.

    His name, passkeys (their public halves), sessions, delegations, calls with their arguments and what he was shown,
    and his entries of the record.
    """
    with opened(data) as store:
        who = store.look(lambda tx: named(tx, user))
        piece = exports.export(who, int(time.time()))
        while (text := store.look(piece)) is not None:
            typer.echo(text, nl=False)


@users.command("delete")
def delete_user(
    user: User,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: Data = VAR,
) -> None:
    """Forget a user for good: name, passkeys, sessions, delegations, calls and their arguments. It is recorded.

    What is in the record stays there, under `usr_…`: which tool was called when and with what outcome; its commitments
    to arguments open no more. His key is destroyed first of all: backups of the data open nothing of him, and copies of
    the keys of users no longer than `archived_keys` in the policy says.
    """
    with opened(data) as store:
        who = store.look(lambda tx: named(tx, user))
        if not yes:
            typer.confirm(f"Forget {who} for good?", abort=True, err=True)
        now, giver = int(time.time()), operator()
        asyncio.run(store.transact(lambda tx: forgetting.begin(naming(tx, giver), who, now, by="owner")))
        clean = forgotten(store)
    typer.echo(f"{who} is forgotten.")
    if not clean:
        typer.echo(UNCLEAN, err=True)


@users.command()
def recover(user: User, data: Data = VAR, policy: PolicyPath = POLICY) -> None:
    """Print a link with which a user enrolls one new passkey. It works once, for 15 minutes, and is recorded.

    Whoever has the link becomes that user: be sure whom you give it to.
    """
    issuer = read_policy(policy).site.issuer
    secret = secrets.token_bytes(32)
    digest = hashlib.sha256(secret).digest()
    change(data, lambda tx, now: credentials.issue_recovery(tx, UserId(user), digest, now))  # CRED-5
    typer.echo(f"{issuer}/account#recovery={b64u(secret)}")
    typer.echo(
        f"Good once, within {RECOVERY_LIFETIME // 60} minutes, for {user}. This was recorded.", err=True
    )


@users.command("block")
def block_user(user: User, lasting: For = None, data: Data = VAR) -> None:
    """Keep a user out: sessions end, agents lose what he gave them, calls that were approved do not run.

    It takes effect with the next request of each, and is recorded.
    """
    seconds = seconds_of(lasting)
    change(data, lambda tx, now: blocks.block_user(tx, UserId(user), until(seconds, now), now))  # BLOCK-3
    typer.echo(f"{user} is blocked{told(lasting)}.")


@users.command("unblock")
def unblock_user(user: User, data: Data = VAR) -> None:
    """Let a user sign in again. What his agents had is gone; he can deputize them again."""
    change(data, lambda tx, now: blocks.lift(tx, UserId(user), None, now))
    typer.echo(f"{user} may sign in again.")
