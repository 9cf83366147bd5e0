"""`deputize agents`: those that users have met, blocking them and revoking them."""

import time
from collections.abc import Iterator
from typing import Annotated

import typer

from deputize.cli.data import VAR, Data, change, read
from deputize.cli.duration import For, blocked, seconds_of, told, until
from deputize.cli.out import show, when
from deputize.protocol.ids import ClientId
from deputize.service import blocks
from deputize.service import grants as granting
from deputize.service.ports import Reader

agents = typer.Typer(no_args_is_help=True, help="List, block and revoke agents.")

Agent = Annotated[
    str, typer.Argument(metavar="AGENT", help="The agent: agt_…, or the URL that it is known by.")
]


@agents.command("block")
def block_agent(agent: Agent, lasting: For = None, data: Data = VAR) -> None:
    """Keep an agent from all users: it loses what it was granted, and may not ask again. It is recorded.

    It may be blocked before it comes. A browser's agent, agt_…, is known by its key only: a script there can make
    another.
    """
    seconds = seconds_of(lasting)
    known = read(data, lambda tx: tx.agent(ClientId(agent)) is not None)
    change(data, lambda tx, now: blocks.block_agent(tx, ClientId(agent), until(seconds, now), now))  # BLOCK-2
    typer.echo(f"{agent} is blocked{told(lasting)}.")
    if not known:
        typer.echo("No agent has come under this name yet: see that it is spelled as it will be.", err=True)


@agents.command("unblock")
def unblock_agent(agent: Agent, data: Data = VAR) -> None:
    """Let an agent ask users again. It has nothing until they consent."""
    change(data, lambda tx, now: blocks.lift(tx, None, ClientId(agent), now))
    typer.echo(f"{agent} may ask again.")


@agents.command("list")
def list_agents(data: Data = VAR) -> None:
    """List the agents, oldest first, and then those that were blocked before they came."""
    now = int(time.time())
    show(["agent", "kind", "user", "name", "since", "state"], read(data, lambda tx: list(_rows(tx, now))))


def _rows(tx: Reader, now: int) -> Iterator[list[str]]:
    come = tx.agents()
    for agent in come:
        state = "active" if agent.revoked_at is None else f"revoked {when(agent.revoked_at)}"
        if barring := tx.barring(None, agent.client_id, now):
            state = blocked(barring)
        yield [
            agent.client_id,
            agent.assurance,
            agent.user_id or "",
            agent.name,
            when(agent.created_at),
            state,
        ]
    for block in tx.blocks(None, now):
        if block.client_id not in {agent.client_id for agent in come}:
            yield [block.client_id or "", "", "", "", "", f"{blocked([block])}, has not come yet"]


@agents.command("revoke")
def revoke_agent(agent: Agent, data: Data = VAR) -> None:
    """Revoke an agent and all that it was granted. It takes effect with the agent's next request, and is recorded."""
    change(data, lambda tx, now: granting.revoke_agent(tx, agent, now))
    typer.echo(f"{agent} and its grants are revoked.")
