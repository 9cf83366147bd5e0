"""What a call needs comes second, from where page script could lead it elsewhere (SHIM-14)."""

from collections.abc import Callable
from pathlib import Path

from e2e.bank import TRANSFER, Bank, Customer, join
from playwright.sync_api import Page, Route
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.routing import Route as Served
from starlette.types import ASGIApp

import deputize
from deputize.testing.agent import Agent, PlaywrightAgent
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site

ELSEWHERE = "**/deputize/parts/asking.*"
THEIRS = "export default function(take,give){window.taken=take;give({asking:()=>window.asked=true})}"


def test_it_is_there_before_the_first_call(bank: Bank, tab: Page) -> None:
    """A question waits for no network: it is loaded when the first tool is registered."""
    with tab.expect_response(ELSEWHERE) as came:
        tab.goto(bank.url)
    assert came.value.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_another_file_in_its_place_gets_nothing_and_nothing_runs(customer: Customer) -> None:
    tab = customer.tab
    tab.route(ELSEWHERE, lambda route: route.fulfill(content_type="text/javascript", body=THEIRS))
    with tab.expect_console_message(
        lambda message: "another file than the shim was built with" in message.text
    ):
        tab.reload()
    call = customer.agent.start("transfer_money", TRANSFER)
    assert call.result().code == "part_unavailable"
    assert tab.evaluate("[typeof taken, typeof asked]") == ["undefined", "undefined"]
    assert customer.bank.nothing_happened()


WORKER = f"""addEventListener("fetch", (event) => {{
  if (!event.request.url.includes("/deputize/parts/")) return;
  const headers = {{ "content-type": "text/javascript" }};
  event.respondWith(new Response({THEIRS!r}, {{ headers }}));
}});"""
GUARDED = """<!doctype html><script src="/deputize/shim.js"></script><script>
  ran = [];
  const execute = () => ran.push("sell");
  document.modelContext.registerTool({ name: "sell", description: "Sells.", execute });
</script>"""
POLICY = """[site]
name = "Shop"
origin = "http://localhost:{port}"
[scopes.sell]
title = "Sell"
[tools.sell]
scopes = ["sell"]
executes = "page"
describe = "Sell it"
"""


def test_a_service_worker_of_the_page_leads_nowhere(
    serve: Callable[..., Site], tmp_path: Path, tab: Page, passkeys: Passkeys
) -> None:
    """It answers for every address of its origin, and so for the authority's that is mounted there."""

    async def page(_: Request) -> Response:
        return HTMLResponse(GUARDED)

    async def worker(_: Request) -> Response:
        return Response(WORKER, media_type="text/javascript")

    def build(port: int) -> ASGIApp:
        (tmp_path / "deputize.toml").write_text(POLICY.format(port=port), encoding="utf-8")
        authority = deputize.Deputize(tmp_path / "deputize.toml", data=tmp_path)
        routes = [*authority.well_known_routes(), Mount("/deputize", authority)]
        routes += [Served("/worker.js", worker), Served("/", page)]
        return Starlette(routes=routes, lifespan=authority.lifespan)

    shop = serve(build)
    passkeys.add()
    join(tab, f"{shop.url}/deputize")
    tab.goto(shop.url)
    tab.evaluate("navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.ready)")
    with tab.expect_console_message(
        lambda message: "another file than the shim was built with" in message.text
    ):
        tab.reload()
    assert tab.evaluate("navigator.serviceWorker.controller !== null")
    assert PlaywrightAgent(tab).call("sell", {}).code == "part_unavailable"
    assert tab.evaluate("[typeof taken, typeof asked, ran]") == ["undefined", "undefined", []]


def test_an_import_map_of_the_page_leads_nowhere(bank: Bank, tab: Page, agent: Agent) -> None:
    """It stands before the shim, where browsers heed it."""

    def mapped(route: Route) -> None:
        text = route.fetch().text()
        address = tab.request.get(f"{bank.issuer}/shim.js").text().split('"./parts/asking.')[1].split('"')[0]
        imports = f'{{"{bank.issuer}/parts/asking.{address}": "{bank.url}/theirs.js"}}'
        route.fulfill(
            content_type="text/html",
            body=text.replace("<head>", f'<head><script type="importmap">{{"imports":{imports}}}</script>'),
        )

    led: list[str] = []

    def theirs(route: Route) -> None:
        led.append(route.request.url)
        route.fulfill(content_type="text/javascript", body=THEIRS)

    tab.route(f"{bank.url}/", mapped)
    tab.route("**/theirs.js", theirs)
    tab.goto(bank.url)
    tab.wait_for_function("document.modelContext")
    assert agent.start("get_balance").result().code in {"part_unavailable", "login_required"}
    assert tab.evaluate("[typeof taken, typeof asked]") == ["undefined", "undefined"]
    assert led == [f"{bank.url}/theirs.js"]


def test_what_the_page_replaces_before_it_comes_has_no_say_in_it(customer: Customer) -> None:
    """SHIM-8: a page has the time from the shim's end to the first tool, and uses it."""
    tab = customer.tab
    tab.add_init_script(
        """addEventListener("readystatechange", () => {
          if (document.readyState !== "interactive") return;
          window.met = [];
          const { attachShadow } = Element.prototype;
          Element.prototype.attachShadow = function (init) {
            met.push("attachShadow");
            return attachShadow.call(this, { ...init, mode: "open" });
          };
          for (const name of ["RegExp", "CSSStyleSheet", "MutationObserver"]) {
            window[name] = class { constructor() { met.push(name); } };
          }
        }, true);"""
    )
    tab.reload()
    call = customer.agent.start("get_balance")
    consent = customer.human.approve()
    assert "act for you" in consent.text
    assert not call.result().refused
    assert tab.evaluate("met") == []
