"""What must not work: each attempt has its own reason, moves nothing in the bank, and is recorded."""

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from e2e.bank import TRANSFER, Bank, Customer, sign_up
from e2e.script import PageScript
from playwright.sync_api import Page, Route

from deputize.testing.agent import Agent
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.clock import HeldClock
from deputize.testing.human import Human, NotApproved
from deputize.testing.passkeys import Passkeys
from deputize.testing.waiting import until

CLICK_EVERYTHING = """() => {
  // To stay on this page, whatever it clicks.
  addEventListener('click', (event) => event.target.closest?.('a') && event.preventDefault(), true);
  const roots = [document];
  const reached = [];
  for (const root of roots) {
    for (const element of root.querySelectorAll('*')) {
      if (element.shadowRoot) roots.push(element.shadowRoot);
      reached.push(element);
    }
  }
  for (const element of reached) {
    element.click?.();
    for (const type of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click']) {
      element.dispatchEvent(new MouseEvent(type, { bubbles: true, composed: true, cancelable: true }));
    }
    for (const key of ['Enter', ' ', 'Tab', 'Escape']) {
      for (const type of ['keydown', 'keypress', 'keyup']) {
        const init = { key, code: key, bubbles: true, composed: true, cancelable: true };
        element.dispatchEvent(new KeyboardEvent(type, init));
      }
    }
    for (const type of ['cancel', 'close', 'submit']) element.dispatchEvent(new Event(type));
  }
  return reached.length;
}"""


@pytest.mark.parametrize("by", ["keyboard", "mouse", "escape"])
def test_a_call_that_the_user_declines_runs_nothing(
    deputized: Customer, by: Literal["keyboard", "mouse", "escape"]
) -> None:
    """SHIM-8, APPR-6."""
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.decline(by)
    result = call.result()
    assert result.code == "declined"
    assert result.structured["retryable"] is False
    assert deputized.bank.kinds(result.correlation_id) == ["call.pending", "call.declined"]
    assert deputized.bank.nothing_happened()


def test_a_dialog_that_script_takes_away_cancels_the_call(deputized: Customer) -> None:
    """SHIM-8: that is not the user's word, and not called so."""
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.dialog()
    deputized.tab.evaluate("document.querySelector('[data-deputize]').remove()")
    result = call.result()
    assert result.code == "cancelled"
    assert deputized.bank.kinds(result.correlation_id) == ["call.pending", "call.cancelled"]
    assert deputized.bank.nothing_happened()


def late(tab: Page, clock: HeldClock, seconds: int) -> None:
    """Let time pass between the minting of the next challenge and its use."""

    def pass_time(route: Route) -> None:
        response = route.fetch()
        clock.move(seconds)
        route.fulfill(response=response)

    tab.route("**/calls/*/challenge", pass_time, times=1)


def test_a_challenge_of_sixty_seconds_ago_has_expired(deputized: Customer, held_clock: HeldClock) -> None:
    """APPR-1, TOKEN-5: the sixtieth second is too late; the same dialog can then be used again."""
    bank, human = deputized.bank, deputized.human
    call = deputized.agent.start("transfer_money", TRANSFER)
    late(deputized.tab, held_clock, 60)
    with pytest.raises(NotApproved, match="took too long"):
        human.approve()
    (refused,) = bank.record("approval.refused")
    assert refused["code"] == "challenge_expired"
    assert bank.nothing_happened()
    human.approve()
    assert not call.result().refused
    assert bank.sent() == [(250_00, "Ada Lovelace")]


def test_a_challenge_of_fifty_nine_seconds_ago_is_good(deputized: Customer, held_clock: HeldClock) -> None:
    """APPR-1."""
    call = deputized.agent.start("transfer_money", TRANSFER)
    late(deputized.tab, held_clock, 59)
    deputized.human.approve()
    assert not call.result().refused
    assert deputized.bank.record("approval.refused") == []


def test_a_call_of_ten_minutes_ago_has_expired(deputized: Customer, held_clock: HeldClock) -> None:
    """CALL-4: the user who comes back to the dialog then approves nothing."""
    deputized.tab.get_by_label("IBAN").focus()
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.dialog()
    held_clock.move(600)
    with pytest.raises(NotApproved, match="open for too long"):
        deputized.human.approve()
    told = deputized.human.sees()
    assert told is not None
    assert told.focused == told.decline  # a screen reader goes on there, and Escape closes it, too
    assert "open for too long" in deputized.human.ending()
    assert deputized.tab.evaluate("document.activeElement.id") == "iban"
    result = call.result()
    assert result.code == "expired"
    assert deputized.bank.kinds(result.correlation_id) == ["call.pending", "call.expired"]
    assert deputized.bank.nothing_happened()


