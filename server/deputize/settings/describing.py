"""Describe templates: the sentence that a user approves, made from the arguments of a call (APPR-2).

What the sentence says is exactly what will run. Values other than text are written as canonical JSON; an amount that
would have to be rounded is refused, and so is a name that the arguments lack. Whatever an expression writes counts as
the agent's words, and is set apart from the site's, which are those of the template itself.
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from deputize.protocol.canonical import Json
from deputize.protocol.shown import FSI, PDI, isolated, said
from deputize.protocol.tool import Describe

_LINE_BREAK = re.compile(r"\s*[\r\n]\s*")
_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}|[$€£¥₹₩₺₽]")
# Digits after the point, where ISO 4217 does not say two.
_DIGITS = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def compile_template(text: str) -> tuple[frozenset[str], Describe]:
    """Compile a Jinja2 template; return the names of the arguments that it uses, and the function that renders it.

    A line break in the template is a space in the sentence. ValueError says why a template does not compile.
    """
    text = _LINE_BREAK.sub(" ", text.strip())
    try:
        tree = _ENVIRONMENT.parse(text)
        template = _ENVIRONMENT.from_string(text)
    except TemplateError as error:
        raise ValueError(f"the template does not compile: {error.message}") from error
    except Exception as error:  # of Python's own compiler, which jinja2 hands its output to
        raise ValueError("the template is too large or too deep") from error
    if any(True for _ in meta.find_referenced_templates(tree)):
        raise ValueError("the template names another one; write all of it here")

    def describe(arguments: Mapping[str, Json]) -> str:
        return template.render({name: _without_isolates(value) for name, value in arguments.items()})

    return frozenset(meta.find_undeclared_variables(tree)), describe


class _Argument(str):
    """A text in the arguments. Filters get it as it is; where a template joins it to other text, it is set apart."""

    __slots__ = ()

    def __str__(self) -> str:
        return said(str.__str__(self))


class Written(str):
    """A value as a filter of ours writes it: digits and letters in a fixed form, which need no quotation marks."""

    __slots__ = ()


def money(value: object, currency: str) -> str:
    """Write an amount in a currency, `1,250.00 EUR`: with the currency's digits, and never rounded.

    ValueError for what is no amount or no currency, and for more digits than the currency has.
    """
    if _CURRENCY.fullmatch(currency) is None:
        raise ValueError("not a currency")
    digits = _DIGITS.get(currency, 2)
    try:
        amount = _decimal(value)
        shown = amount.quantize(Decimal(1).scaleb(-digits))
    except InvalidOperation as error:
        raise ValueError("not an amount of money") from error
    if shown != amount:
        raise ValueError(f"more than {digits} digits after the point")
    return Written(f"{shown:,f} {currency}")


def iban(value: object) -> str:
    """Write an account number in groups of four; ValueError if there is more in it than letters and digits."""
    bare = value.replace(" ", "") if isinstance(value, str) else ""
    if not (bare.isascii() and bare.isalnum()):
        raise ValueError("not an account number")
    return Written(" ".join(bare[start : start + 4] for start in range(0, len(bare), 4)))


def _decimal(value: object) -> Decimal:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(repr(value))  # the digits that JSON shows, not those of the nearest binary fraction
    raise ValueError("not an amount of money")


def _written(value: Json) -> str:
    if isinstance(value, _Argument):
        return said(str.__str__(value))
    if isinstance(value, str) and FSI in value:  # of a macro or a block, or joined: set apart already
        return value
    return isolated(value) if isinstance(value, Written) else said(value)


def _without_isolates(value: Json) -> Json:
    """Return an argument without the marks by which we set text apart."""
    match value:
        case str():
            return _Argument(value.translate(_NO_ISOLATES))
        case list():
            return [_without_isolates(each) for each in value]
        case dict():
            return {name.translate(_NO_ISOLATES): _without_isolates(each) for name, each in value.items()}
    return value


_NO_ISOLATES = {ord(FSI): "\ufffd", ord(PDI): "\ufffd"}


_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    finalize=_written,
    autoescape=False,  # it makes plain text, which is shown as text
)
_ENVIRONMENT.globals.clear()  # or `range` and the like would hide the absence of an argument of that name
_ENVIRONMENT.filters |= {"money": money, "iban": iban}
