"""`/account/pause` and `/account/questions`: what a user says to being asked too much (PROTOCOL §21)."""

from typing import Annotated

from ..protocol.ids import UserId
from ..service import prompts
from .access import Who
from .context import Context
from .types import Closed, said


class Asker(Closed):
    """Who is to ask again: the origin of agents, all in the user's browsers, or all who prove nothing (PROMPT-1)."""

    asker: Annotated[str, said(pattern=r"^(browsers|unproven|https?://.{1,300})$")]


async def pause(context: Context, user: Who[UserId]) -> None:
    """Pause all agents of the user, from the next call on (PROMPT-5)."""
    await user.run(prompts.pause)


async def resume(context: Context, user: Who[UserId]) -> None:
    """Let them go on (PROMPT-5)."""
    await user.run(prompts.resume)


async def let_ask(context: Context, user: Who[UserId], body: Asker) -> None:
    """End the quiet of an asker (PROMPT-4)."""
    await user.run(prompts.let_ask, body.asker)
