"""What runs for clients now, who may call it off (MCP-20)."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeAlias

from ...protocol.canonical import Json
from . import declaring, handling
from .exchange import Exchange
from .progress import Progress

GRACE = 1.0
"""Seconds that a handler has for its last word when its time is over."""

_Key: TypeAlias = tuple[object, ...]


class CalledOff(Exception):
    """Raised where nobody waits any more for what was asked."""


class Underway:
    """The requests that handlers run for in this process, by who has sent them and the id that they gave."""

    def __init__(self) -> None:
        """None yet."""
        self._of: defaultdict[_Key, list[asyncio.Future[bool]]] = defaultdict(list)

    async def attend(
        self, exchange: Exchange, ended: asyncio.Future[Any], stop: Callable[[], None], progress: Progress
    ) -> bool:
        """Wait until a handler has ended, and pass on what it says meanwhile; False if it has not, in its time.

        CalledOff if the client has called it off: by a notification or, in 2026-07-28, by going.
        """
        if progress.is_told:
            async with progress.passed_on(exchange.line):
                return await self._wait(exchange, ended, stop)
        return await self._wait(exchange, ended, stop)

    async def _wait(self, exchange: Exchange, ended: asyncio.Future[Any], stop: Callable[[], None]) -> bool:
        try:
            called_off = await self._first(exchange, ended)
        except asyncio.CancelledError:  # the server takes the client for gone
            stop()
            raise
        if not ended.done():
            stop()
            if called_off:
                raise CalledOff
            await asyncio.wait({ended}, timeout=GRACE)
        return ended.done()

    def call_off(self, exchange: Exchange) -> None:
        """Call off what `notifications/cancelled` names, if this runs it; nobody can tell two of one name apart."""
        running = self._of.get(_key(exchange, exchange.message.params.get("requestId")), [])
        if len(running) == 1 and not running[0].done():
            running[0].set_result(True)

    async def _first(self, exchange: Exchange, ended: asyncio.Future[Any]) -> bool:
        """Wait until a handler has ended, its time is over, or, then True, its request is called off."""
        loop, key = asyncio.get_running_loop(), _key(exchange, exchange.message.message_id)
        called_off: asyncio.Future[bool] = loop.create_future()

        def settle(is_off: bool) -> None:
            if not called_off.done():
                called_off.set_result(is_off)

        ended.add_done_callback(lambda _: settle(False))
        timer = loop.call_later(handling.PATIENCE, settle, False)
        gone = asyncio.ensure_future(exchange.line.gone()) if exchange.is_modern else None
        if gone is not None:
            gone.add_done_callback(lambda _: settle(True))
        self._of[key].append(called_off)
        try:
            return await called_off
        finally:
            timer.cancel()
            if gone is not None:
                gone.cancel()
            self._of[key].remove(called_off)
            if not self._of[key]:
                del self._of[key]


def _key(exchange: Exchange, request_id: Json) -> _Key:
    """Name a request of a client: its connection, its session, where it has one, and its id."""
    principal, by = exchange.principal, exchange.principal.connection
    whose = (principal.user_id, by.client_id if by else None, by.grant_id if by else None)
    named = request_id if isinstance(request_id, str | int) and not isinstance(request_id, bool) else None
    return (*whose, *exchange.context.headers(declaring.SESSION), named)
