"""Codes for people to type (RFC 8628 §6.1)."""

import pytest

from deputize.protocol.request import make_user_code, read_user_code


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (0, "BBBB-BBBB"),
        (1, "CBBB-BBBB"),
        (20, "BCBB-BBBB"),
        (20**7, "BBBB-BBBC"),
        (20**8 - 1, "ZZZZ-ZZZZ"),
        (20**8, "BBBB-BBBB"),
    ],
)
def test_each_letter_of_a_code_is_one_of_twenty(number: int, code: str) -> None:
    assert make_user_code(number.to_bytes(16)) == code


@pytest.mark.parametrize("typed", ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk\n", "b.c.d.f.g.h.j.k", "BCDF–GHJK"])
def test_a_code_is_read_however_it_was_typed(typed: str) -> None:
    assert read_user_code(typed) == "BCDF-GHJK"


@pytest.mark.parametrize("typed", ["", "BCDF", "BCDF-GHJ", "CDFG-HJKB", "ACDF-GHJK", "8CDF-GHJK"])
def test_another_code_is_read_as_another(typed: str) -> None:
    assert read_user_code(typed) != "BCDF-GHJK"
