"""The connections under boto3's clients: to nowhere that a tenant's requests must not go, and bounded.

Imported only with boto3, by a process that has a source which needs it.
"""

import math
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

import certifi
import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError
from urllib3.exceptions import SSLError as TlsError
from urllib3.exceptions import TimeoutError as TookTooLong

from services.triggers.kinds.s3.adapter import SourceFault
from services.triggers.kinds.s3.bodies import Excess, Reading
from shared.config import ConfigError, Platform
from shared.egress.addresses import Guard, guard_of

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_CONNECT_S = 30.0  # where nobody names a bound


class Refused(HTTPError):  # noqa: N818 - as in shared/egress
    """No address of the host may be connected to."""


class _Guarded(HTTPConnection):
    """Resolves the name, judges every address, and connects to one that passed: there is no second look-up."""

    guard: Guard
    opened: "_Opened"
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


class _Opened:
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


class Transport:
    """Sends what botocore has prepared and signed. Follows no redirect, asks no proxy, keeps `most` connections."""

    def __init__(self, platform: Platform, *, most: int, read_s: float) -> None:
        self._timeout = urllib3.Timeout(connect=platform.egress_connect_s, read=read_s)
        self._aborted = False
        self._open = _Opened()
        self._of_thread = threading.local()
        self._pools = urllib3.PoolManager(
            num_pools=8, maxsize=most, block=False, retries=False, ssl_context=_trust(platform.egress_ca_file)
        )
        self._pools.pool_classes_by_scheme = _pool_classes(guard_of(platform), self._open)

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """The answer, read whole. A handler of botocore's event `before-send`. Raises SourceFault."""
        parts = urlsplit(request.url)
        where = parts.netloc
        try:
            try:
                return self._sent(request)
            except ProtocolError:  # mostly a kept connection that was closed from afar
                if self._aborted:
                    raise
                return self._sent(request)
        except TlsError as error:
            raise SourceFault(f"The endpoint {where} has no certificate that can be believed: {_said(error)}") from None
        except NewConnectionError as error:  # a kind of timeout to urllib3
            raise SourceFault(f"The endpoint {where} cannot be reached: {_said(error)}") from None
        except TookTooLong:
            raise SourceFault(f"The endpoint {where} did not answer in time") from None
        except (HTTPError, OSError, ValueError) as error:
            raise SourceFault(f"The endpoint {where} cannot be reached: {_said(error)}") from None

    def abort(self) -> None:
        """End whatever is under way: who waits for an answer gets a SourceFault."""
        self._aborted = True
        self._open.shut(late_at_s=math.inf)
        self._pools.clear()

    def begin(self, *, until_s: float) -> None:
        """What this thread asks for is waited for until then."""
        self._open.until_s = until_s

    def cut(self) -> None:
        """End requests that nobody waits for any more."""
        self._open.shut(late_at_s=time.monotonic())

    def done(self) -> None:
        """What this thread was last answered has been parsed."""
        self._reading.end()

    @property
    def _reading(self) -> Reading:
        """This thread's."""
        found: Reading | None = getattr(self._of_thread, "reading", None)
        if found is None:
            found = self._of_thread.reading = Reading()
        return found

    def _sent(self, request: AWSPreparedRequest) -> AWSResponse:
        parts = urlsplit(request.url)
        if self._aborted:
            raise SourceFault("The source has been stopped")
        pool = self._pools.connection_from_host(parts.hostname, parts.port, parts.scheme)
        answer = pool.urlopen(
            request.method,
            f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/",
            body=_bytes(request.body),
            headers=_headers(request.headers.items()),
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=self._timeout,
        )
        reading = self._reading
        reading.end()  # of an attempt before
        try:
            body = reading.read(answer)
            reading.parse(body)
        except Excess as excess:
            answer.close()
            raise SourceFault(f"The endpoint {parts.netloc} {excess}") from None
        if answer.status in _REDIRECTS:
            raise SourceFault(_redirected(parts.netloc, answer.headers.get("x-amz-bucket-region", "")))
        return AWSResponse(request.url, answer.status, dict(answer.headers), _Read(body))  # type: ignore[arg-type]  # it makes its own of any


class _Read:
    """A body that has been read, in the shape in which botocore reads one."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        """All of it."""
        yield self._body


def _pool_classes(guard: Guard, opened: _Opened) -> dict[str, type[urllib3.HTTPConnectionPool]]:
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


@cache
def _trust(ca_file: str) -> ssl.SSLContext:
    """The usual authorities, and the operator's own."""
    tls = ssl.create_default_context(cafile=certifi.where())
    if ca_file:
        try:
            tls.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"SHOAL_EGRESS_CA_FILE: {ca_file} cannot be read: {error}") from None
    return tls


def _redirected(where: str, region: str) -> str:
    """Not botocore's to follow: it would ask for the region of a bucket until an endpoint names one."""
    known = f": the region is {region}" if _REGION.fullmatch(region) else "; is the region the right one?"
    return f"The endpoint {where} sends us elsewhere, where we do not go{known}"


def _bytes(body: Any) -> bytes | None:
    return body.encode() if isinstance(body, str) else body


def _headers(lines: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    return {name: value.decode("latin-1") if isinstance(value, bytes) else value for name, value in lines}


def _said(error: Exception) -> str:
    """The fault without what it happened to: addresses are nobody's business outside."""
    if isinstance(error, NewConnectionError | Refused):
        return str(error).rpartition(": ")[2]
    return type(error).__name__
