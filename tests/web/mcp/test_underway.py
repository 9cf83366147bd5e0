"""While a handler runs: its client hears how far it is, and may call it off (MCP-19, MCP-20)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import anyio
import httpx2
import orjson
import pytest
from tests.web.mcp.conftest import LEGACY, MODERN, Deputy, LiveBank
from tests.web.mcp.test_transport import ENVELOPE

from deputize import settings as policies
from deputize.app import Deputize, HandledCall, ToolFailed
from deputize.web.mcp import usual

pytestmark = pytest.mark.anyio

POLICY = b"""
[site]
name = "Bank"
origin = "http://localhost"
[mcp]
single_user = "ada"
[scopes.money]
title = "Money"
[tools.pay]
scopes = ["money"]
[tools.look]
public = true
"""
OLD = "2025-11-25"
BOTH = pytest.mark.parametrize("version", [OLD, MODERN])


@dataclass
class Client:
    """One request to the endpoint, as a server passes it on: what was sent back, and a connection that can close."""

    site: "Site"
    message: dict[str, Any]
    headers: dict[str, str]
    status: int = 0
    said: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    breaks: bool = False
    _read: bool = False

    def __post_init__(self) -> None:
        self.task = asyncio.ensure_future(self._serve())

    async def _serve(self) -> None:
        lines = {"host": "localhost", "content-type": "application/json", **self.headers}
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/mcp",
            "raw_path": b"/mcp",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in lines.items()],
            "client": ("127.0.0.1", 1),
            "scheme": "http",
        }
        await self.site.deputize._mcp(scope, self._receive, self._send)

    async def _receive(self) -> Any:
        if not self._read:
            self._read = True
            return {"type": "http.request", "body": orjson.dumps(self.message), "more_body": False}
        await self.closed.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        assert not self.whole, "nothing comes after the end"
        if self.breaks:
            raise OSError("the client has gone")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.said = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")
            self.whole = not message.get("more_body", False)
            self.heard.set()

    @property
    def events(self) -> list[Any]:
        """Read the stream."""
        assert self.said["content-type"] == "text/event-stream"
        events = [each for each in self.body.decode().split("\n\n") if each]
        return [orjson.loads(each.removeprefix("event: message\ndata: ")) for each in events]


@dataclass
class Site:
    """A site for one person on this machine, who needs no delegation, with one tool whose handler a test says."""

    deputize: Deputize
    handler: Callable[[Any, HandledCall], object] = lambda arguments, call: None

    def call(
        self,
        version: str,
        message_id: object = 1,
        token: object = None,
        accept: str = "application/json, text/event-stream",
        tool: str = "pay",
        **headers: str,
    ) -> Client:
        """Call the tool."""
        meta = {} if token is None else {"progressToken": token}
        return self.send(
            version, "tools/call", {"name": tool, "arguments": {}}, message_id, meta, accept, **headers
        )

    def send(
        self,
        version: str,
        method: str,
        params: dict[str, Any],
        message_id: object = None,
        meta: Any = None,
        accept: str = "application/json, text/event-stream",
        **headers: str,
    ) -> Client:
        """Send any message."""
        said = {"mcp-protocol-version": version, "accept": accept, **headers}
        if version == MODERN:
            said |= {"mcp-method": method, "mcp-name": str(params.get("name"))}
            meta = {**ENVELOPE, **(meta or {})}
        message = {"jsonrpc": "2.0", "method": method, "params": {**params, "_meta": meta or {}}}
        return Client(self, message if message_id is None else {**message, "id": message_id}, said)

    async def cancel(self, message_id: object, version: str = OLD, **headers: str) -> int:
        """Say that a request is cancelled."""
        sent = self.send(version, "notifications/cancelled", {"requestId": message_id}, **headers)
        await sent.task
        return sent.status

    async def entries(self) -> list[Any]:
        """Return the record."""
        await asyncio.sleep(0)  # what is under way goes on
        entries = await self.deputize.store.read(lambda tx: tx.entries(0, 1000))
        return [orjson.loads(entry.leaf) for entry in entries]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(Deputize(policies.loads(POLICY), tmp_path / "var"))

    async def async_one(arguments: Any, call: HandledCall) -> object:
        made: Any = site.handler(arguments, call)
        return await made

    for tool in ("pay", "look"):
        site.deputize.handler(tool)(async_one)
    yield site
    await site.deputize.aclose()


@dataclass
class Waiting:
    """A handler that waits."""

    began: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.Event = field(default_factory=asyncio.Event)
    ended: list[str] = field(default_factory=list)
    says: Exception | str | None = None

    async def __call__(self, arguments: Any, call: HandledCall) -> object:
        try:
            self.began.set()
            await self.end.wait()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            if isinstance(self.says, Exception):
                raise self.says from None
            if self.says is None:
                raise
            return self.says
        self.ended.append("done")
        return "done"


async def entry(site: Site, kind: str) -> None:
    """Return when an entry of this kind is the last."""
    async with asyncio.timeout(30):
        while (await site.entries())[-1]["kind"] != kind:
            pass


class TestProgress:
    """MCP-19."""

    @BOTH
    @pytest.mark.parametrize("token", ["t", 7, ""])
    async def test_a_client_hears_how_far_a_handler_is_and_then_the_answer(
        self, site: Site, version: str, token: object
    ) -> None:
        told = asyncio.Event()

        async def pays(arguments: Any, call: HandledCall) -> str:
            call.progress(1, 2, "half")
            await told.wait()
            call.progress(2, 2)
            return "paid"

        site.handler = pays
        client = site.call(version, token=token)
        await client.heard.wait()
        told.set()
        await client.task
        *news, answer = client.events
        assert [each["params"] for each in news] == [
            {"progressToken": token, "progress": 1, "total": 2, "message": "half"},
            {"progressToken": token, "progress": 2, "total": 2},
        ]
        assert {each["method"] for each in news} == {"notifications/progress"}
        assert (answer["id"], answer["result"]["content"][0]["text"]) == (1, "paid")
        assert (client.status, client.whole, (await site.entries())[-1]["kind"]) == (
            200,
            True,
            "call.succeeded",
        )

    @BOTH
    @pytest.mark.parametrize(
        ("token", "accept"),
        [(None, "application/json, text/event-stream"), ("t", "application/json"), ("t", "*/*")],
    )
    async def test_who_does_not_want_to_hear_it_gets_json(
        self, site: Site, version: str, token: object, accept: str
    ) -> None:
        async def pays(arguments: Any, call: HandledCall) -> str:
            call.progress(1)
            return "paid"

        site.handler = pays
        client = site.call(version, token=token, accept=accept)
        await client.task
        assert client.said["content-type"] == "application/json"
        assert orjson.loads(client.body)["result"]["content"][0]["text"] == "paid"

    async def test_without_anything_to_tell_the_answer_is_json(self, site: Site) -> None:
        async def pays(arguments: Any, call: HandledCall) -> str:
            return "paid"

        site.handler = pays
        client = site.call(OLD, token="t")
        await client.task
        assert client.said["content-type"] == "application/json"

    async def test_what_does_not_exceed_what_was_said_or_is_no_figure_is_not_told(self, site: Site) -> None:
        """MCP: “The progress value MUST increase with each notification”."""
        figures = [
            (5, None),
            (5, None),
            (4, None),
            (float("nan"), None),
            (float("inf"), None),
            (6, float("inf")),
        ]

        async def pays(arguments: Any, call: HandledCall) -> str:
            for progress, total in figures:
                call.progress(progress, total)
                for _ in range(20):
                    await asyncio.sleep(0)
            return "paid"

        site.handler = pays
        client = site.call(OLD, token="t")
        await client.task
        assert [each["params"]["progress"] for each in client.events[:-1]] == [5]

    async def test_a_flood_of_it_is_no_flood_to_the_client(self, site: Site) -> None:
        async def pays(arguments: Any, call: HandledCall) -> str:
            for done in range(10_000):
                call.progress(done)
            return "paid"

        site.handler = pays
        client = site.call(OLD, token="t")
        await client.task
        assert [each["params"]["progress"] for each in client.events[:-1]][-1] == 9_999
        assert len(client.events) < 10

    @pytest.mark.parametrize("said", [("half",), (None,), (1, "two"), ([1],)])
    async def test_what_is_no_number_is_an_error_of_the_handler_whoever_listens(
        self, site: Site, said: tuple[Any, ...]
    ) -> None:
        raised: list[Exception] = []

        async def pays(arguments: Any, call: HandledCall) -> str:
            try:
                call.progress(*said)
            except (TypeError, ValueError) as error:
                raised.append(error)
            return "paid"

        site.handler = pays
        await site.call(OLD).task
        assert len(raised) == 1

    async def test_it_is_told_from_a_thread_as_well(
        self, live: LiveBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        heard: list[tuple[float, float | None, str | None]] = []
        told, deputy = Event(), await live.deputy()

        def note(arguments: Any, call: HandledCall) -> str:
            call.progress(1, 2, "half \ud800")
            told.wait(30)
            return "noted"

        async def hears(progress: float, total: float | None, message: str | None) -> None:
            heard.append((progress, total, message))
            told.set()

        monkeypatch.setitem(live.deputize._offers._handlers, "note", note)
        result = await deputy.client.call_tool("note", {}, progress_callback=hears)
        assert (heard, result.is_error) == ([(1, 2, "half ?")], False)

    @pytest.mark.parametrize("mode", [LEGACY, MODERN])
    async def test_the_official_client_hears_it(
        self, live: LiveBank, monkeypatch: pytest.MonkeyPatch, mode: str
    ) -> None:
        heard: list[float] = []
        told, deputy = Event(), await live.deputy(mode)

        async def note(arguments: Any, call: HandledCall) -> str:
            call.progress(1)
            await asyncio.to_thread(told.wait, 30)
            return "noted"

        async def hears(progress: float, total: float | None, message: str | None) -> None:
            heard.append(progress)
            told.set()

        monkeypatch.setitem(live.deputize._offers._handlers, "note", note)
        result = await deputy.client.call_tool("note", {}, progress_callback=hears)
        assert (heard, result.is_error) == ([1], False)


class TestCalledOff:
    """MCP-20."""

    @pytest.mark.parametrize(
        ("says", "kind"),
        [
            (None, "unknown"),
            (ToolFailed("undone"), "failed"),
            (RuntimeError("?"), "unknown"),
            ("late", "succeeded"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("how", ["a notification", "a connection that closes"])
    @pytest.mark.parametrize("judged", [False, True])
    async def test_the_record_says_what_became_of_it(
        self, site: Site, monkeypatch: pytest.MonkeyPatch, how: str, says: Any, kind: str, judged: bool
    ) -> None:
        """Also where the SDK judges the message first."""
        if judged:
            monkeypatch.setattr(usual, "life_of", lambda *_: None)
        site.handler = waiting = Waiting(says=says)
        client = site.call(OLD if how == "a notification" else MODERN, 7, "t")
        await waiting.began.wait()
        if how == "a notification":
            assert await site.cancel(7) == 202
        else:
            client.closed.set()
        await client.task
        assert (client.said["content-type"], client.events) == ("text/event-stream", [])  # nobody is answered
        await entry(site, f"call.{kind}")
        assert waiting.ended == ["cancelled"]

    @pytest.mark.parametrize("breaks", [False, True])
    async def test_what_it_has_said_before_is_told_before_the_end(self, site: Site, breaks: bool) -> None:
        """Also where the server raises an error, since the client has gone (ASGI 2.4)."""
        began = asyncio.Event()

        async def pays(arguments: Any, call: HandledCall) -> None:
            began.set()
            for done in range(10):
                call.progress(done)
            await asyncio.Event().wait()

        site.handler = pays
        client = site.call(OLD, 7, "t")
        client.breaks = breaks
        await began.wait()
        assert await site.cancel(7) == 202
        await asyncio.wait({client.task})
        assert isinstance(client.task.exception(), OSError) is breaks
        assert client.whole is not breaks
        assert (
            [each["params"]["progress"] for each in client.events] == [9] if not breaks else not client.body
        )
        await entry(site, "call.unknown")

    async def test_before_2026_a_connection_that_closes_calls_nothing_off(self, site: Site) -> None:
        """2025-11-25: “Disconnection SHOULD NOT be interpreted as the client cancelling its request”."""
        site.handler = waiting = Waiting()
        client = site.call(OLD)
        await waiting.began.wait()
        client.closed.set()
        assert await site.cancel("other") == 202
        waiting.end.set()
        await client.task
        assert (waiting.ended, (await site.entries())[-1]["kind"]) == (["done"], "call.succeeded")

    @pytest.mark.parametrize("named", [8, "7", 7.5, None, True, [], {"a": 7}])
    async def test_a_notification_that_names_nothing_that_runs_does_nothing(
        self, site: Site, named: object
    ) -> None:
        site.handler = waiting = Waiting()
        client = site.call(OLD, 7)
        await waiting.began.wait()
        assert await site.cancel(named) == 202
        waiting.end.set()
        await client.task
        assert await site.cancel(7) == 202  # nor does one that comes too late
        assert waiting.ended == ["done"]

    async def test_since_2026_a_notification_does_nothing(self, site: Site) -> None:
        site.handler = waiting = Waiting()
        client = site.call(MODERN, 7)
        await waiting.began.wait()
        assert await site.cancel(7, MODERN) == 202
        waiting.end.set()
        await client.task
        assert waiting.ended == ["done"]

    async def test_of_two_that_go_by_one_id_neither_is_called_off(self, site: Site) -> None:
        """Two clients of one grant count from 0, both; what one of them calls off must not be the other's."""
        site.handler = waiting = Waiting()
        clients = [site.call(OLD, 1), site.call(OLD, 1)]
        while [each["kind"] for each in await site.entries()].count("call.redeemed") < 2:
            pass
        assert await site.cancel(1) == 202
        waiting.end.set()
        for client in clients:
            await client.task
        assert waiting.ended == ["done", "done"]

    async def test_nobody_calls_off_what_another_has_asked_for(
        self, live: LiveBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        began, end = Event(), Event()

        async def note(arguments: Any, call: HandledCall) -> str:
            began.set()
            await asyncio.to_thread(end.wait, 30)
            return "noted"

        monkeypatch.setitem(live.deputize._offers._handlers, "note", note)
        ada, bob = await live.deputy(), await live.deputy(page=await live.user("Bob"))
        called = asyncio.ensure_future(live.post(message("note", 1), ada.agent))
        await asyncio.to_thread(began.wait)
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        assert (await live.post(cancelled, bob.agent)).status_code == 202
        assert (await live.post(cancelled)).status_code == 401  # nor somebody whom nobody knows
        end.set()
        assert (await called).json()["result"]["content"][0]["text"] == "noted"

    async def test_a_public_tool_is_called_off_without_any_record(self, site: Site) -> None:
        site.handler = waiting = Waiting()
        client = site.call(MODERN, tool="look")
        await waiting.began.wait()
        before = await site.entries()
        client.closed.set()
        await client.task
        assert waiting.ended == ["cancelled"]
        assert await site.entries() == before

    @BOTH
    async def test_a_server_that_cancels_the_request_calls_it_off(self, site: Site, version: str) -> None:
        site.handler = waiting = Waiting()
        client = site.call(version)
        await waiting.began.wait()
        client.task.cancel()
        await asyncio.wait({client.task})
        await entry(site, "call.unknown")
        assert waiting.ended == ["cancelled"]

    @pytest.mark.parametrize("mode", [LEGACY, MODERN])
    async def test_the_official_client_can(
        self, live: LiveBank, monkeypatch: pytest.MonkeyPatch, mode: str
    ) -> None:
        began, ended, deputy = Event(), Event(), await live.deputy(mode)

        async def note(arguments: Any, call: HandledCall) -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        monkeypatch.setitem(live.deputize._offers._handlers, "note", note)
        async with anyio.create_task_group() as group:
            group.start_soon(deputy.client.call_tool, "note", {})
            await asyncio.to_thread(began.wait, 30)
            group.cancel_scope.cancel()
        assert await asyncio.to_thread(ended.wait, 30)
        await live.until("call.unknown")

    async def test_a_socket_that_closes_calls_it_off(
        self, live: LiveBank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """By the server that we have, over TCP."""
        began, deputy = Event(), await live.deputy()

        async def note(arguments: Any, call: HandledCall) -> None:
            began.set()
            await asyncio.Event().wait()

        monkeypatch.setitem(live.deputize._offers._handlers, "note", note)
        called = asyncio.ensure_future(modern(live, deputy))
        await asyncio.to_thread(began.wait, 30)
        called.cancel()
        await live.until("call.unknown")


def message(tool: str, message_id: int) -> dict[str, Any]:
    """Call a tool."""
    params = {"name": tool, "arguments": {}}
    return {"jsonrpc": "2.0", "id": message_id, "method": "tools/call", "params": params}


async def modern(live: LiveBank, deputy: Deputy) -> httpx2.Response:
    """Call a tool as in 2026-07-28."""
    said = message("note", 1)
    said["params"]["_meta"] = ENVELOPE
    headers = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "note"}
    return await live.post(said, deputy.agent, **headers)
