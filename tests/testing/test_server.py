"""A site in a thread: it answers at once, runs its shutdown, and says why it did not start."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from deputize.testing.server import Site


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"hello {request.url.port}")


def test_it_answers_at_the_port_that_the_app_was_built_for() -> None:
    told: list[int] = []

    def build(port: int) -> Starlette:
        told.append(port)
        return Starlette(routes=[Route("/", hello)])

    with Site(build) as site:
        assert told == [site.port]
        assert httpx2.get(site.url).text == f"hello {site.port}"


def test_it_runs_the_shutdown_of_the_app_and_frees_the_port() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        events.append("up")
        yield
        events.append("down")

    with Site(lambda port: Starlette(lifespan=lifespan)) as site:
        assert events == ["up"]
    assert events == ["up", "down"]
    socket.create_server(("127.0.0.1", site.port)).close()


def test_an_app_that_does_not_start_is_told_at_once() -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if app.routes == []:
            raise OSError("no disk")
        yield

    with pytest.raises(RuntimeError, match="did not start"):
        Site(lambda port: Starlette(lifespan=lifespan))


def test_what_building_the_app_raises_goes_through() -> None:
    def build(port: int) -> Starlette:
        raise LookupError("no policy")

    with pytest.raises(LookupError, match="no policy"):
        Site(build)


def test_the_name_of_the_host_is_the_callers() -> None:
    with Site(lambda port: Starlette(), host="bank.site.localhost") as site:
        assert site.url == f"http://bank.site.localhost:{site.port}"
