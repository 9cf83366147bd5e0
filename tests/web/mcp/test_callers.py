"""Who may send messages, and whose call it is (MCP-2, MCP-3, MCP-7)."""

import secrets
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from mcp.shared.exceptions import MCPError
from tests.web.agents import ERRAND, HELPER, new_key
from tests.web.mcp.conftest import (
    ALL,
    ANNOTATION,
    CHAIN,
    EVIDENCE,
    LEGACY,
    MODERN,
    TRANSFER,
    Deputy,
    LiveBank,
    passkey,
    refused,
)

from deputize.crypto import dpop
from deputize.protocol.canonical import args_s256
from deputize.store.snapshot import Snapshot

pytestmark = pytest.mark.anyio

LIST = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}}
PING = {"jsonrpc": "2.0", "id": 8, "method": "ping"}


def call(tool: str, arguments: Any = None, **meta: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments or {}, **({"_meta": meta} if meta else {})}
    return {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params}


NONSENSE = [  # of the methods that decide
    call("a b"),
    {**call(""), "params": {"name": 5}},
    {**call(""), "params": {}},
    {"jsonrpc": "2.0", "id": 9, "method": "approval/challenge/create"},
    {"jsonrpc": "2.0", "id": 9, "method": "approval/enroll/finish"},
]


@pytest.fixture
async def deputy(live: LiveBank) -> Deputy:
    return await live.deputy()


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["data"]["code"]


