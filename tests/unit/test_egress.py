"""Which addresses users' requests may go to, and what is read from the settings."""

import pytest

from shared.config import ConfigError, Platform
from shared.egress import Guard, guard_of

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::1", "172.15.255.255", "172.32.0.1", "100.63.0.1",
          "::ffff:8.8.8.8", "169.253.1.1", "198.17.0.1", "223.255.255.255"]  # fmt: skip
PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.9.9.9", "100.64.0.1",
           "::1", "fd12::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.1.1.1"]  # fmt: skip
NEVER = ["169.254.169.254", "169.254.1.1", "fd00:ec2::254", "100.100.100.200", "fe80::1", "fe80::1%2", "0.0.0.0", "::",
         "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1",
         "192.88.99.1", "64:ff9b::a00:1", "64:ff9b::808:808", "2002:a00:1::1", "2001::1", "2001:db8::1", "ff02::1",
         "203.0.113.9", "168.63.129.16", "::ffff:169.254.169.254", "::10.0.0.1", "fec0::1", "64:ff9b:1::1", "3fff::1",
         "4000::1"]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_open(address: str) -> None:
    assert Guard().permits(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_open_where_the_operator_says_so(address: str) -> None:
    assert not Guard().permits(address)
    assert Guard(private=True).permits(address)


@pytest.mark.parametrize("address", NEVER)
def test_others_are_open_only_by_name(address: str) -> None:
    assert not Guard().permits(address)
    assert not Guard(private=True).permits(address)


def test_networks_that_are_allowed() -> None:
    urls = {"nats_url": "", "mongodb_url": ""}
    guard = guard_of(Platform(**urls, egress_allow="10.1.0.0/16, 64:ff9b::/96,169.254.169.254"))
    assert guard.permits("10.1.2.3")
    assert guard.permits("::ffff:10.1.2.3")
    assert guard.permits("64:ff9b::808:808")
    assert guard.permits("169.254.169.254")
    assert not guard.permits("10.2.0.1")
    with pytest.raises(ConfigError, match="SHOAL_EGRESS_ALLOW"):
        guard_of(Platform(**urls, egress_allow="10.1.0.0/33"))
