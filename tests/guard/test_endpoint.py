"""The policy names the endpoint: guards read the arguments there, and stand there (ENDPOINT-1, GUARD-8)."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from deputize.crypto import jwk_file
from deputize.guard import Guard, GuardedCall, GuardMiddleware, Unguarded
from deputize.guard.start import survey
from deputize.guard.wsgi import GuardMiddleware as Wsgi
from deputize.protocol.canonical import Json
from deputize.protocol.endpoint import Endpoint
from deputize.protocol.endpoints import Endpoints
from deputize.protocol.errors import Code
from deputize.protocol.scope import ScopeSet
from deputize.protocol.tool import Schema, Tool
from deputize.settings import loads

from .conftest import AUDIENCE, ISSUER, KEY, Authority, key_of, text_of

PAY = {"account": 7, "notify": True, "amount": 250}
KIND: dict[str, Json] = {"type": "string"}


def tool(name: str, endpoint: str | None, properties: dict[str, Json]) -> Tool:
    schema = Schema({"type": "object", "required": list(properties), "properties": properties})
    where = Endpoint.parse(endpoint) if endpoint else None
    return Tool(name, ScopeSet.of(["pay"]), input_schema=schema, endpoint=where)


NAMED: dict[str, Json] = {
    "account": {"type": "integer"},
    "notify": {"type": "boolean"},
    "amount": {"type": "integer"},
}
TOOLS = [
    tool("pay", "POST /api/transfers/{account}{?notify}", NAMED),
    tool("open", "POST /rpc", {"kind": {"type": "string", "const": "open"}}),
    tool("close", "POST /rpc", {"kind": {"type": "string", "const": "close"}}),
    tool("find", "GET /api/found/{text}", {"text": {"type": "string"}}),
]
Build = Callable[[Guard], ASGIApp]


def guard_of(authority: Authority, tools: list[Tool] | None = None) -> Guard:
    its = {each.name: each for each in (TOOLS if tools is None else tools)}
    return Guard(
        ISSUER, AUDIENCE, key_of, authority, tools=lambda: its, endpoints=lambda: Endpoints(its.values())
    )


async def run(request: Request) -> Response:
    call: GuardedCall = request.state.deputize
    return JSONResponse({"tool": call.tool, "arguments": call.arguments})


def decorated(guard: Guard) -> ASGIApp:
    return Starlette(
        routes=[
            Route("/api/transfers/{account:int}", guard.tool("pay")(run), methods=["POST"]),
            Route("/rpc", guard.tool("open")(run), methods=["POST"]),
            Route("/api/found/{text:path}", guard.tool("find")(run)),
        ]
    )


def wrapped(guard: Guard) -> ASGIApp:
    inner = Starlette(
        routes=[
            Route("/transfers/{account}", run, methods=["POST", "PUT"]),
            Route("/found/{text}", run),
        ]
    )
    return Starlette(
        routes=[Mount("/api", inner), Route("/rpc", run, methods=["POST"])],
        middleware=[Middleware(GuardMiddleware, guard=guard)],
    )


def depended(guard: Guard) -> ASGIApp:
    app = FastAPI()

    @app.post("/api/transfers/{account}")
    def pay(account: int, notify: bool, call: Annotated[GuardedCall, Depends(guard("pay"))]) -> Any:
        assert (account, notify) == (call.arguments["account"], call.arguments["notify"])
        return {"tool": call.tool, "arguments": call.arguments}

    @app.post("/rpc")
    def rpc(call: Annotated[GuardedCall, Depends(guard("close"))]) -> Any:
        return {"tool": call.tool, "arguments": call.arguments}

    @app.get("/api/found/{text}")
    def find(call: Annotated[GuardedCall, Depends(guard("find"))]) -> Any:
        return {"tool": call.tool, "arguments": call.arguments}

    return app


@pytest.fixture(params=[decorated, wrapped, depended], ids=lambda build: build.__name__)
def build(request: pytest.FixtureRequest) -> Build:
    found: Build = request.param
    return found


@pytest.fixture
def authority() -> Authority:
    return Authority()


class TestArguments:
    @pytest.fixture
    def send(self, build: Build, authority: Authority) -> Callable[..., Any]:
        client = TestClient(build(guard_of(authority)))

        def send(tool: str, arguments: Json, method: str, url: str, **more: Any) -> Any:
            token = text_of(authority.call(tool, arguments))
            return client.request(method, url, headers={"Txn-Token": token}, **more)

        return send

    def test_stand_where_the_endpoint_says(self, send: Callable[..., Any]) -> None:
        answer = send("pay", PAY, "POST", "/api/transfers/7?notify=true", json={"amount": 250})
        assert answer.json() == {"tool": "pay", "arguments": PAY}
        answer = send("find", {"text": "a b"}, "GET", "/api/found/a%20b")
        assert answer.json() == {"tool": "find", "arguments": {"text": "a b"}}

    @pytest.mark.parametrize(
        ("url", "body", "code"),
        [
            ("/api/transfers/8?notify=true", {"amount": 250}, Code.ARGUMENT_HASH_MISMATCH),
            ("/api/transfers/7?notify=false", {"amount": 250}, Code.ARGUMENT_HASH_MISMATCH),
            ("/api/transfers/7", {"amount": 250}, Code.ARGUMENT_HASH_MISMATCH),
            ("/api/transfers/7", {"amount": 250, "notify": True}, Code.INVALID_REQUEST),
            ("/api/transfers/7?notify=true", PAY, Code.INVALID_REQUEST),
            ("/api/transfers/7?notify=true&amount=250", {}, Code.INVALID_REQUEST),
        ],
    )
    def test_and_nowhere_else(
        self, send: Callable[..., Any], authority: Authority, url: str, body: Json, code: Code
    ) -> None:
        assert send("pay", PAY, "POST", url, json=body).json()["code"] == code
        assert authority.log == []

    def test_a_text_that_cannot_be_one_part_of_a_path_is_none(
        self, send: Callable[..., Any], authority: Authority
    ) -> None:
        answer = send("find", {"text": "a/b"}, "GET", "/api/found/a%2Fb")
        assert answer.status_code in (400, 404)  # as the router takes it for a slash, or hands it on
        assert authority.log == []

    @pytest.mark.parametrize("name", ["open", "close"])
    def test_two_tools_may_share_an_endpoint(self, send: Callable[..., Any], name: str) -> None:
        """ENDPOINT-3: the call token says which it is."""
        kind = {"kind": name}
        assert send(name, kind, "POST", "/rpc", json=kind).json() == {"tool": name, "arguments": kind}
        assert send("pay", kind, "POST", "/rpc", json=kind).json()["code"] == Code.CALL_WRONG_TOOL


class TestStart:
    def test_all_tools_stand_where_the_policy_says(self, build: Build, authority: Authority) -> None:
        guard = guard_of(authority)
        survey(build(guard), [guard], [each.name for each in TOOLS])

    def test_guard_8_a_guard_elsewhere_is_none_of_the_endpoint(self, authority: Authority) -> None:
        """GUARD-8"""
        guard = guard_of(authority, [tool("pay", "POST /api/pay", {})])
        routes = [Route("/pay", guard.tool("pay")(run), methods=["POST"])]
        with pytest.raises(
            Unguarded, match="its endpoint is POST /api/pay, and no route of this app is there"
        ):
            survey(Starlette(routes=routes), [guard], ["pay"])
        routes.append(Route("/api/pay", run, methods=["PUT"]))  # another method
        with pytest.raises(Unguarded, match="no route of this app is there"):
            survey(Starlette(routes=routes), [guard], ["pay"])

        async def other(request: Request) -> Response:
            return Response()

        routes.append(Route("/api/pay", other, methods=["POST"]))
        with pytest.raises(Unguarded, match="POST /api/pay is its endpoint in the policy, and runs without"):
            survey(Starlette(routes=routes), [guard], ["pay"])

    def test_guard_8_parameters_are_those_of_the_endpoint(self, authority: Authority) -> None:
        guard = guard_of(authority, [tool("pay", "POST /pay/{account}", {"account": {"type": "string"}})])
        for path in ("/pay/{to}", "/pay/{account}/{more}"):
            routes = [Route(path, guard.tool("pay")(run), methods=["POST"])]
            with pytest.raises(Unguarded, match="the approval does not cover the parameters"):
                survey(Starlette(routes=routes), [guard])
        with pytest.raises(ValueError, match="with `args` if it has parameters"):
            GuardMiddleware(Starlette(), guard, {("POST", "/pay/{to}"): "pay"})

    def test_middleware_needs_the_routes_that_the_policy_names(self, authority: Authority) -> None:
        guard = guard_of(authority, [tool("pay", "POST /api/pay", {})])
        with pytest.raises(RuntimeError, match="no route of this app is declared as POST /api/pay"):
            GuardMiddleware(Starlette(routes=[Route("/pay", run)]), guard).bind()


POLICY = f"""
[site]
name = "Bank"
origin = "https://bank.example"
[api]
{jwk_file.line("keys", KEY)}
[scopes.pay]
title = "Pay"
[tools.pay]
scopes = ["pay"]
endpoint = "POST /api/pay"
"""


class TestOfAPolicy:
    """`Guard.of`: all that the guard of an API elsewhere has to know is in the policy, but for its key."""

    def test_it_guards_what_the_policy_names(self, tmp_path: Path) -> None:
        file, key = tmp_path / "deputize.toml", tmp_path / "guard.jwk"
        file.write_text(POLICY)
        jwk_file.save(KEY, key)
        guard = Guard.of(file, key)
        assert (guard.issuer, guard.audience) == ("https://bank.example/deputize", "https://bank.example")
        assert [str(endpoint) for endpoint, _ in guard.endpoints()] == ["POST /api/pay"]
        with pytest.raises(ValueError, match="declares no such tool"):
            guard.tool("pya")

    @pytest.mark.parametrize("path", ["/api/pay", "/api/pays"])
    def test_guard_8_its_app_does_not_start_without_all_of_them(self, path: str) -> None:
        guard = Guard.of(loads(POLICY.encode()), KEY)
        there = Starlette(
            routes=[Route(path, guard.tool("pay")(run), methods=["POST"])], lifespan=guard.lifespan
        )
        for app in (there, Starlette(lifespan=guard.lifespan)):
            if (path, app) == ("/api/pay", there):
                with TestClient(app) as client:
                    assert client.post(path).json()["code"] == Code.MISSING_CALL_TOKEN
                continue
            with pytest.raises(Unguarded, match="pay: "), TestClient(app):
                pass

    def test_a_key_that_the_policy_does_not_name_is_told_with_its_line(self) -> None:
        """Else each call would be refused, after a human has approved it."""
        other = generate_private_key(SECP256R1())
        policy = loads(POLICY.encode())
        for guarding in (
            lambda: Guard.of(policy, other),
            lambda: Wsgi(lambda _environ, _start: [], policy, other),
        ):
            with pytest.raises(
                ValueError, match=re.escape(f"under [api], write: {jwk_file.line('keys', other)}")
            ):
                guarding()

    def test_a_key_that_is_not_there_is_told_with_the_command(self) -> None:
        with pytest.raises(FileNotFoundError, match=r"`deputize guard keygen no\.jwk` makes one"):
            Guard.of(loads(POLICY.encode()), "no.jwk")

    def test_a_policy_without_an_endpoint_here_is_told(self) -> None:
        for text, origin in ((POLICY.replace("endpoint", "#"), None), (POLICY, "https://api.bank.example")):
            with pytest.raises(ValueError, match="names no endpoint of this API"):
                Guard.of(loads(text.encode()), KEY, origin)
