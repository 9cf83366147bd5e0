"""SHIM-12: what the page is served of the catalogue, and that a language is one file."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.words.languages import ENGLISH, catalogue_of, translated

from deputize.protocol.errors import Code
from deputize.words import page
from deputize.words.catalogue import languages

JS = Path(__file__).parents[2] / "js"
NOT_FOR_PAGES = {
    # of addresses that no page asks
    Code.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED,
    Code.URI_TOO_LONG,
    Code.UNSUPPORTED_MEDIA_TYPE,
    # of agents' own requests (RFC 6749, RFC 8628, RFC 8693, RFC 9449)
    Code.INVALID_CLIENT,
    Code.INVALID_CLIENT_METADATA,
    Code.INVALID_GRANT,
    Code.UNSUPPORTED_GRANT_TYPE,
    Code.UNSUPPORTED_RESPONSE_TYPE,
    Code.UNAUTHORIZED_CLIENT,
    Code.ACCESS_DENIED,
    Code.AUTHORIZATION_PENDING,
    Code.SLOW_DOWN,
    Code.EXPIRED_TOKEN,
    Code.USE_DPOP_NONCE,
    Code.INVALID_TARGET,
    Code.INVALID_SCOPE,
    Code.INVALID_AUTHORIZATION_DETAILS,
    # of a page that browsers open (SIGNIN-3)
    Code.SIGN_IN_FAILED,
    # of evidence that no page of ours makes
    Code.UNSUPPORTED_METHOD,
    Code.CHALLENGE_WRONG_TOOL,
    Code.ARGUMENT_HASH_MISMATCH,
    Code.TOOL_NOT_APPROVED_REQUIRED,
    # of clients of MCP
    Code.URL_ELICITATION_REQUIRED,
    # of guards
    Code.MISSING_CALL_TOKEN,
    Code.INVALID_CALL_TOKEN,
    Code.CALL_WRONG_TOOL,
    Code.REDEEMER_NOT_ALLOWED,
    Code.READER_NOT_ALLOWED,
    Code.VERSION_SKEW,
    Code.UPSTREAM_UNAVAILABLE,
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A catalogue of the test's own, which has English."""
    with catalogue_of(tmp_path):
        yield tmp_path


def said(language: str) -> dict[str, object]:
    messages: dict[str, object] = json.loads(page.page_words(language).body)["messages"]
    return messages


@pytest.mark.parametrize("code", [code for code in Code if code not in NOT_FOR_PAGES])
def test_each_code_that_can_reach_a_page_has_sentences(code: Code) -> None:
    name = f"refusal-{code.replace('_', '-')}"
    assert {f"{name}.human", f"{name}.model"} <= said("en").keys(), f"en.ftl has no {name}"


@pytest.mark.parametrize(
    "change", ["", "pseudo", 'script-close = { script-asking } { refusal-other.human } { "\\u0022" }']
)
def test_it_is_what_the_library_of_pages_reads(folder: Path, change: str) -> None:
    """The bundles have theirs of that library, and what a page is served is ours."""
    text = (
        translated("he").replace("script-region = he", "script-region = en")
        if change == "pseudo"
        else ENGLISH.replace("script-close = Close", change or "script-close = Close")
    )
    (folder / "en.ftl").write_text(text)
    told = subprocess.run(
        ["node", "interop/catalogue.js"], cwd=JS, input=text.encode(), stdout=subprocess.PIPE, check=True
    )
    assert json.loads(told.stdout) == said("en")


def test_a_language_is_one_file(folder: Path) -> None:
    (folder / "he.ftl").write_text(translated("he"))
    words = page.page_words("he")
    told = json.loads(words.body)
    assert sorted(languages()) == ["en", "he"]
    assert (told["language"], told["direction"]) == ("he", "rtl")
    assert told["messages"].keys() == said("en").keys()
    assert words.s256 != page.page_words("en").s256


def test_what_a_language_lacks_is_said_in_english_and_what_is_no_sentence_is_not_its_to_say(
    folder: Path,
) -> None:
    (folder / "de.ftl").write_text(
        "script-close = Zu\nrefusal-expired =\n    .human = Aus.\n    .again = ja\n"
    )
    german, english = said("de"), said("en")
    assert german.keys() == english.keys()
    assert {name for name in english if german[name] != english[name]} == {
        "script-close",
        "script-region",
        "refusal-expired.human",
    }
    assert german["script-region"] == "de"


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $passkey } { NUMBER(1) }",
        "{ $passkey } { 1 }",
        "{ $passkey } { -term }",
        "{ $passkey ->\n    [1] one\n   *[other] { $passkey }\n }",
    ],
)
def test_what_the_page_cannot_say_is_told_by_name(folder: Path, pattern: str) -> None:
    (folder / "de.ftl").write_text(f"script-account-remove-lost = {pattern}\n-term = b\n")
    with pytest.raises(page.Untellable, match=r"de\.ftl: script-account-remove-lost"):
        page.page_words("de")


@pytest.mark.parametrize("language", languages())
def test_the_page_can_say_what_there_is(language: str) -> None:
    assert page.page_words(language).language == language
