"""A page whose script brings WebMCP along works where the browser has none, and leaves a browser's own alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.marionette import Firefox
from playwright.sync_api import Page, Playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

import deputize
from deputize.testing import chromium
from deputize.testing.agent import Agent
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site

POLICY = """
[site]
name = "Shop"
origin = "http://localhost:{port}"
[scopes."shop:sell"]
title = "Sell what you have"
[agents.opaque]
scopes = ["shop:sell"]
[tools.look]
public = true
[tools.sell]
scopes = ["shop:sell"]
approval = "always"
executes = "page"
describe = "Sell it"
[tools.price]
scopes = ["shop:sell"]
executes = "page"
"""
PAGE = """<!doctype html><html lang="en" data-deputize-test="open"><title>Shop</title>
<script src="/deputize/shim-polyfill.js"></script><body class=shop><h1>Shop</h1><script>
window.ran = [];
for (const name of ['look', 'sell', 'price', 'unknown']) {
  const inputSchema = { type: 'object', properties: {} };
  const execute = () => { ran.push(name); return { content: [{ type: 'text', text: name }] }; };
  document.modelContext.registerTool({ name, description: name, inputSchema, execute });
}
window.call = async (name) => {
  const tool = (await document.modelContext.getTools()).find((each) => each.name === name);
  return JSON.parse(await document.modelContext.executeTool(tool, {}));
};
window.begin = (name) => { window.answer = null; call(name).then((answer) => { window.answer = answer; }); };
</script></html>"""
CODE = "return (await call(arguments[0])).structuredContent?.code ?? null"
ANSWER = (
    "while (!answer) await new Promise((resolve) => setTimeout(resolve, 10)); return answer.content[0].text"
)
APPROVE = """
const dialog = () => document.querySelector("[data-deputize]")?.shadowRoot.querySelector("dialog[data-state=ready]");
const find = (what) => dialog()?.querySelector(what);
while (!find('.approve[aria-disabled=false]')) {
  find('[data-end]')?.scrollIntoView();
  await new Promise((resolve) => setTimeout(resolve, 10));
}
return find('.approve')"""
LOGIN, UNKNOWN = "login_required", "unknown_tool"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A shop with a page that has the polyfill."""
    folder = tmp_path_factory.mktemp("shop")

    async def page(request: Request) -> Response:
        return HTMLResponse(
            PAGE, headers={"Origin-Agent-Cluster": "?1"}
        )  # WebMCP is for origins of their own only

    def build(port: int) -> ASGIApp:
        (folder / "deputize.toml").write_text(POLICY.format(port=port), encoding="utf-8")
        authority = deputize.Deputize(folder / "deputize.toml", data=folder)
        routes = [*authority.well_known_routes(), Mount("/deputize", authority), Route("/", page)]
        return Starlette(routes=routes, lifespan=authority.lifespan)

    with Site(build) as site:
        yield site


def test_firefox(shop: Site, tmp_path: Path) -> None:
    """Agents find the tools and call them; what nobody allowed is refused, and what the user approved runs."""
    with Firefox(tmp_path) as firefox:
        firefox.goto(shop.url)
        assert firefox.run("return (await deputize.unguarded()).context") == "polyfill"
        assert firefox.run(CODE, "look") is None
        assert [firefox.run(CODE, tool) for tool in ("price", "sell", "unknown")] == [LOGIN, LOGIN, UNKNOWN]
        assert firefox.run("return ran") == ["look"]
        firefox.add_passkeys()
        firefox.goto(f"{shop.url}/deputize/account?return_to=/")
        firefox.type("return document.querySelector('input')", "Ada")
        firefox.click("return document.querySelector('form button')")
        firefox.until("return document.body.className === 'shop'")
        for tool in ("price", "sell"):
            firefox.run("begin(arguments[0])", tool)
            firefox.click(APPROVE)
            assert firefox.run(ANSWER) == tool
        assert firefox.run("return ran") == ["price", "sell"]
        assert firefox.run(CODE, "price") is None


@pytest.fixture
def plain(webmcp_playwright: Playwright) -> Iterator[Page]:
    """A page of a Chromium in which nobody has switched WebMCP on."""
    browser = webmcp_playwright.chromium.launch(executable_path=chromium.find(), chromium_sandbox=False)
    yield browser.new_page()
    browser.close()


def test_chromium_without_the_flag(shop: Site, plain: Page) -> None:
    """As in Firefox: the page is the same."""
    human = Human(plain)
    Passkeys(plain).add()
    plain.goto(shop.url)
    code = f"async function (tool) {{ {CODE} }}"
    assert plain.evaluate("async () => (await deputize.unguarded()).context") == "polyfill"
    assert plain.evaluate(code, "look") is None
    assert [plain.evaluate(code, tool) for tool in ("price", "sell", "unknown")] == [LOGIN, LOGIN, UNKNOWN]
    plain.goto(f"{shop.url}/deputize/account?return_to=/")
    plain.get_by_label("Your name").fill("Ada")
    plain.get_by_role("button", name="Create an account with a passkey").click()
    plain.locator("body.shop").wait_for()
    for tool in ("price", "sell"):
        plain.evaluate("(tool) => begin(tool)", tool)
        human.approve()
        assert plain.evaluate(f"async () => {{ {ANSWER} }}") == tool
    assert plain.evaluate("ran") == ["price", "sell"]
    assert plain.evaluate(code, "price") is None


def test_a_browser_that_has_webmcp_keeps_its_own(shop: Site, tab: Page, agent: Agent) -> None:
    tab.goto(shop.url)
    assert "native code" in tab.evaluate(
        "String(Object.getOwnPropertyDescriptor(Document.prototype, 'modelContext').get)"
    )
    assert tab.evaluate("async () => (await deputize.unguarded()).context") == "native"
    assert agent.call("price").code == LOGIN
