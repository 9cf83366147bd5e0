"""What runs, what becomes of it, and what the agent is told: MCP-11 and MCP-12."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from tests.web.mcp.conftest import ANNOTATION, CHAIN, LEGACY, MODERN, TRANSFER, Deputy, LiveBank

from deputize.app import HandledCall, ToolFailed
from deputize.log.log import Log
from deputize.protocol.arguments import Sent
from deputize.protocol.call import State
from deputize.protocol.canonical import args_s256, canonicalize, unb64u
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.credential import User
from deputize.protocol.endpoint import Endpoint
from deputize.protocol.entry import commitment
from deputize.protocol.errors import Code, Refused
from deputize.protocol.ids import CallId, UserId
from deputize.protocol.receipt import Opening, Receipt
from deputize.protocol.scope import ScopeSet
from deputize.protocol.tool import Tool
from deputize.service import record
from deputize.service.record import Signed
from deputize.store.faults import unknown
from deputize.testing.server import Site
from deputize.web.mcp import handling, running
from deputize.web.mcp.running import Gateway

pytestmark = pytest.mark.anyio

ORDER = {"name": "Ada"}
_TEXT = st.text(st.sampled_from(["a", "\ud800", "\udfff", "\0", "\N{GRINNING FACE}"]), max_size=4)
_ODD = st.recursive(
    st.one_of(_TEXT, st.sampled_from([None, True, 2**70, float("nan"), 1.5, b"", object(), {1}])),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT | st.integers(), inner, max_size=2),
    max_leaves=4,
)


@pytest.fixture
async def deputy(live: LiveBank) -> Deputy:
    return await live.deputy()


def text(result: Any) -> str:
    return str(result.content[0].text)


class TestHandlers:
    """MCP-11."""

    @pytest.mark.parametrize(
        ("said", "state", "error", "told"),
        [
            ("hello", "succeeded", False, "hello"),
            ("nothing", "succeeded", False, "Done."),
            ("refuse", "failed", True, "There is no room for notes."),
            ("crash", "unknown", True, "check before trying again"),
        ],
    )
    async def test_what_a_handler_does_becomes_outcome_and_result(
        self, live: LiveBank, deputy: Deputy, said: str, state: str, error: bool, told: str
    ) -> None:
        result = await deputy.call("note", {"text": said})
        assert result.is_error is error
        assert told in text(result)
        assert result.meta is not None
        assert result.meta[CHAIN]["state"] == state
        assert (live.last()["kind"], live.last()["reported_by"]) == (f"call.{state}", "api")

    @given(_ODD, st.booleans())
    async def test_whatever_a_handler_says_can_be_sent(self, said: Any, fails: bool) -> None:
        async def handler(arguments: object, call: HandledCall) -> object:
            if fails:
                raise ToolFailed(said)
            return said

        user = User(UserId("usr_1"), "Ada", b"handle", 0)
        call = HandledCall(None, user, None, None, ScopeSet())
        ran = await handling.run(handler, {}, call, None, lambda error: None)
        body = {"jsonrpc": "2.0", "id": 1, "result": {**ran.result, "_meta": {}}}
        assert orjson.loads(orjson.dumps(body))["result"]["content"][0]["type"] == "text"
        assert ran.outcome is not State.UNKNOWN or not isinstance(said, str)

    async def test_nothing_of_an_unforeseen_error_is_told(
        self, live: LiveBank, deputy: Deputy
    ) -> None:  # ERR-3
        result = await deputy.call("note", {"text": "crash"})
        assert "secret" not in result.model_dump_json()

    async def test_a_handler_is_told_whose_call_it_is(self, live: LiveBank, deputy: Deputy) -> None:
        result = await deputy.call("get_balance")
        (call,) = live.ledger.calls
        assert call.user.name == "Ada Lovelace"
        assert call.client_id == deputy.agent.client_id
        assert call.grant_id == deputy.agent.tokens["grant_id"]
        assert str(call.scopes) == "account:read"
        assert result.meta is not None
        assert result.meta[CHAIN]["call_id"] == call.call_id

    async def test_what_it_does_with_its_arguments_is_done_to_no_call(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # LOG-2, LOG-5
        def spoil(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
            arguments.pop("amount")
            arguments["name"] = object()
            return {"tool": tool}

        monkeypatch.setattr(live.ledger, "note", spoil)
        result = await deputy.approved()
        path = f"{live.issuer}/calls/{(result.meta or {})[CHAIN]['call_id']}/receipt"
        receipt = Receipt.parse((await deputy.page.http.get(path, params={"arguments": "true"})).json())
        assert receipt.opening is not None
        assert (receipt.opens(), receipt.opening.arguments) == (True, TRANSFER)

    async def test_each_call_is_a_new_one(self, live: LiveBank, deputy: Deputy) -> None:
        results = [await deputy.call("note", {"text": "same"}) for _ in range(3)]
        assert len({(result.meta or {})[CHAIN]["call_id"] for result in results}) == 3

    async def test_an_outcome_that_cannot_be_recorded_does_not_take_the_result_away(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = {"name": "transfer_money", "arguments": TRANSFER}
        meta = {ANNOTATION: deputy.evidence(await deputy.challenge())}
        live.ledger.before = lambda: monkeypatch.setattr(live.deputize.store, "transact", no_room)
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**message, "_meta": meta}}
        result = (await live.post(body, deputy.agent)).json()["result"]
        assert result["structuredContent"] == {"tool": "transfer_money", "number": 1}
        assert result["_meta"][CHAIN]["state"] == "redeemed"

    async def test_what_cannot_be_recorded_does_not_run(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # CALL-3
        message = {"name": "transfer_money", "arguments": TRANSFER}
        meta = {ANNOTATION: deputy.evidence(await deputy.challenge())}
        monkeypatch.setattr(live.deputize.store, "transact", no_room)
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**message, "_meta": meta}}
        answer = await live.post(body, deputy.agent)
        assert answer.status_code == 503
        assert answer.json()["error"]["data"]["code"] == "record_unavailable"
        assert live.ledger.done == []

    async def test_what_may_have_been_recorded_does_not_run_and_is_told_with_its_id(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # READY-3
        message = {"name": "transfer_money", "arguments": TRANSFER}
        meta = {ANNOTATION: deputy.evidence(await deputy.challenge())}
        monkeypatch.setattr(live.deputize.store, "transact", in_doubt)
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**message, "_meta": meta}}
        answer = await live.post(body, deputy.agent)
        assert answer.json()["error"]["data"] == {"code": "outcome_unknown", "call_id": "cal_1"}
        assert live.ledger.done == []


async def in_doubt(fn: object) -> None:
    """Fail as a store does whose disk failed while it committed."""
    raise unknown(None, "cal_1")


async def no_room(fn: object) -> None:
    """Fail as a store does whose disk is full."""
    raise Refused(Code.RECORD_UNAVAILABLE, "This could not be recorded, so it was not done.")


class TestChain:
    """MCP-11: agent, delegation, arguments, approval, decision and outcome under one id, provable from the record."""

    @pytest.mark.parametrize("mode", [LEGACY, MODERN])
    async def test_the_result_has_the_whole_chain(self, live: LiveBank, mode: str) -> None:
        deputy = await live.deputy(mode)
        envelope = await deputy.challenge()
        result = await deputy.call(evidence=deputy.evidence(envelope))
        chain = (result.meta or {})[CHAIN]
        assert {**chain, "args_salt": "", "call_id": "", "entries": ""} == {
            "call_id": "",
            "agent": {"client_id": deputy.agent.client_id, "assurance": "registered"},
            "grant_id": deputy.agent.tokens["grant_id"],
            "tool": "transfer_money",
            "args_s256": args_s256(TRANSFER),
            "args_salt": "",
            "approval": {"challenge_id": envelope["challengeId"], "method": "webauthn"},
            "state": "succeeded",
            "entries": "",
        }
        told = [entry for entry in live.entries() if entry["i"] in chain["entries"]]
        assert [entry["kind"] for entry in told] == ["call.approved", "call.redeemed", "call.succeeded"]
        assert {entry["call_id"] for entry in told} == {chain["call_id"]}
        approved = told[0]
        assert approved["challenge_id"] == envelope["challengeId"]
        salted = commitment(unb64u(chain["args_salt"]), canonicalize(TRANSFER))
        assert approved["args_commitment"] == salted  # LOG-2
        opening = Opening(TRANSFER, unb64u(chain["args_salt"]))
        receipt = live.deputize.store.look(
            lambda tx: record.prove(tx, chain["entries"], Signed(tx.head().size, ""), opening)
        )
        head = live.deputize.store.look(lambda tx: tx.head())
        assert receipt.unproven(Checkpoint("bank", head.size, head.root())) == []  # LOG-5
        assert receipt.opens()

    async def test_an_unapproved_call_says_that_nobody_approved(self, live: LiveBank, deputy: Deputy) -> None:
        result = await deputy.call("get_balance")
        assert (result.meta or {})[CHAIN]["approval"] is None


class TestEndpoint:
    """MCP-12: the site's API does it, behind its guard."""

    async def test_the_guard_redeems_and_reports(self, live: LiveBank, deputy: Deputy) -> None:
        result = await deputy.approved("order_card", ORDER)
        assert (result.is_error, result.structured_content) == (False, {"ordered": True})
        assert live.ledger.done == [("order_card", ORDER)]
        call_id = CallId((result.meta or {})[CHAIN]["call_id"])
        kinds = [entry["kind"] for entry in live.entries() if entry.get("call_id") == call_id]
        while "call.succeeded" not in kinds:  # the guard reports when its answer is on its way
            await asyncio.sleep(0)
            kinds = [entry["kind"] for entry in live.entries() if entry.get("call_id") == call_id]
        assert kinds == ["call.approved", "call.redeemed", "call.succeeded"]

    async def test_what_the_api_refuses_is_told_and_will_not_be_done_later(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(live.deputize.policy.tools, "order_card", at(live, "/api/nowhere"))
        result = await deputy.approved("order_card", ORDER)
        assert result.is_error
        assert (result.meta or {})[CHAIN]["state"] == "cancelled"
        assert live.last()["kind"] == "call.cancelled"
        assert live.ledger.done == []

    async def test_an_api_that_does_not_answer_has_done_nothing(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nobody = at(live, "/api/cards", "http://localhost:1")
        monkeypatch.setitem(live.deputize.policy.tools, "order_card", nobody)
        result = await deputy.approved("order_card", ORDER)
        assert result.is_error
        assert "nothing was done" in text(result)
        assert (result.meta or {})[CHAIN]["state"] == "cancelled"

    async def test_one_that_nobody_guards_is_told_to_the_owner(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It answered, and nobody redeemed the call: whoever reaches it needs no call at all."""

        async def cards(request: Request) -> Response:
            return JSONResponse({"ordered": True})

        lines = io.BytesIO()
        log = Log(lines)
        monkeypatch.setattr(live.deputize.log, "_lines", log._lines)
        with Site(lambda _: Starlette(routes=[Route("/api/cards", cards, methods=["POST"])])) as site:
            monkeypatch.setitem(live.deputize.policy.tools, "order_card", at(live, "/api/cards", site.url))
            result = await deputy.approved("order_card", ORDER)
        assert (result.is_error, (result.meta or {})[CHAIN]["state"]) == (False, "approved")
        assert log.flush()
        (line,) = [
            each for each in map(orjson.loads, lines.getvalue().splitlines()) if each["event"] == "unguarded"
        ]
        assert line["correlation_id"] == (result.meta or {})[CHAIN]["call_id"]
        assert (line["tool"], line["endpoint"]) == ("order_card", f"POST {site.url}/api/cards")

    async def test_it_needs_the_approval_all_the_same(self, live: LiveBank, deputy: Deputy) -> None:
        with pytest.raises(Exception, match="evidence"):
            await deputy.call("order_card", ORDER)
        assert live.ledger.done == []


DEEP = "[" * 400 + "]" * 400  # can be read, and not be written


def at(live: LiveBank, path: str, origin: str | None = None) -> Tool:
    """Return the tool with its endpoint elsewhere."""
    return replace(
        live.deputize.policy.tools["order_card"],
        endpoint=Endpoint.parse(f"POST {origin or live.origin}{path}"),
    )


class TestGateway:
    """MCP-12: one request, no redirects, bounds on what comes back."""

    @pytest.fixture
    async def gateway(self) -> AsyncIterator[Gateway]:
        gateway = Gateway()
        yield gateway
        await gateway.aclose()

    @pytest.fixture
    def api(self) -> Iterator[Any]:
        seen: list[Any] = []

        async def endpoint(request: Request) -> Response:
            seen.append((request.url.path, await request.body(), request.headers.get("txn-token")))
            match request.url.path:
                case "/moved":
                    return RedirectResponse("/json")
                case "/large":
                    return PlainTextResponse("x" * (running.MAX_ANSWER + 1))
                case "/refuses":
                    return JSONResponse({"detail": "no"}, 403)
                case "/text":
                    return PlainTextResponse("It is done.")
                case "/deep":
                    return Response(DEEP, media_type="application/json")
                case "/nothing":
                    return Response(status_code=204)
            return JSONResponse({"a": 1})

        with Site(lambda _: Starlette(routes=[Route("/{path}", endpoint, methods=["GET", "POST"])])) as site:
            yield site.url, seen

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/json", {"structuredContent": {"a": 1}}),
            ("/text", {"content": [{"type": "text", "text": "It is done."}]}),
            ("/deep", {"content": [{"type": "text", "text": DEEP}]}),
            ("/nothing", {"content": [{"type": "text", "text": "The site's API answered with status 204."}]}),
            ("/refuses", {"isError": True, "structuredContent": {"detail": "no"}}),
            ("/moved", {"isError": True}),
        ],
    )
    async def test_passes_the_answer_on(self, gateway: Gateway, api: Any, path: str, expected: Any) -> None:
        url, seen = api
        result = await gateway.send(url, Sent("POST", path, b'{"b":2}'), "token")
        assert result is not None
        assert {name: result[name] for name in expected} == expected
        assert seen == [(path, b'{"b":2}', "token")]  # and a redirect is not followed

    async def test_more_than_can_be_passed_on_is_not(self, gateway: Gateway, api: Any) -> None:
        result = await gateway.send(api[0], Sent("POST", "/large", b"{}"), "token")
        assert "more than can be passed on" in orjson.dumps(result).decode()

    async def test_no_answer_is_none(self, gateway: Gateway) -> None:
        assert await gateway.send("http://localhost:1", Sent("POST", "/x", b"{}"), "token") is None
