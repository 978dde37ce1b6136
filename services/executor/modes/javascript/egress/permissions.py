"""Deno's own word on the network, which asks for the name before anything is looked up: a wall before the guard's."""

from ipaddress import IPv4Network
from pathlib import Path

from shared.domain.egress_policy import Host, Policy

SHARED_LOOPBACK = "127.63.84.1"
"""Where the guard is found by processes that have no network of their own: Deno's word counts for proxies, too, so that
this address alone of all loopback is left open."""

# What can be written of what is not public: Deno knows no IPv6 networks. Only for processes without a network of their
# own; it is the second best.
_NOT_PUBLIC = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    *map(str, IPv4Network("127.0.0.0/8").address_exclude(IPv4Network(SHARED_LOOPBACK))),
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "[::1]",
    "[::]",
)
_USUAL_PORTS = (80, 443)


def net_permissions(policy: Policy, socket: Path, *, own_network: bool) -> list[str]:
    """The arguments by which Deno listens on `socket` and lets its code ask for what the policy permits."""
    if policy.reach != "public":
        hosts = [place for host in policy.hosts for place in _places(host)]
        return [f"--allow-net={','.join([f'unix:{socket}', *hosts])}"]
    return ["--allow-net"] if own_network else ["--allow-net", f"--deny-net={','.join(_NOT_PUBLIC)}"]


def _places(host: Host) -> list[str]:
    name = f"[{host.name}]" if ":" in host.name else f"*.{host.name}" if host.below else host.name
    return [f"{name}:{port}" for port in ((host.port,) if host.port else _USUAL_PORTS)]
