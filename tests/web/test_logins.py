"""Users of the site's own login, over HTTP: the way there and back, and whoever tries to get between (PROTOCOL §25)."""

import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from tests.bank import ISSUER, ORIGIN, POLICY, Bank, opened
from tests.tickets import LOGIN, TicketSite, state_in

from deputize import settings
from deputize.agent import AgentKey
from deputize.app import SiteUser
from deputize.protocol.canonical import Json
from deputize.protocol.ids import UserId
from deputize.service import blocks
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

SESSION, AWAY = "__Host-deputize", "__Host-deputize-sign-in"
TOP = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "accept": "text/html"}
FROM_SITE = {**TOP, "origin": ORIGIN, "sec-fetch-site": "same-site"}


@pytest.fixture
def site() -> TicketSite:
    return TicketSite(ORIGIN, ISSUER, lambda: 0)


@pytest.fixture
async def bank(tmp_path: Path, site: TicketSite) -> AsyncIterator[Bank]:
    text = POLICY.replace("[api]", f"{site.table}[api]", 1)
    async with opened(settings.loads(text.encode()), tmp_path / "var") as bank:
        site.clock = bank.clock
        yield bank


async def leave(page: Page, return_to: str | None = None, **more: str) -> httpx2.Response:
    query = urlencode({**({"return_to": return_to} if return_to else {}), **more})
    return await page.http.get(f"{ISSUER}/account/sign-in?{query}", headers=TOP)


async def bring(page: Page, ticket: str, headers: dict[str, str] = FROM_SITE) -> httpx2.Response:
    return await page.http.post(f"{ISSUER}/account/ticket", data={"ticket": ticket}, headers=headers)


async def sign_in(page: Page, site: TicketSite, sub: str = "7", **claims: Any) -> httpx2.Response:
    return await bring(page, site.ticket(state_in(await leave(page)), sub, **claims))


async def who(page: Page) -> str | None:
    user = (await page.configure())["user"]
    return str(user["name"]) if user else None


