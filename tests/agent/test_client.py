"""Both clients against a site that runs, with an agent that lives at an origin of its own."""

import asyncio
import inspect
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from tests.agent.conftest import Origin, User
from tests.bank import POLICY, Bank, opened
from tests.web.agents import CALLBACK, ERRAND, HELPER, new_key, with_agents

from deputize import settings
from deputize.agent import (
    AccessDenied,
    AgentClient,
    AgentKey,
    AsyncAgentClient,
    ClientRefused,
    ConsentNeeded,
    NotDeputized,
    OAuthError,
    RequestExpired,
    TokenFile,
    Unreachable,
)
from deputize.testing.page import Page

NOTE = {"type": "webmcp_tool", "tool": "note", "max_calls": 1}


class TestBlocking:
    """`AgentClient`, over real sockets, with the clock that everybody has."""

    def test_a_login_leads_to_calls_and_outlives_the_process(
        self, issuer: str, client_id: str, key: AgentKey, user: User, tmp_path: Path
    ) -> None:
        with AgentClient(issuer, client_id, key, TokenFile(tmp_path / "tokens")) as agent:
            tokens = agent.login("account:read payments:write", [NOTE], show=user.browses)
            assert (tokens.scope, tokens.authorization_details) == ("account:read payments:write", [NOTE])
            assert user.call(agent.evidence("get_balance", {}), "get_balance").status_code == 200
            arguments = {"text": "for Ada"}
            called = user.call(agent.evidence("note", arguments), "note", arguments).json()
            assert called["agent"]["client_id"] == client_id
            arguments = {"text": "once more"}
            refused = user.call(agent.evidence("note", arguments), "note", arguments).json()
            assert refused["code"] == "constraint_exhausted"
            assert agent.introspect()["active"] is True
        with AgentClient(issuer, client_id, key, TokenFile(tmp_path / "tokens")) as agent:  # another run
            assert user.call(agent.evidence("get_balance", {}), "get_balance").status_code == 200
            assert agent.refresh().access_token != tokens.access_token
            evidence = agent.evidence("get_balance", {})
            agent.revoke()
            assert user.call(evidence, "get_balance").json()["code"] == "grant_revoked"
            with pytest.raises(NotDeputized):
                agent.evidence("get_balance", {})

    def test_a_user_who_says_no_is_access_denied(
        self, issuer: str, client_id: str, key: AgentKey, user: User
    ) -> None:
        with AgentClient(issuer, client_id, key) as agent, pytest.raises(AccessDenied):
            agent.login("account:read", show=lambda url: user.browses(url, approve=False))

    def test_a_user_who_does_not_come_back_is_not_waited_for(
        self, issuer: str, client_id: str, key: AgentKey
    ) -> None:
        with AgentClient(issuer, client_id, key) as agent, pytest.raises(RequestExpired):
            agent.login("account:read", show=lambda url: None, patience=0)

    def test_a_user_on_another_device_deputizes_it(
        self, issuer: str, client_id: str, key: AgentKey, user: User
    ) -> None:
        waited: list[float] = []
        with AgentClient(issuer, client_id, key, sleep=waited.append) as agent:
            tokens = agent.device("account:read", lambda code: user.approves(code.verification_uri_complete))
            assert tokens.scope == "account:read"
            assert 5 in waited

    @pytest.mark.parametrize("wrong_by", [-7200, 7200])
    def test_a_wrong_clock_is_set_by_the_authority(
        self, issuer: str, client_id: str, key: AgentKey, user: User, wrong_by: int
    ) -> None:
        with AgentClient(issuer, client_id, key, clock=lambda: time.time() + wrong_by) as agent:
            agent.login("account:read", show=user.browses)
            assert user.call(agent.evidence("get_balance", {}), "get_balance").status_code == 200

    def test_threads_share_one_delegation(
        self, issuer: str, client_id: str, key: AgentKey, user: User
    ) -> None:
        with AgentClient(issuer, client_id, key) as agent:
            agent.login("account:read", show=user.browses)
            with ThreadPoolExecutor(4) as pool:  # each refresh token is used once, in its turn
                list(pool.map(lambda _: agent.refresh(), range(8)))
            assert user.call(agent.evidence("get_balance", {}), "get_balance").status_code == 200

    def test_what_is_refused_has_its_code(
        self, issuer: str, client_id: str, key: AgentKey, origin: Origin
    ) -> None:
        with AgentClient(issuer, client_id, key) as agent, pytest.raises(OAuthError) as caught:
            agent.authorization_url("account:admin", "http://127.0.0.1/callback")
        assert caught.value.code == "invalid_scope"
        with AgentClient(issuer, client_id, AgentKey.generate()) as thief, pytest.raises(ClientRefused):
            thief.authorization_url("account:read", "http://127.0.0.1/callback")

    def test_an_authority_that_is_not_there_is_unreachable(self, client_id: str, key: AgentKey) -> None:
        with (
            AgentClient("http://localhost:1/d", client_id, key) as agent,
            pytest.raises(Unreachable) as caught,
        ):
            agent.discover()
        assert "http://localhost:1/.well-known/oauth-authorization-server/d" in str(caught.value)


