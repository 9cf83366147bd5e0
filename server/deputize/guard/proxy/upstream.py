"""The upstream: an HTTP server on this machine, with a connection of its own for each request (PROXY-6, PROXY-7)."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

import httpcore2

from ...protocol.errors import Code, Refused

_HTTP = re.compile(r"http://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/?")
_UNIX = "unix:"
_ADVICE = (
    "the upstream is on this machine, since nothing protects the way to it: "
    "http://127.0.0.1:3000, http://[::1]:3000, http://localhost:3000 or unix:/run/api.sock"
)
_CONNECT = 5.0  # seconds
_STALLED = 60.0  # seconds in which the upstream takes nothing of a body


class NotReached(Exception):
    """Nobody has listened: nothing of the request was sent."""


class Lost(Exception):
    """The upstream has begun, perhaps, and its answer did not come, or not to its end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is still to come."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where it is: a port of this machine, or a socket in its file system."""

    host: str = "localhost"
    port: int = 80
    socket: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `http://127.0.0.1:3000` or `unix:/run/api.sock`; ValueError for anything that is not on this machine."""
        if text.startswith(_UNIX):
            path = text.removeprefix(_UNIX)
            if not path.startswith("/"):
                raise ValueError(_ADVICE)
            return cls(socket="/" + path.lstrip("/"))
        parts = _HTTP.fullmatch(text)
        port = int(parts["port"] or 80) if parts is not None else 0
        if parts is None or not 0 < port < 65536 or not _is_here(parts["host"]):
            raise ValueError(_ADVICE)
        return cls(parts["host"].strip("[]"), port)

    @asynccontextmanager
    async def asked(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[bytes, bytes]],
        body: AsyncIterator[bytes] | bytes,
    ) -> AsyncIterator[Answer]:
        """Send a request and yield the answer; NotReached or Lost, Lost also out of its body.

        There is no limit to how long an answer takes. No connection is used twice, so that no byte of one request or
        answer can be read as one of another's.
        """
        url = httpcore2.URL(scheme="http", host=self.host, port=self.port, target=target.encode())
        limits = {"connect": _CONNECT, "write": _STALLED}
        request = httpcore2.Request(
            method,
            url,
            headers=[*headers, (b"connection", b"close")],
            content=body,
            extensions={"timeout": limits},
        )
        async with httpcore2.AsyncConnectionPool(max_keepalive_connections=0, uds=self.socket) as connection:
            try:
                response = await connection.handle_async_request(request)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                raise NotReached(str(error)) from error
            except httpcore2.LocalProtocolError as error:
                raise Refused(
                    Code.INVALID_REQUEST, "This request is not passed on: its head is malformed."
                ) from error
            except _FAULTS as error:
                raise Lost(f"{type(error).__name__}: {error}") from error
            try:
                if not 200 <= response.status < 600:
                    raise Lost(f"{response.status} is no status of an answer")
                yield Answer(response.status, response.headers, _parts(response))
            finally:
                await response.aclose()


_FAULTS = (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError, OSError)


async def _parts(response: httpcore2.Response) -> AsyncIterator[bytes]:
    try:
        async for part in response.aiter_stream():
            yield part
    except _FAULTS as error:
        raise Lost(f"{type(error).__name__}: {error}") from error


def _is_here(host: str) -> bool:
    """Tell whether a host is this machine. A name below localhost is not: some resolvers ask the network for it."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
