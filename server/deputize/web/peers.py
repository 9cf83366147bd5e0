"""From where a request comes: from whoever is connected or, where the policy says so, from whom that one names."""

import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.datastructures import Headers
from starlette.requests import Request

from ..authority.by_address import Address
from ..protocol.policy import Network

_MOST_HOPS = 20
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
"""Whom uvicorn believes unless it is told otherwise, which it then hides: all it leaves of that is the port 0."""
_FOR = re.compile(r'(?:^|[;\s])for\s*=\s*("[^"]*"|[^";,\s]*)', re.IGNORECASE)
_PORT = re.compile(r"^\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?$|^([0-9.]+):[0-9]{1,5}$")


def address_of(request: Request, trusted: Sequence[Network]) -> Address:
    """Return the address that a request is counted by (QUOTA-4).

    A proxy that the policy names is believed about who came to it, and so on, from right to left: what is further left,
    anybody may have written. Where two headers say two things, neither is believed.
    """
    peer = _address(request.client.host) if request.client is not None else None
    if peer is None or request.client is None:
        return None
    if request.client.port == 0:  # the server has put it there, from a header of a proxy on this machine
        here = next((each for each in _LOOPBACK if _is_in(each, trusted)), None)
        if here is None:
            return None
        peer = here  # the header is read once more: the server knows of no proxy but that one
    if not _is_in(peer, trusted):
        return peer
    said = [
        _farthest(hops, peer, trusted)
        for hops in (_x_forwarded_for(request.headers), _forwarded(request.headers))
        if hops
    ]
    return said[0] if said and all(each == said[0] for each in said) else peer


def _farthest(hops: Sequence[str], peer: Address, trusted: Sequence[Network]) -> Address:
    """Go from proxy to proxy for as long as each is believed, and return who came to the last of them."""
    for hop in reversed(hops[-_MOST_HOPS:]):
        address = _address(hop)
        if address is None:  # "unknown" or a name: the one before is the last that is known
            return peer
        peer = address
        if not _is_in(address, trusted):
            return peer
    return peer


def _x_forwarded_for(headers: Headers) -> list[str]:
    return [hop.strip() for line in headers.getlist("x-forwarded-for") for hop in line.split(",")]


def _forwarded(headers: Headers) -> list[str]:
    """Read who is named by `for` (RFC 7239 §5.2); an element without one, or that is odd, names nobody."""
    return [
        found[0].strip('"') if len(found := _FOR.findall(element)) == 1 else ""
        for line in headers.getlist("forwarded")
        for element in _elements(line)
    ]


def _elements(line: str) -> Iterator[str]:
    """Split at commas, but not within quotation marks; what stands in marks that do not end names nobody."""
    start, quoted = 0, False
    for index, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            yield line[start:index]
            start = index + 1
    yield "" if quoted else line[start:]


def _address(text: str) -> Address:
    match = _PORT.match(text)
    try:
        address = ip_address((match[1] or match[2]) if match else text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.scope_id is not None:
            return IPv6Address(int(address))
    return address


def _is_in(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
