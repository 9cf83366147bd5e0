"""The developer is told in three places what is wrong with a page, and the cure: console, panel, authority's log."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from e2e.bank import join
from e2e.test_contexts import POLICY
from playwright.sync_api import ConsoleMessage, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

import deputize
from deputize.log.log import Log
from deputize.testing.agent import PlaywrightAgent
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site
from deputize.testing.waiting import until

TOOL = "document.modelContext.registerTool({{name: '{}', description: 'Sells.', execute: () => 'sold'}});"
SHIM = '<script src="/deputize/shim.js" data-deputize-overlay></script>'
ELSEWHERE = """<script type=module>import {{ install }} from '/deputize/shim.mjs';
install({{ issuer: 'http://localhost:{}/deputize', overlay: true }});
{}</script>"""
PINNED = f'[tools.pinned]\nscopes = ["shop:sell"]\nexecutes = "page"\npinned = "{"A" * 43}"\n'
PAGES = {
    "fine": f"{SHIM}<script>{TOOL.format('sell')}</script>",
    "tools": f"""<script>{TOOL.format("sell")}</script>{SHIM}
        <script>navigator.modelContext = {{ registerTool() {{}} }};{TOOL.format("sel")}{TOOL.format("pinned")}</script>
        <form id=pay toolname=pay tooldescription="Pays."><button>Pay</button></form>
        <iframe src="/shop/frame?secret=1"></iframe>""",
    "blocked": f"{SHIM}<script>{TOOL.format('sell')}</script>",
    "dead": ELSEWHERE.format(1, TOOL.format("sell")),
    "frame": f"<script>{TOOL.format('pay')}</script>",
}


class Shop:
    """A shop whose pages are wrong, each in a way of its own, and what its owner reads."""

    def __init__(self, folder: Path, origin_is: int | None = None) -> None:
        self._stream = io.BytesIO()
        self._log = Log(self._stream)
        self._folder = folder
        self._origin_is = origin_is

    def build(self, port: int) -> ASGIApp:
        """Make the app; its policy is for another port, if one is given."""
        self._folder.mkdir()
        policy = self._folder / "deputize.toml"
        policy.write_text(POLICY.format(port=self._origin_is or port) + PINNED, encoding="utf-8")
        authority = deputize.Deputize(policy, data=self._folder, log=self._log)

        async def page(request: Request) -> Response:
            name = request.path_params["name"]
            headers = {"content-security-policy": "connect-src 'none'"} if name == "blocked" else {}
            head = '<!doctype html><html data-deputize-test="open"><title>Shop</title><body>'
            return HTMLResponse(head + PAGES[name], headers=headers)

        routes = [*authority.well_known_routes(), Mount("/deputize", authority), Route("/shop/{name}", page)]
        return Starlette(routes=routes, lifespan=authority.lifespan)

    def said(self) -> list[dict[str, Any]]:
        """Read what pages have said."""
        assert self._log.flush(5)
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [line for line in lines if line["event"] == "page_says"]


@dataclass(frozen=True)
class Case:
    """What a page is told of itself: its findings, each with how its sentence begins, and whether the log has them."""

    page: str
    findings: tuple[tuple[str, str], ...] = ()
    logged: bool = True
    elsewhere: bool = False


CASES = [
    Case("fine"),
    Case(
        "tools",
        (
            ("not_gated", "The tool “sell” was registered in document.modelContext before the shim"),
            ("untold", "The tools of navigator.modelContext are not told by it"),
            ("form", "The tool “pay” is declared by form#pay"),
            ("frame", "The frame at {url}/shop/frame has tools and no shim"),
            ("unknown_tool", "The policy does not know the tool “pay”"),
            ("unknown_tool", "The policy does not know the tool “sel”"),
            ("definition_changed", "The tool “pinned” does not say what it said"),
        ),
    ),
    Case(
        "blocked",
        (("blocked", "The page’s Content-Security-Policy (connect-src) keeps the shim from {url}"),),
    ),
    Case(
        "fine",
        (("wrong_origin", "A page at {url} uses the authority http://localhost:1/deputize, which does not"),),
        elsewhere=True,
    ),
    Case(
        "dead",
        (("no_answer", "The authority http://localhost:1/deputize gives the page at {url} no answer"),),
        logged=False,
    ),
]


@contextmanager
def opened(case: Case, folder: Path) -> Iterator[tuple[Shop, Site]]:
    shop = Shop(folder / "shop", 1 if case.elsewhere else None)
    with Site(shop.build) as site:
        yield shop, site


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.page}{' elsewhere' * case.elsewhere}")
def test_a_developer_is_told_in_three_places(case: Case, tab: Page, tmp_path: Path) -> None:
    """PAGE-1, PAGE-2, PAGE-5."""
    told: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "warning" and message.text.startswith("deputize: "):
            told.append(message.text)

    tab.on("console", hear)
    with opened(case, tmp_path) as (shop, site):
        tab.goto(f"{site.url}/shop/{case.page}")
        panel = tab.locator("[data-deputize-panel]")
        panel.locator("summary").click()
        wrong = panel.locator(".findings li")
        expect(panel.locator(".tools li")).not_to_have_count(0)
        expect(wrong).to_have_count(len(case.findings))
        says: set[str] = set()
        for finding, begins in case.findings:
            item = wrong.filter(has_text=begins.format(url=site.url))
            sentence, cure = item.locator(".what").inner_text(), item.locator(".cure").inner_text()
            assert item.locator("code").inner_text() == finding
            says.add(f"deputize: {sentence} {cure}")
        until(tab, lambda: says <= {*told}, "the console says so")
        assert len(told) == len(case.findings)
        logged = sorted(finding for finding, _ in case.findings) if case.logged else []
        until(tab, lambda: sorted(line["finding"] for line in shop.said()) == logged, "the owner is told")
        assert "secret" not in json.dumps(shop.said())


def test_the_panel_shows_how_tools_are_gated_and_what_became_of_calls(
    tab: Page, passkeys: Passkeys, human: Human, tmp_path: Path, pictures: Path
) -> None:
    """PAGE-6: by keyboard, on a phone and in the dark, too."""
    passkeys.add()
    with Site(Shop(tmp_path / "shop").build) as site:
        join(tab, f"{site.url}/deputize")
        tab.goto(f"{site.url}/shop/fine")
        panel = tab.locator("[data-deputize-panel]")
        sell = panel.locator(".tools li")
        expect(panel.locator("summary")).to_have_text("deputizeTools: 1")
        expect(sell).to_be_hidden()
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        expect(sell).to_contain_text("scopes = shop:sell")
        expect(sell).to_contain_text("approval = always · executes = page")
        expect(sell).to_contain_text("Not granted")
        expect(panel).to_contain_text("Signed in: Grace Hopper")
        agent = PlaywrightAgent(tab)
        call = agent.start("sell", {})
        human.decline()
        assert call.result().code == "consent_declined"
        call = agent.start("sell", {})
        human.approve()
        human.approve()
        assert not call.result().refused
        calls = panel.locator(".calls li")
        expect(calls).to_have_count(2)
        expect(calls.first).to_contain_text(re.compile(r"^sellran\d\d:\d\d:\d\d · by an agentcal_[\w-]{22}$"))
        expect(calls.last).to_contain_text("consent_declined")
        expect(sell).to_contain_text("Granted to the agent in this browser")
        tab.screenshot(path=pictures / "panel.png")
        larger = {"fontSizes": {"standard": 32}}  # the user's, twice as large as usual
        tab.context.new_cdp_session(tab).send("Page.setFontSizes", larger)
        for part, size in {"details": "26px", "h2": "24.375px", "li code": "26px"}.items():
            expect(panel.locator(part).first).to_have_css("font-size", size)
        tab.screenshot(path=pictures / "panel-large.png")
        tab.set_viewport_size({"width": 360, "height": 640})
        tab.emulate_media(color_scheme="dark")
        tab.screenshot(path=pictures / "panel-phone.png")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        tab.reload()
        expect(sell).to_be_visible()  # as it was left
