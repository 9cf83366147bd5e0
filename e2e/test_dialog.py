"""The dialog for people: keyboard, screen reader, phone, dark colors, all under a strict CSP (SHIM-8)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from e2e.bank import DESCRIPTION, ROWS, TRANSFER, Bank, Customer, add_security_key, sign_up
from playwright.sync_api import Page, expect

from deputize.testing.agent import PlaywrightAgent
from deputize.testing.human import Control, Dialog, Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.waiting import until

BLOCK = "Decline and block this agent"
ON_PHONE = "Answer on my phone"
PHONE = {"viewport": {"width": 390, "height": 700}, "has_touch": True, "is_mobile": True}
DARK = {"color_scheme": "dark"}
SEEN = """function (selector) {
  const place = this.querySelector(selector), { left, right, top, bottom } = place.getBoundingClientRect();
  const over = this.getRootNode().elementFromPoint((left + right) / 2, (top + bottom) / 2);
  return top >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth && place.contains(over);
}"""
COLLECTOR = """() => {
  window.met = {};
  const { apply, ownKeys, getOwnPropertyDescriptor: descriptor, defineProperty } = Reflect;
  const isNode = (value) => value instanceof Node && value !== document.documentElement;
  const note = (name, values) => {
    for (let i = 0; i < values.length; i++) {
      const value = values[i], many = Array.isArray(value) ? value : [];
      let found = isNode(value);
      for (let j = 0; j < many.length; j++) found ||= isNode(many[j]);
      if (found) met[name] = true;
    }
  };
  const owners = [Array, String, Map, Set, Function, Promise, Node, Element, EventTarget, [].values()];
  const prototypes = owners.map((owner) => owner.prototype ?? Object.getPrototypeOf(owner));
  for (let i = 0; i < prototypes.length; i++) {
    const keys = ownKeys(prototypes[i]);
    for (let j = 0; j < keys.length; j++) {
      const key = keys[j], found = descriptor(prototypes[i], key);
      if (!found.configurable || typeof found.value !== 'function') continue;
      const value = function (...given) {
        note(String(key), [this, given]);
        return apply(found.value, this, given);
      };
      defineProperty(prototypes[i], key, { ...found, value });
    }
  }
}"""
PROMISED = """() => {
  window.met = [];
  const brought = [Response, ArrayBuffer, Credential];
  const trap = (owner, key, told) => {
    const get = function () {
      const by = new Error().stack.split("\\n")[2] ?? "";
      const ours = by.includes("/shim-polyfill.js") || by.includes("/parts/");
      if (ours || brought.some((kind) => this instanceof kind)) met.push(Object.keys(this).join());
      return told;
    };
    const set = function (value) {
      Reflect.defineProperty(this, key, { value, writable: true, enumerable: true, configurable: true });
    };
    Reflect.defineProperty(owner, key, { configurable: true, get, set });
  };
  trap(Promise.prototype, "constructor", class {});
  trap(Promise.prototype, "then", Promise.prototype.then);
  trap(Object.prototype, "then", undefined);
}"""
STYLE = """function (selector, property) {
  return getComputedStyle(this.matches(selector) ? this : this.querySelector(selector))[property];
}"""
COVER = """() => {
  const cover = Object.assign(document.createElement('div'), { id: 'cover', popover: 'manual' });
  cover.style.cssText = 'position: fixed; inset: 0; width: auto; height: auto; background: white';
  document.body.append(cover);
  cover.showPopover();
}"""
VIOLATIONS = """
  window.violations = [];
  addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
"""


@pytest.fixture
def deputized(deputized: Customer) -> Customer:
    """The same, with the focus in the form of the page behind."""
    deputized.tab.get_by_label("IBAN").focus()
    return deputized


def active(tab: Page) -> str:
    """Return what the page takes for focused: it sees the dialog's host at most."""
    told: str = tab.evaluate("document.activeElement.id || document.activeElement.localName")
    return told


