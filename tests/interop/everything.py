"""A site of handlers, as the official conformance suite of MCP wants one: a tool for each kind of answer."""

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from mcp_types import (
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)
from starlette.applications import Starlette
from tests.bank import mounted

from deputize import settings
from deputize.app import Deputize, HandledCall, ToolFailed

PNG = b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f0005"
        "0001ff56c72f0d0000000049454e44ae426082"
    )
).decode()
WAV = b64encode(b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0@\x1f\0\0\1\0\x08\0data\0\0\0\0").decode()
_DIALECT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
_REGION = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
POLICY = """
[site]
name = "Everything"
origin = "{origin}"
[mcp]
single_user = "ada"
[quotas]
entries = false
[scopes."all:read"]
title = "Try everything"
writes = false
"""


def build(port: int, folder: Path) -> Starlette:
    """Make the site."""
    policy = settings.loads(POLICY.format(origin=f"http://localhost:{port}").encode())
    deputize = Deputize(policy, folder)

    def offered(name: str, run: Any, schema: Any = None) -> None:
        """Declare a tool that needs a scope and is recorded, as those of a site are, and let this run it."""
        more = {} if schema is None else {"input_schema": schema}
        deputize.tool(name=name, scopes=["all:read"], summary=name.replace("_", " "), **more)(lambda _: name)
        deputize.handler(name)(run)

    text = TextContent(text="Multiple content types test:")
    image = ImageContent(data=PNG, mime_type="image/png")
    resource = EmbeddedResource(
        resource=TextResourceContents(
            uri="test://embedded-resource", mime_type="text/plain", text=json.dumps({"test": "data"})
        )
    )

    async def progress(arguments: object, call: HandledCall) -> str:
        for done in (0, 50, 100):
            call.progress(done, 100, f"{done} of 100")
            await asyncio.sleep(0.05)  # as the suite asks for it
        return "Done."

    def fails(arguments: object, call: HandledCall) -> object:
        raise ToolFailed("This tool intentionally returns an error for testing")

    offered("test_simple_text", lambda *_: "This is a simple text response for testing.")
    offered("test_image_content", lambda *_: image)
    offered("test_audio_content", lambda *_: AudioContent(data=WAV, mime_type="audio/wav"))
    offered("test_embedded_resource", lambda *_: resource)
    offered("test_multiple_content_types", lambda *_: [text, image, resource])
    offered("test_tool_with_progress", progress)
    offered("test_streaming_elicitation", progress)  # what goes over the stream is no question
    offered("test_logging_tool", lambda *_: "Nothing is logged.")
    offered("test_error_handling", fails)
    offered("json_schema_2020_12_tool", lambda *_: "Valid.", _DIALECT)
    offered("test_x_mcp_header", lambda arguments, _: arguments, _REGION)
    return mounted(deputize)
