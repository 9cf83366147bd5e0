"""What the owner changes in the policy file bites at the next request, and is told of (POLICY-1 to POLICY-3)."""

import asyncio
import hashlib
import io
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.bank import POLICY, Bank, opened
from tests.starving import no_descriptors
from tests.web.agents import HELPER, Client, error, new_key, with_agents

from deputize.agent import AgentKey
from deputize.crypto import dpop, jwt
from deputize.crypto.keys import KeyRing
from deputize.log.log import Log
from deputize.protocol.canonical import b64u
from deputize.protocol.tool import Schema
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

TRANSFER = {"amount": 250, "name": "Ada"}
MOST = 'scopes = ["account:read", "payments:write", "account:admin"]'
DIRECT = "direct = true\ndirect_when_closed = true"
NOTE = '[tools.note]\nscopes = ["payments:write"]\nexecutes = "page"\n'


class Office:
    """Where the owner keeps the policy file, and reads the log."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = io.BytesIO()
        self.log = Log(self.lines)

    def change(self, old: str, new: str) -> None:
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new))

    def told(self) -> list[dict[str, Any]]:
        """Return what the log says of policies."""
        assert self.log.flush()
        lines = [json.loads(line) for line in self.lines.getvalue().splitlines()]
        return [line for line in lines if line["event"] == "policy"]

    @property
    def s256(self) -> str:
        return b64u(hashlib.sha256(self.path.read_bytes()).digest())


@pytest.fixture
def keys() -> dict[str, EllipticCurvePrivateKey]:
    return {HELPER: new_key(), "api": new_key()}


@pytest.fixture
def office(tmp_path: Path, keys: dict[str, EllipticCurvePrivateKey]) -> Office:
    path = tmp_path / "deputize.toml"
    text = POLICY.replace(
        "direct = true", DIRECT
    )  # so that it may be closed to opaque agents at any time (CALL-7)
    path.write_text(with_agents(text, {HELPER: AgentKey(keys[HELPER])}, api=AgentKey(keys["api"])))
    return Office(path)


@pytest.fixture
async def bank(
    tmp_path: Path, office: Office, keys: dict[str, EllipticCurvePrivateKey]
) -> AsyncIterator[Bank]:
    async with opened(office.path, tmp_path / "var", office.log) as bank:
        bank.keys = keys
        yield bank


@pytest.fixture
def helper(bank: Bank) -> Client:
    return bank.agent(HELPER)


async def redeem(page: Page, call: dict[str, Any]) -> str | None:
    path = f"/calls/{call['call_id']}/redemption"
    return error(await page.send("POST", path, {"call_token": call["call_token"]}))


async def until_ready(page: Page) -> None:
    """Wait until `/readyz` has nothing to tell: the disk is asked once a second (READY-1)."""
    end = time.monotonic() + 10
    while (answer := await page.http.get(f"{page.issuer}/readyz")).text != "ready\n":
        assert time.monotonic() < end, answer.text
        await asyncio.sleep(0.02)


class TestTheNextCall:
    """POLICY-1"""

    async def test_is_under_the_ceiling_of_now(self, bank: Bank, grace: Page, office: Office) -> None:
        assert (await grace.call("note")).status_code == 200
        office.change(MOST, 'scopes = ["account:read"]')
        refused = await grace.call("note")
        assert (refused.status_code, error(refused)) == (403, "agent_not_allowed")  # AGENT-2
        assert (await grace.call("get_balance")).status_code == 200
        office.change('[agents.opaque]\nscopes = ["account:read"]', f"[agents.opaque]\n{MOST}")
        assert (await grace.call("note", {"again": True})).status_code == 200

    async def test_finds_its_tool_closed_to_opaque_agents(self, grace: Page, office: Office) -> None:
        assert (await grace.call("get_balance")).status_code == 200
        office.change("[tools.get_balance]\n", "[tools.get_balance]\nopaque = false\n")
        assert error(await grace.call("get_balance")) == "agent_not_allowed"  # AGENT-3

    async def test_does_not_find_its_tool(self, bank: Bank, grace: Page, office: Office) -> None:
        office.change(NOTE, "")
        assert error(await grace.call("note")) == "unknown_tool"
        assert "note" not in (await grace.http.get(f"{bank.issuer}/tools")).json()["tools"]
        office.change("[tools.search_help]", f"{NOTE}[tools.search_help]")
        assert (await grace.call("note")).status_code == 200

    async def test_of_an_agent_that_may_not_come_any_more(
        self, bank: Bank, grace: Page, helper: Client, office: Office
    ) -> None:  # AGENT-4
        await helper.deputized(grace)
        assert (await helper.call(grace, "get_balance")).status_code == 200
        text = office.path.read_text()
        table = text[text.index("[agents.registered") : text.index("[[api.keys]]")]
        office.change(table, "")
        assert error(await helper.call(grace, "get_balance")) == "agent_not_allowed"
        assert error(await helper.refresh()) == "invalid_client"
        assert error(await helper.par()) == "invalid_client"
        office.change("[[api.keys]]", f"{table}[[api.keys]]")
        assert (await helper.refresh()).status_code == 200

    async def test_meets_no_call_of_before(self, bank: Bank, grace: Page, office: Office) -> None:  # CALL-6
        first = (await grace.call("transfer_money", TRANSFER)).json()
        office.change("Send {{ '%.2f' | format(amount) }} EUR", "Really send {{ amount }} EUR")
        second = (await grace.call("transfer_money", TRANSFER)).json()
        assert second["call_id"] != first["call_id"]
        headline, *_ = second["description"].split("\n")
        assert headline == "Really send \u2068250\u2069 EUR to \u2068“Ada”\u2069"

    async def test_is_told_of_in_the_record(self, bank: Bank, grace: Page, office: Office) -> None:  # LOG-6
        call = (await grace.call("note")).json()
        first = office.s256
        assert bank.last()["policy_s256"] == first
        office.change('title = "Send money"', 'title = "Pay"')
        assert await redeem(grace, call) is None
        assert (bank.last()["kind"], bank.last()["policy_s256"]) == ("call.redeemed", office.s256)
        assert error(await grace.call("nothing_here")) == "unknown_tool"
        assert (bank.last()["kind"], bank.last()["policy_s256"]) == ("call.denied", office.s256)
        assert office.s256 != first
        assert [line["policy_s256"] for line in office.told()] == [office.s256]

    async def test_of_which_the_body_was_still_on_its_way(
        self, bank: Bank, grace: Page, office: Office
    ) -> None:
        """It was begun under the policy of before, and must not be decided by it."""

        async def body() -> AsyncIterator[bytes]:
            yield b"scope=account:read&grant_type=refresh_token&refresh_token="
            office.change(MOST, 'scopes = ["account:read"]')
            bank.clock.forward(1)
            yield str(grace.tokens["refresh_token"]).encode()

        headers = {
            "dpop": grace.proof("POST", "/token"),
            "content-type": "application/x-www-form-urlencoded",
        }
        refused = await grace.http.post(f"{bank.issuer}/token", content=body(), headers=headers)
        assert (refused.status_code, error(refused)) == (400, "invalid_request")
        assert "policy has just changed" in refused.text
        assert (await grace.refresh()).status_code == 200


class TestCallsUnderWay:
    """POLICY-3"""

    async def pending(self, page: Page) -> dict[str, Any]:
        call: dict[str, Any] = (await page.call("transfer_money", TRANSFER)).json()
        assert call["state"] == "pending"
        return call

    @pytest.mark.parametrize(
        ("old", "new", "code", "state"),
        [
            (MOST, 'scopes = ["account:read"]', "agent_not_allowed", "denied"),
            (DIRECT, f"{DIRECT}\nopaque = false", "agent_not_allowed", "denied"),
            ('required = ["amount", "name"]', 'required = ["amount", "name", "iban"]', "invalid_arguments", "denied"),
            ("exclusiveMinimum = 0 }", "exclusiveMinimum = 0, maximum = 100 }", "invalid_arguments", "denied"),
            ("[tools.transfer_money", "[tools.send_money", "unknown_tool", "denied"),
            (DIRECT, 'authenticator_class = "cross-platform"', "cancelled", "cancelled"),
            (DIRECT, 'executes = "page"', "cancelled", "cancelled"),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("step", ["challenge", "approval"])
    async def test_a_pending_one_is_decided_again(
        self, bank: Bank, grace: Page, office: Office, old: str, new: str, code: str, state: str, step: str
    ) -> None:  # APPR-5
        call = await self.pending(grace)
        path = f"/calls/{call['call_id']}"
        minted = (await grace.send("POST", f"{path}/challenge")).json()
        office.change(old, new)
        evidence = grace.evidence(minted) if step == "approval" else None
        assert error(await grace.send("POST", f"{path}/{step}", evidence)) == code
        told = bank.last()
        assert (told["kind"], told["code"], told["policy_s256"]) == (f"call.{state}", code, office.s256)
        assert (await grace.send("GET", path)).json()["state"] == state

    @pytest.mark.parametrize(
        ("old", "new", "code"),
        [
            (MOST, 'scopes = ["account:read"]', "agent_not_allowed"),
            (NOTE, "", "unknown_tool"),
            (NOTE, NOTE + "opaque = false\n", "agent_not_allowed"),
            (NOTE, NOTE.replace("payments:write", "account:admin"), "insufficient_scope"),
            (NOTE, NOTE + 'approval = "always"\ndescribe = "Note"\n', "cancelled"),
            (NOTE, NOTE.replace('"page"', '"api"'), "cancelled"),
            (NOTE, NOTE + 'authenticator_class = "cross-platform"\n', "cancelled"),
        ],
    )
    async def test_an_approved_one_is_decided_again(
        self, bank: Bank, grace: Page, office: Office, old: str, new: str, code: str
    ) -> None:  # GUARD-4
        call = (await grace.call("note")).json()
        office.change(old, new)
        assert await redeem(grace, call) == code
        assert (bank.last()["code"], bank.last()["policy_s256"]) == (code, office.s256)
        office.path.write_text(office.path.read_text().replace(new, old) if new else office.path.read_text())
        assert await redeem(grace, call) in ("call_state", "cancelled", "unknown_tool")  # it is over

    async def test_what_was_approved_by_a_passkey_runs_where_an_approval_is_needed_now(
        self, grace: Page, office: Office, bank: Bank, keys: dict[str, EllipticCurvePrivateKey]
    ) -> None:
        office.change("[tools.note]\n", '[tools.note]\napproval = "always"\ndescribe = "Note"\n')
        call = (await grace.call("note")).json()
        approved = (await grace.confirm(f"/calls/{call['call_id']}")).json()
        office.change('title = "Send money"', 'title = "Pay"')
        assert await redeem(grace, approved) is None

    async def test_the_users_own_one_too(self, bank: Bank, grace: Page, office: Office) -> None:  # CALL-7
        body: dict[str, Any] = {"tool": "transfer_money", "arguments": TRANSFER, "definition_s256": "A" * 43}
        call = (await grace.send("POST", "/calls", body)).json()
        assert (call["state"], call["agent"]) == ("pending", None)
        minted = (await grace.send("POST", f"/calls/{call['call_id']}/challenge")).json()
        office.change(f"{DIRECT}\n", "")
        answer = await grace.send("POST", f"/calls/{call['call_id']}/approval", grace.evidence(minted))
        assert error(answer) == "consent_required"

    @pytest.mark.parametrize("step", ["call", "challenge", "approval", "redemption"])
    async def test_the_users_own_one_where_its_tool_is_closed_meanwhile(
        self, bank: Bank, grace: Page, office: Office, step: str
    ) -> None:
        """CALL-7: a file that closes a direct tool is faulty, but tools of Python's go over to any file."""
        bank.deputize.tool(name="tip", scopes=["payments:write"], direct=True, executes="page")(
            lambda _: "Tip"
        )
        body: dict[str, Any] = {"tool": "tip", "arguments": {}, "definition_s256": "A" * 43}
        call = (await grace.send("POST", "/calls", body)).json()
        assert (call["state"], call["agent"]) == ("pending", None)
        path = f"/calls/{call['call_id']}"
        minted = (await grace.send("POST", f"{path}/challenge")).json()
        sent: dict[str, tuple[str, Any]] = {
            "call": ("/calls", {**body, "arguments": {"again": True}}),
            "challenge": (f"{path}/challenge", None),
            "approval": (f"{path}/approval", grace.evidence(minted)),
        }
        if step == "redemption":
            approved = (await grace.send("POST", *sent["approval"])).json()
            sent[step] = f"{path}/redemption", {"call_token": approved["call_token"]}
        assert (await grace.send("GET", "/tools")).json()["tools"]["tip"]["direct"]
        office.change(MOST, 'scopes = ["account:read"]')
        assert error(await grace.send("POST", *sent[step])) == "agent_not_allowed"
        assert (bank.last()["code"], bank.last()["policy_s256"]) == ("agent_not_allowed", office.s256)
        assert not (await grace.send("GET", "/tools")).json()["tools"]["tip"]["direct"]

    async def test_a_file_that_closes_a_direct_tool_without_a_word_is_a_fault(
        self, bank: Bank, grace: Page, office: Office
    ) -> None:  # CALL-7, POLICY-2
        office.change(f"{DIRECT}\n", "direct = true\n")
        for old, new in (
            (MOST, 'scopes = ["account:read"]'),
            ("direct = true\n", "direct = true\nopaque = false\n"),
        ):
            office.change(old, new)
            assert "its file has a fault" in (await grace.http.get(f"{bank.issuer}/readyz")).text
            assert "tools.transfer_money.direct" in office.told()[-1]["fault"]
            office.change(new, old)
            assert (await grace.http.get(f"{bank.issuer}/readyz")).text == "ready\n"

    async def test_also_by_the_guard_of_the_same_process(
        self, bank: Bank, grace: Page, office: Office
    ) -> None:
        done: list[object] = []

        @bank.deputize.guard.tool("get_balance")
        async def balance(request: Request) -> Response:
            done.append(request.state.deputize.arguments)
            return JSONResponse({})

        api = Starlette(routes=[Route("/balance", balance, methods=["POST"])])
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(api), base_url=bank.origin) as http:
            for closed, status in ((False, 200), (True, 403)):
                call = (await grace.call("get_balance")).json()
                if closed:
                    office.change("[tools.get_balance]\n", "[tools.get_balance]\nopaque = false\n")
                answer = await http.post("/balance", json={}, headers={"txn-token": call["call_token"]})
                assert answer.status_code == status
        assert done == [{}]

    async def test_and_by_guards_elsewhere_with_the_keys_of_now(
        self, bank: Bank, grace: Page, office: Office, keys: dict[str, EllipticCurvePrivateKey]
    ) -> None:  # PROOF-4
        call = (await grace.call("get_balance")).json()
        path = f"/calls/{call['call_id']}/redemption"

        async def by_api() -> str | None:
            proof = dpop.make(
                keys["api"], "POST", bank.issuer + path, int(bank.clock()), b64u(str(len(used)).encode())
            )
            used.append(proof)
            body = {"call_token": call["call_token"]}
            return error(await grace.send("POST", path, body, {"deputize-guard": proof}, page=False))

        used: list[str] = []
        text = office.path.read_text()
        office.path.write_text(text[: text.index("[[api.keys]]")])
        assert await by_api() == "redeemer_not_allowed"
        office.path.write_text(text)
        assert await by_api() is None

    async def test_what_a_call_token_is_worth_follows(
        self, bank: Bank, grace: Page, office: Office, keys: dict[str, EllipticCurvePrivateKey]
    ) -> None:  # OAUTH-8
        call = (await grace.call("get_balance")).json()
        api = Client(bank, bank.deputize.policy.api.audience, keys["api"])
        assert (await api.introspect(call["call_token"])).json()["active"] is True
        office.change(MOST, "scopes = []")
        assert (await api.introspect(call["call_token"])).json() == {"active": False}


