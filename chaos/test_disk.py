"""Disks that fail at any point, and what a kill or a loss of power leaves after it (READY-3)."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.faulty_disk import sqlite_library
from tests.store.ordeal import FAULTS, Ordeal, template


@pytest.mark.skipif(
    sqlite_library() is None, reason="SQLite is linked into this Python, so no disk can be put under it"
)
@pytest.mark.parametrize("kind", FAULTS)
def test_every_answer_is_true_of_what_any_crash_leaves(
    kind: str, rounds: Iterator[int], chance: random.Random, tmp_path: Path
) -> None:
    empty, said = template(tmp_path), Counter[str]()
    for number in rounds:
        times = chance.choice([1, 1, 2, 3, 5, 1000])
        ordeal = Ordeal(kind, chance.randint(0, 12 if "sync" in kind else 90), times)
        folder = tmp_path / f"{number}"
        said += ordeal.run(empty, folder, chance, batches=chance.randint(3, 12)).check(folder)
    print(f"{kind}: {number + 1} disks, {dict(said)}")
    assert said["yes"]
