"""Agents as they are: of different makes, impatient, gone, back again: one call is executed once (CALL-6)."""

from collections.abc import Callable

import pytest
from e2e.bank import TRANSFER, Bank, Customer, sign_up
from playwright.sync_api import Page, Route

from deputize.testing.agent import Agent, CallFailed, CdpAgent, PlaywrightAgent, StoppedWaiting
from deputize.testing.clock import HeldClock
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.waiting import until

KINDS = [PlaywrightAgent, CdpAgent]
Kind = Callable[[Page], Agent]


def test_playwright_and_devtools_get_the_same_answers(
    customer: Customer, bank: Bank, new_tab: Callable[..., Page]
) -> None:
    stranger = new_tab()
    stranger.goto(bank.url)
    one: Agent = PlaywrightAgent(stranger)
    other = CdpAgent(stranger)
    assert set(one.tools()) == set(other.tools()) >= {"get_balance", "transfer_money", "export_contacts"}
    for tool, arguments in (("get_balance", {}), ("export_contacts", {}), ("search_help", {"query": "cost"})):
        assert one.call(tool, arguments).value == other.call(tool, arguments).value
    with pytest.raises(CallFailed):
        one.call("no_such_tool")
    with pytest.raises(CallFailed):
        other.call("no_such_tool")

    customer.deputizes_for("get_balance")
    one, other = customer.agent, CdpAgent(customer.tab)
    assert one.call("get_balance").structured == other.call("get_balance").structured
    assert one.call("get_balance", {"x": 1}).code == other.call("get_balance", {"x": 1}).code
    calls = customer.bank.record("call.approved")
    assert len({call["client_id"] for call in calls}) == 1  # the opaque agent is the browser profile


@pytest.mark.parametrize("kind", KINDS)
def test_an_agent_that_stops_waiting_and_calls_again_meets_its_own_call(
    deputized: Customer, kind: Kind
) -> None:
    """One dialog, one execution, for both attempts."""
    bank, human, agent = deputized.bank, deputized.human, kind(deputized.tab)
    before = len(bank.record("call.pending"))
    with pytest.raises(StoppedWaiting):
        agent.call("transfer_money", TRANSFER, patience=1.5)
    dialog = human.dialog()
    again = agent.start("transfer_money", TRANSFER)
    now = human.dialog()
    assert now.node == dialog.node
    human.approve()
    result = again.result()
    assert not result.refused
    assert bank.sent() == [(250_00, "Ada Lovelace")]
    pending = bank.record("call.pending")[before:]
    assert [entry["call_id"] for entry in pending] == [result.value["_meta"]["correlationId"]]
    assert human.sees() is None


def test_two_agents_with_the_same_wish_get_one_execution(deputized: Customer) -> None:
    one = deputized.agent.start("transfer_money", TRANSFER)
    other = CdpAgent(deputized.tab).start("transfer_money", TRANSFER)
    deputized.human.approve()
    assert one.result().value == other.result().value
    assert deputized.bank.sent() == [(250_00, "Ada Lovelace")]


def test_a_call_is_resumed_after_the_page_was_left(deputized: Customer) -> None:
    """CALL-6: the new page's call is the old one, and what was asked is asked again."""
    bank, tab = deputized.bank, deputized.tab
    left = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.dialog()
    before = bank.record("call.pending")
    tab.reload()
    with pytest.raises(CallFailed):
        left.result()
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.approve()
    result = call.result()
    assert result.value["_meta"]["correlationId"] == before[-1]["call_id"]
    assert bank.record("call.pending") == before
    assert bank.sent() == [(250_00, "Ada Lovelace")]


