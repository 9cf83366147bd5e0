"""Commands of the owner over an authority's data: users, agents, grants and keys.

They work beside a running server: each change is one transaction in the same store, and recorded like any.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from deputize.cli.out import UNUSABLE, fail, show, when
from deputize.cli.policy import PolicyPath, read_policy
from deputize.crypto.keys import PUBLISHED_FIRST, KeyRing
from deputize.protocol.block import LONGEST, SHORTEST, Block
from deputize.protocol.canonical import b64u
from deputize.protocol.credential import RECOVERY_LIFETIME
from deputize.protocol.errors import Refusal
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.ids import ClientId, UserId
from deputize.service import blocks, credentials
from deputize.service import grants as granting
from deputize.service.ports import Reader, Tx
from deputize.settings import values
from deputize.store.sqlite import NoDatabase, SqliteStore

T = TypeVar("T")

Data = Annotated[
    Path, typer.Option("--data", envvar="DEPUTIZE_DATA", help="Folder of the authority's database and keys.")
]
_VAR = Path("var")

users = typer.Typer(no_args_is_help=True, help="The users, and a way back in for one who lost every passkey.")
agents = typer.Typer(no_args_is_help=True, help="The agents that users met, and their end.")
grants = typer.Typer(no_args_is_help=True, help="What users let agents do, and its end.")
passkeys = typer.Typer(no_args_is_help=True, help="The passkeys of a user, and their end.")
keys = typer.Typer(no_args_is_help=True, help="The keys that sign tokens.")


@users.command("list")
def list_users(data: Data = _VAR) -> None:
    """List the users, oldest first."""
    now = int(time.time())
    rows = read(
        data,
        lambda tx: [
            (user, len(tx.credentials(user.user_id)), tx.barring(user.user_id, None, now))
            for user in tx.users()
        ],
    )
    show(
        ["user", "name", "since", "passkeys", "id at the site", "state"],
        (
            [
                user.user_id,
                user.name,
                when(user.created_at),
                str(passkeys),
                user.external_id or "",
                _blocked(barring) if barring else "active",
            ]
            for user, passkeys, barring in rows
        ),
    )


@users.command()
def recover(
    user: Annotated[
        str, typer.Argument(metavar="USER", help="The user, usr_…, as `deputize users list` says.")
    ],
    data: Data = _VAR,
    policy: PolicyPath = Path("deputize.toml"),
) -> None:
    """Print a link with which a user enrolls one new passkey. It works once, for 15 minutes, and is recorded.

    Whoever has the link becomes that user: be sure whom you give it to.
    """
    issuer = read_policy(policy).site.issuer
    secret = secrets.token_bytes(32)
    digest = hashlib.sha256(secret).digest()
    _change(data, lambda tx, now: credentials.issue_recovery(tx, UserId(user), digest, now))  # CRED-5
    typer.echo(f"{issuer}/account#recovery={b64u(secret)}")
    typer.echo(
        f"Good once, within {RECOVERY_LIFETIME // 60} minutes, for {user}. This was recorded.", err=True
    )


@passkeys.command("list")
def list_credentials(
    user: Annotated[str, typer.Argument(metavar="USER", help="The user, usr_…")], data: Data = _VAR
) -> None:
    """List the passkeys of a user, oldest first."""
    found = read(data, lambda tx: tx.credentials(UserId(user)) if tx.user(UserId(user)) is not None else None)
    if found is None:
        fail("There is no such user: `deputize users list` names them.")
    show(
        ["passkey", "label", "since"],
        ([each.credential_id, each.label, when(each.created_at)] for each in found),
    )


@passkeys.command("remove", context_settings={"ignore_unknown_options": True})  # some begin with a dash
def remove_credential(
    credential: Annotated[
        str, typer.Argument(metavar="PASSKEY", help="The passkey, as `deputize credentials list` says.")
    ],
    data: Data = _VAR,
) -> None:
    """Remove a passkey that was lost. It is good for nothing from then on, and that is recorded.

    Sessions go on: block the user for a moment to end them. Who has no passkey left gets in by `users recover`.
    """
    _change(data, lambda tx, now: credentials.withdraw_credential(tx, credential, now))
    typer.echo(f"{credential} is removed.")


For = Annotated[
    str | None,
    typer.Option(
        "--for", metavar="TIME", help="How long: 600 (seconds), 90m, 12h, 30d. Without it: until it is ended."
    ),
]


@users.command("block")
def block_user(
    user: Annotated[str, typer.Argument(metavar="USER", help="The user, usr_…")],
    lasting: For = None,
    data: Data = _VAR,
) -> None:
    """Keep a user out: sessions end, agents lose what he gave them, calls that were approved do not run.

    It bites at the next step of each, and is recorded.
    """
    seconds = _seconds(lasting)
    _change(data, lambda tx, now: blocks.block_user(tx, UserId(user), _until(seconds, now), now))  # BLOCK-3
    typer.echo(f"{user} is blocked{_lasting(lasting)}.")


@users.command("unblock")
def unblock_user(
    user: Annotated[str, typer.Argument(metavar="USER", help="The user, usr_…")], data: Data = _VAR
) -> None:
    """Let a user sign in again. What his agents had is gone; he can deputize them again."""
    _change(data, lambda tx, now: blocks.unblock_user(tx, UserId(user), now))
    typer.echo(f"{user} may sign in again.")


@agents.command("block")
def block_agent(
    agent: Annotated[
        str, typer.Argument(metavar="AGENT", help="The agent: agt_…, or the URL that it is known by.")
    ],
    lasting: For = None,
    data: Data = _VAR,
) -> None:
    """Keep an agent from all users: it loses what it was granted, and may not ask again. It is recorded.

    It need not have come yet. A browser's agent, agt_…, is its key only: a script there can make another.
    """
    seconds = _seconds(lasting)
    known = read(data, lambda tx: tx.agent(ClientId(agent)) is not None)
    _change(
        data, lambda tx, now: blocks.block_agent(tx, ClientId(agent), _until(seconds, now), now)
    )  # BLOCK-2
    typer.echo(f"{agent} is blocked{_lasting(lasting)}.")
    if not known:
        typer.echo("No agent has come under this name yet: see that it is spelled as it will be.", err=True)


@agents.command("unblock")
def unblock_agent(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent: agt_…, or its URL.")],
    data: Data = _VAR,
) -> None:
    """Let an agent ask users again. It has nothing until they consent."""
    _change(data, lambda tx, now: blocks.unblock_agent(tx, ClientId(agent), now))
    typer.echo(f"{agent} may ask again.")


@agents.command("list")
def list_agents(data: Data = _VAR) -> None:
    """List the agents, oldest first, and then those that you have blocked before they came."""
    now = int(time.time())
    rows, barred = read(
        data,
        lambda tx: (
            [
                (
                    agent,
                    tx.user(agent.user_id) if agent.user_id else None,
                    tx.barring(None, agent.client_id, now),
                )
                for agent in tx.agents()
            ],
            tx.blocks(None, now),
        ),
    )
    come = {agent.client_id for agent, *_ in rows}
    show(
        ["agent", "kind", "user", "name", "since", "state"],
        [
            *(
                [
                    agent.client_id,
                    agent.assurance,
                    agent.user_id or "",
                    agent.name or (user.name if user else ""),
                    when(agent.created_at),
                    _blocked(barring)
                    if barring
                    else "active"
                    if agent.revoked_at is None
                    else f"revoked {when(agent.revoked_at)}",
                ]
                for agent, user, barring in rows
            ),
            *(
                [each.client_id or "", "", "", "", "", f"{_blocked([each])}, has not come yet"]
                for each in barred
                if each.client_id not in come
            ),
        ],
    )


@agents.command("revoke")
def revoke_agent(
    agent: Annotated[
        str, typer.Argument(metavar="AGENT", help="The agent, agt_…, as `deputize agents list` says.")
    ],
    data: Data = _VAR,
) -> None:
    """Revoke an agent, and all that it was granted. It bites at the agent's next step, and is recorded."""
    _change(data, lambda tx, now: granting.revoke_agent(tx, agent, now))
    typer.echo(f"{agent} and its grants are revoked.")


