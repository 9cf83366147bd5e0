"""Handlers run in places of their own, each to its own end: MCP-18 and MCP-20."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from tests.web.mcp.conftest import Deputy, LiveBank
from tests.web.mcp.test_contents import BALANCE

from deputize.app import HandledCall, ToolFailed
from deputize.protocol.call import State
from deputize.protocol.credential import User
from deputize.protocol.ids import CallId, UserId
from deputize.protocol.scope import ScopeSet
from deputize.protocol.tool import Schema
from deputize.web.mcp import handling
from deputize.web.mcp.handling import Handling, Ran, Running
from deputize.web.mcp.progress import Progress

pytestmark = pytest.mark.anyio


def call(name: str = "ada") -> HandledCall:
    user = User(UserId(name), name, b"handle", 0)
    return HandledCall(CallId("cal_1"), user, None, None, ScopeSet(), Progress(None))


def begin(
    places: Handling, handler: Any, schema: Schema | None = None, name: str = "ada", crashed: Any = None
) -> Running:
    return places.begin(handler, {}, call(name), schema, crashed or (lambda error: None))


def code(ran: Ran) -> object:
    structured: Any = ran.result.get("structuredContent", {})
    return structured.get("code")


class TestPlaces:
    async def test_what_a_user_has_too_many_of_is_not_begun_and_that_is_told(self) -> None:
        places, end, ran = Handling(), Event(), []

        def waits(arguments: object, call: HandledCall) -> str:
            ran.append(call.user.user_id)
            end.wait()
            return "done"

        running = [begin(places, waits) for _ in range(handling.THREADS_EACH)]
        one_more = await begin(places, waits).ended
        assert (one_more.outcome, code(one_more)) == (State.FAILED, "too_many_requests")
        other = begin(places, waits, name="bob")
        quick = await begin(places, lambda *_: "quick", name="bob").ended
        end.set()
        assert {(await each.ended).outcome for each in (*running, other)} == {State.SUCCEEDED}
        assert (quick.outcome, ran.count(UserId("ada")), ran.count(UserId("bob"))) == (
            State.SUCCEEDED,
            handling.THREADS_EACH,
            1,
        )
        assert (await begin(places, waits).ended).outcome is State.SUCCEEDED  # its place was given back

    async def test_what_is_async_has_places_of_its_own(self) -> None:
        places, end = Handling(), asyncio.Event()

        async def waits(arguments: object, call: HandledCall) -> None:
            await end.wait()

        running = [begin(places, waits) for _ in range(handling.TASKS_EACH)]
        assert (await begin(places, waits).ended).outcome is State.FAILED
        assert (await begin(places, lambda *_: "in a thread").ended).outcome is State.SUCCEEDED
        end.set()
        assert {(await each.ended).outcome for each in running} == {State.SUCCEEDED}

    async def test_a_thread_keeps_its_place_though_it_was_called_off(self) -> None:
        """Nobody can end it, so whoever calls off and calls again has not more of them for that."""
        places, end = Handling(), Event()
        running = [begin(places, lambda *_: end.wait()) for _ in range(handling.THREADS_EACH)]
        for each in running:
            each.stop()
        assert code(await begin(places, lambda *_: None).ended) == "too_many_requests"
        end.set()
        assert {(await each.ended).outcome for each in running} == {State.SUCCEEDED}


class TestEnds:
    async def test_what_is_called_off_and_says_nothing_is_unknown(self) -> None:
        began = asyncio.Event()

        async def waits(arguments: object, call: HandledCall) -> None:
            began.set()
            await asyncio.Event().wait()

        running = begin(Handling(), waits)
        await began.wait()
        running.stop()
        ran = await running.ended
        assert (ran.outcome, code(ran)) == (State.UNKNOWN, "outcome_unknown")

    @pytest.mark.parametrize("says", ["nothing was done", "it was done"])
    async def test_what_is_called_off_may_say_what_it_did(self, says: str) -> None:
        began = asyncio.Event()

        async def undoes(arguments: object, call: HandledCall) -> str:
            try:
                began.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                assert call.cancelled
                if says == "nothing was done":
                    raise ToolFailed(says) from None
            return says

        running = begin(Handling(), undoes)
        await began.wait()
        running.stop()
        expected = State.FAILED if says == "nothing was done" else State.SUCCEEDED
        assert (await running.ended).outcome is expected

    async def test_what_runs_in_a_thread_can_look_whether_it_was_called_off(self) -> None:
        began = Event()

        def looks(arguments: object, call: HandledCall) -> str:
            began.set()
            while not call.cancelled:
                pass
            raise ToolFailed("stopped in time")

        running = begin(Handling(), looks)
        await asyncio.to_thread(began.wait)
        running.stop()
        assert (await running.ended).outcome is State.FAILED

    @pytest.mark.parametrize(
        ("handler", "says"),
        [
            (lambda *_: 1 / 0, "Something went wrong while this ran"),
            (lambda *_: sys.exit("bye"), "Something went wrong while this ran"),
            (lambda *_: object(), "what it returned cannot be sent"),
            (lambda *_: {"balance": "5"}, "what it returned does not fit its output schema"),
            (lambda *_: "5", "what it returned is not structured"),
            (lambda *_: {"balance": 5, "more": "x" * 5_000_000}, "what it returned is JSON of more than"),
        ],
    )
    async def test_whatever_goes_wrong_has_a_typed_answer_and_is_unknown(
        self, handler: Callable[..., object], says: str
    ) -> None:
        crashes: list[Exception] = []
        ran = await begin(Handling(), handler, BALANCE, crashed=crashes.append).ended
        text: Any = ran.result["content"]
        assert says in text[0]["text"]
        assert "Nobody knows whether it was done" in text[0]["text"]
        assert (ran.outcome, code(ran), ran.result["isError"]) == (State.UNKNOWN, "outcome_unknown", True)
        assert len(crashes) == 1  # the owner hears why


class TestRecord:
    """What became of a call stands in the record, whatever its handler returns."""

    @pytest.fixture
    async def deputy(self, live: LiveBank) -> Deputy:
        return await live.deputy()

    @pytest.mark.parametrize(
        ("returned", "state"),
        [({"balance": 5}, "succeeded"), ({"balance": "5"}, "unknown"), (object(), "unknown")],
    )
    async def test_what_does_not_fit_is_told_so_and_is_unknown(
        self,
        live: LiveBank,
        deputy: Deputy,
        monkeypatch: pytest.MonkeyPatch,
        returned: object,
        state: str,
    ) -> None:
        with_schema(live, monkeypatch, "note")
        monkeypatch.setitem(live.deputize._offers._handlers, "note", lambda *_: returned)
        result = await deputy.call("note", {})
        assert live.last()["kind"] == f"call.{state}"
        meta = result.meta or {}
        assert meta["dev.deputize/call"]["state"] == state
        assert result.is_error is (state == "unknown")
        if result.is_error:  # MCP-18: not where clients would hold it to the schema
            assert result.structured_content is None
            assert meta["dev.deputize/error"]["code"] == "outcome_unknown"

    async def test_a_refusal_is_not_held_to_the_output_schema_either(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with_schema(live, monkeypatch, "note", input_schema=BALANCE)
        result = await deputy.call("note", {})
        assert (result.is_error, result.structured_content) == (True, None)
        assert (result.meta or {})["dev.deputize/error"]["code"] == "invalid_arguments"

    async def test_the_schema_is_listed(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with_schema(live, monkeypatch, "note")
        tools = {tool.name: tool.output_schema for tool in (await deputy.client.list_tools()).tools}
        assert tools["note"] == BALANCE.source
        assert {schema for name, schema in tools.items() if name != "note"} == {None}

    async def test_what_an_endpoint_answers_is_held_to_it_and_its_guard_says_what_was_done(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with_schema(live, monkeypatch, "order_card")
        result = await deputy.approved("order_card", {"name": "Ada"})
        assert (result.is_error, live.ledger.done) == (True, [("order_card", {"name": "Ada"})])
        assert "does not fit its output schema" in result.model_dump_json()
        assert (result.meta or {})["dev.deputize/call"]["state"] in ("redeemed", "succeeded")

    async def test_one_that_never_ends_is_called_off_and_unknown(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def waits(arguments: object, call: HandledCall) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(handling, "PATIENCE", 0.01)
        monkeypatch.setitem(live.deputize._offers._handlers, "note", waits)
        result = await deputy.call("note", {})
        assert "called off while it ran" in result.model_dump_json()
        assert result.structured_content is not None
        assert result.structured_content["code"] == "outcome_unknown"
        assert (result.meta or {})["dev.deputize/call"]["state"] == "unknown"
        assert live.last()["kind"] == "call.unknown"

    async def test_one_that_cannot_be_called_off_is_told_of_when_it_ends(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        end = Event()
        monkeypatch.setattr(handling, "PATIENCE", 0.01)
        monkeypatch.setattr("deputize.web.mcp.underway.GRACE", 0.01)
        monkeypatch.setitem(live.deputize._offers._handlers, "note", lambda *_: end.wait() and "late")
        result = await deputy.call("note", {})
        assert "did not end within" in result.model_dump_json()
        assert (result.meta or {})["dev.deputize/call"]["state"] == "redeemed"
        assert live.last()["kind"] == "call.redeemed"
        end.set()
        await live.until("call.succeeded")


def with_schema(live: LiveBank, monkeypatch: pytest.MonkeyPatch, name: str, **more: Any) -> None:
    """Give a tool an output schema."""
    tools = live.deputize.policy.tools
    monkeypatch.setitem(tools, name, replace(tools[name], output_schema=BALANCE, **more))
