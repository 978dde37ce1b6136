"""Documents that apps name by URL, fetched: the way out of `core.jwks`.

The HTTP client is loaded by the first fetch: most platforms have no app whose end users are known by a JWKS.
"""

import asyncio
from typing import TYPE_CHECKING

from shared.config import ConfigError, Platform
from shared.domain.problem import Problem

if TYPE_CHECKING:
    import httpx

_MOST_BYTES = 256 << 10
_WITHIN_S = 5.0
_FOUND = 200
_HEADERS = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "Shoal"}


class Fetcher:
    """Fetches through the guard that keeps users' addresses out of private networks. Follows no redirect."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._client: httpx.AsyncClient | None = None

    async def fetch(self, url: str) -> bytes:
        """The document. Raises Problem(unavailable)."""
        import httpx

        from shared import egress

        try:
            if self._client is None:
                self._client = egress.open_client(self._platform, timeout_s=_WITHIN_S)
            async with asyncio.timeout(_WITHIN_S):
                return await _read(self._client, url)
        except (httpx.HTTPError, httpx.InvalidURL, egress.EgressRefused, ConfigError, TimeoutError) as error:
            raise Problem("unavailable", f"The keys cannot be fetched: {type(error).__name__}") from None

    async def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            await self._client.aclose()


async def _read(client: "httpx.AsyncClient", url: str) -> bytes:
    async with client.stream("GET", url, headers=_HEADERS) as answer:
        if answer.status_code != _FOUND:
            raise Problem("unavailable", f"The keys' address answered {answer.status_code}")
        document = bytearray()
        async for part in answer.aiter_raw():  # never inflated: what is small here may be large then
            document += part
            if len(document) > _MOST_BYTES:
                raise Problem("unavailable", f"The keys have more than {_MOST_BYTES} bytes")
    return bytes(document)
