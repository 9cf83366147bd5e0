"""The passkey prompt when nobody has touched the page for long.

Playwright's own calls give the page user activation and so hide what Chromium does without it. Here all that
matters is sent as bare DevTools commands, and that no activation is left is looked at.
"""

import pytest
from e2e.bank import TRANSFER, Customer
from playwright.sync_api import CDPSession, Route

from deputize.testing.agent import CdpAgent
from deputize.testing.human import Control
from deputize.testing.waiting import until

IDLE = 15.0  # seconds within which Chromium's five of activation are surely over


@pytest.fixture
def devtools(deputized: Customer) -> CDPSession:
    """The DevTools of the customer's tab."""
    return deputized.tab.context.new_cdp_session(deputized.tab)


def is_active(devtools: CDPSession) -> bool:
    """Tell whether the page has user activation, without giving it any."""
    expression = {"expression": "navigator.userActivation.isActive", "userGesture": False}
    return bool(devtools.send("Runtime.evaluate", expression)["result"]["value"])


def click(devtools: CDPSession, control: Control) -> None:
    """Press and release the mouse over a control, as the browser's own input does."""
    border = devtools.send("DOM.getBoxModel", {"backendNodeId": control.node})["model"]["border"]
    place = {"x": sum(border[0::2]) / 4, "y": sum(border[1::2]) / 4, "button": "left", "clickCount": 1}
    devtools.send("Input.dispatchMouseEvent", {"type": "mousePressed", **place})
    devtools.send("Input.dispatchMouseEvent", {"type": "mouseReleased", **place})


def test_the_click_on_a_page_that_was_idle_starts_the_passkey(
    deputized: Customer, devtools: CDPSession
) -> None:
    until(deputized.tab, lambda: not is_active(devtools), "an idle page", IDLE)
    call = CdpAgent(deputized.tab).start("transfer_money", TRANSFER)
    dialog = deputized.human.dialog()
    assert not is_active(devtools)  # neither the agent nor the dialog has woken it
    click(devtools, dialog.approve)
    assert not call.result().refused
    assert deputized.bank.sent() == [(250_00, "Ada Lovelace")]


def test_a_challenge_that_comes_long_after_the_click_is_still_signed(
    deputized: Customer, devtools: CDPSession
) -> None:
    """The click's own activation is spent when a slow authority answers."""
    tab = deputized.tab

    def answer_late(route: Route) -> None:
        response = route.fetch()
        until(tab, lambda: not is_active(devtools), "the end of the activation", IDLE)
        route.fulfill(response=response)

    tab.route("**/calls/*/challenge", answer_late, times=1)
    call = CdpAgent(tab).start("transfer_money", TRANSFER)
    click(devtools, deputized.human.dialog().approve)
    assert not call.result().refused
    assert deputized.bank.sent() == [(250_00, "Ada Lovelace")]
