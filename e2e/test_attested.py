"""Agents of strangers, deputized on the consent page, at Harbor's tools; and each way to steal from them."""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import pytest
from e2e.attested import (
    ASK,
    CLOSED,
    OPEN,
    AgentProcess,
    Attested,
    Principal,
    RefusedError,
    policy,
)
from e2e.bank import DESCRIPTION, OPENING, TRANSFER, Bank, sign_up
from e2e.script import PageScript
from playwright.sync_api import Page, expect

from deputize.agent import AgentKey
from deputize.protocol.canonical import args_s256, b64u
from deputize.testing.agent import Agent, CdpAgent, PlaywrightAgent
from deputize.testing.clock import HeldClock
from deputize.testing.human import Dialog, Human, NotApproved
from deputize.testing.passkeys import Passkeys

EVIDENCE = "deputize_delegation"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
LIMITS = {"type": "webmcp_tool", "tool": "transfer_money", "max_calls": 3, "sum": {"/amount": 500}}
KINDS = [PlaywrightAgent, CdpAgent]


@pytest.fixture(scope="module")
def crew() -> Iterator[tuple[AgentProcess, AgentProcess, AgentProcess]]:
    """Three agents of strangers."""
    names = ("Errand Runner", "Little Helper", "Third Party")
    with AgentProcess(names[0]) as one, AgentProcess(names[1]) as two, AgentProcess(names[2]) as three:
        yield one, two, three


@pytest.fixture
def bank(open_bank: Callable[..., Bank], crew: tuple[AgentProcess, ...]) -> Bank:
    """Harbor, where they may come, and where one tool is for such agents only."""
    return open_bank(policy(*crew), without=[OPEN])


@pytest.fixture
def runner(bank: Bank, crew: tuple[AgentProcess, ...], held_clock: HeldClock) -> Attested:
    """The agent that the customer means to deputize."""
    return Attested(crew[0], bank, held_clock).begins()


@pytest.fixture
def helper(bank: Bank, crew: tuple[AgentProcess, ...], held_clock: HeldClock) -> Attested:
    """Its sub-agent."""
    return Attested(crew[1], bank, held_clock).begins()


@pytest.fixture
def third(bank: Bank, crew: tuple[AgentProcess, ...], held_clock: HeldClock) -> Attested:
    """Another agent that may come here, and is nobody's."""
    return Attested(crew[2], bank, held_clock).begins()


@pytest.fixture
def ada(bank: Bank, tab: Page, passkeys: Passkeys, human: Human) -> Principal:
    """A customer who is signed in, and has deputized nobody yet."""
    return Principal(bank, tab, sign_up(bank, tab, passkeys), human)


def refused(agent: Attested, do: str, **given: object) -> str:
    """Let an agent try, and return why it may not."""
    with pytest.raises(RefusedError) as no:
        agent(do, **given)
    return str(no.value)


def codes(bank: Bank) -> list[str]:
    """Return the reasons of all calls that were denied, in order."""
    return [entry["code"] for entry in bank.record("call.denied")]