def test_what_is_approved_after_the_agent_has_left_waits_for_it(
    impatient_bank: Bank, tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    """SHIM-7: nobody waiting, nothing runs; the next equal call runs it without asking again."""
    bank = impatient_bank
    sign_up(bank, tab, passkeys)
    assert agent.call("transfer_money", TRANSFER).code == "consent_pending"
    human.approve()
    told = agent.call("transfer_money", TRANSFER)
    assert told.code == "approval_pending"
    assert told.structured["retryable"] is True
    human.approve()
    assert bank.kinds(told.correlation_id) == ["call.pending", "call.approved"]
    assert bank.nothing_happened()
    result = agent.call("transfer_money", TRANSFER)
    assert not result.refused
    assert result.value["_meta"]["correlationId"] == told.correlation_id
    assert bank.sent() == [(250_00, "Ada Lovelace")]
    kinds = ["call.pending", "call.approved", "call.approved", "call.redeemed", "call.succeeded"]
    assert bank.kinds(told.correlation_id) == kinds


def test_what_is_approved_and_never_fetched_expires(
    impatient_bank: Bank,
    tab: Page,
    passkeys: Passkeys,
    human: Human,
    agent: Agent,
    held_clock: HeldClock,
) -> None:
    """CALL-4: after 300 s an equal call asks again."""
    bank = impatient_bank
    sign_up(bank, tab, passkeys)
    assert agent.call("transfer_money", TRANSFER).code == "consent_pending"
    human.approve()
    old = agent.call("transfer_money", TRANSFER)
    human.approve()
    held_clock.move(300)
    new = agent.call("transfer_money", TRANSFER)
    assert new.code == "approval_pending"
    assert new.correlation_id != old.correlation_id
    assert bank.kinds(old.correlation_id) == ["call.pending", "call.approved", "call.expired"]
    assert bank.nothing_happened()


def test_a_call_that_the_agent_cancels_runs_nothing(deputized: Customer) -> None:
    agent = CdpAgent(deputized.tab)
    call = agent.start("transfer_money", TRANSFER)
    deputized.human.dialog()
    agent.cancel(call)
    with pytest.raises(CallFailed, match="Cancel"):
        call.result()
    deputized.human.approve()  # the question stays, since an agent may ask again
    assert deputized.bank.nothing_happened()
    assert deputized.bank.record("call.redeemed") == []


def test_a_result_that_never_arrived_is_not_executed_again(
    deputized: Customer, held_clock: HeldClock
) -> None:
    """CALL-6: for two minutes an equal call hears `already_executed`, and is a new one after that."""
    bank, tab, human, agent = deputized.bank, deputized.tab, deputized.human, deputized.agent
    executed: list[int] = []

    def lose_the_answer(route: Route) -> None:
        executed.append(route.fetch().status)

    tab.route("**/api/transfers", lose_the_answer, times=1)
    lost = agent.start("transfer_money", TRANSFER)
    human.approve()
    until(tab, lambda: executed == [201], "the execution")
    tab.reload()
    with pytest.raises(CallFailed):
        lost.result()
    told = agent.call("transfer_money", TRANSFER)
    assert told.code == "already_executed"
    assert told.structured["retryable"] is False
    assert human.sees() is None
    assert bank.record("call.refused")[-1]["code"] == "already_executed"
    held_clock.move(119)
    assert agent.call("transfer_money", TRANSFER).code == "already_executed"
    assert bank.sent() == [(250_00, "Ada Lovelace")]
    held_clock.move(1)
    call = agent.start("transfer_money", TRANSFER)
    human.decline()
    assert call.result().code == "declined"
    assert bank.sent() == [(250_00, "Ada Lovelace")]


def test_the_browser_is_recognized_when_it_returns(deputized: Customer) -> None:
    """AGENT-1: the key lasts longer than the page; in another profile it is another agent."""
    deputized.tab.goto("about:blank")
    deputized.tab.goto(deputized.bank.url)
    call = deputized.agent.start("transfer_money", TRANSFER)
    deputized.human.approve()
    assert not call.result().refused
    agents = {entry["client_id"] for entry in deputized.bank.record("call.pending")}
    assert len(agents) == 1
