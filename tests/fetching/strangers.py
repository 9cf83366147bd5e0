"""Servers and name servers of strangers, and what this process asks of the network."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

BODY = b'{"client_id": "x"}'
NOW = 1_800_000_000

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Wire:
    """The connections that were begun, and the names that the system was asked for."""

    connected: list[Any] = field(default_factory=list)
    resolved: list[Any] = field(default_factory=list)


_watching: list[Wire] = []


# It sees the system calls themselves, whoever makes them. It cannot be taken out, so it looks when asked.
def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "socket.connect":
        _watching[-1].connected.append(arguments[1][:2])
        if arguments[1][0] not in ("127.0.0.1", "127.0.0.2", "::1"):
            raise OSError("tests stay on this machine")
    elif _watching and event == "socket.getaddrinfo":
        _watching[-1].resolved.append(arguments[0])


sys.addaudithook(_hook)


@contextmanager
def watching() -> Iterator[Wire]:
    _watching.append(Wire())
    try:
        yield _watching[-1]
    finally:
        _watching.pop()


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Names:
    """A name server: answers in turn, the last one again and again; tells how often it was asked."""

    answers: list[Sequence[str]]
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@dataclass
class Server:
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    open: int = 0
    most: int = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/agent.json"


@asynccontextmanager
async def serving(
    answer: bytes | Handler, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve one answer, or let a handler do as it likes."""
    seen = Server()
    handlers: set[asyncio.Task[Any] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        seen.open += 1
        seen.most = max(seen.most, seen.open)
        try:
            seen.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if callable(answer):
                await answer(reader, writer)
            else:
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            seen.open -= 1
            writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    async with server:  # which waits for them when it ends
        try:
            yield seen
        finally:
            for handler in filter(None, handlers):
                handler.cancel()


def answer(body: bytes = BODY, status: str = "200 OK", *more: str, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body
