"""What a proxy and its upstream could read in two ways does not go through (PROXY-1 to PROXY-4), by raw sockets.

The upstream takes whatever comes, so each of these would run what is guarded under some framework's rules.
"""

import json

import pytest

from .conftest import Site

TRANSFERS = {
    "Express, ASP.NET: case": "/api/Transfers",
    "Express, ASP.NET: case of all": "/API/TRANSFERS",
    "Express, Laravel, Spring: a slash at the end": "/api/transfers/",
    "Flask, nginx: slashes merged": "/api//transfers",
    "slashes at the start": "//api/transfers",
    "slashes at the end": "/api/transfers//",
    "dot segment": "/api/./transfers",
    "dot segments": "/api/x/../transfers",
    "dot segment at the end": "/api/transfers/.",
    "dot segments, escaped": "/api/x/%2E%2E/transfers",
    "dot segments, half escaped": "/api/x/.%2E/transfers",
    "Tomcat: dot segments with parameters": "/api/x/..;/transfers",
    "Tomcat: parameters": "/api/transfers;a=b",
    "Tomcat: parameters further in front": "/api;a=b/transfers",
    "Tomcat: a segment of parameters only": "/api/;a=b/transfers",
    "PHP, Django: needless escape": "/api/%74ransfers",
    "needless escape of a letter in capitals": "/api/%54ransfers",
    "escape in small letters": "/api/caf%c3%a9",
    "escaped slash": "/api%2Ftransfers",
    "escaped slash at the end": "/api/transfers%2F",
    "escaped backslash": "/api%5Ctransfers",
    "IIS: backslash": "/api\\transfers",
    "decoded twice": "/api/%2574ransfers",
    "a slash, decoded twice": "/api%252Ftransfers",
    "IIS: another escape": "/api/%u0074ransfers",
    "overlong UTF-8": "/api%C0%AFtransfers",
    "no UTF-8": "/api/transfers%FF",
    "NUL": "/api/transfers%00",
    "NUL before a suffix": "/api/transfers%00.html",
    "line feed": "/api/transfers%0A",
    "Windows: dot at the end": "/api/transfers.",
    "blank at the end": "/api/transfers%20",
    "blank before": "/api/%20transfers",
    "no-break space": "/api/transfers%C2%A0",
    "fullwidth letters": "/api/%EF%BD%94ransfers",
    "fullwidth slash": "/api%EF%BC%8Ftransfers",
    "long s": "/api/tran%C5%BFfers",
    "zero width": "/api/trans%E2%80%8Bfers",
    "Rails, Spring: suffix": "/api/transfers.json",
    "another suffix": "/api/transfers.do",
    "suffix and slash": "/api/transfers.json/",
    "suffix and case": "/api/Transfers.JSON",
    "suffixes": "/api/transfers.json.gz",
    "PHP: front controller": "/index.php/api/transfers",
    "PHP: front controller, further in front": "/public/index.php/api/transfers",
    "PHP: front controller, case": "/INDEX.PHP/api/Transfers",
    "CGI: script": "/cgi-bin/app.cgi/api/transfers",
    "CodeIgniter, ASP.NET: index": "/api/transfers/index",
    "index page": "/api/transfers/index.php",
    "a host in the first line": "http://bank.example/api/transfers",
    "another host in the first line": "http://evil.example/api/transfers",
    "a fragment": "/api/transfers#x",
    "a fragment before a query": "/api/transfers#?x",
    "no slash": "api/transfers",
    "asterisk": "*",
    "brackets": "/api/[transfers]",
}


def request(first: str, *lines: str, body: bytes = b"{}") -> bytes:
    """Write a request with a body, as plainly as these lines let it."""
    head = [first, "Host: bank.example", *lines]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


def refused(site: Site, data: bytes) -> tuple[int, str]:
    """Send bytes that must come to nobody; return how they are refused: as a problem, before the connection ends."""
    answer = site.raw(data)
    assert site.came == []
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"connection: close" in head.lower()
    assert answer.count(b"HTTP/1.1 4") == 1
    return int(head.split(b" ")[1]), json.loads(body)["code"]


