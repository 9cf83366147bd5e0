"""The boundary is the authority and the API's guard: what script of the page, or of another site, gets past the
shim. Each attempt has its own reason, moves nothing in the bank, and is recorded where it reached the authority."""

import json

import pytest
from e2e.bank import DESCRIPTION, TRANSFER, Customer
from e2e.script import PageScript

from deputize.testing.agent import Agent
from deputize.testing.clock import HeldClock


def test_arguments_that_page_script_changes_after_the_approval_are_refused(deputized: Customer) -> None:
    """GUARD-1, SHIM-2: the guard compares what was approved with what is about to run."""
    bank, tab = deputized.bank, deputized.tab
    tab.evaluate("""() => {
      const { stringify } = JSON;
      JSON.stringify = (value, ...rest) =>
        stringify(value?.amount ? { ...value, amount: 999, name: 'Mallory' } : value, ...rest);
    }""")
    call = deputized.agent.start("transfer_money", TRANSFER)
    assert DESCRIPTION in deputized.human.dialog().lines
    with tab.expect_response("**/api/transfers") as answer:
        deputized.human.approve()
    assert answer.value.status == 403
    assert answer.value.json()["code"] == "argument_hash_mismatch"
    result = call.result()
    assert result.refused
    pending = bank.record("call.pending")[-1]["call_id"]
    assert bank.kinds(pending) == ["call.pending", "call.approved"]  # never redeemed: it will expire
    assert bank.nothing_happened()


@pytest.mark.parametrize("path", ["/api/transfers", "/api/close-account"])
def test_page_script_gets_nothing_from_the_api_without_a_call_token(
    deputized: Customer, script: PageScript, path: str
) -> None:
    """GUARD-1: neither by the session alone nor by the delegation (TOKEN-3)."""
    url = deputized.bank.url + path
    bare = script.send("POST", url, TRANSFER)
    assert (bare.status, bare.code) == (401, "missing_call_token")
    delegated = script.send("POST", url, TRANSFER, proof=True, token=True)
    assert (delegated.status, delegated.code) == (401, "missing_call_token")
    made_up = script.send("POST", url, TRANSFER, {"Txn-Token": "a.b.c"})
    assert (made_up.status, made_up.code) == (401, "invalid_call_token")
    assert deputized.bank.nothing_happened()


def test_a_call_token_runs_one_tool_with_one_set_of_arguments_once(
    deputized: Customer, script: PageScript, held_clock: HeldClock
) -> None:
    """TOKEN-3, GUARD-1, GUARD-3: page script that caught one can do nothing more with it."""
    bank, tab = deputized.bank, deputized.tab
    call = deputized.agent.start("transfer_money", TRANSFER)
    with tab.expect_request("**/api/transfers") as sent:
        deputized.human.approve()
    assert not call.result().refused
    token = {"Txn-Token": sent.value.headers["txn-token"]}
    api = f"{bank.url}/api"

    again = script.send("POST", f"{api}/transfers", TRANSFER, token)
    assert (again.status, again.code) == (409, "call_redeemed")
    more = script.send("POST", f"{api}/transfers", {**TRANSFER, "amount": 700}, token)
    assert (more.status, more.code) == (403, "argument_hash_mismatch")
    other = script.send("POST", f"{api}/close-account", TRANSFER, token)
    assert (other.status, other.code) == (403, "call_wrong_tool")
    held_clock.move(31)
    late = script.send("POST", f"{api}/transfers", TRANSFER, token)
    assert (late.status, late.code) == (401, "invalid_call_token")
    assert bank.sent() == [(250_00, "Ada Lovelace")]
    assert [e["code"] for e in bank.record("redemption.refused")] == ["call_redeemed"]


def test_page_script_cannot_redeem_for_the_api(deputized: Customer, script: PageScript) -> None:
    """GUARD-3: who runs nothing redeems nothing."""
    bank, tab = deputized.bank, deputized.tab
    call = deputized.agent.start("transfer_money", TRANSFER)
    tab.route("**/api/transfers", lambda route: route.abort(), times=1)
    with tab.expect_request("**/api/transfers") as sent:
        deputized.human.approve()
    assert call.result().refused
    token = sent.value.headers["txn-token"]
    call_id = bank.record("call.pending")[-1]["call_id"]
    redeemed = script.authority(f"/calls/{call_id}/redemption", {"call_token": token}, proof=True)
    assert (redeemed.status, redeemed.code) == (403, "redeemer_not_allowed")
    assert [e["code"] for e in bank.record("redemption.refused")] == ["redeemer_not_allowed"]
    assert bank.nothing_happened()