class TestConnection:
    """MCP-2."""

    async def test_a_message_without_a_token_is_401_and_says_where_to_get_one(self, live: LiveBank) -> None:
        answer = await live.post(LIST)
        assert code(answer) == (401, "invalid_token")
        assert answer.json()["id"] == 7
        challenge = answer.headers["www-authenticate"]
        url = f"{live.origin}/.well-known/oauth-protected-resource/deputize/mcp"
        scope = "account:admin account:read payments:write vault:open"
        assert challenge == f'DPoP algs="ES256", scope="{scope}", resource_metadata="{url}"'
        metadata = (await live.client().get(url)).json()
        assert metadata["resource"] == live.url
        assert " ".join(metadata["scopes_supported"]) == scope
        assert metadata["authorization_servers"] == [live.issuer]
        assert metadata["dpop_bound_access_tokens_required"] is True

    async def test_a_bound_token_is_no_bearer_token(self, live: LiveBank, deputy: Deputy) -> None:
        token = deputy.agent.tokens["access_token"]
        answer = await live.post(LIST, authorization=f"Bearer {token}")
        assert code(answer) == (401, "invalid_token")

    async def test_a_token_needs_a_proof_by_its_key_for_this_address(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        agent, token = deputy.agent, deputy.agent.tokens["access_token"]
        for proof in (
            "",
            agent.proof("/calls", token),
            agent.proof("/mcp"),
            agent.proof("/mcp", token, private=new_key()),
            agent.proof("/mcp", token + "x"),
        ):
            answer = await live.post(LIST, agent, dpop=proof)
            assert code(answer) == (401, "invalid_dpop_proof"), proof

    async def test_a_proof_is_good_for_one_message(self, live: LiveBank, deputy: Deputy) -> None:  # PROOF-2
        token = deputy.agent.tokens["access_token"]
        arguments = {"toolName": "transfer_money", "arguments": TRANSFER}
        challenge = {"jsonrpc": "2.0", "id": 1, "method": "approval/challenge/create", "params": arguments}
        begin = {"jsonrpc": "2.0", "id": 1, "method": "approval/enroll/begin"}
        for message in (LIST, PING, challenge, call("get_balance"), call("search_help"), begin):
            proof = deputy.agent.proof("/mcp", token)
            await live.post(message, deputy.agent, dpop=proof)
            assert code(await live.post(message, deputy.agent, dpop=proof)) == (401, "invalid_dpop_proof")

    async def test_an_expired_token_is_401(self, live: LiveBank, deputy: Deputy) -> None:
        live.clock.forward(300)
        assert code(await live.post(LIST, deputy.agent)) == (401, "invalid_token")
        await deputy.agent.refresh()
        assert (await live.post(LIST, deputy.agent)).status_code == 200

    @pytest.mark.parametrize("message", [LIST, PING, call("get_balance"), *NONSENSE])
    async def test_revocation_bites_at_the_next_message(
        self, live: LiveBank, deputy: Deputy, message: Any
    ) -> None:
        """GRANT-5; and it is said first, whatever else is wrong with the message (MCP-2)."""
        assert (await live.post(message, deputy.agent)).status_code == 200
        await live.revoke(deputy.agent.tokens["grant_id"])
        answer = await live.post(message, deputy.agent)
        assert code(answer) == (401, "grant_revoked")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]

    @pytest.mark.parametrize("message", [LIST, PING, call("get_balance"), call("search_help"), *NONSENSE])
    async def test_the_grant_is_read_once_for_each_message(
        self, live: LiveBank, monkeypatch: pytest.MonkeyPatch, message: Any
    ) -> None:
        agent = await live.agent(HELPER).deputized(await live.user(), ALL)
        read, lineage = [], Snapshot.lineage

        def noted(self: Snapshot, grant_id: Any) -> Any:
            read.append(grant_id)
            return lineage(self, grant_id)

        monkeypatch.setattr(Snapshot, "lineage", noted)
        await live.post(message, agent)
        assert read == [agent.tokens["grant_id"]]

    async def test_an_opaque_agent_needs_the_session_of_its_user(self, live: LiveBank) -> None:  # CALL-2
        page = await live.user()
        answer = await page.deputize("account:read")
        token = answer.json()["access_token"]

        async def post(browser: httpx2.AsyncClient) -> httpx2.Response:
            proof = dpop.make(page.key, "POST", live.url, int(live.clock()), secrets.token_hex(8), token)
            headers = {"authorization": f"DPoP {token}", "dpop": proof, "accept": "application/json"}
            return await browser.post(live.url, json=call("get_balance"), headers=headers)

        assert (await post(page.http)).json()["result"]["structuredContent"] == {"balance": 1000}
        assert code(await post(live.client())) == (401, "login_required")
        assert code(await post((await live.user("Mallory")).http)) == (403, "wrong_user")

    async def test_a_stolen_token_without_its_key_is_worth_nothing(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        thief = live.agent(ERRAND)
        thief.tokens = deputy.agent.tokens
        assert code(await live.post(LIST, thief)) == (401, "invalid_dpop_proof")


class TestDecision:
    """MCP-7: what is decided before any approval is looked at."""

    @pytest.mark.parametrize("mode", [LEGACY, MODERN])
    async def test_a_missing_scope_is_403_and_names_what_to_ask_for(self, live: LiveBank, mode: str) -> None:
        deputy = await live.deputy(mode, "account:read")
        with pytest.raises(MCPError) as caught:
            await deputy.call("transfer_money")
        assert (caught.value.code, caught.value.data["code"]) == (-32010, "insufficient_scope")

    async def test_the_step_up_says_so_in_http(self, live: LiveBank) -> None:
        deputy = await live.deputy(scope="account:read")
        params = {"toolName": "transfer_money", "arguments": TRANSFER}
        challenge = {"jsonrpc": "2.0", "id": 1, "method": "approval/challenge/create", "params": params}
        for message in (call("transfer_money", TRANSFER), challenge):
            answer = await live.post(message, deputy.agent)
            assert code(answer) == (403, "insufficient_scope")
            told = answer.headers["www-authenticate"]
            assert told.startswith('DPoP error="insufficient_scope", scope="account:read payments:write"')
            assert "resource_metadata=" in told
        assert (live.last()["kind"], live.last()["code"]) == ("call.denied", "insufficient_scope")
        await deputy.agent.deputized(deputy.page, "account:read payments:write")
        assert not (await deputy.approved()).is_error

    async def test_a_tool_that_is_listed_otherwise_now_is_403_too_and_another_consent_mends_it(
        self, live: LiveBank
    ) -> None:  # GRANT-8
        deputy = await live.deputy(scope="account:read payments:write")
        assert not (await deputy.approved()).is_error
        in_force = live.deputize._current
        policy = in_force.latest.policy
        other = replace(policy.tools["transfer_money"], summary="Send money, and tell nobody")
        changed = replace(policy, tools={**policy.tools, other.name: other})
        in_force.latest = replace(in_force.latest, policy=changed)
        answer = await live.post(call("transfer_money", TRANSFER), deputy.agent)
        assert code(answer) == (403, "consent_outdated")
        told = answer.headers["www-authenticate"]
        assert told.startswith('DPoP error="insufficient_scope", scope="account:read payments:write"')
        await deputy.agent.deputized(deputy.page, "account:read payments:write")
        assert not (await deputy.approved()).is_error

    async def test_a_scope_is_missed_before_evidence_is(self, live: LiveBank) -> None:
        deputy = await live.deputy(scope="account:read")
        answer = await live.post(
            call("transfer_money", TRANSFER, **{ANNOTATION: {"method": "x"}}), deputy.agent
        )
        assert code(answer) == (403, "insufficient_scope")

    async def test_constraints_hold_before_any_approval_is_asked(self, live: LiveBank) -> None:  # CONS-1
        limit = {"properties": {"amount": {"maximum": 100}}}
        details = [{"type": "webmcp_tool", "tool": "transfer_money", "schema": limit}]
        deputy = await live.deputy(details=details)
        with pytest.raises(MCPError) as caught:
            await deputy.challenge()
        assert (caught.value.code, caught.value.data["code"]) == (-32010, "constraint_violated")
        result = await deputy.call()
        assert result.is_error
        assert result.structured_content is not None
        assert result.structured_content["code"] == "constraint_violated"
        assert result.structured_content["correlation_id"] == live.last()["call_id"]
        assert not (await deputy.approved(arguments={"amount": 100, "name": "Ada"})).is_error

    async def test_counters_are_taken_with_the_approval(self, live: LiveBank) -> None:  # CONS-3
        details = [{"type": "webmcp_tool", "tool": "transfer_money", "max_calls": 2}]
        deputy = await live.deputy(details=details)
        for _ in range(2):
            assert not (await deputy.approved()).is_error
        evidence = deputy.evidence(await deputy.challenge())
        result = await deputy.call(evidence=evidence)
        assert result.structured_content is not None
        assert result.structured_content["code"] == "constraint_exhausted"
        assert len(live.ledger.done) == 2
        challenge = live.deputize.store.look(lambda tx: tx.challenge(evidence["challengeId"]))
        assert challenge is not None
        assert challenge.consumed_at is None  # what cannot run burns nothing

    async def test_a_failed_approval_takes_nothing_from_counters(self, live: LiveBank) -> None:
        details = [{"type": "webmcp_tool", "tool": "transfer_money", "max_calls": 1}]
        deputy = await live.deputy(details=details)
        evidence = deputy.evidence(await deputy.challenge())
        with pytest.raises(MCPError):
            await deputy.call(arguments={**TRANSFER, "amount": 1}, evidence=evidence)
        assert not (await deputy.call(evidence=evidence)).is_error

    @pytest.mark.parametrize("arguments", [{}, {"amount": -1, "name": "Ada"}, {**TRANSFER, "more": 1}])
    async def test_arguments_must_fit_the_tool(self, live: LiveBank, deputy: Deputy, arguments: Any) -> None:
        for missing in (None, {}, {"method": "webauthn"}, "x"):  # SEP-2672 §4.3: said first
            async with refused("missing_evidence"):
                await deputy.call(arguments=arguments or {"": 1}, evidence=missing)
        evidence = deputy.evidence(await deputy.challenge())
        result = await deputy.call(arguments=arguments or {"": 1}, evidence=evidence)
        assert result.structured_content is not None
        assert result.structured_content["code"] == "invalid_arguments"
        assert result.is_error

    @pytest.mark.parametrize("tool", ["no_such_tool", "not_offered", "deputize.consent", "a b", "x\x00y"])
    async def test_an_unknown_tool_is_an_error_of_mcp(
        self, live: LiveBank, deputy: Deputy, tool: str
    ) -> None:
        answer = await live.post(call(tool), deputy.agent)
        assert answer.json()["error"]["code"] == -32602
        assert answer.json()["error"]["data"]["code"] == "unknown_tool"

    async def test_a_revocation_between_challenge_and_call_stops_it(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        """APPR-5."""
        evidence = deputy.evidence(await deputy.challenge())
        await live.revoke(deputy.agent.tokens["grant_id"])
        with pytest.raises(MCPError) as caught:
            await deputy.call(evidence=evidence)
        assert caught.value.data["code"] == "grant_revoked"
        assert live.ledger.done == []


class TestInBand:
    """MCP-3: an agent's evidence in the message, over a connection that is another agent's (EVID-2)."""

    @pytest.fixture
    async def errand(self, live: LiveBank, deputy: Deputy) -> Any:
        return await live.agent(ERRAND).deputized(deputy.page, "payments:write")

    async def test_the_call_is_that_agents(self, live: LiveBank, deputy: Deputy, errand: Any) -> None:
        params = {"toolName": "transfer_money", "arguments": TRANSFER}
        meta = {EVIDENCE: errand.evidence("transfer_money", TRANSFER)}
        envelope = await deputy.send("approval/challenge/create", {**params, "_meta": meta})
        meta = {EVIDENCE: errand.evidence("transfer_money", TRANSFER)}
        result = await deputy.call(evidence=deputy.evidence(envelope), **meta)
        assert result.meta is not None
        assert result.meta[CHAIN]["agent"] == {"client_id": ERRAND, "assurance": "registered"}
        assert result.meta[CHAIN]["grant_id"] == errand.tokens["grant_id"]
        assert live.ledger.calls[-1].client_id == ERRAND

    async def test_its_grant_decides_not_the_connections(
        self, live: LiveBank, deputy: Deputy, errand: Any
    ) -> None:
        answer = await live.post(
            call("get_balance", **{EVIDENCE: errand.evidence("get_balance")}), deputy.agent
        )
        assert code(answer) == (403, "insufficient_scope")

    async def test_a_challenge_of_the_connection_is_not_its_own(
        self, live: LiveBank, deputy: Deputy, errand: Any
    ) -> None:
        evidence = deputy.evidence(await deputy.challenge())
        with pytest.raises(MCPError) as caught:
            await deputy.call(evidence=evidence, **{EVIDENCE: errand.evidence("transfer_money", TRANSFER)})
        assert caught.value.data["reason"] == "challenge_unknown"

    @pytest.mark.parametrize("nothing", [None, ""])
    async def test_nothing_is_no_evidence(self, live: LiveBank, deputy: Deputy, nothing: Any) -> None:
        answer = await live.post(call("get_balance", **{EVIDENCE: nothing}), deputy.agent)
        assert answer.json()["result"]["_meta"][CHAIN]["agent"]["client_id"] == HELPER

    @pytest.mark.parametrize("bad", ["x", "x~y", "~", 5, ["a~b"], {}, False, 0])
    async def test_bad_evidence_is_refused_never_taken_for_none(
        self, live: LiveBank, deputy: Deputy, bad: Any
    ) -> None:
        answer = await live.post(call("get_balance", **{EVIDENCE: bad}), deputy.agent)
        assert code(answer) == (401, "invalid_token")

    async def test_it_is_bound_to_tool_and_arguments_and_good_once(
        self, live: LiveBank, deputy: Deputy, errand: Any
    ) -> None:
        for evidence in (
            errand.evidence("note", {"text": "b"}),
            errand.evidence("pay_bill", {"text": "a"}),
            f"{errand.tokens['access_token']}~{errand.proof('/calls', errand.tokens['access_token'])}",
            f"{errand.tokens['access_token']}~{deputy.agent.proof('/calls', errand.tokens['access_token'])}",
        ):
            answer = await live.post(call("note", {"text": "a"}, **{EVIDENCE: evidence}), deputy.agent)
            assert code(answer) == (401, "invalid_dpop_proof")
        good = call("note", {"text": "a"}, **{EVIDENCE: errand.evidence("note", {"text": "a"})})
        assert "result" in (await live.post(good, deputy.agent)).json()
        assert code(await live.post(good, deputy.agent)) == (401, "invalid_dpop_proof")

    async def test_its_proof_is_for_the_calls_endpoint(
        self, live: LiveBank, deputy: Deputy, errand: Any
    ) -> None:
        token = errand.tokens["access_token"]
        bound = {"tool": "note", "args_s256": args_s256({})}
        evidence = f"{token}~{errand.proof('/mcp', token, **bound)}"
        answer = await live.post(call("note", **{EVIDENCE: evidence}), deputy.agent)
        assert code(answer) == (401, "invalid_dpop_proof")

    async def test_it_must_be_of_the_user_who_is_connected(self, live: LiveBank, deputy: Deputy) -> None:
        other = await live.agent(ERRAND).deputized(await live.user("Mallory"), "payments:write")
        evidence = other.evidence("note", {"text": "a"})
        answer = await live.post(call("note", {"text": "a"}, **{EVIDENCE: evidence}), deputy.agent)
        assert code(answer) == (403, "wrong_user")

    async def test_an_opaque_agent_has_none_to_give(self, live: LiveBank, deputy: Deputy) -> None:
        page = deputy.page
        token = (await page.deputize("account:read")).json()["access_token"]
        proof = page.proof("POST", "/calls", token)
        answer = await live.post(call("get_balance", **{EVIDENCE: f"{token}~{proof}"}), deputy.agent)
        assert code(answer) == (401, "invalid_token")

    async def test_a_grant_of_it_that_is_no_more_is_told_in_the_result(
        self, live: LiveBank, deputy: Deputy, errand: Any
    ) -> None:
        """Another connection would not help: the connection is fine."""
        await live.revoke(errand.tokens["grant_id"])
        answer = await live.post(call("note", **{EVIDENCE: errand.evidence("note")}), deputy.agent)
        assert answer.status_code == 200
        assert answer.json()["result"]["structuredContent"]["code"] == "grant_revoked"


async def test_cross_platform_tools_ask_the_same_of_all_who_call(live: LiveBank, deputy: Deputy) -> None:
    key = await passkey(deputy.page, "hybrid")
    envelope = await deputy.challenge("close_account", {})
    response = key.get(envelope["requestOptions"])
    evidence = {"method": "webauthn", "challengeId": envelope["challengeId"], "response": response}
    assert not (await deputy.call("close_account", {}, evidence)).is_error
