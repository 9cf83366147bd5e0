"""Every dialog and every page for people, one after the other in one browser, to be looked at: by eye and by axe.

`make screenshots` draws them all into a contact sheet, `screenshots/sheet/index.html`. The tests look at them by
axe, and draw one cell of the sheet, so that this does not rot.
"""

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from e2e.attested import ASK, Attested, Details
from e2e.bank import ADA, Bank, sign_up
from playwright.sync_api import Page, Route

from deputize.testing.agent import Agent
from deputize.testing.clock import HeldClock
from deputize.testing.human import Human, NotApproved
from deputize.testing.passkeys import Passkeys
from deputize.testing.waiting import until

WIDTHS = (320, 768, 1280)
HEIGHT = 800
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ARGUMENTS: dict[str, dict[str, object]] = {
    "short": {"amount": 5, "iban": ADA, "name": "Ada"},
    "long": {
        "amount": 5.25,
        "iban": ADA,
        "name": "Wolfeschlegelsteinhausenbergerdorff Wilhelmina of Hohenlohe GmbH",
    },
    "rtl": {"amount": 5.5, "iban": ADA, "name": "شركة الأمل للتجارة (דוד כהן) 12345"},
}
LIMITS: Details = [
    {"type": "webmcp_tool", "tool": "transfer_money", "max_calls": 3, "sum": {"/amount": 500}},
]


@dataclass(frozen=True)
class Scene:
    """What is to be looked at: a name, the tab that shows it, and whether that is a dialog."""

    name: str
    tab: Page
    dialog: bool = False


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
        bank, tab, human = self.bank, self.tab, self.human
        tab.goto(f"{bank.issuer}/account")
        tab.get_by_role("button", name="Sign in with a passkey").wait_for()
        yield Scene("page: sign-in", tab)
        tab.goto(f"{bank.issuer}/account#recovery=none")
        tab.reload()
        yield Scene("page: recovery", tab)
        device = sign_up(bank, tab, self.passkeys)
        yield self._page("account, new", "/account")
        yield self._page("history, empty", "/account/history")
        yield self._page("device", "/device")
        yield self._page("device, no such code", "/device?user_code=BCDF-GHJK")
        yield self._page("refusal", "/account/history?tool=%00")
        yield self._page("ask, unknown", f"/ask/cal_{22 * 'A'}")

        self._home()
        self.agent.start("transfer_money")
        human.dialog()
        yield Scene("dialog: consent", tab, dialog=True)
        yield from self._asked("consent")
        human.approve()
        for kind, arguments in ARGUMENTS.items():
            call = self.agent.start("transfer_money", arguments)
            dialog = human.dialog()
            yield Scene(f"dialog: approval, {kind}", tab, dialog=True)
            for more in dialog.controls:
                if more.role == "DisclosureTriangle":
                    human.press(more)
                    yield Scene(f"dialog: approval, all details, {kind}", tab, dialog=True)
            yield from self._asked(kind)
            human.approve()
            call.result()

        self.agent.start("transfer_money", ARGUMENTS["short"])
        device.verifies_user(False)
        try:
            human.approve()
        except NotApproved:
            yield Scene("dialog: complaint", tab, dialog=True)
        device.verifies_user(True)
        device.present(False)
        dialog = human.dialog()
        human.press(dialog.approve)
        until(tab, lambda: bool((now := human.sees()) and "passkey" in now.progress), "the passkey prompt")
        yield Scene("dialog: waits for the passkey", tab, dialog=True)
        human.press(next(each for each in dialog.buttons if each.name == "Decline"))
        until(tab, lambda: human.sees() is None, "an end")
        device.present(True)

        def lose(route: Route) -> None:
            route.fetch()
            route.abort()

        tab.route("**/calls/*/approval", lose)
        self.agent.start("transfer_money", ARGUMENTS["long"])
        human.press(human.dialog().approve)
        until(tab, lambda: bool((now := human.sees()) and now.complaint), "what became of it")
        yield Scene("dialog: no answer came", tab, dialog=True)
        tab.unroute("**/calls/*/approval")
        human.press(next(button for button in human.dialog().buttons if button.name == "Cancel it"))
        until(tab, lambda: human.sees() is None, "an end")

        self.agent.start("transfer_money", ARGUMENTS["rtl"])
        human.dialog()
        self.clock.move(660)
        try:
            human.approve()
        except NotApproved:
            yield Scene("dialog: over", tab, dialog=True)
        human.ending()

        login = self.stranger.start("login", scope=ASK, details=LIMITS)
        tab.goto(login.tells())
        tab.locator("#allow:not([aria-disabled])").wait_for()
        yield Scene("page: consent", tab)
        tab.get_by_role("button", name="Allow with passkey").click()
        tab.wait_for_url("http://127.0.0.1:*/callback*")
        login.tells()
        yield self._page("account", "/account")
        yield self._page("history", "/account/history")
        for one in tab.locator("summary").all():
            one.click()
        yield Scene("page: history, opened", tab)

    def _home(self) -> None:
        self.tab.goto(self.bank.url)
        self.tab.get_by_text("Current account").wait_for()
        self.tab.wait_for_load_state()

    def _page(self, name: str, path: str) -> Scene:
        self.tab.goto(self.bank.issuer + path)
        self.tab.locator("h1").wait_for()
        return Scene(f"page: {name}", self.tab)

    def _asked(self, kind: str) -> Iterator[Scene]:
        """Show the question that is open now on its own page, beside the dialog."""
        newest = self.bank.record("call.pending", "grant.requested")[-1]
        found = newest["call_id"] if newest["kind"] == "call.pending" else newest["grant_id"]
        beside = self.tab.context.new_page()
        try:
            beside.goto(f"{self.bank.issuer}/ask/{found}")
            beside.locator("#approve:not([aria-disabled])").wait_for()
            yield Scene(f"page: ask, {kind}", beside)
        finally:
            beside.close()


