"""A request that is held until its user has answered, so that its client does not ask him once more (MCP-15)."""

from asyncio import ensure_future, timeout, wait_for
from contextlib import suppress

from ...protocol.call import Call, State
from ...protocol.errors import Refused
from ..context import Context
from ..waiting import BEAT
from .line import Line

PATIENCE = 25  # seconds: clients give up after 30 and more


async def until_answered(context: Context, call: Call, line: Line) -> None:
    """Return when a call is pending no longer, its client has gone, or PATIENCE is over.

    At once where no place is left to wait (WAIT-2).
    """
    authority = context.authority
    with (
        suppress(TimeoutError, Refused),
        authority.waiting.place(call.user_id, call.call_id, authority.policy.quotas.waits) as bell,
    ):
        gone = ensure_future(line.gone())
        gone.add_done_callback(lambda _: bell.set())
        try:
            async with timeout(PATIENCE):
                while not gone.done() and await _is_pending(context, call):
                    with suppress(TimeoutError):
                        await wait_for(bell.wait(), BEAT)
                    bell.clear()
        finally:
            gone.cancel()


async def _is_pending(context: Context, call: Call) -> bool:
    authority = context.authority
    found = await authority.store.read(lambda tx: tx.call(call.call_id))
    return found is not None and found.state is State.PENDING and found.overdue(authority.now()) is None
