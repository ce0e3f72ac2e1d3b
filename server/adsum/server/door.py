"""Who may knock: how many streams may wait for their handshake, from one address and in all.

A stream counts from its first byte until it is let in or refused, and again while it can't be got rid of because its client doesn't read.
Loopback addresses are counted in all but not each by itself: whoever comes from there is the operator, or everybody behind a proxy.
"""

from collections import Counter
from ipaddress import IPv6Address, ip_address

from adsum.contract.limits import Limits

IPV6_PREFIX_BITS = 64
"""What one customer is given at least: counting single IPv6 addresses would count nothing."""


def address_of(peer: str) -> str:
    """Take the address that is counted from a gRPC peer such as `ipv4:192.0.2.1:40112` or `ipv6:%5B2001:db8::1%5D:40112`.

    An IPv6 address stands for its /64, a mapped IPv4 one for itself, loopback and Unix sockets for `loopback`.
    """
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return "loopback" if kind == "unix" else peer
    host = rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]").partition("%")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return peer
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return "loopback"
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> IPV6_PREFIX_BITS << IPV6_PREFIX_BITS))
    return str(address)


class Door:
    """Count the streams that wait outside."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: Counter[str] = Counter()
        self._total = 0

    @property
    def waiting(self) -> int:
        """How many streams wait."""
        return self._total

    def enter(self, address: str) -> bool:
        """Count a stream if there is room for it."""
        if self._total >= self._limits.unproved_streams:
            return False
        if address != "loopback" and self._waiting[address] >= self._limits.unproved_streams_per_address:
            return False
        self.hold(address)
        return True

    def hold(self, address: str) -> None:
        """Count a stream whether there is room or not."""
        self._waiting[address] += 1
        self._total += 1

    def leave(self, address: str) -> None:
        """Count a stream no more."""
        self._total -= 1
        self._waiting[address] -= 1
        if self._waiting[address] <= 0:
            del self._waiting[address]
