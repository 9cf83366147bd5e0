"""What all of `make chaos` shares: a seed, which is printed, and an end to each test."""

import os
import random
import time
from collections.abc import Iterator

import pytest

SECONDS = float(os.environ.get("SECONDS_EACH") or 60)
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))


def pytest_report_header() -> str:
    """Say how to have the same again."""
    return f"chaos: make chaos SEED={SEED} SECONDS={SECONDS:g}"


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Give a test its own chance, which the seed and its name determine."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def rounds() -> Iterator[int]:
    """Count rounds, one at least, until the time is up."""

    def count() -> Iterator[int]:
        end, number = time.monotonic() + SECONDS, 0
        while number == 0 or time.monotonic() < end:
            yield number
            number += 1

    return count()
