"""Attested agents as the tests see them: each in a process of its own, told what to do over a pipe."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from e2e.bank import Bank
from playwright.sync_api import Page

from deputize.testing.human import Human
from deputize.testing.passkeys import Authenticator

_ROOT = Path(__file__).parents[1]
_PATIENCE = 40.0  # seconds for one answer; a device waits five of them before it asks
_ARRIVED = "http://127.0.0.1:*/callback*"
ASK = "account:read payments:write"
CLOSED = "list_transactions"  # the tool that the policy closes to opaque agents
OPEN = f'[tools.{CLOSED}]\ntitle = "List your transactions"\nscopes = ["account:read"]\n'
Details = list[dict[str, Any]]


class RefusedError(Exception):
    """The authority said no to the agent, which tells the OAuth error code."""


class AgentProcess:
    """One agent, which is there for a whole module: it has a key, an origin and no memory of other banks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "e2e.agent_process", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        self._told: SimpleQueue[str] = SimpleQueue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self._orders = 0
        born = self.answer(0)
        self.client_id: str = born["client_id"]
        self.thumbprint: str = born["thumbprint"]

    @property
    def origin(self) -> str:
        """Return where its document is."""
        return self.client_id.removesuffix("/agent.json")

    def order(self, do: str, issuer: str, now: float, given: Mapping[str, object]) -> int:
        """Tell it to do something, and do not wait; return the number of the order."""
        assert self._process.stdin is not None
        self._orders += 1
        order = {"number": self._orders, "do": do, "issuer": issuer, "now": now, "given": given}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._orders

    def answer(self, number: int) -> Any:
        """Wait for what it tells next of an order; RefusedError if the authority said no to it."""
        while True:
            line = self._told.get(timeout=_PATIENCE)
            assert line, f"the process of {self.name} has ended"
            match json.loads(line):
                case {"number": other} if other != number:
                    pass  # of a test that has failed
                case {"shows": shown}:
                    return shown
                case {"refused": str(code)}:
                    raise RefusedError(code)
                case {"did": done}:
                    return done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it: it goes when there are no orders any more."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_PATIENCE)
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._told.put(line)
        self._told.put("")


def policy(*processes: AgentProcess) -> str:
    """Let agents of these origins in, with Harbor's transfers; one tool is for such agents only."""
    return f"""
[tools.{CLOSED}]
scopes = ["account:read"]
opaque = false

[agents]
development = true

[agents.origin]
allow = {json.dumps([process.origin for process in processes])}
scopes = {json.dumps(ASK.split())}
"""


class Begun:
    """What an agent has begun."""

    def __init__(self, process: AgentProcess, number: int) -> None:
        self._process = process
        self._number = number

    def tells(self) -> Any:
        """Wait for what it tells next: what the user is to see, and then what came of it. RefusedError."""
        return self._process.answer(self._number)


@dataclass(frozen=True)
class Attested:
    """An agent at one bank. What it does is told by `e2e/agent_process.py`."""

    process: AgentProcess
    bank: Bank
    clock: Callable[[], float]

    @property
    def client_id(self) -> str:
        return self.process.client_id

    @property
    def callback(self) -> str:
        """Return where redirects can go that a test wants to see itself."""
        return f"http://127.0.0.1:{self.process.origin.rpartition(':')[2]}/callback"

    def begins(self) -> Self:
        """Forget what was before."""
        self("begin")
        return self

    def start(self, do: str, **given: object) -> "Begun":
        """Begin something in which the user has a part."""
        return Begun(self.process, self.process.order(do, self.bank.issuer, self.clock(), given))

    def __call__(self, do: str, **given: object) -> Any:
        """Do something; RefusedError."""
        return self.start(do, **given).tells()

    def member(self, tool: str, arguments: Mapping[str, object] | None = None) -> str:
        """Make evidence for one call."""
        return str(self("evidence", tool=tool, arguments=dict(arguments or {}))["deputize_delegation"])

    def input(self, tool: str, arguments: Mapping[str, object] | None = None) -> dict[str, object]:
        """Make the input of one call: arguments and evidence."""
        return {**(arguments or {}), "deputize_delegation": self.member(tool, arguments)}

    def hands_on(self, child: "Attested", **narrowed: object) -> str:
        """Make a handoff for a sub-agent."""
        return str(self("hand_on", child=child.client_id, jkt=child.process.thumbprint, **narrowed))

    def posts(self, path: str, **form: str) -> dict[str, Any]:
        """Send a form of its own, well authenticated."""
        (answer,) = self("post", path=path, form=form)
        assert isinstance(answer, dict)
        return answer


@dataclass(frozen=True)
class Principal:
    """A customer who is signed in at a bank that lets attested agents in."""

    bank: Bank
    tab: Page
    device: Authenticator
    human: Human

    def goes_home(self) -> None:
        """Look at the bank's page, with its tools."""
        self.tab.goto(self.bank.url)
        self.tab.get_by_text("Current account").wait_for()
        self.tab.wait_for_load_state()

    def reads(self, url: str) -> str:
        """Open the consent page; return what it says."""
        self.tab.goto(url)
        self.tab.get_by_role("button", name="Allow with passkey").wait_for()
        return self.tab.locator("main").inner_text()

    def allows(self) -> dict[str, str]:
        """Read to the end, and allow with the passkey; return what the redirect to the agent carries."""
        self.tab.locator("[data-end]").scroll_into_view_if_needed()
        self.tab.get_by_role("button", name="Allow with passkey").click()
        self.tab.wait_for_url(_ARRIVED)
        return dict(parse_qsl(urlsplit(self.tab.url).query))

    def deputizes(self, agent: Attested, scope: str = ASK, details: Details | None = None) -> Any:
        """Deputize an agent on the consent page, and come back; return its tokens."""
        login = agent.start("login", scope=scope, details=details)
        self.reads(login.tells())
        self.allows()
        tokens = login.tells()
        self.goes_home()
        return tokens
