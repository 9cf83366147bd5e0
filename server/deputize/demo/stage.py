"""The stage of the story: Harbor, a real Chromium, and who acts: agents, a customer, page script."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Page, Request, Route, sync_playwright
from starlette.types import ASGIApp

from deputize.agent import AgentKey
from deputize.log.log import Log
from deputize.testing import browser
from deputize.testing.agent import CdpAgent, PlaywrightAgent
from deputize.testing.human import Human
from deputize.testing.passkeys import Authenticator, Passkeys
from deputize.testing.server import Site
from deputize.testing.waiting import until

from . import site
from .auditor import Auditor, command
from .forgeries import Insider
from .host import CLIENT_ID, REDIRECT, Host
from .lies import Trial
from .site import Harbor

CUSTOMER = "Grace Hopper"
WAIT = 3
"""Seconds that a call waits for a human while the story lets it wait in vain; the default, 20, would be long."""

_DESKTOP = """
[agents.registered."{client_id}"]
name = "Desktop Assistant"
scopes = ["payments:write"]
redirect_uris = ["{redirect}"]
[[agents.registered."{client_id}".keys]]
{key}
"""
_LANDED = REDIRECT.replace("127.0.0.1", "127.0.0.1:*") + "?*"
_IMPATIENT = f"\n[lifetimes]\nwait = {WAIT}\n"

_LOOK: dict[str, Any] = {
    "viewport": {"width": 1280, "height": 800},
    "device_scale_factor": 2,
    "locale": "en-GB",
}
_ATTACKS = (files(__package__) / "attacks.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Stage:
    """All that take part. `agent` is Playwright's client, `other_agent` speaks the bare DevTools protocol, `host` MCP.

    `data` is the folder of the site's data, which the `insider` has as well, `shots` that of the pictures.
    """

    harbor: Harbor
    data: Path
    page: Page
    agent: PlaywrightAgent
    other_agent: CdpAgent
    host: Host
    customer: Human
    passkeys: Passkeys
    shots: Path
    auditor: Auditor
    insider: Insider

    def balance(self) -> int | None:
        """Return the cents in the customer's account, as the bank's own file has them; None without an account."""
        rows = self.books("SELECT balance FROM accounts")
        return int(rows[0][0]) if rows else None

    def books(self, query: str) -> list[tuple[Any, ...]]:
        """Query the bank's own file, past its code."""
        books = sqlite3.connect(f"{self.harbor.database.as_uri()}?mode=ro", uri=True)
        try:
            return books.execute(query).fetchall()
        finally:
            books.close()

    def record(self) -> list[dict[str, Any]]:
        """Return all entries of the record."""
        stored = self.harbor.deputize.store.look(lambda tx: tx.entries(0, 100_000))
        return [json.loads(entry.leaf) for entry in stored]

    def moves(self, call_id: str | None) -> list[str]:
        """Return the states that a call went through, as the record has them."""
        entries = [entry for entry in self.record() if call_id and entry.get("call_id") == call_id]
        return [entry["kind"].removeprefix("call.") for entry in entries]

    def keep_checkpoint(self) -> None:
        """Let the auditor keep the record's signed checkpoint of now, and the bank's owner a copy of its data."""
        self.auditor.keep(self.harbor.url)
        self.insider.keep_older()

    def trial(self) -> Trial:
        """Return who takes part when the auditor looks at the record, of which somebody wants a no to be a yes."""
        declined = next(entry["i"] for entry in self.record() if entry["kind"] == "call.declined")
        return Trial(self.harbor.url, self.insider, self.auditor, declined)

    def verify_record(self, data: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run `deputize log verify` over the record in `data`, against the checkpoint that was kept."""
        command = [sys.executable, "-m", "deputize", "log", "verify", "--data", str(data or self.data)]
        command += ["--policy", str(self.insider.policy), "--checkpoint", str(self.auditor.kept)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def forge_record(self) -> tuple[int, Path]:
        """Turn what she declined into what she approved, in a copy; return the entry's index and the copy's folder."""
        index, forged = self.trial().entry, self.insider.copy("forged")
        with closing(sqlite3.connect(forged / "deputize.db", isolation_level=None)) as copy:
            (leaf,) = copy.execute("SELECT leaf FROM entries WHERE idx = ?", [index]).fetchone()
            leaf = leaf.replace(b"call.declined", b"call.approved")
            copy.execute("UPDATE entries SET leaf = ? WHERE idx = ?", [leaf, index])
        return index, forged

    def home(self) -> None:
        """Go to the bank's page."""
        self.page.goto(self.harbor.url)

    def have_patience(self) -> None:
        """Let calls wait as long as they do by default: from here on each is answered, by a person who takes her time.

        The site reads its policy again while it runs (POLICY-2), and the page when it is loaded.
        """
        policy, newer = self.data / "deputize.toml", self.data / "newer.toml"
        newer.write_text(policy.read_text(encoding="utf-8").replace(_IMPATIENT, ""), encoding="utf-8")
        newer.replace(policy)
        self.home()

    def sign_up(self) -> Authenticator:
        """Open an account with a passkey of this device, as a person would, and end on the bank's page."""
        device = self.passkeys.add("internal")
        self.page.get_by_role("link", name="Sign in or open an account").click()
        self.page.get_by_label("Your name").fill(CUSTOMER)
        # What is entered before the page's script has come is lost: its buttons are disabled until then.
        self.page.locator("#sign-up button:enabled").wait_for()
        self.page.keyboard.press("Enter")
        self.page.get_by_text("Current account").wait_for()
        self.page.wait_for_load_state()  # the page has registered its tools
        return device

    def add_security_key(self, device: Authenticator) -> None:
        """Enroll a security key on the account page; the passkey of this device confirms it."""
        self.passkeys.add("usb")
        device.present(False)  # the customer touches the key, not the device …

        def turn_to_the_device(route: Route) -> None:
            device.present(True)  # … before the page can ask for it
            route.continue_()

        self.page.goto(f"{self.harbor.url}/deputize/account")
        self.page.route("**/credentials/*", turn_to_the_device, times=1)
        self.page.get_by_role("button", name="Add a passkey", exact=True).click()
        self.page.get_by_role("button", name="Remove").nth(1).wait_for()
        self.shoot("account")
        self.home()

    def revoke_in_another_tab(self) -> None:
        """Take back what the agent was given, on the account page."""
        tab = self.page.context.new_page()
        tab.goto(f"{self.harbor.url}/deputize/account")
        tab.get_by_role("button", name="Take this back").click()
        tab.get_by_text("No agent may act for you now.").wait_for()
        tab.close()

    def allow_questions_again(self) -> None:
        """End the quiet after too many no's, on the account page."""
        tab = self.page.context.new_page()
        tab.goto(f"{self.harbor.url}/deputize/account")
        again = tab.get_by_role("button", name="Allow questions again")
        again.click()
        again.wait_for(state="detached")
        tab.close()

    def answer_on_phone(self, device: Authenticator) -> None:
        """Put the open question on the customer's phone, which has the passkeys of her device, and approve it there."""
        dialog = self.customer.dialog()
        self.customer.press(next(each for each in dialog.buttons if each.name == "Answer on my phone"))
        digits, address = until(self.page, self._on_phone, "what the phone needs")
        self.shoot("on-phone")
        browser = self.page.context.browser
        assert browser is not None  # it launched this page
        with closing(browser.new_context(**{**_LOOK, "viewport": {"width": 390, "height": 844}})) as context:
            phone = context.new_page()
            hers = Passkeys(phone).add("internal")
            device.sync(hers)
            phone.goto(address)
            phone.get_by_role("button", name="Sign in with a passkey").click()
            phone.get_by_label("Type the two digits").fill(digits)
            phone.screenshot(path=self.shots / "phone.png")
            phone.get_by_role("button", name="Approve with passkey").click()
            phone.get_by_text("You approved it").wait_for()
            for passkey in device.passkeys():  # their counters are behind those of the phone's
                device.forget(passkey.credential_id)
            hers.sync(device)

    def _on_phone(self) -> tuple[str, str] | None:
        """Read the digits and the address in the dialog, once they are there."""
        lines = dialog.lines if (dialog := self.customer.sees()) else ()
        digits = [line.replace(" ", "") for line in lines if re.fullmatch("[0-9] [0-9]", line)]
        addresses = [line for line in lines if "/ask/cal_" in line]
        return (digits[0], addresses[0]) if digits and addresses else None

    def connect_host(self) -> None:
        """Let the customer deputize the MCP host, which opens a page in her browser."""

        def show(url: str) -> None:
            self.page.goto(url)
            self.page.get_by_role("button", name="Allow with passkey").click()
            self.page.wait_for_url(_LANDED)  # the host has its answer before the browser has gone there

        self.host.connect("payments:write", show)
        self.home()

    def answer_at(self, url: str) -> str:
        """Read the question at an address that a host has shown, approve it there, and return what was read."""
        self.page.goto(url)
        approve = self.page.get_by_role("button", name="Approve with passkey")
        approve.wait_for()
        self.shoot("ask")
        read = self.page.get_by_role("main").inner_text()
        approve.click()
        approve.wait_for(state="detached")
        self.home()
        return read

    def attack(self, name: str, argument: object = None) -> Any:
        """Run one of the attacks in the page, as its own script could."""
        return self.page.evaluate(f"(argument) => ({_ATTACKS})['{name}'](argument)", argument)

    def shoot(self, name: str) -> None:
        """Take a picture of the page."""
        self.page.screenshot(path=self.shots / f"{name}.png")


def overheard(request: Request) -> dict[str, Any]:
    """Return what a script in the page can learn of one of the shim's requests: URL, headers and body."""
    headers = {name: request.headers[name] for name in ("content-type", "deputize-page")}
    return {"url": request.url, "headers": headers, "body": request.post_data}


@contextmanager
def set_up(shots: Path, headed: bool) -> Iterator[Stage]:
    """Start everything, with a fresh folder for the site's data, and end it all afterwards.

    Raises:
        chromium.NoChromiumError: there is none.
    """
    with ExitStack() as stack:
        data = Path(stack.enter_context(TemporaryDirectory(prefix="harbor-")))
        log = Log(stack.enter_context((data / "deputize.log").open("wb")))
        harbors: list[Harbor] = []
        key = AgentKey.generate()

        def build(port: int) -> ASGIApp:
            with site.policy_file(data, port).open("a", encoding="utf-8") as policy:
                jwk = "\n".join(f'{name} = "{value}"' for name, value in key.public_jwk().items())
                policy.write(_DESKTOP.format(client_id=CLIENT_ID, redirect=REDIRECT, key=jwk))
                policy.write(_IMPATIENT)
            harbors.append(site.build(data, port, log=log))
            return harbors[0].app

        stack.enter_context(Site(build))
        chromium = browser.launch(stack.enter_context(sync_playwright()), headless=not headed)
        stack.callback(chromium.close)
        page = chromium.new_context(color_scheme="light", **_LOOK).new_page()
        page.goto(harbors[0].url)
        host = Host(f"{harbors[0].url}/deputize", key)
        stack.callback(host.close)
        copies = Path(stack.enter_context(TemporaryDirectory(prefix="harbor-copies-")))
        insider = Insider(data, copies, log)
        record_key = command("log", "key", "--data", str(data), "--policy", str(insider.policy)).line
        kept = Path(stack.enter_context(TemporaryDirectory(prefix="auditor-")))
        yield Stage(
            harbors[0],
            data,
            page,
            PlaywrightAgent(page),
            CdpAgent(page),
            host,
            Human(page),
            Passkeys(page),
            shots,
            Auditor(record_key, kept),
            insider,
        )
