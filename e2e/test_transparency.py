"""With the shim, WebMCP is what it is without, for tools that the policy has as public: told in one page of each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

import deputize
from deputize.testing.server import Site

SCRIPT = Path(__file__).with_name("transparency.js")
NAMES = ("search", "other", '"a.b-c_d"', '"5"')
POLICY = """
[site]
name = "Shop"
origin = "http://localhost:{port}"
""" + "".join(f"[tools.{name}]\npublic = true\n" for name in NAMES)

SHIM = '<script src="/deputize/shim.js"></script>'


@pytest.fixture
def shop(serve: Callable[..., Site], tmp_path: Path) -> Site:
    """A page with the shim, and at /bare the same without."""

    async def page(request: Request) -> Response:
        shim = "" if request.url.path == "/bare" else SHIM
        return HTMLResponse(
            f"<!doctype html><body>{shim}<script>{SCRIPT.read_text(encoding='utf-8')}</script>"
        )

    def build(port: int) -> ASGIApp:
        (tmp_path / "deputize.toml").write_text(POLICY.format(port=port), encoding="utf-8")
        authority = deputize.Deputize(tmp_path / "deputize.toml", data=tmp_path)
        return Starlette(
            routes=[
                *authority.well_known_routes(),
                Mount("/deputize", authority),
                Route("/", page),
                Route("/bare", page),
            ],
            lifespan=authority.lifespan,
        )

    return serve(build)


def met(tab: Page, url: str) -> dict[str, Any]:
    tab.goto(url)
    told: dict[str, Any] = json.loads(tab.evaluate("all()"))
    return told


READ_ON = (
    "a hint that throws",
    "a description that throws",
    "a name that throws as text",
    "a title that throws",
    "a schema that throws",
    "execute that is missing, and what is read then",
)
"""What the gate does not know to be no tool, it reads to the end: its options, too, and its schema."""


def known(name: str, told: Any, bare: Any) -> Any:
    """Return what was told, but for what is known to differ."""
    if name in READ_ON:
        told[0] = told[0][: len(bare[0])]
    if name in READ_ON or name.startswith("registering"):
        # Whether a registration fails the gate hears first, and hands it on: some microtasks later.
        told = json.loads(json.dumps(told).replace('"at once"', '"later"'))
    if name == "what is listed":
        # A schema declares the member for evidence, or agents would drop it (EVID-1).
        for members, _, tool in told:
            schema = tool.get("inputSchema", {"properties": {}})
            schema["properties"].pop("deputize_delegation", None)
            if schema == {"type": "object", "properties": {}}:
                del tool["inputSchema"]
                members.remove("inputSchema")
    return told


def test_public_tools_are_as_without_the_shim(shop: Site, tab: Page) -> None:
    """Results, errors in the browser's words, the order in which members are read, and what is settled at once."""
    bare = met(tab, f"{shop.url}/bare")
    gated = met(tab, shop.url)
    assert tab.evaluate("typeof deputize") == "object"
    assert bare["a call aborted before"] == ["rejected", "mine", "at once"]
    differing = {
        name: (bare[name], gated[name])
        for name in bare
        if known(name, gated[name], bare[name]) != known(name, bare[name], bare[name])
    }
    assert differing == {}
    assert list(gated) == list(bare)
