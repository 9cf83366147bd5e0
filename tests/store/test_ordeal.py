"""READY-3: whatever fails, nothing that was acknowledged is lost, and nothing that was refused is found done."""

import random
from collections import Counter
from pathlib import Path

import pytest
from tests.size import tries
from tests.store.faulty_disk import sqlite_library
from tests.store.ordeal import FAULTS, Ordeal, template

pytestmark = pytest.mark.skipif(
    sqlite_library() is None, reason="SQLite is linked into this Python, so no disk can be put under it"
)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_answer_is_true_of_what_any_crash_leaves(kind: str, tmp_path: Path) -> None:
    empty, chance, said = template(tmp_path), random.Random(kind), Counter[str]()
    faults = [(0, 1), (2, 2), (15, 3), (3, 1000), (1, 1), (7, 1), (0, 1000)][: tries(4, 7)]
    for number, (after, times) in enumerate(faults):
        folder = tmp_path / f"{number}"
        said += Ordeal(kind, after, times).run(empty, folder, chance).check(folder)
    assert said["yes"] > 20
    assert said["no"] + said["perhaps"] > 10  # else nothing failed