def soft_passkey(customer: Customer, script: PageScript) -> tuple[SoftAuthenticator, dict[str, Any]]:
    """Enroll a key that page script made for itself, with the user's session; return the answer."""
    soft = SoftAuthenticator(customer.bank.url)
    begun = script.authority("/credentials").body
    made = soft.create(begun["creationOptions"])
    return soft, script.authority(f"/credentials/{begun['challengeId']}", {"response": made}).body


def test_a_passkey_that_page_script_enrolled_for_itself_approves_nothing(
    deputized: Customer, script: PageScript
) -> None:
    """CRED-3: without an assertion by an existing passkey it is not usable, not even to confirm itself."""
    bank = deputized.bank
    soft, enrolled = soft_passkey(deputized, script)
    assert enrolled["state"] == "pending"
    own = enrolled["credential_id"]
    evidence = {
        "method": "webauthn",
        "challengeId": enrolled["challengeId"],
        "response": soft.get(enrolled["requestOptions"], own),
    }
    confirmed = script.authority(f"/credentials/{own}/approval", evidence)
    assert (confirmed.status, confirmed.code) == (403, "unknown_credential")
    (refused,) = bank.record("credential.refused")
    assert refused["code"] == "unknown_credential"

    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.dialog()
    pending = bank.record("call.pending")[-1]["call_id"]
    minted = script.authority(f"/calls/{pending}/challenge", proof=True).body
    assert own not in [allowed["id"] for allowed in minted["requestOptions"]["allowCredentials"]]
    forged = {
        "method": "webauthn",
        "challengeId": minted["challengeId"],
        "response": soft.get(minted["requestOptions"], own),
    }
    approved = script.authority(f"/calls/{pending}/approval", forged, proof=True)
    assert (approved.status, approved.code) == (403, "unknown_credential")
    (refused,) = bank.record("approval.refused")
    assert (refused["call_id"], refused["code"]) == (pending, "unknown_credential")
    deputized.human.decline()
    assert call.result().code == "declined"
    assert bank.nothing_happened()


def test_an_agent_that_clicks_whatever_it_can_reach_gets_no_approval(deputized: Customer) -> None:
    """SHIM-8: synthetic clicks and keys are not the user's, and the closed root is out of reach."""
    (before,) = deputized.device.passkeys()
    call = deputized.agent.start("transfer_money", TRANSFER)
    dialog = deputized.human.dialog()
    assert deputized.tab.evaluate(CLICK_EVERYTHING) > 20
    now = deputized.human.sees()
    assert now is not None
    assert (now.node, now.approve.enabled, now.progress) == (dialog.node, True, "")
    (after,) = deputized.device.passkeys()
    assert after.sign_count == before.sign_count
    deputized.human.decline()
    result = call.result()
    assert deputized.bank.kinds(result.correlation_id) == ["call.pending", "call.declined"]
    assert deputized.bank.nothing_happened()


def test_an_agent_that_clicks_as_the_browser_does_gets_a_prompt_and_no_approval(deputized: Customer) -> None:
    """docs/architecture.md §3: no button is consent. The click starts a passkey prompt, and nobody uses a passkey."""
    deputized.device.present(False)
    call = deputized.agent.start("transfer_money", TRANSFER)
    dialog = deputized.human.dialog()
    deputized.human.press(dialog.approve, "mouse")

    def prompting() -> bool:
        now = deputized.human.sees()
        return now is not None and "Waiting for your passkey" in now.progress

    until(deputized.tab, prompting, "the passkey prompt")
    assert not call.answered
    assert deputized.bank.nothing_happened()
    deputized.tab.keyboard.press("Escape")
    assert call.result().code == "declined"
    assert deputized.bank.record("call.approved") == []


