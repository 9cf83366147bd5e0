"""The guard as middleware: it stands in front of the routes that it is given by name (GUARD-7)."""

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from deputize.guard import Guard, GuardMiddleware

from .conftest import AUDIENCE, ISSUER, Authority, key_of

NAMED = {("POST", "/api/transfers"): "pay"}


async def pay(request: Request) -> Response:
    return PlainTextResponse("paid")


def post(path: str) -> Route:
    return Route(path, pay, methods=["POST"])


@pytest.fixture
def guard() -> Guard:
    return Guard(ISSUER, AUDIENCE, key_of, Authority())


def bound(app: ASGIApp, guard: Guard, named: Any = NAMED) -> None:
    GuardMiddleware(app, guard, named).bind()


@pytest.mark.parametrize("route", [("post", "/a"), ("POST", "a"), ("GET", "/a/{id}")])
def test_routes_that_no_request_has_are_a_mistake(guard: Guard, route: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="path"):
        GuardMiddleware(Router(), guard, {route: "tool"})


def test_a_tool_that_cannot_be_is_a_mistake(guard: Guard) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        GuardMiddleware(Router(), guard, {("POST", "/a"): "deputize.consent"})


def refused(app: ASGIApp, guard: Guard, named: Any = NAMED) -> str:
    with pytest.raises(RuntimeError) as caught:
        bound(app, guard, named)
    return str(caught.value)


@pytest.mark.parametrize(
    "routes",
    [
        [],
        [Route("/api/transfer", pay, methods=["POST"])],
        [Route("/api/transfers", pay)],
        [Route("/api/transfers/", pay, methods=["POST"])],
        [Route("/{rest:path}", pay, methods=["POST"])],
        [Mount("/api/transfers", PlainTextResponse("paid"))],
    ],
    ids=["none", "another", "for GET", "with a slash", "for everything", "an app"],
)
def test_a_route_that_is_not_there_is_not_guarded_in_silence(guard: Guard, routes: list[Any]) -> None:
    assert "no route of this app is declared as POST /api/transfers" in refused(
        Starlette(routes=routes), guard
    )


@pytest.mark.anyio
async def test_an_app_whose_routes_are_hidden_is_not_served(guard: Guard) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("it was served")

    middleware: Any = GuardMiddleware(app, guard, NAMED)
    for scope in ({"type": "lifespan"}, {"type": "http", "path": "/"}, {"type": "websocket", "path": "/"}):
        with pytest.raises(RuntimeError, match="There are: none"):
            await middleware(scope, None, None)


def test_a_route_has_one_guard(guard: Guard) -> None:
    app = Starlette(routes=[post("/api/transfers")])
    bound(app, guard)
    bound(app, guard)
    assert "guarded for pay already" in refused(app, guard, {("POST", "/api/transfers"): "close"})
    assert "guarded for pay already" in refused(app, Guard(ISSUER, AUDIENCE, key_of, Authority()))


def test_a_route_that_fastapi_makes_anew_does_not_start(guard: Guard) -> None:
    app, router = FastAPI(), APIRouter(routes=[post("/transfers")])
    app.include_router(router, prefix="/api")
    told = refused(app, guard)
    assert "FastAPI makes POST /api/transfers anew" in told
    assert "`guard.tool`" in told


@pytest.mark.parametrize(
    "path", ["/%0A", "/open%0D%0A", "/%00", "/a%7F", "/%C2%85", "/api/transfers%0A", "/%0A/"]
)
def test_control_characters_in_a_path_are_refused(guard: Guard, path: str) -> None:
    """GUARD-1: of any route, since routers read them each in their way."""
    named = [Middleware(GuardMiddleware, guard, NAMED)]
    routes = [post("/api/transfers"), Route("/{rest:path}", pay)]
    with TestClient(Starlette(routes=routes, middleware=named)) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert client.get("/%C3%A4").text == "paid"


def test_wherever_it_stands_it_finds_the_routes(guard: Guard) -> None:
    here = {("POST", "/transfers"): "pay"}
    named = [Middleware(GuardMiddleware, guard, here)]
    around = Starlette(routes=[post("/transfers")])
    bound(around, guard, here)
    mounted = Mount("/api", routes=[post("/transfers")], middleware=named)
    mounted.app.bind()  # type: ignore[attr-defined] # it is the middleware
    far = Starlette(
        routes=[Mount("/a", Starlette(routes=[Mount("/b", Router(routes=[post("/transfers")]))]))]
    )
    bound(far, guard, {("POST", "/a/b/transfers"): "pay"})


class Hiding:
    """A middleware that keeps what it wraps under a name of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.hidden = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.hidden(scope, receive, send)


def statuses(app: ASGIApp, *paths: str) -> list[int]:
    with TestClient(app, raise_server_exceptions=False) as client:
        return [client.post(path, json={}).status_code for path in paths]


def test_behind_a_middleware_that_hides_the_routes_it_finds_them_or_serves_nothing(guard: Guard) -> None:
    """Around the router it finds them by the app; below one, where that would be too late, it serves nothing."""
    named = [Middleware(GuardMiddleware, guard, NAMED), Middleware(Hiding)]
    app = Starlette(routes=[post("/api/transfers")], middleware=named)
    assert statuses(app, "/api/transfers", "/api/transfers") == [401, 401]
    outer = Starlette(routes=[Mount("/a", Starlette(routes=[post("/api/transfers")], middleware=named))])
    assert statuses(outer, "/a/api/transfers", "/a/api/transfers") == [500, 500]


def test_a_route_is_guarded_wherever_it_is_included(guard: Guard) -> None:
    router = APIRouter()
    router.add_api_route("/transfers", lambda: "paid", methods=["POST"])
    app = FastAPI(middleware=[Middleware(GuardMiddleware, guard, NAMED)])
    app.include_router(router, prefix="/api")
    app.include_router(router, prefix="/other")
    assert statuses(app, "/api/transfers", "/other/transfers") == [401, 401]


def test_a_route_is_guarded_in_each_app_that_has_it(guard: Guard) -> None:
    shared = post("/api/transfers")
    app = Starlette(routes=[shared], middleware=[Middleware(GuardMiddleware, guard, NAMED)])
    assert statuses(app, "/api/transfers") == [401]
    assert statuses(Starlette(routes=[shared]), "/api/transfers") == [401]
