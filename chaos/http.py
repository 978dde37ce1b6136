"""A small HTTP client that says what became of a request: a client has to know whether to repeat it.

httpx would take a tenth of the machine for what is little more than two lines of text.
"""

import asyncio
import contextlib
from typing import NamedTuple
from urllib.parse import urlsplit

ANSWER_S = 60.0
_CONNECT_S = 5.0


class Response(NamedTuple):
    """What was answered; status 0 where nothing was: nobody knows what became of it."""

    status: int
    body: bytes


class Client:
    """One connection to each address, kept. For one caller at a time."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def ask(self, method: str, url: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> Response:
        """Ask once. An idle connection that was closed meanwhile counts as an attempt: it may have been read."""
        where = urlsplit(url)
        target = where.path + (f"?{where.query}" if where.query else "")
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"{method} {target} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
        try:
            reader, writer = await self._connected(where.netloc)
            async with asyncio.timeout(ANSWER_S):
                writer.write(head.encode() + body)
                await writer.drain()
                response, keeps = await _read(reader)
        except (OSError, EOFError, TimeoutError, ValueError):
            self._drop(where.netloc)
            return Response(0, b"")
        except asyncio.CancelledError:
            self._drop(where.netloc)
            raise
        if not keeps:
            self._drop(where.netloc)
        return response

    def close(self) -> None:
        """Close all connections."""
        for address in list(self._open):
            self._drop(address)

    async def _connected(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        kept = self._open.get(address)
        if kept is not None and not kept[0].at_eof():
            return kept
        self._drop(address)
        host, _, port = address.rpartition(":")
        async with asyncio.timeout(_CONNECT_S):
            self._open[address] = await asyncio.open_connection(host, int(port))
        return self._open[address]

    def _drop(self, address: str) -> None:
        kept = self._open.pop(address, None)
        if kept is not None:
            with contextlib.suppress(OSError):
                kept[1].close()


async def _read(reader: asyncio.StreamReader) -> tuple[Response, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ", 2)[1])
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
    keeps = headers.get("connection", "") != "close"
    if headers.get("transfer-encoding", "") == "chunked":
        return Response(status, await _chunks(reader)), keeps
    return Response(status, await reader.readexactly(int(headers.get("content-length", "0")))), keeps


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body
