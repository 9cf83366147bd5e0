"""OAUTH-10: how one is led inside, kept waiting or filled up by strangers, each against a real server."""

import asyncio
import gzip
import json
import socket
import ssl
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path
from time import perf_counter

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.fetching.strangers import BODY, NOW, Clock, Handler, Names, Wire, answer, serving, watching
from tests.fetching.test_addresses import INSIDE, WORLD

from deputize.fetching.fetcher import Fetched, Fetcher, Limits, Resolver
from deputize.protocol.errors import Code, Refused

pytestmark = pytest.mark.anyio

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "clients.json").read_text())
URLS = [case["text"] for case in VECTORS["urls"] if not case["valid"] and "local" not in case]
NAME = "https://agent.example/agent.json"
BOMB = gzip.compress(bytes(50_000_000))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TLS = ssl.create_default_context()  # loading it takes longer than most of these tests
QUICK = Limits(total=0.3, connect=0.3)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with watching() as seen:
        yield seen


def fetcher(*answers: Sequence[str], limits: Limits | None = None, clock: Clock | None = None) -> Fetcher:
    """Make one for development, that asks this name server or knows localhost only."""
    return Fetcher(True, clock or Clock(), Names([*answers] or [["127.0.0.1"]]), limits=limits, tls=TLS)


def production(resolver: Resolver, limits: Limits | None = None) -> Fetcher:
    return Fetcher(False, Clock(), resolver, limits=limits, tls=TLS)


async def refused(fetching: Awaitable[Fetched]) -> str:
    with pytest.raises(Refused) as caught:
        await fetching
    assert caught.value.refusal.code is Code.INVALID_CLIENT
    assert not caught.value.refusal.facts
    return caught.value.refusal.detail


def sends(*pieces: bytes, then: bytes = b"", pause: float = 0) -> Handler:
    """Send pieces, and then one more for as long as anybody reads, at this pace."""

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
        await writer.drain()
        for piece in repeat(then):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return send


# Being led inside


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_leads_inside_is_refused(address: str, wire: Wire) -> None:
    for answers in ([address], [WORLD[0], address], [address, WORLD[0]]):
        names = Names([answers])
        assert "public address" in await refused(production(names).json(NAME))
        assert names.asked == [("agent.example", 443)]
    assert wire == Wire()


@pytest.mark.parametrize("address", [address for address in INSIDE if address not in ("127.0.0.1", "::1")])
async def test_for_development_nothing_else_inside_is_reached(address: str, wire: Wire) -> None:
    if not address.startswith("127."):
        await refused(fetcher([address]).json(NAME))
        await refused(fetcher([address]).json("http://localhost:9/agent.json"))
        assert wire == Wire()


@pytest.mark.parametrize("url", URLS, ids=lambda url: repr(url)[:60])
async def test_a_url_that_leads_inside_or_cannot_be_read_is_refused(url: str, wire: Wire) -> None:
    names = Names([[WORLD[0]]])
    assert "a URL here" in await refused(production(names).json(url))
    assert (names.asked, wire) == ([], Wire())


@pytest.mark.parametrize("address", WORLD)
async def test_the_connection_goes_to_the_address_that_was_checked(address: str, wire: Wire) -> None:
    names = Names([[address], ["127.0.0.1"]])
    await refused(production(names).json(NAME))
    assert names.asked == [("agent.example", 443)]
    assert wire == Wire(connected=[(address, 443)])


async def test_a_name_that_leads_elsewhere_the_second_time_is_asked_once(wire: Wire) -> None:
    async with serving(answer()) as server, serving(answer(b"{}"), "127.0.0.2") as other:
        names = Names([["127.0.0.1"], ["127.0.0.2"]])
        fetched = await Fetcher(True, Clock(), names).json(server.url)
        assert (fetched.body, len(names.asked), other.requests) == (BODY, 1, [])
        assert wire == Wire(connected=[("127.0.0.1", server.port)])


async def test_http_in_development_is_for_this_machine_only(wire: Wire) -> None:
    await refused(fetcher([WORLD[0]]).json("http://localhost:9000/agent.json"))
    assert wire == Wire()


async def test_a_name_without_any_address_is_refused(wire: Wire) -> None:
    await refused(fetcher([]).json(NAME))
    assert wire == Wire()


