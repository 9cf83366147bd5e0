"""An assistant in the site's own page, over MCP: connected by a delegation, approved by passkey (MCP-13, MCP-14)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.assistant import (
    DESCRIPTION,
    LIVES,
    TRANSFER,
    Assistant,
    Bank,
    bundled,
    mounted,
    open_bank,
    pages,
    sign_up,
    visit,
)
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from deputize.testing.clock import HeldClock
from deputize.testing.human import Human
from deputize.testing.passkeys import Authenticator, Passkeys
from deputize.testing.server import Site

PHONE = {"viewport": {"width": 390, "height": 700}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="session")
def client() -> bytes:
    return bundled()


@pytest.fixture
def bank(serve: Callable[..., Site], held_clock: HeldClock, tmp_path: Path, client: bytes) -> Bank:
    opened: list[Bank] = []

    def build(port: int) -> ASGIApp:
        url = f"http://localhost:{port}"
        opened.append(open_bank(tmp_path, held_clock, url, f"{url}/deputize"))
        return mounted(opened[0], client)

    serve(build)
    return opened[0]


@pytest.fixture
def device(bank: Bank, tab: Page, passkeys: Passkeys) -> Authenticator:
    """The device's passkey of the user who is signed in at `tab`."""
    return sign_up(bank, tab, passkeys)


@pytest.fixture
def assistant(bank: Bank, tab: Page, device: Authenticator, human: Human) -> Assistant:
    """The assistant, connected with consent, and deputized for transfers by its first call."""
    made = Assistant(bank, tab)
    made.start("connect", LIVES[0])
    human.approve()
    made.result()
    return made


@pytest.mark.parametrize("life", LIVES)
def test_a_call_goes_from_consent_through_approval_to_a_result(
    bank: Bank, tab: Page, device: Authenticator, human: Human, life: str
) -> None:
    """The whole way: consent, tools, a call, a step up for more, an approval by keyboard, and the chain of it."""
    assistant = Assistant(bank, tab)
    assistant.start("connect", life)
    consent = human.approve()
    assert "See your accounts" in consent.text
    assert assistant.result() == ("2025-11-25" if life == "legacy" else life)
    assert assistant.does("tools") == ["get_balance", "transfer_money", "close_account"]
    balance = assistant.does("call", "get_balance", {})
    assert (balance["kind"], balance["result"]["structuredContent"]) == ("result", {"balance": 1000})

    assistant.start("call", "transfer_money", TRANSFER)
    step_up = human.approve()
    assert "Send money, which you approve each time" in step_up.text
    assert "See your accounts" in step_up.text  # GRANT-1: a consent shows the whole
    approved = human.approve("keyboard")
    assert DESCRIPTION in approved.lines
    assert approved.modal
    assert "Bank" in approved.name
    assert "Grace Hopper" in approved.text
    outcome = assistant.result()
    assert outcome["kind"] == "result"
    assert bank.sent == [TRANSFER]
    chain = outcome["result"]["_meta"]["dev.deputize/call"]
    assert chain["agent"]["assurance"] == "opaque"
    assert chain["approval"]["method"] == "webauthn"
    assert chain["state"] == "succeeded"


def test_it_works_with_an_authority_on_a_host_of_its_own(
    serve: Callable[..., Site],
    held_clock: HeldClock,
    tmp_path: Path,
    client: bytes,
    tab: Page,
    passkeys: Passkeys,
    human: Human,
) -> None:
    """The module, the messages and the session go from one origin to the other (SESSION-2)."""
    bank = Starlette()
    site = serve(lambda port: bank, host="bank.site.localhost")
    opened: list[Bank] = []

    def build(port: int) -> ASGIApp:
        issuer = f"http://auth.site.localhost:{port}"
        opened.append(open_bank(tmp_path, held_clock, site.url, issuer, "site.localhost"))
        deputize = opened[0].deputize
        routes = [*deputize.well_known_routes(), Mount("/", deputize)]
        return Starlette(routes=routes, lifespan=deputize.lifespan)

    serve(build, host="auth.site.localhost")
    bank.router.routes.extend(pages(opened[0].issuer, client))
    sign_up(opened[0], tab, passkeys)
    assistant = Assistant(opened[0], tab)
    assistant.start("connect", LIVES[1])
    human.approve()
    assistant.result()
    assistant.start("call", "transfer_money", TRANSFER)
    human.approve()
    human.approve()
    assert assistant.result()["kind"] == "result"
    assert opened[0].sent == [TRANSFER]


def test_a_user_who_declines_is_an_outcome(assistant: Assistant, human: Human) -> None:
    assistant.start("call", "transfer_money", TRANSFER)
    human.approve()
    human.decline("escape")
    outcome = assistant.result()
    assert outcome["kind"] == "declined"
    assert "declined this call" in outcome["result"]["content"][0]["text"]
    assert assistant.bank.sent == []


