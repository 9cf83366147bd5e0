"""A client that costs little: bytes made beforehand, a closed loop over each of a few kept connections."""

import asyncio
import gc
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import cast

_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)

# What Chromium sends with a fetch, beside what the shim asks it to.
_HEADERS = (
    b"connection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="156", "Not?A_Brand";v="24"\r\n'
    b"sec-ch-ua-mobile: ?0\r\n"
    b'sec-ch-ua-platform: "Linux"\r\n'
    b"user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
    b"(KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r\n"
    b"accept: application/json\r\n"
    b"accept-encoding: gzip, deflate, br, zstd\r\n"
    b"accept-language: en-US,en;q=0.9\r\n"
    b"cache-control: no-cache\r\n"
    b"pragma: no-cache\r\n"
    b"sec-fetch-dest: empty\r\n"
    b"sec-fetch-mode: cors\r\n"
    b"sec-fetch-site: same-origin\r\n"
)


@dataclass(frozen=True, slots=True)
class Load:
    """One run: how many were done in how many seconds, the seconds that each took, and the client's own work."""

    done: int
    seconds: float
    latencies: list[float]
    client_cpu: float

    @property
    def rate(self) -> float:
        """Return how many were done in a second."""
        return self.done / self.seconds


class Connection(asyncio.Protocol):
    """One kept connection, with one request in flight at most."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Hand on the answer as soon as all of it is there; chunks as they came."""
        buffer = self._buffer + data
        head = buffer.find(b"\r\n\r\n")
        length = _LENGTH.search(buffer, 0, head + 2) if head >= 0 else None
        if length is None:
            whole = head >= 0 and _CHUNKED.search(buffer, 0, head + 2) and buffer.endswith(b"\r\n0\r\n\r\n")
        else:
            whole = len(buffer) >= head + 4 + int(length[1])
        if not whole:
            self._buffer = buffer
            return
        self._buffer = b""
        assert self._answer is not None
        self._answer.set_result(buffer)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("The server hung up."))

    async def send(self, request: bytes, status: bytes) -> bytes:
        """Send a request and return the body of its answer; RuntimeError if that has another status."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        answer = await self._answer
        if answer[9:12] != status:
            raise RuntimeError(answer.decode(errors="replace"))
        return answer.partition(b"\r\n\r\n")[2]

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def post(
    origin: str, path: str, headers: dict[str, str], body: bytes, kind: str = "application/json"
) -> bytes:
    """Write a request as a page of this origin would send it."""
    lines = {
        "host": origin.partition("://")[2],
        "content-length": str(len(body)),
        "content-type": kind,
        "origin": origin,
        **headers,
    }
    own = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{own}".encode() + _HEADERS + b"\r\n" + body


async def closed_loop(
    origin: str, work: Sequence[Callable[[Connection], Awaitable[float | None]]], seconds: float
) -> Load:
    """Have each of `work` done over and over, each on a connection of its own, until the time is over.

    One returns the seconds that it took, or None when there is nothing left to do, which ends the run for it.
    """
    port = int(origin.rpartition(":")[2])
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in work]
    latencies: list[float] = []

    async def repeat(step: Callable[[Connection], Awaitable[float | None]], connection: Connection) -> None:
        while time.perf_counter() < deadline and (took := await step(connection)) is not None:
            latencies.append(took)

    gc.collect()
    gc.disable()
    started, cpu = time.perf_counter(), time.process_time()
    deadline = started + seconds
    try:
        async with asyncio.TaskGroup() as tasks:
            for step, connection in zip(work, connections, strict=True):
                tasks.create_task(repeat(step, connection))
    finally:
        gc.enable()
        for connection in connections:
            connection.close()
    ended = time.perf_counter()
    return Load(len(latencies), ended - started, latencies, time.process_time() - cpu)
