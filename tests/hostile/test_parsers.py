"""Every parser of `targets.py`: what the fuzzer has found, and whether time grows with size."""

import random
from collections.abc import Callable, Iterator
from functools import partial

import orjson
import pytest
from tests.hostile import corpus, dimensions, growth
from tests.hostile.targets import TARGETS, Target

SLOW = 0.5  # seconds for one input of the corpus, on a machine that has other things to do
PLACES = 40 if growth.FULL else 2
MOST = 64 * 1024
DOCUMENTS = (
    "client-document",
    "keys",
    "receipt",
)  # the others are parts of requests, grown in test_growth.py
A_REQUEST = 1e-3  # seconds that one takes anyhow: less is nothing to compare


@pytest.mark.parametrize("name", TARGETS)
def test_reads_or_refuses_what_the_fuzzer_found(name: str) -> None:
    assert corpus.read(name), "make fuzz"
    for data in (*TARGETS[name].seeds, *corpus.read(name)):
        # What is loaded, or made, at the first time is not looked at, nor what the machine did meanwhile.
        assert any(TARGETS[name].seconds(data) < SLOW for _ in range(growth.TRIES)), data


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name", sorted(set(TARGETS) - {"request"})
)  # which grows in all its parts in test_growth.py
async def test_takes_no_longer_than_the_size(name: str) -> None:
    """Grow what the parser is meant for: wherever it is JSON, and by more and more of one thing at some places."""
    target, faults = TARGETS[name], growth.Faults()
    with growth.undisturbed():
        for seed in target.seeds[:2]:
            plain = min(target.seconds(seed) for _ in range(growth.TRIES))
            grows = growth.FULL or name in DOCUMENTS
            for way, most, grown in (*_inserted(seed), *(_grown(seed) if grows else ())):
                run = partial(_seconds, target, grown)
                await faults.compare(f"{seed!r}: {way}", run, most, plain, growth.NOISE * A_REQUEST)
    faults.none()


def _inserted(seed: bytes) -> Iterator[dimensions.Document]:
    places = range(len(seed) + 1)
    for at in sorted(random.Random(seed).sample(places, min(PLACES, len(places)))):
        for filler in dimensions.FILLERS:
            unit = filler.encode()
            yield f"{filler!r} at {at}", MOST // len(unit), partial(_insert, seed, at, unit)


def _insert(seed: bytes, at: int, unit: bytes, n: int) -> bytes:
    return seed[:at] + unit * n + seed[at:]


def _grown(seed: bytes) -> Iterator[dimensions.Document]:
    try:
        whole = orjson.loads(seed)
    except ValueError:
        return
    yield from dimensions.documents(whole, MOST)


async def _seconds(target: Target, grown: Callable[[int], bytes], n: int) -> float:
    return target.seconds(grown(n))
