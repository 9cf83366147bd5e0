"""Each extra brings what its part of the house imports, and nothing that nobody imports."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "server" / "deputize"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED: dict[str, list[str]] = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "guard" / "dependency.py"  # loaded where the site itself has FastAPI
}
BROWSERS = ("deputize.testing", *(f"deputize.demo.{name}" for name in ("audit", "stage", "story", "telling")))
BELONGS = {
    "": [name for name in MODULES if name in ("deputize", "deputize.extras", "deputize.__main__")],
    "agent": [
        name
        for name in MODULES
        if name.startswith("deputize.agent")
        or name in ("deputize.cli", "deputize.cli.agent", "deputize.cli.out")
    ],
    "guard": [
        name
        for name in MODULES
        if name.startswith(("deputize.guard", "deputize.settings"))
        or name.partition("deputize.cli.")[2]
        in ("answering", "guard", "listening", "options", "out", "passing", "policy", "serving")
    ],
    "server": [name for name in MODULES if not name.startswith(BROWSERS)],
    "testing": list(MODULES),
}
"""The modules that are there to be used where an extra is installed; "" is none."""

NOT_IMPORTED = {
    "httptools": "uvicorn's parser, on which `deputize serve` counts",
    "uvloop": "uvicorn takes it where it is there",
}


def needed(extra: str) -> set[str]:
    """Name the distributions that an extra brings, as installers would find them."""
    found: set[str] = set()
    waiting = [Requirement(each) for each in [*DECLARED[""], *DECLARED[extra]]]
    while waiting:
        one = waiting.pop()
        extras = ["", *one.extras]
        name = canonicalize_name(one.name)
        if one.marker is not None and not any(one.marker.evaluate({"extra": each}) for each in extras):
            continue
        if name == "deputize":
            waiting += [Requirement(each) for inner in one.extras for each in DECLARED[inner]]
            continue
        below = [Requirement(each) for each in requires(one.name) or ()]
        below = [
            each
            for each in below
            if each.marker is None or any(each.marker.evaluate({"extra": e}) for e in extras)
        ]
        for each in below:
            each.marker = None
        known = f"{name}{sorted(one.extras)}"
        if known not in found:
            found |= {name, known}
            waiting += below
    return {name for name in found if "[" not in name}


DISTRIBUTIONS: dict[str, set[str]] = {
    module: {str(canonicalize_name(each)) for each in names}
    for module, names in packages_distributions().items()
}
"""Who brings each module that can be imported here."""


def run(extra: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python where nothing can be imported but what an extra brings."""
    brought = needed(extra) | {"deputize"}
    missing = {module for module, names in DISTRIBUTIONS.items() if not names & brought}
    code = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
{code}"""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@cache
def loaded(extra: str) -> set[str]:
    """Import all that belongs to an extra, and return who brought what was loaded for it."""
    code = f"""
from importlib import import_module
for name in {BELONGS[extra]!r}:
    import_module(name)
print(*{{name.partition(".")[0] for name in sys.modules}})"""
    done = run(extra, code)
    assert done.returncode == 0, done.stderr
    return {name for module in done.stdout.split() for name in DISTRIBUTIONS.get(module, ())}


def imported(module: str) -> set[str]:
    """Name the distributions that a module imports from anywhere in it, also in functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return {each for name in names for each in DISTRIBUTIONS.get(name, ())} - {"deputize"}


@pytest.mark.parametrize("extra", BELONGS)
def test_all_of_it_can_be_imported_with_nothing_else_installed(extra: str) -> None:
    loaded(extra)


@pytest.mark.parametrize("extra", BELONGS)
def test_what_its_functions_import_comes_with_it(extra: str) -> None:
    brought = needed(extra)
    missing = {name: imported(name) - brought for name in BELONGS[extra]}
    assert {name: lacks for name, lacks in missing.items() if lacks} == {}


@pytest.mark.parametrize("extra", [name for name in BELONGS if name])
def test_it_declares_nothing_that_nobody_imports(extra: str) -> None:
    names = {canonicalize_name(Requirement(each).name) for each in DECLARED[extra]} - {"deputize"}
    used = {each for name in BELONGS[extra] for each in imported(name)}
    assert names - used - loaded(extra) <= NOT_IMPORTED.keys()


def test_the_base_is_what_agents_and_guards_both_load() -> None:
    names = {canonicalize_name(Requirement(each).name) for each in DECLARED[""]}
    assert names <= loaded("agent") & loaded("guard")


def test_a_name_that_is_not_installed_is_said_with_its_extra() -> None:
    wanted = {
        "import deputize; deputize.Deputize": "server",
        "import deputize; deputize.load": "server",
        "import deputize; deputize.GuardedCall": "guard",
        "from deputize.guard import Guard": "guard",
        "from deputize.agent import AgentClient": "agent",
    }
    code = f"""
for wanted in {list(wanted)!r}:
    try:
        exec(wanted)
    except ImportError as error:
        print(error)"""
    done = run("", code)
    said = [line.partition("which comes with: ")[2] for line in done.stdout.splitlines()]
    assert said == [f"pip install 'deputize[{extra}]'" for extra in wanted.values()], done.stderr


@pytest.mark.parametrize(
    ("extra", "words", "named"),
    [
        ("", [], "server"),
        ("", ["agent", "keygen"], "agent"),
        ("", ["guard", "keygen"], "guard"),
        ("agent", ["guard", "--upstream", "http://127.0.0.1:3000"], "guard"),
        ("agent", ["users", "list"], "server"),
        ("guard", ["serve"], "server"),
        ("server", ["demo"], "testing"),
        ("server", ["pin", "http://localhost/"], "testing"),
    ],
)
def test_a_command_that_is_not_installed_is_said_with_its_extra(
    extra: str, words: list[str], named: str
) -> None:
    done = run(extra, f"sys.argv[1:] = {words!r}; from deputize.__main__ import main; main()")
    assert done.returncode != 0
    assert re.fullmatch(
        rf"deputize: this needs \w+, which comes with: pip install 'deputize\[{named}\]'\n", done.stderr
    )


def test_an_agent_has_its_commands() -> None:
    done = run("agent", "sys.argv[1:] = ['agent', '--help']; from deputize.__main__ import main; main()")
    assert done.returncode == 0, done.stderr
    assert "keygen" in done.stdout


def test_a_guard_has_its_commands_without_what_only_the_authority_needs(tmp_path: Path) -> None:
    file = str(tmp_path / "guard.jwk")
    code = f"sys.argv[1:] = ['guard', 'keygen', {file!r}]; from deputize.__main__ import main; main()"
    done = run("guard", code)
    assert done.stdout.startswith("keys = [{ "), done.stderr
    assert needed("server") - needed("guard") >= {"babel", "mcp", "msgspec", "prometheus-client", "webauthn"}


def test_pages_name_extras_that_there_are() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = {
        extra
        for page in pages
        for extras in re.findall(r"pip install '[^'[]+\[([^]]+)\]'", page.read_text())
        for extra in extras.split(",")
    }
    assert {"agent", "server"} <= named <= set(DECLARED)