def test_the_approval_is_told_to_a_screen_reader(deputized: Customer) -> None:
    deputized.agent.start("transfer_money", TRANSFER)
    dialog = deputized.human.dialog()
    assert dialog.modal
    assert "Harbor" in dialog.name
    assert dialog.headings[0] in dialog.name
    assert dialog.headings == (DESCRIPTION,)
    assert [line for line in dialog.lines if line in ROWS] == [*ROWS]
    assert all(each in dialog.description for each in ROWS)
    assert [button.name for button in dialog.buttons] == ["Decline", "Approve with passkey", ON_PHONE, BLOCK]
    assert dialog.focused is not None
    assert dialog.focused.role == "heading"  # read first; and a stray Enter presses nothing
    deputized.tab.keyboard.press("Enter")
    assert deputized.human.dialog().progress == ""
    deputized.human.decline()


def test_the_consent_is_told_to_a_screen_reader(customer: Customer) -> None:
    customer.agent.start("get_balance")
    dialog = customer.human.dialog()
    assert dialog.modal
    assert "Harbor" in dialog.name
    assert "not just one assistant" in dialog.description
    assert "For 1 hour" in dialog.description
    assert [button.name for button in dialog.buttons] == ["Not now", "Allow with passkey", ON_PHONE, BLOCK]
    assert "See your balance and your transactions" in dialog.text
    customer.human.decline()


@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
def test_the_keyboard_stays_in_the_dialog_and_then_returns(deputized: Customer, key: str) -> None:
    tab, human = deputized.tab, deputized.human
    call = deputized.agent.start("transfer_money", TRANSFER)
    controls = {control.name for control in human.dialog().controls}
    visited = set()
    for _ in range(12):
        tab.keyboard.press(key)
        now = human.sees()
        assert now is not None
        assert active(tab) in ("div", "body")  # nothing of the page behind
        if now.focused:
            visited.add(now.focused.name)
    assert {"Decline", "Approve with passkey", BLOCK} <= visited <= controls
    human.approve("keyboard")
    assert not call.result().refused
    assert active(deputized.tab) == "iban"


def test_what_rows_and_headline_say_is_not_there_twice(deputized: Customer) -> None:
    human = deputized.human
    deputized.agent.start("transfer_money", TRANSFER)
    assert "All details" not in {control.name for control in human.dialog().controls}
    human.decline("escape")


def test_a_complaint_is_announced_and_the_dialog_can_be_used_again(deputized: Customer) -> None:
    human = deputized.human
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.device.verifies_user(False)
    with pytest.raises(AssertionError, match="Please try again"):
        human.approve()
    assert human.dialog().complaint
    deputized.device.verifies_user(True)
    human.approve()
    assert not call.result().refused


@pytest.mark.parametrize("size", [(1280, 800), (320, 600)])
def test_a_complaint_is_seen_without_scrolling(deputized: Customer, size: tuple[int, int]) -> None:
    tab, human = deputized.tab, deputized.human
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    deputized.agent.start("transfer_money", {**TRANSFER, "name": "W" * 70})
    deputized.device.verifies_user(False)
    human.dialog()
    with pytest.raises(AssertionError, match="Please try again"):
        human.approve()
    assert seen(tab, human.dialog(), "[role=alert]")
    human.decline()


def test_at_400_percent_the_buttons_do_not_cover_what_is_asked(deputized: Customer) -> None:
    """WCAG 2.2 §1.4.10: a screen of 1280 × 1024 is 320 × 256 then."""
    tab, human = deputized.tab, deputized.human
    tab.set_viewport_size({"width": 320, "height": 256})
    deputized.agent.start("transfer_money", TRANSFER)
    assert seen(tab, human.dialog(), "#title")
    deputized.device.verifies_user(False)
    with pytest.raises(AssertionError, match="Please try again"):
        human.approve()
    assert seen(tab, human.dialog(), "[role=alert]")
    human.decline()


def stop(tab: Page) -> None:
    """Stop the clock of a page, a little later than it is: it goes on until it hears of this."""
    tab.clock.pause_at(tab.evaluate("Date.now() + 10_000"))