def refused(answer: httpx2.Response, status: int, words: str) -> None:
    """It is told in words, and signs nobody in."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert words in answer.text
    assert SESSION + "=" not in answer.headers.get("set-cookie", "")


class TestLeaving:
    async def test_leads_to_the_site_with_a_state_and_a_cookie(self, bank: Bank) -> None:  # SIGNIN-1
        page = bank.page()
        answer = await leave(page)
        assert answer.status_code == 303
        there = urlsplit(answer.headers["location"])
        assert f"{there.scheme}://{there.netloc}{there.path}" == ORIGIN + LOGIN
        assert parse_qs(there.query).keys() == {"state"}
        for part in (f"{AWAY}=", "Path=/", "Secure", "HttpOnly", "SameSite=lax", "Max-Age=600"):
            assert part in answer.headers["set-cookie"]
        assert page.http.cookies[AWAY] not in answer.headers["location"]

    async def test_keeps_the_cookie_for_other_tabs_and_makes_a_state_for_each(self, bank: Bank) -> None:
        page = bank.page()
        first, cookie = state_in(await leave(page)), page.http.cookies[AWAY]
        assert state_in(await leave(page)) != first
        assert page.http.cookies[AWAY] == cookie

    @pytest.mark.parametrize("planted", ["x", "", "x" * 4000, '"quoted"', "A" * 42, "A" * 44])
    async def test_takes_no_cookie_that_it_has_not_made(self, bank: Bank, planted: str) -> None:  # SIGNIN-1
        page = bank.page()
        answer = await page.http.get(f"{ISSUER}/account/sign-in", headers={"cookie": f"{AWAY}={planted}"})
        assert answer.status_code == 303
        assert page.http.cookies[AWAY] != planted

    @pytest.mark.parametrize("dest", ["image", "iframe", "script", "empty"])
    async def test_nothing_inside_another_page_leaves(self, bank: Bank, dest: str) -> None:  # SIGNIN-1
        page = bank.page()
        answer = await page.http.get(f"{ISSUER}/account/sign-in", headers={"sec-fetch-dest": dest})
        refused(answer, 403, "Another page sent you here")
        assert AWAY not in page.http.cookies

    async def test_counts_as_a_sign_in_of_its_address(self, bank: Bank) -> None:  # QUOTA-3
        text = POLICY.replace(
            "[api]", f'{TicketSite(ORIGIN, ISSUER, bank.clock).table}[quotas]\nsign_ins = "1 in 10m"\n[api]'
        )
        assert settings.loads(text.encode()).quotas.sign_ins is not None
        bank.deputize._current.latest = _under(bank, text)
        page = bank.page()
        assert (await leave(page)).status_code == 303
        refused(await leave(page), 429, "Wait")

    @pytest.mark.parametrize("path", ["/device", f"/ask/cal_{'A' * 22}"])
    async def test_a_page_that_needs_a_user_leads_there_and_back(
        self, bank: Bank, site: TicketSite, path: str
    ) -> None:  # SIGNIN-1
        page = bank.page()
        answer = await page.http.get(ISSUER + path, headers=TOP)
        assert answer.headers["location"].startswith(f"{ISSUER}/account/sign-in?")
        left = await page.http.get(answer.headers["location"], headers=TOP)
        back = await bring(page, site.ticket(state_in(left)))
        assert (back.status_code, back.headers["location"]) == (303, ISSUER + path)

    async def test_the_account_page_is_shown_and_has_the_way_there(self, bank: Bank) -> None:
        """It has to be: a recovery link's secret is in its fragment, which a redirect would carry to the site."""
        answer = await bank.page().http.get(f"{ISSUER}/account?return_to=/deputize/device", headers=TOP)
        assert answer.status_code == 200
        assert f'href="{ISSUER}/account/sign-in?return_to=%2Fdeputize%2Fdevice"' in answer.text
        assert 'id="sign-in"' not in answer.text

    async def test_is_nowhere_without_such_a_login(self, tmp_path: Path, site: TicketSite) -> None:
        async with opened(settings.loads(POLICY.encode()), tmp_path / "none") as other:
            refused(await leave(other.page()), 404, "address")
            refused(await bring(other.page(), site.ticket("chl_x")), 404, "address")
        text = POLICY.replace("[api]", f"{site.table}[api]", 1)
        known = SiteUser("7", "Ada", 0)
        async with opened(
            settings.loads(text.encode()), tmp_path / "asked", current_user=lambda _: known
        ) as other:
            refused(await leave(other.page()), 404, "address")

    async def test_is_not_where_a_provider_would_come_back_to(self, bank: Bank) -> None:
        refused(
            await bank.page().http.get(f"{ISSUER}/account/openid?state=x&code=y", headers=TOP), 404, "address"
        )


def _under(bank: Bank, text: str) -> Any:
    """Put the bank under another policy."""
    return replace(bank.deputize.authority, policy=settings.loads(text.encode()))


class TestReturning:
    """SIGNIN-2: an address of the authority's or the site's origin, and no other."""

    @pytest.mark.parametrize(
        "wanted",
        [f"{ORIGIN}/board?x=1", "/deputize/device?user_code=BCDF-GHJK", "/", "/@evil.example", "/a//b"],
    )
    async def test_to_pages_of_the_two_origins(self, bank: Bank, site: TicketSite, wanted: str) -> None:
        page = bank.page()
        back = await bring(page, site.ticket(state_in(await leave(page, wanted))))
        assert back.headers["location"] == (wanted if wanted.startswith("https") else ORIGIN + wanted)

    @pytest.mark.parametrize(
        "wanted",
        [
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example/",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            f"{ORIGIN}.evil.example/",
            f"{ORIGIN}@evil.example/",
            f"{ORIGIN}:444/",
            f"{ORIGIN}//evil.example/",
            "javascript:alert(1)",
            " /x",
            "x",
            "",
            "/ö",
            "/deputize/account/sign-in?return_to=/deputize/account/sign-in",
            "/deputize/account/%73ign-in",
            f"{ISSUER}/account/sign-in",
        ],
    )
    async def test_and_nowhere_else(self, bank: Bank, site: TicketSite, wanted: str) -> None:
        page = bank.page()
        back = await bring(page, site.ticket(state_in(await leave(page, wanted))))
        assert back.headers["location"] == f"{ISSUER}/account"


