"""How `deputize serve` treats connections: each waits for the other side for so long, and there are so many (DOOR-6).

uvicorn has a time for connections that are idle between requests, and none for a head or a body that does not come,
nor for an answer that is not taken; and once there are too many connections it turns honest requests away, where here
those end that have kept it waiting longest.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from deputize.log.log import Log

_EACH = 5  # ticks


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds, in seconds and bytes; `connections` is how many there may be."""

    connections: int
    head: float = 10
    """From the connection, or the first byte, to the end of a request's head."""
    request: float = 40
    """To the end of its body; and from when an answer cannot be sent until it can. More than JSON-4 has for a body."""
    idle: int = 5
    """Between requests."""
    stop: int = 10
    """From the signal to the end, whatever is under way."""
    head_size: int = 96 * 1024
    """More than the door lets in (DOOR-1), which has an answer for it; what is above this has none."""


class Connection(HttpToolsProtocol):
    """A connection that knows since when it waits for the other side."""

    limits: Limits
    in_head = True
    since = 0.0
    _head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Begin to wait; where that makes one too many, end those that have been waited for longest."""
        super().connection_made(transport)
        self.since = self.loop.time()
        if len(self.connections) > self.limits.connections:
            waiting = sorted((one for one in _ours(self.connections) if one.waits), key=lambda one: one.since)
            for one in waiting[: max(1, self.limits.connections // 8)]:  # so many that this is seldom done
                one.end()

    def data_received(self, data: bytes) -> None:
        """Read on, but for a head without end."""
        super().data_received(data)
        if self.in_head:
            self._head_size += len(data)
            if self._head_size > self.limits.head_size:
                self.end()

    def on_message_begin(self) -> None:
        """Begin with a head."""
        super().on_message_begin()
        self.in_head = True
        self._head_size = 0
        self.since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes behind a body is none of ours, and would be kept without bound."""
        if self.in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on with the body."""
        super().on_headers_complete()
        self.in_head = False

    @property
    def waits(self) -> bool:
        """Tell whether it is the other side's turn: to send something, or to take what was sent."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first
        return (
            cycle is None
            or cycle.more_body
            or cycle.response_complete
            or self.flow.write_paused
            or self.transport.is_closing()
        )

    def look(self, now: float) -> None:
        """End it if it has waited too long."""
        if not self.waits:
            self.since = now
        elif now - self.since > (self.limits.head if self.in_head else self.limits.request):
            self.end()

    def end(self) -> None:
        """Give it up, with what was not sent yet."""
        self.connections.discard(self)
        self.transport.abort()


class Server(uvicorn.Server):
    """A server that looks at its connections now and then."""

    async def on_tick(self, counter: int) -> bool:
        """Look at them; uvicorn calls this ten times a second."""
        if counter % _EACH == 0:
            now = asyncio.get_running_loop().time()
            for one in _ours(self.server_state.connections):
                one.look(now)
        return await super().on_tick(counter)


def server(app: ASGIApp, limits: Limits) -> Server:
    """Make a server for an app. What proxies add to a request it leaves to the app, which knows whom to believe."""
    config = Config(
        app,
        http=type("Limited", (Connection,), {"limits": limits}),
        ws="none",
        interface="asgi3",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_config=None,  # the authority writes log lines of its own
        timeout_keep_alive=limits.idle,
        timeout_graceful_shutdown=limits.stop,
    )
    return Server(config)


class ToLog(logging.Handler):
    """Passes on what libraries say, which would else be written to standard error at once, and wait there."""

    def __init__(self, log: Log) -> None:
        """Pass on warnings, and what is worse."""
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one on."""
        self._log.said(record)


def _ours(connections: Collection[object]) -> list[Connection]:
    return [one for one in connections if isinstance(one, Connection)]
