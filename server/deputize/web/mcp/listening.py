"""The stream on which a client hears that a question of its own was answered (MCP-17)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from time import monotonic

import orjson
from starlette.responses import Response

from ...authority.waiting import Waiting
from ...protocol.errors import Refused
from ...protocol.grant import dead_link
from ...service.ports import Reader
from ..waiting import BEAT, Streamed
from .exchange import Exchange
from .line import EVENTS, event

LONGEST = 240
"""Seconds after which a stream ends; clients open another."""

EACH = 8
"""Streams of one user at a time."""

_MOST = 200
"""Questions that are looked at: as many as may be open (QUOTA-2)."""


async def listen(exchange: Exchange, places: Waiting) -> Response:
    """Answer with the stream; Refused(too_many_requests) where no place is left."""
    context, who = exchange.context, exchange.principal
    store, by = context.authority.store, who.connection

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
        own = by.grant_id if by is not None else None
        return frozenset(call.call_id for call in calls if call.grant_id == own and call.page_jkt is None)

    waiting = await store.read(look)  # before the client hears that it listens

    async def events() -> AsyncIterator[bytes]:
        ends, open_before = monotonic() + LONGEST, waiting or frozenset()
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


def _complete(call_id: str) -> bytes:
    params = {"elicitationId": call_id}
    message = {"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": params}
    return event(orjson.dumps(message))
