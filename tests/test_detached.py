"""Work whose first step is taken alone goes on as if it had been awaited from the beginning."""

import asyncio

import pytest

from deputize.detached import apart, begun, detached

pytestmark = pytest.mark.anyio


class Work:
    """Waits so often; `heard` is how that ended."""

    def __init__(self, times: int) -> None:
        self.gates = [asyncio.get_running_loop().create_future() for _ in range(times)]
        self.heard: list[str] = []

    async def __call__(self) -> str:
        try:
            for gate in self.gates:
                await gate
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # what has to be put away may take more than a moment
            self.heard.append("cancelled")
            raise
        except ValueError:
            await asyncio.sleep(0)
            return "mended"
        return "done"


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_it_is_done_when_nothing_is_waited_for_any_more(times: int) -> None:
    work = Work(times)
    going = work()
    task = asyncio.ensure_future(begun(going, going.send(None)))
    for gate in work.gates:
        gate.set_result(None)
        await asyncio.sleep(0)
    assert await task == "done"


@pytest.mark.parametrize("times", [1, 2])
async def test_it_hears_that_it_is_cancelled_wherever_it_waits(times: int) -> None:
    work = Work(2)
    going = work()
    waits_for = going.send(None)
    for gate in work.gates[: times - 1]:
        gate.set_result(None)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(begun(going, waits_for), 0.01)
    assert work.heard == ["cancelled"]


async def test_what_fails_is_the_works_to_mend() -> None:
    work = Work(1)
    going = work()
    waits_for = going.send(None)
    work.gates[0].set_exception(ValueError("no"))
    assert await begun(going, waits_for) == "mended"


async def test_what_is_detached_goes_on_when_whoever_waits_for_it_is_cancelled() -> None:
    work = Work(1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(detached(work()), 0.01)
    assert work.heard == []


async def test_what_runs_apart_is_cancelled_by_itself_alone() -> None:
    work = Work(1)
    task = apart(work())
    done, _ = await asyncio.wait({task}, timeout=0.01)
    assert (done, work.heard) == (set(), [])
    work.gates[0].set_result(None)
    assert await task == "done"
