"""docs/testing.md is true: its tests pass beside the README's site, and its fixtures are those there are."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from deputize.testing import plugin

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/testing.md").read_text()


def block(page: str, language: str) -> str:
    """Return the first block in this language."""
    found = re.search(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_its_tests_pass_beside_the_site_of_the_readme(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    (tmp_path / "public").mkdir()
    for name, page, language in (
        ("deputize.toml", readme, "toml"),
        ("bank.py", readme, "python"),
        ("public/index.html", readme, "html"),
        ("test_bank.py", PAGE, "python"),
    ):
        (tmp_path / name).write_text(block(page, language))
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_bank.py"]
    told = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "3 passed" in told.stdout


def test_its_fixtures_are_those_there_are() -> None:
    source = ast.parse(Path(plugin.__file__).read_text())
    fixtures = {
        node.name
        for node in source.body
        if isinstance(node, ast.FunctionDef) and "fixture" in "".join(map(ast.unparse, node.decorator_list))
    }
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == fixtures
