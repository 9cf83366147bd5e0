"""A question on the user's phone: two contexts as two devices (PHONE-1 to PHONE-4)."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from e2e.bank import TRANSFER, Bank, Customer, sign_up
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from deputize.testing.agent import OpenCall, PlaywrightAgent
from deputize.testing.human import Dialog, Human
from deputize.testing.passkeys import Authenticator, Passkeys
from deputize.testing.waiting import until

ON_PHONE = "Answer on my phone"
RESUMES = """async ([issuer, url]) => {
  const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  const segment = (value) => base64url(new TextEncoder().encode(JSON.stringify(value)));
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const { publicKey, privateKey } = await crypto.subtle.generateKey(algorithm, false, ['sign']);
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  const { now } = await (await fetch(`${issuer}/tools`)).json();
  const header = segment({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } });
  const signed = `${header}.${segment({ htm: 'POST', htu: url, iat: now, jti: crypto.randomUUID() })}`;
  const proof = base64url(await crypto.subtle.sign(algorithm, privateKey, new TextEncoder().encode(signed)));
  const answer = await fetch(url, { method: 'POST', headers: { 'deputize-page': `${signed}.${proof}` } });
  return (await answer.json()).code;
}"""
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
    assert any("it is on this computer only" in line for line in dialog.lines)  # localhost
    bring(tab, dialog, ".code")
    assert scanned(tab) == address
    human.decline("escape")
    assert call.result().code == "declined"


class Phone:
    """Another device of the same person: its passkeys are synced with the computer's."""

    def __init__(self, tab: Page, computer: Authenticator) -> None:
        self.tab = tab
        self.device = Passkeys(tab).add("internal")
        computer.sync(self.device)

    def opens(self, address: str) -> None:
        """Open what was scanned, and sign in."""
        self.tab.goto(address)
        self.tab.get_by_role("button", name="Sign in with a passkey").click()
        self.is_ready()

    def is_ready(self) -> None:
        """Wait until the script of the page has come."""
        self.tab.locator("#approve:not([disabled])").wait_for()

    @property
    def digits(self) -> Locator:
        return self.tab.get_by_label("Type the two digits that Harbor shows where it asks you")

    @property
    def yes(self) -> Locator:
        return self.tab.get_by_role("button", name=re.compile("(Approve|Allow) with passkey"))

    def approves(self, digits: str) -> None:
        self.digits.fill(digits)
        self.yes.scroll_into_view_if_needed()  # nobody approves what was not in view
        self.yes.click()


@pytest.fixture
def phone(new_tab: Callable[..., Page], customer: Customer) -> Phone:
    return Phone(
        new_tab(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True), customer.device
    )


def asked_on_phone(customer: Customer) -> tuple[OpenCall, Dialog, str, str]:
    """Let the agent ask for a transfer, and put the question on the phone; return its address and its digits, too."""
    call = customer.agent.start("transfer_money", TRANSFER)
    dialog = put_on_phone(customer.tab, customer.human)
    return call, dialog, scanned(customer.tab), digits_in(dialog) or ""


def test_a_call_is_answered_on_the_phone_and_goes_on_in_the_page(
    deputized: Customer, phone: Phone, pictures: Path
) -> None:
    """Whatever the phone takes for the time. And in that page only (CALL-11)."""
    call, dialog, address, digits = asked_on_phone(deputized)
    assert dialog.focused is not None
    assert dialog.focused.name == ON_PHONE.replace("my", "your")
    phone.tab.clock.install(time="2031-01-01T00:00:00Z")
    phone.opens(address)
    expect(phone.digits).to_have_accessible_description(re.compile("You have one try"))
    phone.tab.screenshot(path=pictures / "phone-asked.png")
    phone.approves(digits)
    expect(phone.tab.get_by_text("You approved it at localhost")).to_be_visible()
    phone.tab.screenshot(path=pictures / "phone-answered.png")
    resumes = f"{deputized.bank.issuer}/calls/{address.rpartition('/')[2]}/resumption"
    # The same user, and what he has approved, but not by the key of the page that asked.
    assert phone.tab.evaluate(RESUMES, [deputized.bank.issuer, resumes]) == "call_unknown"
    assert not call.result().refused
    assert deputized.human.sees() is None
    assert deputized.bank.sent() == [(250_00, "Ada Lovelace")]
    approved, resumed = deputized.bank.record("call.approved")
    assert (approved["surface"], resumed["resumed"]) == ("authority", True)


