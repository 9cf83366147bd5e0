"""The guard as FastAPI's users write it (GUARD-1, GUARD-5, GUARD-7): what they return, what fails, what shows."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import BackgroundTasks, Body, Depends, FastAPI, Form, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.testclient import TestClient

from deputize.guard import Guard, GuardedCall
from deputize.guard.start import StartCheck, start
from deputize.protocol.call import State
from deputize.protocol.canonical import Json
from deputize.protocol.errors import Code

from .conftest import AUDIENCE, ISSUER, QUERY_SCHEMA, TRANSFER, Authority, key_of, text_of


class Transfer(BaseModel):
    amount: float
    iban: str
    name: str


class Receipt(BaseModel):
    sent: float


@dataclass
class Bank:
    """A FastAPI app, its guard, and what its handlers saw."""

    authority: Authority = field(default_factory=Authority)
    app: FastAPI = field(default_factory=FastAPI)
    saw: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.guard = Guard(ISSUER, AUDIENCE, key_of, self.authority, {"pay": QUERY_SCHEMA})
        self.app.router.lifespan_context = self.guard.lifespan
        self.pays = Depends(self.guard("pay"))

    @contextmanager
    def open(self) -> Iterator[TestClient]:
        with TestClient(self.app, raise_server_exceptions=False) as client:
            yield client

    def pay(self, arguments: Any = TRANSFER, method: str = "POST", **more: Any) -> tuple[int, State, Any]:
        """Start the app, send an approved call; return status, what became of the call, and the answer."""
        with self.open() as client:
            return self.send(client, arguments, method, **more)

    def send(
        self, client: TestClient, arguments: Any = TRANSFER, method: str = "POST", **more: Any
    ) -> tuple[int, State, Any]:
        token = self.authority.call("pay", arguments)
        headers = {"txn-token": text_of(token), **more.pop("headers", {})}
        body = {} if method == "GET" else {"json": arguments}
        answer = client.request(method, more.pop("path", "/pay"), headers=headers, **{**body, **more})
        return answer.status_code, self.authority.states[token.call_id], answer


@pytest.fixture
def bank() -> Bank:
    return Bank()


def test_a_model_beside_the_call_is_of_the_same_bytes(bank: Bank) -> None:
    """What the model is made of is what was hashed; the bytes are read once, and are there for whoever asks."""

    @bank.app.post("/pay")
    async def pay(transfer: Transfer, request: Request, call: GuardedCall = bank.pays) -> Receipt:
        bank.saw.append((transfer.model_dump(), call.arguments, await request.body()))
        return Receipt(sent=transfer.amount)

    raw = b'{ "name":"Ada Lovelace", "iban":"DE89370400440532013000","amount":2.5e2 }'
    json = {"content-type": "application/json"}
    status, state, answer = bank.pay(headers=json, json=None, content=raw)
    assert (status, state, answer.json()) == (200, State.SUCCEEDED, {"sent": 250})
    assert bank.saw == [(TRANSFER, TRANSFER, raw)]


def test_an_embedded_body_is_the_arguments(bank: Bank) -> None:
    @bank.app.post("/pay")
    async def pay(
        amount: Annotated[int, Body()], name: Annotated[str, Body()], call: GuardedCall = bank.pays
    ) -> str:
        return f"{amount} to {name}"

    assert bank.pay({"amount": 1, "name": "Ada"})[2].json() == "1 to Ada"


def test_a_query_beside_the_call_is_of_the_same_values(bank: Bank) -> None:
    @bank.app.get("/pay")
    async def pay(limit: Annotated[int, Query()], call: GuardedCall = bank.pays) -> dict[str, Any]:
        return {"limit": limit, "arguments": call.arguments}

    status, state, answer = bank.pay({"limit": 5}, "GET", params={"limit": 5})
    assert (status, state) == (200, State.SUCCEEDED)
    assert answer.json() == {"limit": 5, "arguments": {"limit": 5}}


def test_a_function_that_is_not_async_is_guarded(bank: Bank) -> None:
    @bank.app.post("/pay")
    def pay(transfer: Transfer, call: GuardedCall = bank.pays) -> dict[str, Any]:
        return {"sent": transfer.amount, "user": call.user_id}

    assert bank.pay()[2].json() == {"sent": 250, "user": "usr_1"}


def test_arguments_that_the_developer_names_are_what_is_compared(bank: Bank) -> None:
    async def args(request: Request) -> dict[str, Json]:
        return {"account": request.path_params["id"], **await request.json()}

    @bank.app.post("/accounts/{id}/pay")
    async def pay(id: str, call: Annotated[GuardedCall, Depends(bank.guard("pay", args))]) -> dict[str, Any]:
        return call.arguments

    said = {"account": "7", "amount": 1}
    with bank.open() as client:
        there: dict[str, Any] = {"path": "/accounts/7/pay", "json": {"amount": 1}}
        assert bank.send(client, said, **there)[2].json() == said
        other: dict[str, Any] = {"path": "/accounts/8/pay", "json": {"amount": 1}}
        status, state, answer = bank.send(client, said, **other)
        assert (status, state, answer.json()["code"]) == (403, State.APPROVED, "argument_hash_mismatch")


@dataclass(frozen=True)
class Ends:
    """One way in which a handler, or what comes after it, ends; and what is told of it."""

    how: Any
    status: int
    outcome: State


class Strange:
    """Something that no encoder knows."""

    __slots__ = ()

    def __iter__(self) -> Any:
        raise TypeError("not this")


ENDS = {
    "a dict": Ends(lambda: {"sent": 1}, 200, State.SUCCEEDED),
    "a model": Ends(lambda: Receipt(sent=1), 200, State.SUCCEEDED),
    "nothing": Ends(lambda: None, 200, State.SUCCEEDED),
    "a response": Ends(lambda: JSONResponse({}, 201), 201, State.SUCCEEDED),
    "a response that says no": Ends(lambda: JSONResponse({}, 422), 422, State.FAILED),
    "a response that failed": Ends(lambda: JSONResponse({}, 503), 503, State.UNKNOWN),
    "what cannot be written": Ends(Strange, 500, State.UNKNOWN),
    "a response that cannot be made": Ends(lambda: JSONResponse({"a": Strange()}), 500, State.UNKNOWN),
    "a stream": Ends(lambda: StreamingResponse(iter([b"a", b"b"])), 200, State.SUCCEEDED),
    "an exception for a 409": Ends(lambda: fail(HTTPException(409)), 409, State.FAILED),
    "an exception for a 502": Ends(lambda: fail(HTTPException(502)), 502, State.UNKNOWN),
    "any other exception": Ends(lambda: fail(ValueError("a mistake")), 500, State.UNKNOWN),
}


def fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("kind", ["async", "sync", "decorator"])
def test_whatever_it_returns_is_served_and_told(bank: Bank, kind: str, ends: Ends) -> None:
    """GUARD-5: at once, and by what the client got."""

    if kind == "async":

        @bank.app.post("/pay", response_model=None)
        async def pay(call: GuardedCall = bank.pays) -> Any:
            return ends.how()
    elif kind == "sync":

        @bank.app.post("/pay", response_model=None)
        def pay_too(call: GuardedCall = bank.pays) -> Any:
            return ends.how()
    else:

        @bank.app.post("/pay", response_model=None)
        @bank.guard.tool("pay")
        async def pay_as_well(req: Request) -> Any:
            return ends.how()

    status, state, _ = bank.pay()
    assert (status, state) == (ends.status, ends.outcome)
    assert bank.authority.log == ["redeem", f"report {ends.outcome}"]


def test_an_answer_that_is_not_what_was_promised_is_unknown(bank: Bank) -> None:
    """GUARD-5: the handler has done it, and FastAPI refuses to write what it says."""

    @bank.app.post("/pay", response_model=Receipt)
    async def pay(call: GuardedCall = bank.pays) -> Any:
        return {"send": 1}

    assert bank.pay()[:2] == (500, State.UNKNOWN)


def test_a_status_that_is_set_aside_decides_the_outcome(bank: Bank) -> None:
    @bank.app.post("/pay")
    async def pay(response: Response, call: GuardedCall = bank.pays) -> dict[str, Any]:
        response.status_code = 422
        return {}

    assert bank.pay()[:2] == (422, State.FAILED)


def test_background_tasks_come_after_the_report(bank: Bank) -> None:
    @bank.app.post("/pay")
    async def pay(tasks: BackgroundTasks, call: GuardedCall = bank.pays) -> dict[str, Any]:
        tasks.add_task(bank.authority.log.append, "afterwards")
        return {}

    bank.pay()
    assert bank.authority.log == ["redeem", "report succeeded", "afterwards"]


def test_where_another_parameter_does_not_fit_nothing_ran(bank: Bank) -> None:
    @bank.app.post("/pay")
    async def pay(
        transfer: Transfer, x_tries: Annotated[int, Header()], call: GuardedCall = bank.pays
    ) -> None:
        bank.saw.append(transfer)

    assert bank.pay(headers={"x-tries": "many"})[:2] == (422, State.FAILED)
    assert bank.pay({"amount": 1}, headers={"x-tries": "1"})[:2] == (422, State.FAILED)
    assert bank.saw == []


def test_where_another_dependency_refuses_nothing_ran(bank: Bank) -> None:
    def no() -> None:
        raise HTTPException(403)

    @bank.app.post("/before", dependencies=[Depends(no), bank.pays])
    @bank.app.post("/after", dependencies=[bank.pays, Depends(no)])
    async def pay() -> None:
        bank.saw.append(1)

    assert bank.pay(path="/before")[:2] == (403, State.APPROVED)
    assert bank.pay(path="/after")[:2] == (403, State.FAILED)
    assert bank.saw == []


def refused(bank: Bank, code: Code, **more: Any) -> None:
    status, state, answer = bank.pay(**more)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["code"] == code
    assert answer.headers["cache-control"] == "no-store"
    assert (status, state) == (answer.json()["status"], State.APPROVED)
    assert bank.saw == []


def test_refusals_of_the_guard_are_problems(bank: Bank) -> None:
    """ERR-1, ERR-2: whatever the app makes of exceptions of its own."""

    @bank.app.exception_handler(HTTPException)
    async def ours(request: Request, error: HTTPException) -> Response:
        return JSONResponse({"oops": error.detail}, error.status_code)

    @bank.app.post("/pay")
    async def pay(request: Request, call: GuardedCall = bank.pays) -> None:
        bank.saw.append(call)

    refused(bank, Code.ARGUMENT_HASH_MISMATCH, json={**TRANSFER, "amount": 1})
    refused(bank, Code.INVALID_REQUEST, params={"amount": 1})
    refused(bank, Code.INVALID_REQUEST, json=[1])
    refused(bank, Code.INVALID_CALL_TOKEN, headers={"txn-token": "a"})
    with bank.open() as client:
        assert client.post("/pay", json=TRANSFER).json()["code"] == "missing_call_token"
    refused(bank, Code.UNSUPPORTED_MEDIA_TYPE, json=None, data={"amount": "1"})
    refused(bank, Code.PAYLOAD_TOO_LARGE, json={"a": "b" * 70_000})
    refused(
        bank,
        Code.INVALID_REQUEST,
        json=None,
        content=b'{"a":1,"a":2}',
        headers={"content-type": "application/json"},
    )
    _, _, answer = bank.pay(headers={"txn-token": "a"})
    assert answer.headers["www-authenticate"].startswith('DPoP error="invalid_call_token"')


def test_a_form_is_refused_as_it_is_no_json(bank: Bank) -> None:
    @bank.app.post("/pay")
    async def pay(amount: Annotated[str, Form()], call: GuardedCall = bank.pays) -> None:
        bank.saw.append(amount)

    refused(bank, Code.UNSUPPORTED_MEDIA_TYPE, json=None, data={"amount": "1"})


def test_a_guard_without_its_tool_guards_everything_away(bank: Bank) -> None:
    """FastAPI makes parameters of a request out of those of a dependency: no stranger says which tool it is."""
    for number, forgotten in enumerate((bank.guard, bank.guard.tool)):

        @bank.app.post(f"/{number}")
        async def pay(call: Annotated[Any, Depends(forgotten)]) -> None:
            bank.saw.append(call)

    with bank.open() as client:
        for path in ("/0", "/0?tool=pay", "/1", "/1?name=pay"):
            assert client.post(path).status_code in (422, 500)
    assert bank.saw == []


def test_it_shows_in_openapi(bank: Bank) -> None:
    @bank.app.post("/pay")
    async def pay(transfer: Transfer, call: GuardedCall = bank.pays) -> None: ...

    @bank.app.post("/open")
    async def free() -> None: ...

    document = bank.app.openapi()
    scheme = document["components"]["securitySchemes"]["Txn-Token"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Txn-Token")
    assert document["paths"]["/pay"]["post"]["security"] == [{"Txn-Token": []}]
    assert "security" not in document["paths"]["/open"]["post"]
    assert [each["name"] for each in document["paths"]["/pay"]["post"].get("parameters", ())] == []


def test_an_app_that_was_never_started_is_looked_over_at_its_first_request(bank: Bank) -> None:
    """Its first answer nobody sees but the client; what is raised is known, and from the second on all is."""
    bank.app.router.lifespan_context = FastAPI().router.lifespan_context

    guarded = bank.guard("pay", lambda request: {})

    @bank.app.post("/pay/{status}")
    async def pay(status: int, call: Annotated[GuardedCall, Depends(guarded)], n: int = 0) -> None:
        if status != 200:
            raise HTTPException(status)

    def state(path: str, app: Any = None) -> State:
        fresh = TestClient(bank.app)
        bank.app.middleware_stack = None
        return bank.send(fresh, {}, path=path)[1]

    assert state("/pay/200") is State.UNKNOWN
    assert state("/pay/409") is State.FAILED
    assert state("/pay/502") is State.UNKNOWN
    assert state("/pay/200?n=x") is State.FAILED
    again = TestClient(bank.app)
    assert bank.send(again, {}, path="/pay/200")[1] is State.SUCCEEDED


@pytest.mark.parametrize("mounted", [False, True])
@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/pay/200", State.SUCCEEDED),
        ("/pay/409", State.FAILED),
        ("/pay/502", State.UNKNOWN),
        ("/pay/200?n=x", State.FAILED),
        ("/pay/500", State.UNKNOWN),
    ],
)
def test_of_one_behind_a_threshold_all_is_known_from_the_first_on(
    bank: Bank, path: str, outcome: State, mounted: bool
) -> None:
    """GUARD-5, GUARD-8: whoever mounts an authority has its well-known routes before all others."""
    looked: list[object] = []
    bank.app.router.lifespan_context = FastAPI().router.lifespan_context
    guarded = bank.guard("pay", lambda request: {})

    def look(app: object) -> None:
        start(app, bank.guard)
        looked.append(app)

    @bank.app.post("/pay/{status}")
    async def pay(status: int, call: Annotated[GuardedCall, Depends(guarded)], n: int = 0) -> dict[str, Any]:
        if status == 500:
            raise RuntimeError
        if status != 200:
            raise HTTPException(status)
        return {"n": n}

    threshold = StartCheck(lambda: bool(looked), look)
    app: Any = Starlette(routes=[threshold, Mount("/", bank.app)]) if mounted else bank.app
    if not mounted:
        bank.app.router.routes.insert(0, threshold)
    client = TestClient(app, raise_server_exceptions=False)
    for _ in range(2):
        status, state, _answer = bank.send(client, {}, path=path)
        assert (status, state) == (422 if "?" in path else int(path[-3:]), outcome)
    assert len(looked) == 1


@pytest.mark.parametrize("how", ["dependency", "dependency of an app that was never started", "decorator"])
def test_a_handler_that_is_cancelled_is_told_of_at_once(bank: Bank, how: str) -> None:
    """GUARD-5: nobody waits 600 s to hear that it is not known; and the cancellation goes on."""
    ended: list[str] = []
    if how.endswith("started"):
        bank.app.router.lifespan_context = FastAPI().router.lifespan_context

    at_work = asyncio.Event()

    async def work() -> None:
        try:
            at_work.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("handler")
            raise

    if how == "decorator":

        @bank.app.post("/pay")
        @bank.guard.tool("pay")
        async def transfer(request: Request) -> Response:
            await work()
            return Response()
    else:

        @bank.app.post("/pay")
        async def pay(call: GuardedCall = bank.pays) -> None:
            await work()

    async def visit() -> State:
        token = bank.authority.call("pay", TRANSFER)
        async with bank.app.router.lifespan_context(bank.app):
            transport = httpx2.ASGITransport(bank.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
                headers = {"txn-token": text_of(token)}
                visit = asyncio.create_task(http.post("/pay", json=TRANSFER, headers=headers))
                await at_work.wait()
                visit.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await visit
                for _ in range(1000):
                    await asyncio.sleep(0)
        return bank.authority.states[token.call_id]

    assert asyncio.run(visit()) is State.UNKNOWN
    assert ended == ["handler"]


def test_a_call_that_could_not_be_told_of_is_logged(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    @bank.app.post("/pay")
    async def pay(call: GuardedCall = bank.pays) -> dict[str, Any]:
        return {}

    bank.authority.going = True
    with caplog.at_level(logging.WARNING, "deputize.guard"):
        assert bank.pay()[:2] == (200, State.REDEEMED)
    assert "could not be reported" in caplog.text


def test_the_call_has_the_users_id_at_the_site(bank: Bank) -> None:
    @bank.app.post("/pay")
    async def pay(call: GuardedCall = bank.pays) -> str | None:
        return call.external_id

    assert bank.pay()[2].json() is None
    bank.authority.external_id = "customer-7"
    assert bank.pay()[2].json() == "customer-7"
