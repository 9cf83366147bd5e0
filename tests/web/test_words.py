"""SHIM-12: where a page finds what it says, and how long it may keep it."""

import pytest
from tests.bank import ISSUER, Bank

from deputize.words.page import page_words

pytestmark = pytest.mark.anyio


async def test_the_words_are_kept_for_ever_under_an_address_that_changes_with_them(bank: Bank) -> None:
    http = bank.page().http
    path = (await http.get(f"{ISSUER}/tools")).json()["words"]
    assert path == f"/words/en.{page_words('en').s256}.json"
    answer = await http.get(ISSUER + path)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"].lower() == "origin"
    told = answer.json()
    assert (told["language"], told["direction"]) == ("en", "ltr")
    assert told["messages"]["refusal-declined.human"] == "You said no to this, so it is not done."


@pytest.mark.parametrize("digest", ["", f".{'A' * 43}"])
async def test_words_without_their_digest_or_with_that_of_another_process_are_not_kept(
    bank: Bank, digest: str
) -> None:
    answer = await bank.page().http.get(f"{ISSUER}/words/en{digest}.json")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize("name", ["xx.A.json", "xx.json", "..%2fen.json", ".json", "EN.json"])
async def test_there_are_no_words_in_other_languages(bank: Bank, name: str) -> None:
    answer = await bank.page().http.get(f"{ISSUER}/words/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