@grants.command("list")
def list_grants(data: Data = _VAR) -> None:
    """List what users granted, newest first."""
    now = int(time.time())
    rows = read(data, lambda tx: [(grant, tx.user(grant.user_id)) for grant in tx.grants()])
    show(
        ["grant", "agent", "user", "name", "since", "state", "scopes"],
        (
            [
                grant.grant_id,
                grant.client_id,
                grant.user_id,
                user.name if user else "",
                when(grant.created_at),
                _state(grant, now),
                str(grant.scopes),
            ]
            for grant, user in rows
        ),
    )


@grants.command("revoke")
def revoke_grant(
    grant: Annotated[
        str, typer.Argument(metavar="GRANT", help="The grant, grt_…, as `deputize grants list` says.")
    ],
    data: Data = _VAR,
) -> None:
    """Revoke a grant. It bites at the agent's next step, and is recorded."""
    _change(data, lambda tx, now: granting.revoke(tx, grant, now))  # GRANT-5
    typer.echo(f"{grant} is revoked.")


@keys.command("list")
def list_keys(data: Data = _VAR) -> None:
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
def rotate(data: Data = _VAR) -> None:
    """Make a new key for tokens. It is published at once, and signs as soon as everybody can know it.

    The key before stays published for a day, so that the tokens that it signed are good until they expire.
    """
    ring, now = keys_of(data), int(time.time())
    typer.echo(f"{ring.rotate(now)} is published, and signs in {PUBLISHED_FIRST} seconds.")
    for kid in ring.retire(now):
        typer.echo(f"{kid} is dropped: nothing that it signed is still good.")