def held(deputized: Customer) -> Page:
    """Load the page anew with a clock that stands, and let the agent ask."""
    tab = deputized.tab
    tab.clock.install()
    tab.reload()
    tab.wait_for_load_state()
    stop(tab)
    deputized.agent.start("transfer_money", TRANSFER)
    until(tab, lambda: deputized.human.sees() is not None, "a dialog")
    return tab


def is_active(human: Human, name: str) -> bool:
    """Tell whether a button takes an answer."""
    now = human.sees()
    assert now is not None
    return next(button for button in now.buttons if button.name == name).enabled


def test_what_was_meant_for_the_page_is_no_answer(deputized: Customer) -> None:
    """SHIM-8: half a second, by every key and button, and again once the window gets the focus."""
    tab, human = held(deputized), deputized.human
    opened = human.sees()
    assert opened is not None
    for again in (False, True):
        for name in ("Decline", "Approve with passkey", BLOCK):
            button = next(each for each in opened.buttons if each.name == name)
            tab.mouse.click(*middle(tab, button.node))
        human.tab_to(opened.decline)
        tab.keyboard.press("Enter")
        tab.keyboard.press("Escape")  # browsers close the dialog the second time, whatever it says
        tab.keyboard.press("Escape")
        until(tab, lambda: human.sees() is not None, "the same dialog")
        tab.clock.run_for(499)
        assert not is_active(human, "Decline")
        tab.clock.run_for(1)
        assert is_active(human, "Decline")
        if not again:
            # What the browser does where a window that lay over this one is closed, under a finger that presses twice.
            tab.evaluate("window.dispatchEvent(new Event('focus'))")
            assert not is_active(human, "Decline")
    until(tab, lambda: is_active(human, "Approve with passkey"), "that it was read")
    tab.keyboard.press("Escape")
    until(tab, lambda: human.sees() is None, "an end")


def test_what_is_covered_takes_no_answer_and_then_not_at_once(deputized: Customer) -> None:
    """SHIM-8: the page opens something over the dialog, and takes it away under the finger."""
    tab, human = held(deputized), deputized.human
    tab.clock.run_for(500)
    until(tab, lambda: is_active(human, "Approve with passkey"), "that it can be approved")
    tab.evaluate(COVER)
    until(tab, lambda: not is_active(human, "Approve with passkey"), "that it is covered")
    tab.clock.run_for(1000)
    assert not is_active(human, "Approve with passkey")
    tab.evaluate("document.querySelector('#cover').remove()")
    ran = 0
    while not is_active(human, "Approve with passkey"):
        tab.clock.run_for(50)
        ran += 50
    assert ran >= 500


LONG = {**TRANSFER, "name": "WWWW " * 13 + "WWWW"}


@pytest.mark.parametrize("by", ["keyboard", "mouse"])
@pytest.mark.parametrize("size", [(1280, 520), (320, 568), (320, 256)])
def test_who_has_not_seen_the_end_does_not_approve(
    deputized: Customer, size: tuple[int, int], by: Literal["keyboard", "mouse"]
) -> None:
    """SHIM-8: the button says what is missing; pressing it reads on, and so does Tab on its way there."""
    tab, human = deputized.tab, deputized.human
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    call = deputized.agent.start("transfer_money", LONG)
    dialog = human.dialog()
    assert seen(tab, dialog, "#title")
    assert not seen(tab, dialog, "[data-end]")
    assert dialog.focused is not None
    assert dialog.focused.role == "heading"
    assert not dialog.approve.enabled
    assert "more to read" in dialog.approve.why
    if by == "keyboard":
        human.tab_to(dialog.approve)
        while not seen(tab, dialog, "[data-end]"):
            tab.keyboard.press("Enter")
    elif size != (320, 256):  # there, it is seen with the end only
        while not seen(tab, dialog, "[data-end]"):
            tab.mouse.click(*middle(tab, dialog.approve.node))
    human.approve(by)
    assert not call.result().refused


