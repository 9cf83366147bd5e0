"""MCP hosts of today: the user answers on the authority's own page, and the call is made once more (MCP-15)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError, UrlElicitationRequiredError
from tests.web.agents import ERRAND, HELPER, LOCAL
from tests.web.mcp.conftest import (
    ANNOTATION,
    CHAIN,
    LEGACY,
    MODERN,
    POLICY,
    TRANSFER,
    Deputy,
    LiveBank,
    answers,
    passkey,
    reason,
    refused,
    serving,
)
from tests.web.mcp.test_sessions import CALL, VERIFIED, session
from tests.web.mcp.test_transport import ENVELOPE

from deputize.web.mcp import holding

pytestmark = pytest.mark.anyio

BOTH = pytest.mark.parametrize("mode", [LEGACY, MODERN])
ORDER = {"name": "Ada"}
HANDLED = {"content": [{"type": "text", "text": '{"tool":"transfer_money","number":1}'}]}


@dataclass
class Host:
    """What an MCP host does with an address: it shows it to its user, who says whether he goes there."""

    action: Any = "accept"
    shown: list[types.ElicitRequestURLParams] = field(default_factory=list)
    seen: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        self.shown.append(params)
        self.seen.set()
        return types.ElicitResult(action=self.action)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
async def plain(live: LiveBank) -> Deputy:
    """Give an agent whose client has declared nothing."""
    return await live.deputy()


async def told(deputy: Deputy, tool: str = "transfer_money", arguments: Any = None) -> dict[str, Any]:
    """Call without evidence, and return what the error says."""
    with pytest.raises(MCPError) as caught:
        await deputy.call(tool, arguments)
    assert reason(caught.value) == "missing_evidence"
    assert isinstance(caught.value.data, dict)
    return {"message": str(caught.value), **caught.value.data}


def kinds(live: LiveBank, call_id: str) -> list[str]:
    return [entry["kind"] for entry in live.entries() if entry.get("call_id") == call_id]


class TestEverybody:
    """A client that has declared nothing."""

    @BOTH
    async def test_is_told_an_address_to_show_and_to_call_again(self, live: LiveBank, mode: str) -> None:
        deputy = await live.deputy(mode)
        error = await told(deputy)
        assert error["url"] == f"{live.issuer}/ask/{error['call_id']}"
        assert error["url"] in error["message"]
        assert "Show the user this address" in error["message"]
        assert "call again with the same arguments" in error["message"]
        assert live.ledger.done == []
        assert (await answers(deputy.page, error["url"])).json() == {"state": "approved"}
        result = await deputy.call()
        assert (result.is_error, result.structured_content) == (
            False,
            {"tool": "transfer_money", "number": 1},
        )
        assert live.ledger.done == [("transfer_money", TRANSFER)]
        chain = (result.meta or {})[CHAIN]
        assert (chain["call_id"], chain["state"]) == (error["call_id"], "succeeded")
        assert chain["approval"]["method"] == "webauthn"
        assert {live.entries()[index]["call_id"] for index in chain["entries"]} == {chain["call_id"]}

    async def test_hears_the_same_until_there_is_an_answer(self, live: LiveBank, plain: Deputy) -> None:
        first, size = await told(plain), len(live.entries())
        assert await told(plain) == first
        assert len(live.entries()) == size

    @pytest.mark.parametrize(
        "spelled",
        [
            b'{"name":"Ada","amount":250}',
            b'{"amount":250.0,"name":"Ada"}',
            b'{"amount":25e1,"name":"\\u0041da"}',
        ],
    )
    async def test_may_spell_the_arguments_otherwise(
        self, live: LiveBank, plain: Deputy, spelled: bytes
    ) -> None:
        error = await told(plain)
        await answers(plain.page, error["url"])
        body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"transfer_money","arguments":%s}}'
        answer = await live.post(body % spelled, plain.agent)
        assert answer.json()["result"]["_meta"][CHAIN]["call_id"] == error["call_id"]

    async def test_hears_that_the_user_declined_and_nobody_is_asked_again_at_once(
        self, live: LiveBank, plain: Deputy
    ) -> None:
        error = await told(plain)
        await answers(plain.page, error["url"], yes=False)
        for _ in range(2):
            result = await plain.call()
            assert result.is_error
            assert result.structured_content is not None
            assert result.structured_content["code"] == "declined"
            assert result.structured_content["correlation_id"] == error["call_id"]
        live.clock.forward(120)
        assert (await told(plain))["call_id"] != error["call_id"]

    async def test_hears_that_an_equal_call_was_executed_if_its_answer_was_lost(
        self, live: LiveBank, plain: Deputy
    ) -> None:
        error = await told(plain)
        await answers(plain.page, error["url"])
        await plain.call()
        result = await plain.call()
        assert (result.structured_content or {})["code"] == "already_executed"
        assert live.ledger.done == [("transfer_money", TRANSFER)]

    async def test_two_equal_calls_at_once_are_one(self, live: LiveBank, plain: Deputy) -> None:
        both = await asyncio.gather(told(plain), told(plain))
        assert both[0] == both[1]
        await answers(plain.page, both[0]["url"])
        made = await asyncio.gather(*(plain.call() for _ in range(5)))
        assert [result.is_error for result in made].count(False) == 1
        codes = {(result.structured_content or {}).get("code") for result in made if result.is_error}
        assert codes <= {"already_executed", "outcome_unknown"}
        assert live.ledger.done == [("transfer_money", TRANSFER)]

    async def test_three_people_at_once_get_what_each_has_approved(self, live: LiveBank) -> None:
        people = [await live.deputy() for _ in range(3)]
        errors = await asyncio.gather(*(told(each) for each in people))
        assert len({error["call_id"] for error in errors}) == 3
        await answers(people[0].page, errors[0]["url"])
        await answers(people[1].page, errors[1]["url"], yes=False)
        made = [await people[0].call(), await people[1].call()]
        assert [result.is_error for result in made] == [False, True]
        assert (await told(people[2]))["call_id"] == errors[2]["call_id"]
        assert [call.user.user_id for call in live.ledger.calls] == [people[0].agent.tokens["sub"]]

    async def test_what_an_endpoint_does_is_done_once(self, live: LiveBank, plain: Deputy) -> None:  # MCP-12
        error = await told(plain, "order_card", ORDER)
        await answers(plain.page, error["url"])
        result = await plain.call("order_card", ORDER)
        assert (result.is_error, result.structured_content) == (False, {"ordered": True})
        assert kinds(live, error["call_id"]) == [
            *("call.pending", "call.approved", "call.approved", "call.redeemed", "call.succeeded")
        ]
        again = await plain.call("order_card", ORDER)
        assert (again.structured_content or {})["code"] == "already_executed"
        assert live.ledger.done == [("order_card", ORDER)]

    async def test_a_handler_that_crashes_leaves_it_unknown_and_is_not_run_again(
        self, live: LiveBank, plain: Deputy
    ) -> None:
        def crash() -> None:
            raise RuntimeError("no money left")

        error = await told(plain)
        await answers(plain.page, error["url"])
        live.ledger.before = crash
        result = await plain.call()
        assert result.is_error
        assert "Nobody knows" in result.content[0].model_dump()["text"]
        live.ledger.before = None
        again = await plain.call()
        assert (again.structured_content or {})["code"] == "already_executed"
        assert live.ledger.done == []

    async def test_a_question_that_ran_out_is_asked_anew(self, live: LiveBank, plain: Deputy) -> None:
        error = await told(plain)
        live.clock.forward(600)
        shown = await plain.page.http.get(error["url"])
        assert shown.status_code == 200
        await plain.agent.deputized(plain.page)  # its token has run out as well
        assert (await told(plain))["call_id"] != error["call_id"]

    async def test_a_revoked_grant_runs_nothing(self, live: LiveBank, plain: Deputy) -> None:
        error = await told(plain)
        await answers(plain.page, error["url"])
        await live.revoke(str(plain.agent.tokens["grant_id"]))
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        params = {"name": "transfer_money", "arguments": TRANSFER}
        assert (await live.post({**call, "params": params}, plain.agent)).status_code == 401
        assert live.ledger.done == []

    async def test_a_call_with_evidence_goes_on_with_nothing(self, live: LiveBank, plain: Deputy) -> None:
        error = await told(plain)
        result = await plain.approved()
        assert (result.meta or {})[CHAIN]["call_id"] != error["call_id"]
        await answers(plain.page, error["url"])
        evidence = plain.evidence(await plain.challenge())
        assert (await plain.call(evidence=evidence)).meta != result.meta
        with_bad = plain.evidence(await plain.challenge(), method="pin")
        async with refused("unsupported_method"):
            await plain.call(evidence=with_bad)
        assert len(live.ledger.done) == 2

    async def test_what_cannot_be_asked_is_missing_its_evidence_first(
        self, live: LiveBank, plain: Deputy
    ) -> None:
        """SEP-2672 §4.3; and the model reads what is wrong."""
        error = await told(plain, "transfer_money", {"amount": -1, "name": "Ada"})
        assert "url" not in error
        assert "do not fit" in error["message"]
        error = await told(plain, "close_account", {"why": "x"})  # needs a security key, and there is none
        assert "url" not in error
        assert live.last()["code"] == "no_eligible_credential"

    async def test_arguments_of_a_tool_that_asks_nobody_are_told_in_a_result(self, plain: Deputy) -> None:
        result = await plain.call("pay_bill", {"memo": 5})
        assert (result.structured_content or {})["code"] == "invalid_arguments"

    async def test_after_three_times_no_nobody_is_asked(self, live: LiveBank, plain: Deputy) -> None:
        """PROMPT-3: these questions count as those of pages do."""
        for amount in (1, 2, 3):
            error = await told(plain, "transfer_money", {"amount": amount, "name": "Ada"})
            await answers(plain.page, error["url"], yes=False)
        result = await plain.call("transfer_money", {"amount": 4, "name": "Ada"})
        assert (result.structured_content or {})["code"] == "asked_too_often"

    async def test_one_is_answered_at_a_time_and_many_wait(self, plain: Deputy) -> None:  # PROMPT-2
        first = await told(plain, "transfer_money", {"amount": 1, "name": "Ada"})
        other = await told(plain, "transfer_money", {"amount": 2, "name": "Ada"})
        for error, status in ((first, 200), (other, 409)):
            path = error["url"].removeprefix(plain.page.issuer)
            assert (await plain.page.send("POST", f"{path}/challenge", page=False)).status_code == status

    async def test_the_account_page_has_what_waits(self, plain: Deputy) -> None:  # HIST-3
        error = await told(plain)
        account = (await plain.page.http.get(f"{plain.page.issuer}/account")).text
        assert error["call_id"] in account


class TestAddress:
    """Of the issuer, with the id, and nothing else."""

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-forwarded-host": "evil.example"},
            {"forwarded": "host=evil.example"},
            {"host": "evil.example"},
        ],
    )
    async def test_whatever_the_request_says_of_the_host(
        self, live: LiveBank, plain: Deputy, headers: dict[str, str]
    ) -> None:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        params = {"name": "transfer_money", "arguments": TRANSFER}
        answer = await live.post({**call, "params": params}, plain.agent, **headers)
        if "error" in answer.json() and "url" in answer.json()["error"].get("data", {}):
            assert answer.json()["error"]["data"]["url"].startswith(f"{live.issuer}/ask/cal_")
        assert "evil" not in answer.text

    @pytest.mark.parametrize("name", ["https://evil.example/", "../x", 'x"}', "x\ny", "transfer_money "])
    async def test_no_name_of_a_tool_gets_into_one(self, live: LiveBank, plain: Deputy, name: str) -> None:
        with pytest.raises(MCPError) as caught:
            await plain.call(name, TRANSFER)
        assert caught.value.code == -32602
        assert "url" not in (caught.value.data or {})

    async def test_no_word_of_an_agent_gets_into_it_or_into_what_is_said_of_it(
        self, live: LiveBank, host: Host
    ) -> None:
        deputy = await live.deputy(elicits=host)
        arguments = {"amount": 1, "name": "https://evil.example/ go there instead"}
        with pytest.raises(MCPError) as caught:
            await deputy.call("transfer_money", arguments)
        assert "evil" not in str(caught.value.error)

    async def test_to_anybody_else_there_is_nothing_there(self, live: LiveBank, plain: Deputy) -> None:
        url = (await told(plain))["url"]
        other = await live.user("Grace")
        assert (await other.http.get(url)).status_code == 404
        path = url.removeprefix(other.issuer)
        for verb in ("challenge", "approval", "denial"):
            body: Any = {} if verb == "denial" else None
            answer = await other.send("POST", f"{path}/{verb}", body, page=False)
            assert answer.status_code in (400, 404)
        assert (await told(plain))["url"] == url


class TestUrlOf2025:
    """-32042, as the clients of 2025-11-25 know it."""

    async def test_the_client_is_told_an_elicitation(self, live: LiveBank, host: Host) -> None:
        deputy = await live.deputy(elicits=host)
        assert deputy.client.protocol_version == "2025-11-25"
        with pytest.raises(MCPError) as caught:
            await deputy.call()
        (asked,) = UrlElicitationRequiredError.from_error(caught.value.error).elicitations
        assert asked.url == f"{live.issuer}/ask/{asked.elicitation_id}"
        assert asked.mode == "url"
        assert "Bank" in asked.message
        await answers(deputy.page, asked.url)
        result = await deputy.call()
        assert (result.is_error, (result.meta or {})[CHAIN]["call_id"]) == (False, asked.elicitation_id)
        assert live.ledger.done == [("transfer_money", TRANSFER)]

    async def test_again_and_again_it_is_the_same_one(self, live: LiveBank, host: Host) -> None:
        deputy = await live.deputy(elicits=host)
        seen = set()
        for _ in range(5):
            with pytest.raises(MCPError) as caught:
                await deputy.call()
            (asked,) = UrlElicitationRequiredError.from_error(caught.value.error).elicitations
            seen.add(asked.elicitation_id)
        assert len(seen) == 1

    async def test_what_it_says_of_its_user_is_not_looked_at(self, live: LiveBank, host: Host) -> None:
        deputy = await live.deputy(elicits=host)
        said: dict[str, Any] = {"dev.deputize/approved": True, "elicitation": {"action": "accept"}}
        with pytest.raises(MCPError) as caught:
            await deputy.call(**said)
        assert caught.value.code == -32042
        assert live.ledger.done == []

    async def test_a_client_that_says_it_is_complete_completes_nothing(
        self, live: LiveBank, host: Host
    ) -> None:
        deputy = await live.deputy(elicits=host)
        with pytest.raises(MCPError) as caught:
            await deputy.call()
        (asked,) = UrlElicitationRequiredError.from_error(caught.value.error).elicitations
        params = {"elicitationId": asked.elicitation_id}
        said = {"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": params}
        assert (await live.post(said, deputy.agent)).status_code == 202
        with pytest.raises(MCPError) as again:
            await deputy.call()
        assert again.value.error == caught.value.error
        assert live.ledger.done == []

    async def test_where_arguments_do_not_fit_it_is_told_that(self, live: LiveBank, host: Host) -> None:
        deputy = await live.deputy(elicits=host)
        result = await deputy.call("transfer_money", {"amount": -1, "name": "Ada"})
        assert (result.structured_content or {})["code"] == "invalid_arguments"

    async def test_a_declined_one_is_a_result(self, live: LiveBank, host: Host) -> None:
        deputy = await live.deputy(elicits=host)
        with pytest.raises(MCPError) as caught:
            await deputy.call()
        (asked,) = UrlElicitationRequiredError.from_error(caught.value.error).elicitations
        await answers(deputy.page, asked.url, yes=False)
        assert ((await deputy.call()).structured_content or {})["code"] == "declined"


class TestUrlOf2026:
    """The result that wants input, by which the client asks and calls again by itself."""

    async def test_the_client_shows_it_once_and_goes_on_when_it_is_approved(
        self, live: LiveBank, host: Host
    ) -> None:
        deputy = await live.deputy(MODERN, elicits=host)
        calling = asyncio.create_task(deputy.call())
        url = (await shown(host)).url
        assert url.startswith(f"{live.issuer}/ask/cal_")
        await answers(deputy.page, url)
        result = await calling
        assert (result.is_error, result.structured_content) == (
            False,
            {"tool": "transfer_money", "number": 1},
        )
        assert len(host.shown) == 1
        assert host.shown[0].elicitation_id is None  # there is none in this version
        assert live.ledger.done == [("transfer_money", TRANSFER)]

    async def test_what_the_user_declined_there_is_declined(self, live: LiveBank, host: Host) -> None:
        deputy = await live.deputy(MODERN, elicits=host)
        calling = asyncio.create_task(deputy.call())
        await answers(deputy.page, (await shown(host)).url, yes=False)
        result = await calling
        assert (result.structured_content or {})["code"] == "declined"
        assert len(host.shown) == 1

    @pytest.mark.parametrize("action", ["decline", "cancel"])
    async def test_who_does_not_go_there_has_called_it_off(
        self, live: LiveBank, host: Host, action: str
    ) -> None:
        """And has not said no: an agent could say so of anybody (PROMPT-3)."""
        host.action = action
        deputy = await live.deputy(MODERN, elicits=host)
        for amount in range(1, 5):
            result = await deputy.call("transfer_money", {"amount": amount, "name": "Ada"})
            assert (result.structured_content or {})["code"] == "cancelled"
            assert live.last()["kind"] == "call.cancelled"
        assert len(host.shown) == 4

    async def test_an_accept_approves_nothing(
        self, live: LiveBank, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(holding, "PATIENCE", 0)
        deputy = await live.deputy(MODERN, elicits=host)
        with pytest.raises(RuntimeError, match="rounds"):
            await deputy.call()
        assert len(host.shown) == 1  # and nobody is asked ten times
        assert live.ledger.done == []
        monkeypatch.undo()
        await answers(deputy.page, host.shown[0].url)
        assert not (await deputy.call()).is_error

    @pytest.mark.parametrize(
        "more",
        [
            {"requestState": "made up"},
            {"requestState": 5},
            {"inputResponses": {"approval": {"action": "accept"}}},
            {"inputResponses": {"other": {"action": "decline"}}},
            {"inputResponses": {}},
        ],
    )
    async def test_whatever_comes_back_to_us_decides_nothing(
        self, live: LiveBank, plain: Deputy, more: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(holding, "PATIENCE", 0)
        answer = await modern(live, plain, **more)
        told = answer.json()
        assert ("error" in told) or told["result"]["resultType"] == "input_required"
        assert answer.status_code < 500
        assert live.ledger.done == []

    async def test_a_client_that_declares_no_address_is_told_none(
        self, live: LiveBank, plain: Deputy
    ) -> None:
        answer = await modern(live, plain, {"elicitation": {}}, requestState="x")
        assert answer.json()["error"]["code"] == -32001

    async def test_who_goes_is_waited_for_no_longer(self, live: LiveBank, plain: Deputy) -> None:
        """2026-07-28: “The server MUST treat a client disconnect as cancellation of that request”."""
        waiting = live.deputize.authority.waiting
        held = asyncio.ensure_future(modern(live, plain, requestState="x"))
        while len(waiting) < 1:  # noqa: ASYNC110  # another thread counts
            await asyncio.sleep(0)
        held.cancel()
        async with asyncio.timeout(holding.PATIENCE / 2):
            while len(waiting):  # noqa: ASYNC110  # likewise
                await asyncio.sleep(0)
        assert live.last()["kind"] == "call.pending"

    async def test_who_finds_no_place_to_wait_is_told_at_once(
        self, live: LiveBank, plain: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # WAIT-2
        monkeypatch.setattr(live.deputize.authority.waiting, "_most", 0)
        answer = await modern(live, plain, requestState="x")
        assert answer.json()["result"]["resultType"] == "input_required"
        assert "inputRequests" not in answer.json()["result"]


async def shown(host: Host) -> types.ElicitRequestURLParams:
    """Wait until the host has shown something."""
    await asyncio.wait_for(host.seen.wait(), 20)
    return host.shown[-1]


URL: dict[str, Any] = {"elicitation": {"url": {}}}


async def modern(live: LiveBank, deputy: Deputy, capabilities: Any = URL, **more: Any) -> httpx2.Response:
    """Call without the official client."""
    meta = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": capabilities}
    params = {"name": "transfer_money", "arguments": TRANSFER, "_meta": meta, **more}
    headers = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": str(params["name"])}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return await live.post(message, deputy.agent, **headers)


class TestSurface:
    """APPR-12: where the policy takes an answer."""

    @pytest.fixture
    def paged(self, tmp_path: Path) -> Iterator[LiveBank]:
        policy = POLICY.replace("[tools.pay_bill]\n", '[tools.pay_bill]\nsurface = "page"\n')
        with serving(tmp_path, HELPER, ERRAND, policy=policy) as bank:
            yield bank

    async def test_what_is_answered_on_the_page_alone_is_asked_nowhere_else(self, paged: LiveBank) -> None:
        async with paged.stack:
            deputy = await paged.deputy()
            error = await told(deputy, "pay_bill", {"amount": 500})
            assert "url" not in error
            assert not (await deputy.approved("pay_bill", {"amount": 500})).is_error

    @pytest.fixture
    async def apart(self, tmp_path: Path) -> AsyncIterator[LiveBank]:
        """A bank whose site has another origin, and where transfers are answered on the authority's only."""
        policy = POLICY.replace("[tools.transfer_money]\n", '[tools.transfer_money]\nsurface = "authority"\n')
        site = f'origin = "http://localhost:1"\nissuer = "{LOCAL}/deputize"\n'
        policy = policy.replace('origin = "https://bank.example"\n', site, 1)
        policy = policy.replace("[api]\n", f'[api]\norigins = ["{LOCAL}"]\n', 1)
        with serving(tmp_path, HELPER, ERRAND, policy=policy) as bank:
            async with bank.stack:
                yield bank

    @BOTH
    async def test_where_no_evidence_counts_it_is_neither_asked_for_nor_taken(
        self, apart: LiveBank, mode: str
    ) -> None:
        deputy = await apart.deputy(mode)
        listed = {tool.name: tool.meta or {} for tool in (await deputy.client.list_tools()).tools}
        assert (ANNOTATION in listed["transfer_money"], ANNOTATION in listed["pay_bill"]) == (False, True)
        with pytest.raises(MCPError) as caught:
            await deputy.challenge()
        assert (caught.value.code, caught.value.data["code"]) == (-32010, "wrong_surface")
        other = await deputy.challenge("pay_bill", {"amount": 500})
        result = await deputy.call(evidence=deputy.evidence(other))
        assert (result.structured_content or {})["code"] == "wrong_surface"
        assert apart.ledger.done == []
        assert apart.last()["code"] == "wrong_surface"

    async def test_who_brings_evidence_elsewhere_is_told_an_address_there(self, apart: LiveBank) -> None:
        deputy = await apart.deputy()
        given = await session(apart, deputy, VERIFIED)
        first = (await apart.post(CALL, deputy.agent, **{"mcp-session-id": given})).json()["error"]
        newer = (await modern(apart, deputy, VERIFIED)).json()["error"]
        assert first["code"] == newer["code"] == -32001
        assert (first["data"]["reason"], first["data"]["url"]) == ("missing_evidence", newer["data"]["url"])
        assert (await answers(deputy.page, first["data"]["url"])).json() == {"state": "approved"}
        assert (await modern(apart, deputy, VERIFIED)).json()["result"]["isError"] is False
        assert apart.ledger.done == [("transfer_money", TRANSFER)]

    async def test_and_who_can_lead_there_besides_does_so(self, apart: LiveBank) -> None:
        deputy, both = await apart.deputy(), {**VERIFIED, **URL}
        given = await session(apart, deputy, both)
        first = (await apart.post(CALL, deputy.agent, **{"mcp-session-id": given})).json()["error"]
        elicitation = first["data"]["elicitations"][0]
        newer = (await modern(apart, deputy, both)).json()["result"]["inputRequests"]["approval"]
        assert (first["code"], newer["params"]["url"]) == (-32042, elicitation["url"])
        assert (await answers(deputy.page, elicitation["url"])).json() == {"state": "approved"}
        assert (await modern(apart, deputy, both)).json()["result"]["isError"] is False
        # Where evidence counts, nobody else is asked.
        with_bill = {"name": "pay_bill", "arguments": {"amount": 500}}
        bill = (await modern(apart, deputy, both, **with_bill)).json()["error"]
        assert (bill["data"]["reason"], "url" in bill["data"]) == ("missing_evidence", False)


async def test_a_sub_agent_does_not_go_on_with_what_its_parent_asked(live: LiveBank, plain: Deputy) -> None:
    """CHAIN-2: it has a grant and a key of its own."""
    error = await told(plain)
    await answers(plain.page, error["url"])
    child = await plain.agent.deputizes(live.agent(ERRAND))
    other = Deputy(live, plain.page, child, await live.connect(child))
    assert (await told(other))["call_id"] != error["call_id"]
    assert not (await plain.call()).is_error


async def test_whose_passkey_is_of_another_class_is_asked_when_there_is_one(
    live: LiveBank, plain: Deputy
) -> None:
    await passkey(plain.page, "usb")
    assert (await told(plain, "close_account", {"why": "x"}))["url"]


async def test_a_host_that_went_away_meanwhile_loses_nothing(live: LiveBank, plain: Deputy) -> None:
    """Another process of the same agent, later, with the same key."""
    error = await told(plain)
    await answers(plain.page, error["url"])
    later = Deputy(live, plain.page, plain.agent, await live.connect(plain.agent, MODERN))
    assert ((await later.call()).meta or {})[CHAIN]["call_id"] == error["call_id"]
