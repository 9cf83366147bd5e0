"""SHIM-11: a request that arrived, and whose answer did not, in a real browser: nothing is said that is not so."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from e2e.bank import TRANSFER, Bank, Customer, sign_up
from playwright.sync_api import Page, Route

from deputize.testing.agent import PlaywrightAgent
from deputize.testing.human import Control, Dialog, Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.waiting import until

When = Literal["before", "after"]
PHONE = {"viewport": {"width": 390, "height": 700}, "has_touch": True, "is_mobile": True}


def lose(tab: Page, address: str, when: When, times: int = 1) -> None:
    """Lose requests on their way there, or their answers on the way back."""

    def lost(route: Route) -> None:
        if when == "after":
            route.fetch()
        route.abort("connectionreset")

    tab.route(address, lost, times=times)


def button(dialog: Dialog, name: str) -> Control:
    return next(each for each in dialog.buttons if each.name == name)


def complaint(human: Human, tab: Page) -> Dialog:
    """Wait until the dialog says what went wrong."""

    def told() -> Dialog | None:
        now = human.sees()
        return now if now and now.complaint else None

    return until(tab, told, "a complaint", instead=lambda: f"Seen: {human.sees()}")


@pytest.mark.parametrize("when", ["before", "after"])
def test_where_the_answer_to_an_approval_is_lost_the_dialog_asks_what_became_of_it(
    deputized: Customer, pictures: Path, when: When
) -> None:
    """SHIM-11: the human learns whether it arrived; what arrived can be cancelled, and then nothing happens."""
    tab, human = deputized.tab, deputized.human
    call = deputized.agent.start("transfer_money", TRANSFER)
    human.dialog()
    lose(tab, "**/calls/*/approval", when)
    human.press(human.dialog().approve)
    now = complaint(human, tab)
    tab.screenshot(path=pictures / f"lost-{when}.png")
    if when == "before":
        assert now.complaint == "Your approval has not arrived. Please try again."
        human.approve()
        assert not call.result().refused
        assert deputized.bank.sent() == [(250_00, "Ada Lovelace")]
        return
    assert re.fullmatch(
        r"Your approval arrived\. What you approved may still be done until [0-9]{2}:[0-9]{2}\.",
        now.complaint,
    )
    assert (
        human.dialog().lines == now.lines
    )  # the tester's kit takes it for one that can be answered, with no passkey
    with pytest.raises(LookupError, match="asks for no passkey"):
        human.approve()
    human.press(button(now, "Cancel it"))
    result = call.result()
    assert result.code == "declined"
    assert deputized.bank.kinds(result.correlation_id) == ["call.pending", "call.approved", "call.declined"]
    again = deputized.agent.start("transfer_money", TRANSFER)
    human.decline()  # a new dialog: the approval is used up
    assert again.result().code == "declined"
    assert deputized.bank.nothing_happened()


def test_what_arrived_can_go_on(deputized: Customer) -> None:
    """SHIM-11: once, and without a second passkey."""
    tab, human = deputized.tab, deputized.human
    call = deputized.agent.start("transfer_money", TRANSFER)
    human.dialog()
    lose(tab, "**/calls/*/approval", "after")
    human.press(human.dialog().approve)
    human.press(button(complaint(human, tab), "Go on"))
    assert not call.result().refused
    assert deputized.bank.sent() == [(250_00, "Ada Lovelace")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_when_nobody_can_be_asked_the_dialog_says_what_is_known(
    deputized: Customer, pictures: Path, when: When
) -> None:
    """SHIM-11: that it is not known is all that is said, and one can look again."""
    tab, human = deputized.tab, deputized.human
    call = deputized.agent.start("transfer_money", TRANSFER)
    human.dialog()
    lose(tab, "**/calls/*/approval", when)
    lose(tab, re.compile(r"/calls/[^/]+$"), "before")  # type: ignore[arg-type]
    human.press(human.dialog().approve)
    now = complaint(human, tab)
    assert (
        "not known whether your approval arrived. If it did, what you approved may still be done until"
        in now.complaint
    )
    tab.screenshot(path=pictures / f"lost-unknown-{when}.png")
    human.press(button(now, "Look again"))
    wanted = "has not arrived" if when == "before" else "arrived. What you approved may still be done"
    until(tab, lambda: wanted in complaint(human, tab).complaint or None, wanted)
    now = complaint(human, tab)
    human.press(now.decline if when == "before" else button(now, "Cancel it"))
    assert call.result().code == "declined"
    assert deputized.bank.nothing_happened()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["calls", "calls/*/challenge", "calls/*/denial"])
def test_where_another_answer_is_lost_nothing_runs(deputized: Customer, what: str, when: When) -> None:
    """SHIM-11: nothing was approved, so nothing runs, and nothing is said but that."""
    tab, human = deputized.tab, deputized.human
    lose(tab, f"**/deputize/{what}", when)
    call = deputized.agent.start("transfer_money", TRANSFER)
    if what == "calls":
        assert call.result().code == "authority_unavailable"
    elif what.endswith("denial"):
        human.decline()
        assert call.result().code == "declined"
    else:
        human.press(human.dialog().approve)
        assert "Please try again" in complaint(human, tab).complaint
        human.decline()
        assert call.result().code == "declined"
    assert deputized.bank.nothing_happened()


@pytest.mark.parametrize("when", ["before", "after"])
def test_where_the_answer_to_a_consent_is_lost_the_dialog_says_so(
    bank: Bank, new_tab: Callable[..., Page], pictures: Path, when: When
) -> None:
    """SHIM-11, on a phone: what arrived can be taken back, and is."""
    options: dict[str, Any] = PHONE
    tab = new_tab(**options)
    human, agent, passkeys = Human(tab), PlaywrightAgent(tab), Passkeys(tab)
    sign_up(bank, tab, passkeys)
    call = agent.start("get_balance")
    human.dialog()
    lose(tab, "**/grants/*/approval", when)
    human.press(human.dialog().approve)
    now = complaint(human, tab)
    tab.screenshot(path=pictures / f"lost-consent-{when}.png")
    if when == "before":
        assert now.complaint == "Your permission has not arrived. Please try again."
        human.approve()
        assert not call.result().refused
        return
    assert now.complaint.startswith("Your permission arrived, and holds until ")
    human.press(button(now, "Take it back"))
    assert call.result().code == "consent_declined"
    assert [entry["kind"] for entry in bank.record("grant.active", "grant.revoked")] == [
        "grant.active",
        "grant.revoked",
    ]


@pytest.mark.parametrize("when", ["before", "after"])
def test_where_the_sites_own_api_does_not_answer_the_outcome_is_unknown(
    customer: Customer, when: When
) -> None:
    """SHIM-10: in Harbor's form, people read neither "Failed to fetch" nor that nothing was done."""
    tab = customer.tab
    lose(tab, "**/api/transfers", when)
    tab.get_by_label("To", exact=True).fill("Ada Lovelace")
    tab.get_by_label("IBAN").fill(str(TRANSFER["iban"]))
    tab.get_by_label("Amount").fill("250")
    tab.get_by_role("button", name="Continue to approval").click()
    asked = customer.human.approve()
    assert "no agent says that it is behind it" in asked.text
    status = tab.locator("#status")
    until(tab, lambda: "not known whether this was done" in (status.text_content() or "") or None, "words")
    assert customer.bank.sent() == ([(250_00, "Ada Lovelace")] if when == "after" else [])
