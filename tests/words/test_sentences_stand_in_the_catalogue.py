"""What people read stands in the catalogue: no page has a sentence of its own, and no message is there for nobody."""

import re
from pathlib import Path

import pytest

import deputize
from deputize.words.catalogue import words

PACKAGE = Path(deputize.__file__).parent
TEMPLATES = sorted((PACKAGE / "web" / "pages" / "templates").glob("*.html"))
EN = words("en")
NAMED = re.compile(r"""\b(?:say|bare)\(\s*"([a-z.-]+)(?<!-)"(?! ~)""")
CHOSEN = (
    "ask-answered-",
    "ask-approve.",
    "ask-consent-",
    "asker-",
    "bound-",
    "clause-",
    "consent-title-",
    "done-",
    "kind-",
    "past-",
    "refused-page-",
)
"""Beginnings of names whose end is a value of ours: a keyword, a state, a code."""
OF_THE_PAGE = ("script-", "refusal-", "developer-")
"""Beginnings of names that the page's own scripts say."""


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_no_words_of_their_own(template: Path) -> None:
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", template.read_text("utf-8"), flags=re.DOTALL)
    outside = re.sub(r"<[^>]*>", "", text)
    assert re.findall(r"[^\W\d_]+", outside) == []
    titled = re.findall(r'\b(?:aria-label|title|alt)="[^"]*[A-Za-z]', text)
    assert titled == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_what_templates_say_is_there(template: Path) -> None:
    named = NAMED.findall(template.read_text("utf-8"))
    assert [name for name in named if name not in EN.variables] == []


def test_each_message_is_said_somewhere() -> None:
    paths = [path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".html")]
    source = "".join(path.read_text("utf-8") for path in paths)
    mute = [
        name
        for name in EN.variables
        if not name.startswith((*CHOSEN, *OF_THE_PAGE))
        and f'"{name}"' not in source
        and not (name.endswith((".title", ".label")) and f'"{name.partition(".")[0]}"' in source)
    ]
    assert mute == []
