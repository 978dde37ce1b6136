"""Connections of urllib3 to nowhere that a tenant's requests must not go, known while they are open.

Imported only with boto3, by a process that has a source which needs it.
"""

import math
import socket
import threading
import time
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from shared.egress.addresses import Guard

_CONNECT_S = 30.0  # where nobody names a bound


class Refused(HTTPError):  # noqa: N818 - as in shared/egress
    """No address of the host may be connected to."""


class _Guarded(HTTPConnection):
    """Resolves the name, judges every address, and connects to one that passed: there is no second look-up."""

    guard: Guard
    opened: "Opened"
    until_s = math.inf

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request, and note until when its answer is waited for."""
        self.until_s = self.opened.until_s
        super().request(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        end = time.monotonic() + (self.timeout if isinstance(self.timeout, int | float) else _CONNECT_S)
        try:
            entries = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, "its name has no address") from error
        found = dict.fromkeys(str(entry[4][0]) for entry in entries)
        addresses = [address for address in found if self.guard.permits(address)]
        if not addresses:
            raise Refused("it is not on the public internet")
        failure: OSError | None = None
        for tried, address in enumerate(addresses):
            left_s = max(0.001, end - time.monotonic()) / (len(addresses) - tried)
            try:
                made = socket.create_connection((address, self.port), timeout=left_s)
            except OSError as error:
                failure = error
                continue
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "it did not answer in time") from failure
        raise NewConnectionError(self, "it refuses connections") from failure


class _GuardedTls(_Guarded, HTTPSConnection):
    """The same, under TLS: the certificate is checked against the name."""


class Opened:
    """Connections while they are open, whatever threads they belong to."""

    def __init__(self) -> None:
        self._found: WeakSet[_Guarded] = WeakSet()
        self._lock = threading.Lock()
        self._of_thread = threading.local()

    @property
    def until_s(self) -> float:
        """Until when somebody waits for what this thread does, on the clock that nobody sets."""
        until_s: float = getattr(self._of_thread, "until_s", math.inf)
        return until_s

    @until_s.setter
    def until_s(self, until_s: float) -> None:
        self._of_thread.until_s = until_s

    def add(self, connection: _Guarded) -> None:
        """One more."""
        with self._lock:
            self._found.add(connection)

    def shut(self, *, late_at_s: float) -> None:
        """End those whose answer is not waited for any more at this moment: who reads it gets an error."""
        with self._lock:
            late = [one for one in self._found if one.until_s <= late_at_s]
        for connection in late:
            made = connection.sock
            if made is not None:
                with suppress(OSError):  # it was not connected, or not any more
                    socket.socket.shutdown(made, socket.SHUT_RDWR)


def pool_classes(guard: Guard, opened: Opened) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Pools whose connections are guarded by this guard, and noted while they are open."""

    class Plain(_Guarded):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.guard = guard
            self.opened = opened
            opened.add(self)

    class Tls(_GuardedTls):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.guard = guard
            self.opened = opened
            opened.add(self)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}
