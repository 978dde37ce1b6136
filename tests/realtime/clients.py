"""Clients of sockets: the `websockets` library's, and one that writes bytes."""

import asyncio
import json
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote, urlsplit

import websockets
from websockets.asyncio.client import ClientConnection

from shared.domain.app import App

WITHIN_S = 20.0
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FIN, MASKED = 0x80, 0x80
_SHORT, _MIDDLE = 125, 126


def event(name: str, payload: Any = None, **more: Any) -> str:
    return json.dumps({"type": "event", "event": name, "payload": payload, **more})


class Client:
    """A socket that is open. Heartbeats are not shown, unless they are asked for."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heartbeats = 0

    async def say(self, *texts: str) -> None:
        for text in texts:
            await self.socket.send(text)

    async def hear(self, *, within_s: float = WITHIN_S) -> dict[str, Any]:
        """The next frame."""
        async with asyncio.timeout(within_s):
            while True:
                text = await self.socket.recv()
                assert isinstance(text, str)
                told: dict[str, Any] = json.loads(text)
                if told != {"type": "heartbeat"}:
                    return told
                self.heartbeats += 1

    async def ask(self, text: str) -> dict[str, Any]:
        await self.say(text)
        return await self.hear()

    async def closed(self, *, within_s: float = WITHIN_S) -> tuple[int | None, str | None]:
        """Code and reason, when it is closed; what comes before is thrown away."""
        async with asyncio.timeout(within_s):
            try:
                while True:
                    await self.socket.recv()
            except websockets.ConnectionClosed:
                return self.socket.close_code, self.socket.close_reason


class Door:
    """The triggers service's, and the operator's token."""

    def __init__(self, url: str, token: str) -> None:
        self.where = urlsplit(url)
        self.token = token

    def url(self, app: str, token: str = "") -> str:
        query = f"?token={quote(token)}" if token else ""
        return f"ws://{self.where.netloc}/v1/{app}/realtime{query}"

    @asynccontextmanager
    async def socket(self, url: str, token: str = "", **options: Any) -> AsyncIterator[Client]:
        """A socket at this address; the token goes into the header."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with websockets.connect(url, additional_headers=headers, open_timeout=WITHIN_S, **options) as socket:
            yield Client(socket)

    @asynccontextmanager
    async def open(self, app: App, token: str = "", **options: Any) -> AsyncIterator[Client]:
        """A socket of this app's that has said hello."""
        async with self.socket(self.url(app.public_id), token or self.token, **options) as client:
            assert (await client.hear())["type"] == "connected"
            yield client

    @asynccontextmanager
    async def raw(self, app: App, **options: Any) -> AsyncIterator["Raw"]:
        """The same, byte by byte."""
        assert self.where.hostname is not None
        reader, writer = await asyncio.open_connection(self.where.hostname, self.where.port, **options)
        head = (
            f"GET /v1/{app.public_id}/realtime HTTP/1.1\r\nHost: {self.where.netloc}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Authorization: Bearer {self.token}\r\n\r\n"
        )
        try:
            writer.write(head.encode())
            async with asyncio.timeout(WITHIN_S):
                answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 101"), answer
            raw = Raw(reader, writer)
            assert (await raw.message())["type"] == "connected"
            yield raw
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()


class Raw:
    """A socket of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def write(self, opcode: int, data: bytes, *, fin: bool = True, masked: bool = True) -> None:
        """One frame."""
        self.writer.write(framed(opcode, data, fin=fin, masked=masked))

    async def frame(self) -> tuple[int, bytes]:
        """The next frame."""
        async with asyncio.timeout(WITHIN_S):
            first, size = await self.reader.readexactly(2)
            if size == _MIDDLE:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size > _MIDDLE:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def message(self) -> dict[str, Any]:
        """The next text frame that is no heartbeat."""
        while True:
            opcode, data = await self.frame()
            if opcode == TEXT and b'"heartbeat"' not in data:
                told: dict[str, Any] = json.loads(data)
                return told

    async def closed(self) -> int:
        """The code of the close frame; 1006 where the connection ends without one."""
        try:
            while True:
                opcode, data = await self.frame()
                if opcode == CLOSE:
                    return int.from_bytes(data[:2])
        except (asyncio.IncompleteReadError, ConnectionError):
            return 1006


def framed(opcode: int, data: bytes, *, fin: bool = True, masked: bool = True) -> bytes:
    """A client's frame."""
    size, mask = len(data), os.urandom(4)
    head = bytes([opcode | (FIN if fin else 0)])
    bit = MASKED if masked else 0
    if size <= _SHORT:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += struct.pack("!BH", bit | _MIDDLE, size)
    else:
        head += struct.pack("!BQ", bit | (_MIDDLE + 1), size)
    if not masked:
        return head + data
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