def test_a_consent_that_is_declined_is_an_outcome(
    bank: Bank, tab: Page, device: Authenticator, human: Human
) -> None:
    assistant = Assistant(bank, tab)
    assistant.start("connect", LIVES[0])
    human.decline()
    assert assistant.failure() == "consent_declined"


def test_more_than_the_user_allows_is_an_outcome(assistant: Assistant, human: Human) -> None:
    assistant.start("call", "transfer_money", TRANSFER)
    human.decline()
    outcome = assistant.result()
    assert (outcome["kind"], outcome["reason"]) == ("refused", "consent_declined")


def test_without_an_eligible_passkey_nobody_is_asked(assistant: Assistant, human: Human) -> None:
    outcome = assistant.does("call", "close_account", {})
    assert outcome["kind"] == "no_eligible_credential"
    assert human.sees() is None
    assert "You have nothing here that can confirm this" in human.notices()[0]


def test_a_passkey_that_fails_can_be_tried_again(
    assistant: Assistant, device: Authenticator, human: Human
) -> None:
    assistant.start("call", "transfer_money", TRANSFER)
    human.approve()
    device.verifies_user(False)
    with pytest.raises(AssertionError, match="Please try again"):
        human.approve()
    device.verifies_user(True)
    human.approve()
    assert assistant.result()["kind"] == "result"
    assert assistant.bank.sent == [TRANSFER]


def test_without_a_user_who_is_signed_in_there_is_no_delegation(bank: Bank, tab: Page) -> None:
    visit(bank, tab)
    assistant = Assistant(bank, tab)
    assistant.start("connect", LIVES[0])
    assert assistant.failure() == "login_required"


def test_a_grant_that_was_taken_back_ends_it(assistant: Assistant) -> None:
    """GRANT-5: nobody is asked again for what they have just taken back."""
    assistant.tab.evaluate(
        """async () => {
          const { grant } = await deputize.status();
          const { csrf } = await (await fetch('/deputize/tools')).json();
          await fetch(`/deputize/grants/${grant.id}`, { method: 'DELETE', headers: { 'Deputize-CSRF': csrf } });
        }"""
    )
    outcome = assistant.does("call", "get_balance", {})
    assert (outcome["kind"], outcome["reason"]) == ("refused", "grant_revoked")
    assert "permission to act on this site was taken back" in outcome["result"]["content"][0]["text"]


def test_a_passkey_is_added_inside_the_window(
    bank: Bank, tab: Page, passkeys: Passkeys, assistant: Assistant, device: Authenticator, human: Human
) -> None:
    """MCP-10, CRED-7: refused until the user has allowed it on the account page; then by one more device."""
    assert assistant.does("enroll") == {"kind": "refused", "reason": "enrollment_not_allowed"}
    tab.goto(f"{bank.issuer}/account")
    tab.get_by_role("button", name="Let an app bring a passkey").click()
    tab.get_by_role("button", name="Stop that now").wait_for()
    visit(bank, tab)
    assistant.does("connect", LIVES[1])
    key = passkeys.add("usb")
    device.present(False)
    assistant.start("enroll")
    dialog = human.approve()
    assert dialog.headings == ("Add a passkey?",)
    assert [button.name for button in dialog.buttons] == ["Not now", "Add a passkey"]
    assert assistant.result()["kind"] == "enrolled"
    assert len(key.passkeys()) == 1


def test_the_shim_and_the_assistant_ask_one_after_the_other(assistant: Assistant, human: Human) -> None:
    """SHIM-8: they are two bundles, and one page."""
    tab = assistant.tab
    assistant.start("call", "transfer_money", TRANSFER)
    human.approve()
    asked = human.dialog()
    with tab.expect_response("**/deputize/calls"):
        tab.evaluate(
            "void deputize.perform('transfer_money', { amount: 7, name: 'Eve' }, () => 0).catch(() => {})"
        )
    now = human.sees()
    assert now is not None
    assert now.node == asked.node
    assert DESCRIPTION in human.decline().lines
    assert assistant.result()["kind"] == "declined"
    assert "Send 7.00 EUR to “Eve”" in human.decline().lines


@pytest.mark.parametrize("name", ["desk", "phone"])
def test_its_dialogs_work_on_computers_and_phones(
    bank: Bank, new_tab: Callable[..., Page], pictures: Path, name: str
) -> None:
    tab = new_tab(**(PHONE if name == "phone" else {}))
    human, passkeys = Human(tab), Passkeys(tab)
    sign_up(bank, tab, passkeys)
    assistant = Assistant(bank, tab)
    assistant.start("connect", LIVES[1])
    human.approve()
    assistant.result()
    assistant.start("call", "transfer_money", TRANSFER)
    human.approve()
    human.dialog()
    tab.screenshot(path=pictures / f"mcp-approval-{name}.png")
    human.decline()
    assert assistant.result()["kind"] == "declined"
