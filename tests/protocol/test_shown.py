"""Text of strangers as people are shown it (APPR-2): the vectors of the browser, too, and what is always so."""

import json
import time
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.shown import FSI, PDI, marked, plain, quotes_isolated, said, visible, warning

ROWS = json.loads((Path(__file__).parents[1] / "vectors/shown-text.json").read_text())["rows"]
HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
JOINERS = "\u200c\u200d\ufe0e\ufe0f"
anything = st.text(
    alphabet=st.characters() | st.sampled_from([*JOINERS, FSI, PDI, " ", "👩", "ن", "्", "1", "\u20e3"])
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: ascii(row["text"]))
def test_vectors(row: dict[str, str]) -> None:
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
