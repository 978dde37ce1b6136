"""The ports at which the platform itself listens, as far as an executor knows them."""

from urllib.parse import urlsplit

from shared.config import Platform

_NATS, _MONGODB = 4222, 27_017
_MAX_PORT = 65_535


def of(platform: Platform) -> frozenset[int]:
    """Those of the bus, of the store, and of health and metrics."""
    own = {*_ports(platform.nats_url, _NATS), *_ports(platform.mongodb_url, _MONGODB), platform.health_port}
    return frozenset(own - {0})


def _ports(urls: str, usual: int) -> set[int]:
    """Every port in an address, which may name several hosts by commas."""
    found = set()
    for url in urls.split(","):
        authority = urlsplit(url if "://" in url else f"//{url}").netloc.rpartition("@")[2]
        port = authority.rpartition(":")[2]
        found.add(int(port) if port.isascii() and port.isdigit() and int(port) <= _MAX_PORT else usual)
    return found
