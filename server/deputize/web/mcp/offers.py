"""Which tools there are over MCP, how they are listed, and what runs them (MCP-5)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from inspect import getdoc

import orjson

from ...protocol.canonical import Json
from ...protocol.credential import User
from ...protocol.definition import definition_s256
from ...protocol.ids import CallId, ClientId, GrantId
from ...protocol.policy import Policy
from ...protocol.scope import Scope, ScopeSet
from ...protocol.tool import Tool
from .progress import Progress

ANNOTATION = "io.modelcontextprotocol/verified-approval"


class ToolFailed(Exception):
    """Raised by a handler that has done nothing; its text is told to the agent."""


@dataclass(frozen=True, slots=True)
class HandledCall:
    """The call that a handler runs for: whose, by which agent (None: the user himself), under which grant.

    A public tool's has no `call_id`: it is nowhere recorded. `link` leads to the client that waits.
    """

    call_id: CallId | None
    user: User
    client_id: ClientId | None
    grant_id: GrantId | None
    scopes: ScopeSet
    link: Progress | None = field(default=None, repr=False, compare=False)

    def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Tell the client how far this is, if it wants to know; from any thread, at no cost (MCP-19).

        What does not exceed what was said before is not told. TypeError or ValueError for what is no number.
        """
        if self.link is not None:
            self.link.tell(progress, total, message)

    @property
    def cancelled(self) -> bool:
        """Tell whether the client has called this off, or its time is over (MCP-20).

        Who runs in a thread has to look; what is async is cancelled, too, as asyncio does it.
        """
        return self.link is not None and self.link.cancelled


Handler = Callable[[dict[str, Json], HandledCall], object]
"""Does what a tool does, for these arguments, as is or async; returns what the agent gets (`contents.told`)."""


@dataclass(frozen=True)
class Offer:
    """A tool as it is offered: by a handler here, or by an endpoint of the site's API."""

    tool: Tool
    handler: Handler | None
    scopes: Mapping[str, Scope]

    @property
    def description(self) -> str:
        """Return the words that tell an agent what the tool does."""
        return self.tool.summary or (getdoc(self.handler) if self.handler else None) or ""

    @cached_property
    def input_schema(self) -> dict[str, Json]:
        """Return the schema of the arguments; MCP wants one of each tool, and its `type` said, which is always one."""
        return {**(self.tool.input_schema.source if self.tool.input_schema else {}), "type": "object"}

    @cached_property
    def repeats_arguments(self) -> bool:
        """Tell whether headers may have to repeat arguments (2026-07-28)."""
        return b'"x-mcp-header"' in orjson.dumps(self.input_schema)

    @cached_property
    def definition_s256(self) -> str:
        """Hash the tool as it is listed (HASH-3)."""
        return definition_s256(self.tool.name, self.description, self.input_schema)

    def listed(self, approval: bool) -> dict[str, Json]:
        """Return the entry of `tools/list`, with the annotation where evidence of an approval may be needed (MCP-5)."""
        writes = any(self.scopes[name].writes for name in self.tool.scopes)
        entry: dict[str, Json] = {
            "name": self.tool.name,
            "description": self.description,
            "inputSchema": self.input_schema,
            "annotations": {"readOnlyHint": not writes},
        }
        if self.tool.title:
            entry["title"] = self.tool.title
        if self.tool.output_schema is not None:
            entry["outputSchema"] = self.tool.output_schema.source
        if approval:
            # The class is written out, since it is another one when it is left out (SEP-2672 §4.2).
            needed = {"required": "verified", "authenticatorClass": self.tool.authenticator_class.value}
            entry["_meta"] = {ANNOTATION: {**needed}}
        return entry


class Offers:
    """The tools of a policy that have an endpoint, and those that got a handler."""

    def __init__(self) -> None:
        """Offer those with an endpoint."""
        self._handlers: dict[str, Handler] = {}
        self._found: dict[str, Offer] = {}

    def handle(self, policy: Policy, name: str, handler: Handler) -> None:
        """Offer a tool of the policy, run by this; ValueError if it is none, or is offered already."""
        tool = policy.tools.get(name)
        if tool is None:
            raise ValueError(f"{name}: the policy declares no such tool")
        if tool.endpoint is not None or name in self._handlers:
            raise ValueError(f"{name}: this tool has an endpoint or a handler already")
        self._handlers[name] = handler

    def find(self, policy: Policy, name: str) -> Offer | None:
        """Find what is offered under this name; a policy that gives the tool an endpoint takes it from its handler."""
        tool = policy.tools.get(name)
        handler = self._handlers.get(name) if tool is not None and tool.endpoint is None else None
        if tool is None or (handler is None and tool.endpoint is None):
            return None
        found = self._found.get(name)
        if (
            found is None
            or found.tool is not tool
            or found.handler is not handler
            or found.scopes is not policy.scopes
        ):
            found = self._found[name] = Offer(tool, handler, policy.scopes)
        return found

    def handles(self, policy: Policy, name: str) -> bool:
        """Tell whether a function here does what this tool does, when it was allowed."""
        offer = self.find(policy, name)
        return offer is not None and offer.handler is not None

    def all(self, policy: Policy) -> list[Offer]:
        """List all that is offered, in the order of the policy."""
        return [offer for name in policy.tools if (offer := self.find(policy, name)) is not None]
