"""`Mcp-Session-Id` carries what a client declared when it initialized, and nothing else (MCP-16)."""

from typing import Any

import httpx2
import orjson
import pytest
from tests.bank import Clock
from tests.web.mcp.conftest import ALL, LIST, MODERN, TRANSFER, Deputy, LiveBank
from tests.web.mcp.test_transport import ENVELOPE

from deputize.crypto.sealed import Sealer
from deputize.protocol.canonical import unb64u
from deputize.protocol.ids import UserId
from deputize.service.calls.request import Principal
from deputize.web.mcp import declaring

pytestmark = pytest.mark.anyio

URL: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}}
VERIFIED: dict[str, Any] = {"extensions": {"verifiedApproval": {}}}
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "transfer_money", "arguments": TRANSFER},
}


@pytest.fixture
async def deputy(live: LiveBank) -> Deputy:
    return await live.deputy()


async def initialized(
    live: LiveBank, deputy: Deputy, capabilities: Any, version: str = "2025-11-25"
) -> httpx2.Response:
    client = {"name": "x", "version": "1"}
    params = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": client}
    return await live.post(
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}, deputy.agent
    )


async def session(live: LiveBank, deputy: Deputy, capabilities: Any) -> str:
    opened = await initialized(live, deputy, capabilities)
    return str(opened.headers["mcp-session-id"])


async def number(live: LiveBank, deputy: Deputy, session_id: str | None) -> int:
    """Call a tool that needs an approval, and say by which error that is answered."""
    sent: dict[str, Any] = {} if session_id is None else {"mcp-session-id": session_id}
    answer = await live.post(CALL, deputy.agent, **sent)
    assert answer.status_code == 200
    return int(answer.json()["error"]["code"])


@pytest.mark.parametrize("capabilities", [URL, {"elicitation": {"url": {}}}, VERIFIED, {**URL, **VERIFIED}])
async def test_a_client_with_something_to_remember_is_given_an_id(
    live: LiveBank, deputy: Deputy, capabilities: Any
) -> None:
    opened = await initialized(live, deputy, capabilities)
    given = opened.headers["mcp-session-id"]
    assert opened.json()["result"]["protocolVersion"] == "2025-11-25"
    assert all("!" <= letter <= "~" for letter in given)  # visible ASCII, as the transport says
    assert len(given) < declaring.LONGEST
    assert (await live.post(LIST, deputy.agent, **{"mcp-session-id": given})).status_code == 200


@pytest.mark.parametrize(
    ("capabilities", "version"),
    [
        ({}, "2025-11-25"),
        ({"elicitation": {}}, "2025-11-25"),  # means forms
        ({"elicitation": {"form": {}}}, "2025-11-25"),
        ({"roots": {}, "sampling": {}}, "2025-11-25"),
        (URL, "2025-06-18"),  # which has no addresses
    ],
)
async def test_a_client_without_is_given_none(
    live: LiveBank, deputy: Deputy, capabilities: Any, version: str
) -> None:
    opened = await initialized(live, deputy, capabilities, version)
    assert opened.status_code == 200
    assert "mcp-session-id" not in opened.headers


@pytest.mark.parametrize(("capabilities", "expected"), [(URL, -32042), (VERIFIED, -32001), (None, -32001)])
async def test_it_decides_which_answer_is_given(
    live: LiveBank, deputy: Deputy, capabilities: Any, expected: int
) -> None:
    given = await session(live, deputy, capabilities) if capabilities else None
    assert await number(live, deputy, given) == expected


async def test_who_declares_both_brings_evidence(live: LiveBank, deputy: Deputy) -> None:
    assert await number(live, deputy, await session(live, deputy, {**URL, **VERIFIED})) == -32001
    assert live.last()["kind"] == "approval.refused"  # and nobody is asked


class TestNoAuthority:
    """An id grants nothing."""

    async def test_without_a_token_it_is_nothing(self, live: LiveBank, deputy: Deputy) -> None:
        given = await session(live, deputy, URL)
        answer = await live.post(LIST, None, **{"mcp-session-id": given})
        assert answer.status_code == 401

    async def test_what_a_delegation_may_not_do_it_may_not_do_with_an_id(self, live: LiveBank) -> None:
        deputy = await live.deputy(scope="account:read")
        given = await session(live, deputy, URL)
        with_id = await live.post(CALL, deputy.agent, **{"mcp-session-id": given})
        without = await live.post(CALL, deputy.agent)
        assert with_id.status_code == without.status_code == 403
        assert with_id.headers["www-authenticate"] == without.headers["www-authenticate"]

    async def test_a_revoked_grant_is_told_before_a_bad_id(self, live: LiveBank, deputy: Deputy) -> None:
        given = await session(live, deputy, URL)
        await live.revoke(str(deputy.agent.tokens["grant_id"]))
        for each in (given, "made-up"):
            answer = await live.post(LIST, deputy.agent, **{"mcp-session-id": each})
            assert answer.status_code == 401

    async def test_it_tells_nothing_of_who_has_it(self, live: LiveBank, deputy: Deputy) -> None:
        given = await session(live, deputy, URL)
        assert given.count(".") == 1
        _, (form, whose, asks) = orjson.loads(unb64u(given.partition(".")[0]))
        assert (form, len(whose), asks) == (1, 43, "url")  # a digest between the two


