"""The digits that are typed on another device (PHONE-2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.phone import Phone, draw, read_digits


def test_each_pair_is_as_likely_as_any_other() -> None:
    """PHONE-2: bytes that would make some likelier are drawn anew."""
    bytes_drawn = iter(range(256))
    drawn = [draw(lambda n: bytes([next(bytes_drawn)])) for _ in range(200)]
    assert sorted(drawn) == sorted([f"{number:02}" for number in range(100)] * 2)


@pytest.mark.parametrize("byte", [200, 255])
def test_a_byte_that_would_make_some_likelier_is_drawn_anew(byte: int) -> None:
    bytes_drawn = iter([bytes([byte]), bytes([byte]), b"\x07"])
    assert draw(lambda n: next(bytes_drawn)) == "07"


@pytest.mark.parametrize("typed", ["42", "\u0664\u0662", "\u096a\u0968", "\uff14\uff12", "4\uff12"])
def test_digits_are_read_as_keyboards_of_any_script_write_them(typed: str) -> None:
    assert read_digits(typed) == "42"


@pytest.mark.parametrize("typed", ["", "4", "421", "4 2", " 42", "4a", "-4", "+4", "4.", "4\n", "42\n"])
def test_nothing_else_is_two_digits(typed: str) -> None:
    assert read_digits(typed) is None


@pytest.mark.parametrize("typed", ["\u56db\u4e8c", "\u21632", "\u00b22", "\u00bd2"])
def test_nor_is_what_only_stands_for_a_number(typed: str) -> None:
    """Numerals of Chinese and Rome, superscripts, fractions: nobody's keyboard of digits writes them."""
    assert read_digits(typed) is None


@given(st.text(max_size=4))
def test_whatever_is_read_is_two_ascii_digits(typed: str) -> None:
    read = read_digits(typed)
    assert read is None or (len(read) == 2 and read.isascii() and read.isdigit())


def test_a_phone_shows_its_own_digits_only() -> None:
    phone = Phone("cal_x", "07", 60)
    assert [typed for typed in (f"{number:02}" for number in range(100)) if phone.shows(typed)] == ["07"]
    assert not any(Phone("cal_x", None, 60).shows(typed) for typed in ("07", "", "None"))
    assert not any(phone.shows(typed) for typed in ("7", "007", "", "07 ", "\u0660\u0667"))