@pytest.mark.parametrize(
    "error", [socket.gaierror(-2, "no such name"), UnicodeError("label too long"), OSError()]
)
async def test_a_name_that_nobody_knows_is_refused(error: Exception, wire: Wire) -> None:
    async def fail(host: str, port: int) -> Sequence[str]:
        raise error

    await refused(production(fail).json(NAME))
    assert wire == Wire()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int, wire: Wire) -> None:
    async with serving(answer()) as inside:
        async with serving(answer(b"", f"{status} Moved", f"Location: {inside.url}")) as server:
            await refused(fetcher().json(server.url))
        assert (len(server.requests), inside.requests) == (1, [])
        assert wire == Wire(connected=[("127.0.0.1", server.port)])


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answer(b"{}")) as proxy, serving(answer()) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://localhost:{proxy.port}")
            monkeypatch.setenv(name.upper(), f"http://localhost:{proxy.port}")
        assert (await fetcher().json(server.url)).body == BODY
        assert proxy.requests == []


async def test_the_request_tells_nothing_more_the_second_time() -> None:
    clock = Clock()
    async with serving(answer(BODY, "200 OK", "Set-Cookie: a=b", 'ETag: "x"', "Alt-Svc: clear")) as server:
        one = fetcher(clock=clock)
        await one.json(server.url)
        clock.now += 60
        await one.json(server.url)
    lines = [
        "GET /agent.json HTTP/1.1",
        f"Host: localhost:{server.port}",
        "Accept: application/json, application/jwk-set+json, application/http-message-signatures-directory+json",
        "Accept-Encoding: identity",
        "Connection: close",
        "User-Agent: deputize",
    ]
    assert server.requests == ["".join(line + "\r\n" for line in [*lines, ""]).encode()] * 2


async def test_an_address_that_cannot_be_reached_is_passed_over() -> None:
    async with serving(answer(), "127.0.0.2") as server:
        assert (await fetcher(["127.0.0.1", "::1", "127.0.0.2"]).json(server.url)).body == BODY
        await refused(fetcher(["127.0.0.1", "::1", "127.0.0.1", "127.0.0.2"]).json(server.url))


async def test_the_systems_resolver_is_used_unless_told_otherwise() -> None:
    async with serving(answer()) as server:
        assert (await Fetcher(True, Clock()).json(server.url)).body == BODY
        await refused(Fetcher(False, Clock()).json(server.url))


# TLS


@dataclass
class Certificates:
    """An authority of our own, and what a server needs."""

    authority: ssl.SSLContext
    server: ssl.SSLContext


def certificates(folder: Path, name: x509.GeneralName) -> Certificates:
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem")
    return Certificates(ssl.create_default_context(cadata=pem.decode()), server)


async def test_tls_is_held_to_the_name_though_the_connection_goes_to_an_address(tmp_path: Path) -> None:
    ours = certificates(tmp_path, x509.DNSName("agent.example"))
    asked: list[str | None] = []
    ours.server.sni_callback = lambda _, name, __: asked.append(name)
    async with serving(answer(), tls=ours.server) as server:
        names = Names([["127.0.0.1"]])
        url = f"https://agent.example:{server.port}/agent.json"
        assert (await Fetcher(True, Clock(), names, tls=ours.authority).json(url)).body == BODY
        assert asked == ["agent.example"]
        await refused(Fetcher(True, Clock(), names).json(url))  # the system does not trust this authority
        other = url.replace("agent.example", "other.example")
        await refused(Fetcher(True, Clock(), names, tls=ours.authority).json(other))
        assert len(server.requests) == 1


async def test_tls_does_not_make_what_never_ends_better(tmp_path: Path) -> None:
    ours = certificates(tmp_path, x509.DNSName("agent.example"))
    async with serving(sends(then=b"HTTP/1.1 100 Continue\r\n\r\n"), tls=ours.server) as server:
        one = Fetcher(True, Clock(), Names([["127.0.0.1"]]), limits=Limits(total=60), tls=ours.authority)
        started = perf_counter()
        await refused(one.json(f"https://agent.example:{server.port}/agent.json"))
        assert perf_counter() - started < 30


async def test_a_certificate_for_the_address_is_not_one_for_the_name(tmp_path: Path) -> None:
    ours = certificates(tmp_path, x509.DNSName("127.0.0.1"))
    async with serving(answer(), tls=ours.server) as server:
        names = Names([["127.0.0.1"]])
        url = f"https://agent.example:{server.port}/agent.json"
        await refused(Fetcher(True, Clock(), names, tls=ours.authority).json(url))
        assert server.requests == []


