"""The floors of the house: imports go strictly down, and folders of one floor do not know each other."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "server" / "deputize"
FLOORS = {
    "protocol": 0,
    "words": 1,
    **dict.fromkeys(("alone", "private", "watched", "detached", "extras"), 1),
    "service": 2,
    **dict.fromkeys(("store", "crypto", "fetching", "settings", "log"), 3),
    **dict.fromkeys(("authority", "methods", "guard", "agent"), 4),
    "web": 5,
    **dict.fromkeys(("opening", "app", "cli", "demo", "testing", "__init__", "__main__"), 6),
}
EXTRA = {
    ("app", "opening"): "the composition root",
    ("cli", "app"): "commands start what the root composes",
    ("cli", "opening"): "commands open the store that the data is in",
    ("cli", "demo"): "a command plays it",
    ("cli", "testing"): "a command reads a page in the tester's browser",
    ("demo", "app"): "a site mounts deputize",
    ("demo", "cli"): "its auditor gives commands",
    ("demo", "opening"): "copies of a site's data are served",
    ("demo", "testing"): "the story is told with the tester's kit",
    ("__init__", "app"): "the public names",
    ("__main__", "cli"): "python -m deputize",
}
FORBIDDEN = {
    ("guard", "service"),
    ("guard", "store"),
    ("guard", "web"),
    ("agent", "service"),
    ("agent", "store"),
    ("agent", "web"),
    ("web", "guard"),
    ("web", "agent"),
    ("web", "store"),
}
IMPURE = {
    "asyncio",
    "time",
    "random",
    "secrets",
    "os",
    "socket",
    "threading",
    "logging",
    "sqlite3",
    "httpx2",
    "starlette",
}
READS_A_CLOCK = {"now", "today", "utcnow"}

MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """Name the room of a module: its folder, or itself at the top."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """List what a module imports, as absolute dotted names."""
    package = ("deputize", *path.relative_to(PACKAGE).parent.parts)
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def rooms_of(path: Path) -> set[str]:
    """List the rooms of this package that a module imports from."""
    parts = (name.split(".") for name in imported(path))
    return {name[1] for name in parts if name[0] == "deputize" and len(name) > 1 and name[1] in FLOORS}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_strictly_down(path: Path) -> None:
    here = room(path)
    for there in rooms_of(path) - {here}:
        assert (here, there) not in FORBIDDEN, f"{here} must not know {there}"
        assert FLOORS[there] < FLOORS[here] or (here, there) in EXTRA, (
            f"{here} reaches up or sideways to {there}"
        )


@pytest.mark.parametrize("path", sorted((PACKAGE / "protocol").glob("*.py")), ids=lambda path: path.name)
def test_the_protocol_is_pure(path: Path) -> None:
    used = {name.split(".")[0] for name in imported(path)}
    assert not used & IMPURE
    called = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert not called & READS_A_CLOCK
    assert not [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    ]


@pytest.mark.parametrize("path", sorted((PACKAGE / "service").rglob("*.py")), ids=lambda path: path.name)
def test_use_cases_take_clock_and_randomness_and_know_no_async(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & IMPURE
    tree = ast.parse(path.read_text())
    waits = [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]
    assert not waits or path.name == "ports.py"


def test_which_store_there_is_only_opening_knows() -> None:
    """So another one is a package beside `store`, and a choice there."""
    knows = {room(path) for path in MODULES if "store" in rooms_of(path)}
    assert knows - {"store"} == {"opening"}


def test_every_room_has_a_floor() -> None:
    assert {room(path) for path in MODULES} <= FLOORS.keys()


def test_the_fast_tests_are_those_of_the_lower_floors() -> None:
    makefile = (PACKAGE.parent.parent / "Makefile").read_text()
    listed = re.search(r"^LOWER_FLOORS = \$\(addprefix tests/,([a-z ]+)\)", makefile, re.MULTILINE)
    assert listed is not None
    lower = {name for name, floor in FLOORS.items() if floor <= 4 and (Path(__file__).parent / name).is_dir()}
    assert set(listed[1].split()) == lower