# --- the story -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_agent_of_strangers_is_deputized_and_acts(
    ada: Principal, runner: Attested, kind: Callable[[Page], Agent]
) -> None:
    """AGENT-4, OAUTH-3 to OAUTH-5, EVID-1 to EVID-3, CALL-1, GUARD-1."""
    (before,) = ada.device.passkeys()
    login = runner.start("login", scope=ASK)
    page = ada.reads(login.tells())
    for words in (
        f"Let {runner.process.origin} act for you?",
        f"{runner.process.origin} · calls itself “Errand Runner”",
        "Nobody has checked the name, and Harbor does not vouch for it.",
        "See your balance and your transactions",
        "Prepare transfers, which you approve one by one",
        "For 1 hour",
    ):
        assert words in page
    assert ada.bank.record("grant.active") == []
    ada.allows()
    ada.tab.get_by_text("The agent has its answer").wait_for()
    tokens = login.tells()
    (after,) = ada.device.passkeys()
    assert after.sign_count == before.sign_count + 1
    (given,) = ada.bank.record("grant.active")
    assert (given["client_id"], given["scope"]) == (runner.client_id, ASK)
    assert tokens["grant_id"] == given["grant_id"]

    ada.goes_home()
    agent = kind(ada.tab)
    result = agent.call("get_balance", runner.input("get_balance"))
    assert result.text == "The balance is 1,000.00 EUR."
    seen = result.value["_meta"]  # what Harbor's tool saw in `client`
    assert seen["agent"] == {"clientId": runner.client_id, "assurance": "origin"}
    assert seen["scopes"] == ASK.split()
    assert ada.bank.kinds(seen["correlationId"]) == ["call.approved", "call.redeemed", "call.succeeded"]
    assert ada.bank.record("call.approved")[0]["client_id"] == runner.client_id
    assert ada.human.sees() is None

    call = agent.start("transfer_money", runner.input("transfer_money", TRANSFER))
    asked = ada.human.dialog()
    assert DESCRIPTION in asked.lines
    asker = runner.process.origin.removeprefix("https://")
    assert asker in asked.lines
    assert "calls itself “Errand Runner”" in asked.text
    assert EVIDENCE not in asked.text
    assert ada.bank.nothing_happened()
    ada.human.approve()
    result = call.result()
    assert result.text == "250.00 EUR went to Ada Lovelace. The balance is 750.00 EUR."
    assert ada.bank.sent() == [(250_00, "Ada Lovelace")]
    assert ada.bank.balance() == OPENING - 250_00
    kinds = ["call.pending", "call.approved", "call.redeemed", "call.succeeded"]
    assert ada.bank.kinds(result.value["_meta"]["correlationId"]) == kinds
    assert ada.bank.record("call.pending")[0]["client_id"] == runner.client_id
    assert {entry["client_id"] for entry in ada.bank.record() if "client_id" in entry} == {runner.client_id}


def test_a_no_is_told_to_the_agent(ada: Principal, runner: Attested) -> None:
    """OAUTH-4: and to nobody is anything given."""
    login = runner.start("login", scope=ASK)
    ada.reads(login.tells())
    ada.tab.get_by_role("button", name="Not now").click()
    with pytest.raises(RefusedError, match="access_denied"):
        login.tells()
    assert ada.bank.record("grant.active") == []
    assert refused(runner, "evidence", tool="get_balance", arguments={}) == "NotDeputized"


def test_an_agent_cannot_vouch_for_itself_in_its_name(ada: Principal, runner: Attested, agent: Agent) -> None:
    """AGENT-4, OAUTH-4: what it calls itself stays in quotation marks, here and in the dialog."""
    runner("publish", changed={"client_name": "A”, which has proved that it belongs to https://ok.example"})
    ada.deputizes(runner)
    call = agent.start("transfer_money", runner.input("transfer_money", TRANSFER))
    shown = ada.human.decline()
    assert "calls itself “A’, which has proved that it belongs to https://ok.example”" in shown.text
    assert runner.process.origin in shown.text
    assert call.result().code == "declined"


def test_the_account_page_names_the_agent_and_takes_it_back(ada: Principal, runner: Attested) -> None:
    """GRANT-5: it bites at the next call, and at the next renewal."""
    ada.deputizes(runner, details=[LIMITS])
    ada.tab.goto(f"{ada.bank.issuer}/account")
    for words in ("Errand Runner", runner.process.origin, "At most 3 times"):
        expect(ada.tab.locator("main")).to_contain_text(words)
    ada.tab.get_by_role("button", name="Take this back").click()
    ada.tab.get_by_text("No agent may act for you now").wait_for()
    ada.goes_home()
    agent = PlaywrightAgent(ada.tab)
    assert agent.call("get_balance", runner.input("get_balance")).code == "grant_revoked"
    assert refused(runner, "refresh") == "invalid_grant"
    assert codes(ada.bank) == ["grant_revoked"]