class TestTickets:
    async def test_signs_in_whom_the_site_knows(self, bank: Bank, site: TicketSite) -> None:  # SIGNIN-3
        page = bank.page()
        answer = await sign_in(page, site)
        assert answer.status_code == 303
        for part in (f"{SESSION}=", "Path=/", "Secure", "HttpOnly", "SameSite=lax"):  # SESSION-1
            assert part in answer.headers["set-cookie"]
        assert await who(page) == "Ada Lovelace"
        told = bank.last()
        user = bank.deputize.store.look(lambda tx: tx.user_by_external_id("7"))
        assert user is not None
        assert (told["kind"], told["sub"], told["by"]) == ("user.signed_in", user.user_id, "ticket")

    async def test_the_same_id_is_the_same_user(self, bank: Bank, site: TicketSite) -> None:  # SIGNIN-3
        one, other = bank.page(), bank.page()
        await sign_in(one, site, name="Ada")
        await sign_in(other, site, name="Ada King")
        assert (await one.configure())["user"] == (await other.configure())["user"]

    @pytest.mark.parametrize(
        "headers",
        [
            {**FROM_SITE, "origin": "https://evil.example", "sec-fetch-site": "cross-site"},
            {**FROM_SITE, "origin": "https://evil.bank.example"},
            {**FROM_SITE, "origin": "null"},
            {**FROM_SITE, "sec-fetch-site": "cross-site"},
            TOP,
        ],
    )
    async def test_comes_from_a_page_of_the_site(
        self, bank: Bank, site: TicketSite, headers: dict[str, str]
    ) -> None:  # SIGNIN-2, SESSION-2
        page = bank.page()
        ticket = site.ticket(state_in(await leave(page)))
        refused(await bring(page, ticket, headers), 403, "Another page sent you here")
        assert (await bring(page, ticket)).status_code == 303  # it was not used up by that

    async def test_of_another_browser_signs_nobody_in(self, bank: Bank, site: TicketSite) -> None:
        """SIGNIN-2: or a victim would enroll a passkey in the attacker's account."""
        mallory, victim = bank.page(), bank.page()
        ticket = site.ticket(state_in(await leave(mallory)), sub="666", name="Mallory")
        refused(await bring(victim, ticket), 404, "not begun in this browser")
        await leave(victim)  # with a cookie of its own, too
        refused(await bring(victim, ticket), 404, "not begun in this browser")
        assert await who(victim) is None
        assert bank.deputize.store.look(lambda tx: tx.user_by_external_id("666")) is None

    async def test_a_cookie_that_comes_twice_is_none(self, bank: Bank, site: TicketSite) -> None:  # SESSION-1
        page = bank.page()
        ticket = site.ticket(state_in(await leave(page)))
        cookies = {"cookie": f"{AWAY}={page.http.cookies[AWAY]}; {AWAY}=theirs"}
        page.http.cookies.clear()
        refused(await bring(page, ticket, {**FROM_SITE, **cookies}), 400, "cookie")

    async def test_is_good_once(self, bank: Bank, site: TicketSite) -> None:  # SIGNIN-2
        page = bank.page()
        ticket = site.ticket(state_in(await leave(page)))
        assert (await bring(page, ticket)).status_code == 303
        refused(await bring(page, ticket), 409, "took too long, or was finished")

    async def test_a_jti_is_good_once_whatever_the_state(
        self, bank: Bank, site: TicketSite
    ) -> None:  # SIGNIN-3
        page = bank.page()
        assert (await sign_in(page, site, jti="one")).status_code == 303
        refused(await sign_in(page, site, jti="one"), 400, "took too long, or was finished")

    async def test_a_state_runs_out(self, bank: Bank, site: TicketSite) -> None:  # SIGNIN-1
        page = bank.page()
        first, second = [state_in(await leave(page)) for _ in range(2)]
        bank.clock.forward(599)
        assert (await bring(page, site.ticket(first))).status_code == 303
        bank.clock.forward(1)
        refused(await bring(page, site.ticket(second)), 409, "took too long")

    async def test_a_challenge_of_another_kind_is_no_state(self, bank: Bank, site: TicketSite) -> None:
        page = bank.page()
        await leave(page)
        for state in ("", "chl_" + "A" * 22, "x" * 4000):
            refused(await bring(page, site.ticket(state)), 404, "not begun in this browser")

    async def test_without_one_nobody_is_signed_in(self, bank: Bank) -> None:
        page = bank.page()
        await leave(page)
        for data in ({}, {"ticket": ""}, {"ticket": "x"}, {"ticket": "x" * 9000}):
            answer = await page.http.post(f"{ISSUER}/account/ticket", data=data, headers=FROM_SITE)
            assert answer.status_code == 400
        double = {"content-type": "application/x-www-form-urlencoded", **FROM_SITE}
        answer = await page.http.post(f"{ISSUER}/account/ticket", content="ticket=a&ticket=b", headers=double)
        refused(answer, 400, "cannot be shown")

    async def test_whom_the_owner_keeps_out_stays_out(self, bank: Bank, site: TicketSite) -> None:  # BLOCK-3
        page = bank.page()
        await sign_in(page, site)
        user = UserId((await page.configure())["user"]["id"])
        await bank.deputize.store.transact(lambda tx: blocks.block_user(tx, user, None, int(bank.clock())))
        refused(await sign_in(page, site), 403, "blocked")
        assert await who(page) is None


