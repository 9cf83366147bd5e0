"""Harbor as a site: what its policy says, what its pages forbid; and its API runs approved calls only."""

import re
from importlib.resources import files
from pathlib import Path

import httpx2
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize import settings
from deputize.demo import site
from deputize.demo.site import Harbor
from deputize.protocol.canonical import Json
from deputize.protocol.description import Row
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

ADA: dict[str, Json] = {"iban": "DE89370400440532013000", "name": "Ada Lovelace"}
POLICY = settings.loads((files("deputize.demo") / "harbor.toml").read_bytes())
SCRIPT = (files("deputize.demo") / "static" / "harbor.js").read_text(encoding="utf-8")


async def approved(page: Page, tool: str, arguments: dict[str, Json]) -> str:
    """Call a tool, approve it if asked, and return the call token."""
    answer = await page.call(tool, arguments)
    if answer.status_code == 202:
        answer = await page.confirm(f"/calls/{answer.json()['call_id']}")
    token: str = answer.json()["call_token"]
    return token


def outcomes(harbor: Harbor) -> list[str]:
    entries = harbor.deputize.store.look(lambda tx: tx.entries(0, 1000))
    return [orjson.loads(entry.leaf)["kind"] for entry in entries][-2:]


def test_the_policy_knows_every_tool_of_the_page_but_one() -> None:
    registered = set(re.findall(r"^    name: '(\w+)'", SCRIPT, re.MULTILINE))
    assert registered - POLICY.tools.keys() == {"export_contacts"}
    assert POLICY.tools.keys() <= registered


def test_the_policy_lets_opaque_agents_write_and_asks_for_a_passkey_then() -> None:
    assert set(POLICY.ceiling.opaque) == set(POLICY.scopes)
    for tool in POLICY.tools.values():
        writes = any(POLICY.scopes[name].writes for name in tool.scopes)
        assert tool.approval.always == writes


@given(st.integers(1, 100_000_000))
def test_the_policy_takes_every_amount_of_cents_and_shows_all_of_it(amount: int) -> None:
    tool = POLICY.tools["transfer_money"]
    arguments = {"amount": amount / 100, **ADA}
    assert tool.input_schema is not None
    assert tool.input_schema.fault(arguments) is None
    described = tool.description(arguments)
    assert described.headline == f"Send \u2068{amount // 100:,}.{amount % 100:02} EUR\u2069?"
    assert described.rows == (
        Row("To", ("\u2068“Ada Lovelace”\u2069",)),
        Row("IBAN", ("\u2068DE89 3704 0044 0532 0130 00\u2069",)),
    )
    assert tool.details(arguments, described) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0.001},
        {"amount": 19.999},
        {"amount": 0},
        {"amount": "20"},
        {"name": " "},
        {"iban": "x"},
        {"to": 1},
    ],
)
def test_the_policy_refuses_what_is_no_order(wrong: dict[str, Json]) -> None:
    schema = POLICY.tools["transfer_money"].input_schema
    assert schema is not None
    assert schema.fault({"amount": 20, **ADA, **wrong}) is not None


def test_the_first_start_makes_a_policy_and_later_ones_keep_what_the_owner_wrote(tmp_path: Path) -> None:
    path = site.policy_file(tmp_path / "var", 8123)
    assert settings.load(path).site.origin == "http://localhost:8123"
    path.write_text(path.read_text().replace('name = "Harbor"', 'name = "Port"'))
    assert settings.load(site.policy_file(tmp_path / "var", 8123)).site.name == "Port"


def test_a_policy_for_another_port_is_told_not_served(tmp_path: Path) -> None:
    site.policy_file(tmp_path, 8123)
    with pytest.raises(ValueError, match="is for http://localhost:8123"):
        site.build(tmp_path, 8124)


