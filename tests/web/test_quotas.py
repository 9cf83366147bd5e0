"""Nothing small stops it: each quota refuses what is beyond it, and nothing else (QUOTA-1 to QUOTA-4)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bank import POLICY, Bank, opened
from tests.web.agents import ERRAND, HELPER, Client, error, new_key, with_agents

from deputize import settings
from deputize.agent import AgentKey
from deputize.authority.by_address import ByAddress
from deputize.protocol.canonical import Json, args_s256
from deputize.protocol.errors import Refused
from deputize.protocol.quota import Quota, Rate
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


@given(st.data())
def test_quota_3_no_prefix_of_ipv6_gets_more_than_its_share(data: st.DataObject) -> None:
    """QUOTA-3: whoever has a /64, or a /48, has one, wherever in it he comes from."""
    bits = data.draw(st.sampled_from([64, 48]))
    network = data.draw(st.integers(0, 2**bits - 1)) << (128 - bits)
    hosts = data.draw(st.lists(st.integers(0, 2 ** (128 - bits) - 1), min_size=40, max_size=60))
    door, let_in = ByAddress(), 0
    for host in hosts:
        with suppress(Refused):
            door.take(Quota.SIGN_UPS, Rate(2, 60), IPv6Address(network | host), 0)
            let_in += 1
    assert let_in <= (2 if bits == 64 else 32)
    if bits == 64:
        assert let_in == 2


def test_what_is_kept_of_addresses_has_an_end() -> None:
    """However many come, so many are kept; who goes on coming is among them, and nobody else pays."""
    door, rate, eve = ByAddress(most_kept=100), Rate(2, 60), ip_address("192.0.2.1")
    for number in range(1000):
        if number < 2:
            door.take(Quota.SIGN_INS, rate, eve, 0)
        else:
            with pytest.raises(Refused):
                door.take(Quota.SIGN_INS, rate, eve, 0)
        door.take(Quota.SIGN_INS, rate, ip_address(0x0A000000 + number), 0)
        assert len(door) <= 100


def test_a_clock_that_went_wrong_for_a_while_keeps_no_address_out() -> None:
    door, rate, here = ByAddress(), Rate(1, 60), ip_address("192.0.2.1")
    door.take(Quota.SIGN_INS, rate, here, 3600)
    door.take(Quota.SIGN_INS, rate, here, 0)
    with pytest.raises(Refused):
        door.take(Quota.SIGN_INS, rate, here, 0)


def test_without_end_nothing_is_counted() -> None:
    door = ByAddress()
    for _ in range(5):
        door.take(Quota.SIGN_INS, None, None, 0)
    assert len(door) == 0


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

    async def test_that_is_refused_too_often_leaves_no_more_entries_and_is_let_in_with_what_is_good(
        self, bank: Bank
    ) -> None:
        grace, ada = await user(bank, "192.0.2.1"), await user(bank, "192.0.2.2", "Ada")
        for page in (grace, ada):
            assert (await page.deputize("account:read")).status_code == 200
        for _ in range(3):
            assert (await grace.call("nonsense")).status_code == 403
        size = len(bank.entries())
        for _ in range(5):
            assert refused_by(await grace.call("nonsense"), "refused_calls")
        assert len(bank.entries()) == size
        assert await metric(bank, "refused_calls") == 5
        assert (await grace.call("get_balance")).status_code == 200
        assert (await ada.call("nonsense")).status_code == 403
        bank.clock.forward(60)
        assert (await grace.call("nonsense")).status_code == 403

    async def test_of_another_kind_is_counted_by_itself(self, bank: Bank) -> None:
        """What goes on in a browser takes nothing from an agent that proves who it is."""
        grace = await user(bank, "192.0.2.1")
        helper = await bank.agent(HELPER).deputized(grace, "account:read")
        assert (await grace.deputize("account:read")).status_code == 200
        answers = [await grace.call("nonsense") for _ in range(4)]
        assert refused_by(answers[-1], "refused_calls")
        assert (await helper.call(grace, "nonsense")).json()["code"] == "unknown_tool"

    async def test_with_a_new_key_is_no_other_agent(self, bank: Bank) -> None:
        """AGENT-1: any script of the page can make keys, as many as it likes."""
        grace = await user(bank, "192.0.2.1")
        answers = []
        for _ in range(3):
            tab = bank.page(same_browser_as=grace)
            assert (await tab.send("POST", "/agents")).status_code == 200
            answers.append(await tab.send("POST", "/grants", {"scope": "account:read"}))
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert refused_by(answers[-1], "pending_consents", 600)

    async def test_asks_for_consent_so_often_at_a_time(self, bank: Bank) -> None:
        grace, ada = await user(bank, "192.0.2.1"), await user(bank, "192.0.2.2", "Ada")
        asked = []
        for page in (grace, ada):
            await page.send("POST", "/agents")
            asked += [
                (await page.send("POST", "/grants", {"scope": "account:read"})).json() for _ in range(2)
            ]
        size = len(bank.entries())
        assert refused_by(
            await grace.send("POST", "/grants", {"scope": "account:read"}), "pending_consents", 600
        )
        assert len(bank.entries()) == size
        assert (await grace.send("POST", f"/grants/{asked[0]['grant_id']}/denial")).status_code == 200
        assert (await grace.send("POST", "/grants", {"scope": "account:read"})).status_code == 201

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

    async def test_has_so_many_calls_wait(self, bank: Bank) -> None:
        grace = await user(bank, "192.0.2.1")
        assert (await grace.deputize("account:read payments:write")).status_code == 200
        calls = [
            await grace.call("transfer_money", {"amount": number, "name": "Ada"}) for number in (1, 2, 3)
        ]
        assert [call.status_code for call in calls] == [202, 202, 429]
        assert refused_by(calls[-1], "pending_calls", 600)
        again = await grace.call("transfer_money", {"amount": 1, "name": "Ada"})
        assert again.json()["call_id"] == calls[0].json()["call_id"]  # CALL-6: it is no other one
        assert (await grace.call("get_balance")).status_code == 200
        assert (await grace.confirm(f"/calls/{calls[0].json()['call_id']}")).status_code == 200
        denial = f"/calls/{calls[1].json()['call_id']}/denial"
        assert (await grace.send("POST", denial, {"reason": "declined"})).status_code == 200
        assert (await grace.call("transfer_money", {"amount": 3, "name": "Ada"})).status_code == 202

    @pytest.mark.parametrize("take_back", ["revoke", "block", "let it run out"])
    async def test_has_room_again_once_the_agent_that_filled_it_has_nothing(
        self, bank: Bank, take_back: str
    ) -> None:
        """A user of whom an agent asks too much takes its grant back, and goes on himself."""
        grace = await user(bank, "192.0.2.1")
        assert (await grace.deputize("payments:write", expires_in=60)).status_code == 200
        for number in (1, 2):
            await grace.call("transfer_money", {"amount": number, "name": "Mallory"})
        own: Json = {
            "tool": "transfer_money",
            "arguments": {"amount": 5, "name": "Ada"},
            "definition_s256": args_s256({"name": "transfer_money"}),
        }
        assert refused_by(await grace.send("POST", "/calls", own), "pending_calls", 600)
        path = f"/grants/{grace.tokens['grant_id']}"
        match take_back:
            case "revoke":
                await grace.send("DELETE", path, page=False)
            case "block":
                await grace.send("POST", f"{path}/block", {}, page=False)
            case _:
                bank.clock.forward(61)
        assert (await grace.send("POST", "/calls", own)).status_code == 202

    async def test_is_asked_by_others_once_the_agent_that_asked_too_much_is_blocked(self, bank: Bank) -> None:
        grace = await user(bank, "192.0.2.1")
        assert (await grace.deputize("payments:write")).status_code == 200
        for _ in range(2):
            assert (await grace.send("POST", "/grants", {"scope": "account:read"})).status_code == 201
        tablet = bank.page(same_browser_as=grace)
        assert (await tablet.send("POST", "/agents")).status_code in (200, 201)
        assert refused_by(
            await tablet.send("POST", "/grants", {"scope": "account:read"}), "pending_consents", 600
        )
        await grace.send("POST", f"/grants/{grace.tokens['grant_id']}/block", {}, page=False)
        assert (await tablet.send("POST", "/grants", {"scope": "account:read"})).status_code == 201

    async def test_fails_to_approve_so_often_in_the_record(self, bank: Bank) -> None:
        """APPR-4: each failure is an entry, but for those beyond the quota; five still close the challenge."""
        grace = await user(bank, "192.0.2.1")
        assert (await grace.deputize("payments:write")).status_code == 200
        call = (await grace.call("transfer_money", {"amount": 1, "name": "Ada"})).json()["call_id"]
        minted = (await grace.send("POST", f"/calls/{call}/challenge")).json()
        forged = grace.evidence(minted)
        good = grace.evidence(minted)
        forged["response"]["response"]["signature"] = "AAAA"
        codes = [(await grace.send("POST", f"/calls/{call}/approval", forged)).status_code for _ in range(5)]
        assert codes == [403, 403, 403, 429, 429]
        assert sum(entry["kind"] == "approval.refused" for entry in bank.entries()) == 3
        answer = await grace.send("POST", f"/calls/{call}/approval", good)
        assert answer.status_code == 429  # the challenge is consumed, and the reason is beyond the quota
        assert (await grace.confirm(f"/calls/{call}")).status_code == 200

    async def test_takes_so_many_entries(self, tmp_path: Path) -> None:
        """Allowed ones, too; other agents, other users and what takes away go on."""
        async with small(tmp_path, entries="70 in 1m") as bank:
            grace, ada = await user(bank, "192.0.2.1"), await user(bank, "192.0.2.2", "Ada")
            helper = await bank.agent(HELPER).deputized(grace, "account:read")
            for page in (grace, ada):
                assert (await page.deputize("account:read")).status_code == 200
            codes = [(await grace.call("get_balance")).status_code for _ in range(75)]
            assert codes == [200] * 68 + [429] * 7  # with the registration, and the request for consent
            assert refused_by(await grace.call("get_balance"), "entries")
            assert (await ada.call("get_balance")).status_code == 200
            assert (await helper.call(grace, "get_balance")).status_code == 200
            assert (await grace.send("DELETE", f"/grants/{grace.tokens['grant_id']}")).status_code == 204
            assert bank.last()["kind"] == "grant.revoked"
            assert (await grace.send("POST", "/account/sign-out")).status_code == 204
            assert (await grace.sign_in()).status_code == 200


async def test_handing_on_makes_no_more_entries_than_calling(tmp_path: Path) -> None:
    """CHAIN-1: a handoff that nobody takes over is an entry, too."""
    async with small(tmp_path, entries="4 in 1m") as bank:
        ada = await user(bank, "192.0.2.2", "Ada")
        helper = await agent_at(bank, "192.0.2.3").deputized(ada, "account:read")
        errand = agent_at(bank, "192.0.2.4", ERRAND)
        answers = [await helper.hand_on(errand) for _ in range(5)]  # one was for being asked about
        assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
        assert all(refused_by(answer, "entries") for answer in answers[3:])
        assert error(await errand.take_over(answers[0].json()["access_token"])) is None


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


async def test_the_defaults_are_met_by_nobody_here(tmp_path: Path) -> None:
    """An office behind one address arrives within the minute, and its agents get to work."""
    async with opened(settings.loads(POLICY.encode()), tmp_path / "var") as bank:
        office = [await user(bank, "192.0.2.1", f"User {number}") for number in range(60)]
        for page in office:
            assert (await page.sign_in()).status_code == 200
        page = office[0]
        assert (await page.deputize("account:read payments:write")).status_code == 200
        for number in range(80):
            call = await page.call("transfer_money", {"amount": number + 1, "name": "Ada"})
            assert call.status_code == 202
        for _ in range(300):
            assert (await page.call("nonsense")).status_code == 403


def _call() -> dict[str, Any]:
    return {"tool": "get_balance", "arguments": {}, "definition_s256": "A" * 43}


def _rows(bank: Bank, table: str) -> int:
    def count(tx: Any) -> int:
        return int(tx._execute(f"SELECT COUNT(*) FROM {table}", {}).fetchone()[0])  # noqa: S608

    return bank.deputize.store.look(count)