@pytest.mark.anyio
class TestAsync:
    """`AsyncAgentClient`, against the app itself, where time is the test's."""

    @pytest.fixture
    async def bank(self, tmp_path: Path) -> AsyncIterator[Bank]:
        keys = {client_id: new_key() for client_id in (HELPER, ERRAND)}
        registered = {client_id: AgentKey(private) for client_id, private in keys.items()}
        text = with_agents(POLICY, registered)
        async with opened(settings.loads(text.encode()), tmp_path / "var", keys=keys) as bank:
            yield bank

    @pytest.fixture
    async def page(self, bank: Bank) -> Page:
        page = bank.page()
        await page.sign_up("Ada Lovelace")
        return page

    def agent(self, bank: Bank, client_id: str = HELPER) -> AsyncAgentClient:
        async def sleep(seconds: float) -> None:
            bank.clock.forward(seconds)

        key = AgentKey(bank.keys[client_id])
        return AsyncAgentClient(
            bank.issuer, client_id, key, http=bank.client(), clock=bank.clock, sleep=sleep
        )

    async def deputized(
        self, bank: Bank, page: Page, scope: str = "account:read payments:write"
    ) -> AsyncAgentClient:
        agent = self.agent(bank)
        answer = await page.authorize(await agent.authorization_url(scope, CALLBACK))
        await agent.finish(answer.json()["redirect_to"])
        return agent

    async def called(self, page: Page, agent: AsyncAgentClient, tool: str = "get_balance") -> httpx2.Response:
        evidence = await agent.evidence(tool, {})
        return await page.call_for(evidence["deputize_delegation"], tool)

    async def test_a_login_leads_to_calls(self, bank: Bank, page: Page) -> None:
        async with await self.deputized(bank, page) as agent:
            assert agent.tokens is not None
            assert (await self.called(page, agent)).status_code == 200
            assert (await agent.discover()).issuer == bank.issuer
            assert (await agent.introspect())["active"] is True
            await agent.revoke()
            assert agent.tokens is None

    async def test_a_loopback_redirect_is_collected(self, bank: Bank, page: Page) -> None:
        agent = self.agent(bank)
        tasks: list[asyncio.Task[None]] = []

        async def browse(url: str) -> None:
            target = (await page.authorize(url)).json()["redirect_to"]
            await asyncio.to_thread(httpx2.get, target)

        tokens = await agent.login(
            "account:read", show=lambda url: tasks.append(asyncio.create_task(browse(url)))
        )
        assert tokens.scope == "account:read"

    async def test_a_delegation_lives_on_while_it_is_used(self, bank: Bank, page: Page) -> None:
        agent = await self.deputized(bank, page)
        for _ in range(12):  # over the hour of the grant, in steps longer than a token lives
            assert (await self.called(page, agent)).status_code == 200
            bank.clock.forward(299)
        bank.clock.forward(12)
        with pytest.raises(ConsentNeeded):
            await agent.evidence("get_balance", {})
        with pytest.raises(NotDeputized):
            await agent.evidence("get_balance", {})

    async def test_many_calls_at_once_renew_once(self, bank: Bank, page: Page) -> None:
        agent = await self.deputized(bank, page)
        bank.clock.forward(280)
        answers = await asyncio.gather(*(self.called(page, agent) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        bank.clock.forward(280)  # had several been made, the last one kept could be an old one by now
        assert (await self.called(page, agent)).status_code == 200

    async def test_a_user_on_another_device_deputizes_it(self, bank: Bank, page: Page) -> None:
        agent = self.agent(bank)
        codes: asyncio.Queue[str] = asyncio.Queue()

        async def approve() -> None:
            await page.authorize(await codes.get())

        approving = asyncio.create_task(approve())
        tokens = await agent.device(
            "account:read", lambda code: codes.put_nowait(code.verification_uri_complete)
        )
        await approving
        assert tokens.scope == "account:read"

    async def test_a_code_that_nobody_answers_runs_out(self, bank: Bank) -> None:
        started = bank.clock()
        with pytest.raises(RequestExpired):
            await self.agent(bank).device("account:read", lambda code: None)
        assert bank.clock() - started == 600

    async def test_hands_on_to_a_sub_agent(self, bank: Bank, page: Page) -> None:  # CHAIN-1 to CHAIN-3
        parent, child = await self.deputized(bank, page), self.agent(bank, ERRAND)
        handoff = await parent.hand_on(ERRAND, AgentKey(bank.keys[ERRAND]).thumbprint, "account:read")
        tokens = await child.take_over(handoff)
        assert (tokens.scope, tokens.client_id) == ("account:read", ERRAND)
        assert (await self.called(page, child)).status_code == 200
        assert (await self.called(page, child, "note")).json()["code"] == "insufficient_scope"
        with pytest.raises(ConsentNeeded):
            await child.take_over(handoff)
        await parent.revoke()
        assert (await self.called(page, child)).json()["code"] == "grant_revoked"
        with pytest.raises(ConsentNeeded):
            await child.refresh()

    async def test_an_authority_that_is_not_there_is_unreachable(self) -> None:
        async with AsyncAgentClient("http://localhost:1/d", HELPER, AgentKey.generate()) as agent:
            with pytest.raises(Unreachable):
                await agent.discover()


def test_an_agent_brings_no_server_with_it() -> None:
    code = "import sys, deputize.agent; sys.exit(bool({'starlette', 'sqlite3', 'webauthn'} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_agent_runs_where_posix_does_not() -> None:
    code = "import sys; sys.modules['fcntl'] = None; import deputize.agent as a; a.AgentKey.generate(); a.AgentClient"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_both_clients_have_the_same_methods() -> None:
    def methods(client: type) -> dict[str, list[str]]:
        named = inspect.getmembers(client, inspect.isfunction)
        return {name: list(inspect.signature(method).parameters) for name, method in named if name[0] != "_"}

    blocking, waiting = methods(AgentClient), methods(AsyncAgentClient)
    blocking["aclose"] = blocking.pop("close")
    assert blocking == waiting
