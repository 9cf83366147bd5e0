"""The way of one call over HTTP (PROTOCOL §5)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import ANY

import httpx2
import orjson
import pytest
from tests.bank import ISSUER, ORIGIN, Bank
from tests.web.agents import seen

from deputize.crypto import jwt
from deputize.protocol.canonical import Json, args_s256
from deputize.protocol.errors import Code, Refused
from deputize.testing.page import Page
from deputize.web import context

pytestmark = pytest.mark.anyio

TRANSFER: dict[str, Json] = {"amount": 250, "name": "Ada"}

BROWSER = "Asked by: The agent in your browser · any assistant or script there"
"""Who asks, where it is the agent in this browser."""


def verdict(answer: httpx2.Response) -> tuple[int, str]:
    """Say how an answer came out."""
    body = answer.json()
    return answer.status_code, body.get("code") or body["state"]


class TestDecision:
    async def test_allows_with_a_call_token_and_an_entry(
        self, bank: Bank, grace: Page
    ) -> None:  # CALL-3, TOKEN-3
        answer = await grace.call("get_balance")
        assert verdict(answer) == (200, "approved")
        body = answer.json()
        token = jwt.parse(body["call_token"])
        assert token.header["typ"] == "txntoken+jwt"
        assert token.claims["aud"] == ORIGIN
        assert token.claims["txn"] == body["call_id"]
        claims: dict[str, Any] = token.claims
        assert claims["exp"] - claims["iat"] == body["expires_in"] == 30
        assert token.claims["rctx"] == {
            "client_id": grace.tokens["client_id"],
            "grant_id": grace.tokens["grant_id"],
        }
        entry = bank.last()
        assert token.claims["tctx"] == {
            "tool": "get_balance",
            "args_s256": args_s256({}),
            "approval": None,
            "entry": entry["i"],
        }
        assert (entry["kind"], entry["call_id"]) == ("call.approved", body["call_id"])

    async def test_waits_for_a_human_where_the_policy_says_so(
        self, bank: Bank, grace: Page
    ) -> None:  # CALL-5
        answer = await grace.call("transfer_money", TRANSFER)
        assert verdict(answer) == (202, "pending")
        assert answer.json()["description"] == f"Send \u2068250.00\u2069 EUR to \u2068“Ada”\u2069\n{BROWSER}"
        assert answer.json()["authenticator_class"] == "platform"  # CALL-9
        assert "call_token" not in answer.json()

    async def test_is_described_once_where_it_is_asked_about(self, bank: Bank, grace: Page) -> None:  # APPR-2
        """What a tool has just said of a call, nobody has to compare with what it says."""
        described: list[object] = []

        @bank.deputize.tool(scopes=["payments:write"], approval="always")
        def tip(arguments: Any) -> str:
            described.append(arguments)
            return f"Tip {arguments['name']}"

        asked = [await grace.call("tip", {"name": "Ada", "note": "Well done"}) for _ in range(2)]  # CALL-6
        assert len(described) == 2
        shown = await grace.send("GET", f"/calls/{asked[0].json()['call_id']}")
        assert len(described) == 3
        whole = [each.json()["details"] for each in (*asked, shown)]
        assert (
            whole
            == [[{"title": ANY, "values": [f"\u2068“{text}”\u2069"]} for text in ("Ada", "Well done")]] * 3
        )

    async def test_the_first_refusal_in_order_answers(self, bank: Bank) -> None:  # CALL-1
        page = bank.page()
        assert verdict(await page.send("POST", "/calls", _body("get_balance"))) == (401, "login_required")
        await page.sign_up()
        await page.deputize("account:read")
        assert verdict(await page.call("steal")) == (403, "unknown_tool")
        assert verdict(await page.call("search_help")) == (400, "tool_is_public")  # CALL-8
        assert verdict(await page.call("open_vault")) == (403, "agent_not_allowed")  # AGENT-2
        answer = await page.call("transfer_money", {"amount": "no"})  # scopes come before arguments
        assert verdict(answer) == (403, "insufficient_scope")
        assert answer.json()["scope"] == "payments:write"
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]  # ERR-2
        await page.deputize("payments:write account:admin")
        assert verdict(await page.call("transfer_money", {"amount": "no"})) == (400, "invalid_arguments")
        assert verdict(await page.call("close_account")) == (403, "no_eligible_credential")  # CALL-5
        await bank.revoke(str(page.tokens["grant_id"]))
        assert verdict(await page.call("get_balance")) == (403, "grant_revoked")

    async def test_without_a_record_there_is_no_yes(
        self, bank: Bank, grace: Page, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # CALL-3
        async def fail(_fn: object) -> None:
            raise Refused(Code.RECORD_UNAVAILABLE, "The record cannot be written.")

        monkeypatch.setattr(bank.deputize.store, "transact", fail)
        answer = await grace.call("get_balance")
        assert verdict(answer) == (503, "record_unavailable")
        assert "call_token" not in answer.json()

    @pytest.mark.parametrize("description", ["x" * 600, "\u202e"])
    async def test_what_cannot_be_shown_cannot_be_approved(
        self, bank: Bank, grace: Page, description: str
    ) -> None:  # APPR-2
        answer = await grace.call("transfer_money", {"amount": 1, "name": description})
        if len(description) > 500:
            assert verdict(answer) == (400, "invalid_arguments")
        else:
            assert (
                answer.json()["description"]
                == f"Send \u20681.00\u2069 EUR to \u2068“\ufffd”\u2069\n{BROWSER}"
            )


class TestRequest:
    @pytest.mark.parametrize(
        ("raw", "code"),
        [
            (
                b'{"tool":"get_balance","arguments":{},"definition_s256":"x","tool":"steal"}',
                "invalid_request",
            ),
            (
                b'{"tool":"get_balance","arguments":{"a":NaN},"definition_s256":"x"}',
                "invalid_request",
            ),  # JSON-1
            (b'{"tool":"get_balance","arguments":{"a":9007199254740992}}', "invalid_request"),  # JSON-2
            (b'{"tool":"get_balance","arguments":{"a":"\\ud800"}}', "invalid_request"),
            (b"[]", "invalid_request"),
            (b"", "invalid_request"),
            (b'{"tool":"get_balance","arguments":[],"definition_s256":"x"}', "invalid_request"),
            (b'{"tool":"get_balance","arguments":{},"definition_s256":"x"}', "invalid_request"),
            (b'{"tool":"get_balance","arguments":{}}', "invalid_request"),
            (b" " * 65537, "payload_too_large"),  # JSON-3
        ],
    )
    async def test_bodies_are_strict(self, bank: Bank, grace: Page, raw: bytes, code: str) -> None:
        answer = await grace.http.post(
            f"{ISSUER}/calls", content=raw, headers={"content-type": "application/json", **_authorized(grace)}
        )
        assert answer.json()["code"] == code

    async def test_unknown_members_are_refused(self, bank: Bank, grace: Page) -> None:  # JSON-3
        assert verdict(await grace.call("get_balance", approved=True)) == (400, "invalid_request")

    @pytest.mark.parametrize("name", ["", "deputize.consent", "a b", "a\x00b", "x" * 129])
    async def test_tool_names_that_blur_the_hash_are_refused(
        self, bank: Bank, grace: Page, name: str
    ) -> None:
        assert verdict(await grace.call(name)) == (400, "invalid_request")  # HASH-2

    async def test_is_json_or_refused(self, bank: Bank, grace: Page) -> None:
        answer = await grace.http.post(
            f"{ISSUER}/calls", content=b"{}", headers={"content-type": "text/plain"}
        )
        assert verdict(answer) == (415, "unsupported_media_type")

    async def test_a_token_without_its_key_is_nothing(self, bank: Bank, grace: Page) -> None:  # PROOF-1
        thief = bank.page(same_browser_as=grace)
        thief.tokens = grace.tokens
        assert verdict(await thief.call("get_balance")) == (401, "invalid_dpop_proof")

    async def test_a_proof_is_used_once(self, bank: Bank, grace: Page) -> None:  # PROOF-2
        headers = _authorized(grace)
        answers = [
            await grace.send("POST", "/calls", _body("get_balance"), headers, page=False) for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [200, 401]
        assert answers[1].json()["code"] == "invalid_dpop_proof"

    @pytest.mark.parametrize("offset", [-31, 31])
    async def test_a_proof_out_of_time_tells_the_time(
        self, bank: Bank, grace: Page, offset: int
    ) -> None:  # SHIM-3
        headers = _authorized(grace)
        bank.clock.forward(offset)
        answer = await grace.send("POST", "/calls", _body("get_balance"), headers, page=False)
        assert (answer.json()["code"], answer.json()["now"]) == ("invalid_dpop_proof", int(bank.clock()))

    @pytest.mark.parametrize("header", ["Bearer x", "DPoP", "DPoP a.b.c", "DPoP x y"])
    async def test_tokens_that_are_not_ours_are_refused(
        self, bank: Bank, grace: Page, header: str
    ) -> None:  # TOKEN-1
        headers = {**_authorized(grace), "authorization": header}
        answer = await grace.send("POST", "/calls", _body("get_balance"), headers, page=False)
        assert verdict(answer) == (401, "invalid_token")
        assert answer.headers["www-authenticate"].startswith("DPoP ")  # ERR-2

    async def test_a_call_token_is_no_delegation(self, bank: Bank, grace: Page) -> None:  # TOKEN-3
        call = (await grace.call("get_balance")).json()
        grace.tokens["access_token"] = call["call_token"]
        assert verdict(await grace.call("get_balance")) == (401, "invalid_token")


class TestMeeting:
    async def test_an_approved_call_is_resumed_with_a_fresh_token(
        self, bank: Bank, grace: Page
    ) -> None:  # CALL-6
        first = (await grace.call("transfer_money", TRANSFER)).json()
        await grace.confirm(f"/calls/{first['call_id']}")
        bank.clock.forward(100)
        again = await grace.call("transfer_money", TRANSFER)
        assert verdict(again) == (200, "approved")
        assert again.json()["call_id"] == first["call_id"]
        claims: dict[str, Any] = jwt.parse(again.json()["call_token"]).claims
        assert claims["tctx"]["approval"]["method"] == "webauthn"
        assert bank.last()["resumed"] is True

    @pytest.mark.parametrize("way", ["events", "delivered"])
    async def test_a_delivered_one_may_be_repeated(
        self, bank: Bank, grace: Page, way: str
    ) -> None:  # CALL-10
        call_id = await _redeemed(grace)
        await grace.send("POST", f"/calls/{call_id}/outcome", {"outcome": "succeeded"})
        if way == "events":
            await grace.send("POST", f"/calls/{call_id}/events", {"type": "delivered"})
        more: dict[str, Any] = {"delivered": [call_id]} if way == "delivered" else {}
        answer = await grace.call("note", **more)
        assert verdict(answer) == (200, "approved")
        assert answer.json()["call_id"] != call_id


class TestExpiry:
    async def test_a_pending_call_waits_600_seconds(self, bank: Bank, grace: Page) -> None:  # CALL-4
        call = (await grace.call("transfer_money", TRANSFER)).json()
        bank.clock.forward(599)
        assert (await _look(grace, call["call_id"])).json()["state"] == "pending"  # CALL-9
        bank.clock.forward(1)  # TOKEN-5
        assert (await _look(grace, call["call_id"])).json()["state"] == "expired"
        assert (bank.last()["kind"], bank.last()["call_id"]) == ("call.expired", call["call_id"])
        answer = await grace.confirm(f"/calls/{call['call_id']}")
        assert verdict(answer) == (409, "expired")


class TestOwnership:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/challenge", None),
            ("/approval", {"method": "webauthn", "challengeId": "x", "response": {}}),
            ("/denial", {"reason": "declined"}),
            ("/events", {"type": "delivered"}),
            ("/outcome", {"outcome": "succeeded"}),
        ],
    )
    async def test_somebody_elses_call_is_unknown(
        self, bank: Bank, grace: Page, path: str, body: dict[str, Any] | None
    ) -> None:  # CALL-2
        call = (await grace.call("transfer_money", TRANSFER)).json()
        mallory = bank.page()
        await mallory.sign_up("Mallory")
        tab = bank.page(same_browser_as=grace)
        for page in (mallory, tab):
            answer = await page.send("POST", f"/calls/{call['call_id']}{path}", body)
            assert verdict(answer) == (404, "call_unknown")

    async def test_a_call_id_alone_opens_nothing(self, bank: Bank, grace: Page) -> None:
        call = (await grace.call("transfer_money", TRANSFER)).json()
        answer = await grace.http.get(f"{ISSUER}/calls/{call['call_id']}")
        assert verdict(answer) == (401, "invalid_dpop_proof")


class TestDirect:
    """The user's own call, for the site's human forms (CALL-7)."""

    async def test_is_always_approved_and_names_no_agent(self, bank: Bank) -> None:
        page = bank.page()
        await page.sign_up()
        answer = await page.send("POST", "/calls", _body("transfer_money", TRANSFER))
        assert verdict(answer) == (202, "pending")
        assert answer.json()["agent"] is None
        done = await page.confirm(f"/calls/{answer.json()['call_id']}")
        assert verdict(done) == (200, "approved")
        claims = jwt.parse(done.json()["call_token"]).claims
        assert claims["rctx"] == {"client_id": None, "grant_id": None}
        arrival = next(entry for entry in bank.entries() if entry.get("call_id") == answer.json()["call_id"])
        assert (arrival["kind"], arrival["asked_by"]) == ("call.pending", "page")
        assert "client_id" not in arrival
        told = seen((await page.http.get(f"{bank.issuer}/account/history")).text)
        assert "Asked by <strong>The site’s own page</strong>" in told
        assert "You yourself" not in told

    async def test_our_warning_is_not_drawn_as_the_words_of_whoever_asked(self, bank: Bank) -> None:
        """APPR-2: in the history it stands beside the value, outside of the mark."""
        page = bank.page()
        await page.sign_up()
        await page.send("POST", "/calls", _body("transfer_money", {**TRANSFER, "name": "\u0410da"}))
        told = (await page.http.get(f"{bank.issuer}/account/history")).text
        warned = " (mixed alphabets: Cyrillic and Latin)"
        assert f'<bdi class="said">“\u0410da”</bdi>{warned}</dd>' in seen(told)
        assert f"{warned}</bdi>" not in told


def _body(tool: str, arguments: dict[str, Json] | None = None) -> dict[str, Json]:
    return {"tool": tool, "arguments": arguments or {}, "definition_s256": args_s256({"name": tool})}


def _authorized(page: Page) -> dict[str, str]:
    token = str(page.tokens["access_token"])
    return {"authorization": f"DPoP {token}", "dpop": page.proof("POST", "/calls", token)}


async def _redeemed(page: Page) -> str:
    """Call and redeem a tool that runs in the page, without reporting its outcome."""
    call = (await page.call("note")).json()
    answer = await page.send(
        "POST", f"/calls/{call['call_id']}/redemption", {"call_token": call["call_token"]}
    )
    assert answer.json()["state"] == "redeemed", orjson.dumps(answer.json())
    return str(call["call_id"])


async def _look(page: Page, call_id: str) -> httpx2.Response:
    path = f"/calls/{call_id}"
    return await page.http.get(ISSUER + path, headers={"deputize-page": page.proof("GET", path)})


async def _again(page: Page, tool: str) -> dict[str, Any]:
    await page.refresh()
    body: dict[str, Any] = (await page.call(tool)).json()
    return body


async def test_waiting_with_the_body_stops_no_clock(bank: Bank, grace: Page) -> None:  # JSON-4
    """A request that began in time and ends after the grant has run out is judged by neither second."""

    async def late(body: Json) -> AsyncIterator[bytes]:
        bank.clock.forward(31)
        yield orjson.dumps(body)

    headers = {**_authorized(grace), "content-type": "application/json", "origin": ORIGIN}
    answer = await grace.http.post(f"{ISSUER}/calls", content=late(_body("note")), headers=headers)
    assert verdict(answer) == (408, "request_timeout")
    assert bank.last()["kind"] == "grant.active"


@pytest.mark.parametrize("before", [[], [b"{"], [b"{", b'"tool"']])
@pytest.mark.parametrize("path", ["/calls", "/mcp", "/token", "/account/sign-in"])
async def test_a_body_that_does_not_come_is_not_waited_for(
    bank: Bank, grace: Page, monkeypatch: pytest.MonkeyPatch, path: str, before: list[bytes]
) -> None:  # JSON-4
    """The clock runs while nothing arrives."""

    async def stuck() -> AsyncIterator[bytes]:
        for chunk in before:
            yield chunk
        await asyncio.Event().wait()

    monkeypatch.setattr(context, "MAX_DELAY", 0.05)
    form = path == "/token"
    media_type = "application/x-www-form-urlencoded" if form else "application/json"
    headers = {**_authorized(grace), "content-type": media_type, "origin": ORIGIN}
    async with bank.client() as http:
        answer = await http.post(ISSUER + path, content=stuck(), headers=headers)
    said = answer.json()
    code = said["error"] if form else said["error"]["data"]["code"] if path == "/mcp" else said["code"]
    assert code == "request_timeout"
    assert answer.status_code == (400 if form else 408)


async def test_however_many_run_out_none_is_left(bank: Bank, grace: Page) -> None:  # CALL-4
    """More may run out between two sweeps than anybody should have to wait behind in one transaction."""
    for number in range(1, 202):
        await grace.call("transfer_money", {**TRANSFER, "amount": number})
    bank.clock.forward(600)
    now = int(bank.clock())
    await bank.deputize.sweep(now, now)
    assert await bank.deputize.store.transact(lambda tx: tx.overdue_calls(now, 1)) == []
