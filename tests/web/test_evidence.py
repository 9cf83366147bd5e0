"""Calls of attested agents: evidence in the input, and the limits of what users allowed (EVID-1 to EVID-3, CONS-3)."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.bank import Bank
from tests.web.agents import ALL, HELPER, Client, error, new_key

from deputize.protocol.canonical import args_s256
from deputize.protocol.prompt import Prompts
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

NOTE: dict[str, Any] = {"type": "webmcp_tool", "tool": "note"}
PAY: dict[str, Any] = {"type": "webmcp_tool", "tool": "transfer_money"}
BALANCE: Any = {"tool": "get_balance", "arguments": {}, "definition_s256": args_s256({"name": "get_balance"})}
TO_ADA = {"amount": 30, "name": "Ada"}


@pytest.fixture
async def agent(ada: Page, helper: Client) -> Client:
    """Give an agent that Ada has deputized."""
    return await helper.deputized(ada)


class TestEvidence:
    async def test_makes_the_call_that_agents(self, local: Bank, ada: Page, agent: Client) -> None:  # EVID-3
        called = await agent.call(ada, "get_balance")
        assert called.status_code == 200
        assert called.json()["agent"] == {"client_id": HELPER, "assurance": "registered"}
        assert local.last()["client_id"] == HELPER

    @pytest.mark.parametrize(
        "changed",
        [
            {"tool": None},
            {"args_s256": None},
            {"tool": None, "args_s256": None},
            {"tool": "note"},
            {"tool": ""},
            {"args_s256": args_s256({"account": 2})},
            {"args_s256": ""},
        ],
        ids=str,
    )
    async def test_for_another_call_is_none(self, ada: Page, agent: Client, changed: dict[str, Any]) -> None:
        refused = await agent.call(ada, "get_balance", {"account": 1}, **changed)  # EVID-2
        assert (refused.status_code, error(refused)) == (401, "invalid_dpop_proof")

    async def test_is_good_once(self, ada: Page, agent: Client) -> None:  # EVID-2, PROOF-2
        evidence = agent.evidence("get_balance")
        assert (await ada.call_for(evidence, "get_balance")).status_code == 200
        assert error(await ada.call_for(evidence, "get_balance")) == "invalid_dpop_proof"

    async def test_copied_to_another_tab_meets_nothing(self, local: Bank, ada: Page, agent: Client) -> None:
        arguments = {"amount": 1}
        evidence = agent.evidence("note", arguments)
        called = (await ada.call_for(evidence, "note", arguments)).json()
        tab = local.page(same_browser_as=ada)
        assert error(await tab.call_for(evidence, "note", arguments)) == "invalid_dpop_proof"
        assert error(await tab.send("GET", f"/calls/{called['call_id']}")) == "call_unknown"  # EVID-3, CALL-2
        body = {"call_token": called["call_token"]}
        assert error(await tab.send("POST", f"/calls/{called['call_id']}/redemption", body)) == "call_unknown"

    @pytest.mark.parametrize(("waited", "status"), [(30, 200), (31, 401)])
    async def test_is_good_for_30_seconds(
        self, local: Bank, ada: Page, agent: Client, waited: int, status: int
    ) -> None:
        evidence = agent.evidence("get_balance")
        local.clock.forward(waited)
        assert (await ada.call_for(evidence, "get_balance")).status_code == status

    async def test_without_the_pages_proof_is_nothing(self, ada: Page, agent: Client) -> None:  # EVID-1
        token, _, proof = agent.evidence("get_balance").partition("~")
        headers = {"authorization": f"DPoP {token}", "dpop": proof}
        refused = await ada.send("POST", "/calls", BALANCE, headers, page=False)
        assert error(refused) == "invalid_dpop_proof"

    async def test_the_agents_proof_is_not_the_pages(self, ada: Page, agent: Client) -> None:
        token, _, proof = agent.evidence("get_balance").partition("~")
        headers = {"authorization": f"DPoP {token}", "dpop": proof, "deputize-page": proof}
        assert error(await ada.send("POST", "/calls", BALANCE, headers)) == "invalid_dpop_proof"

    async def test_by_another_key_than_the_tokens_is_none(self, ada: Page, agent: Client) -> None:
        token = agent.tokens["access_token"]
        bound = {"tool": "get_balance", "args_s256": args_s256({})}
        proof = agent.proof("/calls", token, new_key(), **bound)
        assert error(await ada.call_for(f"{token}~{proof}", "get_balance")) == "invalid_dpop_proof"

    async def test_for_another_place_is_none(self, ada: Page, agent: Client) -> None:
        token = agent.tokens["access_token"]
        bound = {"tool": "get_balance", "args_s256": args_s256({})}
        for path in ("/token", "/calls/x", "/par"):
            proof = agent.proof(path, token, **bound)
            assert error(await ada.call_for(f"{token}~{proof}", "get_balance")) == "invalid_dpop_proof"

    async def test_without_ath_or_for_another_token_is_none(self, ada: Page, agent: Client) -> None:
        old = agent.tokens["access_token"]
        await agent.refresh()
        bound = {"tool": "get_balance", "args_s256": args_s256({})}
        for proof in (agent.proof("/calls", None, **bound), agent.proof("/calls", old, **bound)):
            evidence = f"{agent.tokens['access_token']}~{proof}"
            assert error(await ada.call_for(evidence, "get_balance")) == "invalid_dpop_proof"

    @pytest.mark.parametrize("evidence", ["~", "x~y", "token", "~~", "x~"])
    async def test_that_is_nonsense_is_refused_and_never_none(
        self, ada: Page, agent: Client, evidence: str
    ) -> None:
        await ada.deputize("account:read")  # there is an opaque agent that could
        assert error(await ada.call_for(evidence, "get_balance")) in ("invalid_token", "invalid_dpop_proof")

    async def test_is_of_the_user_who_is_signed_in(self, local: Bank, ada: Page, agent: Client) -> None:
        eve = local.page()
        assert error(await agent.call(eve, "get_balance")) == "login_required"
        await eve.sign_up("Eve")
        refused = await agent.call(eve, "get_balance")  # EVID-3
        assert (refused.status_code, error(refused)) == (403, "wrong_user")

    async def test_a_token_of_an_attested_agent_cannot_come_as_the_pages_own(
        self, ada: Page, agent: Client
    ) -> None:
        ada.tokens, ada.key = dict(agent.tokens), agent.private
        assert error(await ada.call("get_balance")) == "invalid_dpop_proof"

    async def test_a_token_of_a_page_cannot_come_as_evidence(self, ada: Page, agent: Client) -> None:
        await ada.deputize("account:read")
        agent.tokens = dict(ada.tokens)
        assert error(await agent.call(ada, "get_balance")) == "invalid_dpop_proof"

    async def test_opens_a_tool_that_is_closed_to_opaque_agents(
        self, ada: Page, agent: Client
    ) -> None:  # AGENT-3
        await ada.deputize(ALL)
        refused = await ada.call("confide")
        assert (error(refused), refused.json()["assurance"]) == ("agent_not_allowed", "opaque")
        assert (await agent.call(ada, "confide")).status_code == 200

    async def test_the_policy_is_the_ceiling_whatever_was_granted(
        self, local: Bank, ada: Page, agent: Client
    ) -> None:  # AGENT-2
        assert error(await agent.call(ada, "close_account")) == "agent_not_allowed"
        assert error(await agent.call(ada, "open_vault")) == "agent_not_allowed"


class TestCounters:
    """What was allowed in number or in sum (CONS-3)."""

    async def test_allow_so_many_calls_and_no_more(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada, ALL, [{**NOTE, "max_calls": 2}])
        codes = [error(await helper.call(ada, "note", {"n": n})) for n in range(3)]
        assert codes == [None, None, "constraint_exhausted"]
        assert (await helper.call(ada, "get_balance")).status_code == 200  # other tools are not meant

    @pytest.mark.parametrize("limit", [1, 3])
    async def test_racing_calls_cannot_overdraw(self, ada: Page, helper: Client, limit: int) -> None:
        await helper.deputized(ada, ALL, [{**NOTE, "max_calls": limit}])
        answers = await asyncio.gather(*(helper.call(ada, "note", {"n": n}) for n in range(8)))
        assert [answer.status_code for answer in answers].count(200) == limit
        assert {error(answer) for answer in answers} == {None, "constraint_exhausted"}

    async def test_racing_sums_cannot_overdraw(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada, ALL, [{**NOTE, "sum": {"/amount": 1}}])
        amounts = [0.3, 0.30000001, 0.3, 0.4, 0.4]
        answers = await asyncio.gather(
            *(helper.call(ada, "note", {"amount": amount, "n": n}) for n, amount in enumerate(amounts))
        )
        passed = [a for a, answer in zip(amounts, answers, strict=True) if answer.status_code == 200]
        assert 0.6 <= sum(passed) <= 1

    async def test_is_taken_when_a_call_is_approved_and_not_before(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada, ALL, [{**PAY, "sum": {"/amount": 50}}])
        asked = [
            await helper.call(ada, "transfer_money", {**TO_ADA, "amount": amount}) for amount in (30, 40)
        ]
        assert [answer.status_code for answer in asked] == [202, 202]
        paths = [f"/calls/{answer.json()['call_id']}" for answer in asked]
        assert (await ada.confirm(paths[0])).status_code == 200
        assert error(await ada.confirm(paths[1])) == "constraint_exhausted"
        assert (
            error(await helper.call(ada, "transfer_money", {**TO_ADA, "amount": 20.01}))
            == "constraint_exhausted"
        )
        assert (await helper.call(ada, "transfer_money", {**TO_ADA, "amount": 20})).status_code == 202

    async def test_two_racing_approvals_cannot_overdraw(self, local: Bank, ada: Page, helper: Client) -> None:
        authority = local.deputize.authority
        authority.policy = replace(authority.policy, prompts=Prompts(at_once=2))
        await helper.deputized(ada, ALL, [{**PAY, "sum": {"/amount": 50}}])
        asked = [
            await helper.call(ada, "transfer_money", {**TO_ADA, "amount": amount}) for amount in (30, 31)
        ]
        paths = [f"/calls/{answer.json()['call_id']}" for answer in asked]
        evidence = [ada.evidence((await ada.send("POST", f"{path}/challenge")).json()) for path in paths]
        answers = await asyncio.gather(
            *(ada.send("POST", f"{path}/approval", body) for path, body in zip(paths, evidence, strict=True))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 403]

    async def test_a_call_that_is_resumed_is_taken_once(self, ada: Page, helper: Client) -> None:  # CALL-6
        await helper.deputized(ada, ALL, [{**NOTE, "max_calls": 1}])
        first = (await helper.call(ada, "note", {"n": 1})).json()
        again = (await helper.call(ada, "note", {"n": 1})).json()
        assert (again["call_id"], again["state"]) == (first["call_id"], "approved")

    async def test_what_was_taken_is_not_given_back(self, local: Bank, ada: Page, helper: Client) -> None:
        await helper.deputized(ada, ALL, [{**NOTE, "max_calls": 1}])
        first = (await helper.call(ada, "note", {"n": 1})).json()
        ended = await ada.send("POST", f"/calls/{first['call_id']}/denial", {"reason": "cancelled"})
        assert ended.json()["state"] == "cancelled"
        assert error(await helper.call(ada, "note", {"n": 1})) == "constraint_exhausted"

    async def test_renewing_gives_nothing_back(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada, ALL, [{**NOTE, "max_calls": 1}])
        await helper.call(ada, "note", {"n": 1})
        await helper.refresh()
        assert error(await helper.call(ada, "note", {"n": 2})) == "constraint_exhausted"

    @pytest.mark.parametrize("amount", [-1, -0.01, "5", None, True, [], 1e10])
    async def test_only_an_amount_can_be_summed(self, ada: Page, helper: Client, amount: Any) -> None:
        await helper.deputized(ada, ALL, [{**NOTE, "sum": {"/amount": 10}}])
        assert error(await helper.call(ada, "note", {"amount": amount})) == "constraint_violated"
        assert error(await helper.call(ada, "note", {})) == "constraint_violated"
        assert (await helper.call(ada, "note", {"amount": 10})).status_code == 200

    async def test_other_limits_hold_as_well(self, local: Bank, ada: Page, helper: Client) -> None:  # CONS-1
        small = {"properties": {"amount": {"maximum": 5}}, "required": ["amount"]}
        until = helper.now + 100
        await helper.deputized(ada, ALL, [{**NOTE, "schema": small}, {**NOTE, "not_after": until}])
        assert (await helper.call(ada, "note", {"amount": 5})).status_code == 200
        assert error(await helper.call(ada, "note", {"amount": 6})) == "constraint_violated"
        local.clock.forward(100)
        assert error(await helper.call(ada, "note", {"amount": 5})) == "constraint_violated"

    async def test_what_was_asked_in_time_is_not_approved_after_it(
        self, local: Bank, ada: Page, helper: Client
    ) -> None:  # CONS-5
        await helper.deputized(ada, ALL, [{**PAY, "not_after": helper.now + 100}])
        call = (await helper.call(ada, "transfer_money", TO_ADA)).json()
        local.clock.forward(50)
        minted = (await ada.send("POST", f"/calls/{call['call_id']}/challenge")).json()
        local.clock.forward(50)
        late = await ada.send("POST", f"/calls/{call['call_id']}/approval", ada.evidence(minted))
        assert error(late) == "constraint_violated"
        assert (local.last()["kind"], local.last()["code"]) == ("call.denied", "constraint_violated")

    async def test_what_was_allowed_in_time_does_not_run_after_it(
        self, local: Bank, ada: Page, helper: Client
    ) -> None:  # CONS-5
        await helper.deputized(ada, ALL, [{**NOTE, "not_after": helper.now + 10}])
        call = (await helper.call(ada, "note")).json()
        local.clock.forward(10)
        token = {"call_token": call["call_token"]}
        late = await ada.send("POST", f"/calls/{call['call_id']}/redemption", token)
        assert error(late) == "constraint_violated"
        assert (local.last()["kind"], local.last()["code"]) == ("call.denied", "constraint_violated")