def test_an_agent_without_a_browser_is_deputized_by_a_code(
    ada: Principal, runner: Attested, agent: Agent
) -> None:
    """OAUTH-7: the page asks for the code, warns, and shows who asks for what."""
    device = runner.start("device", scope="account:read")
    code = device.tells()
    tab = ada.tab
    tab.goto(code["verification_uri"])
    expect(tab.locator("main")).to_contain_text("Only go on if you started this yourself")
    tab.get_by_label("The code that the agent shows").fill("BBBB-BBBB")
    tab.get_by_role("button", name="Go on").click()
    expect(tab.get_by_role("alert")).to_contain_text("No agent is waiting for this code")
    tab.get_by_label("The code that the agent shows").fill(code["user_code"].lower())
    tab.get_by_role("button", name="Go on").click()
    expect(tab.locator("main")).to_contain_text("It runs on another device, which shows the code")
    expect(tab.locator("main")).to_contain_text("Errand Runner")
    tab.get_by_role("button", name="Allow with passkey").click()
    expect(tab.get_by_role("status")).to_contain_text("Done. The agent may go on")
    assert device.tells()["scope"] == "account:read"
    ada.goes_home()
    result = agent.call("get_balance", runner.input("get_balance"))
    assert result.value["_meta"]["agent"] == {"clientId": runner.client_id, "assurance": "origin"}


def test_an_agent_in_the_page_passes_its_evidence_in_the_options(ada: Principal, runner: Attested) -> None:
    """EVID-1: the platform drops options that it does not know, so the shim moves this one into the input."""
    ada.deputizes(runner)
    execute = """async ([name, input, evidence]) => {
        const tool = (await document.modelContext.getTools()).find((tool) => tool.name === name);
        return document.modelContext.executeTool(tool, input, { deputize_delegation: evidence });
    }"""
    given = ["get_balance", {}, runner.member("get_balance")]
    result = json.loads(ada.tab.evaluate(execute, given))
    assert result["_meta"]["agent"] == {"clientId": runner.client_id, "assurance": "origin"}
    assert ada.bank.record("call.approved")[-1]["client_id"] == runner.client_id
    again = json.loads(ada.tab.evaluate(execute, given))  # spent
    assert again["structuredContent"]["code"] == "invalid_dpop_proof"
    bad = json.loads(ada.tab.evaluate(execute, ["get_balance", {}, "~"]))
    assert bad["structuredContent"]["code"] == "invalid_token"  # never taken for none
    assert ada.human.sees() is None


# --- limits ----------------------------------------------------------------------------------------------------------


def test_limits_are_said_in_plain_words_and_hold_over_calls(
    ada: Principal, runner: Attested, agent: Agent
) -> None:
    """CONS-1, CONS-3: what was taken is not given back, and nobody is asked for what cannot be."""
    login = runner.start("login", scope=ASK, details=[LIMITS])
    page = ada.reads(login.tells())
    assert "Only within these limits" in page
    for words in ("Send money (transfer_money)", "At most 3 times", "Amount in EUR: at most 500 in all"):
        assert words in page
    ada.allows()
    assert login.tells()["authorization_details"] == [LIMITS]
    ada.goes_home()
    for order, code in (
        ({**TRANSFER, "amount": 501}, "constraint_exhausted"),
        ({**TRANSFER, "amount": 300}, None),
        ({**TRANSFER, "amount": 200.01}, "constraint_exhausted"),
        ({**TRANSFER, "amount": 150}, None),
        ({**TRANSFER, "amount": 49.99}, None),
        ({**TRANSFER, "amount": 0.01}, "constraint_exhausted"),  # the fourth
    ):
        call = agent.start("transfer_money", runner.input("transfer_money", order))
        if code is None:
            ada.human.approve()
        assert call.result().code == code, order
        assert ada.human.sees() is None
    assert [cents for cents, _ in ada.bank.sent()] == [300_00, 150_00, 49_99]
    assert codes(ada.bank) == ["constraint_exhausted"] * 3


