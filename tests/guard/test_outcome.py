"""When an outcome is told, and what it is, for whatever an ASGI app sends (GUARD-5)."""

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from deputize.guard.outcome import Outcome, outcome_of, watched
from deputize.protocol.call import State
from deputize.protocol.ids import CallId

pytestmark = pytest.mark.anyio

START = {"type": "http.response.start", "status": 200, "headers": []}
PART = {"type": "http.response.body", "body": b"a", "more_body": True}
LAST = {"type": "http.response.body", "body": b"b"}
FILE = {"type": "http.response.pathsend", "path": "/a"}
HINT = {"type": "http.response.early_hint", "links": []}
TOLD = "told succeeded"


async def watch(
    *messages: dict[str, Any], ends: BaseException | None = None, scope: Any = None
) -> list[object]:
    """Return what was told and sent, in order, when an app sends these messages and then ends in this way."""
    log: list[object] = []

    async def tell(call_id: CallId, outcome: State) -> None:
        log.append(f"told {outcome}")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if ends is not None:
            raise ends

    async def send(message: Any) -> None:
        log.append(message["type"].rpartition(".")[2])

    async def receive() -> Any:
        raise AssertionError

    with nullcontext() if ends is None else pytest.raises(type(ends)):
        await watched(Outcome(tell, CallId("cal_1")).report, app, scope or {}, receive, send)
    return log


async def test_it_is_told_before_the_last_part_is_sent() -> None:
    """GUARD-5: so whoever has the answer finds the outcome there."""
    assert await watch(START, PART, PART, LAST) == ["start", "body", "body", TOLD, "body"]
    assert await watch(START, FILE) == ["start", TOLD, "pathsend"]


async def test_other_messages_end_no_answer() -> None:
    assert await watch(HINT, START, HINT, LAST) == ["early_hint", "start", "early_hint", TOLD, "body"]


async def test_an_answer_without_an_end_is_unknown() -> None:
    """GUARD-5"""
    for messages in ((), (START,), (START, PART)):
        assert (await watch(*messages))[-1] == "told unknown"
        assert (await watch(*messages, ends=ValueError()))[-1] == "told unknown"


async def test_a_refusal_by_the_handler_is_its_answer_only_while_nothing_was_sent() -> None:
    """GUARD-5: after the head of another answer nobody can send it."""
    assert await watch(ends=HTTPException(409)) == ["told failed"]
    assert await watch(START, ends=HTTPException(409)) == ["start", "told unknown"]


async def test_what_follows_the_end_changes_nothing() -> None:
    assert await watch(START, LAST, ends=ValueError()) == ["start", TOLD, "body"]


async def test_a_cancelled_task_tells_that_nobody_knows() -> None:
    """GUARD-5: at once, and not by the authority's own clock (CALL-4)."""
    log = await watch(START, PART, ends=asyncio.CancelledError())
    await told(log, "told unknown")
    assert log == ["start", "body", "told unknown"]
    log = await watch(START, LAST, ends=asyncio.CancelledError())
    await told(log, TOLD)
    assert log.count("told unknown") == 0


async def told(log: list[object], what: str) -> None:
    for _ in range(1000):
        if what not in log:
            await asyncio.sleep(0)
    assert what in log


@pytest.mark.parametrize(
    ("scope", "start"),
    [
        ({"method": "HEAD"}, {**START, "headers": [(b"content-length", b"7")]}),
        ({}, {**START, "status": 204}),
        ({}, {**START, "status": 304}),
        ({}, {**START, "headers": [(b"Content-Length", b"0")]}),
    ],
)
async def test_an_answer_that_is_a_head_only_is_told_of_before_that_is_sent(
    scope: dict[str, Any], start: dict[str, Any]
) -> None:
    """GUARD-5: with it the client has all of the answer."""
    assert await watch(start, LAST, scope=scope) == [TOLD, "start", "body"]


@pytest.mark.parametrize("outcome", [State.SUCCEEDED, State.UNKNOWN])
async def test_what_is_being_told_is_told_to_the_end(outcome: State) -> None:
    """Whoever goes away while it is told: half told would be not told, and never be tried again."""
    log: list[object] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def tell(call_id: CallId, state: State) -> None:
        begun.set()
        await go_on.wait()
        log.append(f"told {state}")

    task = asyncio.create_task(
        Outcome(tell, CallId("cal_1")).report(200 if outcome is State.SUCCEEDED else None)
    )
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await told(log, f"told {outcome}")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, State.SUCCEEDED),
        (399, State.SUCCEEDED),
        (400, State.FAILED),
        (499, State.FAILED),
        (500, State.UNKNOWN),
        (None, State.UNKNOWN),
    ],
)
async def test_the_status_of_an_answer_is_its_outcome(status: int | None, outcome: State) -> None:
    """GUARD-5"""
    assert outcome_of(status) is outcome
