"""Which addresses are the world's, and which are inside of something.

Python knows the special-purpose registries of IANA; here is what they lack, or an older Python does.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# What lies inside although some Python takes it for global.
_V4_INSIDE = [
    ip_network(network)
    for network in (
        "168.63.129.16",  # a cloud's own services, at a public address
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "224.0.0.0/4",  # multicast
    )
]
# Whatever lies outside this has IPv4 inside (mapped, compatible, NAT64), is local, or multicast …
_V6_WORLD = ip_network("2000::/3")
# … and this lies within.
_V6_INSIDE = [
    ip_network(network)
    for network in (
        "2001::/23",  # protocol assignments, Teredo, benchmarks
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
    )
]
# In some Pythons `is_loopback` sees into mapped ones.
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"))


def is_global(text: str) -> bool:
    """Tell whether an address belongs to the public internet; False for what is no address."""
    address = _address(text)
    if address is None or not address.is_global:
        return False
    if isinstance(address, IPv6Address) and address not in _V6_WORLD:
        return False
    inside = _V4_INSIDE if isinstance(address, IPv4Address) else _V6_INSIDE
    return not any(address in network for network in inside)


def is_loopback(text: str) -> bool:
    """Tell whether an address is this machine; False for what is no address."""
    address = _address(text)
    return address is not None and any(address in network for network in _LOOPBACK)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
