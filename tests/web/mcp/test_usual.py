"""Usual messages are answered without the SDK, and not otherwise than by it (MCP-1).

The judge is the way by the SDK's kernel, which `test_parity.py` holds to the SDK's own transport.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.responses import Response
from tests.size import tries
from tests.web.mcp.conftest import ANNOTATION, EVIDENCE, LEGACY, MODERN, LiveBank
from tests.web.mcp.test_transport import ENVELOPE, OLDER, WITH_BATCHES

from deputize import settings as policies
from deputize.app import Deputize
from deputize.protocol.errors import Code, Refused
from deputize.web.mcp import messages, usual
from deputize.web.mcp.endpoint import Mcp
from deputize.web.mcp.exchange import Exchange
from deputize.web.mcp.transport import SERVED

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
[tools.move]
scopes = ["money"]
[tools.move.input_schema]
type = "object"
[tools.move.input_schema.properties.to]
type = "string"
x-mcp-header = "To"
"""
HOT = [messages.CALL, messages.CHALLENGE, messages.ENROLL_BEGIN, messages.ENROLL_FINISH]
OWN = "io.modelcontextprotocol/"
Lines = list[tuple[str, str]]


@dataclass
class Sides:
    """The endpoint as it is, and one that asks the SDK about every message. Both come to the same result."""

    clients: list[httpx2.AsyncClient]
    comes: dict[str, object] | Refused = field(default_factory=dict)
    lives: list[str | None] = field(default_factory=list)

    async def method(self, exchange: Exchange) -> dict[str, object]:
        """Do what any of the methods is asked to."""
        if isinstance(self.comes, Refused):
            raise self.comes
        return {**self.comes}

    async def send(self, body: bytes, lines: Lines) -> list[tuple[int, Any, Any]]:
        """Send a message to both; return status, headers and body of the answers."""
        answers = []
        for client in self.clients:
            answer = await client.post("http://localhost/mcp", content=body, headers=lines)
            headers = {name: answer.headers[name] for name in answer.headers if name != "content-length"}
            answers.append((answer.status_code, headers, answer.json() if answer.content else None))
        return answers


@pytest.fixture
async def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sides]:
    """Serve one person, who needs no delegation."""
    deputize = Deputize(policies.loads(POLICY), tmp_path / "var")
    for tool in ("pay", "move"):
        deputize.handler(tool)(lambda arguments, call: None)
    sides, life_of = Sides([]), usual.life_of
    ours, theirs = (Mcp(deputize._current, deputize._mcp._refusals, deputize._offers) for _ in range(2))
    for endpoint in (ours, theirs):
        monkeypatch.setattr(endpoint, "_methods", dict.fromkeys(HOT, sides.method))
        transport = httpx2.ASGITransport(endpoint, client=("127.0.0.1", 1))
        sides.clients.append(httpx2.AsyncClient(transport=transport))
        sides.clients[-1].headers.clear()
    monkeypatch.setattr(theirs, "_respond", theirs._judged)

    def noted(*said: Any) -> str | None:
        sides.lives.append(life_of(*said))
        return sides.lives[-1]

    monkeypatch.setattr(usual, "life_of", noted)
    yield sides
    for client in sides.clients:
        await client.aclose()
    await deputize.aclose()


