"""The pages for whoever changes the house are true: each path is there, and the floors are those of the imports."""

import re
from pathlib import Path

import pytest
from tests.test_architecture import FLOORS

ROOT = Path(__file__).parent.parent
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
PAGES = {"docs/architecture.md": ARCHITECTURE, "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text()}
PATH = re.compile(r"`((?:\.?[\w-]+/)*[\w-]+\.(?:py|js|mjs|ftl|md|toml|sql|txt|css)|(?:\.?[\w-]+/)+)`")
NAMED = sorted({(page, path) for page, text in PAGES.items() for path in PATH.findall(text)})
BY_NAME = {path.name for folder in ("server", "js/src") for path in (ROOT / folder).rglob("*.*")}


@pytest.mark.parametrize(("page", "path"), NAMED, ids=[f"{page}: {path}" for page, path in NAMED])
def test_a_path_that_a_page_names_is_there(page: str, path: str) -> None:
    places = [ROOT / path, ROOT / "server/deputize" / path, ROOT / "js/src" / path]
    named_before = "/" not in path and path in BY_NAME  # a module of a folder that the sentence has named
    assert named_before or any(place.exists() for place in places)


def test_pages_name_many_paths() -> None:
    """Else the pattern of paths has gone wrong."""
    assert len(NAMED) > 60


def test_the_table_of_floors_is_the_one_that_imports_go_by() -> None:
    rows = re.findall(r"^\| (\d) \| (.*) \|$", ARCHITECTURE, re.MULTILINE)
    told = {room: int(floor) for floor, rooms in rows for room in re.findall(r"`(\w+)`", rooms)}
    assert told == {room: floor for room, floor in FLOORS.items() if not room.startswith("__")}