def openly(tab: Page) -> None:
    """Let axe into the dialogs of Harbor's page, which opts in as a site for tests does."""

    def open_roots(route: Route) -> None:
        response = route.fetch()
        route.fulfill(
            response=response, body=response.text().replace("<html", '<html data-deputize-test="open"', 1)
        )

    tab.route(lambda url: url.count("/") == 3 and url.endswith("/"), open_roots)


def faults(scene: Scene, axe: str, rules: Sequence[str]) -> list[str]:
    """Return what axe has against a scene, by its rules, or those with these tags."""
    scene.tab.evaluate(axe)
    where: Any = {"fromShadowDom": ["[data-deputize]", "dialog"]} if scene.dialog else "html"
    options = {"runOnly": rules}
    found = scene.tab.evaluate("([where, options]) => axe.run(where, options)", [where, options])
    return [
        f"{scene.name}: {each['id']}: {json.dumps(node['target'])} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def cell(scene: Scene, scheme: Literal["light", "dark"], width: int, folder: Path) -> Path:
    """Draw one cell of the contact sheet; return where it is."""
    scene.tab.emulate_media(color_scheme=scheme)
    scene.tab.set_viewport_size({"width": width, "height": HEIGHT})
    name = "".join(letter if letter.isalnum() else "-" for letter in scene.name)
    path = folder / f"{name}-{scheme}-{width}.png"
    scene.tab.screenshot(path=path, full_page=not scene.dialog, animations="disabled")
    return path


def sheet(cells: dict[str, list[Path]], folder: Path) -> Path:
    """Write the contact sheet of these cells, by scene; return where it is."""
    rows = "".join(
        f"<section><h2>{html.escape(name)}</h2>"
        + "".join(
            f'<a href="{path.name}"><img loading="lazy" src="{path.name}" alt="{path.stem}"></a>'
            for path in paths
        )
        + "</section>"
        for name, paths in cells.items()
    )
    style = "body{background:#888}section{white-space:nowrap;overflow:auto}img{height:420px;margin:4px}"
    path = folder / "index.html"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><title>Contact sheet</title><style>{style}</style>{rows}",
        encoding="utf-8",
    )
    return path
