"""Scopes: legal once made, and sets in every operation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.scope import MAX_SCOPES, ScopeSet

names = st.text(st.sampled_from("abc:._-!#[]~"), min_size=1, max_size=8)
sets = st.frozensets(names, max_size=12).map(ScopeSet)


@given(sets)
def test_the_wire_form_reads_back(scopes: ScopeSet) -> None:
    assert ScopeSet.parse(str(scopes)) == scopes
    assert str(scopes) == " ".join(scopes)


@given(sets, sets, sets)
def test_operations_are_those_of_sets(a: ScopeSet, b: ScopeSet, c: ScopeSet) -> None:
    assert (a & b) <= a <= (a | b)
    assert not len((a - b) & b)
    assert ((a <= b) and (b <= c)) <= (a <= c)
    assert (a <= b) == (not len(a - b))


@given(st.text())
def test_any_text_is_a_set_or_refused(text: str) -> None:
    try:
        scopes = ScopeSet.parse(text)
    except ValueError:
        return
    assert sorted(text.split()) == list(scopes)


@pytest.mark.parametrize("text", ["a  b", " a", "a ", "a a", 'a"', "a\\", "a\x00", "ä", "a\tb", "x" * 129])
def test_what_rfc_6749_does_not_allow_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="scope"):
        ScopeSet.parse(text)


def test_the_number_is_bounded() -> None:
    ScopeSet.of(str(n) for n in range(MAX_SCOPES))
    with pytest.raises(ValueError, match="more than"):
        ScopeSet.of(str(n) for n in range(MAX_SCOPES + 1))
