"""Every dialog and every page for people, one after the other in one browser, to be looked at: by eye and by axe.

`make screenshots` draws them all into a contact sheet, `screenshots/sheet/index.html`. The tests look at them by
axe, and draw one cell of the sheet, so that this does not rot.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from e2e.attested import ASK, CLOSED, Attested, Details
from e2e.bank import ADA, Bank, add_security_key, sign_up
from e2e.scenes import DIALOG, NOTICE, Scene
from playwright.sync_api import Page, Route

from deputize.testing.agent import Agent
from deputize.testing.clock import HeldClock
from deputize.testing.human import Human, NotApproved
from deputize.testing.passkeys import Authenticator, Passkeys
from deputize.testing.waiting import until

ARGUMENTS: dict[str, dict[str, object]] = {
    "short": {"amount": 5, "iban": ADA, "name": "Ada"},
    "long": {
        "amount": 5.25,
        "iban": ADA,
        "name": "Wolfeschlegelsteinhausenbergerdorff Wilhelmina of Hohenlohe GmbH",
    },
    "rtl": {"amount": 5.5, "iban": ADA, "name": "شركة الأمل للتجارة (דוד כהן) 12345"},
}
ASKS = """
title = "List your transactions"
approval = "always"
describe = { headline = "Hand out your latest transactions?" }
"""
"""A tool of Harbor's, otherwise: it asks each time, and leaves what it is called with to "All details"."""
LIMITS: Details = [
    {"type": "webmcp_tool", "tool": "transfer_money", "max_calls": 3, "sum": {"/amount": 500}},
]


