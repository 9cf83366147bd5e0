"""Who opens a page and is refused reads a page: what happened, and what can be done (SHIM-10)."""

import io
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import ASGIApp
from tests.bank import ORIGIN, POLICY, opened

from deputize import settings
from deputize.app import Deputize, SiteUser, build
from deputize.log.log import Log
from deputize.protocol.block import Block
from deputize.protocol.errors import Code, Refusal
from deputize.protocol.ids import ClientId, UserId
from deputize.protocol.policy import Policy
from deputize.protocol.quota import Quota, too_many
from deputize.service import blocks
from deputize.web.door import MAX_COOKIES, MAX_URL
from deputize.web.refusals import Dialect, Refusals
from deputize.words.catalogue import words

pytestmark = pytest.mark.anyio

PAGES = ["/deputize/account", "/deputize/device", "/deputize/authorize", "/deputize/authorize?request_uri=x"]
BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SITE_PAGE = "https://bank.example"  # of an authority that stands alone at another origin
CODES = re.compile("|".join(Code))


def alone(policy: Policy, data: Path) -> ASGIApp:
    return build(policy, data)


def mounted(policy: Policy, data: Path) -> ASGIApp:
    deputize = Deputize(policy, data)
    return Starlette(routes=[*deputize.well_known_routes(), Mount("/deputize", deputize)])


@pytest.fixture(params=[alone, mounted])
async def browser(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    app = request.param(settings.loads(POLICY.encode()), tmp_path / "var")
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url=ORIGIN, headers=BROWSER
    ) as client:
        yield client


@asynccontextmanager
async def with_login(
    policy: Policy, data: Path, current_user: Callable[[], SiteUser]
) -> AsyncIterator[tuple[Deputize, httpx2.AsyncClient]]:
    """Run a site that has a login of its own, and come with a browser."""
    deputize = Deputize(policy, data, lambda _: current_user())
    app = Starlette(routes=[*deputize.well_known_routes(), Mount("/deputize", deputize)])
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url=ORIGIN, headers=BROWSER
    ) as browser:
        yield deputize, browser
    await deputize.aclose()


