"""The client for asyncio. Each method does what that of `AgentClient` does."""

import asyncio
import time
import webbrowser
from collections.abc import Awaitable, Callable, Mapping
from typing import Self, TypeVar

import httpx2

from ..protocol.canonical import Json
from .base import PATIENCE, TIMEOUT, Client, read, unreachable
from .flows import Details, DeviceCode
from .key import AgentKey
from .loopback import LOOPBACK_REDIRECT, Loopback
from .metadata import Metadata
from .tokens import Tokens, TokenStore
from .wire import Answer, Flow, Request

T = TypeVar("T")


class AsyncAgentClient(Client):
    """As `AgentClient`, for asyncio."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        key: AgentKey,
        store: TokenStore | None = None,
        *,
        http: httpx2.AsyncClient | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """As `AgentClient`."""
        super().__init__(issuer, client_id, key, store, clock=clock)
        self._http = http or httpx2.AsyncClient(timeout=TIMEOUT)
        self._sleep = sleep
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def discover(self) -> Metadata:
        """As `AgentClient.discover`."""
        return await self._run(self._flows.discover())

    async def authorization_url(
        self, scope: str, redirect_uri: str, authorization_details: Details | None = None
    ) -> str:
        """As `AgentClient.authorization_url`."""
        return await self._run(self._flows.push(scope, redirect_uri, authorization_details))

    async def finish(self, redirect_url: str) -> Tokens:
        """As `AgentClient.finish`."""
        async with self._lock:
            return await self._run(self._flows.finish(redirect_url))

    async def login(
        self,
        scope: str,
        authorization_details: Details | None = None,
        *,
        redirect_uri: str = LOOPBACK_REDIRECT,
        show: Callable[[str], object] = webbrowser.open,
        patience: float = PATIENCE,
    ) -> Tokens:
        """As `AgentClient.login`."""
        with Loopback(redirect_uri, self.expects) as loopback:
            show(await self.authorization_url(scope, loopback.redirect_uri, authorization_details))
            return await self.finish(await asyncio.to_thread(loopback.wait, patience))

    async def device(
        self,
        scope: str,
        show: Callable[[DeviceCode], object],
        authorization_details: Details | None = None,
    ) -> Tokens:
        """As `AgentClient.device`."""
        return await self._run(self._flows.device(scope, show, authorization_details))

    async def fresh(self) -> Tokens:
        """As `AgentClient.fresh`."""
        async with self._lock:
            return await self._run(self._flows.fresh())

    async def refresh(self) -> Tokens:
        """As `AgentClient.refresh`."""
        async with self._lock:
            return await self._run(self._flows.refresh())

    async def evidence(self, tool: str, arguments: Mapping[str, object]) -> dict[str, str]:
        """As `AgentClient.evidence`."""
        async with self._lock:
            return await self._run(self._flows.evidence(tool, arguments))

    async def hand_on(
        self,
        child_client_id: str,
        child_jkt: str,
        scope: str | None = None,
        authorization_details: Details | None = None,
    ) -> str:
        """As `AgentClient.hand_on`."""
        async with self._lock:
            return await self._run(
                self._flows.hand_on(child_client_id, child_jkt, scope, authorization_details)
            )

    async def take_over(
        self, handoff: str, scope: str | None = None, authorization_details: Details | None = None
    ) -> Tokens:
        """As `AgentClient.take_over`."""
        async with self._lock:
            return await self._run(self._flows.take_over(handoff, scope, authorization_details))

    async def introspect(self) -> dict[str, Json]:
        """As `AgentClient.introspect`."""
        return await self._run(self._flows.introspect())

    async def revoke(self) -> None:
        """As `AgentClient.revoke`."""
        async with self._lock:
            await self._run(self._flows.revoke())

    async def _run(self, flow: Flow[T]) -> T:
        try:
            request = next(flow)
            while True:
                request = flow.send(await self._send(request))
        except StopIteration as done:
            result: T = done.value
            return result

    async def _send(self, request: Request) -> Answer:
        await self._sleep(request.after)
        try:
            return read(
                await self._http.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    content=request.body,
                    follow_redirects=False,
                )
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise unreachable(request) from error
