"""What an app's start finds out about its guards (GUARD-8)."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, NoMatchFound, Route
from starlette.testclient import TestClient

from deputize.guard import Guard, GuardMiddleware, Unguarded
from deputize.guard.outcome import Watch
from deputize.guard.start import GuardedRoute, StartCheck, start
from deputize.protocol.canonical import Json
from deputize.protocol.scope import ScopeSet
from deputize.protocol.tool import Executes, Tool

from .conftest import AUDIENCE, ISSUER, Authority, key_of

SCOPES = ScopeSet.of(["payments:write"])
TOOLS = {
    "pay": Tool("pay", SCOPES),
    "close": Tool("close", SCOPES),
    "pin": Tool("pin", SCOPES, executes=Executes.PAGE),
    "help": Tool("help", public=True),
}


@pytest.fixture
def guard() -> Guard:
    return Guard(ISSUER, AUDIENCE, key_of, Authority(), tools=lambda: TOOLS)


async def plain(request: Request) -> Response:
    return PlainTextResponse("")


def fresh() -> Any:
    """Make a function of its own."""

    async def pay(request: Request) -> Response:
        return PlainTextResponse("")

    return pay


def post(path: str, endpoint: Any, **more: Any) -> Route:
    return Route(path, endpoint, methods=["POST"], **more)


def explained(endpoint: Any) -> Any:
    """Decorate as sites do."""

    @wraps(endpoint)
    async def explain(request: Request) -> Response:
        answer: Response = await endpoint(request)
        return answer

    return explain


class TestMaking:
    """A guard for what no call token is for is an error where it is made."""

    @pytest.mark.parametrize(
        ("tool", "told"),
        [
            ("pya", "no such tool. Did you mean 'pay'?"),
            ("transfer", "no such tool. Declare it"),
            ("pin", 'says executes = "page"'),
            ("help", "is public"),
            ("deputize.consent", "cannot be the name"),
            ("", "cannot be the name"),
        ],
    )
    def test_a_guard_of_a_tool_that_the_policy_does_not_have_is_a_mistake(
        self, guard: Guard, tool: str, told: str
    ) -> None:
        makers: list[Callable[[], object]] = [
            lambda: guard.tool(tool),
            lambda: guard(tool),
            lambda: GuardMiddleware(Starlette(), guard, {("POST", "/a"): tool}),
        ]
        for make in makers:
            with pytest.raises(ValueError) as caught:  # noqa: PT011  # its text is looked at
                make()
            assert told in str(caught.value)

    def test_without_a_policy_any_name_may_be_one(self) -> None:
        """Over HTTP, what a misspelt tool guards is closed to all calls."""
        guard = Guard(ISSUER, AUDIENCE, key_of, Authority())
        guard.tool("pya")(fresh())
        guard("pya")

    def test_what_the_decorator_cannot_guard_is_a_mistake(self, guard: Guard) -> None:
        def sync(request: Request) -> Response:
            return PlainTextResponse("")

        async def more(request: Request, body: dict[str, Any]) -> Response:
            return PlainTextResponse("")

        async def none() -> Response:
            return PlainTextResponse("")

        class Endpoint:
            async def post(self, request: Request) -> Response:
                return PlainTextResponse("")

        wrong: list[Any] = [sync, more, none, Endpoint, Endpoint.post]
        for endpoint in wrong:
            with pytest.raises(TypeError) as caught:
                guard.tool("pay")(endpoint)
            assert 'call: GuardedCall = Depends(guard("pay"))' in str(caught.value)
        guard.tool("pay")(Endpoint().post)

    def test_a_second_guard_is_a_mistake(self, guard: Guard) -> None:
        for endpoint in (guard.tool("pay")(fresh()), explained(guard.tool("pay")(fresh()))):
            with pytest.raises(TypeError, match="guarded already"):
                guard.tool("close")(endpoint)


class TestFinding:
    """Every guard is found, wherever its route is, and listed."""

    def test_guards_are_found_in_starlette(self, guard: Guard) -> None:
        tool = guard.tool
        inner = Starlette(routes=[post("/pay", tool("pay")(fresh()))])
        app = Starlette(
            routes=[
                post("/pay", tool("pay")(fresh())),
                post("/explained", explained(tool("pay")(fresh()))),
                post("/partial", partial(tool("pay")(fresh()))),
                Route("/list", tool("close")(fresh())),
                Mount("/a", routes=[Mount("/b", inner)]),
                Host("api.bank.example", Starlette(routes=[post("/host", tool("pay")(fresh()))])),
                Mount("/wrapped", Watch(Starlette(routes=[post("/pay", tool("close")(fresh()))]))),
            ]
        )
        assert [(each.tool, each.route, each.how) for each in start(app, guard, ["pay", "close"])] == [
            ("pay", "POST /pay", "decorator"),
            ("pay", "POST /explained", "decorator"),
            ("pay", "POST /partial", "decorator"),
            ("close", "GET /list", "decorator"),
            ("pay", "POST /a/b/pay", "decorator"),
            ("pay", "POST /host", "decorator"),
            ("close", "POST /wrapped/pay", "decorator"),
        ]

    def test_guards_by_middleware_are_found(self, guard: Guard) -> None:
        def below(tool: str, path: str) -> Middleware:
            return Middleware(GuardMiddleware, guard=guard, routes={("POST", path): tool})

        app = Starlette(
            routes=[
                Route("/pay", fresh(), methods=["GET", "POST"]),
                Mount("/a", routes=[post("/pay", fresh())], middleware=[below("close", "/pay")]),
                Mount("/b", Starlette(routes=[post("/pay", fresh())], middleware=[below("close", "/pay")])),
            ],
            middleware=[below("pay", "/pay")],
        )
        assert [(each.tool, each.route, each.how) for each in start(app, guard, ["pay"])] == [
            ("pay", "POST /pay", "middleware"),
            ("close", "POST /a/pay", "middleware"),
            ("close", "POST /b/pay", "middleware"),
        ]

    def test_guards_are_found_in_fastapi(self, guard: Guard) -> None:
        app, router, deeper, below = FastAPI(), APIRouter(), APIRouter(prefix="/deep"), FastAPI()
        pays = Depends(guard("pay"))

        def service(call: Any = pays) -> Any:
            return call

        @app.post("/nested")
        def nested(call: Annotated[Any, Depends(service)]) -> None: ...

        @deeper.post("/pay")
        def pay(call: Any = pays) -> None: ...

        @below.post("/pay")
        @guard.tool("close")
        async def close(request: Request) -> None: ...

        @router.post("/covered")
        def covered() -> None: ...

        router.include_router(deeper, prefix="/r")
        router.routes.append(post("/plain", guard.tool("close")(fresh())))
        app.include_router(router, prefix="/api", dependencies=[])
        app.include_router(APIRouter(dependencies=[pays], routes=router.routes[:0]), prefix="/none")
        app.mount("/m", below)
        app.add_api_route("/added", fresh(), dependencies=[pays], methods=["POST"])
        covering = APIRouter()
        covering.add_api_route("/all", fresh(), methods=["PUT"])
        app.include_router(covering, dependencies=[Depends(guard("close"))])
        found = {(each.tool, each.route, each.how) for each in start(app, guard, ["pay", "close"])}
        assert found == {
            ("pay", "POST /nested", "dependency"),
            ("pay", "POST /api/r/deep/pay", "dependency"),
            ("close", "POST /api/plain", "decorator"),
            ("close", "POST /m/pay", "decorator"),
            ("pay", "POST /added", "dependency"),
            ("close", "PUT /all", "dependency"),
        }

    def test_a_started_app_is_watched_once(self, guard: Guard) -> None:
        app = Starlette()
        app.middleware_stack = app.build_middleware_stack()
        start(app, guard)
        watched = app.middleware_stack
        start(app, guard)
        assert isinstance(watched, Watch)
        assert app.middleware_stack is watched


def faults(app: Any, guard: Guard, *needed: str) -> list[str]:
    with pytest.raises(Unguarded) as caught:
        start(app, guard, needed)
    assert "does not start" in str(caught.value)
    assert all(fault in str(caught.value) for fault in caught.value.faults)
    return caught.value.faults


class TestRefusing:
    """An app whose guards are not in order does not start, and says why."""

    def test_a_tool_without_a_guard(self, guard: Guard) -> None:
        (told,) = faults(Starlette(routes=[post("/pay", fresh())]), guard, "pay")
        assert told.startswith(
            'pay: the policy says executes = "api", and no route of this app has its guard'
        )
        for word in ("POST /pay", '.tool("pay")', 'Depends(authority.guard("pay"))', "elsewhere = true"):
            assert word in told

    def test_the_guard_of_somebody_else_is_none(self, guard: Guard) -> None:
        other = Guard(ISSUER, AUDIENCE, key_of, Authority())
        (told,) = faults(Starlette(routes=[post("/pay", other.tool("pay")(fresh()))]), guard, "pay")
        assert told.startswith("pay: the policy says")

    def test_an_app_whose_routes_nobody_sees(self, guard: Guard) -> None:
        for app in (None, plain, object()):
            (told,) = faults(app, guard, "pay")
            assert "(there are none)" in told

    def test_a_decorator_above_the_route(self, guard: Guard) -> None:
        app = FastAPI()

        @guard.tool("pay")
        @app.post("/pay")
        async def pay(request: Request) -> None: ...

        (told,) = faults(app, guard, "pay")
        assert "POST /pay runs" in told
        assert "without its guard" in told
        assert "directly above the function" in told

    def test_a_bare_route_of_a_tool_that_is_guarded_elsewhere_in_the_app(self, guard: Guard) -> None:
        app = FastAPI()
        app.add_api_route("/other", guard.tool("pay")(fresh()), methods=["POST"])

        @guard.tool("pay")
        @app.post("/pay")
        async def pay(request: Request) -> None: ...

        (told,) = faults(app, guard, "pay")
        assert "POST /pay runs" in told

    @pytest.mark.parametrize("how", ["decorator", "dependency", "middleware"])
    def test_one_function_under_two_routes_one_without(self, guard: Guard, how: str) -> None:
        app, function = FastAPI(), fresh()
        depends = [Depends(guard("pay"))] if how == "dependency" else []
        endpoint = guard.tool("pay")(function) if how == "decorator" else function
        app.add_api_route("/pay", endpoint, methods=["POST"], dependencies=depends)
        app.add_api_route("/open", explained(function), methods=["POST"])
        if how == "middleware":
            app.add_middleware(GuardMiddleware, guard=guard, routes={("POST", "/pay"): "pay"})
        (told,) = faults(app, guard, "pay")
        assert "POST /open runs" in told

    def test_a_function_that_no_route_runs(self, guard: Guard) -> None:
        def hidden(endpoint: Any) -> Any:
            async def hide(request: Request) -> Any:
                return await endpoint(request)

            return hide

        (told,) = faults(Starlette(routes=[post("/pay", hidden(guard.tool("pay")(fresh())))]), guard, "pay")
        assert "no route of this app runs it" in told
        assert "functools.wraps" in told

    def test_two_guards_in_front_of_one_handler(self, guard: Guard) -> None:
        app = FastAPI(dependencies=[Depends(guard("pay"))])
        app.add_api_route("/pay", guard.tool("pay")(fresh()), methods=["POST"])
        other = FastAPI()
        other.add_api_route("/pay", fresh(), dependencies=[Depends(guard("pay")), Depends(guard("close"))])
        third = FastAPI(middleware=[Middleware(GuardMiddleware, guard, {("GET", "/pay"): "pay"})])
        third.add_api_route("/pay", fresh(), dependencies=[Depends(guard("pay"))])
        for each in (app, other, third):
            (told,) = faults(each, guard)
            assert "2 guards stand in front of" in told

    def test_parameters_in_the_path(self, guard: Guard) -> None:
        def args(request: Request) -> dict[str, Json]:
            return dict(request.path_params)

        tool, good = guard.tool, guard.tool("pay", args)
        app = Starlette(routes=[post("/a/{id}", tool("pay")(fresh())), post("/b/{id}", good(fresh()))])
        mounted = Starlette(routes=[Mount("/{bank}", routes=[post("/a", tool("pay")(fresh()))])])
        host = Starlette(
            routes=[Host("{bank}.example", Starlette(routes=[post("/a", tool("pay")(fresh()))]))]
        )
        fast = FastAPI()
        fast.add_api_route("/a/{id}", fresh(), dependencies=[Depends(guard("pay"))], methods=["POST"])
        for each in (app, mounted, host, fast):
            (told,) = faults(each, guard)
            assert "the approval does not cover the parameters in the address of POST /" in told
            assert "`args=`" in told

    def test_a_websocket_has_no_guard_of_requests(self, guard: Guard) -> None:
        app = FastAPI()

        @app.websocket("/live", dependencies=[Depends(guard("pay"))])
        async def live(websocket: WebSocket) -> None: ...

        (told,) = faults(app, guard)
        assert "a guard admits requests, and WEBSOCKET /live is none" in told

    def test_a_middleware_for_a_route_that_is_not_there(self, guard: Guard) -> None:
        named = [Middleware(GuardMiddleware, guard, {("POST", "/pya"): "pay"})]
        app = Starlette(routes=[post("/pay", fresh())], middleware=named)
        told = faults(app, guard, "pay")
        assert "no route of this app is declared as POST /pya" in told[0]

    def test_each_fault_is_told(self, guard: Guard) -> None:
        app = Starlette(routes=[post("/a/{id}", guard.tool("pay")(fresh()))])
        assert len(faults(app, guard, "pay", "close")) == 2


def test_a_middleware_inside_of_its_route_does_not_let_the_first_request_pass(guard: Guard) -> None:
    """There it is asked when the route has been chosen: too late to stand in front of it."""
    ran: list[str] = []

    async def pay(request: Request) -> Response:
        ran.append("pay")
        return PlainTextResponse("")

    named = [Middleware(GuardMiddleware, guard, {("POST", "/pay"): "pay"})]
    app = Starlette(routes=[post("/pay", pay, middleware=named)])
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.post("/pay", json={}).status_code == 500
        assert client.post("/pay", json={}).status_code == 500
    assert ran == []


def test_the_threshold_is_no_route(guard: Guard) -> None:
    looked: list[object] = []
    app = Starlette(routes=[StartCheck(lambda: bool(looked), looked.append), Route("/", plain, name="home")])
    assert app.url_path_for("home") == "/"
    with pytest.raises(NoMatchFound):
        app.url_path_for("nothing")
    assert looked == []
    with TestClient(app) as client:
        assert client.get("/").status_code == 200
        assert client.get("/nothing").status_code == 404
    assert looked == [app.router]


def test_what_stands_is_told_by_name() -> None:
    assert GuardedRoute("pay", "POST /pay", "decorator") == GuardedRoute("pay", "POST /pay", "decorator")


def test_a_router_that_is_included_twice_and_once_without_the_guard(guard: Guard) -> None:
    router, app = APIRouter(), FastAPI()
    router.add_api_route("/pay", lambda: "paid", methods=["POST"])
    app.include_router(router, prefix="/a", dependencies=[Depends(guard("pay"))])
    app.include_router(router, prefix="/b")
    (told,) = faults(app, guard, "pay")
    assert "POST /b/pay runs" in told