def read(answer: httpx2.Response, status: int) -> str:
    """Read what a person reads: a page with all the headers of one, that says no word for programs."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "Bank" in answer.text
    assert '/deputize/account">Open your account page</a>' in answer.text
    (text,) = re.findall('<p class="card">([^<]+)</p>', answer.text)
    assert not CODES.search(text.replace(" ", "_"))
    assert "call again" not in text
    return unescape(str(text))


TWICE = {"cookie": "__Host-deputize=a; __Host-deputize=b"}
TURNED_AWAY: list[tuple[str, dict[str, str], int, str]] = [
    (
        "",
        TWICE,
        400,
        "came twice, and one of them is not ours. First check the address.",
    ),
    ("", {"cookie": "a" * (MAX_COOKIES + 1)}, 431, "Delete its cookies"),
    ("&a=" + "a" * MAX_URL, {}, 414, "Go back to where you found it"),
    ("\n", {}, 400, "check the address"),
]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("more", "headers", "status", "words"), TURNED_AWAY)
async def test_a_page_that_is_refused_is_a_page(
    browser: httpx2.AsyncClient, path: str, more: str, headers: dict[str, str], status: int, words: str
) -> None:
    if more.startswith("&"):
        path = path + more if "?" in path else f"{path}?{more[1:]}"
    elif more:
        path = path.partition("?")[0] + "%0A"
    assert words in read(await browser.get(path, headers=headers), status)


@pytest.mark.parametrize("path", PAGES)
async def test_also_to_what_does_not_say_that_it_wants_one(browser: httpx2.AsyncClient, path: str) -> None:
    assert "delete the cookies" in read(await browser.get(path, headers={**TWICE, "accept": "*/*"}), 400)


@pytest.mark.parametrize(("path", "status"), [("/deputize/acount", 404), ("/deputize/calls", 405)])
async def test_an_address_that_is_none_is_told_of_as_well(
    browser: httpx2.AsyncClient, path: str, status: int
) -> None:
    answer = await browser.get(path)
    assert "Check it" in read(answer, status)
    assert status == 404 or answer.headers["allow"] == "POST"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path", ["/deputize/tools", "/deputize/calls", "/deputize/nothing", "/deputize/token"]
)
async def test_programs_read_what_is_written_for_them(
    browser: httpx2.AsyncClient, method: str, path: str
) -> None:
    """ERR-1: whoever does not ask for HTML, and whoever does not open a page."""
    accept = "application/json" if method == "GET" else BROWSER["accept"]
    for headers in ({"accept": accept}, {"accept": accept, "cookie": "a" * (MAX_COOKIES + 1)}):
        answer = await browser.request(method, path, headers=headers)
        assert "html" not in answer.headers["content-type"]
        json.loads(answer.content)


class TestStandAlone:
    """OAUTH-12: the site's own pages can read why they were turned away, and nobody else can."""

    @pytest.fixture
    async def client(self, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
        site = f'origin = "{SITE_PAGE}"'
        issuer = 'issuer = "https://auth.bank.example/deputize"\nrp_id = "bank.example"'
        policy = settings.loads(POLICY.replace(f'origin = "{ORIGIN}"', f"{site}\n{issuer}").encode())
        transport = httpx2.ASGITransport(build(policy, tmp_path / "var"))
        async with httpx2.AsyncClient(transport=transport, base_url="https://auth.bank.example") as client:
            yield client

    @pytest.mark.parametrize("path", ["/deputize/tools", "/deputize/account", "/deputize/token", "/"])
    @pytest.mark.parametrize(("more", "headers", "status", "words"), TURNED_AWAY[1:])
    async def test_a_refusal_of_the_door_can_be_read_by_the_sites_pages(
        self,
        client: httpx2.AsyncClient,
        path: str,
        more: str,
        headers: dict[str, str],
        status: int,
        words: str,
    ) -> None:
        path += "%0A" if more == "\n" else more.replace("&", "?")
        answer = await client.get(path, headers={**headers, "origin": SITE_PAGE})
        assert answer.status_code == status
        assert answer.json()["code"]
        assert answer.headers["access-control-allow-origin"] == SITE_PAGE
        assert answer.headers["access-control-allow-credentials"] == "true"
        for origin in ("https://agent.example", "null", f"{SITE_PAGE}.evil.example"):
            answer = await client.get(path, headers={**headers, "origin": origin})
            assert answer.status_code == status
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", [*PAGES[:3], "/deputize/device?user_code=BCDF-GHJK"])
async def test_block_3_who_is_kept_out_reads_so_on_each_page(tmp_path: Path, path: str) -> None:
    bearer = '[agents.origin]\nallow = ["https://app.example"]\n[mcp]\nbearer = true\n'
    policy = settings.loads((POLICY + bearer).encode())
    async with with_login(policy, tmp_path / "var", lambda: SiteUser("ada", "Ada", 0)) as (deputize, browser):
        await browser.get("/deputize/account")
        now = deputize.authority.now()
        (user,) = deputize.store.look(lambda tx: tx.users())
        await deputize.store.transact(lambda tx: blocks.block_user(tx, user.user_id, now + 60, now))
        assert "blocked" in read(await browser.get(path), 403)


class TestOurOwnFault:
    """Pages that cannot be made say that it is not their reader's fault, and nothing that may be untrue."""

    async def test_an_unforeseen_error_is_a_page(self, tmp_path: Path, policy: Policy) -> None:
        def fails() -> SiteUser:
            raise RuntimeError("secret")

        async with with_login(policy, tmp_path / "var", fails) as (_, browser):
            for path in ("/deputize/account", "/deputize/device"):
                answer = await browser.get(path)
                assert "It is this site’s fault" in read(answer, 500)
                assert "secret" not in answer.text

    async def test_a_record_that_cannot_be_written_is_a_page(self, tmp_path: Path, policy: Policy) -> None:
        async with opened(policy, tmp_path / "var") as bank:
            ada = bank.page()
            await ada.sign_up()
            (tmp_path / "var" / "deputize.db").rename(tmp_path / "elsewhere.db")
            url = "/deputize/device?user_code=BCDF-GHJK"
            first, second = [await ada.http.get(url, headers=BROWSER) for _ in range(2)]
            assert "It is not known whether this site wrote down" in read(first, 409)  # READY-3
            assert "it has done nothing. Open this page again" in read(second, 503)


class TestItsWords:
    """SHIM-10: those of the refusal itself, else of its code, else of any."""

    def read(self, refusal: Refusal, policy: Policy) -> str:
        request = Request({"type": "http", "headers": [], "method": "GET", "path": "/"})
        refusals = Refusals(lambda: policy, Log(io.BytesIO()))
        answer = refusals.answer(refusal, Dialect.PAGE, request)
        assert answer.status_code == refusal.code.status
        assert answer.headers.get("retry-after") == ("60" if "retry_after" in refusal.facts else None)
        (text,) = re.findall('<p class="card">(.+)</p>', bytes(answer.body).decode())
        return unescape(re.sub("</?bdi>", "", str(text)))

    def test_tell_who_has_blocked_an_agent(self, policy: Policy) -> None:  # BLOCK-1, BLOCK-2
        ada, helper = UserId("usr_ada"), ClientId("agt_helper")
        assert "You have blocked this agent" in self.read(Block(ada, helper, 0).refusal(), policy)
        assert "This site has blocked this agent" in self.read(Block(None, helper, 0).refusal(), policy)

    def test_tell_of_what_there_was_too_much(self, policy: Policy) -> None:  # QUOTA-1
        said = {quota: self.read(too_many(quota, 60), policy) for quota in Quota}
        assert said.pop(Quota.PENDING_CONSENTS).startswith("Too many requests of agents wait")
        assert said.pop(Quota.WRONG_CODES).startswith("Too many wrong codes")
        assert {text.partition(".")[0] for text in said.values()} == {"This was asked for too often"}

    def test_are_there_for_every_code(self, policy: Policy) -> None:
        for code in Code:
            assert self.read(Refusal(code, "Not for people."), policy) != "Not for people."

    def test_are_all_said_of_something(self) -> None:
        named = {each.replace("_", "-") for each in (*Code, *Quota)} | {
            "bad-filter",
            "blocked-by-you",
            "gone",
            "not-anew",
            "sign-in-declined",
            "sign-in-elsewhere",
            "sign-in-over",
        }
        told = [name for name in words("en").variables if name.startswith("refused-page-")]
        assert {name.partition(".")[0].removeprefix("refused-page-") for name in told} <= named
