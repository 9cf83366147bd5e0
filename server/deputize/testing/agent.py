"""Agents that others have made: Playwright's own WebMCP client, and the bare DevTools protocol.

Neither passes through anything that the page or the shim has patched. Both can wait for a result (`call`), or
leave it open while the test acts as the human (`start`).
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from playwright.sync_api import CDPSession, Error, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from .waiting import TooLong, until

PATIENCE = 30.0
"""Seconds that an agent waits for a tool, as Playwright's client does by default."""


class StoppedWaiting(Exception):
    """The agent waits no longer. The tool does not learn of that, as with real agents."""


class CallFailed(Exception):
    """The tool threw, was cancelled, or is not registered. A refusal is a result, and does not raise this."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What an agent got: `value`, as the tool returned it."""

    value: Any

    @property
    def refused(self) -> bool:
        """Tell whether `isError` is true in it."""
        return isinstance(self.value, Mapping) and self.value.get("isError") is True

    @property
    def structured(self) -> Mapping[str, Any]:
        """Return `structuredContent`, empty if there is none."""
        found = self.value.get("structuredContent") if isinstance(self.value, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    @property
    def code(self) -> str | None:
        """Return the reason code of a refusal, None for a success."""
        return str(self.structured.get("code")) if self.refused else None

    @property
    def correlation_id(self) -> str | None:
        """Return the id under which record and log have a refused call, None if it has none."""
        found = self.structured.get("correlation_id")
        return None if found is None else str(found)

    @property
    def text(self) -> str:
        """Return what a model would read: the text parts of `content`, or the value as JSON."""
        if isinstance(self.value, str):
            return self.value
        content = self.value.get("content") if isinstance(self.value, Mapping) else None
        if not isinstance(content, list):
            return json.dumps(self.value)
        return "\n".join(part["text"] for part in content if part.get("type") == "text")


class OpenCall:
    """A call that an agent has made, answered or not."""

    def __init__(self, page: Page, patience: float) -> None:
        """Made by `Agent.start`."""
        self._page = page
        self._until = time.monotonic() + patience
        self._answer: ToolResult | Exception | None = None

    @property
    def answered(self) -> bool:
        """Tell whether it has ended, with a result or an error."""
        return self._answer is not None

    def result(self) -> ToolResult:
        """Wait for the result.

        Raises:
            StoppedWaiting: the agent's patience is over.
            CallFailed: the tool did not come to a result.
        """
        # A second more than the agent waits itself, so that its own error arrives first.
        patience = max(self._until - time.monotonic(), 0) + 1
        try:
            until(self._page, lambda: self.answered, "an answer", patience)
        except TooLong as error:
            raise StoppedWaiting(str(error)) from error
        if isinstance(self._answer, Exception):
            raise self._answer
        assert self._answer is not None
        return self._answer

    def settle(self, answer: ToolResult | Exception) -> None:
        """Note how it ended; the first answer stays."""
        self._answer = self._answer or answer


class Agent(Protocol):
    """Whoever calls tools of a page."""

    def tools(self) -> list[str]:
        """List the names of the page's tools."""

    def start(
        self, tool: str, input: Mapping[str, object] | None = None, *, patience: float = PATIENCE
    ) -> OpenCall:
        """Call a tool, and return at once."""

    def call(
        self, tool: str, input: Mapping[str, object] | None = None, *, patience: float = PATIENCE
    ) -> ToolResult:
        """Call a tool, and return its result. StoppedWaiting after `patience` seconds, or CallFailed."""
        return self.start(tool, input, patience=patience).result()


class PlaywrightAgent(Agent):
    """Playwright's own client, `page.webmcp`, which works from an isolated world."""

    def __init__(self, page: Page) -> None:
        """Act on this page's main frame."""
        self._page = page
        # Never detached: when a page loses any session, Chromium drops its virtual authenticators.
        self._session = page.context.new_cdp_session(page)

    def tools(self) -> list[str]:
        """List the names of the page's tools."""
        return [tool["name"] for tool in self._page.webmcp.tools()]

    def start(
        self, tool: str, input: Mapping[str, object] | None = None, *, patience: float = PATIENCE
    ) -> OpenCall:
        """Call a tool, and return at once."""
        call = OpenCall(self._page, patience)
        _beside(self._session, lambda: call.settle(self._answer(tool, input or {}, patience)))
        return call

    def _answer(self, tool: str, input: Mapping[str, object], patience: float) -> ToolResult | Exception:
        """Call a tool, and return how that ended."""
        try:
            return ToolResult(self._page.webmcp.call_tool(tool, dict(input), timeout=patience * 1000))
        except PlaywrightTimeoutError as error:
            return StoppedWaiting(str(error))
        except Error as error:
            return CallFailed(str(error))


class CdpAgent(Agent):
    """The DevTools protocol itself, `WebMCP.invokeTool`, as other clients of Chromium use it."""

    def __init__(self, page: Page) -> None:
        """Act on this page's main frame."""
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._frame: str = self._session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        self._tools: dict[str, dict[str, Any]] = {}
        self._open: dict[str, OpenCall] = {}
        self._session.on("WebMCP.toolsAdded", self._added)
        self._session.on("WebMCP.toolsRemoved", self._removed)
        self._session.on("WebMCP.toolResponded", self._responded)
        self._session.send("WebMCP.enable")

    def tools(self) -> list[str]:
        """List the names of the page's tools."""
        return sorted(self._tools)

    def start(
        self, tool: str, input: Mapping[str, object] | None = None, *, patience: float = PATIENCE
    ) -> OpenCall:
        """Call a tool, and return at once."""
        call = OpenCall(self._page, patience)
        # Newer protocols know tools by an id, since a page may replace one under the same name.
        known = self._tools.get(tool, {})
        named = {"toolId": known["toolId"]} if "toolId" in known else {"toolName": tool}
        try:
            answer = self._session.send(
                "WebMCP.invokeTool", {"frameId": self._frame, "input": dict(input or {}), **named}
            )
        except Error as error:
            call.settle(CallFailed(str(error)))
        else:
            self._open[answer["invocationId"]] = call
        return call

    def cancel(self, call: OpenCall) -> None:
        """Cancel a call, which aborts the signal that the tool was given."""
        for invocation, known in self._open.items():
            if known is call:
                self._session.send("WebMCP.cancelInvocation", {"invocationId": invocation})

    def _added(self, event: dict[str, Any]) -> None:
        self._tools.update({t["name"]: t for t in event["tools"] if t["frameId"] == self._frame})

    def _removed(self, event: dict[str, Any]) -> None:
        for tool in event["tools"]:
            if tool["frameId"] == self._frame:
                self._tools.pop(tool["name"], None)

    def _responded(self, event: dict[str, Any]) -> None:
        call = self._open.get(event["invocationId"])
        if call is None:
            return  # another client's
        if event["status"] == "Completed":
            call.settle(ToolResult(event.get("output")))
        else:
            reason = event.get("exception", {}).get("description") or event.get("errorText")
            call.settle(CallFailed(reason or event["status"]))


def _beside(session: CDPSession, work: Callable[[], None]) -> None:
    """Begin `work` at once; while it waits for Playwright, the test goes on.

    Playwright runs each handler of an event in a greenlet of its own, which may wait. So this makes an event happen
    that no page notices.
    """
    session.once("Target.targetCreated", lambda _: work())
    session.send("Target.setDiscoverTargets", {"discover": True})
    session.send("Target.setDiscoverTargets", {"discover": False})
