"""The bank of the tests: its policy, the authority with its real store and keys, and those who visit it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from tests.web.agents import Client

from deputize.app import Deputize, SiteUser
from deputize.log.log import Log
from deputize.protocol.ids import GrantId
from deputize.protocol.policy import Policy
from deputize.service import grants
from deputize.service.ports import Store
from deputize.store.sqlite import SqliteStore
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page, browser_cookies

ORIGIN = "https://bank.example"
ISSUER = f"{ORIGIN}/deputize"
DATABASE = "deputize.db"
Keys = dict[str, EllipticCurvePrivateKey]
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
summary = "Send money"
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
approval = { when = { properties = { amount = { exclusiveMinimum = 100 } }, required = ["amount"] } }
describe = "Pay {{ amount }} EUR"
[tools.pay_bill.input_schema]
properties = { amount = { type = "number" }, memo = { type = "string", default = "none" } }
[tools.close_account]
scopes = ["account:admin"]
approval = "always"
authenticator_class = "cross-platform"
describe = "Close your account"
[tools.confide]
scopes = ["account:read"]
opaque = false
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


@dataclass(kw_only=True)
class Visited:
    """A bank as its visitors know it: where it is, what time it is there, and whose keys it has registered."""

    origin: str
    clock: Callable[[], float] = time.time
    keys: Keys = field(default_factory=dict)
    transport: httpx2.ASGITransport | None = None
    pages: list[Page] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def issuer(self) -> str:
        return f"{self.origin}/deputize"

    def client(self) -> httpx2.AsyncClient:
        """Make a client with its own cookies, which is closed when the bank is."""
        client = httpx2.AsyncClient(
            transport=self.transport,
            base_url=self.origin,
            cookies=browser_cookies(),
            timeout=30,
        )
        self.stack.push_async_callback(client.aclose)
        return client

    def page(self, same_browser_as: Page | None = None, **authenticator: Any) -> Page:
        """Open a browser profile, or a second page key in an existing one."""
        client = same_browser_as.http if same_browser_as else self.client()
        device = SoftAuthenticator(self.origin, **authenticator)
        page = Page(client, self.issuer, self.origin, device, self.clock)
        if same_browser_as:
            page.authenticator, page.csrf = same_browser_as.authenticator, same_browser_as.csrf
        self.pages.append(page)
        return page

    def agent(self, client_id: str) -> Client:
        """Let an agent come that the bank has registered."""
        return Client(self, client_id, self.keys[client_id])  # type: ignore[arg-type]  # more than it needs


@dataclass(kw_only=True)
class Bank(Visited):
    """A bank whose authority the test has in hand."""

    deputize: Deputize
    clock: Clock

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
        await self.deputize.store.transact(lambda tx: grants.revoke(tx, GrantId(grant_id), int(self.clock())))


def mounted(deputize: Deputize, *routes: BaseRoute) -> Starlette:
    """Build a site that mounts the authority, and has these routes besides."""
    there = [*deputize.well_known_routes(), Mount("/deputize", deputize), *routes]
    return Starlette(routes=there, lifespan=deputize.lifespan)


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / DATABASE
        SqliteStore(path).close()
        return path.read_bytes()


def found(data: Path) -> Path:
    """Put an empty database into a folder that is not there yet: making its tables takes longer than most tests."""
    if not data.exists():
        data.mkdir(mode=0o700, parents=True)
        (data / DATABASE).write_bytes(_empty())
    return data


@asynccontextmanager
async def opened(
    policy: Policy | Path,
    data: Path,
    log: Log | None = None,
    keys: Keys | None = None,
    current_user: Callable[[Any], SiteUser | None] | None = None,
    store: Store | None = None,
) -> AsyncIterator[Bank]:
    """Run a bank under this policy, in the memory of this process."""
    clock = Clock()
    if store is None:
        found(data)
    deputize = Deputize(policy, data, clock=clock, log=log, current_user=current_user, store=store)
    transport = httpx2.ASGITransport(mounted(deputize))
    origin = deputize.policy.site.origin
    bank = Bank(origin=origin, clock=clock, keys=keys or {}, transport=transport, deputize=deputize)
    async with bank.stack:
        yield bank
    await deputize.aclose()
