"""Whoever judges how time grows finds squares, and lets be what is straight: by times that are made up."""

import math
from collections.abc import Callable

import pytest
from tests.hostile import growth

PLAIN = 0.001
MOST = 16_384
TIMES: dict[str, tuple[Callable[[int], float], bool]] = {
    "straight": (lambda n: PLAIN + n * 1e-5, False),
    "straight, and refused before what is plain is done": (lambda n: n * 1e-5, False),
    "straight, with a logarithm": (lambda n: PLAIN + n * math.log(n + 1) * 1e-6, False),
    "a square": (lambda n: PLAIN + n**2 * 1e-8, True),
    "a square behind what is straight": (lambda n: PLAIN + n * 1e-7 + n**2 * 1e-8, True),
    "a square that is small": (lambda n: PLAIN + n**2 * 2e-10, True),
    "a square that harms nobody": (lambda n: PLAIN + n**2 * 5e-11, False),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", TIMES)
async def test_squares_are_found_and_nothing_else(name: str) -> None:
    seconds, found = TIMES[name]

    async def run(n: int) -> float:
        return seconds(n)

    faults = growth.Faults()
    await faults.compare(name, run, MOST, PLAIN)
    assert bool(faults) is found