class TestConsents:
    """POLICY-3: nobody consents to what is not allowed any more."""

    async def test_a_consent_in_a_page_is_held_against_the_policy_of_now(
        self, bank: Bank, grace: Page, office: Office
    ) -> None:
        asked = (await grace.send("POST", "/grants", {"scope": "account:admin"})).json()
        minted = (await grace.send("POST", f"/grants/{asked['grant_id']}/challenge")).json()
        office.change(MOST, 'scopes = ["account:read"]')
        path = f"/grants/{asked['grant_id']}/approval"
        assert error(await grace.send("POST", path, grace.evidence(minted))) == "agent_not_allowed"
        assert (bank.last()["kind"], bank.last()["code"]) == ("grant.refused", "agent_not_allowed")
        assert (await grace.call("get_balance")).status_code == 200  # what was consented to before stays

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('scopes = ["account:read", "payments:write"]\nredirect', 'scopes = ["account:read"]\nredirect'),
            ('"payments:write"', '"payments:send"'),
        ],
    )
    async def test_a_consent_on_its_page_is_held_against_the_policy_of_now(
        self, bank: Bank, grace: Page, helper: Client, office: Office, old: str, new: str
    ) -> None:
        seen, unseen = await helper.page_url(), await helper.page_url()
        path = (
            "/authorize/" + (await grace.http.get(seen)).text.partition('data-request="')[2].partition('"')[0]
        )
        minted = (await grace.send("POST", f"{path}/challenge", page=False)).json()
        office.change(old, new)
        assert bank.deputize.authority.fault is None
        answer = await grace.send("POST", f"{path}/approval", grace.evidence(minted), page=False)
        assert error(answer) in ("agent_not_allowed", "invalid_scope")
        for url in (seen, unseen):
            assert (await grace.http.get(url)).status_code == 400


