"""The page's part of the catalogue (SHIM-12): its patterns as JSON, so that no page needs a parser of Fluent.

The JSON is that of `FluentResource` in `@fluent/bundle`, by message and attribute: a pattern is a text, or a list of
texts and expressions. A language says what it can, and English the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from fluent.syntax import ast as ftl

from ..protocol.canonical import Json, canonicalize, s256
from .catalogue import DEFAULT, Words, words

_OURS = ("script-", "refusal-", "mixed-alphabets", "asked-by", "asker-browser")


@dataclass(frozen=True, slots=True)
class PageWords:
    """What a page is served of one language: JSON, and its digest, which names this version to caches."""

    language: str
    body: bytes
    s256: str


class Untellable(ValueError):
    """A message for the page uses what the page does not know. The text says which, and what."""


@cache
def page_words(language: str) -> PageWords:
    """Compile what the page says in a language of the catalogue; Untellable where the page cannot say it."""
    told = words(language)
    english = dict(_messages(words(DEFAULT)))
    theirs = {name: said for name, said in _messages(told) if not name.endswith(".again")}
    body = canonicalize(
        {
            "direction": told.direction,
            "language": language,
            "messages": {**english, "script-region": language, **theirs},
        }
    )
    return PageWords(language, body, s256(body))


def _messages(words: Words) -> Iterator[tuple[str, Json]]:
    for name, pattern in words.patterns.items():
        if name.startswith(_OURS):
            try:
                yield name, _pattern(pattern)
            except Untellable as error:
                raise Untellable(f"{words.language}.ftl: {name}: {error}") from None


def _pattern(pattern: ftl.Pattern) -> Json:
    pieces = [_piece(element) for element in pattern.elements]
    return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], str) else pieces


def _piece(element: ftl.TextElement | ftl.Placeable) -> Json:
    return element.value if isinstance(element, ftl.TextElement) else _expression(element.expression)


def _expression(expression: ftl.InlineExpression | ftl.Placeable | ftl.SelectExpression) -> Json:
    match expression:
        case ftl.StringLiteral():
            return {"type": "str", "value": expression.parse()["value"]}
        case ftl.VariableReference():
            return {"type": "var", "name": expression.id.name}
        case ftl.MessageReference():
            attribute = expression.attribute.name if expression.attribute else None
            return {"type": "mesg", "name": expression.id.name, "attr": attribute}
        case ftl.SelectExpression():
            return {
                "type": "select",
                "selector": _expression(expression.selector),
                "variants": [_variant(each) for each in expression.variants],
                "star": [each.default for each in expression.variants].index(True),
            }
        case _:
            raise Untellable(f"the page knows no {type(expression).__name__}")


def _variant(variant: ftl.Variant) -> Json:
    if not isinstance(variant.key, ftl.Identifier):
        raise Untellable("the page counts nothing")
    return {"key": {"type": "str", "value": variant.key.name}, "value": _pattern(variant.value)}
