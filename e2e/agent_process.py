"""An agent of strangers, in a process of its own, with its own key, which never leaves it, and its own origin.

It publishes its document there, and does what it is told: one order a line on stdin, and on stdout what came of
it, by the number of the order. Orders wait for each other as little as users do. `e2e/attested.py` is the other side.
"""

import json
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread, local
from typing import Any

import httpx2

from deputize.agent import (
    LOOPBACK_REDIRECT,
    AgentClient,
    AgentError,
    AgentKey,
    DeviceCode,
    OAuthError,
    Tokens,
    client_document,
)
from deputize.crypto.client_assertion import ASSERTION_TYPE


class Home(ThreadingHTTPServer):
    """The agent's own origin. Below `/callback` it takes redirects, too, and does nothing with them."""

    def __init__(self, name: str, key: AgentKey) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.client_id = f"http://localhost:{self.server_port}/agent.json"
        self.original = client_document(self.client_id, name, [key], [LOOPBACK_REDIRECT])
        self.document = self.original
        Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Home)
        found = self.path == "/agent.json"
        body = json.dumps(self.server.document).encode() if found else b"<!doctype html><title>Agent</title>"
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if found else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: stdout is for answers."""


class Agent:
    """What the agent can do; each method is an order. Clients know it by the issuer."""

    def __init__(self, name: str) -> None:
        self.key = AgentKey.generate()
        self.home = Home(name, self.key)
        self.now = 0.0  # the test's clock, which comes with each order
        self.clients: dict[str, AgentClient] = {}

    def begin(self, issuer: str) -> None:
        """Know this authority from scratch, with the document as it was at first."""
        self.home.document = self.home.original
        self.clients[issuer] = AgentClient(issuer, self.home.client_id, self.key, clock=lambda: self.now)

    def publish(self, issuer: str, changed: Mapping[str, Any]) -> None:
        """Change the document."""
        self.home.document = {**self.home.document, **changed}

    def login(self, issuer: str, scope: str, details: Any = None) -> Tokens:
        """Show where the user decides, and wait for the browser to come back."""
        return self.clients[issuer].login(scope, details, show=lambda url: tell(shows=url), patience=60)

    def device(self, issuer: str, scope: str, details: Any = None) -> Tokens:
        """Show a code, and poll."""

        def show(code: DeviceCode) -> None:
            tell(shows=asdict(code))

        return self.clients[issuer].device(scope, show, details)

    def evidence(self, issuer: str, tool: str, arguments: dict[str, Any]) -> dict[str, str]:
        """Make the member for one call."""
        return self.clients[issuer].evidence(tool, arguments)

    def hand_on(
        self, issuer: str, child: str, jkt: str, scope: str | None = None, details: Any = None
    ) -> str:
        """Make a handoff."""
        return self.clients[issuer].hand_on(child, jkt, scope, details)

    def take_over(self, issuer: str, handoff: str, scope: str | None = None, details: Any = None) -> Tokens:
        """Take a handoff over."""
        return self.clients[issuer].take_over(handoff, scope, details)

    def refresh(self, issuer: str) -> Tokens:
        """Renew the delegation."""
        return self.clients[issuer].refresh()

    def introspect(self, issuer: str) -> Any:
        """Ask what the delegation is worth."""
        return self.clients[issuer].introspect()

    def revoke(self, issuer: str) -> None:
        """Give it back."""
        self.clients[issuer].revoke()

    def post(self, issuer: str, path: str, form: dict[str, str], times: int = 1) -> list[Any]:
        """Send this very form, well authenticated, so many times at once: the JSON of each answer.

        It is what an agent does that plays by no rules but those that it cannot break.
        """
        url = issuer + path
        nonce = {"nonce": httpx2.post(url, **self._signed(url, form)).headers.get("dpop-nonce", "")}
        requests = [self._signed(url, form, nonce) for _ in range(times)]
        with ThreadPoolExecutor(times) as threads:
            answers = threads.map(lambda sent: httpx2.post(url, **sent), requests)
            return [answer.json() if answer.content else None for answer in answers]

    def _signed(
        self, url: str, form: dict[str, str], nonce: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        client_id, now = self.home.client_id, int(self.now)
        issuer = url.rpartition("/")[0]
        proven = {
            "client_id": client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self.key.assertion(client_id, issuer, now),
        }
        return {
            "data": {**form, **proven},
            "headers": {"dpop": self.key.proof("POST", url, now, **nonce or {})},
        }


_order = local()
_line = Lock()


def tell(**what: object) -> None:
    """Write what came of the order of this thread."""
    with _line:
        sys.stdout.write(json.dumps({"number": _order.number, **what}) + "\n")
        sys.stdout.flush()


def obey(agent: Agent, order: dict[str, Any]) -> None:
    """Do what an order says, and tell."""
    _order.number = order["number"]
    work: Callable[..., object] = getattr(agent, order["do"])
    try:
        done = work(order["issuer"], **order["given"])
        tell(did=asdict(done) if isinstance(done, Tokens) else done)
    except OAuthError as error:
        tell(refused=error.code)
    except AgentError as error:
        tell(refused=type(error).__name__)


def main() -> None:
    """Obey until stdin ends."""
    agent = Agent(sys.argv[1])
    _order.number = 0
    tell(did={"client_id": agent.home.client_id, "thumbprint": agent.key.thumbprint})
    for line in sys.stdin:
        order = json.loads(line)
        agent.now = order["now"]
        Thread(target=obey, args=(agent, order), daemon=True).start()


if __name__ == "__main__":
    main()
