"""How many bytes of the database a call takes for good: `python -m bench.room`."""

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import httpx2
from starlette.applications import Starlette
from starlette.routing import Mount

from deputize.agent import AgentKey
from deputize.app import Deputize
from deputize.authority.housekeeping import KEPT_AFTER, until_done
from deputize.protocol.call import State
from deputize.protocol.canonical import Json
from deputize.service import trails
from deputize.service.calls import redemptions
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page, browser_cookies

from .site import SCOPES, Bank

CALLS = 2000
ORIGIN, ISSUER = "https://bank.example", "https://bank.example/deputize"
TRANSFER: dict[str, Json] = {"iban": "DE89370400440532013000", "name": "Ada Lovelace"}


class Clock:
    """A clock that the calls move on."""

    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


async def main() -> None:
    """Measure, and print."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        key = AgentKey.generate()
        jwk = key.public_jwk()
        bank = Bank(Path(folder), key.thumbprint, str(jwk["x"]), str(jwk["y"]))
        deputize = bank.authority(ORIGIN, clock)
        http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(Starlette(routes=[Mount("/deputize", deputize)])),
            base_url=ORIGIN,
            cookies=browser_cookies(),
        )
        page = Page(http, ISSUER, ORIGIN, SoftAuthenticator(ORIGIN), clock)
        database = Path(folder) / "data" / "deputize.db"
        await page.sign_up()
        await measure(deputize, page, clock, database, "get_balance", False)
        await measure(deputize, page, clock, database, "transfer_money", True)
        await http.aclose()
        await deputize.aclose()


async def measure(
    site: Deputize, page: Page, clock: Clock, database: Path, tool: str, needs_approval: bool
) -> None:
    """Make calls over a while; what a sweep takes away again does not count."""
    before = await used(site, clock, database)
    for number in range(CALLS):
        if number % 100 == 0:  # a delegation lasts five minutes
            assert (await page.deputize(SCOPES)).status_code == 200
        await call(site, page, tool, number, needs_approval)
        clock.now += 1
    print(f"{tool}: {(await used(site, clock, database) - before) / CALLS:.0f} bytes a call")


async def call(site: Deputize, page: Page, tool: str, number: int, needs_approval: bool) -> None:
    """Make one call and, where it needs an approval, give that, redeem it, and report what became of it."""
    arguments: dict[str, Json] = {**TRANSFER, "amount": number + 1} if needs_approval else {}
    answer = await page.call(tool, arguments)
    if needs_approval:
        answer = await page.confirm(f"/calls/{answer.json()['call_id']}")
    assert answer.status_code == 200, answer.text
    authority = site.authority
    token = authority.read_call_token(answer.json()["call_token"], authority.now())
    if needs_approval:
        at = authority.moment()
        await site.store.transact(lambda tx: redemptions.redeem(tx, at, None, token, token.args_s256))
        await site.store.transact(lambda tx: redemptions.note(tx, at, token.call_id, State.SUCCEEDED))


async def used(site: Deputize, clock: Clock, database: Path) -> int:
    """Sweep and index, some time later, and count the bytes of all pages that hold something."""
    clock.now += 2 * KEPT_AFTER
    await site.sweep(int(clock.now), int(clock.now))
    await until_done(site.store, trails.step)
    with closing(sqlite3.connect(database)) as connection:
        (pages,), (free,), (size,) = (
            connection.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


if __name__ == "__main__":
    asyncio.run(main())
