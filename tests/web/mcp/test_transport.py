"""Streamable HTTP as MCP asks: what is accepted, what headers repeat, what is answered (MCP-1)."""

from dataclasses import replace
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web.mcp.conftest import MODERN, Deputy, LiveBank

from deputize.protocol.canonical import Json
from deputize.protocol.tool import Schema
from deputize.web.mcp.accepting import takes_json
from deputize.web.mcp.transport import SERVED

pytestmark = pytest.mark.anyio

OLDER = ["2025-06-18", "2025-11-25"]
WITH_BATCHES = ["2024-11-05", "2025-03-26"]
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
BALANCE = {"name": "get_balance", "arguments": {}}
MISMATCH, UNSUPPORTED, NO_METHOD, INVALID = -32020, -32022, -32601, -32602


@pytest.fixture
async def deputy(live: LiveBank) -> Deputy:
    return await live.deputy()


def message(method: str, params: dict[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
    """Make a request of 2026-07-28."""
    params = params or {}
    meta = {**ENVELOPE, **params.get("_meta", {}), **envelope}
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}


def headers(method: str, name: str | None = None, version: str = MODERN) -> dict[str, str]:
    """Make the headers that repeat what a request of 2026-07-28 says."""
    named = {} if name is None else {"mcp-name": name}
    return {"mcp-protocol-version": version, "mcp-method": method, **named}


LISTED = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
RANGES = ["application/json", "application/*", "*/*", "text/html", "text/*"]
TAKEN = [
    *(
        [],
        [""],
        [" , ,"],
        ["*/*"],
        ["application/*"],
        ["application/json;q=0.1"],
        ["text/html, Application/JSON"],
    ),
    *(["APPLICATION/JSON;Q=0.001"], ["application/json ; q=1.000"], ["text/html;q=0", "*/*;q=0.1"]),
    *(
        ["application/json;charset=utf-8"],
        ['application/json;a="x, y;q=0";q=1'],
        ["application/*;q=0, application/json"],
    ),
    *(["*/*;q=0, application/*;q=0.5"], ["application/json;q=0, application/json"], [",application/json,,"]),
    # what cannot be read says nothing
    *(
        ["x"],
        ["application"],
        ["application/json;q=2"],
        ["application/json;q=0.0000"],
        ["application/json;q=-1"],
    ),
    *(
        ["text/html;q="],
        ["text/html;q=x"],
        ["/"],
        ["text/html text/plain"],
        ['text/html;a="x'],
        ["té/xt"],
        ["\x00"],
    ),
]
NOT_TAKEN = [
    *(["text/event-stream"], ["text/*"], ["application/jsonl"], ["application/json;q=0"], ["*/*;q=0"]),
    *(
        ["application/*;q=0"],
        ["*/*, application/json;q=0"],
        ["*/*, application/*;Q=0.000"],
        ["text/html", "text/plain"],
    ),
    *(
        ["application/json;q=0.0, */*"],
        ['text/html;a="application/json"'],
        ['text/html;a=",application/json,"'],
    ),
]


class TestReading:
    """RFC 9110 §12.5.1: the most specific range decides, and its weight."""

    @pytest.mark.parametrize("lines", TAKEN, ids=repr)
    def test_lines_that_take_json_are_read_so(self, lines: list[str]) -> None:
        assert takes_json(lines)

    @pytest.mark.parametrize("lines", NOT_TAKEN, ids=repr)
    def test_lines_that_do_not_take_json_are_read_so(self, lines: list[str]) -> None:
        assert not takes_json(lines)

    @given(st.lists(st.tuples(st.sampled_from(RANGES), st.none() | st.integers(0, 1000)), max_size=6))
    def test_the_most_specific_one_decides(self, said: list[tuple[str, int | None]]) -> None:
        text = ", ".join(name if q is None else f"{name};q={q / 1000:.3f}" for name, q in said)
        of = [(RANGES.index(name), 1000 if q is None else q) for name, q in said if name in RANGES[:3]]
        best = [q for index, q in of if index == min(of)[0]]
        assert takes_json([text]) is (not said or any(best))

    @given(st.text(max_size=200) | st.lists(st.sampled_from('/;,"q=01.\\ *a'), max_size=200).map("".join))
    def test_of_anything_at_all_raises_nothing(self, text: str) -> None:
        assert takes_json([text]) in (True, False)

    @pytest.mark.parametrize("part", [";", " ", ",", '"', "\\", "a/b;", 'a/b;a="', ";q=1", "a/b ", "/"])
    def test_of_the_longest_header_takes_no_time(self, part: str) -> None:
        """Nor is read twice: sixteen times as much takes much less than a square of that."""

        def least(text: str) -> float:
            times = []
            for _ in range(5):
                started = process_time()
                takes_json([text])
                times.append(process_time() - started)
            return min(times)

        assert least(part * 16_000) < 64 * max(least(part * 1_000), 1e-5)


class TestAccept:
    @pytest.mark.parametrize("version", ["2025-11-25", MODERN])
    @pytest.mark.parametrize(
        "accept", ["text/event-stream", "text/html", "application/jsonl", "*/*, application/json;q=0"]
    )
    async def test_an_answer_is_json_and_nothing_else(
        self, live: LiveBank, deputy: Deputy, version: str, accept: str
    ) -> None:
        called = message("tools/call", BALANCE)
        sent = {**headers("tools/call", "get_balance", version), "accept": accept}
        answer = await live.post(called, deputy.agent, **sent)
        assert (answer.status_code, answer.json()["id"]) == (406, 1)
        assert answer.json()["error"]["code"] == -32600
        assert live.ledger.calls == []

    @pytest.mark.parametrize(
        "accept", ["*/*", "application/*", "application/json;q=0.1", "text/html, Application/JSON"]
    )
    async def test_is_read_in_any_spelling(self, live: LiveBank, deputy: Deputy, accept: str) -> None:
        answer = await live.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, deputy.agent, accept=accept)
        assert (answer.status_code, answer.json()) == (200, {"jsonrpc": "2.0", "id": 1, "result": {}})
        assert answer.headers["content-type"] == "application/json"