async def test_pages_forbid_what_they_do_not_need(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/")
    rules = answer.headers["content-security-policy"]
    for rule in ("default-src 'self'", "require-trusted-types-for 'script'", "trusted-types 'none'"):
        assert rule in rules
    for rule in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
        assert rule in rules
    assert answer.headers["origin-agent-cluster"] == "?1"
    assert not re.search(r"<style|style=|\son\w+=|<script>", answer.text)
    assert answer.text.index("/deputize/shim-polyfill.js") < answer.text.index("/static/harbor.js")


async def test_a_customer_sees_the_account_and_a_stranger_does_not(
    http: httpx2.AsyncClient, grace: Page, harbor: Harbor
) -> None:
    mine = (await http.get("/")).text
    assert "1,000.00 EUR" in mine
    assert "Grace Hopper" in mine
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(harbor.app), base_url=harbor.url
    ) as stranger:
        theirs = (await stranger.get("/")).text
    assert "Sign in or open an account" in theirs
    assert "Current account" not in theirs


async def test_names_are_text_and_not_markup(http: httpx2.AsyncClient, grace: Page, harbor: Harbor) -> None:
    token = await approved(grace, "transfer_money", {**ADA, "amount": 1, "name": "<b>Ada</b>"})
    order = {**ADA, "amount": 1, "name": "<b>Ada</b>"}
    assert (await http.post("/api/transfers", json=order, headers={"txn-token": token})).status_code == 201
    assert "&lt;b&gt;Ada&lt;/b&gt;" in (await http.get("/")).text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/balance"),
        ("GET", "/api/transactions"),
        ("POST", "/api/transfers"),
        ("POST", "/api/close-account"),
    ],
)
async def test_the_session_alone_opens_nothing(
    harbor: Harbor, http: httpx2.AsyncClient, grace: Page, method: str, path: str
) -> None:
    """GUARD-1."""
    await http.get("/")
    answer = await http.request(method, path, json={"amount": 1, **ADA} if method == "POST" else None)
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_call_token")
    (customer,) = harbor.bank._sql.execute("SELECT balance, closed_at FROM accounts").fetchall()
    assert customer == (1_000_00, None)


async def test_what_was_approved_happens_once(http: httpx2.AsyncClient, grace: Page, harbor: Harbor) -> None:
    order = {"amount": 19.99, **ADA}
    headers = {"txn-token": await approved(grace, "transfer_money", order)}
    answer = await http.post("/api/transfers", json=order, headers=headers)
    assert (answer.status_code, answer.json()["balance"]) == (201, 980.01)
    assert answer.json()["transaction"]["amount"] == -19.99
    again = await http.post("/api/transfers", json=order, headers=headers)
    assert again.json()["code"] == "call_redeemed"
    headers = {"txn-token": await approved(grace, "get_balance", {})}
    assert (await http.get("/api/balance", headers=headers)).json()["balance"] == 980.01


async def test_a_limit_is_read_from_the_query_by_the_schema(http: httpx2.AsyncClient, grace: Page) -> None:
    """GUARD-2."""
    headers = {"txn-token": await approved(grace, "list_transactions", {"limit": 1})}
    answer = await http.get("/api/transactions?limit=1", headers=headers)
    assert [entry["amount"] for entry in answer.json()["transactions"]] == [1000]
    headers = {"txn-token": await approved(grace, "list_transactions", {"limit": 1})}
    answer = await http.get("/api/transactions?limit=100", headers=headers)
    assert answer.json()["code"] == "argument_hash_mismatch"


async def test_where_the_bank_says_no_the_call_has_failed(
    http: httpx2.AsyncClient, grace: Page, harbor: Harbor
) -> None:
    """GUARD-5."""
    order = {"amount": 5000, **ADA}
    headers = {"txn-token": await approved(grace, "transfer_money", order)}
    answer = await http.post("/api/transfers", json=order, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (422, "There is not enough money in the account.")
    assert outcomes(harbor) == ["call.redeemed", "call.failed"]


async def test_the_number_of_this_machine_is_sent_to_its_name(http: httpx2.AsyncClient) -> None:
    """SESSION-3: passkeys and cookies need a name."""
    answer = await http.get("http://127.0.0.1:8123/?a=1", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (307, "http://localhost:8123/?a=1")
