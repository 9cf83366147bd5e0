"""What stands in front of everything that the authority answers (PROTOCOL §1a), in a process and over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from time import process_time
from typing import ClassVar
from urllib.parse import quote

import httpx2
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp
from tests.bank import ISSUER, ORIGIN, POLICY, Bank
from tests.web.test_openapi import DOCUMENT

from deputize import settings
from deputize.app import Deputize, build
from deputize.crypto.sealed import Sealer
from deputize.protocol.canonical import args_s256
from deputize.testing.page import Page
from deputize.testing.server import Site
from deputize.web.door import MAX_COOKIES, MAX_HEADERS, MAX_LINES, MAX_URL
from deputize.web.session import COOKIE, read_cookie

pytestmark = pytest.mark.anyio

WELL_KNOWN = [
    "/.well-known/oauth-authorization-server/deputize",
    "/.well-known/oauth-protected-resource/deputize",
    "/.well-known/oauth-protected-resource/deputize/mcp",
]
OURS = ["/deputize/tools", "/deputize/metrics", "/deputize/nothing", "/deputize/mcp", *WELL_KNOWN]
PATHS = [
    (method, f"/deputize{path.replace('{', '').replace('}', '')}")
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if method in ("get", "post", "delete") and not path.startswith("/.well-known")
] + [("get", path) for path in WELL_KNOWN]
NAMES = [path for path in DOCUMENT["paths"] if "{" in path and not path.startswith("/.well-known")]
UNSEEN = ["\n", "\r", "\0", "\t", "\x1f", "\x7f", "\x85", "\xa0", "\u200b", "\u2028", "\ufeff", "\u202e"]


@pytest.fixture(params=["mounted", "alone"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """Come to an authority, mounted or alone, on a host of its own."""
    policy = settings.loads(POLICY.encode())
    app: ASGIApp
    if request.param == "alone":
        app = build(policy, tmp_path / "var")
    else:
        deputize = Deputize(policy, tmp_path / "var")
        app = Starlette(routes=[*deputize.well_known_routes(), Mount("/deputize", deputize)])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN) as client:
        yield client


def lines(count: int, size: int, name: str = "x") -> list[tuple[str, str]]:
    """Make so many lines of so many bytes each."""
    return [(name, "a" * (size - len(name)))] * count


def code(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("path", OURS)
class TestCaps:
    """DOOR-1, DOOR-2: one more than there may be is refused, wherever it comes."""

    async def test_of_header_lines(self, door: httpx2.AsyncClient, path: str) -> None:
        there = len(door.build_request("GET", path).headers.raw)
        let_in = await door.get(path, headers=lines(MAX_LINES - there, 9))
        assert let_in.status_code in (200, 404, 405)
        refused = await door.get(path, headers=lines(MAX_LINES - there + 1, 9))
        assert code(refused) == (431, "headers_too_large")

    async def test_of_header_bytes(self, door: httpx2.AsyncClient, path: str) -> None:
        there = sum(len(name) + len(value) for name, value in door.build_request("GET", path).headers.raw)
        let_in = await door.get(path, headers=lines(1, MAX_HEADERS - there))
        assert let_in.status_code in (200, 404, 405)
        refused = await door.get(path, headers=lines(1, MAX_HEADERS - there + 1))
        assert code(refused) == (431, "headers_too_large")

    async def test_of_cookies_in_one_line_or_many(self, door: httpx2.AsyncClient, path: str) -> None:
        for count in (1, 8):
            each = MAX_COOKIES // count + len("cookie")
            let_in = await door.get(path, headers=lines(count, each, "cookie"))
            assert let_in.status_code in (200, 404, 405)
            refused = await door.get(path, headers=[*lines(count, each, "cookie"), ("cookie", "b")])
            assert code(refused) == (431, "headers_too_large")

    async def test_of_the_length_of_a_url(self, door: httpx2.AsyncClient, path: str) -> None:
        room = MAX_URL - len(path)
        assert (await door.get(f"{path}?{'a' * room}")).status_code in (200, 404, 405)
        assert code(await door.get(f"{path}?{'a' * (room + 1)}")) == (414, "uri_too_long")
        if not path.startswith("/.well-known"):  # others are no addresses of ours
            assert code(await door.get(path + "/" + "a" * room)) == (414, "uri_too_long")
            assert code(await door.get(path + "/" + "%61" * (room // 3 + 1))) == (414, "uri_too_long")


async def test_a_character_that_nobody_sees_is_in_no_path(door: httpx2.AsyncClient) -> None:  # DOOR-3
    for (method, path), unseen in product(PATHS, map(quote, UNSEEN)):
        if not path.startswith("/.well-known") or unseen == "%0A":  # others are no addresses of ours
            assert code(await door.request(method.upper(), path + unseen)) == (400, "invalid_request")
        for spelled in (f"{path}{unseen}/", f"{path[:-1]}{unseen}{path[-1]}", f"{path}{unseen}{unseen}"):
            answer = await door.request(method.upper(), spelled)
            # a newline within a path does not get through Starlette's `Mount` to us
            assert not answer.is_success, (method, spelled)


async def test_such_a_character_in_front_is_not_ours_or_refused(door: httpx2.AsyncClient) -> None:  # DOOR-3
    for path in OURS:
        for unseen in UNSEEN:
            answer = await door.get(f"/{quote(unseen)}{path}")
            assert answer.status_code in (400, 404)


async def test_no_slash_leads_anywhere(door: httpx2.AsyncClient) -> None:  # DOOR-5
    for method, path in PATHS:
        for spelled in {f"{path}/", f"{path}//", path.replace("/deputize/", "/deputize//")} - {path}:
            answer = await door.request(method.upper(), spelled, headers={"host": "evil.example"})
            # Of a tile, the address goes on to the end of the path, and of entries nothing is told to just anybody.
            unknown = 401 if path.startswith("/deputize/log/tile/entries/") else 404
            assert answer.status_code in (unknown, 404, 405), spelled
            assert "location" not in answer.headers, spelled


async def test_the_name_of_a_parameter_is_no_address(door: httpx2.AsyncClient) -> None:
    for path, method in product(NAMES, ("GET", "POST", "DELETE")):
        answer = await door.request(method, f"/deputize{quote(path)}", json={} if method == "POST" else None)
        if (method, path) == (
            "GET",
            "/ask/{asked_id}",
        ):  # of a number that nobody has, nothing is told before the login
            assert answer.headers["location"].partition("?")[0].endswith("/account")
        else:
            assert answer.is_client_error, (method, path)


async def test_the_issuer_itself_leads_to_the_account_there(door: httpx2.AsyncClient) -> None:  # DOOR-5
    for host in ("bank.example", "evil.example"):
        led = await door.get("/deputize", headers={"host": host})
        assert (led.status_code, led.headers["location"]) == (303, f"{ISSUER}/account")
    assert (await door.get("/deputize/")).status_code == 404


async def test_refusals_are_noted_and_hardened(bank: Bank) -> None:
    async with bank.client() as http:
        refused = await http.get(f"{ISSUER}/tools?{'a' * MAX_URL}")
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert (
            'deputize_refusals_total{code="uri_too_long"} 1.0' in (await http.get(f"{ISSUER}/metrics")).text
        )


@pytest.mark.parametrize("space", [" ", "\t", " \t ", "   "])
async def test_white_space_around_a_value_is_no_part_of_it(
    bank: Bank, grace: Page, space: str
) -> None:  # DOOR-4; RFC 9110 §5.5
    token = str(grace.tokens["access_token"])
    headers = {
        "origin": grace.origin,
        "content-type": "application/json",
        "authorization": f"DPoP {token}",
        "dpop": grace.proof("POST", "/calls", token),
        "cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in grace.http.cookies.jar),
        "sec-fetch-site": "same-origin",
    }
    body = {"tool": "get_balance", "arguments": {}, "definition_s256": args_s256({"name": "get_balance"})}
    spaced = [(name.encode(), f"{space}{value}{space}".encode()) for name, value in headers.items()]
    async with bank.client() as http:
        answer = await http.post(f"{ISSUER}/calls", content=orjson.dumps(body), headers=spaced)
    assert answer.status_code == 200, answer.text


class TestCookie:
    """SESSION-1: only our own, byte for byte."""

    SEALER = Sealer(b"s" * 32)
    VALUE = SEALER.seal("session", "AAAA")
    SPACES: ClassVar = [
        "\xa0",
        "\x85",
        "\x1c",
        "\x1d",
        "\x1e",
        "\x1f",
        "\x0b",
        "\x0c",
        "\u3000",
        "\u2003",
        "\ufeff",
    ]

    def read(self, *cookies: str | bytes) -> bytes | None:
        lines = [cookie.decode("latin-1") if isinstance(cookie, bytes) else cookie for cookie in cookies]
        return read_cookie(self.SEALER, lines)

    def test_it_is_found_wherever_it_stands(self) -> None:
        ours = f"{COOKIE}={self.VALUE}"
        for line in (
            ours,
            f"a=b; {ours}",
            f"{ours}; a=b",
            f"a=b;{ours};c",
            f'a="\\"; {ours}; b="',
            f"{ours}; ",
        ):
            assert self.read(line) is not None, line
        assert self.read("a=b", ours, "c=d") is not None  # as HTTP/2 splits it (RFC 9113 §8.2.3)
        assert self.read() is self.read("a=b") is self.read(f"{COOKIE}=") is None

    def test_any_other_name_is_not_ours(self) -> None:
        for space in self.SPACES:
            for name in (space + COOKIE, COOKIE + space, COOKIE.replace("-", space + "-")):
                assert self.read(f"{name}={self.VALUE}".encode()) is None
                if ord(space) < 256:
                    assert self.read(f"{name}={self.VALUE}") is None
        for name in (
            COOKIE.lower(),
            COOKIE.upper(),
            COOKIE + " ",
            COOKIE[1:],
            "x" + COOKIE,
            f'"{COOKIE}"',
            "",
        ):
            assert self.read(f"{name}={self.VALUE}") is None
        for value in (
            f'"{self.VALUE}"',
            self.VALUE + '"',
            self.VALUE + "\xa0",
            self.VALUE + "=",
            self.VALUE[:-1],
        ):
            assert self.read(f"{COOKIE}={value}") is None

    @given(st.binary(max_size=40), st.binary(max_size=40))
    def test_no_bytes_beside_the_name_open_it(self, before: bytes, after: bytes) -> None:
        name = before + COOKIE.encode() + after
        exact = name.rpartition(b";")[2].lstrip(b" \t")
        opened = self.read(name + b"=" + self.VALUE.encode())
        assert (opened is not None) is (exact == COOKIE.encode())

    @pytest.mark.parametrize("other", ["", "x", "1.2", '"'])
    async def test_one_that_comes_twice_is_refused(self, bank: Bank, grace: Page, other: str) -> None:
        own = grace.http.cookies[COOKIE]
        for line in (f"{COOKIE}={own}; {COOKIE}={other}", f"{COOKIE}={other}; a=b; {COOKIE}={own}"):
            for cookies in ([line], line.split("; ")):
                async with bank.client() as http:
                    answer = await http.get(
                        f"{ISSUER}/tools", headers=[("cookie", value) for value in cookies]
                    )
                assert code(answer) == (400, "invalid_request")

    @pytest.mark.parametrize("space", ["\xa0", "\x85"])
    async def test_a_name_that_a_sibling_host_may_set_opens_no_session(
        self, bank: Bank, grace: Page, space: str
    ) -> None:
        own = grace.http.cookies[COOKIE]
        async with bank.client() as http:
            line = f"{space}{COOKIE}={own}".encode("latin-1")
            assert (await http.get(f"{ISSUER}/tools", headers=[(b"cookie", line)])).json()["user"] is None
            assert (await http.get(f"{ISSUER}/tools", headers={"cookie": f"{COOKIE}={own}"})).json()["user"]

    async def test_the_sites_own_pages_see_nobody_where_it_comes_twice(self, bank: Bank, grace: Page) -> None:
        from starlette.requests import Request

        own = grace.http.cookies[COOKIE].encode()
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b""}
        for times, known in ((1, True), (2, False)):
            cookie = (b"cookie", b"; ".join([COOKIE.encode() + b"=" + own] * times))
            user = await bank.deputize.user(Request({**scope, "headers": [cookie]}))
            assert (user is not None) is known


LARGEST = {
    "quoted backslashes": [("cookie", 'a="' + "\\" * (MAX_COOKIES - 4) + '"')],
    "many cookies": [("cookie", "a=b;" * (MAX_COOKIES // 4))],
    "our name again and again": [("cookie", f"{COOKIE} ;" * (MAX_COOKIES // (len(COOKIE) + 2)))],
    "many lines": lines(MAX_LINES - 10, 700),
    "one long line": lines(1, MAX_HEADERS - 2000),
}


@pytest.mark.parametrize("headers", LARGEST.values(), ids=LARGEST.keys())
async def test_the_largest_head_that_is_let_in_costs_no_more_than_a_handful(
    bank: Bank, headers: list[tuple[str, str]]
) -> None:
    """Each by the least of five, so that a slow machine is slow for both."""

    async def least(more: list[tuple[str, str]]) -> float:
        times = []
        for _ in range(5):
            request = http.build_request("GET", f"{ISSUER}/tools", headers=more)
            started = process_time()
            answer = await http.send(request)
            times.append(process_time() - started)
            assert answer.status_code == 200, answer.text
        return min(times)

    async with bank.client() as http:
        plain = await least([])
        assert await least(headers) < 8 * plain


class TestOverSockets:
    """Servers differ in what they leave to the app: here the one that we serve with."""

    async def test_the_door_holds_behind_uvicorn(self, tmp_path: Path) -> None:
        def site(port: int) -> ASGIApp:
            text = POLICY.replace(ORIGIN, f"http://localhost:{port}")
            return build(settings.loads(text.encode()), tmp_path / "var")

        with Site(site) as here:
            async with httpx2.AsyncClient(base_url=here.url) as http:
                for path in ("/deputize/metrics%0A", "/deputize/tools%0a", WELL_KNOWN[0] + "%0A"):
                    assert code(await http.get(path)) == (400, "invalid_request")
                assert code(await http.get("/deputize/tools", headers=lines(MAX_LINES, 9)))[0] == 431
                assert code(await http.get(f"/deputize/tools?{'a' * MAX_URL}"))[0] == 414
                assert (await http.get("/deputize/tools/")).status_code == 404
                assert await said_by_hand(here.port, b"application/json") == 200
                assert await said_by_hand(here.port, b"application/json \t ") == 200  # DOOR-4
                assert await said_by_hand(here.port, b"application/json \xa0") == 415


async def said_by_hand(port: int, media_type: bytes) -> int:
    """Send a request that no careful client sends; return the status of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /deputize/account/sign-in HTTP/1.1\r\nhost: localhost\r\n"
        b"content-length: 2\r\nconnection: close\r\ncontent-type: " + media_type + b"\r\n\r\n{}"
    )
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])
