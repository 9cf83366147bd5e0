"""Languages that nobody speaks: English with other letters. What a reader sees in Latin ones was not translated."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from unittest.mock import patch

from fluent.syntax import FluentParser, FluentSerializer, ast
from fluent.syntax.visitor import Transformer

from deputize.words import catalogue
from deputize.words.page import page_words

ENGLISH = (Path(catalogue.__file__).with_name("en.ftl")).read_text("utf-8")
_LATIN = "abcdefghijklmnopqrstuvwxyz"
_LETTERS = {"el": "αβψδεφγηιξκλμνοπθρστυωωχυζ", "he": "אבגדהוזחטיכלמנסעפצקרשתםןףץ"}
LANGUAGES = sorted(_LETTERS)


def spelled(text: str, language: str) -> str:
    """Spell a text with the letters of a language."""
    letters = _LETTERS[language]
    return text.translate(str.maketrans(_LATIN + _LATIN.upper(), letters + letters.upper()))


class _Speller(Transformer):
    def __init__(self, language: str) -> None:
        self.language = language

    def visit_Message(self, node: ast.Message) -> ast.Message:  # noqa: N802
        if node.id.name == "script-region":
            return ast.Message(node.id, ast.Pattern([ast.TextElement(self.language)]))
        spelled: ast.Message = self.generic_visit(node)
        return spelled

    def visit_TextElement(self, node: ast.TextElement) -> ast.TextElement:  # noqa: N802
        node.value = spelled(node.value, self.language)
        return node

    def visit_StringLiteral(self, node: ast.StringLiteral) -> ast.StringLiteral:  # noqa: N802
        node.value = spelled(node.value, self.language)
        return node


_parsed = cache(FluentParser().parse)
"""Reads English, which takes a seventh of a second, for all these folders once."""


@cache
def translated(language: str) -> str:
    """Spell the whole English file with the letters of a language."""
    return FluentSerializer().serialize(_Speller(language).visit(deepcopy(_parsed(ENGLISH))))


@contextmanager
def catalogue_of(folder: Path, **files: str) -> Iterator[Path]:
    """Speak the languages of these files and of those that come into the folder before the first word, and English."""
    folder.mkdir(exist_ok=True)
    for language, text in {"en": ENGLISH, **files}.items():
        (folder / f"{language}.ftl").write_text(text, "utf-8")
    try:
        with (
            patch.object(catalogue, "_FOLDER", folder),
            patch.object(catalogue, "_languages", cache(catalogue._languages.__wrapped__)),
            patch.object(catalogue, "_language_of", cache(catalogue._language_of.__wrapped__)),
            patch.object(FluentParser, "parse", staticmethod(_parsed)),
        ):
            page_words.cache_clear()
            yield folder
    finally:
        page_words.cache_clear()


def read_again() -> None:
    """Forget what was read of the files, as a new process would."""
    for each in (catalogue._languages, catalogue._language_of, page_words):
        each.cache_clear()
