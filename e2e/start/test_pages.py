"""What the quickstarts have in common is the same in each, but for where the authority is."""

from pathlib import Path

import pytest
from e2e.start.page import START, File, Quickstart

PAGES = [path for path in sorted(START.glob("*.md")) if path.stem != "README"]
FIRST = START / "starlette.md"


def alike(page: Quickstart) -> dict[str, str]:
    """Return what is the same in all pages: the site's page, the tool, and what there is to click."""
    text = page.text.replace("http://localhost:8001/", "/deputize/").replace("=http://localhost:8000/", "=/")
    steps = [step for step in Quickstart(page.path, text).steps() if isinstance(step, File)]
    html = [step.text for step in steps if step.path.endswith(".html")]
    (policy,) = [step.text for step in steps if step.path.endswith(".toml")]
    return {
        **({"page": html[0]} if html else {}),  # Next has it in JSX
        "tool": policy[policy.index("[scopes") :].partition("\n[api]")[0].rstrip(),
        "click": text.split("\n## Click\n")[1].split("\nUnder **")[0],
    }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_says_what_all_say(path: Path) -> None:
    here, first = alike(Quickstart.read(path)), alike(Quickstart.read(FIRST))
    assert here == {name: first[name] for name in here}
    assert f"({path.name})" in (START / "README.md").read_text()
