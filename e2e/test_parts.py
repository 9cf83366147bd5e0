"""What a call needs comes second, from where page script could lead it elsewhere (SHIM-14)."""

from e2e.bank import TRANSFER, Bank, Customer
from playwright.sync_api import Page, Route

from deputize.testing.agent import Agent

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
