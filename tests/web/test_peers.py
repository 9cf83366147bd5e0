"""Whose request it is: nobody is believed about it but the proxies of the policy (QUOTA-4)."""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from deputize.protocol.policy import Network
from deputize.web.peers import address_of

PROXIES: tuple[Network, ...] = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
TRUSTED = st.sampled_from(["10.0.0.1", "10.255.0.9", "fd00::1", "::ffff:10.1.2.3"])
STRANGERS = st.one_of(
    st.ip_addresses().map(str).filter(lambda text: not _is_proxy(text)),
    st.sampled_from(["192.0.2.1", "2001:db8::1", "127.0.0.1", "::1"]),
)
ANYTHING = st.one_of(
    STRANGERS, TRUSTED, st.sampled_from(["unknown", "_hidden", "", "localhost", "1.2.3.4.5", "\xa01.2.3.4"])
)


def _is_proxy(text: str) -> bool:
    address = ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in PROXIES)


def told(
    peer: str | None, headers: Sequence[tuple[str, str]], trusted: Sequence[Network] = PROXIES
) -> str | None:
    lines = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "headers": lines, "client": None if peer is None else (peer, 1)}
    address = address_of(Request(scope), trusted)
    return None if address is None else str(address)


def forwarded(address: str) -> str:
    return f'for="[{address}]"' if ":" in address else f"for={address}"


@given(STRANGERS, st.lists(ANYTHING, max_size=4))
def test_who_is_no_proxy_is_never_believed(peer: str, said: list[str]) -> None:
    written = [("x-forwarded-for", ", ".join(said)), ("forwarded", ", ".join(map(forwarded, said)))]
    for headers in ([written[0]], [written[1]], written):
        assert told(peer, headers) == told(peer, [])
        assert told(peer, headers, ()) == told(peer, [])


@given(TRUSTED, st.lists(ANYTHING, max_size=6), STRANGERS, st.lists(TRUSTED, max_size=3), st.booleans())
def test_what_a_client_wrote_stands_left_of_what_the_first_proxy_wrote(
    peer: str, forged: list[str], client: str, proxies: list[str], apart: bool
) -> None:
    hops = [*forged, client, *proxies]
    assert told(peer, [("forwarded", ", ".join(map(forwarded, hops)))]) == told(client, [])
    lines = [("x-forwarded-for", each) for each in hops] if apart else [("x-forwarded-for", ",".join(hops))]
    assert told(peer, lines) == told(client, [])


@given(TRUSTED, STRANGERS, STRANGERS)
def test_two_headers_are_believed_where_they_agree(peer: str, one: str, two: str) -> None:
    headers = [("x-forwarded-for", one), ("forwarded", forwarded(two))]
    same = told(one, []) == told(two, [])
    assert told(peer, headers) == (told(one, []) if same else told(peer, []))


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, unknown", "10.0.0.1"),
        ("192.0.2.1, unknown, 10.0.0.7", "10.0.0.7"),
        ("10.0.0.2, 10.0.0.3", "10.0.0.2"),  # a request of the proxies' own
        ("192.0.2.1, " * 30 + "10.0.0.9", "192.0.2.1"),
        ("", "10.0.0.1"),
    ],
)
def test_every_form_of_an_address_is_read(said: str, address: str) -> None:
    assert told("10.0.0.1", [("x-forwarded-for", said)]) == address


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ('For="[2001:db8::1]:4711";proto=https;by=10.0.0.1', "2001:db8::1"),
        ("proto=https; FOR = 192.0.2.1", "192.0.2.1"),
        ("for=192.0.2.9, for=192.0.2.1;host=a.example", "192.0.2.1"),
        ('for=192.0.2.1;for="192.0.2.2"', "10.0.0.1"),
        ('host=",for=192.0.2.2"', "10.0.0.1"),
        ("for=_hidden", "10.0.0.1"),
        ("proto=https", "10.0.0.1"),
        ("xfor=192.0.2.1", "10.0.0.1"),
        (
            'for=192.0.2.2;by=",for=192.0.2.1',
            "10.0.0.1",
        ),  # a client's mark, and what the proxy wrote behind it
        ('for=192.0.2.2;by="\\"",for=192.0.2.1', "10.0.0.1"),
    ],
)
def test_every_form_of_forwarded_is_read(said: str, address: str) -> None:
    assert told("10.0.0.1", [("forwarded", said)]) == address


@pytest.mark.parametrize(
    ("trusted", "address"), [((), None), (PROXIES, None), ((ip_network("127.0.0.1/32"),), "192.0.2.1")]
)
def test_what_the_server_has_believed_by_itself_is_not_believed(
    trusted: tuple[Network, ...], address: str | None
) -> None:
    """uvicorn takes the word of whoever is on this machine, unless it is told not to."""
    proxied: list[object] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        proxied.append(address_of(Request(scope), trusted))

    scope = {
        "type": "http",
        "scheme": "http",
        "headers": [(b"x-forwarded-for", b"192.0.2.1")],
        "client": ("127.0.0.1", 4711),
    }
    believing: Any = ProxyHeadersMiddleware(app)
    asyncio.run(believing(scope, None, None))
    assert proxied == [None if address is None else ip_address(address)]


@given(st.lists(ANYTHING, max_size=3), STRANGERS, st.lists(TRUSTED, max_size=3))
def test_a_proxy_on_this_machine_has_others_before_it(
    forged: list[str], client: str, proxies: list[str]
) -> None:
    """uvicorn stops at the first that is not on this machine; all who come through that would be one."""
    found: list[object] = []
    here: tuple[Network, ...] = (*PROXIES, ip_network("127.0.0.1/32"))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(address_of(Request(scope), here))

    scope = {
        "type": "http",
        "scheme": "http",
        "headers": [(b"x-forwarded-for", ", ".join([*forged, client, *proxies]).encode("latin-1"))],
        "client": ("127.0.0.1", 4711),
    }
    believing: Any = ProxyHeadersMiddleware(app)
    asyncio.run(believing(scope, None, None))
    if client != "127.0.0.1":
        assert str(found[0]) == told(client, [])


@given(st.lists(st.sampled_from(["for=192.0.2.2", ";", "by=", '"', "\\", ",", " "]), max_size=9).map("".join))
def test_what_a_client_wrote_hides_nothing_that_a_proxy_wrote_behind_it(forged: str) -> None:
    """Whoever it names stands before the comma, whatever the marks are in which that is."""
    assert told("10.0.0.1", [("forwarded", f"{forged},for=198.51.100.1")]) in ("198.51.100.1", "10.0.0.1")


def test_at_a_socket_without_addresses_nothing_can_be_told() -> None:
    assert told(None, [("x-forwarded-for", "192.0.2.1")]) is None
    assert told("10.0.0.1", []) == str(IPv4Address("10.0.0.1"))
