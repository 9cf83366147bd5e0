"""`deputize agents`: those that users met, and their end."""

import time
from typing import Annotated

import typer

from deputize.cli.data import VAR, Data, change, read
from deputize.cli.lasting import For, blocked, seconds_of, told, until
from deputize.cli.out import show, when
from deputize.protocol.ids import ClientId
from deputize.service import blocks
from deputize.service import grants as granting

agents = typer.Typer(no_args_is_help=True, help="The agents that users met, and their end.")


@agents.command("block")
def block_agent(
    agent: Annotated[
        str, typer.Argument(metavar="AGENT", help="The agent: agt_…, or the URL that it is known by.")
    ],
    lasting: For = None,
    data: Data = VAR,
) -> None:
    """Keep an agent from all users: it loses what it was granted, and may not ask again. It is recorded.

    It need not have come yet. A browser's agent, agt_…, is its key only: a script there can make another.
    """
    seconds = seconds_of(lasting)
    known = read(data, lambda tx: tx.agent(ClientId(agent)) is not None)
    change(data, lambda tx, now: blocks.block_agent(tx, ClientId(agent), until(seconds, now), now))  # BLOCK-2
    typer.echo(f"{agent} is blocked{told(lasting)}.")
    if not known:
        typer.echo("No agent has come under this name yet: see that it is spelled as it will be.", err=True)


@agents.command("unblock")
def unblock_agent(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent: agt_…, or its URL.")],
    data: Data = VAR,
) -> None:
    """Let an agent ask users again. It has nothing until they consent."""
    change(data, lambda tx, now: blocks.unblock_agent(tx, ClientId(agent), now))
    typer.echo(f"{agent} may ask again.")


@agents.command("list")
def list_agents(data: Data = VAR) -> None:
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
                    blocked(barring)
                    if barring
                    else "active"
                    if agent.revoked_at is None
                    else f"revoked {when(agent.revoked_at)}",
                ]
                for agent, user, barring in rows
            ),
            *(
                [each.client_id or "", "", "", "", "", f"{blocked([each])}, has not come yet"]
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
    data: Data = VAR,
) -> None:
    """Revoke an agent, and all that it was granted. It bites at the agent's next step, and is recorded."""
    change(data, lambda tx, now: granting.revoke_agent(tx, agent, now))
    typer.echo(f"{agent} and its grants are revoked.")