class TestSessions:
    async def test_another_user_gets_another_session(self, bank: Bank, site: TicketSite) -> None:
        """SESSION-1: what waits for the one is nothing to the other, and waits on."""
        page = bank.page()
        await sign_in(page, site, sub="7")
        ada = page.http.cookies[SESSION]
        await sign_in(page, site, sub="8", name="Grace Hopper")
        assert await who(page) == "Grace Hopper"
        old = bank.page()
        old.http.cookies.set(SESSION, ada)
        assert await who(old) is None

    async def test_what_waits_for_the_one_is_unknown_to_the_other_and_waits_on(
        self, bank: Bank, site: TicketSite
    ) -> None:  # SIGNIN-5, APPR-12
        page = bank.page()
        await sign_in(page, site, sub="7")
        page.csrf = (await page.configure())["csrf"]
        begun = (await page.send("POST", "/credentials", page=False)).json()
        made: Json = {"response": page.authenticator.create(begun["creationOptions"])}
        await page.send("POST", f"/credentials/{begun['challengeId']}", made, page=False)
        await page.send("POST", "/agents", {})
        asked = (await page.send("POST", "/grants", {"scope": "account:read"})).json()
        ask = f"{ISSUER}/ask/{asked['grant_id']}"
        assert (await page.http.get(ask, headers=TOP)).status_code == 200
        other = await leave(page, f"/deputize/ask/{asked['grant_id']}")
        back = await bring(page, site.ticket(state_in(other), sub="8", name="Grace"))
        assert (await page.http.get(back.headers["location"], headers=TOP)).status_code == 404
        await sign_in(page, site, sub="7")
        again = await page.http.get(ask, headers=TOP)
        assert (again.status_code, 'id="approve"' in again.text) == (200, True)

    async def test_it_ends_with_that_at_the_site(self, bank: Bank, site: TicketSite) -> None:  # SIGNIN-5
        page = bank.page()
        answer = await sign_in(page, site, session_expiry=int(bank.clock()) + 100)
        assert "Max-Age=100" in answer.headers["set-cookie"]
        bank.clock.forward(99)
        assert await who(page) == "Ada Lovelace"
        bank.clock.forward(1)
        assert await who(page) is None

    async def test_and_never_later_than_ours(self, bank: Bank, site: TicketSite) -> None:  # SIGNIN-5
        page = bank.page()
        await sign_in(page, site, session_expiry=int(bank.clock()) + 10**6)
        bank.clock.forward(bank.deputize.policy.session_lifetime)
        assert await who(page) is None

    async def test_one_that_has_ended_is_none(
        self, bank: Bank, site: TicketSite
    ) -> None:  # SIGNIN-5, TOKEN-5
        refused(await sign_in(bank.page(), site, session_expiry=int(bank.clock())), 400, "took too long")

    async def test_a_first_passkey_needs_a_recent_sign_in_there(self, bank: Bank, site: TicketSite) -> None:
        """CRED-2, SIGNIN-4: and the page leads to one."""
        page, hour_ago = bank.page(), int(bank.clock()) - 3600
        await sign_in(page, site, auth_time=hour_ago)
        page.csrf = (await page.configure())["csrf"]
        answer = await page.send("POST", "/credentials", page=False)
        assert answer.json()["code"] == "enrollment_not_allowed"
        account = await page.http.get(f"{ISSUER}/account", headers=TOP)
        assert f'href="{ISSUER}/account/sign-in?anew=1"' in account.text
        left = await leave(page, anew="1")
        assert "max_age=300" in left.headers["location"]
        refused(
            await bring(page, site.ticket(state_in(left), auth_time=hour_ago)),
            400,
            "asked to sign in once more",
        )
        again = await bring(page, site.ticket(state_in(await leave(page, anew="1"))))
        assert again.status_code == 303
        page.csrf = (await page.configure())["csrf"]
        assert (await page.send("POST", "/credentials", page=False)).status_code == 200

    async def test_passkeys_alone_sign_nobody_in(self, bank: Bank, site: TicketSite) -> None:  # SIGNIN-6
        page = bank.page()
        bodies: dict[str, Json] = {"/account/sign-in": {}, "/account/sign-up": {"name": "Ada"}}
        for path, body in bodies.items():
            assert (await page.send("POST", path, body, page=False)).json()["code"] == "not_found"

    async def test_unless_the_policy_lets_them(self, tmp_path: Path, site: TicketSite) -> None:  # SIGNIN-6
        table = site.table.replace("passkeys = false", "passkeys = true")
        policy = settings.loads(POLICY.replace("[api]", f"{table}[api]", 1).encode())
        async with opened(policy, tmp_path / "both") as both:
            page = both.page()
            assert (await page.sign_up()).status_code == 200
            shown = await both.page().http.get(f"{ISSUER}/account", headers=TOP)
            assert 'id="sign-in"' in shown.text
            assert f"{ISSUER}/account/sign-in" in shown.text

    async def test_signing_out_here_is_here(self, bank: Bank, site: TicketSite) -> None:  # SESSION-1
        page = bank.page()
        await sign_in(page, site)
        page.csrf = (await page.configure())["csrf"]
        assert (await page.send("POST", "/account/sign-out", page=False)).status_code == 204
        assert await who(page) is None


