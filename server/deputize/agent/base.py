"""What the client that blocks and the client for asyncio have in common: all but how they wait."""

from collections.abc import Callable
from inspect import signature
from typing import Any, get_args

import httpx2

from .errors import Unreachable
from .flows import Flows
from .tokens import Tokens
from .wire import Answer, Request

PATIENCE = 600.0
"""Seconds that `login` waits for the user."""

TIMEOUT = 10.0
"""Seconds that the authority has for one answer."""


class Client:
    """Who the agent is, and what it holds."""

    def __init__(self, flows: Flows) -> None:
        self._flows = flows

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._flows.issuer!r}, {self._flows.client_id!r})"

    @property
    def tokens(self) -> Tokens | None:
        """Return what the agent holds, which may have expired; None before any user deputized it."""
        return self._flows.tokens

    def expects(self, redirect_url: str) -> bool:
        """Tell whether the browser was sent to this URL as the answer to a request of this agent."""
        return self._flows.expects(redirect_url)


def document(method: Any, flow: Callable[..., object]) -> None:
    """Let `help()` show a client's method as the flow that it runs: same name, text, parameters and result."""
    shown = signature(flow)
    (*_, result) = get_args(shown.return_annotation)
    method.__name__, method.__doc__ = flow.__name__, flow.__doc__
    method.__signature__ = shown.replace(return_annotation=result)


def prepared(http: httpx2.Client | httpx2.AsyncClient, request: Request) -> httpx2.Request:
    """Return a flow's request as the HTTP client sends it."""
    return http.build_request(request.method, request.url, headers=request.headers, content=request.body)


def read(response: httpx2.Response) -> Answer:
    """Return a response as flows read it."""
    return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)


def unreachable(request: Request) -> Unreachable:
    """Return the error for a request without an answer; it names the URL, and nothing else that was sent."""
    return Unreachable(f"{request.url} could not be reached.")
