"""A question on the user's phone: two contexts as two devices (PHONE-1 to PHONE-4)."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from e2e.bank import TRANSFER, Bank, sign_up
from PIL import Image
from playwright.sync_api import Page

from deputize.testing.agent import PlaywrightAgent
from deputize.testing.human import Dialog, Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.waiting import until

ON_PHONE = "Answer on my phone"
DIGITS = re.compile(r"^[0-9] [0-9]$")


def put_on_phone(tab: Page, human: Human) -> Dialog:
    """Press the button, and wait for what it shows."""
    human.press(next(each for each in human.dialog().buttons if each.name == ON_PHONE))

    def shown() -> Dialog | None:
        now = human.sees()
        return now if now is not None and digits_in(now) is not None else None

    return until(tab, shown, "the digits", instead=lambda: f"Seen: {human.sees()}")


def digits_in(dialog: Dialog) -> str | None:
    return next((line.replace(" ", "") for line in dialog.lines if DIGITS.match(line)), None)


def scanned(tab: Page) -> str:
    """Hold a camera before the screen."""
    picture = Image.open(io.BytesIO(tab.screenshot()))
    (read,) = zxingcpp.read_barcodes(picture)
    return str(read.text)


def bring(tab: Page, dialog: Dialog, selector: str) -> None:
    """Scroll to something in the dialog, as far as need be."""
    session = tab.context.new_cdp_session(tab)
    found = session.send("DOM.resolveNode", {"backendNodeId": dialog.node})["object"]["objectId"]
    scrolls = "function (selector) { this.querySelector(selector).scrollIntoView({ block: 'nearest' }); }"
    given = [{"value": selector}]
    session.send(
        "Runtime.callFunctionOn", {"objectId": found, "functionDeclaration": scrolls, "arguments": given}
    )


@pytest.mark.parametrize("name", ["desk", "desk-dark", "phone", "narrow", "zoomed"])
def test_it_can_be_scanned_off_any_screen(
    bank: Bank, new_tab: Callable[..., Page], pictures: Path, name: str
) -> None:
    """PHONE-4: dark on light in the dark as well, wide enough at 320 px."""
    sizes = {"phone": (390, 844), "narrow": (320, 640), "zoomed": (320, 256)}
    width, height = sizes.get(name, (1280, 800))
    options: dict[str, Any] = {"viewport": {"width": width, "height": height}}
    tab = new_tab(**options, color_scheme="dark" if "dark" in name else "light")
    human, agent, passkeys = Human(tab), PlaywrightAgent(tab), Passkeys(tab)
    sign_up(bank, tab, passkeys)
    call = agent.start("transfer_money", TRANSFER)
    human.approve()
    dialog = put_on_phone(tab, human)
    tab.screenshot(path=pictures / f"on-phone-{name}.png")
    address = next(line for line in dialog.lines if "/ask/cal_" in line)
    bring(tab, dialog, ".code")
    assert scanned(tab) == address
    human.decline("escape")
    assert call.result().code == "declined"