def test_the_authoritys_page_takes_no_answer_sooner_either(deputized: Customer) -> None:
    """SHIM-8: who presses twice on a window that the first press closes has the second land on the page below."""
    bank = deputized.bank
    deputized.agent.start("transfer_money", LONG)
    deputized.human.dialog()
    tab = deputized.tab.context.new_page()
    tab.set_viewport_size({"width": 320, "height": 256})
    tab.clock.install()
    tab.goto(f"{bank.issuer}/ask/{bank.record('call.pending')[-1]['call_id']}")
    yes, no = tab.locator("#approve"), tab.locator("#decline")
    expect(no).not_to_have_attribute("aria-disabled", "true")
    stop(tab)
    tab.evaluate("window.dispatchEvent(new Event('focus'))")
    no.evaluate("(button) => button.click()")
    tab.clock.run_for(499)
    expect(no).to_have_attribute("aria-disabled", "true")
    tab.clock.run_for(1)
    expect(no).not_to_have_attribute("aria-disabled", "true")
    expect(yes).to_have_attribute("aria-disabled", "true")
    expect(yes).to_have_accessible_description(re.compile("more to read"))
    yes.evaluate("(button) => button.focus({ preventScroll: true })")
    before = tab.evaluate("scrollY")
    tab.keyboard.press("Enter")
    until(tab, lambda: tab.evaluate("scrollY") > before, "more of the text")
    assert bank.record("call.declined", "call.approved") == []
    tab.locator("[data-end]").scroll_into_view_if_needed()
    expect(yes).not_to_have_attribute("aria-disabled", "true")
    tab.close()


def test_it_looks_as_the_site_does_and_its_letters_are_the_users(deputized: Customer) -> None:
    """LOOK-1: Harbor's colour, corners and logo, on dialogs and pages alike; and no size of the page's."""
    tab, human = deputized.tab, deputized.human
    tab.evaluate("document.documentElement.style.fontSize = '62.5%'")  # so that its designers count in tens
    deputized.agent.start("transfer_money", TRANSFER)
    dialog = human.dialog()
    assert told(tab, dialog, STYLE, "dialog", "fontSize") == "16px"
    assert told(tab, dialog, STYLE, "dialog", "borderTopLeftRadius") == "18px"
    assert told(tab, dialog, STYLE, ".approve", "backgroundColor") == "rgb(13, 95, 131)"
    assert told(tab, dialog, "function () { return this.querySelector('img').naturalWidth > 0; }")
    larger = {"fontSizes": {"standard": 24}}
    tab.context.new_cdp_session(tab).send("Page.setFontSizes", larger)
    assert told(tab, dialog, STYLE, "dialog", "fontSize") == "24px"
    human.decline()
    tab.goto(f"{deputized.bank.issuer}/account")
    onward = tab.locator(".onward").first
    assert onward.evaluate("(link) => getComputedStyle(link).color") == "rgb(13, 95, 131)"
    edge = tab.locator("#pause").evaluate("(button) => getComputedStyle(button).borderTopColor")
    assert edge == "rgb(13, 95, 131)"
    assert tab.locator("img.logo").evaluate("(image) => image.naturalWidth > 0")


def test_the_legend_is_there_where_something_is_marked(customer: Customer, passkeys: Passkeys) -> None:
    add_security_key(customer.bank, customer.tab, passkeys, customer.device)
    customer.tab.goto(customer.bank.url)
    customer.tab.wait_for_load_state()
    customer.agent.start("close_account")
    customer.human.approve()
    dialog = customer.human.dialog()
    assert "marked" not in dialog.text
    assert dialog.approve.name == "Approve with a security key or phone"
    (asked,) = customer.bank.record("call.pending")
    beside = customer.tab.context.new_page()
    beside.goto(f"{customer.bank.issuer}/ask/{asked['call_id']}")
    expect(beside.get_by_role("button", name="Approve with a security key or phone")).to_be_visible()
    expect(beside.get_by_text("marked")).to_have_count(0)
    beside.close()
    customer.human.decline()
    customer.agent.start("transfer_money", TRANSFER)
    customer.human.approve()
    assert "The agent filled in what is marked. The rest is the site’s." in customer.human.dialog().lines
    customer.human.decline()


