"""APPR-2: what is drawn, letter by letter: text from right to left moves nothing but itself."""

from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.bank import TRANSFER, Bank, sign_up
from playwright.sync_api import Page

from deputize.testing.agent import PlaywrightAgent
from deputize.testing.human import Dialog, Human
from deputize.testing.passkeys import Passkeys

# Each letter of an element of the dialog, with where it is drawn. The dialog's root is closed, but not to DevTools.
LETTERS = """function (selector) {
  const drawn = [];
  for (const place of this.querySelectorAll(selector)) {
    const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      for (let i = 0; i < node.length; i++) {
        const range = document.createRange();
        range.setStart(node, i);
        range.setEnd(node, i + 1);
        const [box] = range.getClientRects();
        if (box) drawn.push([node.data[i], Math.round(box.top / 8), box.left]);
      }
    }
  }
  return drawn;
}"""
ORDER = """
[tools.order]
scopes = ["account:read"]
approval = "always"
executes = "page"
describe = "{{ before }} {{ number }} × {{ price }} {{ after }}"
"""
REGISTER = """() => document.modelContext.registerTool({
  name: 'order', description: 'Orders.', inputSchema: { type: 'object' }, execute: () => 'done',
})"""
PHONE = {"viewport": {"width": 390, "height": 700}, "has_touch": True, "is_mobile": True}


def read(tab: Page, dialog: Dialog, selector: str) -> str:
    """Read what is drawn as an eye does that reads from left to right: line by line, without spaces."""
    session = tab.context.new_cdp_session(tab)
    found = session.send("DOM.resolveNode", {"backendNodeId": dialog.node})["object"]["objectId"]
    told = session.send(
        "Runtime.callFunctionOn",
        {
            "objectId": found,
            "returnByValue": True,
            "functionDeclaration": LETTERS,
            "arguments": [{"value": selector}],
        },
    )["result"]["value"]
    seen = sorted(told, key=lambda letter: (letter[1], letter[2]))
    return "".join(letter for letter, *_ in seen if not letter.isspace())


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("letters", ["א", "ابن", "\u202e", "א\u2069\u2067", "א\u200f"])
def test_a_name_does_not_turn_the_account_around(
    bank: Bank, new_tab: Callable[..., Page], pictures: Path, letters: str, options: dict[str, object]
) -> None:
    tab = new_tab(**options)
    human, agent, passkeys = Human(tab), PlaywrightAgent(tab), Passkeys(tab)
    sign_up(bank, tab, passkeys)
    agent.start("transfer_money", {**TRANSFER, "name": f"Ada Lovelace {letters}"})
    human.approve()
    dialog = human.dialog()
    drawn = read(tab, dialog, "dl.rows")
    assert drawn.startswith("To“AdaLovelace")
    assert "IBANDE89370400440532013000" in drawn
    assert read(tab, dialog, "h2") == "Send250.00EUR?"
    tab.screenshot(path=pictures / f"direction-{'phone' if options else 'desk'}-{ord(letters[-1]):x}.png")
    human.decline()


@pytest.mark.parametrize(("before", "after"), [("אבג", "דהו"), ("a", "אבג"), ("אבג", ""), ("ابن", "5")])
def test_a_product_is_not_turned_around(
    open_bank: Callable[..., Bank], tab: Page, passkeys: Passkeys, human: Human, before: str, after: str
) -> None:
    bank = open_bank(ORDER)
    sign_up(bank, tab, passkeys)
    tab.evaluate(REGISTER)
    agent = PlaywrightAgent(tab)
    agent.start("order", {"before": before, "number": 2, "price": 900, "after": after})
    human.approve()
    drawn = read(tab, human.dialog(), "h2")
    assert "2×900" in drawn
    human.decline()
