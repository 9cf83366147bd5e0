"""A language that nobody speaks: English with other letters. What a person sees in Latin ones was not translated."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from deputize.words import catalogue, page

ENGLISH = Path(catalogue.__file__).with_name("en.ftl")
_LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HEBREW = "אבגדהוזחטיכלמנסעפצקרשתםןףץאבגדהוזחטיכלמנסעפצקרשתםןףץ"
_TEXT = re.compile(r"^([a-z0-9-]+ = |    \.(?!again)[a-z]+ = | +\*?\[[a-z0-9-]+\] )(.*)$", re.MULTILINE)
_LITERAL = re.compile(r'"[^"]*"')
_PLACEABLE = re.compile(r"(\{[^{}]*\})")


@contextmanager
def catalogue_in(folder: Path) -> Iterator[None]:
    """Let a folder be the catalogue, which has English, and whatever comes into it before the first word."""
    shutil.copy(ENGLISH, folder)
    caches = (catalogue._languages, catalogue._language_of, page.page_words)
    for each in caches:
        each.cache_clear()
    with mock.patch.object(catalogue, "_FOLDER", folder):
        yield
    for each in caches:
        each.cache_clear()


def pseudo(text: str) -> str:
    """Spell a file of Fluent with Hebrew letters."""

    def line(found: re.Match[str]) -> str:
        head, said = found.groups()
        if head == "script-region = ":
            return f"{head}he"
        if said.startswith("{ $kind ->"):
            return found[0]
        return head + "".join(
            _LITERAL.sub(lambda literal: spelled(literal[0]), part) if part.startswith("{") else spelled(part)
            for part in _PLACEABLE.split(said)
        )

    return _TEXT.sub(line, text)


def spelled(text: str) -> str:
    """Spell a text with Hebrew letters."""
    return text.translate(str.maketrans(_LATIN, _HEBREW))