@pytest.mark.parametrize("target", TRANSFERS.values(), ids=TRANSFERS.keys())
def test_another_spelling_of_a_guarded_address(site: Site, target: str) -> None:  # PROXY-1, PROXY-2
    assert refused(site, request(f"POST {target} HTTP/1.1")) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("DELETE", "/api/accounts/7/"),
        ("DELETE", "/API/accounts/7"),
        ("DELETE", "/index.php/api/accounts/7"),
        ("DELETE", "/api/accounts/7/index"),
        ("GET", "/api/transactions/"),
        ("HEAD", "/api/Transactions"),
        ("GET", "/api/transactions.csv"),
    ],
)
def test_another_spelling_with_parameters_and_of_reading(
    site: Site, method: str, target: str
) -> None:  # PROXY-2
    data = request(f"{method} {target} HTTP/1.1", body=b"")
    if method == "HEAD":  # its answer has no body
        assert b" 400 " in site.raw(data).splitlines()[0]
        assert site.came == []
    else:
        assert refused(site, data) == (400, "invalid_request")


@pytest.mark.parametrize(
    "target", ["/api/accounts/a;x=1", "/api/accounts/a%2Fb", "/api/accounts/..", "/api/accounts/%2E"]
)
def test_a_parameter_of_a_guarded_address_has_one_reading(site: Site, target: str) -> None:  # PROXY-1
    assert refused(site, request(f"DELETE {target} HTTP/1.1", body=b"")) == (400, "invalid_request")


@pytest.mark.parametrize(
    "target",
    [
        "/api/transfer",
        "/api/transfers2",
        "/api/transfers/7",
        "/v2/api/transfers",
        "/api/accounts",
        "/app.php",
        "/index",
    ],
)
def test_what_only_looks_a_little_like_it_goes_through(site: Site, target: str) -> None:
    site.raw(request(f"POST {target} HTTP/1.1", "Connection: close"))
    assert [came.target for came in site.came] == [target]


@pytest.mark.parametrize(
    "line",
    [
        "X-HTTP-Method-Override: POST",
        "x-http-method-override: post",
        "X_HTTP_Method_Override: POST",
        "X-HTTP-Method: POST",
        "X-Method-Override: POST",
        "X-Original-URL: /api/transfers",
        "X-Rewrite-URL: /api/transfers",
        "X-Original-Method: POST",
        "PATH_INFO: /api/transfers",
        "Script-Name: /api",
    ],
)
@pytest.mark.parametrize("first", ["GET /other HTTP/1.1", "POST /other HTTP/1.1"])
def test_a_header_that_stands_for_another_method_or_path(
    site: Site, first: str, line: str
) -> None:  # PROXY-3
    assert refused(site, request(first, line, body=b"")) == (400, "invalid_request")


@pytest.mark.parametrize(
    "query",
    [
        "_method=DELETE",
        "a=b&_method=DELETE",
        "a=b;_method=DELETE",
        "_METHOD=delete",
        "%5Fmethod=DELETE",
        "_method[]=DELETE",
        "+_method=DELETE",
        ".method=DELETE",
        "[method=DELETE",
        "%5Bmethod=DELETE",
        "_method",
        "X-HTTP-Method-Override=DELETE",
        "x_http_method_override=DELETE",
    ],
)
def test_a_query_that_stands_for_another_method(site: Site, query: str) -> None:  # PROXY-3
    assert refused(site, request(f"POST /other?{query} HTTP/1.1")) == (400, "invalid_request")


@pytest.mark.parametrize(
    "query",
    [
        "r=api/transfers",
        "r=/api/transfers",
        "_url=/api/transfers",
        "a=b&rest_route=%2FAPI%2Ftransfers%2F",
        "/api/transfers",
        "q=api%252Ftransfers.json",
    ],
)
def test_a_query_that_names_a_guarded_address(site: Site, query: str) -> None:  # PROXY-2
    """As front controllers in PHP read it."""
    assert refused(site, request(f"POST /index.php?{query} HTTP/1.1")) == (400, "invalid_request")
    site.raw(request(f"GET /sign-in?{query} HTTP/1.1", "Connection: close", body=b""))
    assert len(site.came) == 1