class TestEnds:
    """SIGNIN-7: the site tells of a sign-out, and the sessions that came from that are over."""

    async def tell(self, bank: Bank, token: str) -> httpx2.Response:
        return await bank.page().http.post(f"{ISSUER}/account/logout", data={"logout_token": token})

    async def test_of_one_session_there(self, bank: Bank, site: TicketSite) -> None:
        here, there, other = bank.page(), bank.page(), bank.page()
        for page, sid in ((here, "s1"), (there, "s2")):
            await sign_in(page, site, sid=sid)
        await sign_in(other, site, sub="8", name="Grace", sid="s3")
        assert (await self.tell(bank, site.logout(sid="s1"))).status_code == 200
        assert [await who(page) for page in (here, there, other)] == [None, "Ada Lovelace", "Grace"]

    async def test_of_all_of_a_user(self, bank: Bank, site: TicketSite) -> None:
        here, there, other = bank.page(), bank.page(), bank.page()
        for page, sub in ((here, "7"), (there, "7"), (other, "8")):
            await sign_in(page, site, sub=sub)
        assert (await self.tell(bank, site.logout(sub="7"))).status_code == 200
        assert [await who(page) is None for page in (here, there, other)] == [True, True, False]
        assert (await self.tell(bank, site.logout(sub="nobody"))).status_code == 200

    async def test_once(self, bank: Bank, site: TicketSite) -> None:
        """Whoever has seen the token does not sign the user out again."""
        page, token = bank.page(), site.logout(sub="7")
        assert (await self.tell(bank, token)).status_code == 200
        await sign_in(page, site)
        refused = await self.tell(bank, token)
        assert (refused.status_code, refused.json()["error"]) == (400, "sign_in_failed")
        assert await who(page) == "Ada Lovelace"

    async def test_by_nobody_but_the_site(self, bank: Bank, site: TicketSite) -> None:
        page = bank.page()
        answer = await leave(page)
        state = state_in(answer)
        await bring(page, site.ticket(state, sid="s1"))
        stranger = TicketSite(ORIGIN, ISSUER, bank.clock)
        for token in (
            stranger.logout(sub="7"),
            site.ticket(state, sid="s1"),  # another type
            site.logout(sub="7", aud="https://auth.other.example"),
            site.logout(sub="7", iss="https://evil.example"),
            site.logout(sub="7", iat=int(bank.clock()) - 331),
            site.logout(),
            "x",
        ):
            answer = await self.tell(bank, token)
            assert (answer.status_code, answer.json()["error"]) == (400, "sign_in_failed")
        assert (await self.tell(bank, "")).json()["error"] == "invalid_request"
        assert await who(page) == "Ada Lovelace"

    async def test_a_logout_token_signs_nobody_in(self, bank: Bank, site: TicketSite) -> None:
        page = bank.page()
        await leave(page)
        refused(await bring(page, site.logout(sub="7")), 400, "could not sign you in")


