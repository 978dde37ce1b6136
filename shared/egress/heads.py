"""A bound on what is read before an answer's status: interim answers (1xx) come before it, and may never end."""

import ssl
from contextvars import ContextVar
from typing import Any

import httpcore

_MOST_BYTES = 1 << 20


class Head:
    """What one request has read of its answer's head."""

    def __init__(self) -> None:
        self._left = _MOST_BYTES

    def read(self, size: int) -> None:
        """So many bytes more. Raises httpcore.RemoteProtocolError when there are too many."""
        self._left -= size
        if self._left < 0:
            raise httpcore.RemoteProtocolError("the head of the answer has no end")


READING: ContextVar[Head | None] = ContextVar("READING", default=None)
"""The head that this task reads; None where it reads a body, or for others too."""


class CountedStream(httpcore.AsyncNetworkStream):
    """A connection's stream that counts what is read of a head."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        """Read, and count."""
        data = await self._stream.read(max_bytes, timeout=timeout)
        head = READING.get()
        if head is not None:
            head.read(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        """Write."""
        await self._stream.write(buffer, timeout=timeout)

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        """The same, encrypted."""
        return CountedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What the stream below knows."""
        return self._stream.get_extra_info(info)