@dataclass(frozen=True)
class Tour:
    """A customer's way past all of it."""

    bank: Bank
    tab: Page
    passkeys: Passkeys
    human: Human
    agent: Agent
    clock: HeldClock
    stranger: Attested

    def __iter__(self) -> Iterator[Scene]:
        """Go from scene to scene; whoever looks leaves the tab as it is, but for its size and colours."""
        yield from self._as_a_stranger()
        device = sign_up(self.bank, self.tab, self.passkeys)
        yield from self._as_a_new_customer()
        self._home()
        yield from self._questions()
        yield from self._mishaps(device)
        yield from self._other_passkeys(device)
        yield from self._attested()
        yield from self._too_often()
        yield from self._account()

    def _as_a_stranger(self) -> Iterator[Scene]:
        tab = self.tab
        tab.goto(f"{self.bank.issuer}/account")
        tab.get_by_role("button", name="Sign in with a passkey").wait_for()
        yield Scene("page: sign-in", tab)
        tab.goto(f"{self.bank.issuer}/account#recovery=none")
        tab.reload()
        yield Scene("page: recovery", tab)

    def _as_a_new_customer(self) -> Iterator[Scene]:
        yield self._page("account, new", "/account")
        yield self._page("history, empty", "/account/history")
        yield self._page("device", "/device")
        yield self._page("device, no such code", "/device?user_code=BCDF-GHJK")
        yield self._page("refusal", "/account/history?tool=%00")
        yield self._page("ask, unknown", f"/ask/cal_{22 * 'A'}")

    def _questions(self) -> Iterator[Scene]:
        """Consents and approvals, each in its dialog and on its own page."""
        human, agent = self.human, self.agent
        agent.start("transfer_money")
        yield from self._dialog("consent", beside=True)
        human.approve()
        for kind, arguments in ARGUMENTS.items():
            call = agent.start("transfer_money", arguments)
            yield from self._dialog(f"approval, {kind}", beside=True)
            human.approve()
            call.result()
        agent.start(CLOSED, {"limit": 5})
        yield from self._dialog("consent to more", beside=True)
        human.approve()
        dialog = human.dialog()
        human.press(next(more for more in dialog.controls if more.role == "DisclosureTriangle"))
        yield from self._dialog("approval, all details")
        human.press(next(each for each in dialog.buttons if each.name == "Answer on my phone"))
        until(self.tab, lambda: (now := human.sees()) and "Then type there:" in now.lines, "digits")
        yield from self._dialog("on the phone")
        with self._beside() as beside:
            yield Scene("page: ask, with digits", beside)
            beside.goto(f"{self.bank.issuer}/account")
            beside.get_by_role("heading", name="Waiting for you").wait_for()
            yield Scene("page: account, waiting", beside)
        human.approve()

    def _mishaps(self, device: Authenticator) -> Iterator[Scene]:
        tab, human, agent = self.tab, self.human, self.agent
        agent.start("transfer_money", ARGUMENTS["short"])
        device.verifies_user(False)
        try:
            human.approve()
        except NotApproved:
            yield from self._dialog("complaint")
        device.verifies_user(True)
        device.present(False)
        dialog = human.dialog()
        human.press(dialog.approve)
        until(tab, lambda: bool((now := human.sees()) and "passkey" in now.progress), "the passkey prompt")
        yield Scene("dialog: waits for the passkey", tab, DIALOG)
        human.press(next(each for each in dialog.buttons if each.name == "Decline"))
        until(tab, lambda: human.sees() is None, "an end")
        device.present(True)

        def lose(route: Route) -> None:
            route.fetch()
            route.abort()

        tab.route("**/calls/*/approval", lose)
        agent.start("transfer_money", ARGUMENTS["long"])
        human.press(human.dialog().approve)
        until(tab, lambda: bool((now := human.sees()) and now.complaint), "what became of it")
        yield Scene("dialog: no answer came", tab, DIALOG)
        tab.unroute("**/calls/*/approval")
        human.press(next(button for button in human.dialog().buttons if button.name == "Cancel it"))
        until(tab, lambda: human.sees() is None, "an end")

        agent.start("transfer_money", ARGUMENTS["rtl"])
        human.dialog()
        self.clock.move(660)
        try:
            human.approve()
        except NotApproved:
            yield Scene("dialog: over", tab, DIALOG)
        human.ending()

    def _other_passkeys(self, device: Authenticator) -> Iterator[Scene]:
        """A tool that wants a security key or a phone, without one and with one."""
        self.agent.start("close_account")
        self.human.approve()
        yield self._notice("no passkey that fits")
        add_security_key(self.bank, self.tab, self.passkeys, device)
        self._home()
        self.agent.start("close_account")
        yield from self._dialog("approval, security key", beside=True)
        self.human.decline()

    def _attested(self) -> Iterator[Scene]:
        tab = self.tab
        login = self.stranger.start("login", scope=ASK, details=LIMITS)
        tab.goto(login.tells())
        tab.locator("#allow:not([aria-disabled])").wait_for()
        yield Scene("page: consent", tab)
        tab.get_by_role("button", name="Allow with passkey").click()
        tab.wait_for_url("http://127.0.0.1:*/callback*")
        login.tells()
        self._home()
        for amount in (300, 301):  # both wait, and the first leaves too little for the second
            self.agent.start(
                "transfer_money",
                self.stranger.input("transfer_money", {**ARGUMENTS["short"], "amount": amount}),
            )
        self.human.approve()
        try:
            self.human.approve()
        except NotApproved:
            yield Scene("dialog: over the limit", tab, DIALOG)
        self.human.ending()

    def _too_often(self) -> Iterator[Scene]:
        """Questions that wait for others, and what is told once there were too many."""
        calls = [self.agent.start("transfer_money", {**ARGUMENTS["short"], "amount": n}) for n in (1, 2, 3)]
        until(self.tab, lambda: "Waiting after this one: 2" in self.human.dialog().lines, "two that wait")
        yield from self._dialog("more wait")
        for _ in range(2):  # the third no
            self.human.decline()
        for call in calls:
            call.result()
        self.agent.call("transfer_money", ARGUMENTS["short"])
        yield self._notice("asked too often")

    def _account(self) -> Iterator[Scene]:
        tab = self.tab
        yield self._page("account", "/account")
        tab.get_by_text("Take it back and block the agent").first.click()
        tab.get_by_role("button", name="Block").first.click()
        tab.get_by_role("heading", name="Blocked").wait_for()
        tab.get_by_role("button", name="Pause all agents").click()
        tab.get_by_role("button", name="Let them go on").wait_for()
        yield Scene("page: account, blocked and paused", tab)
        yield self._page("history", "/account/history")
        for one in tab.locator("summary").all():
            one.click()
        yield Scene("page: history, opened", tab)
        answered = self.bank.record("call.approved")[0]["call_id"]
        yield self._page("ask, answered", f"/ask/{answered}")

    def _home(self) -> None:
        self.tab.goto(self.bank.url)
        self.tab.get_by_text("Current account").wait_for()
        self.tab.wait_for_load_state()

    def _page(self, name: str, path: str) -> Scene:
        self.tab.goto(self.bank.issuer + path)
        self.tab.locator("h1").wait_for()
        return Scene(f"page: {name}", self.tab)

    def _dialog(self, name: str, beside: bool = False) -> Iterator[Scene]:
        """Show the dialog that takes an answer now, and the question's own page beside it."""
        self.human.dialog()
        yield Scene(f"dialog: {name}", self.tab, DIALOG)
        if beside:
            with self._beside() as page:
                yield Scene(f"page: ask, {name}", page)

    @contextmanager
    def _beside(self) -> Iterator[Page]:
        """Open the question that is open now on its own page."""
        newest = self.bank.record("call.pending", "grant.requested")[-1]
        found = newest["call_id"] if newest["kind"] == "call.pending" else newest["grant_id"]
        beside = self.tab.context.new_page()
        try:
            beside.goto(f"{self.bank.issuer}/ask/{found}")
            beside.locator("#approve:not([disabled], [aria-disabled])").wait_for()
            yield beside
        finally:
            beside.close()

    def _notice(self, name: str) -> Scene:
        until(self.tab, lambda: bool(self.human.notices()), "a notice")
        return Scene(f"notice: {name}", self.tab, NOTICE)