async def test_https_is_not_spoken_in_the_clear() -> None:
    async with serving(answer()) as server:
        await refused(fetcher(limits=QUICK).json(f"https://agent.example:{server.port}/agent.json"))
        assert BODY not in b"".join(server.requests)


# What is answered


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=utf-8",
        "application/jwk-set+json",
        "application/cimd+json ; x",
    ],
)
async def test_a_body_of_any_type_of_json_is_read(kind: str) -> None:
    async with serving(answer(kind=kind)) as server:
        assert await fetcher().json(server.url) == Fetched(BODY, NOW)


@pytest.mark.parametrize(
    "raw",
    [
        *(
            answer(kind=kind)
            for kind in ("", "text/html", "text/json", "application/jsonp", "application/json+x")
        ),
        *(answer(kind=kind) for kind in ("application/ld json", "json", "application/json, text/html")),
        answer(BODY, "200 OK", "Content-Type: text/html"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        *(
            answer(BODY, status)
            for status in ("201 Created", "203 Other", "206 Part", "300 Many", "304 Same")
        ),
        *(
            answer(BODY, status)
            for status in ("400 Bad", "401 Who", "404 None", "429 Slow", "500 Oops", "99 X")
        ),
        b"HTTP/1.1 204 None\r\nContent-Type: application/json\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        *(answer(BOMB, "200 OK", f"Content-Encoding: {name}") for name in ("gzip", "x-gzip", "x")),
        answer(gzip.compress(BODY), "200 OK", "Content-Encoding: gzip"),
        answer(BODY, "200 OK", "Content-Encoding: identity, gzip"),
        answer(gzip.compress(BODY), "200 OK", "Transfer-Encoding: gzip"),
        answer(bytes(64 * 1024 + 1)),
        answer(BODY, "200 OK", "X: " + "x" * 17_000),
        answer(BODY, "200 OK", *(f"X{n}: {'x' * 100}" for n in range(170))),
        answer(BODY, "200 OK", "X: " + "x" * 200_000),
        answer(BODY + b"x")[:-1],
        answer(BODY, "200 OK", "Content-Length: 5"),
        answer(BODY, "200 OK", "Content-Length: -1"),
        CHUNKED + b"x\r\n{}\r\n0\r\n\r\n",
        b"",
        b"\x16\x03\x01",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"<html>",
        b"HTTP/0.9 200 OK\r\n\r\n",
    ],
    ids=lambda raw: repr(raw)[:70],
)
async def test_answers_that_are_not_wanted_all_look_the_same(raw: bytes) -> None:
    async with serving(raw) as server:
        said = await refused(fetcher().json(server.url))
        assert said == await refused(production(Names([["10.0.0.1"]])).json(NAME))
        assert len(server.requests) == 1


async def test_a_body_of_the_largest_size_is_read() -> None:
    async with serving(answer(bytes(64 * 1024))) as server:
        assert len((await fetcher().json(server.url)).body) == 64 * 1024


@pytest.mark.parametrize(
    "handler",
    [
        sends(HEAD + b"\r\n", then=b" " * 4096),
        sends(HEAD + b"Content-Length: 1000000000000\r\n\r\n", then=b" " * 4096),
        sends(CHUNKED, then=b"1000\r\n" + b" " * 4096 + b"\r\n"),
        sends(CHUNKED, then=b"1;" + b"x" * 4096 + b"\r\n \r\n"),
        sends(CHUNKED, b"0\r\n", then=b"X: " + b"x" * 4096 + b"\r\n"),
        sends(HEAD, then=b"X: " + b"x" * 4096 + b"\r\n"),
        sends(HEAD, b"X: ", then=b"x" * 4096),
        sends(then=b"HTTP/1.1 100 Continue\r\n\r\n"),
        sends(then=b"HTTP/1.1 103 Early Hints\r\nX: " + b"x" * 4096 + b"\r\n\r\n"),
        sends(then=b"x" * 4096),
    ],
)
async def test_what_never_ends_is_not_read_to_the_end(handler: Handler) -> None:
    async with serving(handler) as server:
        started = perf_counter()
        await refused(fetcher(limits=Limits(total=60)).json(server.url))
        assert perf_counter() - started < 30  # ended by the bytes, not by the clock


@pytest.mark.parametrize(
    "handler",
    [
        sends(pause=60),
        sends(HEAD, then=b"X: x\r\n", pause=0.01),
        sends(HEAD + b"\r\n", then=b" ", pause=0.01),
        sends(CHUNKED, then=b"1\r\n \r\n", pause=0.01),
        sends(then=b"HTTP/1.1 102 Processing\r\n\r\n", pause=0.01),
    ],
)
async def test_who_is_slow_is_not_waited_for(handler: Handler) -> None:
    async with serving(handler) as server:
        started = perf_counter()
        await refused(fetcher(limits=QUICK).json(server.url))
        assert 0.2 < perf_counter() - started < 10


async def test_a_name_server_that_is_slow_is_not_waited_for(wire: Wire) -> None:
    async def hang(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(3600)
        return []

    await refused(production(hang, QUICK).json(NAME))
    assert wire == Wire()


async def test_a_handshake_that_is_slow_is_not_waited_for() -> None:
    async with serving(sends(pause=60)) as server:
        await refused(fetcher(limits=QUICK).json(f"https://agent.example:{server.port}/agent.json"))


async def test_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    async with serving(answer(), "127.0.0.2") as server:
        with socket.create_server(("127.0.0.1", server.port), backlog=0), ExitStack() as waiting:
            for _ in range(4):  # so many that the next one has to wait for ever
                other = waiting.enter_context(socket.socket())
                other.setblocking(False)
                other.connect_ex(("127.0.0.1", server.port))
            one = fetcher(["127.0.0.1", "127.0.0.2"], limits=Limits(connect=0.2, total=60))
            assert (await one.json(server.url)).body == BODY


# What is kept


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        (None, 60),
        ("", 60),
        ("max-age=0", 60),
        ("max-age=59", 60),
        ("max-age=61", 61),
        ("public, max-age=3600", 3600),
        ("Max-Age=3600, public", 3600),
        ("max-age=86400", 86_400),
        ("max-age=86401", 86_400),
        ("max-age=999999999", 86_400),
        ("max-age=-1", 60),
        ("max-age=1e9", 60),
        ("s-maxage=3600", 60),
        ("x-max-age=3600", 60),
        ("no-store, max-age=3600", 60),
        ("max-age=3600, no-cache", 60),
    ],
)
async def test_what_is_kept_and_for_how_long(control: str | None, seconds: int) -> None:
    clock = Clock()
    headers = [] if control is None else [f"Cache-Control: {control}"]
    async with serving(answer(BODY, "200 OK", *headers)) as server:
        one = fetcher(clock=clock)
        for ahead, fetches in ((0, 1), (seconds - 1, 1), (seconds, 2)):
            clock.now = NOW + ahead
            fetched = await one.json(server.url)
            assert (len(server.requests), fetched.fetched_at) == (fetches, NOW if fetches == 1 else clock.now)


