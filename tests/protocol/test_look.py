"""LOOK-1: colours that can be read, and logos that are images."""

import pytest

from deputize.protocol.look import DARK, LIGHT, NEEDED, Look, colour, contrast, readable

COLOURS = ["#000000", "#ffffff", "#1d55c4", "#ff9900", "#808080", "#00ff00", "#7f0000"]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("grounds", [LIGHT, DARK])
@pytest.mark.parametrize("text", COLOURS)
def test_the_colour_that_would_do_does(text: str, grounds: tuple[str, ...]) -> None:
    near = readable(text, grounds)
    assert colour(near, grounds) == near
    assert all(contrast(near, ground) >= NEEDED for ground in grounds)


def test_what_is_there_without_a_word_can_be_read() -> None:
    look = Look()
    assert (colour(look.accent, LIGHT), colour(look.accent_dark, DARK)) == (look.accent, look.accent_dark)
