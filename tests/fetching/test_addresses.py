"""Which addresses are the public internet's."""

import pytest

from deputize.fetching.addresses import is_global, is_loopback

INSIDE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "255.255.255.255", "240.0.0.1", "224.0.0.1"),  # noqa: S104  # nothing is bound
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255"),
    *("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192", "192.0.0.8"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255", "192.88.99.1", "239.1.1.1"),
    *("::", "::1", "::2", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::1"),
    *("2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1"),
    *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "ff0e::1"),
    *("100::1", "5f00::1", "4000::1", "e000::1"),
]
NO_ADDRESSES = [
    "",
    "x",
    "localhost",
    "127.1",
    "0x7f.1",
    "0177.0.0.1",
    "2130706433",
    "8.8.8.8:443",
    "[::1]",
    "8.8.8.8 ",
]
WORLD = [
    *("1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1"),
    *("192.0.1.1", "168.63.129.17", "198.17.255.255", "198.20.0.1", "223.255.255.254", "11.0.0.1"),
    *("2606:4700:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "2620:fe::fe", "2003::1"),
]


@pytest.mark.parametrize("address", INSIDE + NO_ADDRESSES)
def test_addresses_inside_of_something_are_not_global(address: str) -> None:
    assert not is_global(address)


@pytest.mark.parametrize("address", WORLD)
def test_addresses_of_the_world_are_global(address: str) -> None:
    assert is_global(address)
    assert not is_loopback(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1"])
def test_addresses_of_this_machine_are_loopback(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address",
    ["::", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1", "localhost", "10.0.0.1", "fe80::1"],
)
def test_addresses_of_others_are_not_loopback(address: str) -> None:
    assert not is_loopback(address)
