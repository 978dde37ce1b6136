"""What boto3's clients send and are answered: nowhere else than they say, and bounded. Its connections: connections.py.

Imported only with boto3, by a process that has a source which needs it.
"""

import math
import re
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import certifi
import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError
from urllib3.exceptions import SSLError as TlsError
from urllib3.exceptions import TimeoutError as TookTooLong

from services.triggers.kinds.s3.adapter import SourceFault
from services.triggers.kinds.s3.bodies import Excess, Reading
from services.triggers.kinds.s3.connections import Opened, Refused, pool_classes
from shared.config import ConfigError, Platform
from shared.egress.addresses import guard_of

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REGION = re.compile(r"[a-z0-9-]{1,40}")


class Transport:
    """Sends what botocore has prepared and signed. Follows no redirect, asks no proxy, keeps `most` connections."""

    def __init__(self, platform: Platform, *, most: int, read_s: float) -> None:
        self._timeout = urllib3.Timeout(connect=platform.egress_connect_s, read=read_s)
        self._aborted = False
        self._open = Opened()
        self._of_thread = threading.local()
        self._pools = urllib3.PoolManager(
            num_pools=8, maxsize=most, block=False, retries=False, ssl_context=_trust(platform.egress_ca_file)
        )
        self._pools.pool_classes_by_scheme = pool_classes(guard_of(platform), self._open)

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
