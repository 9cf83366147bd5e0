"""`deputize grants`: what users let agents do, and revoking it."""

import time
from typing import Annotated

import typer

from deputize.cli.data import VAR, Data, change, read
from deputize.cli.out import show, when
from deputize.protocol.grant import Grant, GrantState
from deputize.service import grants as granting

grants = typer.Typer(no_args_is_help=True, help="List and revoke what users let agents do.")


@grants.command("list")
def list_grants(data: Data = VAR) -> None:
    """List what users granted, newest first."""
    now = int(time.time())
    show(
        ["grant", "agent", "user", "since", "state", "scopes"],
        (
            [
                grant.grant_id,
                grant.client_id,
                grant.user_id,
                when(grant.created_at),
                _state(grant, now),
                str(grant.scopes),
            ]
            for grant in read(data, lambda tx: tx.grants())
        ),
    )


@grants.command("revoke")
def revoke_grant(
    grant: Annotated[
        str, typer.Argument(metavar="GRANT", help="The grant, grt_…, as `deputize grants list` says.")
    ],
    data: Data = VAR,
) -> None:
    """Revoke a grant. It takes effect with the agent's next request, and is recorded."""
    change(data, lambda tx, now: granting.revoke(tx, grant, now))  # GRANT-5
    typer.echo(f"{grant} is revoked.")


def _state(grant: Grant, now: int) -> str:
    if grant.state is not GrantState.ACTIVE:
        return grant.state
    return f"active until {when(grant.expires_at)}" if now < grant.expires_at else "expired"  # TOKEN-5