def often(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Choose the usual value more often than not, so that a message is odd in one or two places only."""
    return st.integers(0, 9).flatmap(lambda n: st.sampled_from(others) if n == 9 else st.just(usual))


MISSING = object()
ODD: tuple[Any, ...] = (None, True, 5, 1.5, "", "x", [], {}, {"a": [None, 1e300]})
MODERN_META = {**ENVELOPE, f"{OWN}clientInfo": {"name": "x", "version": "1"}}
metas = st.builds(
    lambda base, more: {**base, **more} if isinstance(base, dict) else base,
    st.sampled_from([MODERN_META, MODERN_META, ENVELOPE]) | often({}, MISSING, *ODD),
    st.dictionaries(
        st.sampled_from(
            [
                *(ANNOTATION, ANNOTATION, EVIDENCE, "progressToken", "progress_token", f"{OWN}logLevel"),
                *(f"{OWN}clientInfo", f"{OWN}clientCapabilities", f"{OWN}protocolVersion"),
                *(f"{OWN}related-task", "example.org/x", "x"),
            ]
        ),
        st.sampled_from(
            [
                *ODD,
                *({"name": "x"}, {"name": "x", "version": 1}, {"roots": {"listChanged": 5}}, "info"),
                *({"extensions": {"a": {}}}, {"sampling": {}, "elicitation": {"form": {}}}, OLDER[0], MODERN),
            ]
        ),
        max_size=2,
    ),
)
params = st.builds(
    lambda members, meta, more: {
        name: value for name, value in {**members, "_meta": meta, **more}.items() if value is not MISSING
    },
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["pay", "move"])
            | often("pay", "move", "gone", "Zoë", "=?base64?cGF5?=", "a b", MISSING, *ODD),
            "arguments": often({"to": "Ada"}, {}, {"to": 5}, {"to": None}, MISSING, *ODD),
        }
    ),
    metas,
    st.dictionaries(
        st.sampled_from(["task", "toolName", "response", "inputResponses", "requestState", "cursor", "meta"]),
        st.sampled_from(ODD),
        max_size=1,
    ),
)
said = st.fixed_dictionaries(
    {
        "jsonrpc": often("2.0", "1.0", MISSING, *ODD),
        "id": often(1, "a", "", -5, 0, 2**53 - 1, 2**53, 10**30, MISSING, *ODD),
        "method": st.sampled_from(HOT)
        | often("tools/call", "ping", "tools/list", "nothing", "approval/x", MISSING, *ODD),
        "params": params | often({}, MISSING, *ODD),
    }
)
# What comes of it: results as our own methods make them, and refusals.
comes = st.sampled_from(
    [
        {"content": [{"type": "text", "text": "Zoë\u2028"}]},
        {
            "content": [{"type": "text", "text": ""}],
            "structuredContent": {"a": [1, None, 1.5, {}]},
            "isError": False,
        },
        {"content": [{"type": "text", "text": "x"}], "_meta": {"dev.deputize/call": {"agent": None}}},
        {"content": [], "isError": True, "structuredContent": {"code": "x", "correlation_id": None}},
        {"content": [{"type": "text", "text": "x"}]},
    ]
) | st.builds(
    lambda code, facts: Refused(code, "No.", **facts),
    st.sampled_from(sorted(Code)),
    st.sampled_from([{}, {"call_id": "cal_x", "scope": "a b"}, {"none": None}]),
)
header_lines = st.fixed_dictionaries(
    {
        "accept": often(
            "application/json, text/event-stream",
            *("application/json", "*/*", "text/html", "", "application/json;q=0", "nonsense", MISSING),
        ),
        "content-type": often(
            "application/json", "application/json; charset=utf-8", "APPLICATION/JSON ", "text/plain", MISSING
        ),
        "mcp-session-id": often(MISSING, "x"),
        "mcp-param-to": often(MISSING, "Ada", "5", "=?base64?QWRh?=", "=?base64?!?="),
        "mcp-param-other": often(MISSING, "x"),
        "MCP-Method": often(MISSING, *HOT, "ping", ""),
        "Mcp-Name": often(MISSING, "pay", "move", "=?base64?cGF5?=", ""),
        "MCP-Protocol-Version": often(MISSING, *OLDER, *WITH_BATCHES, MODERN, "2030-01-01", "", "x"),
    }
)


def usual_lines(message: dict[str, Any]) -> Lines:
    """Repeat in headers what an envelope says; without one the message is of a session that was opened before."""
    said = message.get("params")
    meta = said.get("_meta") if isinstance(said, dict) else None
    version = meta.get(f"{OWN}protocolVersion") if isinstance(meta, dict) else None
    if not isinstance(version, str):
        return [("mcp-protocol-version", OLDER[-1])]
    lines = [("mcp-protocol-version", version), ("mcp-method", str(message.get("method")))]
    name = said.get("name") if isinstance(said, dict) else None
    return [*lines, *([("mcp-name", name)] if isinstance(name, str) and name.isascii() else [])]


@settings(max_examples=tries(200, 1_500), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said, comes, header_lines, st.integers(0, 19))
async def test_a_message_is_answered_as_the_sdk_would(
    sides: Sides, said: dict[str, Any], comes: Any, more: dict[str, Any], odd: int
) -> None:
    message = {name: value for name, value in said.items() if value is not MISSING}
    lines = [*usual_lines(message), *((name, value) for name, value in more.items() if value is not MISSING)]
    text = json.dumps(message).encode()
    body = {
        0: b"[" + text + b"]",
        1: b"[" + text + b"," + text + b"]",
        2: text[:-1],
        3: text + b" " * (64 * 1024 - len(text)),
        4: text + b" " * (64 * 1024 - len(text) + 1),
        5: b"\xff" + text,
        6: text[:-1] + b',"id":1}',
        7: text[:-1] + b',"extra":1}',
    }.get(odd, text)
    sides.comes = comes
    ours, theirs = await sides.send(body, lines)
    assert ours == theirs


@pytest.mark.parametrize("life", [*OLDER, "", MODERN])
@pytest.mark.parametrize("method", HOT)
async def test_a_usual_message_needs_no_judge(sides: Sides, method: str, life: str) -> None:
    members = {"name": "pay", "arguments": {"to": "Ada"}}
    meta = {ANNOTATION: {"method": "webauthn"}, **(MODERN_META if life == MODERN else {})}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**members, "_meta": meta}}
    lines = [("content-type", "application/json")]
    lines += usual_lines(message) if life == MODERN else [("mcp-protocol-version", life)] if life else []
    sides.comes = {"content": [{"type": "text", "text": "x"}]}
    ours, theirs = await sides.send(orjson.dumps(message), lines)
    assert ours == theirs
    assert (ours[0], sides.lives) == (200, [life])


@pytest.mark.parametrize("life", [OLDER[-1], MODERN])
async def test_every_refusal_is_told_as_the_sdk_would(sides: Sides, life: str) -> None:
    meta = MODERN_META if life == MODERN else {}
    members = {"name": "pay", "arguments": {}, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": messages.CALL, "params": members}
    lines = [("content-type", "application/json"), *usual_lines(message)]
    for code in Code:
        sides.comes = Refused(code, "No.", call_id="cal_x", scope="a b")
        ours, theirs = await sides.send(orjson.dumps(message), lines)
        assert ours == theirs, code
        assert ours[2]["error"]["message"] == "No."
    assert set(sides.lives) == {life}


DOUBTFUL: dict[str, tuple[dict[str, Any], Lines]] = {
    "an odd token of progress": ({"_meta": {**MODERN_META, "progressToken": True}}, []),
    "no token of progress": ({"_meta": {**MODERN_META, "progressToken": None}}, []),
    "a member that calls can have": ({"task": {}}, []),
    "a name in other letters": ({"name": "=?base64?cGF5?="}, [("mcp-name", "=?base64?cGF5?=")]),
    "a name that is repeated in other letters": ({}, [("mcp-name", "=?base64?cGF5?=")]),
    "a name that is repeated wrongly": ({}, [("mcp-name", "move")]),
    "a name that is no text": ({"name": 5}, []),
    "a header twice": ({}, [("mcp-name", "pay"), ("mcp-name", "pay")]),
    "another method in the header": ({}, [("mcp-method", "ping")]),
    "an argument that headers have to repeat": ({"name": "move"}, [("mcp-name", "move")]),
    "a member of the protocol in the envelope": ({"_meta": {**MODERN_META, f"{OWN}logLevel": "x"}}, []),
    "another version in the envelope": ({"_meta": {**MODERN_META, f"{OWN}protocolVersion": OLDER[0]}}, []),
    "an envelope without capabilities": ({"_meta": {f"{OWN}protocolVersion": MODERN}}, []),
    "a client that is none": ({"_meta": {**MODERN_META, f"{OWN}clientInfo": {"name": 5}}}, []),
    "a client of many words": (
        {"_meta": {**MODERN_META, f"{OWN}clientInfo": {"name": "x" * 3_000, "version": "1"}}},
        [],
    ),
    "an answer that is not taken": ({}, [("accept", "text/html")]),
}


@pytest.mark.parametrize("why", DOUBTFUL)
async def test_whatever_is_in_doubt_is_left_to_the_sdk(sides: Sides, why: str) -> None:
    odd, more = DOUBTFUL[why]
    members = {"name": "pay", "arguments": {"to": "Ada"}, "_meta": MODERN_META, **odd}
    message = {"jsonrpc": "2.0", "id": 1, "method": messages.CALL, "params": members}
    given = {name for name, _ in more}
    plain = [("mcp-protocol-version", MODERN), ("mcp-method", messages.CALL), ("mcp-name", "pay")]
    lines = [("content-type", "application/json"), *(line for line in plain if line[0] not in given), *more]
    sides.comes = {"content": [{"type": "text", "text": "x"}]}
    ours, theirs = await sides.send(orjson.dumps(message), lines)
    assert ours == theirs
    assert sides.lives == [None]


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
async def test_what_the_official_client_sends_is_usual(
    live: LiveBank, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    deputy = await live.deputy(mode)
    judged, judge = [], live.deputize._mcp._judged

    async def noted(exchange: Exchange) -> Response:
        judged.append(exchange.message.method)
        return await judge(exchange)

    monkeypatch.setattr(live.deputize._mcp, "_judged", noted)
    assert not (await deputy.approved()).is_error
    assert not set(judged) & set(HOT)


def test_both_lives_are_those_that_the_sdk_serves() -> None:
    handshakes = {version.encode() for version in SERVED} - {MODERN.encode()}
    assert {None, *handshakes} == usual._HANDSHAKES