async def test_who_wants_it_newer_gets_it_newer() -> None:
    clock = Clock()
    async with serving(answer(BODY, "200 OK", "Cache-Control: max-age=3600")) as server:
        one = fetcher(clock=clock)
        await one.json(server.url)
        clock.now += 10
        assert (await one.json(server.url, since=NOW)).fetched_at == NOW
        assert (await one.json(server.url, since=NOW + 1)).fetched_at == NOW + 10
        assert (await one.json(server.url)).fetched_at == NOW + 10
        assert len(server.requests) == 2


async def test_what_turned_out_to_be_worth_nothing_is_forgotten() -> None:
    async with serving(answer()) as server:
        one = fetcher()
        await one.json(server.url)
        one.forget(server.url)
        one.forget(server.url)
        await one.json(server.url)
        assert len(server.requests) == 2


async def test_failures_are_not_kept() -> None:
    answers = [answer(b"", "500 Oops"), answer()]

    async def improve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))
        await writer.drain()

    async with serving(improve) as server:
        one = fetcher()
        await refused(one.json(server.url))
        assert (await one.json(server.url)).body == BODY


async def test_a_failure_does_not_displace_what_is_kept() -> None:
    clock = Clock()
    async with serving(answer()) as server:
        one = fetcher(clock=clock)
        await one.json(server.url)
    clock.now += 1
    await refused(one.json(server.url, since=NOW + 1))
    assert (await one.json(server.url)).fetched_at == NOW