def test_a_finger_that_is_not_the_users_approves_nothing(deputized: Customer) -> None:
    """CRED-1: without user verification there is no assertion at all."""
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.device.verifies_user(False)
    with pytest.raises(NotApproved, match="passkey was not used"):
        deputized.human.approve()
    deputized.human.decline()
    assert call.result().code == "declined"
    assert deputized.bank.nothing_happened()


@pytest.mark.parametrize("lie", ["unverified", "forged"])
def test_an_authenticator_that_lies_is_found_out(deputized: Customer, lie: str) -> None:
    """CRED-1, APPR-3: the authority looks at the bit and the signature itself."""
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.device.lies(**{lie: True})
    with pytest.raises(NotApproved, match="could not be verified"):
        deputized.human.approve()
    (refused,) = deputized.bank.record("approval.refused")
    assert refused["code"] == "signature_verification_failed"
    deputized.human.decline()
    assert call.result().code == "declined"
    assert deputized.bank.nothing_happened()


def test_evidence_is_good_once_and_for_its_own_call_only(deputized: Customer, script: PageScript) -> None:
    """APPR-3, CALL-6: replayed for the same call it is consumed, for another it is unknown."""
    bank, tab = deputized.bank, deputized.tab
    seen: list[dict[str, Any]] = []

    def keep(route: Route) -> None:
        seen.append(json.loads(route.request.post_data or ""))
        route.continue_()

    tab.route("**/calls/*/approval", keep)
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.approve()
    first = call.result().value["_meta"]["correlationId"]
    (evidence,) = seen
    tab.unroute("**/calls/*/approval")

    again = script.authority(f"/calls/{first}/approval", evidence, proof=True)
    assert (again.status, again.code) == (409, "challenge_consumed")

    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.dialog()
    second = bank.record("call.pending")[-1]["call_id"]
    assert second != first
    other = script.authority(f"/calls/{second}/approval", evidence, proof=True)
    assert (other.status, other.code) == (404, "challenge_unknown")
    refused = [(e["call_id"], e["code"]) for e in bank.record("approval.refused")]
    assert refused == [(first, "challenge_consumed"), (second, "challenge_unknown")]
    deputized.human.decline()
    assert call.result().code == "declined"
    assert bank.sent() == [(250_00, "Ada Lovelace")]


def test_a_request_that_is_sent_again_byte_for_byte_is_refused(deputized: Customer) -> None:
    """PROOF-2."""
    bank, tab = deputized.bank, deputized.tab
    call = deputized.agent.start("transfer_money", TRANSFER)
    with tab.expect_request("**/calls/*/approval") as sent:
        deputized.human.approve()
    assert not call.result().refused
    request = sent.value
    again = tab.request.post(request.url, headers=request.all_headers(), data=request.post_data_buffer)
    assert (again.status, again.json()["code"]) == (401, "invalid_dpop_proof")
    assert bank.sent() == [(250_00, "Ada Lovelace")]


def revoke(customer: Customer) -> None:
    """Take the grant back on the account page, in another tab of the same browser."""
    page = customer.tab.context.new_page()
    page.goto(f"{customer.bank.issuer}/account")
    page.get_by_role("button", name="Take this back").click()
    page.get_by_text("No agent may act for you now").wait_for()
    page.close()
    customer.tab.bring_to_front()


def test_a_grant_that_is_revoked_before_the_approval_ends_the_call(deputized: Customer) -> None:
    """APPR-5, GRANT-5."""
    bank = deputized.bank
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.dialog()
    revoke(deputized)
    with pytest.raises(NotApproved, match="taken back"):
        deputized.human.approve()
    result = call.result()
    assert result.code == "grant_revoked"
    assert bank.kinds(result.correlation_id) == ["call.pending", "call.denied"]
    assert bank.record("call.denied")[-1]["code"] == "grant_revoked"
    assert bank.nothing_happened()


def test_a_grant_that_is_revoked_after_the_approval_stops_the_execution(deputized: Customer) -> None:
    """GUARD-4: revocation bites at redemption."""
    bank, tab = deputized.bank, deputized.tab

    def revoke_first(route: Route) -> None:
        revoke(deputized)
        route.continue_()

    tab.route("**/api/transfers", revoke_first, times=1)
    call = deputized.agent.start("transfer_money", TRANSFER)
    with tab.expect_response("**/api/transfers") as answer:
        deputized.human.approve()
    assert (answer.value.status, answer.value.json()["code"]) == (403, "grant_revoked")
    assert call.result().refused
    pending = bank.record("call.pending")[-1]["call_id"]
    assert bank.kinds(pending) == ["call.pending", "call.approved", "call.denied"]
    assert bank.nothing_happened()


