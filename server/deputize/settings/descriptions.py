"""`describe` in a policy file: a template, or a table with a headline and the arguments that are rows under it."""

from collections.abc import Iterable

from pydantic import ValidationInfo

from deputize.protocol.canonical import Json
from deputize.protocol.clauses import member
from deputize.protocol.tool import Schema
from deputize.settings.describing import (
    Argument,
    Described,
    Headline,
    compile_row,
    compile_template,
    describing,
    properties,
)
from deputize.settings.schemas import DeeperError
from deputize.settings.toml import Path
from deputize.settings.values import did_you_mean

_KEYS = ("headline", "rows")


def described(value: object, info: ValidationInfo) -> Described:
    """Read it; DeeperError with the place of what is wrong in a table."""
    schema: Schema | None = info.data.get("input_schema")  # absent, too, if it has faults
    own: Json = schema.source if schema is not None else None
    if isinstance(value, str):
        return describing(_headline(value, own, ()), (), own)
    if not isinstance(value, dict):
        raise ValueError("write a template, in quotes, or a table with `headline` and `rows`")
    for key in value:
        if key not in _KEYS:
            raise DeeperError(
                "no such key" + (did_you_mean(key, _KEYS) or "; there is headline, rows"), (key,)
            )
    if "headline" not in value:
        raise ValueError('a headline is missing; write headline = "Send {{ amount }} EUR?"')
    headline = _headline(value["headline"], own, ("headline",))
    rows = value.get("rows", [])
    if not isinstance(rows, list):
        raise DeeperError('write the names of arguments in brackets: ["to", "iban"]', ("rows",))
    shown = [_row(text, own, ("rows", index)) for index, text in enumerate(rows)]
    for index, each in enumerate(shown):
        if each.path in [before.path for before in shown[:index]]:
            raise DeeperError("there is a row for this already", ("rows", index))
    return describing(headline, shown, own)


def _headline(text: object, own: Json, at: Path) -> Headline:
    if not isinstance(text, str):
        raise DeeperError("write a template, in quotes", at)
    try:
        headline = compile_template(text)
    except ValueError as error:
        raise DeeperError(str(error), at) from error
    _known(headline.uses, own, at)
    return headline


def _row(text: object, own: Json, at: Path) -> Argument:
    if not isinstance(text, str):
        raise DeeperError("write the name of an argument, in quotes", at)
    if text in properties(own):  # also one that no expression could name
        return Argument((text,))
    try:
        row = compile_row(text)
    except ValueError as error:
        raise DeeperError(str(error), at) from error
    for name in row.path:
        _known([name], own, at)
        own = member(own, name)
    return row


def _known(names: Iterable[str], own: Json, at: Path) -> None:
    """Refuse names that the schema does not have, where there is one."""
    known = properties(own)
    unknown = [f'"{name}"{did_you_mean(name, known)}' for name in sorted(names) if name not in known]
    if unknown and own is not None:
        raise DeeperError(f"not among the properties of the tool's input_schema: {', '.join(unknown)}", at)
