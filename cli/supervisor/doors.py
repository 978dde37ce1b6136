"""Listening sockets, bound before any service starts.

A port that is taken shows at once, and who calls while a service restarts waits in the socket's queue.
"""

import errno
import ipaddress
import socket

from cli.supervisor.settings import UpError
from shared.embedded import LOOPBACK

_PUBLIC_BACKLOG = 2048
_HEALTH_BACKLOG = 64


def public(host: str, port: int) -> socket.socket:
    """The one public port. Raises UpError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_PUBLIC_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UpError(f"port {port} is in use: choose another with --port, or --port 0 for any free one") from None
        raise UpError(f"cannot listen on {host} port {port}: {error.strerror or error}") from None


def health() -> socket.socket:
    """A service's own port for health and metrics, for this machine only."""
    return socket.create_server((LOOPBACK, 0), backlog=_HEALTH_BACKLOG)


def inner() -> socket.socket:
    """The door of a service behind the public one, for this machine only."""
    return socket.create_server((LOOPBACK, 0), backlog=_PUBLIC_BACKLOG)


def url(door: socket.socket) -> str:
    """How to reach a door from this machine."""
    host, port = door.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:  # every address of the machine: name the one that works here
        host = LOOPBACK if door.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
