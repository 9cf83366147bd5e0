"""Languages that nobody speaks: English with other letters. What a reader sees in Latin ones was not translated."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from fluent.syntax import FluentParser, FluentSerializer, ast
from fluent.syntax.visitor import Transformer

from deputize.words import catalogue

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


@cache
def translated(language: str) -> str:
    """Spell the whole English file with the letters of a language."""
    resource = FluentParser().parse(ENGLISH)
    return FluentSerializer().serialize(_Speller(language).visit(resource))


@contextmanager
def catalogue_of(folder: Path, patch: pytest.MonkeyPatch, **files: str) -> Iterator[Path]:
    """Speak the languages of these files, and English."""
    folder.mkdir(exist_ok=True)
    for language, text in {"en": ENGLISH, **files}.items():
        (folder / f"{language}.ftl").write_text(text, "utf-8")
    patch.setattr(catalogue, "_FOLDER", folder)
    read_again()
    try:
        yield folder
    finally:
        patch.undo()
        read_again()


def read_again() -> None:
    """Forget what was read of the files, as a new process would."""
    catalogue._languages.cache_clear()
    catalogue._language_of.cache_clear()
