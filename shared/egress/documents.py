"""Documents at addresses that users chose, read whole: over https alone, by way of redirects, within bounds.

Each hop is a new request of the guarded client: its address is judged like the first one, and nothing that one host
has said or been told goes to the next.
"""

import asyncio
import re
import ssl
import zlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import httpx

from shared import egress
from shared.config import ConfigError, Platform
from shared.domain.problem import Problem, wrong

MOST_REDIRECTS = 5
MOST_URL = 2048
"""Characters of an address."""
_FOUND = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_IDLE_CONNECTIONS = 8
_HEADERS = {"accept": "text/plain, */*;q=0.5", "accept-encoding": "identity", "user-agent": "Shoal"}
_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})  # what is stored compressed comes so, whatever was asked for
_GZIP_BITS = 31
_HOST = re.compile(r"[a-z0-9_-][a-z0-9_.-]*|[0-9a-f:.]*:[0-9a-f:.]*")  # a name, or an address of either kind
_HOST_BYTES = 253
_PORTS = range(1, 65_536)


class Document(NamedTuple):
    """What the last hop answered. `body` is empty where the status is not 200: nobody has asked for its page."""

    status: int
    body: bytes


class Documents:
    """Fetches documents of at most `most_bytes`, on the wire and unpacked, each within `within_s` from first to last.

    `resolve` says which addresses a name has, the system's resolver unless it is given.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        most_bytes: int,
        within_s: float,
        resolve: Callable[[str, int], Awaitable[list[str]]] | None = None,
    ) -> None:
        self._most_bytes = most_bytes
        self._within_s = within_s
        try:
            self._client = egress.open_client(
                platform, timeout_s=within_s, idle_connections=_IDLE_CONNECTIONS, resolve=resolve
            )
        except ConfigError as error:
            raise Problem("unavailable", f"Nothing can be fetched: {error}") from None

    async def fetch(self, url: str, *, field: str) -> Document:
        """Raises Problem(invalid), in this field where it is the address, and Problem(unavailable)."""
        try:
            async with asyncio.timeout(self._within_s):
                return await self._fetched(url, field)
        except egress.EgressRefused:
            raise wrong(field, "The URL leads to an address that is not on the public internet") from None
        except (TimeoutError, httpx.TimeoutException):
            raise Problem("unavailable", f"The URL was not read within {self._within_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Problem("unavailable", _unreachable(error)) from None

    async def _fetched(self, url: str, field: str) -> Document:
        here = _checked(url, field=field, what="The URL")
        for _ in range(MOST_REDIRECTS + 1):
            async with self._client.stream("GET", here, headers=_HEADERS) as answer:
                location = answer.headers.get("location", "")
                if not location or answer.status_code not in _REDIRECTS:
                    body = await self._read(answer) if answer.status_code == _FOUND else b""
                    return Document(answer.status_code, body)
            here = _next(here, location, field=field)
        raise wrong(field, f"The URL redirects more than {MOST_REDIRECTS} times")

    async def _read(self, answer: httpx.Response) -> bytes:
        declared = answer.headers.get("content-length", "")
        if declared.isdecimal() and len(declared) < MOST_URL and int(declared) > self._most_bytes:
            raise self._too_long()
        unpacking = _unpacking(answer)
        body, sent = bytearray(), 0
        async for part in answer.aiter_raw():
            sent += len(part)
            try:
                # One byte over the bound is all that is ever unpacked.
                body += part if unpacking is None else unpacking.decompress(part, self._most_bytes + 1 - len(body))
            except zlib.error:
                raise Problem("unavailable", "What the URL answered cannot be unpacked") from None
            if sent > self._most_bytes or len(body) > self._most_bytes:
                raise self._too_long()
        if unpacking is not None and not unpacking.eof and sent:
            raise Problem("unavailable", "What the URL answered cannot be unpacked")
        return bytes(body)

    def _too_long(self) -> Problem:
        return Problem("invalid", f"What is at the URL has more than {self._most_bytes} bytes")

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()


def _checked(url: str, *, field: str, what: str) -> httpx.URL:
    """The address, if it is one that may be asked at all. Raises Problem(invalid)."""
    if len(url) > MOST_URL:
        raise wrong(field, f"{what} has more than {MOST_URL} characters")
    try:
        found = httpx.URL(url)
        host = found.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        raise wrong(field, f"{what} is not a URL") from None
    if found.scheme == "http":
        raise wrong(field, f"{what} begins with http://: only https:// is loaded, which nobody can change on its way")
    if found.scheme != "https":
        raise wrong(field, f"{what} does not begin with https://")
    if found.userinfo:
        raise wrong(field, f"{what} has a user or a password in it, which are not sent")
    if not _HOST.fullmatch(host) or len(host) > _HOST_BYTES or not (found.port is None or found.port in _PORTS):
        raise wrong(field, f"{what} has no host and port that can be asked")
    return found.copy_with(fragment=None)


def _next(here: httpx.URL, location: str, *, field: str) -> httpx.URL:
    what = "A redirect of the URL"
    if len(location) > MOST_URL:
        raise wrong(field, f"{what} has more than {MOST_URL} characters")
    try:
        there = here.join(location)
    except (httpx.InvalidURL, ValueError):
        raise wrong(field, f"{what} is not a URL") from None
    return _checked(str(there), field=field, what=what)


def _unpacking(answer: httpx.Response) -> "zlib._Decompress | None":
    """What unpacks the body; None where it is not packed."""
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding in _PLAIN:
        return None
    if encoding in _GZIP:
        return zlib.decompressobj(_GZIP_BITS)
    raise Problem("unavailable", "The URL answered with a compression that was not asked for")


def _unreachable(error: BaseException | None) -> str:
    # A redirect to what httpx cannot read is an error of either kind there.
    if isinstance(error, httpx.RemoteProtocolError | httpx.InvalidURL):
        return "What answered at the URL broke off, or does not keep to HTTP"
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return "The host of the URL has no certificate that can be believed"
        error = error.__cause__
    return "The URL cannot be reached"