def test_two_transfers_that_wait_together_cannot_overdraw(
    ada: Principal, runner: Attested, agent: Agent
) -> None:
    """CONS-3: the counter is taken from where the call is approved."""
    ada.deputizes(runner, details=[LIMITS])
    orders = [{**TRANSFER, "amount": amount} for amount in (300, 301)]
    calls = [agent.start("transfer_money", runner.input("transfer_money", order)) for order in orders]
    first = ada.human.approve()
    assert any("Send 300.00 EUR" in line for line in first.lines)
    with pytest.raises(NotApproved, match="What you allowed the agent here is used up"):
        ada.human.approve()
    assert [call.result().code for call in calls] == [None, "constraint_exhausted"]
    assert ada.bank.sent() == [(300_00, "Ada Lovelace")]


def test_eight_calls_at_once_get_no_more_than_three(ada: Principal, runner: Attested) -> None:
    """CONS-3."""
    ada.deputizes(runner, details=[{"type": "webmcp_tool", "tool": "get_balance", "max_calls": 3}])
    agent = CdpAgent(ada.tab)
    inputs = [runner.input("get_balance") for _ in range(8)]
    calls = [agent.start("get_balance", each) for each in inputs]
    found = [call.result().code for call in calls]
    assert sorted(map(str, found)) == ["None"] * 3 + ["constraint_exhausted"] * 5
    assert len(ada.bank.record("call.redeemed")) == 3


# --- sub-agents ------------------------------------------------------------------------------------------------------


def test_a_sub_agent_has_what_it_was_handed_until_the_parent_ends(
    ada: Principal, runner: Attested, helper: Attested, agent: Agent
) -> None:
    """CHAIN-1 to CHAIN-4."""
    ada.deputizes(runner)
    handoff = runner.hands_on(helper, scope="account:read")
    tokens = helper("take_over", handoff=handoff)
    assert tokens["scope"] == "account:read"
    result = agent.call("get_balance", helper.input("get_balance"))
    assert result.value["_meta"]["agent"] == {"clientId": helper.client_id, "assurance": "origin"}
    assert result.value["_meta"]["scopes"] == ["account:read"]
    assert ada.bank.record("call.approved")[-1]["client_id"] == helper.client_id
    told = helper("introspect")
    assert told["act"]["sub"] == helper.client_id
    assert told["act"]["act"]["sub"] == runner.client_id
    assert agent.call("transfer_money", helper.input("transfer_money", TRANSFER)).code == "insufficient_scope"
    assert ada.human.sees() is None

    runner("revoke")  # in the middle of the child's run
    assert agent.call("get_balance", helper.input("get_balance")).code == "grant_revoked"
    assert refused(helper, "refresh") == "invalid_grant"
    assert codes(ada.bank) == ["insufficient_scope", "grant_revoked"]
    assert ada.bank.nothing_happened()


def test_a_parent_that_is_revoked_before_the_approval_takes_the_childs_call_along(
    ada: Principal, runner: Attested, helper: Attested, agent: Agent
) -> None:
    """CHAIN-3, APPR-5."""
    ada.deputizes(runner)
    helper("take_over", handoff=runner.hands_on(helper))
    call = agent.start("transfer_money", helper.input("transfer_money", TRANSFER))
    asked = ada.human.dialog().text
    assert helper.process.origin in asked
    assert f"handed on by {runner.process.origin}" in asked
    runner("revoke")
    with pytest.raises(NotApproved, match="was taken back"):
        ada.human.approve()
    assert call.result().code == "grant_revoked"
    assert ada.bank.nothing_happened()


def test_a_handoff_is_for_one_agent_once(
    ada: Principal, runner: Attested, helper: Attested, third: Attested
) -> None:
    """CHAIN-1, CHAIN-2: who acts is who proves it, whoever is named."""
    ada.deputizes(runner)
    handoff = runner.hands_on(helper, scope="account:read")
    assert refused(third, "take_over", handoff=handoff) == "invalid_grant"
    assert refused(runner, "take_over", handoff=handoff) == "invalid_grant"
    form = {
        "grant_type": EXCHANGE,
        "subject_token": handoff,
        "subject_token_type": JWT,
        "actor_token": handoff,
        "actor_token_type": JWT,
    }
    assert (
        third.posts("/token", **form)["error"] == "invalid_request"
    )  # it names the actor instead of being it
    taken = helper("take_over", handoff=handoff)
    assert refused(helper, "take_over", handoff=handoff) == "invalid_grant"
    (child,) = [e for e in ada.bank.record("grant.active") if "parent_id" in e]
    assert (child["grant_id"], child["client_id"]) == (taken["grant_id"], helper.client_id)
    assert ada.bank.nothing_happened()


