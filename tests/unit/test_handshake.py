"""What a peer sends before its handshake is answered."""

import asyncio
import socket
from typing import Any

from shared import health
from shared.websocket import TAKE, Handshake, Line
from tests.realtime.clients import TEXT, framed

HEAD = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
WITHIN_S = 20.0


class Nobody:
    """Hears nothing."""

    def heard(self, text: str) -> None:
        raise AssertionError(text)

    def drained(self) -> None:
        return

    def lost(self) -> None:
        return

    def leave(self) -> None:
        return


async def test_nobody_keeps_it_and_the_socket_is_closed() -> None:
    begun, judged, kept = asyncio.Event(), asyncio.Event(), 0
    lines: list[Line] = []

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        begun.set()
        await judged.wait()
        await send({"type": "websocket.accept"})
        lines.append(scope["extensions"][TAKE](Nobody(), 64 << 10))

    listener = socket.create_server(("127.0.0.1", 0))
    async with health.serve(slow, listener, ws=Handshake) as server:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(HEAD)
        await asyncio.wait_for(begun.wait(), WITHIN_S)
        for _ in range(8):
            writer.write(framed(TEXT, bytes(1 << 20), masked=False)[:-1])
        writer.transport.set_write_buffer_limits(high=0)
        await asyncio.wait_for(writer.drain(), WITHIN_S)  # more than fits between: it was read
        for connection in server.server_state.connections:
            assert isinstance(connection, Handshake)
            kept += len(connection.conn.reader.buffer)
        judged.set()
        answer = await asyncio.wait_for(reader.read(), WITHIN_S)
        writer.close()
    assert b"Frames came before the handshake had ended" in answer
    assert kept == 0
