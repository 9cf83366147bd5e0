"""URLs of strangers: one spelling each, of a public name, or no URL at all."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.url import Url, is_secure, origin_of

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "clients.json").read_text())


@pytest.mark.parametrize("case", VECTORS["urls"], ids=lambda case: repr(case["text"])[:60])
def test_one_spelling_or_none(case: dict[str, Any]) -> None:
    text, local = case["text"], case.get("local", False)
    if case["valid"]:
        assert Url.parse(text, local).text == text
    else:
        with pytest.raises(ValueError, match="a URL here"):
            Url.parse(text, local)


@pytest.mark.parametrize("case", [case for case in VECTORS["urls"] if "local" in case], ids=str)
def test_only_the_local_may_be_of_this_machine(case: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a URL here"):
        Url.parse(case["text"])


@given(st.from_regex(r"https?://[a-z0-9.:\[\]%@-]{1,20}/[a-z./%2eE?-]{0,9}", fullmatch=True), st.booleans())
def test_what_is_read_is_what_the_standard_library_reads(text: str, local: bool) -> None:
    try:
        url = Url.parse(text, local)
    except ValueError:
        return
    parts = urlsplit(text)
    assert (url.scheme, url.host.strip("[]"), url.path) == (parts.scheme, parts.hostname, parts.path)
    assert url.port == (parts.port or {"http": 80, "https": 443}[url.scheme])
    assert origin_of(text) == url.origin == f"{parts.scheme}://{parts.netloc}"
    assert url.query.lstrip("?") == parts.query


@pytest.mark.parametrize(
    ("text", "secure"),
    [
        ("https://bank.example/token", True),
        ("http://localhost:8000/token", True),
        ("http://127.0.0.1/", True),
        ("http://[::1]:8000/", True),
        ("http://bank.example/token", False),
        ("http://bank.localhost/token", False),  # whoever answers for the network's names says where that is
        ("http://localhost.bank.example/", False),
        ("http://localhost@bank.example/", False),
        ("ftp://localhost/", False),
        ("https://", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_secrets_go_over_tls_or_nowhere(text: str, secure: bool) -> None:
    assert is_secure(text) is secure
