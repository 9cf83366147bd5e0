"""The filters of describe templates: each writes a value in a fixed form, whole, or nothing is described (APPR-2)."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}", re.ASCII)
_FOUR = re.compile(".{1,4}")
_CURRENCY = re.compile(r"[A-Z]{3}|[$€£¥₹₩₺₽]")
# Digits after the point, where ISO 4217 does not say two.
_DIGITS = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_SMALLEST = {digits: Decimal(1).scaleb(-digits) for digits in (0, 2, 3)}


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
        shown = amount.quantize(_SMALLEST[digits])
    except InvalidOperation as error:
        raise ValueError("not an amount of money") from error
    if shown != amount:
        raise ValueError(f"more than {digits} digits after the point")
    return Written(
        f"{shown:,f} {str.__str__(currency)}"
    )  # as it is: an argument sets itself apart where it is joined


def iban(value: object) -> str:
    """Write an account number in groups of four; ValueError if there is more in it than letters and digits.

    One that does not begin as an IBAN does (ISO 13616-1) is text as any other: else it could be words, four by four.
    """
    bare = value.replace(" ", "") if isinstance(value, str) else ""
    if not (bare.isascii() and bare.isalnum()):
        raise ValueError("not an account number")
    grouped = " ".join(_FOUR.findall(bare))
    return Written(grouped) if _IBAN.fullmatch(bare) else grouped


def _decimal(value: object) -> Decimal:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(repr(value))  # the digits that JSON shows, not those of the nearest binary fraction
    raise ValueError("not an amount of money")


EXACT: Mapping[str, Callable[..., str]] = {"money": money, "iban": iban}
"""Our filters. What they write is the whole value, or nothing is described."""