def test_no_exchange_widens_anything(ada: Principal, runner: Attested, helper: Attested) -> None:
    """CONS-2, CHAIN-1, CHAIN-2, GRANT-6: neither scopes nor limits, at any step."""
    tokens = ada.deputizes(runner, "account:read", [LIMITS])
    child = {"child": helper.client_id, "jkt": helper.process.thumbprint}
    wider = [{**LIMITS, "max_calls": 4}]
    dearer = [{**LIMITS, "sum": {"/amount": 500.01}}]
    assert refused(runner, "hand_on", **child, scope=ASK) == "invalid_scope"
    for details in (wider, dearer):
        assert refused(runner, "hand_on", **child, details=details) == "invalid_authorization_details"
    handoff = runner.hands_on(helper, details=[{**LIMITS, "max_calls": 2}])
    assert refused(helper, "take_over", handoff=handoff, scope=ASK) == "invalid_scope"
    handoff = runner.hands_on(helper, details=[{**LIMITS, "max_calls": 2}])
    more = [{**LIMITS, "sum": {"/amount": 1}}]  # three calls again, though of less
    assert refused(helper, "take_over", handoff=handoff, details=more) == "invalid_authorization_details"
    renewal = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert runner.posts("/token", **renewal, scope=ASK)["error"] == "invalid_scope"
    said = runner.posts("/token", **renewal, authorization_details=json.dumps(wider))
    assert said["error"] == "invalid_authorization_details"
    assert len(ada.bank.record("grant.active")) == 1


# --- evidence that is not good ---------------------------------------------------------------------------------------


def test_evidence_is_for_one_call_of_one_tool_by_one_key(ada: Principal, runner: Attested) -> None:
    """EVID-2, PROOF-1, PROOF-2: for whatever else, it is refused."""
    ada.deputizes(runner)
    agent = PlaywrightAgent(ada.tab)
    good = runner.input("get_balance")
    assert not agent.call("get_balance", good).refused
    assert agent.call("get_balance", good).code == "invalid_dpop_proof"  # replayed

    order = runner.member("transfer_money", TRANSFER)
    mine = {**TRANSFER, "name": "Mallory"}
    assert agent.call("transfer_money", {**mine, EVIDENCE: order}).code == "invalid_dpop_proof"
    assert agent.call("close_account", {EVIDENCE: runner.member("get_balance")}).code == "invalid_dpop_proof"

    token, _, _ = order.partition("~")
    thief = AgentKey.generate()  # a token without its key
    digest = args_s256(dict[str, Any](TRANSFER))
    now = int(runner.clock())
    proof = thief.proof(
        "POST", f"{ada.bank.issuer}/calls", now, token, tool="transfer_money", args_s256=digest
    )
    assert (
        agent.call("transfer_money", {**TRANSFER, EVIDENCE: f"{token}~{proof}"}).code == "invalid_dpop_proof"
    )
    assert ada.human.sees() is None
    assert ada.bank.nothing_happened()
    assert ada.bank.record("call.pending") == []


