"""docs/faults.md and SECURITY.md are true as far as they name things: each test that they name is there."""

import re
from fnmatch import filter as matching
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = re.findall(r"`((?:tests|e2e|chaos|js)/[\w./]*)`", (ROOT / "SECURITY.md").read_text())
NAMED = sorted(set(re.findall(r"`(test_[\w.*]+)`", (ROOT / "docs/faults.md").read_text())))
SOURCES = [path for folder in ("tests", "chaos") for path in (ROOT / folder).rglob("test_*.py")]
THERE = {path.name for path in SOURCES} | {
    name
    for path in SOURCES
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
}


def test_the_page_of_faults_names_tests() -> None:
    assert len(NAMED) > 10


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_it_names_is_there(name: str) -> None:
    assert matching(THERE, name)


def test_so_are_all_files_that_are_to_show_what_is_promised() -> None:
    assert len(FILES) > 30
    assert [name for name in FILES if not (ROOT / name).exists()] == []