class TestUnknown:
    """404, as the transport says, so that the client initializes again."""

    @pytest.mark.parametrize("bad", ["made-up", "", ".", "..", "a b", "a.b", "0" * 600, "A" * 30_000])
    async def test_what_nobody_here_has_made(self, live: LiveBank, deputy: Deputy, bad: str) -> None:
        for message in (LIST, CALL, {"jsonrpc": "2.0", "method": "notifications/initialized"}):
            headers = {"mcp-session-id": bad}
            answer = await live.post(message, deputy.agent, **headers)
            assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (404, "not_found")
            assert "initialize" in answer.json()["error"]["message"].lower()

    async def test_each_changed_character(self, live: LiveBank, deputy: Deputy) -> None:
        given = await session(live, deputy, URL)
        for at in range(0, len(given), 7):
            changed = given[:at] + ("A" if given[at] != "A" else "B") + given[at + 1 :]
            answer = await live.post(LIST, deputy.agent, **{"mcp-session-id": changed})
            assert answer.status_code == 404

    async def test_one_of_another_user(self, live: LiveBank, deputy: Deputy) -> None:
        other = await live.deputy()
        given = await session(live, other, URL)
        assert (await live.post(LIST, deputy.agent, **{"mcp-session-id": given})).status_code == 404

    async def test_one_that_was_made_for_something_else(self, live: LiveBank, deputy: Deputy) -> None:
        sealer = live.deputize.authority.sealer
        for purpose in ("session", "csrf", "refresh", "nonce"):
            other = sealer.seal(purpose, [1, "x", "url"])
            answer = await live.post(LIST, deputy.agent, **{"mcp-session-id": other})
            assert answer.status_code == 404

    @pytest.mark.parametrize("value", [None, [], [2, "", "url"], [1, "", "url"], {"a": 1}, [1, "", "url", 5]])
    async def test_one_in_another_form(self, live: LiveBank, deputy: Deputy, value: Any) -> None:
        older = live.deputize.authority.sealer.seal("mcp_session", value)
        assert (await live.post(LIST, deputy.agent, **{"mcp-session-id": older})).status_code == 404

    def test_one_that_is_older_than_a_week(self) -> None:
        clock = Clock()
        sealer, ada = Sealer(b"s" * 32, clock), Principal(UserId("usr_ada"), None)
        given = declaring.session_id(sealer, "https://a.example", ada, declaring.Asks.URL)
        assert given is not None
        clock.forward(7 * 86400 - 1)
        assert declaring.of_session(sealer, "https://a.example", ada, [given]) is declaring.Asks.URL
        assert declaring.of_session(sealer, "https://b.example", ada, [given]) is None  # of another authority
        clock.forward(1)
        assert declaring.of_session(sealer, "https://a.example", ada, [given]) is None

    async def test_two_at_once(self, live: LiveBank, deputy: Deputy) -> None:
        given = await session(live, deputy, URL)
        token = deputy.agent.tokens["access_token"]
        headers = [
            ("content-type", "application/json"),
            ("authorization", f"DPoP {token}"),
            ("dpop", deputy.agent.proof("/mcp", token)),
            ("mcp-session-id", given),
            ("mcp-session-id", given),
        ]
        async with httpx2.AsyncClient() as http:
            assert (await http.post(live.url, headers=headers, json=LIST)).status_code == 404


async def test_another_consent_does_not_end_it(live: LiveBank, deputy: Deputy) -> None:
    """It is the client's, and not the grant's."""
    given = await session(live, deputy, URL)
    await deputy.agent.deputized(deputy.page, ALL)
    assert await number(live, deputy, given) == -32042


async def test_who_begins_anew_need_not_leave_the_old_one_out(live: LiveBank, deputy: Deputy) -> None:
    client = {"name": "x", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": URL, "clientInfo": client}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    opened = await live.post(message, deputy.agent, **{"mcp-session-id": "made-up"})
    assert (opened.status_code, "mcp-session-id" in opened.headers) == (200, True)


async def test_in_2026_07_28_there_are_none(live: LiveBank, deputy: Deputy) -> None:
    """Each request says itself what its client can do."""
    headers = {"mcp-protocol-version": MODERN, "mcp-method": "tools/list", "mcp-session-id": "made-up"}
    message = {**LIST, "params": {"_meta": ENVELOPE}}
    answer = await live.post(message, deputy.agent, **headers)
    assert answer.status_code == 200
    assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize(
    "capabilities", [None, 5, "x", [], {"elicitation": 5}, {"elicitation": {"url": 5}}, {"extensions": []}]
)
def test_what_is_no_declaration_declares_nothing(capabilities: Any) -> None:
    assert declaring.asks(capabilities, "2025-11-25") is declaring.Asks.NONE