def test_the_page_behind_cannot_be_used_and_a_click_on_it_is_no_answer(deputized: Customer) -> None:
    tab = deputized.tab
    place = tab.get_by_role("link", name="Passkeys and agents").bounding_box()
    assert place is not None
    deputized.agent.start("transfer_money", TRANSFER)
    dialog = deputized.human.dialog()
    tab.mouse.click(place["x"] + 5, place["y"] + 5)
    now = deputized.human.sees()
    assert now is not None
    assert now.node == dialog.node
    assert tab.url == f"{deputized.bank.url}/"
    deputized.human.decline()


def test_what_the_page_replaces_meets_nothing_that_is_inside(deputized: Customer) -> None:
    """SHIM-8: with one node of a dialog in hand, page script could rewrite what is approved there."""
    deputized.tab.evaluate(COLLECTOR)
    deputized.agent.start("transfer_money", TRANSFER)
    assert DESCRIPTION in deputized.human.dialog().description
    assert deputized.tab.evaluate("Object.keys(met)") == []
    deputized.human.decline()


def test_what_promises_ask_a_page_for_is_asked_of_the_tools_own_result_only(deputized: Customer) -> None:
    """SHIM-8: a `then` on Object.prototype would meet each answer, and could put another one in its place."""
    deputized.tab.evaluate(PROMISED)
    call = deputized.agent.start("transfer_money", TRANSFER)
    assert DESCRIPTION in deputized.human.approve().description
    assert not call.result().refused
    assert {members.partition(",")[0] for members in deputized.tab.evaluate("met")} == {"content"}


def test_two_questions_are_asked_one_after_the_other(deputized: Customer) -> None:
    first = deputized.agent.start("transfer_money", TRANSFER)
    asked = deputized.human.dialog()
    second = deputized.agent.start("transfer_money", {**TRANSFER, "amount": 7})
    assert DESCRIPTION in deputized.human.decline().lines
    deputized.human.wait_until_gone(asked)
    assert any("Send 7.00 EUR" in line for line in deputized.human.approve().lines)
    assert first.result().code == "declined"
    assert not second.result().refused
    assert deputized.bank.sent() == [(7_00, "Ada Lovelace")]


def test_what_became_of_a_question_that_waited_is_told_once_nothing_else_is_asked(
    deputized: Customer, pictures: Path
) -> None:
    """A notice covers nothing that is asked, at 400 % neither, is no part of it, and is heard."""
    tab, human, agent = deputized.tab, deputized.human, deputized.agent
    calls = [agent.start("transfer_money", {**TRANSFER, "amount": amount}) for amount in (1, 2, 3)]
    until(tab, lambda: "Waiting after this one: 2" in human.dialog().lines, "two that wait")
    with tab.context.expect_page() as opened:
        tab.evaluate("address => void open(address)", f"{deputized.bank.issuer}/account")
    beside = opened.value
    beside.get_by_role("button", name=re.compile("Cancel it.* 2.00 EUR")).click()
    tab.bring_to_front()
    tab.set_viewport_size({"width": 320, "height": 256})
    human.decline()
    until(tab, lambda: human.dialog().headings == ("Send 3.00 EUR?",) and not human.notices(), "the third")
    assert calls[1].result().code == "declined"
    tab.screenshot(path=pictures / "notice-waits.png")
    human.approve("mouse")
    (told,) = until(tab, lambda: human.notices() or None, "what became of the second")
    lines = ["Send 2.00 EUR?", "You said no to this, so it is not done.", "Open your account page"]
    assert told.splitlines() == lines
    tab.screenshot(path=pictures / "notice.png")
    nodes = tab.context.new_cdp_session(tab).send("Accessibility.getFullAXTree")["nodes"]
    heard = {node["name"]["value"] for node in nodes if not node["ignored"] and "name" in node}
    assert {*lines[1:]} <= heard
    assert not calls[2].result().refused


