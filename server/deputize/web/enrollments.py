"""`/account/enrollment-window`: the user lets a passkey be added over MCP, for five minutes (CRED-7)."""

from ..protocol.ids import UserId
from ..service import enrollments
from .access import Who
from .answers import envelope
from .context import Context
from .types import Closed, Evidence, Seconds, sent


class Window(Closed):
    """A window that is open."""

    open_until: Seconds


async def challenge(context: Context, user: Who[UserId]) -> dict[str, object]:
    """Mint the challenge, at the user's click."""
    return envelope(await user.run(enrollments.window_challenge), context.now)


async def approve(context: Context, user: Who[UserId], evidence: Evidence) -> Window:
    """Take the assertion, and open the window."""
    verdict = await user.verdict(enrollments.check_window, sent(evidence))
    return Window(await user.run(enrollments.open_window, verdict))


async def close(context: Context, user: Who[UserId]) -> None:
    """Close the window; no passkey is asked for."""
    await user.run(enrollments.close_window)
