"""Fetching what strangers point to, without being led inside (OAUTH-10).

"Draft" below is draft-ietf-oauth-client-id-metadata-document-02. The name is resolved here, every address is
checked, and the connection goes to an address that was checked: there is nothing to swap in between. TLS is
still held to the name. What is read has bounds in bytes and in time.
"""
# ruff: noqa: ASYNC109  # the parameters are named by httpcore2's interfaces

import asyncio
import re
import socket
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Self
from urllib.parse import urlencode

import httpcore2
import httpx2

from ..protocol.errors import Code, Refused
from ..protocol.url import Url
from .addresses import is_global, is_loopback

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Takes a host name and a port, returns addresses as text; OSError if there are none."""

_TRIED = 3  # addresses of one host, of which the first may be of a family that this machine cannot reach
_HEADERS = [
    (
        "Accept",
        "application/json, application/jwk-set+json, application/http-message-signatures-directory+json",
    ),
    ("Accept-Encoding", "identity"),
    ("Connection", "close"),
    ("User-Agent", "deputize"),
]
_JSON = re.compile(r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json[ \t]*(?:;.*)?", re.IGNORECASE)
_MAX_AGE = re.compile(r"(?:\A|[,\s])max-age=([0-9]{1,9})(?:\Z|[,\s])", re.IGNORECASE)
_FORGETFUL = re.compile(r"\bno-(?:store|cache)\b", re.IGNORECASE)

_FAILURES = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    OSError,
    ValueError,
)
_DETAIL = (
    "The client's document could not be fetched. It has to be at a public address, and be answered at once, "
    "without redirect, with 200, as application/json, uncompressed, and no larger than 64 KiB."
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds, in bytes and seconds. `total` is for all of one fetch, the wait for a free place included."""

    body: int = 64 * 1024
    head: int = 16 * 1024
    connect: float = 2.0
    total: float = 5.0
    at_once: int = 16
    kept: int = 256
    fresh_at_least: int = 60
    fresh_at_most: int = 24 * 3600


@dataclass(frozen=True, slots=True)
class Fetched:
    """The body of an answer, and when it was fetched (seconds since the epoch)."""

    body: bytes
    fetched_at: int


@cache
def _trusted() -> ssl.SSLContext:
    """Return a context that trusts the certificates which the system trusts.

    Reading them takes 25 ms, so it is done once in a process. All connections may share it: what each of them sets in
    it, ALPN, is the same for all.
    """
    return httpcore2.default_ssl_context()


