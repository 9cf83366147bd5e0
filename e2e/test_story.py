"""The story of one call, end to end, in a real browser (issue of the spine, items 1 to 4)."""

from collections.abc import Callable

import pytest
from e2e.bank import ADA, DESCRIPTION, OPENING, TRANSFER, Bank, Customer, add_security_key, sign_up
from playwright.sync_api import Page

from deputize.testing.agent import Agent, CdpAgent, PlaywrightAgent
from deputize.testing.clock import HeldClock
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys


def test_with_nobody_signed_in_the_agent_is_told_what_to_do(bank: Bank, tab: Page, agent: Agent) -> None:
    """SHIM-1, SHIM-6."""
    tab.goto(bank.url)
    result = agent.call("get_balance")
    assert result.code == "login_required"
    assert result.structured["retryable"] is True
    assert result.structured["sign_in_uri"] == f"{bank.issuer}/account"
    assert "sign in" in result.text
    assert "call this tool again" in result.text
    assert bank.books("SELECT * FROM accounts") == []
    assert bank.record() == []


def test_a_public_tool_is_for_everybody_and_not_recorded(bank: Bank, tab: Page, agent: Agent) -> None:
    """CALL-8."""
    tab.goto(bank.url)
    assert "Harbor is a bank in a demonstration" in agent.call("search_help", {"query": "cost"}).text
    assert bank.record() == []


