"""Every parser of `targets.py`: what the fuzzer has found, and whether time grows with size."""

import random
from functools import partial

import pytest
from tests.hostile import corpus, growth
from tests.hostile.dimensions import FILLERS
from tests.hostile.targets import TARGETS, Target

SLOW = 0.5  # seconds for one input of the corpus, on a machine that has other things to do
PLACES = 40 if growth.FULL else 4
MOST = 64 * 1024


@pytest.mark.parametrize("name", TARGETS)
def test_reads_or_refuses_what_the_fuzzer_found(name: str) -> None:
    assert corpus.read(name), "make fuzz"
    for data in (*TARGETS[name].seeds, *corpus.read(name)):
        TARGETS[name].seconds(data)  # once for what is loaded, or made, at the first time
        assert TARGETS[name].seconds(data) < SLOW, data


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name", sorted(set(TARGETS) - {"request"})
)  # which grows in all its parts in test_growth.py
async def test_takes_no_longer_than_the_size(name: str) -> None:
    """Insert more and more of one thing at places of what the parser is meant for."""
    target, chance = TARGETS[name], random.Random(name)
    faults = growth.Faults()
    with growth.undisturbed():
        for seed in target.seeds[:2]:
            plain = max(min(target.seconds(seed) for _ in range(growth.TRIES)), 1e-4)
            for at in sorted(chance.sample(range(len(seed) + 1), min(PLACES, len(seed) + 1))):
                for filler in FILLERS:
                    unit = filler.encode()
                    run = partial(_seconds, target, seed, at, unit)
                    await faults.compare(f"{filler!r} at {at} of {seed!r}", run, MOST // len(unit), plain)
    faults.none()


async def _seconds(target: Target, seed: bytes, at: int, unit: bytes, n: int) -> float:
    return target.seconds(seed[:at] + unit * n + seed[at:])