def close_transfers(bank: Bank) -> None:
    """Close the tool to opaque agents in the policy file, as the owner would, in an editor."""
    path = bank.harbor.database.with_name("deputize.toml")
    head = "[tools.transfer_money]\n"
    path.write_text(
        path.read_text("utf-8").replace(head, f"{head}opaque = false\ndirect_when_closed = true\n"), "utf-8"
    )


def test_a_policy_that_is_tightened_while_the_user_reads_ends_the_call(deputized: Customer) -> None:
    """POLICY-1, POLICY-3, APPR-5: nobody restarts anything."""
    bank = deputized.bank
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.dialog()
    close_transfers(bank)
    with pytest.raises(NotApproved, match="does not let agents of this kind"):
        deputized.human.approve()
    result = call.result()
    assert result.code == "agent_not_allowed"
    assert bank.kinds(result.correlation_id) == ["call.pending", "call.denied"]
    assert deputized.agent.call("transfer_money", TRANSFER).code == "agent_not_allowed"
    assert bank.nothing_happened()


def test_a_policy_that_is_tightened_after_the_approval_stops_the_execution(deputized: Customer) -> None:
    """POLICY-3, GUARD-4."""
    bank, tab = deputized.bank, deputized.tab

    def close_first(route: Route) -> None:
        close_transfers(bank)
        route.continue_()

    tab.route("**/api/transfers", close_first, times=1)
    deputized.agent.start("transfer_money", TRANSFER)
    with tab.expect_response("**/api/transfers") as answer:
        deputized.human.approve()
    assert (answer.value.status, answer.value.json()["code"]) == (403, "agent_not_allowed")
    assert bank.nothing_happened()


def test_a_call_after_the_revocation_is_refused_once_and_then_asks_again(deputized: Customer) -> None:
    """GRANT-5: it bites at the next call."""
    revoke(deputized)
    result = deputized.agent.call("transfer_money", TRANSFER)
    assert result.code == "grant_revoked"
    assert deputized.bank.kinds(result.correlation_id) == ["call.denied"]
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.decline()
    assert call.result().code == "consent_declined"
    assert deputized.bank.nothing_happened()


def test_arguments_that_the_policy_does_not_take_are_refused_before_anybody_is_asked(
    deputized: Customer,
) -> None:
    """CALL-1: the authority's schema, not only the page's."""
    for wrong in ({"amount": -5}, {"amount": 0.001}, {"iban": "nonsense"}, {"name": "  "}, {"fee": 1}):
        result = deputized.agent.call("transfer_money", {**TRANSFER, **wrong})
        assert result.code == "invalid_arguments", wrong
        assert deputized.bank.kinds(result.correlation_id) == ["call.denied"]
    assert deputized.human.sees() is None
    assert deputized.bank.nothing_happened()


def test_words_that_would_mislead_the_user_are_made_visible(deputized: Customer) -> None:
    """APPR-2: no invisible or direction-changing character passes in the description."""
    name = "Ada\u202e ecalevoL\u200b"
    call = deputized.agent.start("transfer_money", {**TRANSFER, "name": name})
    shown = deputized.human.decline()
    assert "“Ada\ufffd ecalevoL\ufffd”" in shown.lines
    assert not any(character in shown.text for character in "\u202e\u200b")
    assert call.result().code == "declined"


def test_by_default_an_opaque_agent_cannot_write(
    open_bank: Callable[..., Bank], tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    """AGENT-2: without Harbor's own word for it, no consent is even asked for."""
    opaque = 'scopes = ["account:read", "payments:write", "account:admin"]\n'
    bank = open_bank(without=[opaque, "direct = true "])  # which would open what is closed (CALL-7)
    sign_up(bank, tab, passkeys)
    result = agent.call("transfer_money", TRANSFER)
    assert result.code == "agent_not_allowed"
    assert human.sees() is None
    call = agent.start("get_balance")
    human.approve()
    assert not call.result().refused
    result = agent.call("transfer_money", TRANSFER)
    assert result.code == "agent_not_allowed"
    assert bank.kinds(result.correlation_id) == ["call.denied"]
    assert bank.nothing_happened()
