"""The client for asyncio. What its methods say to an authority, and what they promise, is in `flows.py`."""

import asyncio
import time
import webbrowser
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx2

from .base import PATIENCE, TIMEOUT, Client, document, prepared, read, unreachable
from .flows import Details, Flows
from .key import AgentKey
from .loopback import LOOPBACK_REDIRECT, Loopback
from .tokens import Tokens, TokenStore
from .wire import Answer, Flow, Request

P = ParamSpec("P")
T = TypeVar("T")


def _runs(
    flow: Callable[Concatenate[Flows, P], Flow[T]], *, alone: bool = True
) -> Callable[Concatenate["AsyncAgentClient", P], Coroutine[Any, Any, T]]:
    """Make the method that runs a flow; `alone` means that no other task runs one meanwhile."""

    async def method(self: "AsyncAgentClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not alone:
            return await self._run(flow(self._flows, *args, **kwargs))
        async with self._lock:
            return await self._run(flow(self._flows, *args, **kwargs))

    document(method, flow)
    return method


class AsyncAgentClient(Client):
    """As `AgentClient`, for asyncio: each method is a coroutine."""

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
        """Go on with what the store has; ValueError for an issuer without https, or another's tokens."""
        super().__init__(Flows(issuer, client_id, key, store, clock))
        self._http = http or httpx2.AsyncClient(timeout=TIMEOUT)
        self._sleep = sleep
        self._lock = asyncio.Lock()  # a refresh token is good once

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    discover = _runs(Flows.discover)
    authorization_url = _runs(Flows.authorization_url)
    finish = _runs(Flows.finish)
    device = _runs(Flows.device, alone=False)  # it waits for a person
    fresh = _runs(Flows.fresh)
    refresh = _runs(Flows.refresh)
    evidence = _runs(Flows.evidence)
    hand_on = _runs(Flows.hand_on)
    take_over = _runs(Flows.take_over)
    introspect = _runs(Flows.introspect)
    revoke = _runs(Flows.revoke)

    async def login(
        self,
        scope: str,
        authorization_details: Details | None = None,
        *,
        redirect_uri: str = LOOPBACK_REDIRECT,
        show: Callable[[str], object] = webbrowser.open,
        patience: float = PATIENCE,
    ) -> Tokens:
        """Let the user decide in a browser on this machine, as `AgentClient.login` does."""
        with Loopback(redirect_uri, self.expects) as loopback:
            show(await self.authorization_url(scope, loopback.redirect_uri, authorization_details))
            return await self.finish(await asyncio.to_thread(loopback.wait, patience))

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
            return read(await self._http.send(prepared(self._http, request), follow_redirects=False))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise unreachable(request) from error
