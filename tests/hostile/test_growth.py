"""Nothing that is let in takes long: no time grows as the square of a size, in any dimension of any request.

With HOSTILE in the environment (`make hostile`) everything is tried everywhere, and nothing holds the event loop for
longer than fifty plain calls take.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
from tests.hostile import dimensions, durable, growth
from tests.hostile.requests import Arena, Authorities, Caught, Request
from tests.web.test_openapi import TOURED

from deputize.service import record
from deputize.service.ports import Reader

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("streams_end_at_once")]

ROWS = 1024 if growth.FULL else 64
KINDS = {
    **({kind: {kind: add} for kind, add in durable.KINDS.items()} if growth.FULL else {}),
    "all": durable.KINDS,
}
PLAIN_CALLS = 50
PLAIN_CALL = "POST /calls"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    return Authorities(tmp_path_factory.mktemp("moments"))


@pytest.fixture(scope="module")
async def caught(authorities: Authorities) -> dict[str, Caught]:
    return await authorities.catch()


@pytest.fixture(scope="module")
async def longest(authorities: Authorities, caught: dict[str, Caught]) -> float:
    """Return how many seconds one request may hold the loop."""
    async with authorities.at(caught[PLAIN_CALL].data) as arena:
        return PLAIN_CALLS * await plain(arena, caught[PLAIN_CALL].request)


@pytest.fixture(autouse=True)
def _undisturbed(caught: dict[str, Caught]) -> Iterator[None]:
    with growth.undisturbed():
        yield


@pytest.fixture
def found(operation: str, caught: dict[str, Caught]) -> dict[str, Caught]:
    """Return the good requests of an operation."""
    found = {name: one for name, one in caught.items() if name.split(" ")[:2] == operation.split(" ")}
    assert found, "the tour of tests/web/test_openapi.py has to come here"
    return found


async def plain(arena: Arena, request: Request) -> float:
    """Return the seconds that a request takes as it is, which has to be good."""
    answers = [await arena.send(request) for _ in range(growth.TRIES)]
    assert max(answer.status for answer in answers) < 400
    return min(answer.seconds for answer in answers)


@pytest.mark.parametrize("operation", sorted(TOURED))
async def test_no_request_takes_longer_than_what_is_sent(
    authorities: Authorities, found: dict[str, Caught], longest: float
) -> None:
    faults = growth.Faults()
    for name, one in found.items():
        grown = list(dimensions.of(one.request))
        assert len({dimension.name for dimension in grown}) == len(grown)
        for member in dimensions.documented(one.request):
            assert any(f"{member} " in dimension.name for dimension in grown), member
        async with authorities.at(one.data) as arena:
            least = await plain(arena, one.request)
            for dimension in grown:
                told = f"{name}, {dimension.name}"
                await faults.compare(told, partial(seconds, arena, dimension.grown), dimension.most, least)
                if growth.FULL:
                    await hold(faults, told, arena, dimension.grown(dimension.most), longest)
    faults.none()


async def seconds(arena: Arena, grown: Callable[[int], Request], n: int) -> float:
    answer = await arena.send(grown(n))
    assert answer.status != 500
    return answer.seconds


async def hold(faults: growth.Faults, name: str, arena: Arena, request: Request, longest: float) -> None:
    if (held := await arena.held(request, longest)) > longest:
        faults.append(
            f"{name}: holds the loop for {held * 1e3:.0f} ms, and {longest * 1e3:.0f} ms are let be"
        )


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("operation", sorted(TOURED))
async def test_no_request_takes_longer_for_what_is_there_already(
    authorities: Authorities, found: dict[str, Caught], longest: float, kinds: str
) -> None:
    faults = growth.Faults()
    for name, one in found.items():
        async with filled(authorities, one, KINDS[kinds], ROWS) as arenas:
            least = await plain(arenas[ROWS // growth.STEP], one.request)
            await faults.compare(name, partial(seconds_in, arenas, one.request), ROWS, least)
            if growth.FULL:
                await hold(faults, name, arenas[ROWS], one.request, longest)
    faults.none()


async def seconds_in(arenas: dict[int, Arena], request: Request, n: int) -> float:
    return await seconds(arenas[n], lambda _: request, n)


@asynccontextmanager
async def filled(
    authorities: Authorities, one: Caught, kinds: durable.Kinds, most: int
) -> AsyncIterator[dict[int, Arena]]:
    """Open one moment with so many rows more, and with a sixteenth of that."""
    async with AsyncExitStack() as stack:
        arenas: dict[int, Arena] = {}
        for n in (most // growth.STEP, most):
            arenas[n] = await stack.enter_async_context(authorities.at(one.data))
            await arenas[n].fill(partial(durable.fill, kinds, n))
        yield arenas


RECORD: dict[str, Callable[[Reader], Any]] = {
    "verify": lambda tx: record.verify(tx, {}),
    "trail": lambda tx: record.trail(tx, "cal_x"),
}


@pytest.mark.parametrize("name", RECORD)
async def test_nothing_takes_longer_for_the_length_of_the_record(
    authorities: Authorities, caught: dict[str, Caught], name: str
) -> None:
    faults, entries = growth.Faults(), {"entries": durable.KINDS["entries"]}
    async with filled(authorities, caught[PLAIN_CALL], entries, 8 * ROWS) as arenas:

        async def run(n: int) -> float:
            with growth.Stopwatch() as watch:
                arenas[n].bank.deputize.store.look(RECORD[name])
            return watch.seconds

        await faults.compare(name, run, 8 * ROWS, await run(8 * ROWS // growth.STEP))
    faults.none()