def box(tab: Page, node: int) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a node in the viewport."""
    session = tab.context.new_cdp_session(tab)
    border = session.send("DOM.getBoxModel", {"backendNodeId": node})["model"]["border"]
    return min(border[0::2]), min(border[1::2]), max(border[0::2]), max(border[1::2])


def middle(tab: Page, node: int) -> tuple[float, float]:
    """Return where a node can be pressed."""
    left, top, right, bottom = box(tab, node)
    return (left + right) / 2, (top + bottom) / 2


def background(tab: Page, dialog: Dialog) -> int:
    """Return how bright the dialog is, from 0 to 255."""
    session = tab.context.new_cdp_session(tab)
    found = session.send("DOM.resolveNode", {"backendNodeId": dialog.node})["object"]["objectId"]
    told = session.send(
        "Runtime.callFunctionOn",
        {
            "objectId": found,
            "returnByValue": True,
            "functionDeclaration": "function () { return getComputedStyle(this).backgroundColor; }",
        },
    )["result"]["value"]
    red, green, blue = (int(part) for part in told.removeprefix("rgb(").removesuffix(")").split(","))
    return (red + green + blue) // 3


def seen(tab: Page, dialog: Dialog, selector: str) -> bool:
    """Tell whether all of an element of the dialog can be seen, and nothing lies over its middle."""
    return bool(told(tab, dialog, SEEN, selector))


def told(tab: Page, dialog: Dialog, function: str, *values: str) -> object:
    """Call a function in the browser whose `this` is the dialog."""
    session = tab.context.new_cdp_session(tab)
    found = session.send("DOM.resolveNode", {"backendNodeId": dialog.node})["object"]["objectId"]
    call = {
        "objectId": found,
        "returnByValue": True,
        "functionDeclaration": function,
        "arguments": [{"value": value} for value in values],
    }
    return session.send("Runtime.callFunctionOn", call)["result"]["value"]


@pytest.mark.parametrize("name", ["desk", "desk-dark", "phone", "phone-dark"])
def test_it_fits_the_screen_in_both_colors(
    bank: Bank, new_tab: Callable[..., Page], pictures: Path, name: str
) -> None:
    """Both dialogs, with no breach of the bank's CSP, and pictures of them."""
    options: dict[str, Any] = {**(PHONE if "phone" in name else {}), **(DARK if "dark" in name else {})}
    tab = new_tab(**options)
    tab.add_init_script(VIOLATIONS)
    human, agent, passkeys = Human(tab), PlaywrightAgent(tab), Passkeys(tab)
    sign_up(bank, tab, passkeys)
    call = agent.start("transfer_money", {**TRANSFER, "name": "W" * 70})
    for kind in ("consent", "approval"):
        dialog = human.dialog()
        look_at(tab, dialog, dark="dark" in name)
        tab.screenshot(path=pictures / f"{kind}-{name}.png")
        if kind == "consent":
            human.approve("mouse")
        else:
            human.decline("mouse")
    assert call.result().code == "declined"
    assert tab.evaluate("violations") == []


def look_at(tab: Page, dialog: Dialog, dark: bool) -> None:
    """Check that all of it can be seen, that thumbs hit the buttons, and that it is as dark as wanted."""
    assert tab.viewport_size is not None
    width, height = tab.viewport_size["width"], tab.viewport_size["height"]
    left, top, right, bottom = box(tab, dialog.node)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    for button in dialog.buttons:
        reach(tab, button, (left, top, right, bottom))
    assert (background(tab, dialog) < 80) is dark


def reach(tab: Page, button: Control, within: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = box(tab, button.node)
    assert within[0] <= left < right <= within[2]
    assert within[1] <= top < bottom <= within[3]
    assert bottom - top >= 44
