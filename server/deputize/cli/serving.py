"""The limits of `deputize serve` for connections: how many there are, and how long each may wait for its peer (DOOR-6).

uvicorn limits how long a connection is idle between requests, but not how long a head or a body takes to come, nor an
answer to be taken. Of too many connections it refuses the new ones; here those are closed whose peers have been waited
for longest.
"""

import asyncio
import gc
import logging
from collections.abc import Collection
from dataclasses import dataclass
from time import monotonic  # a loop's own time has milliseconds only: all that come in one are equally old
from typing import TYPE_CHECKING

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from deputize.cli.answering import Http

if TYPE_CHECKING:
    from deputize.log.log import Log

_EACH = 5  # ticks
_NEW_OBJECTS = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits, in seconds and bytes, and of the number of `connections`."""

    connections: int
    head: float = 10
    """From the connection, and later from the first byte, to the end of a request's head."""
    request: float = 40
    """To the end of its body, and for the peer to take an answer. More than JSON-4 allows for a body."""
    idle: int = 5
    """Between requests."""
    stop: int = 10
    """From the signal to stop to the end, whatever is under way."""
    head_size: int = 96 * 1024
    """Of a head. What DOOR-1 refuses is less than this and gets an answer; more than this gets none."""


class Connection(Http):
    """A connection that knows since when it waits for its peer."""

    limits: Limits
    in_head = True
    since = 0.0
    _head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Begin to wait; if there are too many now, close those whose peers have been waited for longest."""
        super().connection_made(transport)
        self.since = monotonic()
        if len(self.connections) > self.limits.connections:
            waiting = sorted((one for one in _ours(self.connections) if one.waits), key=lambda one: one.since)
            for one in waiting[
                : max(1, self.limits.connections // 8)
            ]:  # several, so that this is seldom done
                one.end()

    def data_received(self, data: bytes) -> None:
        """Read on; close the connection for a head that is too long."""
        super().data_received(data)
        if self.in_head:
            self._head_size += len(data)
            if self._head_size > self.limits.head_size:
                self.end()

    def on_message_begin(self) -> None:
        """Begin to read a head; a connection's first has been waited for since there was the connection.

        Else whoever sends one byte would look younger than somebody who came after him and has yet to send.
        """
        super().on_message_begin()
        self.in_head = True
        self._head_size = 0
        if self.cycle is not None:
            self.since = monotonic()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers, behind the body, are dropped: nothing bounds them."""
        if self.in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to read the body."""
        super().on_headers_complete()
        self.in_head = False

    @property
    def waits(self) -> bool:
        """Tell whether it is the peer's turn: to send something, or to take what was sent."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first
        return (
            cycle is None
            or cycle.more_body
            or cycle.response_complete
            or self.flow.write_paused
            or self.transport.is_closing()
        )

    def look(self, now: float) -> None:
        """Close it if it has waited too long."""
        if not self.waits:
            self.since = now
        elif now - self.since > (self.limits.head if self.in_head else self.limits.request):
            self.end()

    def end(self) -> None:
        """Close it at once; what was not sent yet is lost."""
        self.connections.discard(self)
        self.transport.abort()


class Server(uvicorn.Server):
    """A server that looks at its connections twice a second."""

    async def on_tick(self, counter: int) -> bool:
        """Look at them; uvicorn calls this ten times a second."""
        if counter % _EACH == 0:
            now = monotonic()
            for one in _ours(self.server_state.connections):
                one.look(now)
        return await super().on_tick(counter)


def server(app: ASGIApp, limits: Limits, kind: type[Connection] = Connection, dated: bool = True) -> Server:
    """Return a server for an app. It leaves a proxy's headers to the app, which knows whom to believe.

    Its answers are `dated` unless those of the app are.
    """
    config = Config(
        app,
        http=type("Limited", (kind,), {"limits": limits}),
        ws="none",
        interface="asgi3",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=dated,
        log_config=None,  # the authority writes log lines of its own
        timeout_keep_alive=limits.idle,
        timeout_graceful_shutdown=limits.stop,
    )
    return Server(config)


def settle() -> None:
    """Keep the garbage collector from looking at what is there at the start, and from looking often at the rest.

    It begins after 700 new objects where nobody says otherwise: the requests of one moment, none of them garbage yet.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


class ToLog(logging.Handler):
    """Hands what libraries log to our log: a handler that writes to standard error could block there."""

    def __init__(self, log: "Log") -> None:
        """Take warnings, and what is worse."""
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one on."""
        self._log.said(record)


def _ours(connections: Collection[object]) -> list[Connection]:
    return [one for one in connections if isinstance(one, Connection)]
