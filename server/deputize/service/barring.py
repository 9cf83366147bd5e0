"""Who is kept out, asked wherever something new would be given (BLOCK-1 to BLOCK-3)."""

from ..protocol.errors import Refusal
from ..protocol.ids import ClientId, UserId
from .ports import Reader


def barred(reader: Reader, user_id: UserId | None, client_id: ClientId | None, now: int) -> Refusal | None:
    """Say who keeps this agent from this user, or the user from everything, at `now`; None if nobody does."""
    blocks = reader.barring(user_id, client_id, now)
    return blocks[0].refusal() if blocks else None
