"""A bank in memory of this process, over the real ASGI app, store and keys; time is the test's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from tests.web.agents import ERRAND, FOURTH, HELPER, THIRD, Client, new_key, with_agents

from deputize import settings
from deputize.agent import AgentKey
from deputize.app import Deputize
from deputize.protocol.ids import GrantId
from deputize.protocol.policy import Policy
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page, browser_cookies
from deputize.web.operations import Log

ORIGIN = "https://bank.example"
ISSUER = f"{ORIGIN}/deputize"
POLICY = """
[site]
name = "Bank"
origin = "https://bank.example"
[api]
elsewhere = true
[scopes."account:read"]
title = "See your accounts"
writes = false
[scopes."payments:write"]
title = "Send money"
[scopes."account:admin"]
title = "Close accounts"
[scopes."vault:open"]
title = "Open the vault"
[tools.get_balance]
scopes = ["account:read"]
[tools.note]
scopes = ["payments:write"]
executes = "page"
[tools.transfer_money]
title = "Make a transfer"
scopes = ["payments:write"]
approval = "always"
direct = true
describe = "Send {{ '%.2f' | format(amount) }} EUR to {{ name }}"
[tools.transfer_money.input_schema]
type = "object"
required = ["amount", "name"]
additionalProperties = false
[tools.transfer_money.input_schema.properties]
amount = { title = "Amount in EUR", type = "number", exclusiveMinimum = 0 }
name = { type = "string" }
[tools.pay_bill]
scopes = ["payments:write"]
approval = { when = { type = "object", properties = { amount = { exclusiveMinimum = 100 } }, required = ["amount"] } }
describe = "Pay {{ amount }} EUR"
[tools.pay_bill.input_schema]
type = "object"
properties = { amount = { type = "number" } }
[tools.close_account]
scopes = ["account:admin"]
approval = "always"
authenticator_class = "cross-platform"
describe = "Close your account"
[tools.open_vault]
scopes = ["vault:open"]
[tools.search_help]
public = true
[agents.opaque]
scopes = ["account:read", "payments:write", "account:admin"]
"""


@dataclass
class Clock:
    """A clock that stands still until the test moves it."""

    now: float = 1_800_000_000

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@dataclass
class Bank:
    """The site under test, and pages that visit it."""

    deputize: Deputize
    http: httpx2.AsyncClient
    clock: Clock
    pages: list[Page] = field(default_factory=list)
    keys: dict[str, EllipticCurvePrivateKey] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return self.deputize.policy.site.origin

    @property
    def issuer(self) -> str:
        return self.deputize.policy.site.issuer

    def page(self, same_browser_as: Page | None = None, **authenticator: Any) -> Page:
        """Open a browser profile, or a second page key in an existing one."""
        client = same_browser_as.http if same_browser_as else self.client()
        device = SoftAuthenticator(self.origin, **authenticator)
        page = Page(client, self.issuer, self.origin, device, self.clock)
        if same_browser_as:
            page.authenticator, page.csrf = same_browser_as.authenticator, same_browser_as.csrf
        self.pages.append(page)
        return page

    def client(self) -> httpx2.AsyncClient:
        """Make a client with its own cookies."""
        transport = httpx2.ASGITransport(_mounted(self.deputize))
        return httpx2.AsyncClient(transport=transport, base_url=self.origin, cookies=browser_cookies())

    def agent(self, client_id: str) -> Client:
        """Let an agent come that the bank has registered."""
        return Client(self, client_id, self.keys[client_id])

    def entries(self) -> list[dict[str, Any]]:
        """Read the record."""
        return [
            orjson.loads(entry.leaf) for entry in self.deputize.store.look(lambda tx: tx.entries(0, 1000))
        ]

    def last(self) -> dict[str, Any]:
        """Read the newest entry."""
        return self.entries()[-1]

    async def revoke(self, grant_id: str) -> None:
        """Revoke a grant as the owner would."""
        from deputize.service import grants

        await self.deputize.store.transact(lambda tx: grants.revoke(tx, GrantId(grant_id), int(self.clock())))


def _mounted(deputize: Deputize) -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    return Starlette(routes=[*deputize.well_known_routes(), Mount("/deputize", deputize)])


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    path = tmp_path / "deputize.toml"
    path.write_text(POLICY)
    return settings.load(path)


@asynccontextmanager
async def opened(policy: Policy | Path, data: Path, log: Log | None = None) -> AsyncIterator[Bank]:
    """Run a bank under this policy."""
    clock = Clock()
    deputize = Deputize(policy, data, clock=clock, log=log)
    bank = Bank(deputize, httpx2.AsyncClient(), clock)
    yield bank
    for page in bank.pages:
        await page.http.aclose()
    await bank.http.aclose()
    await deputize.aclose()


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
    async with opened(settings.loads(text.encode()), tmp_path / "var") as bank:
        bank.keys = keys
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
