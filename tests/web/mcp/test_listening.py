"""The stream on which a client of 2025-11-25 hears that its user has answered (MCP-17)."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import mcp_types as types
import orjson
import pytest
from mcp.client.client import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from tests.web.agents import ERRAND
from tests.web.mcp.conftest import MODERN, Deputy, Dpop, LiveBank, answers, refused
from tests.web.mcp.test_sessions import CALL, URL, VERIFIED, session

from deputize.crypto import dpop
from deputize.protocol.grant import dead_link
from deputize.web.mcp import listening

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "BEAT", 0.05)


@pytest.fixture
async def deputy(live: LiveBank) -> Deputy:
    return await live.deputy()


async def headers(live: LiveBank, deputy: Deputy, session_id: str | None) -> dict[str, str]:
    agent, token = deputy.agent, deputy.agent.tokens["access_token"]
    proof = dpop.make(agent.private, "GET", live.url, agent.now, secrets.token_hex(8), token)
    sent = {"accept": "text/event-stream", "authorization": f"DPoP {token}", "dpop": proof}
    return sent | ({} if session_id is None else {"mcp-session-id": session_id})


@asynccontextmanager
async def listens(live: LiveBank, deputy: Deputy, session_id: str) -> AsyncIterator[AsyncIterator[str]]:
    """Open a stream, and go on when it is there."""
    async with httpx2.AsyncClient(timeout=30) as http:
        sent = await headers(live, deputy, session_id)
        async with http.stream("GET", live.url, headers=sent) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            assert await anext(lines) == ":"
            yield lines


async def heard(lines: AsyncIterator[str]) -> dict[str, Any]:
    """Return the next message."""
    async with asyncio.timeout(20):
        async for line in lines:
            if line.startswith("data: "):
                said: dict[str, Any] = orjson.loads(line.removeprefix("data: "))
                return said
    raise AssertionError("it ended")


async def asked(live: LiveBank, deputy: Deputy, session_id: str) -> dict[str, Any]:
    answer = await live.post(CALL, deputy.agent, **{"mcp-session-id": session_id})
    elicitation: dict[str, Any] = answer.json()["error"]["data"]["elicitations"][0]
    return elicitation


@pytest.mark.parametrize("yes", [True, False])
async def test_it_tells_that_a_question_is_answered_and_not_how(
    live: LiveBank, deputy: Deputy, yes: bool
) -> None:
    given = await session(live, deputy, URL)
    elicitation = await asked(live, deputy, given)
    async with listens(live, deputy, given) as lines:
        await answers(deputy.page, elicitation["url"], yes)
        assert await heard(lines) == {
            "jsonrpc": "2.0",
            "method": "notifications/elicitation/complete",
            "params": {"elicitationId": elicitation["elicitationId"]},
        }


async def began(live: LiveBank, deputy: Deputy, session_id: str) -> list[str]:
    """Open a stream, and return what it tells before anything else happens."""
    told = []
    async with listens(live, deputy, session_id) as lines, asyncio.timeout(20):
        async for line in lines:
            if line == ":":  # it begins to wait
                break
            if line.startswith("data: "):
                told.append(orjson.loads(line.removeprefix("data: "))["params"]["elicitationId"])
    return told


class TestBetweenTwoStreams:
    """What was answered while nobody listened is told when somebody does."""

    @pytest.mark.parametrize("yes", [True, False])
    async def test_an_answer_is_told_on_the_next(self, live: LiveBank, deputy: Deputy, yes: bool) -> None:
        given = await session(live, deputy, URL)
        elicitation = await asked(live, deputy, given)
        assert await began(live, deputy, given) == []  # it is open
        await answers(deputy.page, elicitation["url"], yes)
        assert await began(live, deputy, given) == [elicitation["elicitationId"]]
        live.clock.forward(listening.LATELY)
        await deputy.agent.refresh()
        assert await began(live, deputy, given) == []

    async def test_what_the_client_has_gone_on_with_it_knows(self, live: LiveBank, deputy: Deputy) -> None:
        given = await session(live, deputy, URL)
        elicitation = await asked(live, deputy, given)
        await answers(deputy.page, elicitation["url"])
        assert (await live.post(CALL, deputy.agent, **{"mcp-session-id": given})).json()["result"]
        assert await began(live, deputy, given) == []

    async def test_it_is_found_among_all_that_was_done_meanwhile(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening, "_MOST", 2)
        given = await session(live, deputy, URL)
        elicitation = await asked(live, deputy, given)
        await answers(deputy.page, elicitation["url"])
        for _ in range(3):
            assert not (await deputy.call("get_balance", {})).is_error
        assert await began(live, deputy, given) == [elicitation["elicitationId"]]

    async def test_that_its_time_ran_out_is_told(self, live: LiveBank, deputy: Deputy) -> None:
        given = await session(live, deputy, URL)
        elicitation = await asked(live, deputy, given)
        live.clock.forward(600)
        await deputy.agent.refresh()
        assert await began(live, deputy, given) == [elicitation["elicitationId"]]

    async def test_nobody_is_told_of_anothers(self, live: LiveBank, deputy: Deputy) -> None:
        """Neither of another agent, nor of this one under another grant, nor of a call that asked nobody."""
        given = await session(live, deputy, URL)
        await deputy.approved()  # with evidence: nobody was led anywhere
        async with refused("missing_evidence"):
            await deputy.call("close_account", {})  # nobody can be asked
        child = await deputy.agent.deputizes(live.agent(ERRAND))
        others = [
            Deputy(live, deputy.page, child, await live.connect(child)),
            await live.deputy(page=await live.user("Grace")),
        ]
        for other in others:
            theirs = await session(live, other, URL)
            elicitation = await asked(live, other, theirs)
            await answers(other.page, elicitation["url"])
            assert await began(live, other, theirs) == [elicitation["elicitationId"]]
        assert await began(live, deputy, given) == []


async def test_nobody_hears_of_anothers_question(
    live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def counted(lineage: Any, now: int) -> Any:
        nonlocal looks
        looks += 1
        return dead_link(lineage, now)

    monkeypatch.setattr(listening, "dead_link", counted)
    other = await live.deputy()
    theirs = await session(live, other, URL)
    given = await session(live, deputy, URL)
    async with listens(live, other, theirs) as lines:
        first = await asked(live, deputy, given)
        await answers(deputy.page, first["url"])
        own = await asked(live, other, theirs)
        seen = looks + 2  # one may have begun before
        while (
            looks < seen
        ):  # it only tells of what it has seen open; lines may have come long before they are read
            await asyncio.wait_for(anext(lines), 20)
        await answers(other.page, own["url"])
        assert (await heard(lines))["params"] == {"elicitationId": own["elicitationId"]}


async def test_it_ends_with_its_grant(live: LiveBank, deputy: Deputy) -> None:
    given = await session(live, deputy, URL)
    async with listens(live, deputy, given) as lines:
        await live.revoke(str(deputy.agent.tokens["grant_id"]))
        async with asyncio.timeout(20):
            assert [line async for line in lines if line.startswith("data")] == []


async def test_in_a_browser_it_ends_with_the_session(live: LiveBank) -> None:  # CALL-2
    page = await live.user()
    token = (await page.deputize("account:read")).json()["access_token"]

    def headers(method: str) -> dict[str, str]:
        proof = dpop.make(page.key, method, live.url, int(live.clock()), secrets.token_hex(8), token)
        accept = "application/json, text/event-stream"
        return {"accept": accept, "authorization": f"DPoP {token}", "dpop": proof}

    client = {"name": "x", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": URL, "clientInfo": client}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    opened = await page.http.post(live.url, json=message, headers=headers("POST"))
    sent = {**headers("GET"), "mcp-session-id": opened.headers["mcp-session-id"]}
    async with page.http.stream("GET", live.url, headers=sent) as answer:
        assert answer.status_code == 200
        lines = answer.aiter_lines()
        assert await anext(lines) == ":"
        assert (await page.send("POST", "/account/sign-out", page=False)).is_success
        async with asyncio.timeout(20):
            assert [line async for line in lines if line.startswith("data")] == []


async def test_the_official_client_hears_it(live: LiveBank, deputy: Deputy) -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    listening_now = asyncio.Event()

    async def on_message(message: Any) -> None:
        if isinstance(message, types.ElicitCompleteNotification):
            told.put_nowait(message.params.elicitation_id)

    async def elicits(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="cancel")

    async def on_response(response: httpx2.Response) -> None:
        if response.request.method == "GET" and response.status_code == 200:
            listening_now.set()

    elicitation = await asked(live, deputy, await session(live, deputy, URL))
    hooks = {"response": [on_response]}
    async with httpx2.AsyncClient(auth=Dpop(deputy.agent), timeout=30, event_hooks=hooks) as http:
        transport = streamable_http_client(live.url, http_client=http)
        async with McpClient(
            transport, mode="legacy", cache=None, elicitation_callback=elicits, message_handler=on_message
        ):
            await asyncio.wait_for(listening_now.wait(), 20)
            await answers(deputy.page, elicitation["url"])
            assert await asyncio.wait_for(told.get(), 20) == elicitation["elicitationId"]


class TestNobodyElse:
    @pytest.mark.parametrize("capabilities", [None, VERIFIED])
    async def test_has_anything_to_listen_for(
        self, live: LiveBank, deputy: Deputy, capabilities: Any
    ) -> None:
        given = await session(live, deputy, capabilities) if capabilities else None
        async with httpx2.AsyncClient() as http:
            answer = await http.get(live.url, headers=await headers(live, deputy, given))
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")

    async def test_comes_in_with_a_bad_session_or_without_a_token(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        given = await session(live, deputy, URL)
        async with httpx2.AsyncClient() as http:
            bad = await http.get(live.url, headers=await headers(live, deputy, "made-up"))
            nobody = await http.get(live.url, headers={"mcp-session-id": given})
            modern = await headers(live, deputy, given) | {"mcp-protocol-version": MODERN}
            newer = await http.get(live.url, headers=modern)
        assert (bad.status_code, nobody.status_code, newer.status_code) == (404, 401, 405)

    async def test_is_let_in_beyond_the_eighth(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening, "EACH", 1)
        given = await session(live, deputy, URL)
        async with listens(live, deputy, given), httpx2.AsyncClient() as http:
            answer = await http.get(live.url, headers=await headers(live, deputy, given))
        assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
