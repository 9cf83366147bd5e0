"""The account page: signing up, in and out, passkeys, taking delegations back, and the way back in."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
from e2e.bank import Bank, Customer, add_security_key, sign_up
from e2e.script import PageScript
from playwright.sync_api import Page, Route, expect

from deputize.testing.agent import Agent
from deputize.testing.passkeys import Passkeys


def account(customer: Customer) -> Page:
    """Go to the account page."""
    customer.tab.goto(f"{customer.bank.issuer}/account")
    return customer.tab


def sign_out(customer: Customer) -> None:
    """Sign out on the account page."""
    tab = account(customer)
    tab.get_by_role("button", name="Sign out").click()
    tab.get_by_role("button", name="Sign in with a passkey").wait_for()


def test_signing_out_ends_the_session_at_once_everywhere(customer: Customer) -> None:
    """SESSION-1: a copied cookie is worth nothing any more."""
    customer.deputizes_for("get_balance")
    (cookie,) = customer.tab.context.cookies()
    copied = {cookie["name"]: cookie["value"]}
    tools = f"{customer.bank.issuer}/tools"
    assert httpx2.get(tools, cookies=copied, timeout=30).json()["user"]["name"] == "Grace Hopper"
    sign_out(customer)
    assert httpx2.get(tools, cookies=copied, timeout=30).json()["user"] is None
    customer.tab.goto(customer.bank.url)
    assert customer.agent.call("get_balance").code == "login_required"


def test_signing_in_again_finds_everything_as_it_was(customer: Customer) -> None:
    customer.deputizes_for("get_balance")
    sign_out(customer)
    tab = customer.tab
    tab.goto(f"{customer.bank.issuer}/account?return_to=/")
    tab.get_by_role("button", name="Sign in with a passkey").click()
    tab.get_by_text("Current account").wait_for()
    tab.wait_for_load_state()
    assert not customer.agent.call("get_balance").refused  # the grant lives on
    assert len(customer.bank.record("user.signed_in")) == 1
    assert len(customer.bank.books("SELECT * FROM accounts")) == 1


def test_who_is_to_come_back_to_no_address_is_signed_in_all_the_same(customer: Customer) -> None:
    sign_out(customer)
    tab = customer.tab
    tab.goto(f"{customer.bank.issuer}/account?return_to=https%3A%2F%2F%5B")
    tab.get_by_role("button", name="Sign in with a passkey").click()
    tab.get_by_role("button", name="Sign out").wait_for()


def test_signing_in_without_a_passkey_says_so(bank: Bank, tab: Page, passkeys: Passkeys) -> None:
    passkeys.add()
    tab.goto(f"{bank.issuer}/account")
    tab.get_by_role("button", name="Sign in with a passkey").click()
    expect(tab.get_by_role("status")).to_contain_text("closed or ran out")
    assert bank.record() == []


def test_a_second_passkey_needs_the_first(customer: Customer, passkeys: Passkeys) -> None:
    """CRED-3."""
    key = add_security_key(customer.bank, customer.tab, passkeys, customer.device)
    (added,) = customer.bank.record("credential.added")
    assert added["credential_id"] == key.passkeys()[0].credential_id
    assert added["basis"] == "another"
    assert added["evidence_s256"]


def test_an_app_may_add_a_passkey_after_a_passkey_said_so(customer: Customer) -> None:
    """CRED-7."""
    tab = account(customer)
    tab.get_by_role("button", name="Let an app bring a passkey").click()
    tab.get_by_text("an app that acts for you may add one passkey").wait_for()
    (opened,) = customer.bank.record("enrollment.opened")
    assert opened["evidence_s256"]
    tab.get_by_role("button", name="Stop that now").click()
    tab.get_by_role("button", name="Let an app bring a passkey").wait_for()
    assert len(customer.bank.record("enrollment.closed")) == 1


def test_without_a_passkey_no_app_may_add_one(customer: Customer) -> None:
    """CRED-7: clicking is not enough."""
    tab = account(customer)
    customer.device.present(False)
    with tab.expect_response("**/enrollment-window/challenge"):
        tab.get_by_role("button", name="Let an app bring a passkey").click()
    tab.reload()  # nobody has touched a passkey
    tab.get_by_role("button", name="Let an app bring a passkey").wait_for()
    assert customer.bank.record("enrollment.opened") == []


def test_what_is_kept_is_downloaded_and_an_account_ends_by_a_passkey_only(customer: Customer) -> None:
    """KEEP-2, KEEP-3: clicking is not enough."""
    tab = account(customer)
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download what is kept of you").click()
    kept = json.loads(Path(download.value.path()).read_text())
    assert kept["record"][0]["kind"] == "user.signed_up"
    delete = tab.get_by_role("button", name="Delete my account with passkey")
    tab.get_by_text("Delete my account here").click()
    customer.device.present(False)
    with tab.expect_response("**/forgetting/challenge"):
        delete.click()
    tab.reload()  # nobody has touched a passkey, and this ends the question: only then may one be touched again
    tab.get_by_text("Delete my account here").click()
    assert customer.bank.record("user.forgotten") == []
    customer.device.present(True)
    delete.click()
    tab.get_by_role("button", name="Create an account with a passkey").wait_for()
    (forgotten,) = customer.bank.record("user.forgotten")
    assert (forgotten["sub"], forgotten["by"]) == (kept["user"]["user_id"], "user")


def test_a_page_that_was_told_no_words_does_nothing_and_says_so(customer: Customer) -> None:
    """SHIM-12: whoever could not say what came of it does not begin; with words, it can."""
    tab = customer.tab
    tab.route("**/words/*", lambda route: route.abort())
    tab.goto(f"{customer.bank.issuer}/account")
    tab.get_by_role("button", name="Let an app bring a passkey").click()
    expect(tab.get_by_role("status")).to_have_text(
        "The site gave no answer. This page has not done anything. Please try again in a moment."
    )
    assert customer.bank.record("enrollment.opened") == []
    tab.unroute_all()
    tab.get_by_role("button", name="Let an app bring a passkey").click()
    tab.get_by_role("button", name="Stop that now").wait_for()


def test_no_click_is_lost_while_the_script_is_on_its_way(bank: Bank, tab: Page, passkeys: Passkeys) -> None:
    passkeys.add()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    tab.route("**/static/account.js", hold)
    tab.goto(f"{bank.issuer}/account", wait_until="commit")
    sign_in = tab.get_by_role("button", name="Sign in with a passkey")
    expect(sign_in).to_be_disabled()
    expect(tab.get_by_role("button", name="Create an account with a passkey")).to_be_disabled()
    held[0].continue_()
    sign_in.click()
    expect(tab.get_by_role("status")).to_contain_text("closed or ran out")


def test_a_no_is_seen_where_the_button_is_and_the_keyboard_keeps_its_place(customer: Customer) -> None:
    """On a phone, where the page is longer than the screen."""
    tab = account(customer)
    tab.set_viewport_size({"width": 320, "height": 480})
    customer.device.verifies_user(False)
    button = tab.get_by_role("button", name="Let an app bring a passkey")
    button.focus()
    tab.evaluate("scrollTo(0, 0)")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status")).to_contain_text("was not used")
    tab.evaluate("scrollTo(0, 0)")
    expect(tab.get_by_role("status")).to_be_in_viewport(ratio=1)
    expect(button).to_be_focused()


def test_a_second_passkey_without_the_first_stays_unusable(customer: Customer, passkeys: Passkeys) -> None:
    """CRED-3: whoever sits at an open session cannot add a passkey of his own."""
    key = passkeys.add("usb")
    tab = account(customer)
    customer.device.present(False)
    tab.get_by_role("button", name="Add a passkey", exact=True).click()
    tab.get_by_text("confirm with a passkey that you have already").wait_for()
    (made,) = key.passkeys()
    tab.reload()  # nobody confirms
    expect(tab.get_by_text("added")).to_have_count(1)
    tab.get_by_role("button", name="Sign out").click()
    tab.get_by_role("button", name="Sign in with a passkey").click()
    expect(tab.get_by_role("status")).to_contain_text("does not belong to your account here")
    assert customer.bank.record("credential.added") == []
    store = customer.bank.harbor.deputize.store
    (user,) = store.look(lambda tx: tx.users())
    usable = store.look(lambda tx: tx.credentials(user.user_id))
    assert made.credential_id not in {credential.credential_id for credential in usable}


def test_a_passkey_is_removed_and_the_last_one_stays(
    customer: Customer, passkeys: Passkeys, script: PageScript
) -> None:
    key = add_security_key(customer.bank, customer.tab, passkeys, customer.device)
    tab = customer.tab
    tab.get_by_role("button", name="Remove Security key").click()
    expect(tab.get_by_role("button", name="Remove")).to_have_count(0)
    (removed,) = customer.bank.record("credential.removed")
    assert removed["credential_id"] == key.passkeys()[0].credential_id
    (last,) = customer.device.passkeys()
    csrf = script.send("GET", f"{customer.bank.issuer}/tools").body["csrf"]
    url = f"{customer.bank.issuer}/credentials/{last.credential_id}"
    assert script.send("DELETE", url, headers={"Deputize-CSRF": csrf}).status == 409


def test_the_page_shows_what_the_agent_may_do_and_takes_it_back(customer: Customer) -> None:
    """GRANT-5: no passkey is asked for."""
    customer.deputizes_for("get_balance")
    (before,) = customer.device.passkeys()
    tab = account(customer)
    expect(tab.get_by_role("listitem").filter(has_text="See your balance")).to_contain_text("account:read")
    tab.get_by_role("button", name="Take this back").click()
    tab.get_by_text("No agent may act for you now").wait_for()
    assert customer.device.passkeys() == [before]
    tab.goto(customer.bank.url)
    assert customer.agent.call("get_balance").code == "grant_revoked"
    assert [e["kind"] for e in customer.bank.record("grant.revoked", "call.denied")] == [
        "grant.revoked",
        "call.denied",
    ]


def test_an_agent_is_blocked_and_may_ask_again_when_the_user_says_so(customer: Customer) -> None:
    """BLOCK-1: no key takes its place, and no dialog opens."""
    customer.deputizes_for("get_balance")
    tab = account(customer)
    tab.get_by_text("Take it back and block the agent").click()
    tab.get_by_label("For how long?").select_option("Until I end it")
    tab.get_by_role("button", name="Block The agent in your browser").click()
    tab.get_by_text("No agent may act for you now").wait_for()
    expect(tab.get_by_role("button", name="Unblock")).to_have_count(1)
    tab.goto(customer.bank.url)
    assert customer.agent.call("get_balance").code == "grant_revoked"
    for _ in range(2):
        assert customer.agent.call("get_balance").code == "agent_blocked"
    assert len(customer.bank.record("agent.registered", "grant.requested")) == 2  # those from before
    tab = account(customer)
    tab.get_by_role("button", name="Unblock").click()
    tab.get_by_role("button", name="Unblock").wait_for(state="hidden")
    tab.goto(customer.bank.url)
    customer.deputizes_for("get_balance")
    kinds = [entry["kind"] for entry in customer.bank.record("agent.blocked", "agent.unblocked")]
    assert kinds == ["agent.blocked", "agent.unblocked"]


def test_who_lost_every_passkey_gets_back_in_by_a_link_of_the_owners(
    customer: Customer, new_tab: Callable[..., Page]
) -> None:
    """CRED-5: single use, recorded."""
    bank = customer.bank
    (user,) = bank.record("user.signed_up")
    folder = bank.harbor.database.parent
    command = [
        "users",
        "recover",
        user["sub"],
        "--data",
        str(folder),
        "--policy",
        str(folder / "deputize.toml"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "deputize", *command], capture_output=True, text=True, check=True, timeout=60
    )
    link = done.stdout.strip()
    assert link.startswith(f"{bank.issuer}/account#recovery=")

    tab = new_tab()
    device = Passkeys(tab).add()
    tab.goto(link)
    tab.get_by_role("button", name="Enroll a new passkey").click()
    tab.get_by_role("heading", name="You are back in").wait_for()
    assert len(device.passkeys()) == 1
    tab.get_by_text("Grace Hopper").wait_for()
    kinds = [entry["kind"] for entry in bank.record("recovery.issued", "credential.added")]
    assert kinds == ["recovery.issued", "credential.added"]
    assert bank.record("credential.added")[0]["basis"] == "recovery"

    # What was lost: the session there has ended, and its passkey is offered for removal, not the new one.
    old = account(customer)
    old.get_by_role("button", name="Sign in with a passkey").wait_for()
    tab.get_by_role("button", name="Remove the lost").click()
    expect(tab.get_by_role("button", name="Remove the lost")).to_have_count(0)
    tab.get_by_role("heading", name="You are back in").wait_for()
    old.get_by_role("button", name="Sign in with a passkey").click()
    expect(old.get_by_role("status")).to_contain_text("does not belong to your account here")
    tab.get_by_role("button", name="I have nothing else to remove").click()
    expect(tab.get_by_role("heading", name="You are back in")).to_be_hidden()
    expect(tab.get_by_text("added")).to_have_count(1)

    thief = new_tab()
    Passkeys(thief).add()
    thief.goto(link)
    thief.get_by_role("button", name="Enroll a new passkey").click()
    expect(thief.get_by_role("status")).to_contain_text("It works once, for fifteen minutes.")


def test_a_number_for_this_machine_leads_to_its_name(bank: Bank, tab: Page) -> None:
    """SESSION-3: passkeys need a host with a name."""
    tab.goto(f"http://127.0.0.1:{bank.site.port}/deputize/account")
    assert tab.url == f"{bank.issuer}/account"


def test_two_users_of_one_browser_do_not_share_an_agent(
    customer: Customer, passkeys: Passkeys, agent: Agent
) -> None:
    """AGENT-1: the second one is asked again, and is another agent for the record."""
    customer.deputizes_for("get_balance")
    sign_out(customer)
    customer.device.remove()
    sign_up(customer.bank, customer.tab, passkeys, "Alan Turing")
    call = agent.start("get_balance")
    assert "Alan Turing" in customer.human.approve().text
    assert not call.result().refused
    agents = customer.bank.record("agent.registered")
    assert len({entry["client_id"] for entry in agents}) == 2
    assert len({entry["jkt"] for entry in agents}) == 2
