"""Text of strangers as people are shown it (APPR-2): the vectors of the browser, too, and what is always so."""

import json
import re
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.client import shown_name
from deputize.protocol.shown import (
    _WORDS,
    FSI,
    PDI,
    marked,
    plain,
    quotes_isolated,
    said,
    spelled,
    unquoted,
    visible,
    warning,
)

ROWS = json.loads((Path(__file__).parents[1] / "vectors/shown-text.json").read_text())["rows"]
HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
JOINERS = "\u200c\u200d\ufe0e\ufe0f"
anything = st.text(
    alphabet=st.characters() | st.sampled_from([*JOINERS, FSI, PDI, " ", "👩", "ن", "्", "1", "\u20e3"])
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: ascii(row["text"]))
def test_texts_are_shown_as_the_vectors_say(row: dict[str, str]) -> None:
    text = row["text"]
    assert {"plain": plain(text), "visible": visible(text), "warning": warning(text)} == {
        name: row[name] for name in ("plain", "visible", "warning")
    }


@pytest.mark.parametrize(
    "blank", ["\u034f", "\u115f", "\u17b4", "\u180b", "\u2800", "\u3164", "\uffa0", "\ufe0f", "\U000e0100"]
)
def test_a_letter_that_shows_as_nothing_is_shown(blank: str) -> None:  # APPR-2
    assert plain(f"a{blank}b") == "a\ufffdb"


@given(anything)
def test_only_joiners_stay_that_cannot_be_seen(text: str) -> None:  # APPR-2
    shown = plain(text)
    assert len(shown) == len(text)
    assert {c for c in shown if unicodedata.category(c) in HIDDEN} <= set(JOINERS)
    for before, after in zip(text, shown, strict=True):
        assert after in (before, "\ufffd")
    for pair in pairwise(shown):
        assert not set(pair) <= set(JOINERS) or pair[0] == "\ufe0f"  # none is hidden by another
    assert plain(shown) == shown


def test_what_is_taken_as_it_is_hides_nothing() -> None:  # APPR-2
    quick = [chr(each) for each in range(0x110000) if _WORDS.fullmatch(chr(each))]
    assert {*"azAZ09!~éßøłŐ“”"} < {*quick}
    texts = [*quick, f"a{''.join(quick)}b", "Ada Lovelace"]
    sentences = ["", "a b", f"{FSI}“Ada”{PDI}", f"a  {FSI}1{PDI} to {FSI}2{PDI}", *texts]
    with the_long_way():
        assert [visible(each) for each in texts] == texts
        assert [marked(each) for each in sentences] == sentences


@given(anything)
def test_most_texts_are_shown_as_by_the_long_way(text: str) -> None:  # APPR-2
    quickly = visible(text), marked(text)
    with the_long_way():
        assert (visible(text), marked(text)) == quickly


@contextmanager
def the_long_way() -> Iterator[None]:
    """Take no text as it is."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_WORDS", "_SENTENCE"):
            patch.setattr(f"deputize.protocol.shown.{name}", re.compile("(?!)"))
        yield


@given(anything)
def test_two_spaces_are_seen(text: str) -> None:  # APPR-2
    shown = visible(text)
    assert "  " not in shown
    assert "\u00a0\u00a0" not in shown
    assert len(shown) == len(text)


@given(anything)
def test_what_is_said_stays_in_its_place(text: str) -> None:  # APPR-2
    written = said(text)
    assert written.count(FSI) == written.count(PDI) == 1
    assert written.startswith(FSI)
    assert marked(f"a {written} b") == f"a {written} b"


def _passes_for_a_quotation_mark(character: str) -> bool:
    name = unicodedata.name(character, "")
    drawn = "(QUOTATION|PRIME|APOSTROPHE|ACUTE ACCENT|GRAVE ACCENT|COMMA)"
    found = re.search(f"(DOUBLE|TRIPLE|QUADRUPLE).*{drawn}|DITTO MARK|GERSHAYIM|QUOTATION MARK", name)
    other = re.search("LETTER [AEIOUW] |IZHITSA|SINGLE|HEAVY .*ANGLE|TAG", name)
    return found is not None and other is None and unicodedata.category(character)[0] != "M"


@pytest.mark.parametrize(
    "mark",
    [
        *filter(_passes_for_a_quotation_mark, map(chr, range(0x20, 0x20000))),
        *("''", "’’", "‘‘", "’'", "``", "´´", "′′", "ʼʼ", "❜❜"),  # noqa: RUF001
    ],
    ids=ascii,
)
def test_nothing_looks_as_if_a_quotation_ended(mark: str) -> None:  # APPR-2
    written = said(f"Ada{mark} from your own account. To {mark}Bob")
    assert mark == '"' or mark not in written
    assert written[1:-1] == spelled(f"Ada{mark} from your own account. To {mark}Bob")
    assert json.loads(written[1:-1]) == f"Ada{mark} from your own account. To {mark}Bob"
    name = shown_name(f"Helper{mark}, checked by {mark}Bank")
    assert mark not in name
    assert unquoted(name) == name


@pytest.mark.parametrize(
    "name", ["O’Brien", "O'Brien", "l\u2018été", "5\u2032", "株式会社「山」", "\u2039x\u203a"]
)
def test_what_ends_no_quotation_stays_as_it_is(name: str) -> None:
    assert said(name) == f"{FSI}“{name}”{PDI}"
    assert shown_name(name) == name


@given(st.text(st.sampled_from("a\u0336\u20dd\u094d\u200d\u200c\u0301\u202e"), max_size=40))
def test_no_letter_has_so_many_marks_that_they_cover_other_lines(text: str) -> None:  # APPR-2
    for shown in (plain(text), visible(text)):
        piles = re.findall("[\u0336\u20dd\u094d\u0301\u200c\u200d]+", shown)
        assert all(sum(c not in JOINERS for c in pile) <= 4 for pile in piles)


@pytest.mark.parametrize("text", [f"a{FSI}b", f"a{PDI}b", f"{PDI}a{FSI}", f"{FSI}a{PDI}{PDI}"])
def test_isolates_that_do_not_pair_are_none_of_ours(text: str) -> None:
    assert not set(marked(text)) & {FSI, PDI}


def test_what_is_quoted_in_a_limit_is_set_apart() -> None:  # CONS-4
    assert quotes_isolated('only “א” or "b\\"c"') == f'only {FSI}“א”{PDI} or {FSI}"b\\"c"{PDI}'


@pytest.mark.parametrize(
    "letters", ["\u0430 ", "\u0430b", "𐌰a ", "ن\u200c", "👩\u200d", "् \u200d", "\u0301", " ", "“"]
)
def test_long_text_takes_no_time(letters: str) -> None:
    """The arguments are an agent's, and all others wait behind: 60 KiB of them."""
    text = letters * (60_000 // len(letters.encode()))
    began = time.process_time()
    said(text)
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "letters", ["\ua98f", "".join(map(chr, range(0x17000, 0x18000)))], ids=["Javanese", "Tangut"]
)
def test_letters_of_rare_scripts_take_no_longer_than_others(letters: str) -> None:
    """The table has no line for them; all arguments of twenty calls are on one page."""

    def least(text: str) -> float:
        times = []
        for _ in range(5):
            began = time.process_time()
            said(text)
            times.append(time.process_time() - began)
        return min(times)

    assert least((letters * 20_000)[:20_000]) < 3 * least("a\u0436" * 10_000)