class TestVersions:
    @pytest.mark.parametrize("version", WITH_BATCHES)
    async def test_one_that_has_batches_is_not_offered(
        self, live: LiveBank, deputy: Deputy, version: str
    ) -> None:
        """2025-03-26: "implementations MUST support receiving JSON-RPC batches"; here a message is one (MCP-1)."""
        client = {"name": "x", "version": "1"}
        hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": client}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        answer = await live.post(asked, deputy.agent)
        assert answer.json()["result"]["protocolVersion"] == "2025-11-25"
        for sent in (LISTED, {"jsonrpc": "2.0", "method": "notifications/initialized"}, asked):
            answer = await live.post(sent, deputy.agent, **{"mcp-protocol-version": version})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, UNSUPPORTED)
            assert answer.json()["error"]["data"] == {"supported": [*OLDER, MODERN], "requested": version}

    @pytest.mark.parametrize("version", [*OLDER, MODERN])
    async def test_what_is_offered_is_what_is_served(
        self, live: LiveBank, deputy: Deputy, version: str
    ) -> None:
        assert version in SERVED
        client = {"name": "x", "version": "1"}
        hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": client}
        asked = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        offered = (await live.post(asked, deputy.agent)).json()["result"]["protocolVersion"]
        assert offered in SERVED
        for discovered in (
            await live.post(message("server/discover"), deputy.agent, **headers("server/discover"))
        ).json()["result"]["supportedVersions"]:
            assert discovered in SERVED

    @pytest.mark.parametrize("cursor", ["", "x", "eyJ9", 5, [], {}, False])
    async def test_no_page_has_a_cursor(self, live: LiveBank, deputy: Deputy, cursor: Any) -> None:
        """MCP pagination: "invalid cursors SHOULD result in an error with code -32602"."""
        for sent, repeated in (
            ({**LISTED, "params": {"cursor": cursor}}, {}),
            (message("tools/list", {"cursor": cursor}), headers("tools/list")),
        ):
            answer = await live.post(sent, deputy.agent, **repeated)
            assert answer.json()["error"]["code"] == INVALID
        answer = await live.post(LISTED, deputy.agent)
        assert "nextCursor" not in answer.json()["result"]

    @pytest.mark.parametrize("version", [*OLDER, None])
    async def test_each_older_one_gets_what_it_knows(
        self, live: LiveBank, deputy: Deputy, version: str | None
    ) -> None:
        sent = {} if version is None else {"mcp-protocol-version": version}
        called: dict[str, Any] = {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": BALANCE}
        answer = await live.post(called, deputy.agent, **sent)
        result = answer.json()["result"]
        assert result["content"] == [{"type": "text", "text": '{"balance":1000}'}]
        assert {"resultType", "ttlMs"} & result.keys() == set()
        assert result["_meta"]["dev.deputize/call"]["state"] == "succeeded"

    async def test_the_newest_one_too(self, live: LiveBank, deputy: Deputy) -> None:
        for method, params, name in (("tools/call", BALANCE, "get_balance"), ("tools/list", None, None)):
            answer = await live.post(message(method, params), deputy.agent, **headers(method, name))
            assert answer.json()["result"]["resultType"] == "complete"

    @pytest.mark.parametrize("version", ["2030-01-01", "2024-11", "x", "2025-11-25, 2026-07-28"])
    async def test_one_that_nobody_speaks_is_refused(
        self, live: LiveBank, deputy: Deputy, version: str
    ) -> None:
        envelope: dict[str, Any] = {"io.modelcontextprotocol/protocolVersion": version}
        answer = await live.post(
            message("tools/list", **envelope), deputy.agent, **headers("tools/list", version=version)
        )
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, UNSUPPORTED)
        assert error["data"] == {"supported": [MODERN], "requested": version}


