"""The way out to SNS: what is fetched from it, and from where.

Who can name a URL that is fetched from here must not be able to choose where that is: hence the strict forms.
"""

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from shared.config import ConfigError, Platform
from shared.domain.problem import Problem

if TYPE_CHECKING:
    import httpx

_WITHIN_S = 5.0
_MOST_BYTES = 64 << 10
_OK = 200
_SERVER_FAULT = 500
_HEADERS = {"accept-encoding": "identity", "user-agent": "Shoal"}
# A region as it is written, and not just a word: sns.s3.amazonaws.com is a bucket that somebody has.
_AWS = r"https://sns\.[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}\.amazonaws\.com(?:\.cn)?"
_FILE = r"(?:/_aws/sns)?/SimpleNotificationService-[A-Za-z0-9]{1,100}\.pem"  # LocalStack has it in a folder
_QUERY = r"/\?[!-~]{1,2000}"
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}:[0-9]{1,5}")


class NotFromSns(Exception):  # noqa: N818 - what it is, not what went wrong here
    """A message that must not be taken. The text is a sentence for its sender, without a word of ours in it."""


class Source(NamedTuple):
    """A URL that may be fetched. Where the operator named its host, private networks are open to it, as he wanted."""

    url: str
    is_operators: bool


class Web:
    """The way out: to SNS of AWS, and to the hosts that the operator named. Raises ConfigError.

    The HTTP client is loaded by the first message.
    """

    def __init__(self, platform: Platform, hosts: str) -> None:
        named = [host.strip() for host in hosts.split(",") if host.strip()]
        wrong = [host for host in named if not _HOST.fullmatch(host)]
        if wrong:
            raise ConfigError(f"SHOAL_TRIGGERS_SNS_HOSTS: {wrong[0]} is not a host and its port, like moto:5000")
        own = "|".join(map(re.escape, named)) or r"(?!)"
        place = rf"(?:(?P<own>https?://(?:{own}))|{_AWS})"
        self._certificate = re.compile(place + _FILE)
        self._subscription = re.compile(place + _QUERY)
        self._platform = platform
        self._clients: dict[bool, httpx.AsyncClient] = {}

    def certificate(self, url: str) -> Source:
        """Where a certificate is. Raises NotFromSns."""
        return _source(self._certificate, url)

    def subscription(self, url: str) -> Source:
        """Where a subscription is confirmed. Raises NotFromSns."""
        return _source(self._subscription, url)

    async def get(self, source: Source) -> bytes | None:
        """What is there, None where nothing is. Raises Problem(unavailable). Follows no redirect."""
        import httpx

        from shared import egress

        try:
            async with asyncio.timeout(_WITHIN_S):
                return await _read(self._client(is_operators=source.is_operators), source.url)
        except (httpx.HTTPError, httpx.InvalidURL, egress.EgressRefused, ConfigError, TimeoutError) as error:
            raise Problem("unavailable", f"SNS cannot be asked: {type(error).__name__}") from None

    def _client(self, *, is_operators: bool) -> "httpx.AsyncClient":
        from shared import egress

        if is_operators not in self._clients:
            platform = self._platform
            if is_operators:
                platform = msgspec.structs.replace(platform, egress_private=True)
            self._clients[is_operators] = egress.open_client(platform, timeout_s=_WITHIN_S)
        return self._clients[is_operators]

    async def close(self) -> None:
        """Close what is open."""
        for client in self._clients.values():
            await client.aclose()


def _source(form: re.Pattern[str], url: str) -> Source:
    found = form.fullmatch(url)
    if found is None:
        raise NotFromSns("The message names a URL that is not of SNS")
    return Source(url, found.group("own") is not None)


async def _read(client: "httpx.AsyncClient", url: str) -> bytes | None:
    async with client.stream("GET", url, headers=_HEADERS) as answer:
        if answer.status_code >= _SERVER_FAULT:
            raise Problem("unavailable", f"SNS answered {answer.status_code}")
        if answer.status_code != _OK:
            return None
        body = bytearray()
        async for part in answer.aiter_raw():  # never inflated: what is small here may be large then
            body += part
            if len(body) > _MOST_BYTES:
                return None
    return bytes(body)
