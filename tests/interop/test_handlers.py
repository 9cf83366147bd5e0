"""Handlers by the official TypeScript client, in both lives: content, progress, what is called off (MCP-18, MCP-20).

The tests are those of `js/interop/handlers.js`, which run in one process of Node; each is told here under its own name.
"""

import asyncio
import re
from base64 import b64encode
from typing import Any

import pytest
from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from tests.interop.test_mcp_client import JS, Users, ran
from tests.web.mcp.conftest import LiveBank

from deputize.app import HandledCall

SOURCE = (JS / "interop/handlers.js").read_text()
NAMES = re.findall(r"^test\('(.+?)', ", SOURCE, re.MULTILINE)
BYTES = b64encode(b"\0\1\2").decode()
EVERYTHING: list[ContentBlock] = [
    TextContent(text="Here:"),
    ImageContent(data=BYTES, mime_type="image/png"),
    AudioContent(data=BYTES, mime_type="audio/wav"),
    ResourceLink(uri="https://bank.example/2026.pdf", name="2026"),
    EmbeddedResource(resource=TextResourceContents(uri="bank://2026", text="…")),
]
SHOWN: dict[str, Any] = {"type": "object", "required": ["shown"], "properties": {"shown": {"type": "number"}}}


class Showing(Users):
    """Users of a bank that has a tool to show things, and what the process of Node wants to know of it."""

    def __init__(self, bank: LiveBank) -> None:
        super().__init__(bank)
        self.goes_on, self.begun = asyncio.Event(), asyncio.Event()
        bank.deputize.tool(name="show", scopes=["account:read"], output_schema=SHOWN)(lambda _: "Show")
        bank.deputize.handler("show")(self.show)

    async def show(self, arguments: Any, call: HandledCall) -> object:
        match arguments["what"]:
            case "everything":
                return CallToolResult(content=EVERYTHING, structured_content={"shown": 5})
            case "progress":
                self.goes_on.clear()
                call.progress(1, 2, "half")
                await self.goes_on.wait()
                return {"shown": 1}
            case "for ever":
                self.begun.set()
                await asyncio.Event().wait()
        return {}

    async def go_on(self) -> object:
        """Let what has told of its progress end."""
        self.goes_on.set()
        return {}

    async def began(self) -> object:
        """Tell when what never ends has begun."""
        await self.begun.wait()
        self.begun.clear()
        return {}

    async def became(self) -> object:
        """Tell what the record has of the last call, when it was called off."""
        kind = self.bank.last()["kind"]
        while kind == "call.redeemed":
            await asyncio.sleep(0)
            kind = self.bank.last()["kind"]
        return kind


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Serve a bank and run all tests against it: what became of each, by its name."""
    return ran("interop/handlers.js", tmp_path_factory.mktemp("bank"), Showing)


def test_each_test_has_a_name_of_its_own() -> None:
    assert len(NAMES) == len(set(NAMES)) == SOURCE.count("\ntest(") == 8


@pytest.mark.parametrize("name", NAMES)
def test_the_client_gets_on(told: dict[str, str], name: str) -> None:
    assert told[name].startswith("ok "), told[name]
