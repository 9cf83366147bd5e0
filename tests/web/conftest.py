"""Banks in the memory of this process, and who visits them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bank import POLICY, Bank, Keys, opened
from tests.tickets import users_table
from tests.web.agents import ERRAND, FOURTH, HELPER, LOCAL, THIRD, Client, new_key, with_agents

from deputize import settings
from deputize.agent import AgentKey
from deputize.protocol.policy import Policy
from deputize.testing.page import Page


@pytest.fixture(scope="session")
def policy() -> Policy:
    return settings.loads(POLICY.encode())


@pytest.fixture
async def bank(tmp_path: Path, policy: Policy) -> AsyncIterator[Bank]:
    async with opened(policy, tmp_path / "var") as bank:
        yield bank


@pytest.fixture
async def grace(bank: Bank) -> Page:
    """Give a user who is signed in and has deputized the agent in her browser for reading and paying."""
    page = bank.page()
    assert (await page.sign_up()).status_code == 200
    answer = await page.deputize("account:read payments:write")
    assert answer.status_code == 200, answer.text
    return page


@pytest.fixture(scope="session")
def registered() -> tuple[Policy, Keys]:
    """Register four agents, and a key for the API, under the policy of a bank on this machine."""
    keys = {client_id: new_key() for client_id in (HELPER, ERRAND, THIRD, FOURTH, "api")}
    agents = {client_id: AgentKey(key) for client_id, key in keys.items()}
    text = with_agents(POLICY, agents, api=agents.pop("api"))
    keys["site"] = new_key()
    text += users_table(LOCAL, (keys["site"], "site"), passkeys=True)
    return settings.loads(text.encode()), keys


@pytest.fixture
async def local(tmp_path: Path, registered: tuple[Policy, Keys]) -> AsyncIterator[Bank]:
    """Run a bank on this machine that has registered four agents, and a key for its API."""
    policy, keys = registered
    async with opened(policy, tmp_path / "var", keys=dict(keys)) as bank:
        yield bank


@pytest.fixture
async def ada(local: Bank) -> Page:
    """Give a user who is signed in at the local bank."""
    page = local.page()
    assert (await page.sign_up("Ada Lovelace")).status_code == 200
    return page


@pytest.fixture
def helper(local: Bank) -> Client:
    """Give an agent that the local bank has registered."""
    return local.agent(HELPER)


@pytest.fixture
def errand(local: Bank) -> Client:
    """Give another one."""
    return local.agent(ERRAND)
