"""The stream on which a client hears that a question of its own was answered (MCP-17)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from time import monotonic

import orjson
from starlette.responses import Response

from ...authority.waiting import Waiting
from ...protocol.call import LIFETIME, Call, State
from ...protocol.errors import Refused
from ...protocol.grant import dead_link
from ...service.ports import Reader, Wanted
from ..waiting import BEAT, Streamed
from .exchange import Exchange
from .line import EVENTS, event

LONGEST = 240
"""Seconds after which a stream ends; clients open another."""

EACH = 8
"""Streams of one user at a time."""

LATELY = 300
"""Seconds for which a stream that opens tells what was answered before: so long an approval stands (CALL-4)."""

_OVER = (State.APPROVED, State.DECLINED, State.DENIED, State.CANCELLED, State.EXPIRED)
"""What a question has come to with which its client has not gone on."""

_MOST = 200
"""Questions that are looked at: as many as may be open (QUOTA-2)."""


async def listen(exchange: Exchange, places: Waiting) -> Response:
    """Answer with the stream; Refused(too_many_requests) where no place is left."""
    context, who = exchange.context, exchange.principal
    store, by = context.authority.store, who.connection

    own = by.grant_id if by is not None else None

    def look(reader: Reader) -> frozenset[str] | None:
        """Tell what waits for the user now, asked by this client; None if its grant is no more, or its session."""
        try:
            exchange.check(reader)
        except Refused:
            return None
        now = context.authority.now()
        if by is not None and (by.expires_at <= now or dead_link(reader.lineage(by.grant_id), now)):
            return None
        calls, _ = reader.asking(who.user_id, now, _MOST)
        return frozenset(call.call_id for call in calls if call.grant_id == own and call.page_jkt is None)

    def begin(reader: Reader) -> tuple[frozenset[str], list[str]]:
        """Tell also what ceased to wait before: what does from now on, the next looks find."""
        waiting, now = look(reader), context.authority.now()
        if waiting is None:
            return frozenset(), []
        agent = by.client_id if by is not None else "nobody"
        since = now - LATELY - LIFETIME[State.PENDING]
        over = [
            call
            for state in _OVER
            for call in reader.calls(
                who.user_id, Wanted(agent=agent, state=state, since=since), _MOST, now
            ).calls
            if call.grant_id == own and _was_asked(call) and _since(call) > now - LATELY
        ]
        return waiting, [call.call_id for call in sorted(over, key=_since)]

    open_first, answered = await store.read(begin)  # before the client hears that it listens

    async def events() -> AsyncIterator[bytes]:
        ends, open_before = monotonic() + LONGEST, open_first
        yield b":\n\n"
        for call_id in answered:
            yield _complete(call_id)
        while monotonic() < ends:
            yield b":\n\n"
            with suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), BEAT)
            open_now = await store.read(look)
            if open_now is None:  # what ended with it, this client is not told of
                return
            for call_id in sorted(open_before - open_now):
                yield _complete(call_id)
            open_before = open_now

    stack = ExitStack()
    bell = stack.enter_context(places.place(who.user_id, "", EACH))
    return Streamed(events(), stack, EVENTS)


def _was_asked(call: Call) -> bool:
    """Tell whether a call over MCP waited for its user: no other has a key, by which it is met again (MCP-11)."""
    return call.page_jkt is None and call.match_key is not None


def _since(call: Call) -> int:
    """Return when it ceased to wait, by the state that it has come to."""
    return call.deadline - (LIFETIME[State.APPROVED] if call.state is State.APPROVED else 0)


def _complete(call_id: str) -> bytes:
    params = {"elicitationId": call_id}
    message = {"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": params}
    return event(orjson.dumps(message))