def test_a_query_of_too_many_fields_to_look_at(site: Site) -> None:  # PROXY-2
    many = "&".join(map(str, range(101)))
    assert refused(site, request(f"POST /other?{many} HTTP/1.1")) == (400, "invalid_request")
    site.raw(request(f"GET /other?{many} HTTP/1.1", "Connection: close", body=b""))
    assert len(site.came) == 1


def test_a_query_that_only_has_such_a_word_goes_through(site: Site) -> None:
    site.raw(
        request("GET /other?method=card&my_method=x&payment-method=y HTTP/1.1", "Connection: close", body=b"")
    )
    site.raw(request("POST /other?next=a=api/transfers HTTP/1.1", "Connection: close", body=b""))
    assert len(site.came) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_beside_a_guarded_endpoint_no_other_method_goes_through(site: Site, method: str) -> None:  # PROXY-3
    """A form's `_method` makes DELETE of a POST, and many a handler does not look at the method at all."""
    form = "Content-Type: application/x-www-form-urlencoded"
    for target in ("/api/accounts/7", "/api/accounts/7/", "/API/accounts/7.json"):
        data = request(f"{method} {target} HTTP/1.1", form, body=b"_method=DELETE")
        assert refused(site, data) == (405, "method_not_allowed")


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_reading_beside_a_guarded_endpoint_has_no_body(site: Site, method: str) -> None:  # PROXY-3
    for lines, body in ((), b"{}"), (("Transfer-Encoding: chunked",), b"2\r\n{}\r\n0\r\n\r\n"):
        data = request(f"{method} /api/transfers HTTP/1.1", *lines, body=body)
        assert refused(site, data) == (405, "method_not_allowed")
    site.raw(request(f"{method} /api/transfers HTTP/1.1", "Connection: close", body=b""))
    assert len(site.came) == 1


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "PURGE"])
def test_a_method_of_another_kind(site: Site, method: str) -> None:  # PROXY-3
    assert refused(site, request(f"{method} /other HTTP/1.1", body=b"")) == (405, "method_not_allowed")


@pytest.mark.parametrize("method", ["post", "Post", "POSTS", "CONNECT", "P OST"])
def test_a_method_that_is_none(site: Site, method: str) -> None:  # PROXY-3
    assert refused(site, request(f"{method} /api/transfers HTTP/1.1"))[1] in (
        "invalid_request",
        "method_not_allowed",
    )