def test_wrong_digits_end_it_and_both_devices_say_so(
    deputized: Customer, phone: Phone, pictures: Path
) -> None:
    call, _, address, digits = asked_on_phone(deputized)
    phone.opens(address)
    phone.approves("4")
    expect(phone.tab.get_by_text("Type the two digits first.")).to_be_visible()  # that was no try
    phone.approves(f"{(int(digits) + 1) % 100:02}")
    expect(phone.tab.get_by_text("Those were not the digits")).to_be_visible()
    phone.tab.screenshot(path=pictures / "phone-wrong-digits.png")
    assert call.result().code == "wrong_digits"
    told = deputized.human.sees()
    assert told is not None
    assert "Those were not the digits in the window that asks" in told.text
    assert deputized.bank.nothing_happened()


def test_only_the_user_who_is_asked_sees_it_on_the_phone(
    customer: Customer, phone: Phone, pictures: Path
) -> None:
    """A consent, on a narrow phone on which somebody else is signed in."""
    bank = customer.bank
    call = customer.agent.start("get_balance")
    dialog = put_on_phone(customer.tab, customer.human)
    address = scanned(customer.tab)
    phone.tab.set_viewport_size({"width": 320, "height": 640})
    phone.tab.goto(f"{bank.issuer}/account")
    phone.tab.get_by_label("Your name", exact=True).fill("Eve")
    phone.tab.get_by_role("button", name="Create an account with a passkey").click()
    phone.tab.get_by_role("button", name="Sign out").wait_for()
    phone.tab.goto(address)
    expect(phone.tab.get_by_text("There is no question to Eve at this address")).to_be_visible()
    phone.tab.goto(f"{bank.issuer}/account")
    phone.device.forget(
        next(each.credential_id for each in phone.device.passkeys() if each.user_name == "Eve")
    )
    phone.tab.get_by_role("button", name="Sign out").click()
    phone.tab.get_by_role("button", name="Sign in with a passkey").wait_for()
    phone.opens(address)
    phone.tab.screenshot(path=pictures / "phone-consent-narrow.png", full_page=True)
    assert phone.tab.evaluate("document.documentElement.scrollWidth") <= 320
    phone.approves(digits_in(dialog) or "")
    expect(phone.tab.get_by_text("You allowed this.")).to_be_visible()
    assert not call.result().refused


def test_a_lost_network_loses_nothing_but_time(deputized: Customer, phone: Phone) -> None:
    """On either side: the page asks again, and the phone types again; the digits stay the same."""
    tab, human = deputized.tab, deputized.human
    call = deputized.agent.start("transfer_money", TRANSFER)
    button = next(each for each in human.dialog().buttons if each.name == ON_PHONE)
    tab.context.set_offline(True)
    human.press(button)
    until(tab, lambda: "The site gave no answer" in human.dialog().complaint, "a complaint")
    tab.context.set_offline(False)
    digits = digits_in(put_on_phone(tab, human)) or ""
    phone.opens(scanned(tab))
    phone.tab.context.set_offline(True)
    phone.approves(digits)
    expect(phone.tab.get_by_text("The site gave no answer")).to_be_visible()
    phone.tab.context.set_offline(False)
    phone.tab.reload()
    phone.is_ready()
    phone.approves(digits)
    expect(phone.tab.get_by_text("You approved it")).to_be_visible()
    assert not call.result().refused
    assert len(deputized.bank.sent()) == 1


def test_of_a_page_that_was_closed_nothing_is_done(deputized: Customer, phone: Phone) -> None:
    _, _, address, digits = asked_on_phone(deputized)
    deputized.tab.close()
    phone.opens(address)
    phone.approves(digits)
    expect(phone.tab.get_by_text("You approved it")).to_be_visible()
    assert deputized.bank.nothing_happened()
