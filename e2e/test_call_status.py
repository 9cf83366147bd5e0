"""An agent that did not wait for its answer asks what became of its call (SHIM-16)."""

from typing import Any

from e2e.bank import TRANSFER, Bank, Customer, sign_up
from playwright.sync_api import Page

from deputize.testing.agent import Agent
from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.waiting import until

TOOL = "deputize.call_status"


def test_an_agent_that_gave_up_learns_what_became_of_its_call(
    impatient_bank: Bank, tab: Page, passkeys: Passkeys, human: Human, agent: Agent
) -> None:
    """It waits for the user, is approved, and is done once the agent has called again: it runs once."""
    bank = impatient_bank
    customer = Customer(bank, tab, sign_up(bank, tab, passkeys), human, agent)
    assert TOOL not in agent.tools()
    customer.deputizes_for("transfer_money")
    assert TOOL in agent.tools()

    pending = agent.call("transfer_money", TRANSFER)
    assert pending.code == "approval_pending"
    assert TOOL in pending.text

    def told() -> dict[str, Any]:
        (call,) = agent.call(TOOL, {"correlation_id": pending.correlation_id}).structured["calls"]
        return dict(call)

    assert told() == {
        "tool": "transfer_money",
        "correlation_id": pending.correlation_id,
        "state": "waiting",
        "retryable": True,
    }
    human.approve()
    until(tab, lambda: told()["state"] == "approved", "an approved call")
    assert bank.sent() == []
    assert agent.call("transfer_money", TRANSFER).code is None
    assert told()["state"] == "done"
    assert not told()["retryable"]
    assert len(bank.sent()) == 1
    assert human.sees() is None

    last = agent.call(TOOL)
    assert last.structured["calls"][0]["state"] == "done"
    assert agent.call(TOOL, {"correlation_id": "cal_of_somebody_else"}).structured["calls"] == []
    report = tab.evaluate("deputize.unguarded()")
    assert TOOL not in [tool["name"] for tool in report["tools"]]
    assert TOOL not in [each["name"] for each in tab.evaluate("deputize.definitions()")]
