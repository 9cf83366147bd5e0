"""A language is one file: it is found by being there, says all that English says, and hides nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.words.languages import ENGLISH, LANGUAGES, catalogue_of, read_again, spelled, translated

from deputize.protocol.canonical import Json
from deputize.protocol.shown import FSI, PDI
from deputize.words import catalogue
from deputize.words.catalogue import language_of, languages, words

EN = words("en")


def read(line: str) -> str:
    return line.replace(FSI, "<").replace(PDI, ">")


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_file_is_a_language(tmp_path: Path, language: str) -> None:
    with catalogue_of(tmp_path, **{language: translated(language)}):
        assert set(languages()) == {"en", language}
        told = words(language)
        assert set(told.patterns) == set(EN.patterns)
        for name in EN.variables.keys() - {"script-region"}:
            taken = dict.fromkeys(EN.variables[name], 5)
            assert told(name, **taken) == spelled(EN(name, **taken), language)
        assert told.direction == ("rtl" if language == "he" else "ltr")


def test_what_a_file_lacks_is_said_in_english(tmp_path: Path) -> None:
    with catalogue_of(tmp_path, el="sign-out = Αντίο\n"):
        assert words("el")("sign-out") == "Αντίο"
        assert words("el")("sign-in.title", site="Bank") == EN("sign-in.title", site="Bank")
        assert "sign-in.title" in words("el").variables
        assert words("fr") is words("en")


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("limit-sum = { $place }\n", "limit-sum does not take up"),
        ("sign-out = { $more }\n", "sign-out does not take up"),
        *(
            (f"limit-sum = {said}\n", "limit-sum does not take up")
            for said in (
                "{ $place ->\n  [x] { $most }\n *[other] { $place }\n }",
                "{ $place }{ $most ->\n  [one] once\n *[other] { $most }\n }",
                "{ $place }{ $most ->\n  [0] { $most }\n *[other] much\n }",
                "{ $place } { NUMBER($most, maximumFractionDigits: 0) }",
                "{ $place } { NUMBER($most) ->\n  [1] once\n *[other] { $most }\n }",
                "{ $place } { $most }\u202e",
                '{ $place } { $most }{"\u200b"}',
                "\u2068{ $place } { $most }",
                "{ $place } { $most }\u2069",
            )
        ),
        ("limit-calls = { $most ->\n  [one] once\n *[other] { $most }\n }\n", "limit-calls does not take up"),
        (
            "script-called = { $name ->\n  [Ada] a\n *[other] { $name }\n }\n",
            "script-called does not take up",
        ),
        (
            "script-agent = { $kind ->\n [browser] { $id }{ $name }\n [registered] a\n *[x] { $id } { $name }\n }\n",
            "script-agent does not take up",
        ),
        ("unheard-of = a\n", "unheard-of does not take up"),
        ("sign-out = { \n", "el.ftl"),
        ("sign-out = a\nsign-out = b\n", "twice"),
        ("script-region = en-GB\n", "script-region is a region of another language"),
        ("script-region = el-GB\n", "el.ftl: nobody knows the language or region el-GB"),
    ],
)
def test_a_file_that_would_hide_something_is_not_read(tmp_path: Path, file: str, why: str) -> None:
    with catalogue_of(tmp_path, el=file), pytest.raises(ValueError, match=why):
        words("en")


def test_a_file_may_say_more_in_other_words(tmp_path: Path) -> None:
    """One number may be a word; whatever else is chosen by, all is said."""
    file = (
        "limit-sum = { $most ->\n  [0] { $place }: nothing\n  [few] { $most } of { $place }\n"
        " *[other] { $place }: { $most }\n }\n"
        "limit-calls = { $most ->\n  [1] once\n  [few] { $most }!\n *[other] { $most }\n }\n"
    )
    with catalogue_of(tmp_path, el=file):
        assert words("el")("limit-calls", most=1) == "once"


def test_what_browsers_ask_for_is_kept_as_far_as_it_is_read() -> None:
    """Whoever sends long headers fills no memory."""
    read_again()
    for i in range(3):
        language_of("en," * 200 + str(i) * 20_000)
    assert catalogue._language_of.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("el", "el"),
        ("EL-gr", "el"),
        ("el-x-y, he;q=0.9", "el"),
        ("fr, he;q=0.5, el;q=0.4", "he"),
        ("he ; q=0.1 , el;\tq=0.2", "el"),
        ("he;q=0, *", "en"),
        ("he;q=1.0000, el;q=nan", "he"),
        ("he;q=7, el;q=-1", "en"),
        (";;;,=,-,--", "en"),
        ("fr," * 200 + "he", "en"),
    ],
)
def test_the_first_that_there_is_of_what_a_browser_asks_for(
    tmp_path: Path, accepted: str, language: str
) -> None:  # RFC 9110 §12.5.4, RFC 4647 §3.4
    with catalogue_of(tmp_path, **dict.fromkeys(LANGUAGES, "")):
        assert language_of(accepted) == language


@given(st.text(max_size=400))
def test_whatever_is_asked_for_there_is_a_language(accepted: str) -> None:
    assert language_of(accepted) == "en"


def test_what_is_not_ours_is_set_apart_wherever_it_is_put() -> None:
    assert read(EN("sign-in.title", site="B\u202e\u2069ank")) == "Sign in to <B\ufffd\ufffdank>"
    assert read(EN.quoted("Ada” the\u200bsite")) == '<"Ada\\u201d the\ufffdsite">'
    assert read(EN.quoted("pаypal")) == "<“pаypal”> (mixed alphabets: Cyrillic and Latin)"  # noqa: RUF001
    assert read(EN("as-it-is", text="\uf8ff0\uf8ff")) == "<\ufffd0\ufffd>"  # our own marks


def test_text_of_any_length_is_said_whole() -> None:
    assert read(EN("clause-fits", schema="x" * 5000)) == f"fitting <{'x' * 5000}>"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1, "1"),
        (-1234567, "-1,234,567"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1234.5, "1,234.5"),
        (0.000001, "0.000001"),
        (2**53 - 1, "9,007,199,254,740,991"),
        (1e30, "<1e+30>"),
        (1e-12, "<1e-12>"),
        (True, "<true>"),
        (None, "<null>"),
        ("1,250", "<“1,250”>"),
        ({"b": [1250], "a": "”"}, '<{"a":"\\u201d","b":[1250]}>'),
    ],
)
def test_figures_are_written_as_the_language_has_them_and_never_rounded(value: Json, told: str) -> None:
    assert read(EN.json(value)) == told


numbers = st.one_of(st.integers(1 - 2**53, 2**53 - 1), st.floats(-1e-3, 1e15), st.floats(-1e-8, 1e-8))


@given(numbers, numbers)
def test_no_two_numbers_are_written_alike(one: Json, other: Json) -> None:
    assert (EN.json(one) == EN.json(other)) is (one == other)


def test_dates_durations_and_lists_are_the_languages_own(tmp_path: Path) -> None:
    assert EN.moment(1_800_000_000) == "15 Jan 2027, 08:00 UTC"
    assert EN.moment(1_800_000_001) == "15 Jan 2027, 08:00:01 UTC"
    assert [EN.duration(seconds) for seconds in (1, 5400, 3600, 86400, 7776000)] == [
        "1 second",
        "90 minutes",
        "1 hour",
        "1 day",
        "90 days",
    ]
    with catalogue_of(tmp_path, de="figures = { $number }\n"):
        german = words("de")
        assert german.moment(1_800_000_000) == "15.01.2027, 08:00 UTC"
        assert german.duration(7776000) == "90 Tage"
        assert german.json(1234.5) == "1.234,5"
        assert german.one_of(map(german.json, [1, 2, 3])) == "1, 2 oder 3"


def test_no_message_has_marks_of_its_own() -> None:
    """Isolates, and what stands for something while a message is made, come from the program only."""
    assert not set(ENGLISH) & {FSI, PDI, "\ue000", "\uf8ff"}