def _seconds(lasting: str | None) -> int | None:
    try:
        given = int(lasting) if lasting is not None and lasting.isdecimal() else lasting
        return None if given is None else values.seconds(SHORTEST, LONGEST, given)
    except ValueError as error:
        fail(f"--for {lasting}: {error}", UNUSABLE)


def _until(seconds: int | None, now: int) -> int | None:
    return None if seconds is None else now + seconds


def _lasting(lasting: str | None) -> str:
    if lasting is None:
        return " until that is ended"
    return f" for {lasting} seconds" if lasting.isdecimal() else f" for {lasting}"


def _blocked(barring: list[Block]) -> str:
    return f"blocked until {when(barring[0].until)}" if barring[0].until is not None else "blocked"


def _state(grant: Grant, now: int) -> str:
    if grant.state is not GrantState.ACTIVE:
        return grant.state
    return f"active until {when(grant.expires_at)}" if now < grant.expires_at else "expired"  # TOKEN-5


@contextmanager
def opened(data: Path) -> Iterator[SqliteStore]:
    """Open the store, or end the command if there is none."""
    try:
        store = SqliteStore(_existing(data / "deputize.db"), new=False)
    except NoDatabase as missing:
        fail(f"{missing}: bring it back from a backup", UNUSABLE)
    try:
        yield store
    finally:
        store.close()


def keys_of(data: Path) -> KeyRing:
    """Read the keys, or end the command if there are none."""
    return KeyRing(_existing(data / "keys.json"))


def _existing(path: Path) -> Path:
    """Return the path of a file that must be there: these commands never make one."""
    if not path.is_file():
        fail(f"no authority has its data in {path.parent}: there is no {path.name} (say --data)", UNUSABLE)
    return path


def read(data: Path, fn: Callable[[Reader], T]) -> T:
    """Run a function over one snapshot of the store, or end the command if there is none."""
    with opened(data) as store:
        return store.look(fn)


def _change(data: Path, fn: Callable[[Tx, int], Refusal | None]) -> None:
    now = int(time.time())
    with opened(data) as store:
        refusal = asyncio.run(store.transact(lambda tx: fn(tx, now)))
    if refusal is not None:
        fail(refusal.detail)
