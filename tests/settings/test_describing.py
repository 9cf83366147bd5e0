"""APPR-2: what the user reads is what the arguments say, or nothing at all."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Template

from deputize.protocol.canonical import Json
from deputize.protocol.tool import Tool
from deputize.settings import describing
from deputize.settings.describing import compile_row, compile_template
from deputize.settings.filters import iban, money


def described(template: str, arguments: Mapping[str, Json]) -> str:
    describe = compile_template(template).render
    return Tool("t", public=True, describe=describe).description(arguments).headline


def test_the_names_that_a_template_takes_from_the_arguments() -> None:
    headline = compile_template(
        "{{ a | money(b) }} {% for x in c %}{{ x }} {{ loop.index }}{% endfor %} {{ range }}"
    )
    assert headline.uses == {"a", "b", "c", "range"}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("<b>&", "“<b>&”"),
        (250, "250"),
        (250.0, "250"),
        (0.1, "0.1"),
        (1e21, "1e+21"),
        (True, "true"),
        (None, "null"),
        (["a", 1], '["a",1]'),
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ("{{ 7 * 7 }}", "“{{ 7 * 7 }}”"),
        ("a\u202eb\nc", "“a\ufffdb\ufffdc”"),
        ("", "“”"),
        (["a\u202e\u2069”"], '["a\ufffd\ufffd\\u201d"]'),
    ],
)
def test_what_is_no_text_is_written_as_canonical_json(value: Json, written: str) -> None:
    assert described("[{{ value }}]", {"value": value}) == f"[\u2068{written}\u2069]"


def test_line_breaks_of_the_template_are_spaces() -> None:
    assert described("\n  Send {{ a }}\r\n  to {{ b }}.\n", {"a": 1, "b": "x"}) == (
        "Send \u20681\u2069 to \u2068“x”\u2069."
    )


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        ("{{ a }}", {}),
        ("{{ a.b }}", {"a": {}}),
        ("{{ a }}", {"a": "x" * 501}),
        ("{{ a.items }}", {"a": {}}),
        ("{{ a.append(1) }}", {"a": []}),
        ("{{ a.__class__ }}", {"a": "x"}),
        ("{{ '%d' | format(a) }}", {"a": "x"}),
        ("{{ a | money('EUR') }}", {"a": 0.001}),
        ("{{ a | iban }}", {"a": 5}),
        ("{{ a | iban }}", {"a": "DE89) of your own (x"}),
        ("{{ a | money(b) }}", {"a": 5, "b": "EUR to your savings account, not"}),
        ("{{ a | money(b) }}", {"a": 5, "b": "eur"}),
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
def test_money_is_written_with_its_currency_and_places(value: object, currency: str, written: str) -> None:
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


def test_an_iban_is_written_in_groups_of_four() -> None:
    assert (
        iban("DE89370400440532013000") == iban("DE89 3704 0044 0532 013000") == "DE89 3704 0044 0532 0130 00"
    )


@pytest.mark.parametrize(
    ("account", "written"),
    [
        ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
        ("MT84MALT011000012345MTLCAST001S", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
        ("Safenextstepdone", "“Safe next step done”"),
        ("SAFENEXTSTEPDONE", "“SAFE NEXT STEP DONE”"),
        ("de89370400440532013000", "“de89 3704 0044 0532 0130 00”"),
        ("12345678", "“1234 5678”"),
    ],
)
def test_letters_in_groups_of_four_pass_for_no_words(account: str, written: str) -> None:  # APPR-2
    assert described("To {{ a | iban }}", {"a": account}) == f"To \u2068{written}\u2069"
    assert compile_row("a | iban").rows({"a": account}, None)[0].values == (f"\u2068{written}\u2069",)


@pytest.mark.parametrize(
    "row", ["a | iban(b=1)", "a | iban(*b)", "a | iban(**b)", "a | money(currency='EUR')"]
)
def test_a_row_has_no_arguments_that_it_would_drop(row: str) -> None:
    with pytest.raises(ValueError, match="write the currency beside the filter"):
        compile_row(row)


def test_a_currency_of_the_arguments_is_written_as_it_is() -> None:
    assert described("{{ a | money(b) }}", {"a": 3, "b": "JPY"}) == "\u20683 JPY\u2069"


ESCAPES = (
    "”",
    "“",
    '"',
    "\\",
    "\u2068",
    "\u2069",
    "\u202e",
    "\u2067",
    "\u200f",
    "\n",
    "\u200d",
    "\u05d0",
    " ",
    "»",
    "„",
)
TEMPLATES = (
    "Send {{ a }} to {{ b }}, now.",
    "{{ a }}{{ b }}",
    "{% for x in [a, b] %}{{ x }} and {% endfor %}so",
    "{% set x %}{{ a }} with {{ b }}{% endset %}Take {{ x }}!",
    "{% set x %}{{ a }}{% endset %}Take {{ x ~ ' and ' ~ b }}!",
    "{% macro m(x) %}<{{ x }}>{% endmacro %}Do {{ m(a) }} {{ m(b) }}",
    "{% macro m(x) %}<{{ x }}>{% endmacro %}Do {{ [m(a), b] | join(', ') }}",
    "Do {{ [a, {'k': b}] }}",
    "Do {{ a ~ ' of yours, ' ~ b }}",
    "Do {{ a | upper }} {{ b | replace('x', 'y') }}",
    "Do {{ a[:60] ~ ' to ' ~ b }}",
    "Do {{ (a | upper) ~ ' to ' ~ b.lower() }}",
    "Do {{ [a | trim, b[1:]] | join(', ') }}",
    "Do {{ [a, b] | map('upper') | join(d=' or ') }}",
    "Do {{ [a, b] | join(a[:2]) }}",
    "Do {{ '%s to %s' | format(a | lower, b) }}",
    "Do {{ '{} to {}'.format(a[:9], b) }}",
    "Do {{ a[:9] + (b ~ ' and so on') }}",
    "Do {{ (a ~ ' to ' ~ b)[1:7] }}",
    "Do {{ (a ~ b) | trim }} {{ (a ~ b) | reverse }} {{ (a ~ b) | truncate(5) }}",
    "Do {{ [a, b] ~ ' for ' ~ {'k': a} }}",
    "{% for c in a %}{{ c ~ b }}{% endfor %}Do",
    "{% macro m(x) %}<{{ x }}>{% endmacro %}Do {{ m(a)[2:] ~ m(b) | upper }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}Do {{ a }} and {{ b }}{% endcall %}",
    "{% macro m() %}{{ caller() | upper }} {{ caller()[2:] }}{% endmacro %}{% call m() %}Do {{ a }}{% endcall %}",
    "{% macro m() %}{{ caller(a) }}{% endmacro %}{% call(x) m() %}Do {{ x }} and {{ b }}{% endcall %}",
    "{% set x | upper %}Do {{ a }}{% endset %}{{ x }} {{ b }}",
    "{% set x %}Do {{ a }}{% endset %}{{ x | safe }} {{ x | string }} {{ x | replace('D', b) }}",
    "{% block x %}Do {{ a }}{% endblock %} {{ self.x() | trim }} {{ b }}",
    *(
        f"{{% set x %}}Do {form}{{% endset %}}{{{{ x.format(a, [b]) }}}}"
        for form in ("{:.2}", "{1}", "{1[0]}", "{1[0]:>9}", "{0!r}", "{0!s}", "{1!a}")
    ),
    "{% macro m() %}Do {k:.3}{% endmacro %}{{ m().format(k=a) }} {{ m().format_map({'k': b}) }}",
    "{% set x %}{{ a }}{% endset %}{{ x.format(b, b) }}",
    "{% with f = ('Do {:.2} ' ~ b).format %}{{ f(a) }}{% endwith %}",
    "{% with x = a %}Do {{ x ~ b }}{% endwith %}",
)


@pytest.mark.parametrize(
    "template",
    [
        "{% filter truncate(12) %}Send {{ a }} to {{ b }}{% endfilter %}",
        "Send {% filter upper %}{{ a }}{% endfilter %}",
        "{% macro m() %}{% filter trim %}{{ a }}{% endfilter %}{% endmacro %}{{ m() }}",
        "{% set x %}{% filter replace('“', '') %}{{ a }}{% endfilter %}{% endset %}{{ x }}",
        "{% autoescape true %}Send {{ a }}{% endautoescape %}",
        "{% if a %}{% autoescape false %}Send{% endautoescape %}{% endif %}",
    ],
)
def test_what_changes_text_that_is_written_already_is_no_template(template: str) -> None:  # APPR-2
    with pytest.raises(ValueError, match=r"filter|autoescape"):
        compile_template(template)


@given(
    template=st.sampled_from(TEMPLATES),
    a=st.lists(st.sampled_from(ESCAPES) | st.text(max_size=3)).map("".join),
    b=st.lists(st.sampled_from(ESCAPES) | st.text(max_size=3)).map("".join),
)
def test_an_argument_never_leaves_its_place(template: str, a: str, b: str) -> None:  # APPR-2
    """Whatever it is, the site's own words stay the same, and what is the agent's can be told in plain text, too."""
    try:
        text = described(template, {"a": a, "b": b})
    except ValueError:
        return  # too long
    depth, own, said = 0, "", ""
    for letter in text:
        depth += {"\u2068": 1, "\u2069": -1}.get(letter, 0)
        assert depth in (0, 1)
        said += letter if depth else "\u2069" if letter == "\u2069" else ""
        own += "" if depth or letter == "\u2069" else letter
    assert depth == 0
    frame = described(template, {"a": "x", "b": "x"})
    bare = re.sub(" \\(mixed alphabets: [A-Z][a-z A-Z]+\\)", "", own)
    assert bare == re.sub("\u2068[^\u2069]*\u2069", "", frame)
    for one in filter(None, re.split("[\u2068\u2069]+", said)):
        figures = re.search(r"[^\W\d_]", one) is None  # what has no letters passes for no words
        assert figures or re.fullmatch(r"“[^“”\"]*”|\"(?:[^\"\\]|\\.)*\"|[\[<{].*[\]>}]", one, re.DOTALL), one
        assert not set(one) & set("\u202e\u2067\u200f\n")


def test_right_to_left_letters_move_nothing_but_themselves() -> None:  # APPR-2
    text = described("{{ n }} × {{ p }} to {{ name }}", {"n": 2, "p": 900, "name": "Ada א"})
    assert text == "\u20682\u2069 × \u2068900\u2069 to \u2068“Ada א”\u2069"


_VALUES: st.SearchStrategy[Json] = (
    st.sampled_from(
        ["DE89370400440532013000", "DE89 3704", "12.50", "0.005", "EUR", "\u2068a\u2069”", "a  b"]
    )
    | st.text()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False)
    | st.none()
    | st.booleans()
    | st.lists(st.text(), max_size=2)
)
_PARTS = (
    *("Send ", "€ “", " {", "\n", "{{ a }}", "{{ b }}", "{{ a | money('EUR') }}", "{{ b | money('JPY') }}"),
    *("{{ a | iban }}", "{{ 'x' }}", "{{ 5 }}", "{{ self }}", "{{ a | money(b) }}", "{{ a | iban(b=1) }}"),
    *(
        "{{ a | money('eur') }}",
        "{{ a | iban | upper }}",
        "{{ a.b }}",
        "{{ true }}",
        "{% if a %}1{% endif %}",
    ),
)


@given(
    st.lists(st.sampled_from(_PARTS), min_size=1, max_size=4).map("".join),
    st.dictionaries(st.sampled_from(["a", "b", "self", "true"]), _VALUES),
)
def test_what_is_written_without_jinja_is_what_jinja_writes(
    template: str, arguments: Mapping[str, Json]
) -> None:
    def told() -> str | None:
        try:
            return described(template, arguments)
        except ValueError:
            return None

    here = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(describing, "_pieces", lambda *_: None)
        assert here == told()


def test_most_templates_are_written_without_jinja(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Template, "render")
    text = described("{{ a | money('EUR') }} to {{ b }} ({{ c | iban }})", {"a": 5, "b": "Ada", "c": "DE89"})
    assert text == "\u20685.00 EUR\u2069 to \u2068“Ada”\u2069 (\u2068“DE89”\u2069)"