def test_evidence_that_was_copied_is_worth_nothing_elsewhere(
    ada: Principal, runner: Attested, bank: Bank, new_tab: Callable[..., Page]
) -> None:
    """EVID-2, EVID-3, CALL-2: in another tab it is used, with another user it is another's, and so is its call."""
    ada.deputizes(runner)
    agent = PlaywrightAgent(ada.tab)
    used = runner.input("transfer_money", TRANSFER)
    call = agent.start("transfer_money", used)
    ada.human.dialog()
    pending = bank.record("call.pending")[0]["call_id"]

    beside = ada.tab.context.new_page()
    beside.goto(bank.url)
    assert PlaywrightAgent(beside).call("transfer_money", used).code == "invalid_dpop_proof"
    beside.close()
    ada.tab.bring_to_front()

    elsewhere = new_tab()
    elsewhere.goto(bank.url)
    stolen = runner.input("transfer_money", TRANSFER)
    assert PlaywrightAgent(elsewhere).call("transfer_money", stolen).code == "login_required"
    sign_up(bank, elsewhere, Passkeys(elsewhere), "Alan Turing")
    assert PlaywrightAgent(elsewhere).call("transfer_money", stolen).code == "wrong_user"
    # Even a page of the same user cannot approve it: the call is the first page's. Here it is another user's.
    script = PageScript(elsewhere, bank.issuer)
    human = Human(elsewhere)
    first = PlaywrightAgent(elsewhere).start("get_balance")  # so that this page has a key
    human.approve()
    assert not first.result().refused
    assert script.authority(f"/calls/{pending}/challenge", proof=True).code == "call_unknown"

    ada.human.decline()
    assert call.result().code == "declined"
    assert bank.nothing_happened()


# Neither half, halves that are none, too many halves.
BAD = [
    "x",
    "a.b.c~a.b.c",
    "{token}",
    "{token}~",
    "{token}~{token}",
    "~{proof}",
    "{token}~{proof}~",
    "{proof}~{proof}",
]


def test_bad_evidence_is_a_no_and_never_the_browsers_own_agent(
    ada: Principal, runner: Attested, agent: Agent
) -> None:
    """EVID-1: that agent may do this, so a downgrade would show."""
    call = agent.start("get_balance")
    ada.human.approve()
    assert not call.result().refused
    before = len(ada.bank.record("call.approved"))
    ada.deputizes(runner)
    token, _, proof = runner.member("get_balance").partition("~")
    for text in BAD:
        result = agent.call("get_balance", {EVIDENCE: text.format(token=token, proof=proof)})
        assert result.code in ("invalid_token", "invalid_dpop_proof"), text
    for value in (1, True, [f"{token}~{proof}"], {"token": token}):
        assert agent.call("get_balance", {EVIDENCE: value}).code == "invalid_token", value
    assert len(ada.bank.record("call.approved")) == before
    for nothing in (None, ""):
        assert agent.call("get_balance", {EVIDENCE: nothing}).value["_meta"]["agent"]["assurance"] == "opaque"
    assert ada.bank.nothing_happened()


def test_leaving_evidence_out_gains_nothing(ada: Principal, runner: Attested, agent: Agent) -> None:
    """AGENT-3: neither before nor after the browser's own agent has the scope."""
    ada.deputizes(runner)
    assert agent.call(CLOSED).code == "agent_not_allowed"
    assert ada.human.sees() is None
    call = agent.start("get_balance")
    ada.human.approve()
    assert not call.result().refused
    assert agent.call(CLOSED).code == "agent_not_allowed"
    assert codes(ada.bank) == ["agent_not_allowed"]
    result = agent.call(CLOSED, runner.input(CLOSED))
    assert result.value["_meta"]["agent"]["clientId"] == runner.client_id


# --- thefts on the way to a delegation -------------------------------------------------------------------------------


SWAPS: dict[str, dict[str, Any]] = {
    "name": {"client_name": "Harbor"},
    "keys": {"jwks": {"keys": [AgentKey.generate().public_jwk()]}},
}


@pytest.mark.parametrize("swapped", SWAPS)
def test_a_document_that_was_swapped_after_the_consent_gets_nothing(
    ada: Principal, runner: Attested, held_clock: HeldClock, swapped: str
) -> None:
    """OAUTH-6: the user agreed to somebody else."""
    login = runner.start("login", scope=ASK)
    ada.reads(login.tells())
    held_clock.move(6)  # until then the authority may know the document by heart
    runner("publish", changed=SWAPS[swapped])
    ada.allows()
    with pytest.raises(RefusedError, match="invalid_client"):
        login.tells()
    assert refused(runner, "evidence", tool="get_balance", arguments={}) == "NotDeputized"


