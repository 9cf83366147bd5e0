"""An MCP host of today: it can show its user an address, and do no passkey ceremony.

Its client of MCP is the official one. Who it is for whom, and by which key, `deputize.agent` knows.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError, UrlElicitationRequiredError
from mcp_types import URL_ELICITATION_REQUIRED, CallToolResult, ElicitResult

from deputize.agent import AgentClient, AgentKey

CLIENT_ID = "https://desktop.example/app.json"
REDIRECT = "http://127.0.0.1/callback"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a call: the code of a refusal ("" where it ran), and the address that the user is to be shown."""

    code: str = ""
    url: str = ""
    call_id: str = ""


class Host:
    """The host, for one user of one authority."""

    def __init__(self, issuer: str, key: AgentKey) -> None:
        """Know nobody yet."""
        self._endpoint = f"{issuer}/mcp"
        self._key = key
        self._agent = AgentClient(issuer, CLIENT_ID, key)
        self._thread = ThreadPoolExecutor(1)  # a loop of its own, since a browser is driven in this one

    def connect(self, scope: str, show: Callable[[str], object]) -> None:
        """Let the user deputize it, in the browser in which `show` opens an address."""
        self._agent.login(scope, redirect_uri=REDIRECT, show=show)

    def call(self, tool: str, arguments: dict[str, Any]) -> Heard:
        """Call a tool, as the model wants it."""
        return self._thread.submit(lambda: asyncio.run(self._call(tool, arguments))).result()

    def disconnect(self) -> None:
        """Give the delegation back."""
        self._agent.revoke()

    def close(self) -> None:
        """End it."""
        self._thread.shutdown()
        self._agent.close()

    async def _call(self, tool: str, arguments: dict[str, Any]) -> Heard:
        async with httpx2.AsyncClient(auth=_Dpop(self._agent, self._key)) as http:
            transport = streamable_http_client(self._endpoint, http_client=http)
            async with Client(transport, mode="legacy", elicitation_callback=_shows) as client:
                try:
                    return _heard(await client.call_tool(tool, arguments))
                except MCPError as error:
                    if error.code != URL_ELICITATION_REQUIRED:
                        raise
                    (asked,) = UrlElicitationRequiredError.from_error(error.error).elicitations
                    return Heard("url_elicitation_required", asked.url, str(asked.elicitation_id))


async def _shows(context: object, params: object) -> ElicitResult:
    """Say that it can show addresses. It is asked to by an error, and never comes here (MCP 2025-11-25)."""
    return ElicitResult(action="cancel")


def _heard(result: CallToolResult) -> Heard:
    if result.is_error:
        return Heard(str((result.structured_content or {}).get("code")))
    return Heard(call_id=str((result.meta or {})["dev.deputize/call"]["call_id"]))


class _Dpop(httpx2.Auth):
    """Shows the delegation with each request, and a proof by the key (RFC 9449)."""

    def __init__(self, agent: AgentClient, key: AgentKey) -> None:
        self._agent = agent
        self._key = key

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Add both."""
        token = self._agent.fresh().access_token
        now = int(time.time())
        request.headers["authorization"] = f"DPoP {token}"
        request.headers["dpop"] = self._key.proof(request.method, str(request.url), now, access_token=token)
        yield request
