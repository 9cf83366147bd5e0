"""Forms that are tools: their gate is at the submission, whoever submits (SHIM-15)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.bank import join
from playwright.sync_api import Page, Route, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.routing import Route as Served
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

import deputize
from deputize.testing.agent import CdpAgent, PlaywrightAgent
from deputize.testing.definitions import checked
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site
from deputize.testing.waiting import until

ROOT = Path(__file__).parent.parent

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
direct = true
describe = "Sell {{{{ n }}}} of it"
[tools.lend]
scopes = ["shop:sell"]
approval = "always"
executes = "page"
describe = "Lend it"
[tools.search]
public = true
"""

PAGE = """<!doctype html><html data-deputize-test="open"><title>Shop</title>
<script src="/deputize/shim.js"></script>
<script>
  const heard = [];
  const listed = async (name) => {
    for (;;) {
      const found = (await document.modelContext.getTools()).find((tool) => tool.name === name);
      if (found) return found;
      await new Promise((resolve) => document.modelContext.addEventListener('toolchange', resolve, { once: true }));
    }
  };
</script>
<form id="sell" toolname="sell" tooldescription="Sells." toolautosubmit action="/sold" method="post" target="answers">
  <input name="n" type="number" required><input name="note"><input name="csrf" type="hidden" value="c">
  <input name="deputize_delegation" hidden><button>Sell</button>
</form>
<form id="lend" toolname="lend" tooldescription="Lends." action="/sold" target="answers">
  <input name="n"><button>Lend</button></form>
<form id="search" toolname="search" tooldescription="Searches." toolautosubmit><input name="q"></form>
<form id="other" toolname="other" tooldescription="Other." toolautosubmit><input name="q"></form>
<iframe name="answers"></iframe>"""


class Shop:
    """A shop whose page has forms, and what they have sent."""

    def __init__(self, site: Site, sent: list[dict[str, Any]]) -> None:
        self.url = site.url
        self.sent = sent


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    sent: list[dict[str, Any]] = []

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE)

    async def sold(request: Request) -> Response:
        form = request.query_params if request.method == "GET" else await request.form()
        sent.append(dict(form))
        return HTMLResponse("sold")

    def build(port: int) -> ASGIApp:
        (folder / "deputize.toml").write_text(POLICY.format(port=port), encoding="utf-8")
        authority = deputize.Deputize(folder / "deputize.toml", data=folder)
        return Starlette(
            routes=[
                *authority.well_known_routes(),
                Mount("/deputize", authority),
                Mount("/fields", StaticFiles(directory=ROOT / "js/src")),
                Served("/", page),
                Served("/sold", sold, methods=["GET", "POST"]),
            ],
            lifespan=authority.lifespan,
        )

    with Site(build) as site:
        yield Shop(site, sent)


@pytest.fixture
def shop(running: Shop, tab: Page, passkeys: Passkeys) -> Shop:
    """The page, with a customer signed in."""
    passkeys.add()
    join(tab, f"{running.url}/deputize")
    tab.goto(running.url)
    running.sent.clear()
    return running


SUBMITTED = """(form) => form.addEventListener('submit', (event) => {
  event.preventDefault();
  heard.push([form.id, event.agentInvoked, deputize.client()?.agent?.assurance ?? null]);
  if (event.agentInvoked) event.respondWith(Promise.resolve({ sold: form.elements[0].value }));
})"""


def test_what_an_agent_submits_is_held_until_it_is_approved(shop: Shop, tab: Page, human: Human) -> None:
    """Refused, nothing is sent. Else the browser sends it, or the page's listeners do, who are told the client."""
    call = PlaywrightAgent(tab).start("sell", {"n": 3})
    assert "act for you" in human.approve().text
    assert "Sell 3 of it" in human.decline().lines
    assert call.result().code == "declined"
    assert shop.sent == []

    call = PlaywrightAgent(tab).start("sell", {"n": 4})
    human.approve()
    call.result()
    expect(tab.frame_locator("[name=answers]").get_by_text("sold")).to_be_visible()
    assert shop.sent == [{"n": "4", "note": "", "csrf": "c", "deputize_delegation": ""}]

    tab.evaluate(f"({SUBMITTED})(sell)")
    call = CdpAgent(tab).start("sell", {"n": 5, "note": "soon"})
    assert "Sell 5 of it" in human.approve().lines
    assert call.result().value == {"sold": "5"}
    assert tab.evaluate("heard") == [["sell", True, "opaque"]]
    assert len(shop.sent) == 1


