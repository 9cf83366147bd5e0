"""Quotas by address, at the door and in memory: for those whom nobody knows yet (PROTOCOL §20)."""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ..protocol.errors import Refused
from ..protocol.quota import Quota, Rate, too_many

Address = IPv4Address | IPv6Address | None
"""Where a request comes from. None if that is not known, as at a Unix socket: all those count as one."""

MOST_KEPT = 32_768
"""Addresses that are counted at a time: a few megabytes."""

_WIDER = 16
"""How much more a /48 has than a /64: who is given the one could come from 65,536 of the other."""


@dataclass(slots=True)
class _Window:
    used: int
    ends_at: int


class ByAddress:
    """Counts, in windows that begin with the first request in them; lost with the process.

    No more than `most_kept` are kept. Where there are more, who has not come for the longest time is forgotten, and
    begins anew: nobody is refused because of how many others there are.
    """

    def __init__(self, most_kept: int = MOST_KEPT) -> None:
        """Count nothing yet."""
        self._windows: OrderedDict[tuple[str, int, int], _Window] = OrderedDict()
        self._most_kept = most_kept

    def take(self, quota: Quota, rate: Rate | None, address: Address, now: int) -> None:
        """Take one from what an address has of a quota; Refused(too_many_requests) if nothing is left (QUOTA-3)."""
        if rate is None:
            return
        for bits, most in _shares(address, rate.most):
            # who has used up his own takes nothing from his neighbours
            wait = self._wait((quota.value, bits, _network(address, bits)), most, rate.within, now)
            if wait:
                raise Refused.of(too_many(quota, wait))

    def _wait(self, key: tuple[str, int, int], most: int, within: int, now: int) -> int:
        window = self._windows.get(key)
        if window is None or not now < window.ends_at <= now + within:  # the clock may have gone wrong
            window = self._windows[key] = _Window(0, now + within)
        self._windows.move_to_end(key)  # who goes on coming is never forgotten
        if len(self._windows) > self._most_kept:
            self._windows.popitem(last=False)
        if window.used >= most:
            return window.ends_at - now
        window.used += 1
        return 0

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._windows)


def _shares(address: Address, most: int) -> tuple[tuple[int, int], ...]:
    """Return the networks that an address is counted in, by the length of their prefix, and how much each has."""
    if isinstance(address, IPv6Address):
        return (64, most), (48, most * _WIDER)
    return ((32, most),)


def _network(address: Address, bits: int) -> int:
    return 0 if address is None else int(address) >> (address.max_prefixlen - bits)
