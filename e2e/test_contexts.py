"""Any page: every tool is gated or reported, whatever registers it, whoever calls it, and whichever script came first.

`TABLE` has what is expected of each page. Nobody is signed in there, so a call that meets the gate is `login_required`,
and nothing of the tool runs.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e import extension
from e2e.bank import join
from playwright.sync_api import BrowserContext, Page, Playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

import deputize
from deputize.testing.agent import CdpAgent, PlaywrightAgent
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site

ROOT = Path(__file__).parent.parent
SCRIPT = Path(__file__).with_suffix("").with_name("contexts.js")

POLICY = """
[site]
name = "Shop"
origin = "http://localhost:{port}"
[scopes."shop:sell"]
title = "Sell what you have"
[agents.opaque]
scopes = ["shop:sell"]
[tools.sell]
scopes = ["shop:sell"]
approval = "always"
executes = "page"
describe = "Sell it"
"""

SHIM = '<script src="/deputize/shim.js"></script>'
MODULE = "<script type=module>{} globalThis.deputize = deputize;</script>"
ORDERS = {
    "before": f"<script>begin()</script>{SHIM}",
    "after": f"{SHIM}<script>begin()</script>",
    "loaded": f"<script>document.addEventListener('DOMContentLoaded', begin)</script>{SHIM}",
    "module": f"{SHIM}<script type=module>begin()</script>",
    "later": SHIM,  # the test begins, when the page has come to rest
    # Imports run before what stands above them.
    "hoisted": MODULE.format(
        "import * as deputize from '/src/index.js'; deputize.install(); import '/begin.js';"
    ),
    "auto": MODULE.format(
        "import '/src/auto.js'; import '/begin.js'; import * as deputize from '/src/index.js';"
    ),
}
"""When the context arrives and the tool is registered in it: before the shim, after it, and so on."""


def bundled(package: str) -> str:
    """Return the script that a page loads of one of these packages."""
    return (ROOT / f"js/node_modules/@mcp-b/{package}/dist/index.iife.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Context:
    """What stands for WebMCP in a page: whether the browser does, which script, and who can call its tools."""

    native: bool
    script: Callable[[], str]
    callers: tuple[str, ...]
    framed: bool = False

    @property
    def told(self) -> str:
        return "native" if self.native else "polyfill"


CONTEXTS = {
    "native": Context(True, str, ("executeTool", "playwright", "devtools")),
    "polyfill": Context(False, lambda: bundled("webmcp-polyfill"), ("executeTool",)),
    "global": Context(False, lambda: bundled("global"), ("executeTool", "testing", "tab"), framed=True),
    "global over native": Context(
        True, lambda: bundled("global"), ("executeTool", "playwright", "tab"), framed=True
    ),
    "older draft": Context(False, lambda: "olderDraft()", ("executeTool",)),
    "posing over native": Context(True, lambda: "posing()", ("executeTool", "playwright", "devtools")),
}
"""Not here, and why: an extension has a browser of its own, `test_an_extension_meets_the_gate`. DevTools and Playwright
see the browser's own context alone: `test_drivers_find_nothing_where_the_browser_has_nothing`."""

Answer = list[dict[str, Any]]
"""What `unguarded()` says of tools: none, then all were gated; else they run, and that is reported."""

GATED: Answer = []
BARE: Answer = [{"name": "sell", "why": "not_gated", "where": "document.modelContext"}]
"""The browser keeps what was registered before the shim, or past it, and calls it by itself: it cannot be wrapped."""
FORM: Answer = [{"name": "sell", "why": "form", "where": "form"}]
"""The browser submits the form itself: no registration is to be met."""