async def test_the_page_that_the_docs_show_signs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bank: Bank
) -> None:
    """The code of docs/operating.md, for a site that is at the bank's origin and has its clock."""
    text = (
        (Path(__file__).parents[2] / "docs/operating.md")
        .read_text()
        .partition("## Users of your own login")[2]
    )
    (code,) = re.findall(r"^```python\n(.*?)^```", text.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    code = code.replace("https://harbor.example", ORIGIN).replace("https://id.harbor.example", ISSUER)
    key = AgentKey.generate()
    key.save(tmp_path / "tickets.jwk")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.time", bank.clock)
    login: Any = ModuleType("harbor.login")
    login.signed_in = lambda request: SimpleNamespace(id="7", name="Ada", signed_in_at=int(bank.clock()) - 9)
    login.sign_in_page = lambda request: PlainTextResponse("Sign in")
    monkeypatch.setitem(sys.modules, "harbor", ModuleType("harbor"))
    monkeypatch.setitem(sys.modules, "harbor.login", login)
    its: dict[str, Any] = {}
    exec(code, its)  # noqa: S102  # of our own docs
    jwk = "".join(f'{name} = "{value}"\n' for name, value in key.public_jwk().items())
    policy = f'[users]\nsign_in_uri = "{ORIGIN}/login/deputize"\n[[users.keys]]\n{jwk}[api]'
    bank.deputize._current.latest = _under(bank, POLICY.replace("[api]", policy, 1))
    page = bank.page()
    left = await leave(page)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(Starlette(routes=its["routes"]))) as site:
        shown = await site.get(left.headers["location"])
        stale = await site.get(left.headers["location"] + "&max_age=8")
    assert stale.text == "Sign in"
    (action,) = re.findall('action="([^"]+)"', shown.text)
    (ticket,) = re.findall('value="([^"]+)"', shown.text)
    assert action == f"{ISSUER}/account/ticket"
    assert (await bring(page, ticket)).status_code == 303
    assert await who(page) == "Ada"