def test_what_a_human_submits_is_asked_for_by_the_page(shop: Shop, tab: Page, human: Human) -> None:
    """CALL-7: that no agent is told of proves nothing. `submit()`, of which no event tells, is the same."""
    tab.evaluate(f"({SUBMITTED})(lend), sell.elements.n.value = 2")
    tab.get_by_role("button", name="Sell").click()
    with tab.expect_response(lambda answer: answer.url.endswith("/denial")) as denial:
        assert "The site’s own page" in human.decline().text
    denial.value.finished()  # until then the same again is the same call, and declined with it
    tab.evaluate("sell.submit()")
    assert "The site’s own page" in human.approve().text
    expect(tab.frame_locator("[name=answers]").get_by_text("sold")).to_be_visible()
    assert [sent["n"] for sent in shop.sent] == ["2"]
    # A tool that is not `direct` is nobody's but an agent's, and the human is told.
    tab.get_by_role("button", name="Lend").click()
    tab.wait_for_function("document.querySelector('[data-deputize-notice]')")
    told = "Only an agent can do this here, once you have allowed one to."
    assert human.notices() == [told]
    assert tab.evaluate("heard") == []


MODAL = """shadow => {
    let parent = document.body;
    if (shadow) {
        parent = document.body.appendChild(document.createElement('div')).attachShadow({ mode: 'open' });
    }
    window.modal = parent.appendChild(document.createElement('dialog'));
    modal.append('The page asks something');
    modal.showModal();
}"""


@pytest.mark.parametrize("shadow", [False, True])
def test_a_notice_is_heard_though_the_page_has_a_modal_dialog(
    shop: Shop, tab: Page, human: Human, shadow: bool
) -> None:
    """SHIM-8: what lies outside of the topmost modal dialog is inert, and nobody is told of it."""
    told = "Only an agent can do this here, once you have allowed one to."

    def heard() -> bool:
        nodes = tab.context.new_cdp_session(tab).send("Accessibility.getFullAXTree")["nodes"]
        return any(
            node.get("name", {}).get("value") == told and not node["ignored"]
            for node in nodes
            if node["role"]["value"] == "StaticText"
        )

    tab.evaluate(f"({SUBMITTED})(lend)")
    tab.evaluate(MODAL, shadow)
    tab.evaluate("lend.requestSubmit()")
    tab.wait_for_function("modal.querySelector('[data-deputize-notice]')")
    assert heard()
    call = PlaywrightAgent(tab).start("sell", {"n": 1})
    human.dialog()  # over which it does not lie: it waits, and is heard anew
    until(tab, lambda: human.notices() == [], "nothing beside what is asked")
    human.decline()
    assert call.result().code == "consent_declined"
    tab.evaluate("modal.remove()")  # as frameworks do, without closing it
    tab.wait_for_function("document.querySelector(':root > [data-deputize-notice]')")
    assert heard()
    assert human.notices() == [told]
    tab.evaluate(MODAL, shadow)
    tab.wait_for_function("modal.querySelector('[data-deputize-notice]')")
    assert heard()
    tab.evaluate("modal.close()")
    tab.wait_for_function("document.querySelector(':root > [data-deputize-notice]')")
    assert heard()


def test_a_human_who_sends_what_an_agent_filled_in_sends_the_agents_call(
    shop: Shop, tab: Page, human: Human
) -> None:
    """Without `toolautosubmit` the browser leaves the last click to the human: it is no approval."""
    tab.evaluate(f"({SUBMITTED})(lend)")
    call = CdpAgent(tab).start("lend", {"n": "7"})
    tab.get_by_role("button", name="Lend").click()
    assert "act for you" in human.approve().text
    assert "The agent in your browser" in human.approve().text
    assert call.result().value == {"sold": "7"}
    assert tab.evaluate("heard") == [["lend", True, "opaque"]]


def test_what_was_changed_or_called_off_meanwhile_is_not_sent(shop: Shop, tab: Page, human: Human) -> None:
    """SHIM-2: what was approved is what is sent, and SHIM-7: nobody waiting, nothing runs."""
    call = PlaywrightAgent(tab).start("sell", {"n": 1})
    human.approve()
    human.dialog()
    tab.evaluate("sell.elements.n.value = 100")
    human.approve()
    assert call.result().code == "form_changed"
    assert "The form was changed" in human.notices()[0]
    agent = CdpAgent(tab)
    call = agent.start("sell", {"n": 2})
    human.dialog()
    agent.cancel(call)
    human.approve()
    until(tab, lambda: len(human.notices()) > 1, "both to be told")
    assert "Sell 2 of it" in human.notices()[1]
    assert shop.sent == []


