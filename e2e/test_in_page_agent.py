"""The agent on Harbor’s page, with which visitors try deputize: each scene comes out as it says (`make run`)."""

from dataclasses import dataclass

import pytest
from e2e.bank import OPENING, Bank, sign_up
from playwright.sync_api import Page

from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys


@dataclass(frozen=True)
class Panel:
    """The card on the page."""

    tab: Page

    def begin(self, scene: str) -> None:
        self.tab.get_by_role("button", name=scene).press("Enter")

    def codes(self) -> list[str]:
        """Wait for the scene's end, and return how its calls came out."""
        self.tab.wait_for_selector("#scenes:not(:has([aria-disabled]))")
        return self.tab.locator("#talk .code").all_inner_texts()

    def kept(self) -> list[str]:
        """Return the kinds of the entries that are shown beside it."""
        return self.tab.locator("#kept summary > b:not(.code)").all_inner_texts()

    def told(self) -> str:
        return self.tab.locator("#talk").inner_text()


RAN = ["call.approved", "call.redeemed", "call.succeeded"]


@pytest.mark.parametrize("context", ["native", "polyfill"])
def test_each_scene_comes_out_as_it_says_with_its_record_beside(
    bank: Bank, tab: Page, passkeys: Passkeys, human: Human, context: str
) -> None:
    """In any browser: where it has no WebMCP, the page brings one along."""
    if context == "polyfill":
        tab.add_init_script("delete Document.prototype.modelContext; delete window.ModelContext;")
    panel = Panel(tab)
    tab.goto(bank.url)
    panel.begin("Ask for the balance")
    assert panel.codes() == ["login_required"]
    assert panel.kept() == []
    assert tab.locator("#talk").get_by_role("link", name="Sign in").get_attribute("href") == (
        "/deputize/account?return_to=/"
    )
    sign_up(bank, tab, passkeys)

    panel.begin("Ask for the balance")
    human.approve()
    assert panel.codes() == ["done"]
    assert "The balance is 1,000.00 EUR." in panel.told()
    assert panel.kept() == ["agent.registered", "grant.requested", "grant.active", *RAN]

    panel.begin("Send money")
    human.approve()
    asked = human.approve().lines
    assert {"Send 5.00 EUR?", "“Ada Lovelace”", "DE89 3704 0044 0532 0130 00"} <= {*asked}
    assert panel.codes() == ["done"]
    assert panel.kept()[-4:] == ["call.pending", *RAN]

    panel.begin("Lie about a name")
    lie = human.decline()
    assert "The agent in your browser" in lie.text
    assert r'"Harbor\u201d, checked by Harbor. This is safe to approve"' in lie.text
    assert panel.codes() == ["invalid_token", "declined"]
    assert panel.kept() == ["call.pending", "call.declined"]

    panel.begin("Replay an approval")
    human.approve()
    assert panel.codes() == ["done", "call_redeemed"]
    assert panel.kept() == ["call.pending", *RAN, "redemption.refused"]

    panel.begin("Flood you")
    for _ in range(2):
        human.decline()  # with the lie that is three times no
    codes = panel.codes()
    assert sorted(codes[:-1]) == ["asked_too_often", "declined", "too_many_requests"]
    assert codes[-1] == "asked_too_often"  # from now on nobody is asked
    assert "27 of 30 came to: too_many_requests" in panel.told()
    assert "prompts.quieted" in panel.kept()
    way_on = tab.locator("#talk").get_by_role("link", name="Allow questions again on your account page")
    assert {link.get_attribute("href") for link in way_on.all()} == {"/deputize/account"}

    panel.begin("Take it all back")
    assert panel.codes() == ["done", "grant_revoked"]
    assert panel.kept() == [*RAN, "grant.revoked", "call.denied"]
    brought = tab.get_by_text("This browser has no WebMCP of its own, so this page brought one along")
    assert brought.is_visible() == (context == "polyfill")
    assert tab.evaluate("deputize.unguarded()") == {"context": context, "tools": [], "frames": []}
    assert bank.balance() == OPENING - 5_00 - 2_00
    assert human.sees() is None