SMUGGLED = b"POST /api/transfers HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"0\r\n\r\n" + SMUGGLED


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["Content-Length: 5", "Transfer-Encoding: chunked"], CHUNKED),
        (["Transfer-Encoding: chunked", f"Content-Length: {len(CHUNKED)}"], CHUNKED),
        (["Content-Length: 0", f"Content-Length: {len(SMUGGLED)}"], SMUGGLED),
        (["Content-Length: 2", "Content-Length: 2"], b"{}"),
        (["Content-Length: 2, 2"], b"{}"),
        (["Content-Length: +2"], b"{}"),
        (["Content-Length: 0x2"], b"{}"),
        (["Content-Length: -1"], b"{}"),
        (["Content-Length: 2 2"], b"{}"),
        (["Content-Length: 99999999999999999999"], b"{}"),
        (["Content-Length : 0"], SMUGGLED),
        (["Content-Length:"], SMUGGLED),
        (["Transfer-Encoding: xchunked"], CHUNKED),
        (["Transfer-Encoding: identity"], SMUGGLED),
        (["Transfer-Encoding: gzip, chunked"], CHUNKED),
        (["Transfer-Encoding: chunked, identity"], CHUNKED),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], CHUNKED),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: x"], CHUNKED),
        (["Transfer-Encoding : chunked"], CHUNKED),
        (["Transfer-Encoding:\x0bchunked"], CHUNKED),
        (["Transfer-Encoding: chunked\n"], CHUNKED),
        ([" Transfer-Encoding: chunked"], CHUNKED),
        (["X: y\r\n Transfer-Encoding: chunked", "Content-Length: 0"], CHUNKED),
        (["X: y\nTransfer-Encoding: chunked", "Content-Length: 5"], CHUNKED),
        (["X: y\rTransfer-Encoding: chunked", "Content-Length: 5"], CHUNKED),
        (["Transfer-Encoding\x00: chunked", "Content-Length: 5"], CHUNKED),
        (["Transfer_Encoding: chunked", "Content-Length: 5", "Transfer-Encoding: chunked"], CHUNKED),
    ],
)
def test_lengths_that_are_not_one_length(site: Site, lines: list[str], body: bytes) -> None:  # PROXY-4
    assert refused(site, request("POST /other HTTP/1.1", *lines, body=body)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        b"2;a=\n\r\n{}\r\n0\r\n\r\n",
        b"2\n{}\n0\n\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"+2\r\n{}\r\n0\r\n\r\n",
        b"2 \n{}\r\n0\r\n\r\n",
        b"2\r\n{}x\r\n0\r\n\r\n",
        b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_chunks_that_not_all_read_alike_end_the_connection(site: Site, body: bytes) -> None:  # PROXY-4
    data = request("POST /other HTTP/1.1", "Transfer-Encoding: chunked", body=body + SMUGGLED)
    answer = site.raw(data)
    assert not any(came.target == "/api/transfers" for came in site.came)
    assert answer.count(b"HTTP/1.1") <= 1


@pytest.mark.parametrize("size", ["5", "0"])
def test_what_follows_a_body_is_a_request_of_its_own(site: Site, size: str) -> None:  # PROXY-4
    """So what is smuggled to an upstream that reads another length is judged here, too."""
    first = request("POST /other HTTP/1.1", f"Content-Length: {size}", body=b"x" * int(size))
    answer = site.raw(first + SMUGGLED)
    assert [came.target for came in site.came] == ["/other"]
    assert b"missing_call_token" in answer


@pytest.mark.parametrize(
    "lines",
    [
        ["Host: other.example"],
        ["Content-Type: text/plain", "Content-Type: application/json"],
        ["Content-Encoding: br", "Content-Encoding: gzip"],
        ["Connection: Deputize-Facts"],
        ["Connection: close, Content-Type"],
        ["Connection: Cookie"],
        ["Connection: X-Forwarded-For"],
        ["Upgrade: websocket", "Connection: Upgrade"],
        ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"],
        ["Upgrade: websocket"],
        ["X-Mine: a\x01b"],
    ],
)
def test_a_head_that_has_two_readings(site: Site, lines: list[str]) -> None:  # PROXY-4
    assert refused(site, request("GET /other HTTP/1.1", *lines, body=b"")) == (400, "invalid_request")


def test_a_request_without_a_host(site: Site) -> None:  # PROXY-4
    assert refused(site, b"GET /other HTTP/1.1\r\n\r\n") == (400, "invalid_request")


def test_chunks_are_not_of_http_1_0(site: Site) -> None:  # PROXY-4
    data = request("POST /other HTTP/1.0", "Transfer-Encoding: chunked", body=CHUNKED)
    assert refused(site, data) == (400, "invalid_request")


def test_names_that_others_spell_alike_are_left_out(site: Site) -> None:  # PROXY-4
    odd = ["X_Forwarded_For: 1.2.3.4", "Remote_User: root", "Remote.User: root", "X!y: z", "Proxy: evil"]
    hop = [
        "Keep-Alive: x",
        "Proxy-Authorization: x",
        "Proxy-Connection: x",
        "TE: trailers",
        "Expect: 100-continue",
    ]
    site.raw(request("GET /other HTTP/1.1", *odd, *hop, "X-Kept: yes", "Connection: close", body=b""))
    (came,) = site.came
    names = {name for name, _ in came.headers} - {"host", "x-kept", "connection", "content-length"}
    assert names == {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
    assert came.header("x-forwarded-for") == "127.0.0.1"
    assert came.header("connection") == "close"


def test_trailers_come_to_nobody(site: Site) -> None:  # PROXY-4
    body = b"2\r\n{}\r\n0\r\nDeputize-Facts: forged\r\nX-Trailer: yes\r\n\r\n"
    site.raw(request("POST /other HTTP/1.1", "Transfer-Encoding: chunked", "Connection: close", body=body))
    (came,) = site.came
    assert came.body == b"{}"
    assert "forged" not in str(came.headers)
    assert came.header("x-trailer") is None


def test_a_target_is_limited(site: Site) -> None:  # DOOR-2
    data = request(f"GET /{'x' * 9000} HTTP/1.1", body=b"")
    assert refused(site, data) == (414, "uri_too_long")