async def test_so_many_are_kept_and_the_oldest_goes_first() -> None:
    async with serving(answer()) as server:
        one = fetcher(limits=Limits(kept=2))
        for name in "abcbca":
            await one.json(f"{server.url}/{name}")
        await one.json(f"{server.url}/c", since=NOW + 1)  # which makes it the newest
        for name in "bca":
            await one.json(f"{server.url}/{name}")
        assert [request.split()[1][-1:] for request in server.requests] == [*map(str.encode, "abcacba")]


async def test_who_asks_at_once_shares_one_fetch() -> None:
    async with serving(answer()) as server:
        one = fetcher()
        bodies = await asyncio.gather(*(one.json(server.url) for _ in range(10)))
        assert ({fetched.body for fetched in bodies}, len(server.requests)) == ({BODY}, 1)


async def test_who_asks_at_once_shares_a_failure() -> None:
    async with serving(answer(b"", "404 None")) as server:
        one = fetcher()
        await asyncio.gather(*(refused(one.json(server.url)) for _ in range(10)))
        assert len(server.requests) == 1


async def test_one_who_goes_away_does_not_take_it_from_the_others() -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await go.wait()
        writer.write(answer())
        await writer.drain()

    async with serving(wait) as server:
        one = fetcher()
        first, second = (asyncio.ensure_future(one.json(server.url)) for _ in range(2))
        await arrived.wait()
        first.cancel()
        go.set()
        assert (await second).body == BODY
        assert (first.cancelled(), len(server.requests)) == (True, 1)


async def test_only_so_many_are_fetched_at_once() -> None:
    arrived, go = asyncio.Semaphore(0), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.release()
        await go.wait()
        writer.write(answer())
        await writer.drain()

    async with serving(wait) as server:
        one = fetcher(limits=Limits(at_once=3))
        fetches = [asyncio.ensure_future(one.json(f"{server.url}/{n}")) for n in range(9)]
        for _ in range(3):
            await arrived.acquire()
        await asyncio.sleep(0)
        assert (server.open, arrived.locked()) == (3, True)
        go.set()
        assert len(await asyncio.gather(*fetches)) == 9
        assert server.most == 3


async def test_a_place_that_does_not_become_free_is_not_waited_for() -> None:
    async with serving(sends(pause=60)) as server:
        one = fetcher(limits=Limits(at_once=1, total=0.3))
        fetches = (refused(one.json(f"{server.url}/{n}")) for n in range(3))
        started = perf_counter()
        await asyncio.gather(*fetches)
        assert perf_counter() - started < 10
        assert (
            len(server.requests) < 3
        )  # one had the place; when its time was up, another may just have got it


class TestAsking:
    """OPENID-1: what is sent goes where a document would be fetched from, and the answer is nobody else's."""

    async def test_a_form_is_sent_and_nothing_is_kept(self) -> None:
        async with serving(_with_body) as server:
            asked = fetcher()
            for secret in ("a&b", "ü"):
                assert await asked.ask(server.url, {"code": secret}) == b'{"got": true}'
        first, second = server.requests
        assert first.startswith(b"POST /agent.json HTTP/1.1\r\n")
        assert b"content-type: application/x-www-form-urlencoded\r\ncontent-length: 10\r\n" in first.lower()
        assert second != first

    async def test_a_token_is_shown_to_its_own_server(self) -> None:
        async with serving(answer()) as server:
            assert await fetcher().ask(server.url, authorization="Bearer secret") == BODY
        assert b"Authorization: Bearer secret\r\n" in server.requests[0]
        assert server.requests[0].startswith(b"GET ")

    @pytest.mark.parametrize("status", ["302 Found", "307 Temporary", "400 Bad Request", "201 Created"])
    async def test_any_other_answer_is_a_no(self, status: str) -> None:
        async with serving(answer()) as other:
            async with serving(answer(BODY, status, f"Location: {other.url}")) as server:
                with pytest.raises(Refused):
                    await fetcher().ask(server.url, {"code": "x"})
            assert other.requests == []

    @pytest.mark.parametrize(
        "address", [address for address in INSIDE if address not in ("127.0.0.1", "::1")][:9]
    )
    async def test_nothing_is_sent_inside(self, address: str, wire: Wire) -> None:
        with pytest.raises(Refused):
            await production(Names([[address]])).ask(NAME, {"code": "x"})
        with pytest.raises(Refused):
            await production(Names([[address]])).ask("http://localhost:9/token", {"code": "x"})
        assert wire == Wire()


async def _with_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert (await reader.read(100)).startswith(b"code=")
    writer.write(answer(b'{"got": true}'))
    await writer.drain()
