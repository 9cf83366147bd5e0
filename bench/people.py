"""Users who have deputized the agent in their browser, and the requests that their pages and MCP clients send."""

import time
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from itertools import count
from typing import Any, Self

import httpx2
import orjson

from deputize.protocol.canonical import args_s256
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page
from deputize.web.mcp.offers import ANNOTATION

from . import site
from .client import Connection, post

DEFINITION = args_s256({"description": "A tool of the bench.", "inputSchema": None, "name": "tool"})
IBAN = "DE89370400440532013000"


@dataclass
class Person:
    """One user with a browser profile: a session, a page key, a passkey, a grant."""

    page: Page
    cookie: str
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @classmethod
    async def arrives(cls, origin: str, name: str) -> Self:
        """Sign up at the site and deputize the agent; RuntimeError if that fails."""
        # Browsers send secure cookies to localhost; this policy makes the cookie jar do so, too.
        jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        http = httpx2.AsyncClient(cookies=jar)
        page = Page(http, f"{origin}/deputize", origin, SoftAuthenticator(origin))
        for answer in (await page.sign_up(name), await page.deputize(site.SCOPES)):
            if answer.status_code != 200:
                raise RuntimeError(answer.text)
        return cls(page, "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar))

    async def leaves(self) -> None:
        """Close the connections."""
        await self.page.http.aclose()

    def read_call(self) -> bytes:
        """Make a call that needs no approval."""
        return self._call("get_balance", {"account": IBAN})

    def write_call(self) -> bytes:
        """Make a call that needs one, each with other arguments."""
        return self._call("transfer_money", self.transfer())

    def ask_over_mcp(self) -> bytes:
        """Make a request for a challenge over MCP, each for other arguments."""
        params = {"toolName": "transfer_money", "arguments": self.transfer()}
        return self._message("approval/challenge/create", params)

    async def approve(self, connection: Connection, call: bytes) -> float:
        """Send a call and approve it; return the seconds that its three requests took, without the work between."""
        started = time.perf_counter()
        pending = await connection.send(call, b"202")
        took = time.perf_counter() - started
        path = f"/calls/{orjson.loads(pending)['call_id']}"
        envelope = b""
        for step in ("challenge", "approval"):
            body = orjson.dumps(self.page.evidence(orjson.loads(envelope))) if envelope else b"{}"
            request = self._request(
                f"{path}/{step}", {"deputize-page": self.page.proof("POST", f"{path}/{step}")}, body
            )
            started = time.perf_counter()
            envelope = await connection.send(request, b"200")
            took += time.perf_counter() - started
        return took

    async def approve_over_mcp(self, connection: Connection, ask: bytes) -> float:
        """Ask for a challenge and call with its evidence; return the seconds that the two requests took."""
        started = time.perf_counter()
        envelope = await connection.send(ask, b"200")
        took = time.perf_counter() - started
        arguments = orjson.loads(ask.partition(b"\r\n\r\n")[2])["params"]["arguments"]
        evidence = self.page.evidence(orjson.loads(envelope)["result"])
        params = {"name": "transfer_money", "arguments": arguments, "_meta": {ANNOTATION: evidence}}
        call = self._message("tools/call", params)
        started = time.perf_counter()
        answer = await connection.send(call, b"200")
        took += time.perf_counter() - started
        if orjson.loads(answer).get("result", {}).get("isError", True):
            raise RuntimeError(answer.decode())
        return took

    def transfer(self) -> dict[str, Any]:
        """Make arguments that need an approval, other ones each time."""
        return {"amount": next(self._numbers) / 100, "iban": IBAN, "name": "Ada Lovelace"}

    def _message(self, method: str, params: dict[str, Any]) -> bytes:
        token = str(self.page.tokens["access_token"])
        body = orjson.dumps({"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params})
        proof = self.page.proof("POST", "/mcp", token)
        headers = {"authorization": f"DPoP {token}", "dpop": proof, "mcp-protocol-version": "2025-11-25"}
        return self._request("/mcp", headers, body)

    def _call(self, tool: str, arguments: dict[str, Any]) -> bytes:
        token = str(self.page.tokens["access_token"])
        body = orjson.dumps({"tool": tool, "arguments": arguments, "definition_s256": DEFINITION})
        proof = self.page.proof("POST", "/calls", token)
        return self._request("/calls", {"authorization": f"DPoP {token}", "dpop": proof}, body)

    def _request(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        return post(self.page.origin, f"/deputize{path}", {"cookie": self.cookie, **headers}, body)