class TestEnvelope:
    """2026-07-28: what a request says of itself, in its body and again in headers."""

    @pytest.mark.parametrize("without", list(ENVELOPE))
    async def test_a_request_without_one_is_refused(
        self, live: LiveBank, deputy: Deputy, without: str
    ) -> None:
        asked = message("tools/list")
        del asked["params"]["_meta"][without]
        answer = await live.post(asked, deputy.agent, **headers("tools/list"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, INVALID)

    @pytest.mark.parametrize(
        "changed",
        [
            {"mcp-method": "tools/list"},
            {"mcp-method": ""},
            {"mcp-name": "transfer_money"},
            {"mcp-name": ""},
            {"mcp-protocol-version": "2026-07-29"},
        ],
        ids=str,
    )
    async def test_headers_that_say_something_else_are_refused(
        self, live: LiveBank, deputy: Deputy, changed: dict[str, str]
    ) -> None:
        sent = {**headers("tools/call", "get_balance"), **changed}
        answer = await live.post(message("tools/call", BALANCE), deputy.agent, **sent)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, MISMATCH)
        assert live.ledger.calls == []

    @pytest.mark.parametrize("missing", ["mcp-method", "mcp-name"])
    async def test_so_are_headers_that_are_not_there(
        self, live: LiveBank, deputy: Deputy, missing: str
    ) -> None:
        sent = headers("tools/call", "get_balance")
        del sent[missing]
        answer = await live.post(message("tools/call", BALANCE), deputy.agent, **sent)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, MISMATCH)

    async def test_and_those_that_are_there_twice(self, live: LiveBank, deputy: Deputy) -> None:
        token = deputy.agent.tokens["access_token"]
        proven = {"authorization": f"DPoP {token}", "dpop": deputy.agent.proof("/mcp", token)}
        sent = {**headers("tools/call", "get_balance"), **proven, "accept": "application/json"}
        twice = [*sent.items(), ("Mcp-Name", "get_balance")]
        answer = await live.client().post(live.url, json=message("tools/call", BALANCE), headers=twice)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, MISMATCH)
        assert live.ledger.calls == []