class Fetcher:
    """Fetches and keeps JSON documents, in one event loop. `clock` returns seconds since the epoch.

    With `development`, also from this machine, at any port, and there over http.
    """

    def __init__(
        self,
        development: bool,
        clock: Callable[[], float],
        resolver: Resolver | None = None,
        *,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Use the system's resolver, and the certificates that the system trusts, unless told otherwise."""
        self._development = development
        self._clock = clock
        self._resolve = resolver or _SystemResolver()
        self._limits = limits or Limits()
        self._tls = tls or _trusted()
        self._places = asyncio.Semaphore(self._limits.at_once)
        self._kept: OrderedDict[str, tuple[Fetched, int]] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[Fetched | Exception]] = {}

    async def json(self, url: str, since: int = 0) -> Fetched:
        """Return the document at a URL, fetched at `since` or later. Those who ask at once share one fetch.

        Refused(invalid_client): whatever goes wrong on the network, in the same words, so that nobody learns
        what is there.
        """
        try:
            target = Url.parse(url, self._development)
        except ValueError as error:
            raise Refused(Code.INVALID_CLIENT, f"This URL cannot be fetched: {error}.") from error
        kept = self._kept.get(url)
        if kept is not None and since <= kept[0].fetched_at <= self._clock() < kept[1]:
            return kept[0]
        task = self._under_way.get(url)
        if task is None:
            task = self._under_way[url] = asyncio.create_task(self._fetch(target))
            task.add_done_callback(lambda _: self._under_way.pop(url))
        outcome = await asyncio.shield(task)
        if isinstance(outcome, Exception):
            raise Refused(Code.INVALID_CLIENT, _DETAIL) from outcome
        return outcome

    async def ask(
        self, url: str, form: Mapping[str, str] | None = None, authorization: str | None = None
    ) -> bytes:
        """Send a form, or get what this `Authorization` opens, and return the JSON of the answer; nothing is kept.

        Refused(invalid_client) as `json`: also if the answer is a no.
        """
        more = [("Authorization", authorization)] if authorization is not None else []
        content = None
        if form is not None:
            content = urlencode(form).encode()
            more += [
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", str(len(content))),
            ]
        try:
            target = Url.parse(url, self._development)
            async with asyncio.timeout(self._limits.total), self._places:
                body, _ = await self._get(target, await self._addresses(target), more, content)
        except _FAILURES as error:
            raise Refused(Code.INVALID_CLIENT, _DETAIL) from error
        return body

    def forget(self, url: str) -> None:
        """Keep this document no longer, since it turned out to be worth nothing (draft §5.2)."""
        self._kept.pop(url, None)

    async def _fetch(self, url: Url) -> Fetched | Exception:
        """Fetch, and keep what was fetched; failures are not kept (draft §5.2)."""
        try:
            async with asyncio.timeout(self._limits.total), self._places:
                body, fresh = await self._get(url, await self._addresses(url))
        except _FAILURES as error:
            return error
        now = int(self._clock())
        fetched = Fetched(body, now)
        self._kept.pop(url.text, None)
        self._kept[url.text] = fetched, now + fresh
        if len(self._kept) > self._limits.kept:
            self._kept.popitem(last=False)
        return fetched

    async def _addresses(self, url: Url) -> Sequence[str]:
        """Resolve the host, once; ValueError unless every address may be connected to."""
        addresses = await self._resolve(url.host.strip("[]"), url.port)
        for address in addresses:
            here = self._development and is_loopback(address)
            if not here and (url.scheme == "http" or not is_global(address)):
                raise ValueError("an address that is not of the public internet")
        return addresses

    async def _get(
        self,
        url: Url,
        addresses: Sequence[str],
        more: Sequence[tuple[str, str]] = (),
        content: bytes | None = None,
    ) -> tuple[bytes, int]:
        """Return the body and for how many seconds it is fresh; ValueError for an answer not wanted.

        With `content` that is posted; `more` are headers.
        """
        limits = self._limits
        where = httpcore2.URL(
            scheme=url.scheme, host=url.host.strip("[]"), port=url.port, target=url.path + url.query
        )
        async with (
            _Checked(addresses, limits.head + limits.body) as network,
            httpcore2.AsyncHTTPConnection(
                where.origin, ssl_context=self._tls, network_backend=network
            ) as connection,
            connection.stream(
                "GET" if content is None else "POST",
                where,
                headers=[("Host", url.origin.partition("://")[2]), *_HEADERS, *more],
                content=content,
                extensions={"timeout": {"connect": limits.connect}},
            ) as response,
        ):
            fresh = self._accept(response)
            body = b""
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) > limits.body:
                    raise ValueError("a body that is too large")
            return body, fresh

    def _accept(self, response: httpcore2.Response) -> int:
        """Check status and headers; return for how many seconds the answer is fresh (RFC 9111 §4.2.1)."""
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        if sum(len(name) + len(value) for name, value in response.headers) > self._limits.head:
            raise ValueError("headers that are too large")
        headers = httpx2.Headers(response.headers)
        if _JSON.fullmatch(headers.get("content-type", "")) is None:
            raise ValueError("not JSON")
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise ValueError("an encoding that was not asked for")
        control = headers.get("cache-control", "")
        age = _MAX_AGE.search(control)
        seconds = 0 if age is None or _FORGETFUL.search(control) else int(age[1])
        return min(max(seconds, self._limits.fresh_at_least), self._limits.fresh_at_most)


class _SystemResolver:
    """The system's resolver, in threads of its own: a name server that hangs delays only other fetches."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="deputize-resolver")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Checked(httpcore2.AnyIOBackend):
    """Connects to addresses that were checked, whatever the name; lets only so many bytes in."""

    def __init__(self, addresses: Sequence[str], budget: int) -> None:
        self._addresses = addresses[:_TRIED]
        self._budget = budget
        self._stream: httpcore2.AsyncNetworkStream | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._stream is not None:  # a handshake that is cancelled leaves it open
            await self._stream.aclose()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = OSError("no address")
        for address in self._addresses:
            try:
                self._stream = await super().connect_tcp(address, port, timeout)
            except (httpcore2.NetworkError, httpcore2.TimeoutException) as error:
                failure = error
            else:
                return _Bounded(self._stream, self._budget)
        raise failure


@dataclass
class _Bounded(httpcore2.AsyncNetworkStream):
    """A connection of which only so many bytes are read: headers, chunks and what else there is."""

    stream: httpcore2.AsyncNetworkStream
    budget: int

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self.stream.read(max_bytes, timeout)
        self.budget -= len(data)
        if self.budget < 0:
            raise ValueError("more bytes than are wanted")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self.stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self.stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Bounded(await self.stream.start_tls(ssl_context, server_hostname, timeout), self.budget)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)
