"""People are asked seldom: three no, and it is quiet; the account page says so, and ends it (PROMPT-2 to PROMPT-5)."""

from e2e.bank import TRANSFER, Customer
from playwright.sync_api import expect

from deputize.testing.waiting import until


def test_who_asked_too_often_is_quiet_until_the_user_lets_it_ask_again(deputized: Customer) -> None:
    agent, human, tab = deputized.agent, deputized.human, deputized.tab
    deputized.deputizes_for("get_balance")
    first = agent.start("transfer_money", TRANSFER)
    human.decline()
    calls = [agent.start("transfer_money", {**TRANSFER, "amount": amount}) for amount in (1, 2, 3)]
    until(tab, lambda: "Waiting after this one: 2" in human.dialog().lines, "two that wait")
    for _ in range(2):
        human.decline()
    codes = [call.result().code for call in (first, *calls)]
    assert codes == ["declined"] * 3 + ["asked_too_often"]  # the last one is not even shown
    assert human.sees() is None
    (told,) = human.notices()
    assert "nobody asks you for a while" in told
    refused = agent.call("transfer_money", TRANSFER)
    assert (refused.code, refused.structured["retryable"]) == ("asked_too_often", False)
    assert human.notices() == [told]
    assert not agent.call("get_balance").refused

    tab.goto(f"{deputized.bank.issuer}/account")
    tab.get_by_role("button", name="Allow questions again: The agents in your browsers").click()
    expect(tab.get_by_text("Asked too often")).to_have_count(0)
    tab.goto(deputized.bank.url)
    again = agent.start("transfer_money", TRANSFER)
    human.press(next(each for each in human.dialog().buttons if "block" in each.name))
    assert again.result().code == "declined"
    kinds = [entry["kind"] for entry in deputized.bank.record()[-3:]]
    assert kinds == ["call.declined", "agent.blocked", "grant.revoked"]


def test_all_agents_are_paused_and_the_history_tells_of_everything(customer: Customer) -> None:
    customer.deputizes_for("get_balance")
    agent, tab = customer.agent, customer.tab
    tab.goto(f"{customer.bank.issuer}/account")
    tab.get_by_role("button", name="Pause all agents").click()
    tab.get_by_role("button", name="Let them go on").wait_for()
    tab.goto(customer.bank.url)
    assert agent.call("get_balance").code == "paused"
    tab.goto(f"{customer.bank.issuer}/account")
    tab.get_by_role("button", name="Let them go on").press("Enter")
    tab.get_by_role("button", name="Pause all agents").wait_for()
    expect(tab.get_by_role("heading", name="Agents you have deputized")).to_be_focused()
    expect(tab.get_by_role("button", name="Take this back The agent in your browser")).to_be_visible()
    tab.get_by_role("link", name="Everything, refused and declined too").click()
    expect(tab.locator("details.done")).to_have_count(2)
    tab.get_by_label("What became of it").select_option("denied")
    tab.get_by_role("button", name="Show").click()
    expect(tab.locator("details.done")).to_have_count(1)
    expect(tab.locator("details.done")).to_contain_text("Refused.")
