"""Endpoints: which addresses are of one, and which only look like it (ENDPOINT-1, GUARD-9)."""

import re
import time
import tracemalloc
from string import ascii_lowercase
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.size import tries

from deputize.protocol.endpoint import Endpoint, decoded
from deputize.protocol.endpoints import Endpoints
from deputize.protocol.scope import ScopeSet
from deputize.protocol.tool import Tool

PAY = "POST /api/transfers/{account}"


@pytest.mark.parametrize(
    ("text", "method", "path", "parameters", "query", "origin"),
    [
        ("GET /", "GET", "/", (), (), None),
        ("POST /a/b.c/", "POST", "/a/b.c/", (), (), None),
        ("POST /v1/transfers:send", "POST", "/v1/transfers:send", (), (), None),
        (PAY, "POST", "/api/transfers/{account}", ("account",), (), None),
        ("PUT /{a}/x/{b_2}", "PUT", "/{a}/x/{b_2}", ("a", "b_2"), (), None),
        ("DELETE /x/{a}{?b,c}", "DELETE", "/x/{a}", ("a",), ("b", "c"), None),
        ("PATCH https://a.example:81/x", "PATCH", "/x", (), (), "https://a.example:81"),
    ],
)
def test_an_endpoint_is_a_method_and_a_template(
    text: str, method: str, path: str, parameters: tuple[str, ...], query: tuple[str, ...], origin: str | None
) -> None:
    endpoint = Endpoint.parse(text)
    assert (endpoint.method, endpoint.path, endpoint.query, endpoint.origin) == (method, path, query, origin)
    assert endpoint.parameters == parameters
    assert str(endpoint) == text


def found(method: str, path: str, *texts: str) -> list[str] | None:
    """Return the endpoint that a request is for, with its parameters; None for none."""
    scopes = ScopeSet.of(["pay"])
    tools = [Tool(f"t{index}", scopes, endpoint=Endpoint.parse(text)) for index, text in enumerate(texts)]
    hit = Endpoints(tools).find(method, path)
    return None if hit is None else [*hit.tools, *hit.parameters.values()]


def test_a_request_is_for_the_endpoint_of_its_method_and_path() -> None:
    texts = (PAY, "GET /api/transfers/{account}", "POST /api/transfers", "DELETE /")
    assert found("POST", "/api/transfers/DE 12,ä", *texts) == ["t0", "DE 12,ä"]
    assert found("HEAD", "/api/transfers/x", *texts) == ["t1", "x"]
    assert found("POST", "/api/transfers", *texts) == ["t2"]
    assert found("DELETE", "/", *texts) == ["t3"]
    for method, path in [
        ("PUT", "/api/transfers"),
        ("HEAD", "/api/transfers"),
        ("POST", "/api/transfers/x/y"),
        ("POST", "/api/transferss"),
        ("POST", "/api/"),
        ("POST", ""),
        ("OPTIONS", "/"),
    ]:
        assert found(method, path, *texts) is None


@pytest.mark.parametrize(
    "path",
    [
        *("/API/transfers/x", "/api/transfer\u017f/x", "/api/transfers/x/", "//api/transfers/x"),
        *("/api//transfers/x", "/api/./transfers/x", "/api/y/../transfers/x", "/api/transfers;v=1/x"),
        *("/api/transfers/x;v=1", "/api\\transfers\\x", "/api/transfers /x", "/api/transfers./x"),
        *("/api/%74ransfers/x", "/api/%2574ransfers/x", "/api%2Ftransfers/x", "/api/transfers%00/x"),
        *("/api/transfers\0/x", "/api/transfers\t/x", "\uff0fapi\uff0ftransfers\uff0fx", "api/transfers/x"),
        *("/api/transfers/x%", "/api/transfers/x\u200b", "/api/transfers/x?y", "/api/transfers/x#y"),
        *(
            "/ap\u0131/transfers/x",
            "/AP\u0130/transfers/x",
            "/api//../transfers/x",
            "/api//..;pay/transfers/x",
        ),
        *("/API\\transfers\\/../x", "/api/transfers/ /.. /x", "/api/%2F..%2Ftransfers/x"),
    ],
)
def test_guard_9_another_spelling_of_an_endpoint_is_for_nobody(path: str) -> None:
    with pytest.raises(ValueError, match="not how it is spelled"):
        found("POST", path, PAY)
    assert found("GET", path, PAY) is None


_SEGMENTS = st.sampled_from(["", ".", "..", "api", "transfers", "x"])