def test_an_agent_that_does_not_wait_is_told_to_come_back(
    impatient_bank: Bank, tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    """SHIM-7: the dialog stays, and what the user answers holds for the next call."""
    sign_up(impatient_bank, tab, passkeys)
    result = agent.call("get_balance")
    assert result.code == "consent_pending"
    assert result.structured["retryable"] is True
    human.approve()
    assert not agent.call("get_balance").refused
    assert human.sees() is None


def test_the_user_deputizes_with_a_passkey_over_what_is_shown(customer: Customer) -> None:
    """GRANT-1, GRANT-2: that consent is an assertion, by user verification, over the grant as shown."""
    (before,) = customer.device.passkeys()
    call = customer.agent.start("get_balance")
    shown = customer.human.approve()
    assert not call.result().refused
    assert "Let the agent in your browser act for you?" in shown.headings
    for words in ("Harbor", "Grace Hopper", "See your balance and your transactions", "For 1 hour"):
        assert words in shown.text
    assert "transfers" not in shown.text

    (after,) = customer.device.passkeys()
    assert after.sign_count == before.sign_count + 1
    (given,) = customer.bank.record("grant.active")
    assert given["scope"] == "account:read"
    assert given["expires_at"] - given["t"] == 3600
    assert given["evidence_s256"]
    (grant,) = customer.bank.harbor.deputize.store.look(lambda tx: tx.grants())
    assert (str(grant.scopes), grant.state) == ("account:read", "active")


def test_an_allowed_call_knows_who_calls_and_is_redeemed_and_recorded(customer: Customer) -> None:
    """SHIM-4, GUARD-1, LOG-1."""
    customer.deputizes_for("get_balance")
    result = customer.agent.call("get_balance")
    assert result.text == "The balance is 1,000.00 EUR."
    seen = result.value["_meta"]  # what Harbor's tool saw in `client`
    assert seen["agent"]["clientId"].startswith("agt_")
    assert seen["agent"]["assurance"] == "opaque"
    assert seen["scopes"] == ["account:read"]
    entries = [e for e in customer.bank.record() if e.get("call_id") == seen["correlationId"]]
    assert [e["kind"] for e in entries] == ["call.approved", "call.redeemed", "call.succeeded"]
    assert entries[0]["tool"] == "get_balance"
    assert entries[0]["client_id"] == seen["agent"]["clientId"]
    assert entries[1]["by"] == entries[2]["reported_by"] == "api"


def test_a_tool_registered_under_the_old_name_of_webmcp_goes_through_the_gate_as_well(
    customer: Customer,
) -> None:
    """SHIM-1, GUARD-2: `navigator.modelContext` is the shim's; a query is decoded by the tool's schema."""
    call = customer.agent.start("list_transactions", {"limit": 1})
    customer.human.approve()
    assert [t["amount"] for t in call.result().structured["transactions"]] == [1000]


@pytest.mark.parametrize("kind", [PlaywrightAgent, CdpAgent])
def test_money_is_sent_once_after_a_second_consent_and_an_approval(
    customer: Customer, kind: Callable[[Page], Agent]
) -> None:
    """CALL-1, GRANT-1, APPR-1 to APPR-3: refused, asked, shown in the server's words, approved, run once."""
    bank, human = customer.bank, customer.human
    customer.deputizes_for("get_balance")

    call = kind(customer.tab).start("transfer_money", TRANSFER)
    consent = human.approve()
    assert "See your balance and your transactions" in consent.text
    assert "Prepare transfers, which you approve one by one" in consent.text
    (refused,) = bank.record("call.denied")
    assert (refused["tool"], refused["code"]) == ("transfer_money", "insufficient_scope")

    approval = human.dialog()
    assert DESCRIPTION in approval.lines
    assert bank.nothing_happened()
    human.approve("mouse")

    result = call.result()
    assert result.text == "250.00 EUR went to Ada Lovelace. The balance is 750.00 EUR."
    assert bank.balance() == OPENING - 250_00
    assert bank.sent() == [(250_00, "Ada Lovelace")]
    kinds = bank.kinds(result.value["_meta"]["correlationId"])
    assert kinds == ["call.pending", "call.approved", "call.redeemed", "call.succeeded"]
    customer.tab.get_by_text("750.00 EUR").wait_for()


def test_an_agent_that_does_not_wait_for_more_rights_hears_which(
    impatient_bank: Bank, tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    """CALL-1: `insufficient_scope`, with what is missing."""
    sign_up(impatient_bank, tab, passkeys)
    assert agent.call("get_balance").code == "consent_pending"
    human.approve()
    result = agent.call("transfer_money", TRANSFER)
    assert result.code == "insufficient_scope"
    assert result.structured["scopes"] == ["payments:write"]
    assert impatient_bank.kinds(result.correlation_id) == ["call.denied"]
    assert impatient_bank.nothing_happened()


def test_closing_the_account_takes_a_security_key(customer: Customer, passkeys: Passkeys) -> None:
    """CRED-6, CALL-5: a passkey of this device is not enough, and nobody is asked in vain."""
    bank, tab, human = customer.bank, customer.tab, customer.human
    call = customer.agent.start("close_account")
    human.approve()
    refused = call.result()
    assert refused.code == "no_eligible_credential"
    assert bank.kinds(refused.correlation_id) == ["call.denied"]
    assert bank.nothing_happened()

    key = add_security_key(bank, tab, passkeys, customer.device)
    tab.goto(bank.url)
    call = customer.agent.start("close_account")
    assert "Close your account at Harbor for good" in human.approve().text
    assert not call.result().refused
    assert bank.books("SELECT balance, closed_at IS NULL FROM accounts") == [(0, 0)]
    (used,) = [e for e in bank.record("call.approved") if e.get("credential_id")]
    assert used["credential_id"] == key.passkeys()[0].credential_id


def test_the_customers_own_form_asks_for_the_same_approval(customer: Customer) -> None:
    """CALL-7: the guarded door is not beside an open one, and the record names no agent."""
    bank, tab = customer.bank, customer.tab
    tab.get_by_label("To", exact=True).fill("Ada Lovelace")
    tab.get_by_label("IBAN").fill(ADA)
    tab.get_by_label("Amount").fill("250")
    tab.get_by_role("button", name="Continue to approval").click()
    shown = customer.human.dialog()
    assert DESCRIPTION in shown.lines
    assert bank.nothing_happened()
    customer.human.approve()
    tab.get_by_text("750.00 EUR").wait_for()
    assert bank.sent() == [(250_00, "Ada Lovelace")]
    (pending,) = bank.record("call.pending")
    assert "client_id" not in pending
    assert "grant_id" not in pending


def test_an_equal_order_after_a_delivered_result_is_a_new_one(customer: Customer) -> None:
    """CALL-6, CALL-10: a new call, a new approval, a second transfer."""
    customer.deputizes_for("transfer_money")
    for _ in range(2):
        call = customer.agent.start("transfer_money", TRANSFER)
        customer.human.approve()
        assert not call.result().refused
    assert customer.bank.sent() == [(250_00, "Ada Lovelace")] * 2


def test_a_grant_ends_by_itself(customer: Customer, held_clock: HeldClock) -> None:
    """TOKEN-5, GRANT-4: after its hour the agent has to ask again."""
    customer.deputizes_for("get_balance")
    held_clock.move(3599)
    assert not customer.agent.call("get_balance").refused
    held_clock.move(1)
    call = customer.agent.start("get_balance")
    customer.human.decline()
    assert call.result().code == "consent_declined"
