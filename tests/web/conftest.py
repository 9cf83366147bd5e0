"""Banks in the memory of this process, and who visits them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bank import POLICY, Bank, opened
from tests.web.agents import ERRAND, FOURTH, HELPER, THIRD, Client, new_key, with_agents

from deputize import settings
from deputize.agent import AgentKey
from deputize.protocol.policy import Policy
from deputize.testing.page import Page


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    path = tmp_path / "deputize.toml"
    path.write_text(POLICY)
    return settings.load(path)


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


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Bank]:
    """Run a bank on this machine that has registered four agents, and a key for its API."""
    keys = {client_id: new_key() for client_id in (HELPER, ERRAND, THIRD, FOURTH, "api")}
    registered = {client_id: AgentKey(key) for client_id, key in keys.items()}
    text = with_agents(POLICY, registered, api=registered.pop("api"))
    async with opened(settings.loads(text.encode()), tmp_path / "var", keys=keys) as bank:
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