class TestFaults:
    """POLICY-2"""

    @pytest.mark.parametrize("text", [None, "", "[site", POLICY])  # gone, empty, broken, and another site's
    async def test_leave_the_policy_of_before_in_force_and_are_told_once(
        self, bank: Bank, grace: Page, office: Office, text: str | None
    ) -> None:
        good, before = office.path.read_text(), office.s256
        if text is None:
            office.path.unlink()
        else:
            office.path.write_text(text)
        for _ in range(3):
            assert (await grace.call("get_balance")).status_code == 200
            assert bank.last()["policy_s256"] == before
        assert error(await grace.call("open_vault")) == "agent_not_allowed"
        ready = await grace.http.get(f"{bank.issuer}/readyz")
        assert (ready.status_code, "fault" in ready.text) == (200, True)
        assert "deputize_policy_faulty 1.0" in (await grace.http.get(f"{bank.issuer}/metrics")).text
        (told,) = office.told()
        assert (told["level"], told["policy_s256"], bool(told["fault"])) == ("error", before, True)

        office.path.write_text(good.replace(MOST, 'scopes = ["payments:write"]'))
        assert error(await grace.call("get_balance")) == "agent_not_allowed"
        assert (await grace.http.get(f"{bank.issuer}/readyz")).text == "ready\n"
        assert "deputize_policy_faulty 0.0" in (await grace.http.get(f"{bank.issuer}/metrics")).text
        assert office.told()[-1]["policy_s256"] == office.s256
        assert "fault" not in office.told()[-1]

    async def test_nothing_to_read_it_with_is_one_and_is_over_when_there_is(
        self, bank: Bank, grace: Page, office: Office
    ) -> None:
        """What was tightened while the process was out of descriptors bites as soon as it has one."""
        office.path.write_text(office.path.read_text().replace(MOST, 'scopes = ["payments:write"]'))
        end = time.monotonic() + 10
        while time.time() - office.path.stat().st_ctime <= 1.1:  # from then on a look is enough
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        with no_descriptors():
            assert (await grace.call("get_balance")).status_code == 200
            ready = await grace.http.get(f"{bank.issuer}/readyz")
            assert (ready.status_code, "its file has a fault" in ready.text) == (200, True)  # READY-1
        assert error(await grace.call("get_balance")) == "agent_not_allowed"
        await until_ready(grace)
        assert "Too many open files" in office.told()[0]["fault"]

    async def test_keys_that_cannot_be_read_are_one_too(
        self, bank: Bank, grace: Page, office: Office, tmp_path: Path
    ) -> None:  # TOKEN-6
        keys = tmp_path / "var" / "keys.json"
        KeyRing(keys).rotate(int(time.time()))
        with no_descriptors():
            assert (await grace.call("get_balance")).status_code == 200
            assert "keys of before" in (await grace.http.get(f"{bank.issuer}/readyz")).text
            assert 'deputize_faulty{part="keys"} 1.0' in (await grace.http.get(f"{bank.issuer}/metrics")).text
        await until_ready(grace)
        token = (await grace.refresh()).json()["access_token"]
        assert jwt.parse(token).header["kid"] == KeyRing(keys).signing_key()[0]

    async def test_what_is_under_way_is_not_disturbed_by_them(
        self, bank: Bank, grace: Page, office: Office
    ) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b"grant_type=refresh_token&refresh_token="
            office.path.write_text("[site")
            bank.clock.forward(1)
            yield str(grace.tokens["refresh_token"]).encode()

        headers = {
            "dpop": grace.proof("POST", "/token"),
            "content-type": "application/x-www-form-urlencoded",
        }
        renewed = await grace.http.post(f"{bank.issuer}/token", content=body(), headers=headers)
        assert renewed.status_code == 200


