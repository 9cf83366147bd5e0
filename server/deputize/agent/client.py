"""The client that blocks. What it says is written in `flows.py`."""

import threading
import time
import webbrowser
from collections.abc import Callable, Mapping
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


class AgentClient(Client):
    """One agent at one authority, for one user. Usable from several threads, and as a context manager.

    `issuer` is the authority's, as its site names it; `client_id` and `key` are the agent's own. `store`
    keeps the tokens from one run to the next. Each method may raise Unreachable, Unexpected or an OAuthError.
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
        super().__init__(issuer, client_id, key, store, clock=clock)
        self._http = http or httpx2.Client(timeout=TIMEOUT)
        self._sleep = sleep
        self._lock = threading.Lock()  # tokens are renewed and used one at a time

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def discover(self) -> Metadata:
        """Return the authority's metadata (RFC 8414); it is fetched once."""
        return self._run(self._flows.discover())

    def authorization_url(
        self, scope: str, redirect_uri: str, authorization_details: Details | None = None
    ) -> str:
        """Push an authorization request (RFC 9126, with PKCE), and return the URL to send the user to."""
        return self._run(self._flows.push(scope, redirect_uri, authorization_details))

    def finish(self, redirect_url: str) -> Tokens:
        """Take the URL that the browser came back to; AccessDenied for a no, Unexpected for a forged one."""
        with self._lock:
            return self._run(self._flows.finish(redirect_url))

    def login(
        self,
        scope: str,
        authorization_details: Details | None = None,
        *,
        redirect_uri: str = LOOPBACK_REDIRECT,
        show: Callable[[str], object] = webbrowser.open,
        patience: float = PATIENCE,
    ) -> Tokens:
        """Let the user decide in a browser of this machine, which `show` is to open (RFC 8252).

        `redirect_uri` is the one that the agent registered; it gets a free port. RequestExpired after
        `patience` seconds.
        """
        with Loopback(redirect_uri, self.expects) as loopback:
            show(self.authorization_url(scope, loopback.redirect_uri, authorization_details))
            return self.finish(loopback.wait(patience))

    def device(
        self,
        scope: str,
        show: Callable[[DeviceCode], object],
        authorization_details: Details | None = None,
    ) -> Tokens:
        """Let the user decide on another device, and wait; `show` gets what to tell the user (RFC 8628)."""
        return self._run(self._flows.device(scope, show, authorization_details))

    def fresh(self) -> Tokens:
        """Return tokens that are good for 30 s at least, renewed if need be; NotDeputized, ConsentNeeded."""
        with self._lock:
            return self._run(self._flows.fresh())

    def refresh(self) -> Tokens:
        """Renew the delegation token now; NotDeputized, ConsentNeeded."""
        with self._lock:
            return self._run(self._flows.refresh())

    def evidence(self, tool: str, arguments: Mapping[str, object]) -> dict[str, str]:
        """Return the member to add to the input of one call with these arguments; good once, for 30 s."""
        with self._lock:
            return self._run(self._flows.evidence(tool, arguments))

    def hand_on(
        self,
        child_client_id: str,
        child_jkt: str,
        scope: str | None = None,
        authorization_details: Details | None = None,
    ) -> str:
        """Return a handoff for a sub-agent with the key of this thumbprint, good once, for 60 s.

        It hands on no more than this agent has, or less, as scope and details say.
        """
        with self._lock:
            return self._run(self._flows.hand_on(child_client_id, child_jkt, scope, authorization_details))

    def take_over(
        self, handoff: str, scope: str | None = None, authorization_details: Details | None = None
    ) -> Tokens:
        """Turn a parent's handoff into a delegation of one's own."""
        with self._lock:
            return self._run(self._flows.take_over(handoff, scope, authorization_details))

    def introspect(self) -> dict[str, Json]:
        """Ask what the delegation token is worth now (RFC 7662); `{"active": False}` for nothing."""
        return self._run(self._flows.introspect())

    def revoke(self) -> None:
        """Give the delegation back, and with it all that was handed on from it."""
        with self._lock:
            self._run(self._flows.revoke())

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
            return read(
                self._http.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    content=request.body,
                    follow_redirects=False,
                )
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise unreachable(request) from error
