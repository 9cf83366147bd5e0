"""Which addresses are the world's, and which are inside of something (IANA special-purpose registries)."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_V4_INSIDE = [
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's NAT
        "127.0.0.0/8",  # loopback
        "168.63.129.16",  # a cloud's own services, at a public address
        "169.254.0.0/16",  # link-local, and the metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
]
_LOOPBACK = (
    ip_network("127.0.0.0/8"),
    ip_network("::1"),
)  # in some Pythons `is_loopback` sees into mapped ones
# Whatever lies outside this has IPv4 inside (mapped, compatible, NAT64), is local, or multicast …
_V6_WORLD = ip_network("2000::/3")
# … and this lies within.
_V6_INSIDE = [
    ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
]


def is_global(text: str) -> bool:
    """Tell whether an address belongs to the public internet; False for what is no address."""
    match _address(text):
        case IPv4Address() as address:
            return address.is_global and not any(address in network for network in _V4_INSIDE)
        case IPv6Address() as address:
            return (
                address in _V6_WORLD
                and address.is_global
                and not any(address in network for network in _V6_INSIDE)
            )
    return False


def is_loopback(text: str) -> bool:
    """Tell whether an address is this machine; False for what is no address."""
    address = _address(text)
    return address is not None and any(address in network for network in _LOOPBACK)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