async def test_what_python_declared_stays_and_is_offered(
    bank: Bank, grace: Page, office: Office
) -> None:  # MCP-5
    @bank.deputize.tool(scopes=["account:read"], input_schema={"type": "object", "required": ["name"]})
    def greet(arguments: Any) -> str:
        return "Greet"

    @bank.deputize.handler("greet")
    def greeting(arguments: Any, call: Any) -> str:
        return f"Hello {arguments['name']}"

    async def listed() -> list[str]:
        token = str(grace.tokens["access_token"])
        headers = {"authorization": f"DPoP {token}", "dpop": grace.proof("POST", "/mcp", token)}
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        answer = await grace.send("POST", "/mcp", message, headers, page=False)
        return [tool["name"] for tool in answer.json()["result"]["tools"]]

    assert await listed() == ["greet"]
    office.change('name = "Bank"', 'name = "Bonk"')
    assert await listed() == ["greet"]
    assert (await grace.call("greet", {"name": "Ada"})).status_code == 200
    assert bank.deputize.guard.tools is not None
    assert isinstance(bank.deputize.guard.tools()["greet"].input_schema, Schema)
    office.change(
        "[tools.search_help]",
        f'[tools.pay]\nscopes = ["account:read"]\nendpoint = "POST {bank.origin}/api/pay"\n[tools.search_help]',
    )
    assert await listed() == ["pay", "greet"]
    assert set(bank.deputize.guard.tools()) == set(bank.deputize.policy.tools)