class Pushed:
    """A request that an agent pushes by its own hand, with whatever is changed in it."""

    def __init__(self, agent: Attested, **changed: str) -> None:
        self.verifier = b64u(secrets.token_bytes(32))
        self.redirect_uri = agent.callback
        form = {
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": ASK,
            "state": "st",
            "code_challenge": b64u(hashlib.sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        self.answer = agent.posts("/par", **{**form, **changed})
        query = urlencode({"client_id": agent.client_id, "request_uri": self.answer.get("request_uri", "")})
        self.url = f"{agent.bank.issuer}/authorize?{query}"

    def form(self, code: str) -> dict[str, str]:
        """Make the form that collects what the user agreed to."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }


def test_a_code_goes_nowhere_else(ada: Principal, runner: Attested, third: Attested) -> None:
    """OAUTH-3, OAUTH-5: neither by the request, nor by the link, nor with the code in hand."""
    evil = "https://evil.example/callback"
    for elsewhere in (evil, f"{runner.callback}/../evil", third.client_id, f"{runner.callback}?x=1"):
        assert Pushed(runner, redirect_uri=elsewhere).answer["error"] == "invalid_request"
    pushed = Pushed(runner)
    ada.reads(f"{pushed.url}&{urlencode({'redirect_uri': evil, 'scope': 'account:admin'})}")
    expect(ada.tab.locator("main")).not_to_contain_text("close your account")
    told = ada.allows()
    assert ada.tab.url.startswith(f"{runner.callback}?")
    assert (told["state"], told["iss"]) == ("st", ada.bank.issuer)
    form = pushed.form(told["code"])
    assert runner.posts("/token", **{**form, "redirect_uri": evil})["error"] == "invalid_grant"
    assert runner.posts("/token", **{**form, "code_verifier": "v" * 43})["error"] == "invalid_grant"
    assert third.posts("/token", **form)["error"] == "invalid_grant"
    assert runner.posts("/token", **form)["token_type"] == "DPoP"
    assert ada.bank.nothing_happened()


def test_a_code_that_eight_clients_replay_at_once_is_worth_nothing_to_anybody(
    ada: Principal, runner: Attested
) -> None:
    """OAUTH-5: one at most gets something, and that is revoked."""
    pushed = Pushed(runner)
    ada.reads(pushed.url)
    form = pushed.form(ada.allows()["code"])
    answers = runner("post", path="/token", form=form, times=8)
    got = [answer for answer in answers if "access_token" in answer]
    assert len(got) == 1
    assert [answer["error"] for answer in answers if answer not in got] == ["invalid_grant"] * 7
    (revoked,) = ada.bank.record("grant.revoked")
    assert (revoked["grant_id"], revoked["by"]) == (got[0]["grant_id"], "authority")
    assert runner.posts("/introspect", token=got[0]["access_token"]) == {"active": False}
    renewal = {"grant_type": "refresh_token", "refresh_token": got[0]["refresh_token"]}
    assert runner.posts("/token", **renewal)["error"] == "invalid_grant"


def test_a_refresh_token_that_is_used_again_ends_everything(
    ada: Principal, runner: Attested, agent: Agent
) -> None:
    """TOKEN-4: the one before the last is good for a minute, for an answer that was lost; an older one is stolen."""
    first = ada.deputizes(runner)
    runner("refresh")
    assert not agent.call("get_balance", runner.input("get_balance")).refused
    runner("refresh")
    reused = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert runner.posts("/token", **reused)["error"] == "invalid_grant"
    assert agent.call("get_balance", runner.input("get_balance")).code == "grant_revoked"
    assert refused(runner, "refresh") == "invalid_grant"
    (revoked,) = ada.bank.record("grant.revoked")
    assert revoked["grant_id"] == first["grant_id"]


def test_a_refresh_token_is_bound_to_client_and_key(
    ada: Principal, runner: Attested, third: Attested
) -> None:
    """TOKEN-4, GRANT-6."""
    stolen = ada.deputizes(runner)["refresh_token"]
    renewal = {"grant_type": "refresh_token", "refresh_token": stolen}
    assert third.posts("/token", **renewal)["error"] == "invalid_grant"
    assert ada.bank.record("grant.revoked") == []
    assert runner("refresh")["scope"] == ASK


def test_nobody_else_learns_what_a_token_is_worth(
    ada: Principal, runner: Attested, third: Attested, agent: Agent
) -> None:
    """OAUTH-8, OAUTH-9: nor can anybody else give it back."""
    tokens = ada.deputizes(runner)
    assert runner("introspect")["active"] is True
    with ada.tab.expect_request("**/api/balance") as sent:
        assert not agent.call("get_balance", runner.input("get_balance")).refused
    call_token = sent.value.headers["txn-token"]
    for token in (tokens["access_token"], tokens["refresh_token"], call_token):
        assert third.posts("/introspect", token=token) == {"active": False}
    assert runner.posts("/introspect", token=call_token) == {"active": False}  # that is for the API
    assert runner("introspect")["active"] is True
    form = {"token": tokens["refresh_token"]}
    assert third("post", path="/revoke", form=form) == [None]
    assert runner("introspect")["active"] is True
    assert ada.bank.record("grant.revoked") == []


# --- what it looks like ----------------------------------------------------------------------------------------------

LOOKS: dict[str, dict[str, Any]] = {
    "desk": {},
    "phone": {"viewport": {"width": 375, "height": 700}, "has_touch": True, "is_mobile": True},
}
SCHEMES: dict[Literal["dark", "light"], str] = {"dark": "-dark", "light": ""}
VIOLATIONS = """
  window.violations = [];
  addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
"""


@pytest.mark.parametrize("name", LOOKS)
def test_the_pages_fit_the_screen(
    bank: Bank, runner: Attested, new_tab: Callable[..., Page], pictures: Path, name: str
) -> None:
    """OAUTH-4, OAUTH-7: also where a name is as long as a name may be; and pictures of all."""
    tab = new_tab(**LOOKS[name])
    tab.add_init_script(VIOLATIONS)
    ada = Principal(bank, tab, sign_up(bank, tab, Passkeys(tab)), Human(tab))
    runner("publish", changed={"client_name": "W" * 64})
    limits = [LIMITS, {"type": "webmcp_tool", "tool": "get_balance", "hours": ["09:00", "17:00"]}]

    tab.goto(f"{bank.issuer}/device")
    picture(tab, pictures, f"device-{name}")
    login = runner.start("login", scope=ASK, details=limits)
    ada.reads(login.tells())
    picture(tab, pictures, f"authorize-{name}")
    for button in tab.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    ada.allows()
    login.tells()
    ada.goes_home()
    call = PlaywrightAgent(tab).start("transfer_money", runner.input("transfer_money", TRANSFER))
    assert "W" * 64 in ada.human.dialog().text
    picture(tab, pictures, f"attested-approval-{name}", whole=False)
    assert fits(tab, ada.human.dialog())
    ada.human.decline("mouse")
    assert call.result().code == "declined"


def picture(tab: Page, pictures: Path, name: str, whole: bool = True) -> None:
    """Take pictures, light and dark; nothing reaches beyond the right edge, nor broke the page's CSP."""
    for scheme, suffix in SCHEMES.items():
        tab.emulate_media(color_scheme=scheme)
        tab.screenshot(path=pictures / f"{name}{suffix}.png", full_page=whole)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.evaluate("violations") == []


def fits(tab: Page, dialog: Dialog) -> bool:
    """Tell whether nothing in the dialog is cut off at its side."""
    session = tab.context.new_cdp_session(tab)
    found = session.send("DOM.resolveNode", {"backendNodeId": dialog.node})["object"]["objectId"]
    asked = {
        "objectId": found,
        "returnByValue": True,
        "functionDeclaration": "function () { return this.scrollWidth <= this.clientWidth; }",
    }
    return session.send("Runtime.callFunctionOn", asked)["result"]["value"] is True
