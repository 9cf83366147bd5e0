"""Nothing small stops it: each quota refuses what is beyond it, and nothing else (QUOTA-1 to QUOTA-4)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.bank import POLICY, Bank, opened
from tests.web.agents import ERRAND, HELPER, Client, error, new_key, with_agents

from deputize import settings
from deputize.agent import AgentKey
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

SMALL = """
[quotas]
sign_ups = "3 in 1m"
sign_ins = "2 in 1m"
pushed_requests = "3 in 1m"
device_codes = "3 in 1m"
pending_consents = 2
pending_calls = 2
refused_calls = "3 in 1m"
entries = "{entries}"
"""
HERE = '[site]\ntrusted_proxies = ["127.0.0.1", "10.0.0.0/8"]'


@asynccontextmanager
async def small(tmp_path: Path, entries: str = "1000 in 1m") -> AsyncIterator[Bank]:
    """Run a bank that takes little, and knows two agents."""
    keys = {client_id: new_key() for client_id in (HELPER, ERRAND)}
    text = with_agents(POLICY, {client_id: AgentKey(key) for client_id, key in keys.items()})
    text = text.replace("[site]", HERE, 1) + SMALL.format(entries=entries)
    async with opened(settings.loads(text.encode()), tmp_path / "var") as bank:
        bank.keys = keys
        yield bank


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    async with small(tmp_path) as bank:
        yield bank


async def user(bank: Bank, address: str, name: str = "Grace") -> Page:
    """Sign up from an address."""
    page = page_at(bank, address)
    assert (await page.sign_up(name)).status_code == 200
    return page


def page_at(bank: Bank, address: str, **headers: str) -> Page:
    assert bank.transport is not None
    page = replace(bank, transport=httpx2.ASGITransport(bank.transport.app, client=(address, 4711))).page()
    page.http.headers.update(headers)
    return page


def agent_at(bank: Bank, address: str, client_id: str = HELPER) -> Client:
    agent = bank.agent(client_id)
    agent.http = page_at(bank, address).http
    return agent


def refused_by(answer: httpx2.Response, quota: str, within: int = 60) -> bool:
    """Tell whether an answer is that of a quota, in its own form."""
    if answer.status_code != 429:
        return False
    said = answer.json()
    assert said.get("code", said.get("error")) == "too_many_requests"
    assert said["quota"] == quota
    assert answer.headers["retry-after"] == str(said["retry_after"])
    assert 0 < said["retry_after"] <= within
    assert f"Wait {said['retry_after']} seconds" in said.get("detail", said.get("error_description"))
    return True


async def metric(bank: Bank, quota: str) -> float:
    text = (await bank.pages[0].http.get(f"{bank.issuer}/metrics")).text
    line = f'deputize_quota_refusals_total{{quota="{quota}"}} '
    return float(next((row.removeprefix(line) for row in text.splitlines() if row.startswith(line)), 0))


class TestAddress:
    """Who is nobody yet."""

    @pytest.mark.parametrize(
        ("path", "body", "quota", "most"),
        [
            ("/account/sign-up", {"name": "Eve"}, "sign_ups", 3),
            ("/account/sign-in", {}, "sign_ins", 2),
        ],
    )
    async def test_gets_so_many_and_more_when_the_time_is_over(
        self, bank: Bank, path: str, body: Any, quota: str, most: int
    ) -> None:
        eve, other = page_at(bank, "192.0.2.1"), page_at(bank, "192.0.2.2")

        async def begin(page: Page) -> httpx2.Response:
            return await page.send("POST", path, body, page=False)

        for _ in range(2):
            for _ in range(most):
                assert (await begin(eve)).status_code == 200
            for _ in range(3):
                assert refused_by(await begin(eve), quota)
            assert (await begin(other)).status_code == 200
            bank.clock.forward(60)
        assert await metric(bank, quota) == 6
        assert bank.entries() == []

    async def test_stores_nothing_and_asks_no_more_than_that_by_calling(self, bank: Bank) -> None:
        """A call of whom nobody knows is not even a proof that is kept."""
        before = _rows(bank, "proofs")
        eve = page_at(bank, "192.0.2.1")
        answers = [await eve.send("POST", "/calls", _call()) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 3
        assert all(refused_by(answer, "refused_calls") for answer in answers[3:])
        assert _rows(bank, "proofs") == before

    async def test_of_the_same_network_does_not_keep_a_user_out(self, bank: Bank) -> None:
        """A NAT: what an attacker uses up is for those whom nobody knows."""
        grace = await user(bank, "192.0.2.1")
        eve = page_at(bank, "192.0.2.1")
        for _ in range(9):
            await eve.send("POST", "/calls", _call())
            await eve.send("POST", "/account/sign-up", {"name": "Eve"}, page=False)
            await eve.send("POST", "/account/sign-in", page=False)
        assert (await grace.deputize("account:read")).status_code == 200
        assert (await grace.call("get_balance")).status_code == 200
        assert (await grace.send("DELETE", f"/grants/{grace.tokens['grant_id']}")).status_code == 204
        assert (await grace.send("POST", "/account/sign-out")).status_code == 204

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-forwarded-for": "198.51.100.{}"},
            {"forwarded": "for=198.51.100.{}"},
            {"x-real-ip": "198.51.100.{}"},
            {"x-forwarded-for": "198.51.100.{0}", "forwarded": "for=198.51.100.{0}"},
        ],
    )
    async def test_is_not_what_a_stranger_says(self, bank: Bank, headers: dict[str, str]) -> None:
        answers = [
            await page_at(
                bank, "192.0.2.1", **{name: value.format(number) for name, value in headers.items()}
            ).send("POST", "/account/sign-in", page=False)
            for number in range(4)
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]

    async def test_is_what_the_proxy_says_and_not_what_stands_before_it(self, bank: Bank) -> None:
        answers = [
            await page_at(
                bank,
                "127.0.0.1",
                **{"x-forwarded-for": f"198.51.100.{number}, 192.0.2.{number % 2}, 10.0.0.1"},
            ).send("POST", "/account/sign-in", page=False)
            for number in range(6)
        ]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2


class TestAgent:
    """An agent that its user knows."""

    async def test_pushes_so_many_requests_wherever_it_is(self, bank: Bank) -> None:
        answers = []
        for number in range(5):
            helper = agent_at(bank, f"192.0.2.{number}")
            answers.append(await helper.par())
        assert [answer.status_code for answer in answers] == [201] * 3 + [429] * 2
        assert all(refused_by(answer, "pushed_requests") for answer in answers[3:])
        assert (await agent_at(bank, "192.0.2.9", ERRAND).par()).status_code == 201

    async def test_asks_so_often_from_one_place_whoever_it_says_it_is(self, bank: Bank) -> None:
        """Nothing is fetched, and no signature is looked at, for who has used that up."""
        eve = page_at(bank, "192.0.2.1").http
        answers = [await eve.post(f"{bank.issuer}/par", data={"client_id": str(n)}) for n in range(5)]
        assert [error(answer) for answer in answers[:3]] == ["invalid_client"] * 3
        assert all(refused_by(answer, "pushed_requests") for answer in answers[3:])

    async def test_gets_so_many_device_codes(self, bank: Bank) -> None:
        answers = [
            await agent_at(bank, f"192.0.2.{n}").post("/device_authorization", {"scope": "account:read"})
            for n in range(5)
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert refused_by(answers[-1], "device_codes")
        assert error(answers[-1]) == "too_many_requests"

    async def test_whose_user_has_too_much_before_him_gets_a_page_that_says_so(self, bank: Bank) -> None:
        ada = await user(bank, "192.0.2.2", "Ada")
        urls = [await agent_at(bank, f"192.0.2.{n}").page_url("account:read") for n in range(3)]
        pages = [await ada.http.get(url) for url in urls]
        assert [page.status_code for page in pages] == [200, 200, 429]
        assert "Too many requests of agents wait for your answer" in pages[-1].text
        assert pages[-1].headers["retry-after"] == "600"
        assert (await ada.authorize(urls[0], approve=False)).status_code == 200
        assert (await ada.http.get(urls[2])).status_code == 200
        assert await metric(bank, "pending_consents") == 1

    async def test_is_told_by_pages_how_long_it_has_to_wait(self, bank: Bank) -> None:
        """Each endpoint of pages that a quota of an agent can refuse says so in its own form, and it is counted."""
        grace = await user(bank, "192.0.2.1")
        assert (await grace.deputize("payments:write")).status_code == 200
        for _ in range(2):
            assert (await grace.send("POST", "/grants", {"scope": "account:read"})).status_code == 201
        consent = await grace.send("POST", "/grants", {"scope": "account:read"})
        assert refused_by(consent, "pending_consents", 600)
        calls = [
            await grace.call("transfer_money", {"amount": number, "name": "Ada"}) for number in (1, 2, 3)
        ]
        assert [call.status_code for call in calls] == [202, 202, 429]
        assert refused_by(calls[-1], "pending_calls", 600)
        minted = (await grace.send("POST", f"/calls/{calls[0].json()['call_id']}/challenge")).json()
        forged = grace.evidence(minted)
        forged["response"]["response"]["signature"] = "AAAA"
        path = f"/calls/{calls[0].json()['call_id']}/approval"
        answers = [await grace.send("POST", path, forged) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [403, 403, 403, 429]
        for refused in (answers[-1], await grace.call("nonsense")):
            assert refused_by(refused, "refused_calls")
        assert await metric(bank, "refused_calls") == 2
        assert await metric(bank, "pending_calls") == await metric(bank, "pending_consents") == 1


async def test_oauth_7_wrong_codes_are_counted_where_every_process_sees_them(
    bank: Bank, tmp_path: Path
) -> None:
    """OAUTH-7: two processes on the same data are one to who guesses."""
    ada = await user(bank, "192.0.2.2", "Ada")
    async with opened(bank.deputize.policy, tmp_path / "var") as other:
        twin = other.client()
        twin.headers["cookie"] = "; ".join(f"{each.name}={each.value}" for each in ada.http.cookies.jar)
        url = f"{bank.issuer}/device"
        codes = [
            (await http.get(url, params={"user_code": "BCDF-GHJK"})).status_code
            for _ in range(8)
            for http in (ada.http, twin)
        ]
        assert codes == [200] * 10 + [429] * 6
        last = await twin.get(url, params={"user_code": "BCDF-GHJK"})
        assert last.headers["retry-after"] == "600"
        assert await metric(bank, "wrong_codes") == 3
        for clock in (bank.clock, other.clock):
            clock.forward(600)
        assert (await twin.get(url, params={"user_code": "BCDF-GHJK"})).status_code == 200
        await twin.aclose()


def _call() -> dict[str, Any]:
    return {"tool": "get_balance", "arguments": {}, "definition_s256": "A" * 43}


def _rows(bank: Bank, table: str) -> int:
    def count(tx: Any) -> int:
        return int(tx._execute(f"SELECT COUNT(*) FROM {table}", {}).fetchone()[0])  # noqa: S608

    return bank.deputize.store.look(count)
