"""What is kept has a bound in bytes, whatever strangers choose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.service.kept import Kept, keeping

MOST = 100_000


def test_what_is_kept_is_found() -> None:
    kept = Kept[int](MOST)
    kept.keep("a", 1)
    kept.keep("a", 2)
    assert (kept.get("a"), kept.get("b"), len(kept)) == (1, None, 1)


@given(st.lists(st.integers(0, MOST), max_size=60))
def test_it_never_has_more_than_it_may(sizes: list[int]) -> None:
    kept = Kept[int](MOST)
    texts = [f"{number}".ljust(size, "x") for number, size in enumerate(sizes)]
    for text in texts:
        kept.keep(text, 1)
        left = [one for one in texts if kept.get(one) is not None]
        assert sum(4 * len(one) + 512 for one in left) <= MOST
        assert len(left) == len(kept)
    assert [one for one in texts if kept.get(one)] == texts[len(texts) - len(kept) :]  # the newest


def test_what_fails_is_not_kept() -> None:
    asked: list[str] = []

    def make(text: str) -> int:
        asked.append(text)
        return int(text)

    kept = keeping(make, MOST)
    assert [kept("1"), kept("1"), kept("2")] == [1, 1, 2]
    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            kept("x")
    assert asked == ["1", "2", "x", "x"]