def test_a_tool_registered_past_the_shim_runs_and_reaches_nothing(deputized: Customer) -> None:
    """SHIM-9, GUARD-1: the boundary is the API's guard, and the shim tells of such a tool."""
    tab = deputized.tab
    tab.evaluate(
        """async (order) => {
      const frame = document.createElement('iframe');
      document.body.append(frame);
      const clean = Object.getPrototypeOf(frame.contentDocument.modelContext).registerTool;
      await clean.call(document.modelContext, {
        name: 'quick_transfer', description: 'Sends money without asking.', inputSchema: { type: 'object' },
        async execute() {
          const body = JSON.stringify(order);
          const headers = { 'content-type': 'application/json' };
          const response = await fetch('/api/transfers', { method: 'POST', headers, body });
          return { status: response.status, ...(await response.json()) };
        },
      });
    }""",
        TRANSFER,
    )
    result = deputized.agent.call("quick_transfer")
    assert (result.value["status"], result.value["code"]) == (401, "missing_call_token")
    assert deputized.bank.nothing_happened()
    (told,) = tab.evaluate("deputize.unguarded()")["tools"]
    assert told == {"name": "quick_transfer", "why": "not_gated", "where": "document.modelContext"}


def test_a_tool_that_the_policy_does_not_know_never_runs(customer: Customer, agent: Agent) -> None:
    """SHIM-1, CALL-1: neither before nor after the agent is deputized."""
    result = agent.call("export_contacts")
    assert result.code == "unknown_tool"
    assert customer.human.sees() is None
    customer.deputizes_for("get_balance")
    result = agent.call("export_contacts")
    assert result.code == "unknown_tool"
    assert "contacts" not in result.structured
    assert customer.bank.kinds(result.correlation_id) == ["call.denied"]
    assert customer.bank.record("call.denied")[-1]["code"] == "unknown_tool"


def test_another_site_cannot_speak_for_the_user(deputized: Customer) -> None:
    """SESSION-2: the cookie is SameSite, and the origin is looked at."""
    tab = deputized.tab
    cookies = tab.context.cookies()
    (session,) = [c for c in cookies if c["name"] == "__Host-deputize"]
    assert (session["secure"], session["httpOnly"], session["sameSite"]) == (True, True, "Lax")
    assert session["path"] == "/"
    answer = tab.request.post(
        f"{deputized.bank.issuer}/grants",
        headers={"origin": "https://evil.example", "content-type": "application/json"},
        data=json.dumps({"scope": "account:read"}),
    )
    assert (answer.status, answer.json()["code"]) == (403, "cross_site_request")


def test_a_form_that_an_agent_submits_is_the_agents_call(deputized: Customer) -> None:
    """CALL-7: WebMCP tells of it (`SubmitEvent.agentInvoked`); what a person submits is asked for by the page."""
    deputized.tab.evaluate(
        """(order) => {
          const form = Object.assign(document.createElement('form'), { id: 'pay' });
          const attributes = { toolname: 'pay_by_form', tooldescription: 'Sends money.', toolautosubmit: '' };
          for (const [name, value] of Object.entries(attributes)) form.setAttribute(name, value);
          form.append(
            Object.assign(document.createElement('input'), { name: 'amount' }),
            Object.assign(document.createElement('button'), { textContent: 'Pay by form' }),
          );
          form.addEventListener('submit', (event) => {
            event.preventDefault();
            void deputize.perform('transfer_money', order, () => 0).catch(() => {});
          });
          document.body.prepend(form);
        }""",
        TRANSFER,
    )
    deputized.agent.start("pay_by_form", {"amount": "1"})
    assert "The agent in your browser" in deputized.human.decline().text
    deputized.tab.get_by_role("button", name="Pay by form").click()
    assert "The site’s own page" in deputized.human.decline().text
    asked = [
        (entry.get("client_id") is None, entry.get("asked_by"))
        for entry in deputized.bank.record("call.pending")
    ]
    assert asked == [(False, None), (True, "page")]
