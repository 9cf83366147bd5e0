"""The client that blocks. What its methods say to an authority, and what they promise, is in `flows.py`."""

import threading
import time
import webbrowser
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Self, TypeVar

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
) -> Callable[Concatenate["AgentClient", P], T]:
    """Make the method that runs a flow; `alone` means that no other thread runs one meanwhile."""

    def method(self: "AgentClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not alone:
            return self._run(flow(self._flows, *args, **kwargs))
        with self._lock:
            return self._run(flow(self._flows, *args, **kwargs))

    document(method, flow)
    return method


class AgentClient(Client):
    """One agent at one authority, for one user. Usable from several threads, and as a context manager.

    `issuer` is the authority's, as its site names it; `client_id` and `key` are the agent's own. `store` keeps the
    tokens from one run to the next. Each method may raise Unreachable, Unexpected or an OAuthError.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        key: AgentKey,
        store: TokenStore | None = None,
        *,
        http: httpx2.Client | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Go on with what the store has; ValueError for an issuer without https, or another's tokens."""
        super().__init__(Flows(issuer, client_id, key, store, clock))
        self._http = http or httpx2.Client(timeout=TIMEOUT)
        self._sleep = sleep
        self._lock = threading.Lock()  # a refresh token is good once

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

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

    def login(
        self,
        scope: str,
        authorization_details: Details | None = None,
        *,
        redirect_uri: str = LOOPBACK_REDIRECT,
        show: Callable[[str], object] = webbrowser.open,
        patience: float = PATIENCE,
    ) -> Tokens:
        """Let the user decide in a browser on this machine, which `show` opens at a URL (RFC 8252).

        `redirect_uri` is the loopback URI that the agent registered; a free port is added. RequestExpired after
        `patience` seconds.
        """
        with Loopback(redirect_uri, self.expects) as loopback:
            show(self.authorization_url(scope, loopback.redirect_uri, authorization_details))
            return self.finish(loopback.wait(patience))

    def _run(self, flow: Flow[T]) -> T:
        try:
            request = next(flow)
            while True:
                request = flow.send(self._send(request))
        except StopIteration as done:
            result: T = done.value
            return result

    def _send(self, request: Request) -> Answer:
        self._sleep(request.after)
        try:
            return read(self._http.send(prepared(self._http, request), follow_redirects=False))
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise unreachable(request) from error