async def test_two_processes_follow_one_file(tmp_path: Path, bank: Bank, grace: Page, office: Office) -> None:
    """Each with its own eyes: two authorities over one folder, as two processes have it."""
    async with opened(office.path, tmp_path / "var") as other:
        twin = other.page()
        cookies = [f"{cookie.name}={cookie.value}" for cookie in grace.http.cookies.jar]
        twin.key, twin.tokens, twin.http.headers["cookie"] = grace.key, grace.tokens, "; ".join(cookies)
        assert (await twin.call("get_balance")).status_code == 200
        office.change(MOST, "scopes = []")
        assert error(await grace.call("get_balance")) == "agent_not_allowed"
        assert error(await twin.call("get_balance")) == "agent_not_allowed"


async def test_a_policy_of_many_scopes_leaves_no_call_without_an_answer(tmp_path: Path) -> None:  # MCP-7
    """An agent may have 32 of them. What it has already and what it lacks now may be more together."""
    names = [f"s:{index:02}" for index in range(33)]
    path = tmp_path / "deputize.toml"
    site = '[site]\nname = "Bank"\norigin = "https://bank.example"\n'
    declared = "".join(f'[scopes."{name}"]\ntitle = "{name}"\nwrites = false\n' for name in names)
    tool = f'[tools.last]\nscopes = ["{names[-1]}"]\nendpoint = "POST /api/last"\nelsewhere = true\n'
    path.write_text(f"{site}{declared}{tool}[agents.opaque]\nscopes = {json.dumps(names[:32])}\n")
    async with opened(path, tmp_path / "var") as bank:
        page = bank.page()
        await page.sign_up()
        assert (await page.deputize(" ".join(names[:32]))).status_code == 200
        Office(path).change(json.dumps(names[:32]), json.dumps(names[1:]))
        token = str(page.tokens["access_token"])
        headers = {"authorization": f"DPoP {token}", "dpop": page.proof("POST", "/mcp", token)}
        message: dict[str, Any] = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "last"},
        }
        refused = await page.send("POST", "/mcp", message, headers, page=False)
        assert refused.status_code == 403
        assert f'scope="{" ".join(names)}"' in refused.headers["www-authenticate"]
        asked = await page.send("POST", "/grants", {"scope": names[-1]})
        assert asked.status_code == 201
        assert len(asked.json()["shown"]["scopes"]) == 32  # without the one that it may not have any more
