"""APPR-2: what the user reads is what the arguments say, or nothing at all."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.canonical import Json
from deputize.protocol.tool import Tool
from deputize.settings.describing import compile_template, iban, money


def described(template: str, arguments: Mapping[str, Json]) -> str:
    _, describe = compile_template(template)
    return Tool("t", public=True, describe=describe).description(arguments)


def test_the_names_that_a_template_takes_from_the_arguments() -> None:
    names, _ = compile_template(
        "{{ a | money(b) }} {% for x in c %}{{ x }} {{ loop.index }}{% endfor %} {{ range }}"
    )
    assert names == {"a", "b", "c", "range"}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("<b>&", "<b>&"),
        (250, "250"),
        (250.0, "250"),
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (True, "true"),
        (None, "null"),
        (["a", 1], '["a",1]'),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        ("a\u202eb\nc", "a\ufffdb\ufffdc"),
    ],
)
def test_what_is_no_text_is_written_as_canonical_json(value: Json, written: str) -> None:
    assert described("[{{ value }}]", {"value": value}) == f"[{written}]"


def test_line_breaks_of_the_template_are_spaces() -> None:
    assert described("\n  Send {{ a }}\r\n  to {{ b }}.\n", {"a": 1, "b": "x"}) == "Send 1 to x."


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        ("{{ a }}", {}),
        ("{{ a.b }}", {"a": {}}),
        ("{{ a }}", {"a": ""}),
        ("{{ a }}", {"a": "x" * 501}),
        ("{{ a.items }}", {"a": {}}),
        ("{{ a.append(1) }}", {"a": []}),
        ("{{ a.__class__ }}", {"a": "x"}),
        ("{{ '%d' | format(a) }}", {"a": "x"}),
        ("{{ a | money('EUR') }}", {"a": 0.001}),
        ("{{ a | iban }}", {"a": 5}),
    ],
)
def test_what_cannot_be_said_is_refused(template: str, arguments: Mapping[str, Json]) -> None:
    with pytest.raises(ValueError, match=r"describe|description"):
        described(template, arguments)


@pytest.mark.parametrize(
    ("value", "currency", "written"),
    [
        (250, "EUR", "250.00 EUR"),
        (1234567.8, "EUR", "1,234,567.80 EUR"),
        ("1250.5", "EUR", "1,250.50 EUR"),
        (0.1, "EUR", "0.10 EUR"),
        (-3, "EUR", "-3.00 EUR"),
        (1250, "JPY", "1,250 JPY"),
        (1.5, "KWD", "1.500 KWD"),
        (1e16, "EUR", "10,000,000,000,000,000.00 EUR"),
        ("9007199254740993.01", "EUR", "9,007,199,254,740,993.01 EUR"),
    ],
)
def test_money(value: object, currency: str, written: str) -> None:
    assert money(value, currency) == written


@pytest.mark.parametrize(
    "value",
    [
        0.001,
        "0.001",
        250.005,
        "",
        "x",
        "1_0",
        " 1",
        "\u0661",
        "1e3",
        "NaN",
        True,
        None,
        [],
        1e300,
        float("inf"),
        float("nan"),
    ],
)
def test_no_amount_is_rounded_or_guessed(value: object) -> None:
    with pytest.raises(ValueError, match=r"amount|digits"):
        money(value, "EUR")


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=2))
def test_money_says_the_very_amount(amount: object) -> None:
    said, _, currency = money(str(amount), "EUR").partition(" ")
    assert (said.replace(",", ""), currency) == (str(amount), "EUR")


def test_iban() -> None:
    assert (
        iban("DE89370400440532013000") == iban("DE89 3704 0044 0532 013000") == "DE89 3704 0044 0532 0130 00"
    )