RUNNING = """() => void deputize.perform('sell', { n: 5 }, () => new Promise(() => {
  window.runs = true;
}))"""


def test_who_submits_the_same_or_more_while_a_call_runs_is_asked_for_it(
    shop: Shop, tab: Page, human: Human
) -> None:
    """SHIM-15: nobody else's call goes along with one that was approved, and no value that was not."""
    tab.evaluate(RUNNING)
    human.approve()
    tab.wait_for_function("window.runs")
    call = PlaywrightAgent(tab).start("sell", {"n": 5})
    human.approve()
    assert "Sell 5 of it" in human.decline().lines
    assert call.result().code == "declined"
    tab.evaluate("sell.elements.n.value = 5, sell.elements.note.value = 'to Mallory'")
    tab.get_by_role("button", name="Sell").click()
    assert "Sell 5 of it" in human.decline().lines
    assert shop.sent == []
    tab.evaluate("sell.elements.note.value = ''")
    tab.get_by_role("button", name="Sell").click()
    expect(tab.frame_locator("[name=answers]").get_by_text("sold")).to_be_visible()
    assert [sent["n"] for sent in shop.sent] == ["5"]


@pytest.mark.parametrize(
    "change", ["sell.setAttribute('toolname', 'lend')", "sell.querySelector('button').remove()"]
)
def test_a_form_that_is_another_by_then_is_not_sent(shop: Shop, tab: Page, human: Human, change: str) -> None:
    tab.evaluate("sell.elements.n.value = 2")
    tab.get_by_role("button", name="Sell").click()
    human.dialog()
    tab.evaluate(change)
    human.approve()
    tab.wait_for_function("document.querySelector('[data-deputize-notice]')")
    assert any("The form was changed" in notice for notice in human.notices())
    assert shop.sent == []


def test_a_form_that_comes_from_a_frame_is_held_as_well(shop: Shop, tab: Page, human: Human) -> None:
    """Its interfaces are those of another realm, and stay so."""
    tab.evaluate(
        """() => {
          const made = document.querySelector('iframe').contentDocument.createElement('form');
          made.innerHTML = '<input name="n" type="number" value="6"><button>Go</button>';
          for (const { name, value } of sell.attributes) if (name !== 'id') made.setAttribute(name, value);
          sell.replaceWith(made);
          if (made instanceof HTMLFormElement) throw new Error('of this realm');
        }"""
    )
    tab.get_by_role("button", name="Go").click()
    assert "Sell 6 of it" in human.decline().lines
    assert shop.sent == []


def test_an_agent_that_submits_before_the_policy_is_known_hears_the_page(shop: Shop, tab: Page) -> None:
    """Each form is held until then, and goes its way with its answer."""
    held: list[Route] = []
    known = False

    def hold(route: Route) -> None:
        if known:
            route.continue_()
        else:
            held.append(route)

    tab.route("**/deputize/tools", hold)
    tab.reload()
    tab.evaluate(f"({SUBMITTED})(search)")
    call = PlaywrightAgent(tab).start("search", {"q": "x"})
    tab.wait_for_function("search.elements.q.value === 'x'")
    assert tab.evaluate("heard") == []
    known = True
    for route in held:
        route.continue_()
    assert call.result().value == {"sold": "x"}


def test_perform_within_a_submission_is_part_of_its_call(shop: Shop, tab: Page, human: Human) -> None:
    """With the same arguments it is the same call; with others it is another one, of the same agent."""
    tab.evaluate(
        """() => sell.addEventListener('submit', (event) => {
          event.preventDefault();
          const does = (n) => (input, client) => (heard.push([n, input.n, Boolean(client.correlationId)]), n);
          const first = deputize.perform('sell', { n: sell.elements.n.valueAsNumber }, does('same'));
          const second = deputize.perform('sell', { n: 8 }, does('other'));
          event.respondWith(first.then(async (a) => [a, await second]));
        })"""
    )
    call = PlaywrightAgent(tab).start("sell", {"n": 1})
    human.approve()
    assert "Sell 1 of it" in human.approve().lines
    dialog = human.approve()
    assert "Sell 8 of it" in dialog.lines
    assert "The agent in your browser" in dialog.text
    assert call.result().value == ["same", "other"]
    assert tab.evaluate("heard") == [["same", 1, True], ["other", 8, True]]


