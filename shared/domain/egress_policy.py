"""What a function may reach over the network: nothing, the hosts it names, or the public internet. Pure.

Whether an address is public is not decided here: a name is permitted or not before anybody looks it up.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from shared.domain.problem import Problem, wrong

Reach = Literal["none", "allowlist", "public"]

MOST_HOSTS = 100
_MAX_HOST = 253
_MAX_PORT = 65_535
_USUAL_PORTS = frozenset({80, 443})
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ENTRY = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]+)(:(?P<port>[0-9]{1,5}))?")
_WRONG_HOST = (
    "must be a host name, `*.` and a name for everything below it, or an address, each with or without `:` and a port"
)


class Host(msgspec.Struct, frozen=True):
    """One entry of a list. `port` None: those of HTTP and HTTPS. `below`: every name under it, and not itself."""

    name: str
    port: int | None = None
    below: bool = False

    def permits(self, host: str, port: int) -> bool:
        """Whether this is what it names; `host` as `plain` makes it."""
        if port != self.port and (self.port is not None or port not in _USUAL_PORTS):
            return False
        return host.endswith("." + self.name) if self.below else host == self.name


class Policy(msgspec.Struct, frozen=True):
    """What one function may reach."""

    reach: Reach = "none"
    hosts: tuple[Host, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Policy":
        """The policy in a `config`: `egress`, and for an allowlist `egress_hosts`. Raises Problem(invalid)."""
        reach = config.get("egress", "none")
        if reach not in get_args(Reach):
            raise wrong("config.egress", f"config.egress must be one of {', '.join(get_args(Reach))}")
        hosts = _hosts(config.get("egress_hosts", []))
        if reach != "allowlist":
            hosts = ()
        elif not hosts:
            raise wrong("config.egress_hosts", "config.egress_hosts must name a host where config.egress is allowlist")
        return cls(reach, hosts)

    def permits(self, host: str, port: int) -> bool:
        """Whether a name or address may be asked for at all; what it stands for is judged later."""
        if self.reach == "allowlist":
            found = plain(host)
            return any(entry.permits(found, port) for entry in self.hosts)
        return self.reach == "public"


def check_egress(config: Mapping[str, Any]) -> None:
    """Refuse a `config` whose policy makes no sense. Raises Problem(invalid)."""
    Policy.of(config)


def plain(host: str) -> str:
    """A host as it is compared: small letters, without the dot of the root and the brackets of an address."""
    return host.lower().removesuffix(".").removeprefix("[").removesuffix("]")


def _hosts(entries: object) -> tuple[Host, ...]:
    if not isinstance(entries, list) or len(entries) > MOST_HOSTS:
        raise wrong("config.egress_hosts", f"config.egress_hosts must be a list of at most {MOST_HOSTS} hosts")
    return tuple(_host(f"config.egress_hosts.{place}", entry) for place, entry in enumerate(entries))


def _host(field: str, entry: object) -> Host:
    parts = _ENTRY.fullmatch(entry) if isinstance(entry, str) else None
    if parts is None:
        raise _not_a_host(field)
    port = int(parts["port"]) if parts["port"] else None
    if port is not None and not 0 < port <= _MAX_PORT:
        raise _not_a_host(field)
    below = parts["host"].startswith("*.")
    name = plain(parts["host"].removeprefix("*."))
    if not below and _is_address(name, bracketed=parts["host"].startswith("[")):
        return Host(str(ipaddress.ip_address(name)), port)
    if len(name) > _MAX_HOST or not _NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
        raise _not_a_host(field)
    return Host(name, port, below)


def _is_address(name: str, *, bracketed: bool) -> bool:
    try:
        return (ipaddress.ip_address(name).version == 6) == bracketed  # noqa: PLR2004 - the protocol's own number
    except ValueError:
        return False


def _not_a_host(field: str) -> Problem:
    return wrong(field, f"{field} {_WRONG_HOST}")
