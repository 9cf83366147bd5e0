"""APPR-2: what is read of a call in rows: each says what it says, and nothing of an agent's passes for more."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.canonical import Json
from deputize.protocol.description import MAX_ROWS, Description, Row, details
from deputize.protocol.question import PARTS, Text
from deputize.protocol.shown import FSI, PDI
from deputize.protocol.tool import Schema, Tool

OWN: dict[str, Json] = {
    "properties": {
        "to": {"title": "To"},
        "iban": {"title": "IBAN"},
        "payee": {
            "title": "Payee",
            "properties": {
                "city": {"title": "City"},
                "address": {"properties": {"zip": {"title": "Postcode"}}},
            },
        },
        "items": {"title": "Items", "items": {"properties": {"sku": {"title": "Article"}}}},
    }
}
TITLES = {"To", "IBAN", "Payee", "City", "address", "Postcode", "Items", "Article"}
WARNING = re.compile(r" \(mixed alphabets: [A-Za-z ]+\)")
TEXTS = json.loads((Path(__file__).parents[1] / "vectors/question-text.json").read_text())["rows"]

POSES = (
    "To",
    "To: “Ada”",
    "\nTo\tAda",
    "Asked by",
    " › ",
    "1",
    "“",
    "”",
    '"',
    "\\",
    FSI,
    PDI,
    "\u202e",
    "\u2067",
    "א",
    "\u0410da",
    "",
)
words = st.lists(st.sampled_from(POSES) | st.text(max_size=3), max_size=4).map("".join)
names = st.sampled_from(["to", "iban", "payee", "city", "address", "zip", "items", "sku"]) | words
leaves = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | words
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)
)
some_arguments = st.dictionaries(names, values, max_size=4)


def shown(arguments: dict[str, Json], own: Json = OWN) -> list[tuple[str, ...]]:
    """Read the rows as people do: without the marks that only set apart."""
    bare = str.maketrans("", "", FSI + PDI)
    return [
        (row.title.translate(bare), *(each.translate(bare) for each in row.values))
        for row in details(arguments, own)
    ]


def own_words(line: str) -> str:
    """Return what stands outside of the isolates; they pair, and none lies in another."""
    assert re.fullmatch(f"(?:[^{FSI}{PDI}]|{FSI}[^{FSI}{PDI}]*{PDI})*", line), ascii(line)
    return WARNING.sub("", re.sub(f"{FSI}[^{PDI}]*{PDI}", "", line))


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ({"to": "Ada"}, [("To", "“Ada”")]),
        ({"to": ["Ada", 5, None]}, [("To", "“Ada”", "5", "null")]),
        ({"to": []}, [("To", "[]")]),
        ({"to": {}}, [("To", "{}")]),
        ({"payee": {"city": "Ulm"}}, [("Payee › City", "“Ulm”")]),
        ({"payee": {"address": {"zip": "1"}}}, [("Payee › address › Postcode", "1")]),
        ({"payee": {"To": "x"}}, [("Payee › “To”", "“x”")]),
        ({"items": [{"sku": "a"}, {"sku": "b"}]}, [("Items › 1 › Article", "“a”"), ("Items › 2 › Article", "“b”")]),
        ({"items": [[1, 2], 3]}, [("Items › 1", "1", "2"), ("Items › 2", "3")]),
        ({"To": "x"}, [("“To”", "“x”")]),
        ({"a\nTo": "x"}, [("“a\ufffdTo”", "“x”")]),
        ({"\u0410da": 1}, [("“\u0410da” (mixed alphabets: Cyrillic and Latin)", "1")]),
    ],
)  # fmt: skip
def test_what_lies_in_an_argument_has_rows_of_its_own(arguments: Any, rows: Any) -> None:
    assert shown(arguments) == rows


def test_two_arguments_of_one_title_are_told_apart_by_their_names() -> None:
    own: Json = {"properties": {"a": {"title": "To"}, "b": {"title": "To"}}}
    assert shown({"a": 1, "b": 2}, own) == [("To (a)", "1"), ("To (b)", "2")]


def test_more_than_sixty_values_are_one_line_of_json() -> None:
    assert shown({"to": [0] * 59}) == [("To", *["0"] * 59)]  # sixty, with the list itself
    assert shown({"to": [0] * 60}) == [("To", json.dumps([0] * 60, separators=(",", ":")))]


def test_what_lies_deeper_than_four_is_one_line_of_json() -> None:
    assert shown({"to": {"a": {"b": {"c": {"d": 1}}}}}) == [("To › “a” › “b” › “c” › “d”", "1")]
    assert shown({"to": {"a": {"b": {"c": {"d": {"e": 1}}}}}}) == [("To › “a” › “b” › “c” › “d”", '{"e":1}')]


def test_rows_that_are_too_long_are_refused_and_never_cut() -> None:
    tool = Tool(
        "t",
        public=True,
        describe=lambda arguments: Description("Do it?", details(arguments, OWN)),
        input_schema=Schema(OWN),
    )
    fits = MAX_ROWS - len("To") - len("“”")
    (row,) = tool.description({"to": "x" * fits}).rows
    assert row.values == (f"{FSI}“{'x' * fits}”{PDI}",)
    with pytest.raises(ValueError, match="4000"):
        tool.description({"to": "x" * (fits + 1)})
    with pytest.raises(ValueError, match="4000"):  # titles are read as well
        tool.description({"to": "x" * (fits - 20), "n" * 20: 1})


@given(some_arguments)
def test_nothing_of_an_agents_passes_for_a_row_or_a_title(arguments: dict[str, Json]) -> None:
    for row in details(arguments, OWN):
        for step in own_words(row.title).split(" › "):
            assert step in TITLES or step == "" or step.isdecimal(), ascii(row)
        assert row.values
        for each in row.values:
            assert own_words(each) == "", ascii(each)
        for line in (row.title, *row.values):
            assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066\u2067\u200e\u200f]", line), ascii(
                line
            )


@given(some_arguments, words)
def test_what_was_described_is_read_as_it_was_kept(arguments: dict[str, Json], headline: str) -> None:
    tool = Tool("t", public=True, describe=lambda given: Description(headline, details(given, OWN)))
    try:
        told = tool.description(arguments)
    except ValueError:
        return  # it says nothing, or too much
    assert Description.read(told.kept) == told


@pytest.mark.parametrize("row", TEXTS, ids=lambda row: ascii(row["text"]))
def test_lines_make_the_text_that_the_vectors_say(row: dict[str, Any]) -> None:
    lines = [(each["part"], each["line"]) for each in row["lines"]]
    assert {part for part, _ in lines} <= {*PARTS}
    parts, said = zip(*lines, strict=True)
    assert str(Text("en", said, parts)) == row["text"]


def test_a_row_without_a_value_is_kept_as_well() -> None:
    told = Description("Do it?", (Row("", ()), Row("To", ()), Row("", ("",))))
    assert Description.read(told.kept) == told
