"""Sealed texts: read back by us only, for their purpose only, in their spelling only."""

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.crypto.sealed import MAX_SEALED, Purpose, Sealer
from deputize.protocol.canonical import b64u

SECRET = bytes(range(32))
PURPOSES: list[Purpose] = ["session", "csrf", "refresh"]
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


class Clock:
    def __init__(self) -> None:
        self.time = 1000.9

    def __call__(self) -> float:
        return self.time


@given(VALUES, st.sampled_from(PURPOSES))
def test_what_was_sealed_is_opened(value: Any, purpose: Purpose) -> None:
    sealer = Sealer(SECRET)
    assert sealer.open(purpose, sealer.seal(purpose, value)) == value


@pytest.mark.parametrize("made_for", PURPOSES)
@pytest.mark.parametrize("opened_for", PURPOSES)
def test_one_purpose_is_nothing_to_another(made_for: Purpose, opened_for: Purpose) -> None:
    sealer = Sealer(SECRET)
    text = sealer.seal(made_for, "value")
    assert sealer.open(opened_for, text) == ("value" if made_for == opened_for else None)


def test_another_secret_opens_nothing() -> None:
    assert Sealer(bytes(32)).open("session", Sealer(SECRET).seal("session", "value")) is None


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(bytes(31))


@given(st.data())
def test_any_other_character_anywhere_opens_nothing(data: st.DataObject) -> None:
    sealer = Sealer(SECRET, Clock())
    text = sealer.seal("session", {"id": "abc"})
    index = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters().filter(lambda character: character != text[index]))
    assert sealer.open("session", text[:index] + other + text[index + 1 :]) is None


@pytest.mark.parametrize("spelling", ["{}=", "{}.", ".{}", " {}", "{}\n", "", ".", "a.b", "ä.ö"])
def test_any_other_text_opens_nothing(spelling: str) -> None:
    sealer = Sealer(SECRET)
    assert sealer.open("session", spelling.format(sealer.seal("session", "value"))) is None


def test_a_text_is_good_until_max_age() -> None:
    clock = Clock()
    sealer = Sealer(SECRET, clock)
    text = sealer.seal("csrf", "value")
    for time, opened in ((1000.9, "value"), (1059.9, "value"), (1060, None), (999.9, None)):
        clock.time = time
        assert sealer.open("csrf", text, max_age=60) == opened
        assert sealer.open("csrf", text) == "value"


def test_long_values_are_refused_and_long_texts_not_read() -> None:
    sealer = Sealer(SECRET, Clock())
    room = (MAX_SEALED - 44) * 3 // 4 - len('[1000,""]')  # 44: a dot and a signature
    fits = sealer.seal("session", "x" * room)
    assert len(fits) == MAX_SEALED
    assert sealer.open("session", fits) == "x" * room
    with pytest.raises(ValueError, match="4096"):
        sealer.seal("session", "x" * (room + 1))
    payload = b64u(b'[1000,"' + b"x" * (room + 1) + b'"]')
    derived = hmac.digest(SECRET, b"deputize.session", hashlib.sha256)
    signature = b64u(hmac.digest(derived, payload.encode(), hashlib.sha256))
    assert sealer.open("session", f"{payload}.{signature}") is None


def test_the_signature_is_hmac_sha256_with_a_derived_key() -> None:
    payload, _, signature = Sealer(SECRET).seal("session", 1).partition(".")
    derived = hmac.digest(SECRET, b"deputize.session", hashlib.sha256)
    assert signature == b64u(hmac.digest(derived, payload.encode(), hashlib.sha256))
