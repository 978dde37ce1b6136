"""Which addresses a user's request may go to. Pure.

The networks are written down here, by the registries of special-purpose addresses (RFC 6890 and its updates): what
Python calls global has changed from one patch release to the next.
"""

import ipaddress
from collections.abc import Sequence

import msgspec

from shared.config import ConfigError, Platform

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word) for word in text.split())


# Where instances ask their cloud who they are, and get its keys: never part of "private", only of what is allowed.
_METADATA = _networks("169.254.0.0/16 100.100.100.200/32 168.63.129.16/32 fd00:ec2::254/128 fd20:ce::254/128 fe80::/10")
# What an operator opens with SHOAL_EGRESS_PRIVATE: his own networks and this machine.
_PRIVATE = _networks("10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16 ::1/128 fc00::/7")
# What is no single machine on the public internet: this network, protocol assignments, documentation, relays of 6to4,
# benchmarks, multicast, reserved. Within 2000::/3, that is; beyond it nothing is public.
_SPECIAL = _networks(
    "0.0.0.0/8 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 "
    "240.0.0.0/4 2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
_PUBLIC_6 = ipaddress.ip_network("2000::/3")


class Guard(msgspec.Struct, frozen=True):
    """The operator's word: whether private networks are open to users, and which networks are open all the same."""

    private: bool = False
    allowed: tuple[Network, ...] = ()

    def permits(self, address: str) -> bool:
        """Whether a user's request may go to this address. An IPv4 address inside an IPv6 one is judged as itself."""
        found = _plain(address)
        if _within(found, self.allowed):
            return True
        if _within(found, _METADATA) or _within(found, _SPECIAL):
            return False
        if _within(found, _PRIVATE):
            return self.private
        return isinstance(found, ipaddress.IPv4Address) or found in _PUBLIC_6


def guard_of(platform: Platform) -> Guard:
    """The guard that the settings describe. Raises ConfigError."""
    try:
        allowed = tuple(ipaddress.ip_network(word.strip()) for word in platform.egress_allow.split(",") if word.strip())
    except ValueError as error:
        raise ConfigError(f"SHOAL_EGRESS_ALLOW: {error}") from None
    return Guard(private=platform.egress_private, allowed=allowed)


def _plain(address: str) -> Address:
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        found = ipaddress.IPv6Address(int(found))  # without its zone
        return found.ipv4_mapped or found
    return found


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