@given(st.lists(_SEGMENTS, min_size=3, max_size=9).map("/".join))
@example("api//../transfers/x")
@example("x/..//../api/transfers/./x")
@settings(max_examples=tries(300, 20_000))
def test_guard_9_what_dot_segments_lead_to_an_endpoint_is_seen(path: str) -> None:
    """RFC 3986 §5.2.4, for which an empty part is one."""
    endpoint = Endpoint.parse("POST /api/transfers/x")
    if urlsplit(urljoin("http://bank.example/", f"/{path}")).path == endpoint.path:
        assert endpoint.resembles(f"/{path}")


def test_guard_9_whatever_some_take_for_a_letter_is_seen() -> None:
    """A router that matches without regard to case, by pattern or by letter."""
    folding = re.compile("[a-z0-9]", re.IGNORECASE)
    letters = re.compile("[a-z0-9]")
    for each in map(chr, range(0x80, 0x110000)):
        taken = {each.lower(), each.upper().lower(), each.casefold()}
        if folding.match(each):
            taken |= {letter for letter in ascii_lowercase if re.match(letter, each, re.IGNORECASE)}
        for text in filter(letters.fullmatch, taken):
            assert Endpoint.parse(f"POST /a{text}").resembles(f"/a{each}")


@pytest.mark.parametrize(
    "path",
    [
        "/api/transfers/a\uff0fb",  # a slash to NFKC
        "/API/transfers/a\uff0fb",
        "/api/transfers/;7",
        "/api/Transfers/;7",
        "/api/transfers/;a\uff0fb",
        "/api/transfers/\uff0e\uff0e",
        "/api/transfers/\u2025",
        "/api/transfers/ ",
        "/api/transfers/ /",
        "/api/transfers/\u200b",
    ],
)
def test_guard_9_a_parameter_that_some_take_apart_hides_no_endpoint(path: str) -> None:
    """One router would have it for a part or two of the path, another for the argument."""
    try:
        assert found("POST", path, PAY)
    except ValueError:
        return


def test_a_path_is_held_against_many_endpoints_in_no_time() -> None:
    """Whatever is in it: Unicode's forms of a long row of accents take the square of its length."""
    texts = [f"POST /api/{number}/{{name}}" for number in range(100)]
    accents = "\u0301\u0323" * 8000
    started = time.process_time()
    assert found("POST", f"/none/{accents}", *texts) is None
    assert time.process_time() - started < 1


@pytest.mark.parametrize("method", ["post", "Post"])
def test_guard_9_nor_is_another_spelling_of_its_method(method: str) -> None:
    with pytest.raises(ValueError, match="not how it is spelled"):
        found(method, "/api/transfers/x", PAY)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/", "/"),
        ("/a/", "/a/"),
        ("/a-b._~/c:d@e", "/a-b._~/c:d@e"),
        ("/a%20b/%C3%A4", "/a b/ä"),
        ("/a,b/a%2Cb", "/a,b/a,b"),
        ("/%3F%23%5B", "/?#["),
    ],
)
def test_a_path_in_its_one_spelling_has_one_reading(raw: str, path: str) -> None:
    assert decoded(raw) == path


@pytest.mark.parametrize(
    "raw",
    [
        *("", "a", "*", "http://a/b", "//", "//a", "/a//b", "/.", "/..", "/a/./b", "/a/../b", "/a/.."),
        *(
            "/%41",
            "/%7E",
            "/%2e",
            "/%2E%2E/a",
            "/%30",
            "/a%2Fb",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/%25",
            "/%2541",
        ),
        *(
            "/%00",
            "/%0A",
            "/%7F",
            "/%C2%85",
            "/%E2%80%8B",
            "/%c3%a4",
            "/%C3",
            "/%ED%A0%80",
            "/%",
            "/%4",
            "/%GG",
        ),
        *("/a;b", "/a?b", "/a#b", "/a b", "/ä", "/a\n", "/[", '/"', "/<", "/|", "/^", "/`", "/{a}"),
    ],
)
def test_any_other_spelling_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match=r"path (is not|has more)"):
        decoded(raw)


def test_every_needless_encoding_is_refused() -> None:
    """RFC 3986 §2.3: an encoded letter, digit, hyphen, dot, underscore or tilde."""
    plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    for number in range(256):
        text = chr(number)
        try:
            path = decoded(f"/x%{number:02X}")
        except ValueError:
            assert text in plain or text in "/\\%" or not text.isprintable() or number > 127
        else:
            assert path == "/x" + text
            assert text not in plain


def test_guard_9_what_anybody_sends_fills_no_memory() -> None:
    endpoint = Endpoint.parse("POST /api/{a}")
    tracemalloc.start()
    try:
        for number in range(8):
            assert not endpoint.resembles(f"/{number}%41;x. " + "/aB" * 20_000)
        assert tracemalloc.get_traced_memory()[0] < 20_000_000
    finally:
        tracemalloc.stop()