EVERYWHERE = dict.fromkeys(ORDERS, GATED)
TABLE: dict[tuple[str, str], dict[str, Answer]] = {
    ("native", "script"): {**EVERYWHERE, "before": BARE, "hoisted": BARE},
    ("native", "react"): {"after": GATED, "auto": GATED},
    ("native", "form"): {"before": GATED, "after": GATED},
    ("native", "rewritten"): {"later": GATED},
    ("native", "prototype"): {"after": BARE},
    ("polyfill", "script"): EVERYWHERE,
    ("polyfill", "react"): {"before": GATED, "after": GATED},
    ("polyfill", "form"): {"before": GATED, "after": GATED},
    ("global", "script"): EVERYWHERE,
    ("global", "react"): {"before": GATED, "after": GATED},
    ("global", "form"): {"before": GATED, "after": GATED},
    ("global", "server"): {"before": GATED, "after": GATED},
    ("global over native", "script"): EVERYWHERE,
    ("global over native", "react"): {"before": GATED, "after": GATED},
    ("global over native", "form"): {"after": GATED},
    ("older draft", "script"): EVERYWHERE,
    ("older draft", "provide"): EVERYWHERE,
    ("older draft", "again"): {"after": GATED},
    ("posing over native", "script"): {"after": GATED, "later": GATED},
    ("posing over native", "react"): {"after": GATED},
}
CALLERS = {
    ("global", "server"): ("tab",),  # nobody else knows of it
    ("global over native", "form"): (
        "playwright",
    ),  # the others go through the server's methods, and meet the gate there
}
CELLS = [(*row, order) for row, orders in TABLE.items() for order in orders]
FRAMED = [
    cell
    for cell in CELLS
    if CONTEXTS[cell[0]].framed and cell[1] == "script" and cell[2] in ("before", "after")
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A shop, whose pages are made as their address says."""
    folder = tmp_path_factory.mktemp("shop")

    async def page(request: Request) -> Response:
        wanted = request.query_params
        context = CONTEXTS.get(wanted["context"], Context(False, str, ()))
        without = (
            "" if context.native else "delete Document.prototype.modelContext; delete window.ModelContext;"
        )
        head = f"""<!doctype html><html data-deputize-test="open"><title>Shop</title><body>
        <script src="/contexts.js"></script><script>const hasNative = {json.dumps(context.native)}; {without}
        const wanted = {json.dumps(wanted["by"])}; const arrive = () => {{ {context.script()} }};</script>"""
        return HTMLResponse(head + ORDERS[wanted["order"]])

    async def contexts(request: Request) -> Response:
        return Response(SCRIPT.read_text(encoding="utf-8"), media_type="text/javascript")

    async def begin(request: Request) -> Response:
        return Response("begin()", media_type="text/javascript")

    async def frame(request: Request) -> Response:
        register = "<script>document.modelContext.registerTool(tool('framed'))</script>"
        shim = SHIM if "gated" in request.query_params else ""
        return HTMLResponse(f'<script src="/contexts.js"></script>{shim}{register}')

    async def parent(request: Request) -> Response:
        at = f"http://localhost:{request.url.port}/?{request.url.query}"
        return HTMLResponse(f'<script src="/contexts.js"></script><iframe allow=tools src="{at}"></iframe>')

    def build(port: int) -> ASGIApp:
        (folder / "deputize.toml").write_text(POLICY.format(port=port), encoding="utf-8")
        authority = deputize.Deputize(folder / "deputize.toml", data=folder)
        pages = {"/": page, "/contexts.js": contexts, "/begin.js": begin, "/frame": frame, "/parent": parent}
        return Starlette(
            routes=[
                *authority.well_known_routes(),
                Mount("/deputize", authority),
                Mount("/src", StaticFiles(directory=ROOT / "js/src")),
                *(Route(path, handler) for path, handler in pages.items()),
            ],
            lifespan=authority.lifespan,
        )

    with Site(build) as site:
        yield site


def visit(shop: Site, tab: Page, context: str, by: str, order: str, framed: bool = False) -> Any:
    """Open the page, and return its frame once the tool is registered."""
    at = shop.url.replace("localhost", "127.0.0.1") + "/parent" if framed else shop.url
    tab.goto(f"{at}?context={context}&by={by}&order={order}")
    page = tab.frames[1] if framed else tab.main_frame
    if order == "later":
        page.evaluate("begin()")
    page.evaluate("registered")
    if (context, order) == ("older draft", "later"):
        # Nothing tells of an assignment: the shim looks for it now and then.
        page.wait_for_function("context().registerTool !== atFirst")
    return page


def call(tab: Page, page: Any, caller: str) -> Any:
    """Call the tool as one of its callers does, and return what came back, read as JSON."""
    match caller:
        case "playwright":
            answer = PlaywrightAgent(tab).call("sell", {"n": 1}).value
        case "devtools":
            answer = CdpAgent(tab).call("sell", {"n": 1}).value
        case "iframe":
            answer = tab.evaluate("overMessages(frames[0], 'mcp-iframe', 'sell')")
        case _:
            answer = page.evaluate(f"callers[{json.dumps(caller)}]()")
    return json.loads(answer) if isinstance(answer, str) and answer[:1] == "{" else answer


def code(answer: Any) -> str | None:
    """Return the reason of a refusal."""
    return answer["structuredContent"]["code"] if isinstance(answer, dict) and answer.get("isError") else None


@pytest.mark.parametrize(("context", "by", "order"), CELLS)
def test_a_tool_is_gated_or_reported(shop: Site, tab: Page, context: str, by: str, order: str) -> None:
    """SHIM-1, SHIM-9."""
    page = visit(shop, tab, context, by, order)
    expected = TABLE[context, by][order]
    for caller in CALLERS.get((context, by), CONTEXTS[context].callers):
        answer = call(tab, page, caller)
        assert (code(answer), page.evaluate("ran.splice(0)")) == (
            (None, ["sell"]) if expected else ("login_required", [])
        ), caller
    report = page.evaluate("deputize.unguarded()")
    assert (report["context"], report["tools"]) == (CONTEXTS[context].told, expected)


@pytest.mark.parametrize(("context", "by", "order"), FRAMED)
def test_a_parent_of_another_origin_meets_the_gate(
    shop: Site, tab: Page, context: str, by: str, order: str
) -> None:
    """SHIM-1: `@mcp-b/global` answers whoever frames the page."""
    page = visit(shop, tab, context, by, order, framed=True)
    assert code(call(tab, page, "iframe")) == "login_required"
    assert page.evaluate("ran") == []


@pytest.fixture(scope="module")
def extended(
    webmcp_playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """A Chromium with an agent that is an extension."""
    with extension.installed(webmcp_playwright, tmp_path_factory.mktemp("extension")) as context:
        yield context


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize(
    ("context", "way"),
    [("global", "call"), ("global over native", "call"), ("native", "callNatively")],
)
def test_an_extension_meets_the_gate(
    shop: Site, extended: BrowserContext, context: str, way: str, order: str
) -> None:
    """SHIM-1: over the transports of `@mcp-b`, or by what its script in the page has of the browser."""
    with extended.new_page() as tab, extension.agent(extended) as agent:
        page = visit(shop, tab, context, "script", order)
        answer = extension.call(agent, way, "sell")
        expected = TABLE[context, "script"][order]
        assert (code(answer), page.evaluate("ran")) == (
            (None, ["sell"]) if expected else ("login_required", [])
        )


@pytest.mark.parametrize(
    ("by", "why", "tools"),
    [("frame", "no_shim", ["framed"]), ("gated frame", None, None), ("other origin", "other_origin", None)],
)
def test_frames_are_told_of(shop: Site, tab: Page, by: str, why: str | None, tools: list[str] | None) -> None:
    """SHIM-9: each has a context of its own, which the shim in another window does not gate."""
    page = visit(shop, tab, "native", by, "after")
    where = f"{shop.url}/frame" if why == "no_shim" else None
    frames = [{"where": where, "why": why, "tools": tools}] if why else []
    assert page.evaluate("deputize.unguarded()") == {"context": "native", "tools": [], "frames": frames}


def test_frames_in_a_shadow_root_are_told_of(shop: Site, tab: Page) -> None:
    """SHIM-9: as far as they have tools, or frames that have."""
    page = visit(shop, tab, "native", "hidden frame", "after")
    frames = page.evaluate("deputize.unguarded()")["frames"]
    outer, inner = ({"where": "about:blank", "why": "no_shim", "tools": names} for names in ([], ["framed"]))
    assert frames == [outer, inner]


def test_where_there_is_no_webmcp_that_is_told(shop: Site, tab: Page) -> None:
    """SHIM-9: no tool, and no context that could have had one."""
    page = visit(shop, tab, "none", "script", "after")
    assert page.evaluate("'modelContext' in document || 'modelContext' in navigator") is False
    assert page.evaluate("deputize.unguarded()") == {"context": "none", "tools": [], "frames": []}


def test_drivers_find_nothing_where_the_browser_has_nothing(shop: Site, tab: Page) -> None:
    visit(shop, tab, "polyfill", "script", "after")
    assert list(PlaywrightAgent(tab).tools()) == list(CdpAgent(tab).tools()) == []


BOTH = [True, True]
NONE = [False, False]
KNOWN = [
    ("polyfill", "before", "executeTool", [True, False]),
    ("polyfill", "after", "executeTool", BOTH),
    ("global", "before", "tab", NONE),
    ("global", "after", "tab", BOTH),
    ("global over native", "before", "playwright", NONE),
    ("global over native", "after", "executeTool", BOTH),
    ("older draft", "before", "executeTool", [True, False]),
    ("older draft", "module", "executeTool", [True, False]),
]
"""Whether `client()` tells the caller, and whether `execute` gets it as well. Of what it had before the shim a context
drops the second argument; `@mcp-b/global` runs it in a later turn besides, where nothing tells whose call it is."""


def test_what_is_approved_is_one_call_and_runs_once(
    shop: Site, tab: Page, passkeys: Passkeys, human: Human
) -> None:
    """SHIM-1, SHIM-4: through however many hands; `client()` is the `client`, where execution began within its call."""
    passkeys.add()
    join(tab, f"{shop.url}/deputize")
    for number, (context, order, caller, known) in enumerate(KNOWN):
        page = visit(shop, tab, context, "script", order)
        open_call = PlaywrightAgent(tab).start("sell", {"n": 1}) if caller == "playwright" else None
        if open_call is None:
            page.evaluate(f"answer = callers[{json.dumps(caller)}](); 0")
        if number == 0:
            assert "act for you" in human.approve().text
        asked = human.approve()
        if (
            "otherwise now than when you last agreed" in asked.text
        ):  # by what this context keeps of it (GRANT-8)
            asked = human.approve()
        assert "Sell it" in asked.lines
        answer = open_call.result().value if open_call is not None else page.evaluate("answer")
        assert "sold 1" in json.dumps(answer), (context, order)
        assert page.evaluate("[ran, [told.known, told.given]]") == [["sell"], known], (context, order)
    assert human.sees() is None