class TestParameters:
    """2026-07-28: a tool may say that a header repeats an argument, for those between to route by."""

    @pytest.fixture(autouse=True)
    def region(self, live: LiveBank, monkeypatch: pytest.MonkeyPatch) -> None:
        properties: Json = {"region": {"type": "string", "x-mcp-header": "Region"}}
        schema = Schema({"type": "object", "properties": properties})
        tools = live.deputize.policy.tools
        monkeypatch.setitem(tools, "get_balance", replace(tools["get_balance"], input_schema=schema))

    @pytest.mark.parametrize(
        ("arguments", "repeated", "good"),
        [
            ({"region": "eu"}, {"mcp-param-region": "eu"}, True),
            ({}, {}, True),
            ({"region": "eu"}, {"mcp-param-region": "us"}, False),
            ({"region": "eu"}, {}, False),
            ({}, {"mcp-param-region": "eu"}, False),
        ],
    )
    async def test_it_has_to_be_the_argument(
        self, live: LiveBank, deputy: Deputy, arguments: Json, repeated: dict[str, str], good: bool
    ) -> None:
        called = message("tools/call", {"name": "get_balance", "arguments": arguments})
        sent = {**headers("tools/call", "get_balance"), **repeated}
        answer = await live.post(called, deputy.agent, **sent)
        if good:
            assert answer.json()["result"]["structuredContent"] == {"balance": 1000}
        else:
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, MISMATCH)
            assert live.ledger.calls == []


class TestMethods:
    @pytest.mark.parametrize("method", ["approval/enroll/all", "subscriptions/listen", "resources/list"])
    async def test_a_method_that_there_is_not_is_told(
        self, live: LiveBank, deputy: Deputy, method: str
    ) -> None:
        older = await live.post({"jsonrpc": "2.0", "id": 1, "method": method}, deputy.agent)
        assert (older.status_code, older.json()["error"]["code"]) == (200, NO_METHOD)
        newer = await live.post(message(method), deputy.agent, **headers(method))
        assert newer.status_code in (400, 404)
        assert newer.json()["error"]["code"] in (NO_METHOD, INVALID)

    @pytest.mark.parametrize("version", ["2025-11-25", MODERN])
    async def test_a_notification_does_nothing(self, live: LiveBank, deputy: Deputy, version: str) -> None:
        """Not even one that would be a call if it had an id; and its proof is used up."""
        said = message("tools/call", BALANCE)
        del said["id"]
        token = deputy.agent.tokens["access_token"]
        sent = {"authorization": f"DPoP {token}", "dpop": deputy.agent.proof("/mcp", token)}
        sent |= headers("tools/call", "get_balance", version)
        answer = await live.post(said, None, **sent)
        assert (answer.status_code, answer.content) == (202, b"")
        assert live.ledger.calls == []
        again = await live.post(said, None, **sent)
        assert (again.status_code, again.json()["error"]["data"]["code"]) == (401, "invalid_dpop_proof")

    async def test_a_notification_of_no_known_version_is_refused(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        said = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        answer = await live.post(said, deputy.agent, **{"mcp-protocol-version": "2030-01-01"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, UNSUPPORTED)
        assert answer.json()["id"] is None

    async def test_an_unforeseen_error_is_told_without_detail(
        self, live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # ERR-3
        monkeypatch.delattr(live.deputize._offers, "_handlers")
        answer = await live.post({"jsonrpc": "2.0", "id": 7, "method": "tools/list"}, deputy.agent)
        assert (answer.status_code, answer.json()["id"]) == (500, 7)
        assert answer.json()["error"]["data"] == {"code": "server_error"}
        assert "_handlers" not in answer.text


@pytest.mark.parametrize("depth", [200, *range(244, 258), 1_000])
@pytest.mark.parametrize("version", ["2025-11-25", MODERN])
async def test_a_result_of_any_depth_is_no_500(
    live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch, depth: int, version: str
) -> None:
    """MCP-11: one that cannot be told leaves the outcome unknown; the call is recorded in any case."""
    deep: Json = {}
    for _ in range(depth - 1):
        deep = {"a": deep}
    monkeypatch.setitem(live.deputize._offers._handlers, "note", lambda arguments, call: deep)
    params = {"name": "note", "arguments": {}}
    answer = await live.post(
        message("tools/call", params), deputy.agent, **headers("tools/call", "note", version)
    )
    assert answer.status_code == 200
    result = answer.json()["result"]
    assert result["_meta"]["dev.deputize/call"]["state"] == ("unknown" if result["isError"] else "succeeded")
    assert result["isError"] == (depth > 251)
