"""What a message takes up, and what it says of that: whichever way it goes, nothing that English says is left out."""

from collections.abc import Iterator

from fluent.syntax import ast
from fluent.syntax.visitor import Visitor

from ..protocol.shown import plain

_OF_NUMBERS = frozenset({"zero", "one", "two", "few", "many", "other"})
"""Categories of plurals (CLDR). Each stands for many numbers in some language, so the number has to be said as well."""

Way = tuple[str, str]
"""A variable, and one of the texts that a message tells apart in it."""


def patterns_of(language: str, resource: ast.Resource) -> dict[str, ast.Pattern]:
    """List messages, and attributes as `message.attribute`; ValueError for what is no Fluent, or there twice."""
    told: dict[str, ast.Pattern] = {}
    for entry in resource.body:
        if isinstance(entry, ast.Junk):
            raise ValueError(f"{language}.ftl: {entry.annotations[0].message}: {str(entry.content)[:60]!r}")
        if not isinstance(entry, ast.Message):
            continue
        patterns = {entry.id.name: entry.value} if entry.value is not None else {}
        patterns |= {f"{entry.id.name}.{each.id.name}": each.value for each in entry.attributes}
        for name, pattern in patterns.items():
            if name in told:
                raise ValueError(f"{language}.ftl: {name} is there twice")
            told[name] = pattern
    return told


def variables_in(pattern: ast.Pattern) -> frozenset[str]:
    """Return the variables that a pattern names, be it to choose by them."""
    return frozenset(_names(pattern))


def hides(pattern: ast.Pattern, english: ast.Pattern) -> bool:
    """Tell whether something that the English message says could be kept from a reader of this one.

    Either says each variable in every variant, or a variant is for exactly one number, which the variable then is.
    """
    mine, whole = _Found(pattern), _Found(english)
    if mine.names != whole.names or not mine.ways <= whole.ways or mine.unseen:
        return True
    return any(not _said(english, way) <= _said(pattern, way) for way in (None, *whole.ways))


class _Found(Visitor):
    """What is in a pattern: variables, texts that are told apart in them, and whether something in it is not seen."""

    def __init__(self, node: ast.BaseNode) -> None:
        self.names: set[str] = set()
        self.ways: set[Way] = set()
        self.unseen = False
        self.visit(node)

    def visit_VariableReference(self, node: ast.VariableReference) -> None:  # noqa: N802
        self.names.add(node.id.name)

    def visit_TextElement(self, node: ast.TextElement) -> None:  # noqa: N802
        self._look(node.value.replace("\n", " "))

    def visit_StringLiteral(self, node: ast.StringLiteral) -> None:  # noqa: N802
        self._look(node.parse()["value"])

    def visit_SelectExpression(self, node: ast.SelectExpression) -> None:  # noqa: N802
        keys = [key for each in node.variants if (key := _text(each)) is not None]
        self.ways.update((name, key) for key in keys for name in _names(node.selector))
        self.generic_visit(node)

    def _look(self, text: str) -> None:
        self.unseen = self.unseen or plain(text) != text


def _names(node: ast.BaseNode) -> set[str]:
    return _Found(node).names


def _text(variant: ast.Variant) -> str | None:
    """Return the text that a variant is for; None for one that is for numbers."""
    key = variant.key
    return key.name if isinstance(key, ast.Identifier) and key.name not in _OF_NUMBERS else None


def _said(pattern: ast.Pattern, way: Way | None) -> frozenset[str]:
    """Return the variables that a pattern says in any case or, with `way`, wherever this variable is this text."""
    return frozenset[str]().union(*(_each(element, way) for element in pattern.elements))


def _each(element: object, way: Way | None) -> frozenset[str]:
    match element:
        case ast.Placeable(expression=inner):
            return _each(inner, way)
        case ast.VariableReference(id=ast.Identifier(name=name)):
            return frozenset({name})
        case ast.SelectExpression():
            return frozenset.intersection(*_variants(element, way))
    return frozenset()


def _variants(select: ast.SelectExpression, way: Way | None) -> Iterator[frozenset[str]]:
    by = select.selector
    name = by.id.name if isinstance(by, ast.VariableReference) else None
    exactly = [each for each in select.variants if way is not None and (name, _text(each)) == way]
    for each in exactly or [each for each in select.variants if each.default or _text(each) is None]:
        of_one = name is not None and isinstance(each.key, ast.NumberLiteral)
        yield _said(each.value, way) | ({name} if of_one and name is not None else frozenset())
