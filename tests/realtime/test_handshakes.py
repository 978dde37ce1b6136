"""Openings of sockets that are none, or come too slowly, or say too much: each is answered, and none is kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from tests.realtime.conftest import Room

WITHIN_S = 20.0
LEAST = (
    "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
SMUGGLED = "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
REFUSED = {
    "a line that is too long": (f"X: {'a' * 9000}\r\n\r\n", "", b"400"),
    "a token that is too long": ("\r\n", f"?token={'a' * 9000}", b"400"),
    "too many lines": ("".join(f"X-{number}: 1\r\n" for number in range(150)) + "\r\n", "", b"400"),
    "a head that is too long": ("".join(f"X-{number}: {'a' * 7000}\r\n" for number in range(12)) + "\r\n", "", b"431"),
    "another version, too": ("Sec-WebSocket-Version: 12\r\n\r\n", "", b"400"),
}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    where = urlsplit(url)
    assert where.hostname is not None
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("place", ["the triggers service", "the API"])
@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_handshake_is_answered_and_not_kept(room: Room, name: str, place: str):
    rest, query, status = REFUSED[name]
    url = room.platform.url if place == "the API" else room.url()
    async with connected(url.replace("ws", "http", 1)) as (reader, writer):
        head = (
            f"GET /v1/{room.app.public_id}/realtime{query} HTTP/1.1\r\n{LEAST}Authorization: Bearer {room.door.token}"
        )
        writer.write(f"{head}\r\n{rest}".encode())
        answer = await asyncio.wait_for(reader.read(), WITHIN_S)  # to its end: the connection is closed
    assert answer.startswith(b"HTTP/1.1 " + status), answer


@pytest.mark.parametrize("place", ["the triggers service", "the API"])
async def test_nothing_is_asked_behind_a_refused_handshake(room: Room, place: str):
    url = room.platform.url if place == "the API" else room.url()
    async with connected(url.replace("ws", "http", 1)) as (reader, writer):
        writer.write(f"GET /v1/nobodys/realtime HTTP/1.1\r\n{LEAST}\r\n{SMUGGLED}".encode())
        first = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WITHIN_S)
        with suppress(ConnectionError):
            writer.write(SMUGGLED.encode())
            rest = await asyncio.wait_for(reader.read(), WITHIN_S)
            assert b"HTTP/1.1" not in rest
    assert first.startswith(b"HTTP/1.1 404")
