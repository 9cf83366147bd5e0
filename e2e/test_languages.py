"""A language is one file: with it, all that a person is shown on the page is in it (SHIM-12, GRANT-2)."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e.bank import TRANSFER, Bank
from playwright.sync_api import Page
from tests.words.languages import catalogue_of, translated

from deputize.testing.agent import PlaywrightAgent
from deputize.testing.human import Dialog, Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.waiting import until

LATIN = re.compile(r"[A-Za-z]+")
DESK = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 320, "height": 700}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def hebrew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A catalogue with one file more."""
    with catalogue_of(tmp_path_factory.mktemp("words"), he=translated("he")):
        yield


def latin(said: str, of_the_site: str) -> set[str]:
    """Find what was not translated: words in Latin letters that are no words of the site, nor of the agent."""
    return set(LATIN.findall(said)) - set(LATIN.findall(of_the_site))


def lies_within(tab: Page) -> bool:
    """Tell whether the page does not scroll sideways."""
    return bool(tab.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("options", [DESK, PHONE], ids=["desk", "320"])
def test_a_page_speaks_the_language_of_its_reader(
    hebrew: None, bank: Bank, new_tab: Callable[..., Page], pictures: Path, options: dict[str, object]
) -> None:
    tab = new_tab(locale="he-IL", **options)
    human, agent, passkeys = Human(tab), PlaywrightAgent(tab), Passkeys(tab)
    device = passkeys.add("internal")
    tab.goto(f"{bank.issuer}/account?return_to=/")
    tab.locator("#sign-up input").fill("Grace Hopper")
    tab.locator("#sign-up button").click()
    tab.get_by_text("Current account").wait_for()
    tab.wait_for_load_state()
    size = "320" if options is PHONE else "desk"
    policy = bank.harbor.deputize.authority.policy
    scopes = (f"{name} {scope.title}" for name, scope in policy.scopes.items())
    site = " ".join(("Harbor Grace Hopper localhost", *scopes, ""))

    def look(name: str, also: str = "") -> Dialog:
        dialog = human.dialog()
        tab.screenshot(path=pictures / f"language-{name}-{size}.png")
        assert not latin(f"{dialog.name} {dialog.text}", site + also)
        assert lies_within(tab)
        return dialog

    call = agent.start("transfer_money", TRANSFER)
    look("consent")
    device.verifies_user(False)
    human.press(human.dialog().buttons[1])
    until(tab, lambda: ((seen := human.sees()) and seen.complaint) or None, "a complaint", 10)
    look("complaint")
    device.verifies_user(True)
    consent = human.dialog()
    human.press(consent.buttons[1])
    human.wait_until_gone(consent)
    look("approval", f"Send EUR To DE IBAN {' '.join(map(str, TRANSFER.values()))} amount iban name")
    human.press(human.dialog().buttons[0])
    result = call.result()
    assert result.code in ("declined", "approval_pending")  # by how long this machine took
    assert not latin(result.text, "")
