"""What the client that blocks and the client for asyncio have in common."""

import time
from collections.abc import Callable

import httpx2

from .errors import Unreachable
from .flows import Flows
from .key import AgentKey
from .tokens import Tokens, TokenStore
from .wire import Answer, Request

PATIENCE = 600.0
"""Seconds that `login` waits for the user."""

TIMEOUT = 10.0
"""Seconds for one answer."""


class Client:
    """What both clients have: who the agent is, and what it holds."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        key: AgentKey,
        store: TokenStore | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._flows = Flows(issuer, client_id, key, store, clock)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._flows.issuer!r}, {self._flows.client_id!r})"

    @property
    def tokens(self) -> Tokens | None:
        """Return what the agent holds, which may have run out; None before any user deputized it."""
        return self._flows.tokens

    def expects(self, redirect_url: str) -> bool:
        """Tell whether the browser was sent to this URL as the answer to a request of this agent."""
        return self._flows.expects(redirect_url)


def read(response: httpx2.Response) -> Answer:
    """Take from a response what flows look at."""
    return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)


def unreachable(request: Request) -> Unreachable:
    """Say that no answer came; of the request, only where it went."""
    return Unreachable(f"{request.url} could not be reached.")