def test_evidence_comes_in_a_field_of_its_name_and_goes_no_further(
    shop: Shop, tab: Page, human: Human
) -> None:
    """EVID-1: evidence that is none is refused, and never taken for a call without."""
    result = PlaywrightAgent(tab).call("sell", {"n": 1, "deputize_delegation": "nonsense"})
    assert result.code == "invalid_token"
    assert tab.evaluate("sell.elements.deputize_delegation.value") == ""
    assert human.sees() is None
    assert shop.sent == []


def test_forms_that_the_policy_does_not_gate_go_their_way(shop: Shop, tab: Page) -> None:
    """SHIM-9: one that it does not know is reported, and so is one in a shadow root, whose submission nobody hears."""
    for name in ("search", "other"):
        tab.evaluate(f"({SUBMITTED})({name})")
        assert PlaywrightAgent(tab).call(name, {"q": "x"}).value == {"sold": "x"}
    assert tab.evaluate("heard") == [["search", True, None], ["other", True, None]]
    tab.evaluate(
        """async () => {
          const host = document.body.appendChild(document.createElement('div'));
          host.attachShadow({ mode: 'closed' }).innerHTML =
            '<form toolname="hidden" tooldescription="Hidden." toolautosubmit><input name="q"></form>';
          await listed('hidden');
        }"""
    )
    assert tab.evaluate("deputize.unguarded().then(({ tools }) => tools)") == [
        {"name": "hidden", "why": "not_gated", "where": "document.modelContext"},
        {"name": "other", "why": "form", "where": "form#other"},
    ]


def test_a_form_that_is_gated_can_be_pinned(shop: Shop, tab: Page, human: Human) -> None:
    """PIN-2: what is told of it is what its calls are sent with; forms that nothing gates are no definitions."""
    told = {each["name"]: each for each in tab.evaluate("deputize.definitions()")}
    assert sorted(told) == ["lend", "sell"]
    assert told["sell"]["description"] == "Sells."
    assert told["sell"]["inputSchema"]["properties"]["n"]["type"] == "number"
    assert checked(told["sell"]).s256 == told["sell"]["definition_s256"]
    with tab.expect_request("**/deputize/grants") as sent:
        call = PlaywrightAgent(tab).start("sell", {"n": 1})
    sent_with = sent.value.post_data_json or {}
    assert sent_with["definitions"]["sell"] == told["sell"]["definition_s256"]
    human.decline()
    assert call.result().code == "consent_declined"


FIELDS = """<form id="all" toolname="all" tooldescription="All." toolautosubmit>
  <input name="text" value="a"><input name="number" type="number" value="1.5" step="any">
  <input name="range" type="range">
  <input name="date" type="date" value="2026-01-02"><input name="checked" type="checkbox" checked>
  <input name="unchecked" type="checkbox"><input name="group" type="checkbox" value="1" checked>
  <input name="group" type="checkbox" value="2"><input name="radio" type="radio" value="1">
  <input name="radio" type="radio" value="2" checked><select name="one"><option>x<option selected>y</select>
  <select name="some" multiple><option selected>x<option selected>y</select><textarea name="area">b</textarea>
  <input name="hidden" type="hidden" value="h"><input name="disabled" disabled value="d"><input value="unnamed">
  <input name="read" readonly value="r"><input name="twice" value="1"><input name="twice" value="2">
  <fieldset disabled><input name="inner" value="i"></fieldset><input name="file" type="file">
  <button name="b" value="1">Go</button>
  <input name="elements" value="e"></form><input form="all" name="outside" value="o">"""


def test_the_arguments_of_a_form_are_those_of_the_schema_that_the_browser_derives(
    shop: Shop, tab: Page
) -> None:
    values, schema = tab.evaluate(
        """async (html) => {
          document.body.insertAdjacentHTML('beforeend', html);
          const { inputSchema } = await listed('all');
          const { valuesOf } = await import('/fields/page/fields.js');
          const values = valuesOf(document.forms.all);
          return [values, inputSchema];
        }""",
        FIELDS,
    )
    assert values == {
        "text": "a", "number": 1.5, "range": 50, "date": "2026-01-02", "checked": True, "unchecked": False,
        "group": ["1"], "radio": "2", "one": "y", "some": ["x", "y"], "area": "b", "elements": "e", "outside": "o",
    }  # fmt: skip
    kinds = {bool: "boolean", float: "number", int: "number", str: "string", list: "array"}
    assert {name: rule["type"] for name, rule in schema["properties"].items()} == {
        name: kinds[type(value)] for name, value in values.items()
    }
