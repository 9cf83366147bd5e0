"""How far a handler is, and whether its client still waits: what ties the two while a call runs (MCP-19, MCP-20)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import inf, isfinite
from typing import Any

from .line import Line

INTERVAL = 0.025
"""Seconds between two notifications: a client hears the newest of what was said meanwhile."""

BEAT = 15
"""Seconds of silence after which a stream that has begun gets an empty line, so that nobody between closes it."""


class Progress:
    """What one handler says of how far it is. Without a token nobody hears of it."""

    def __init__(self, token: str | int | None) -> None:
        """Begin, in the loop that serves the client."""
        self.cancelled = False
        self._token = token
        self._loop = asyncio.get_running_loop()
        self._bell, self._over = asyncio.Event(), asyncio.Event()
        self._last = -inf
        self._news: dict[str, Any] | None = None

    @property
    def is_told(self) -> bool:
        """Tell whether the client wants to hear of it."""
        return self._token is not None

    def tell(self, progress: float, total: float | None, message: str | None) -> None:
        """Note it, from any thread; TypeError or ValueError for what is no number."""
        news: dict[str, Any] = {"progressToken": self._token, "progress": float(progress)}
        if total is not None:
            news["total"] = float(total)
        if message is not None:
            news["message"] = str(message).encode(errors="replace").decode()
        if self._token is not None:
            with suppress(RuntimeError):  # the loop is closed: the server has stopped
                self._loop.call_soon_threadsafe(self._note, news)

    def _note(self, news: dict[str, Any]) -> None:
        # MCP: “The progress value MUST increase with each notification”.
        if news["progress"] > self._last and all(isfinite(news.get(of, 0)) for of in ("progress", "total")):
            self._last, self._news = news["progress"], news
            self._bell.set()

    @asynccontextmanager
    async def passed_on(self, line: Line) -> AsyncIterator[None]:
        """Tell the client what is said until the block is left, and nothing after that: then comes the answer."""
        passing = asyncio.ensure_future(self._pass_on(line))
        try:
            yield
        except asyncio.CancelledError:  # the server takes the client for gone
            passing.cancel()
            raise
        finally:
            self._over.set()
            self._bell.set()
            await asyncio.wait({passing})

    async def _pass_on(self, line: Line) -> None:
        with suppress(OSError):  # servers say so that a client has gone (ASGI 2.4)
            await self._tell_all(line)

    async def _tell_all(self, line: Line) -> None:
        while True:
            try:
                await asyncio.wait_for(self._bell.wait(), BEAT)
            except TimeoutError:
                await line.keep()
                continue
            self._bell.clear()
            if (news := self._news) is not None:
                self._news = None
                await line.tell("notifications/progress", news)
            if self._over.is_set():
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), INTERVAL)
