"""Harbor as the tests see it: the running site, its books and the record, read from outside."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, Route

from deputize.demo.site import Harbor
from deputize.testing.agent import Agent, OpenCall, PlaywrightAgent, ToolResult
from deputize.testing.human import Human
from deputize.testing.passkeys import Authenticator, Passkeys
from deputize.testing.server import Site

OPENING = 1_000_00
ADA = "DE89370400440532013000"
TRANSFER: dict[str, object] = {"amount": 250, "iban": ADA, "name": "Ada Lovelace"}
DESCRIPTION = "Send 250.00 EUR?"
ROWS = ("To", "“Ada Lovelace”", "IBAN", "DE89 3704 0044 0532 0130 00", "Asked by")


@dataclass(frozen=True)
class Bank:
    """One Harbor, running for one test."""

    site: Site
    harbor: Harbor

    @property
    def url(self) -> str:
        return self.site.url

    @property
    def issuer(self) -> str:
        return f"{self.site.url}/deputize"

    def books(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the bank's own database file, not the bank."""
        with sqlite3.connect(f"{self.harbor.database.as_uri()}?mode=ro", uri=True) as database:
            rows = database.execute(query).fetchall()
        database.close()
        return rows

    def balance(self) -> int:
        """Return what the only customer has, in cents."""
        ((balance,),) = self.books("SELECT balance FROM accounts")
        return int(balance)

    def sent(self) -> list[tuple[int, str]]:
        """Return what went out, in cents and to whom."""
        return self.books("SELECT -amount, name FROM transactions WHERE amount < 0 ORDER BY id")

    def nothing_happened(self) -> bool:
        """Tell whether the books are as on the day the accounts were opened."""
        accounts = self.books("SELECT balance, closed_at FROM accounts")
        return all(account == (OPENING, None) for account in accounts) and not self.sent()

    def record(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the entries of the record, all or of these kinds."""
        stored = self.harbor.deputize.store.look(lambda tx: tx.entries(0, 10_000))
        entries = [json.loads(entry.leaf) for entry in stored]
        return [entry for entry in entries if not kinds or entry["kind"] in kinds]

    def kinds(self, call_id: str | None) -> list[str]:
        """Return what the record tells of one call, in order."""
        return [entry["kind"] for entry in self.record() if call_id and entry.get("call_id") == call_id]


class Persistent(PlaywrightAgent):
    """Calls again as long as it is told to come back, which makes it the same call (CALL-6).

    The shim lets agents wait for 20 seconds, and on a busy machine people take longer in a story of several devices.
    """

    def start(
        self, tool: str, input: Mapping[str, object] | None = None, *, patience: float = 60
    ) -> OpenCall:
        """Call a tool, and return at once."""
        return super().start(tool, input, patience=patience)

    def _answer(self, tool: str, input: Mapping[str, object], patience: float) -> ToolResult | Exception:
        while True:
            answer = super()._answer(tool, input, patience)
            if isinstance(answer, Exception) or answer.code not in ("consent_pending", "approval_pending"):
                return answer


@dataclass(frozen=True)
class Customer:
    """A customer who is signed in, and looks at the bank's page."""

    bank: Bank
    tab: Page
    device: Authenticator
    human: Human
    agent: Agent

    def deputizes_for(self, tool: str) -> None:
        """Let the agent use a tool, which it calls for the first time, without any arguments."""
        call = self.agent.start(tool)
        consent = self.human.approve()
        assert "act for you" in consent.text
        result = call.result()
        for _ in range(10):  # an impatient bank answers before the yes has arrived
            if result.code == "consent_pending":
                result = self.agent.call(tool)
        assert result.code == ("invalid_arguments" if tool == "transfer_money" else None)


def join(tab: Page, issuer: str, return_to: str | None = None) -> None:
    """Open an account with a new passkey on an authority's own page, as a person would, and stay there, or leave."""
    tab.goto(f"{issuer}/account" + (f"?return_to={return_to}" if return_to else ""))
    tab.get_by_label("Your name", exact=True).fill("Grace Hopper")
    tab.get_by_role("button", name="Create an account with a passkey").click()
    if return_to is None:
        tab.get_by_role("heading", name="Who may act for you").wait_for()


def sign_up(bank: Bank, tab: Page, passkeys: Passkeys, name: str = "Grace Hopper") -> Authenticator:
    """Open an account with a passkey of this device, as a person would, and end on the bank's page."""
    device = passkeys.add("internal")
    tab.goto(f"{bank.issuer}/account?return_to=/")
    tab.get_by_label("Your name", exact=True).fill(name)
    tab.get_by_role("button", name="Create an account with a passkey").click()
    tab.get_by_text("Current account").wait_for()
    tab.wait_for_load_state()  # the page has registered its tools
    return device


def add_security_key(bank: Bank, tab: Page, passkeys: Passkeys, device: Authenticator) -> Authenticator:
    """Add a security key on the account page, confirmed by the device's passkey."""
    tab.goto(f"{bank.issuer}/account")
    key = passkeys.add("usb")
    device.present(False)  # the new passkey is to be on the key

    def turn_to_the_device(route: Route) -> None:
        device.present(True)
        route.continue_()

    tab.route("**/credentials/*", turn_to_the_device, times=1)
    tab.get_by_role("button", name="Add a passkey", exact=True).click()
    tab.get_by_role("button", name="Remove Security key").wait_for()
    return key
