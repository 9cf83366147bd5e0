"""What is counted of an address, and what is kept of it (QUOTA-3, QUOTA-4)."""

from contextlib import suppress
from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.authority.by_address import ByAddress
from deputize.protocol.errors import Refused
from deputize.protocol.quota import Quota, Quotas, Rate


@given(st.data())
def test_quota_3_no_prefix_of_ipv6_gets_more_than_its_share(data: st.DataObject) -> None:
    """QUOTA-3: whoever has a /64, or a /48, has one, wherever in it he comes from."""
    bits = data.draw(st.sampled_from([64, 48]))
    network = data.draw(st.integers(0, 2**bits - 1)) << (128 - bits)
    hosts = data.draw(st.lists(st.integers(0, 2 ** (128 - bits) - 1), min_size=40, max_size=60))
    door, let_in = ByAddress(), 0
    for host in hosts:
        with suppress(Refused):
            door.take(Quota.SIGN_UPS, Rate(2, 60), IPv6Address(network | host), 0)
            let_in += 1
    assert let_in <= (2 if bits == 64 else 32)
    if bits == 64:
        assert let_in == 2


def test_what_is_kept_of_addresses_has_an_end() -> None:
    """However many come, so many are kept; who goes on coming is among them, and nobody else pays."""
    door, rate, eve = ByAddress(most_kept=100), Rate(2, 60), ip_address("192.0.2.1")
    for number in range(1000):
        if number < 2:
            door.take(Quota.SIGN_INS, rate, eve, 0)
        else:
            with pytest.raises(Refused):
                door.take(Quota.SIGN_INS, rate, eve, 0)
        door.take(Quota.SIGN_INS, rate, ip_address(0x0A000000 + number), 0)
        assert len(door) <= 100


def test_a_clock_that_went_wrong_for_a_while_keeps_no_address_out() -> None:
    door, rate, here = ByAddress(), Rate(1, 60), ip_address("192.0.2.1")
    door.take(Quota.SIGN_INS, rate, here, 3600)
    door.take(Quota.SIGN_INS, rate, here, 0)
    with pytest.raises(Refused):
        door.take(Quota.SIGN_INS, rate, here, 0)


def test_without_end_nothing_is_counted() -> None:
    door = ByAddress()
    for _ in range(5):
        door.take(Quota.SIGN_INS, None, None, 0)
    assert len(door) == 0


def test_an_office_behind_one_address_meets_no_default() -> None:
    door, quotas, here = ByAddress(), Quotas(), ip_address("192.0.2.1")
    for _ in range(60):  # within the minute
        door.take(Quota.SIGN_UPS, quotas.sign_ups, here, 0)
        door.take(Quota.SIGN_INS, quotas.sign_ins, here, 0)
