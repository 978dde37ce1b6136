"""What stands round a body, after it, and beside it in a head: bounded, and nothing of it lost or believed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from shared.http_head import HEAD_BYTES, BoundedHttp

LINE = b"x-more: " + b"v" * 1000 + b"\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Told:
    """An application that says what it was asked, and remembers."""

    def __init__(self) -> None:
        self.heads: list[list[tuple[bytes, bytes]]] = []
        self.ends: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                self.ends.append("gone")
                return
            body, more = body + event["body"], event["more_body"]
        self.heads.append(scope["headers"])
        self.ends.append("whole")
        text = f"{scope['method']} {scope['path']} ".encode() + body
        length = str(len(text)).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def asked(app: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = Config(app, http=BoundedHttp, ws="websockets-sansio", lifespan="off", log_config=None)
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttp(config=config, server_state=ServerState(), app_state={}), "127.0.0.1", 0
    )
    async with server, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer
        writer.close()


async def answered(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    return int(head.split()[1]), await reader.readexactly(int(length.split()[1]))


async def test_lines_after_a_body_are_no_part_of_the_head() -> None:
    told = Told()
    async with asked(told) as (reader, writer):
        writer.write(CHUNKED + b"2\r\nhi\r\n0\r\nHost: b\r\nAuthorization: Bearer x\r\n\r\n")
        assert await answered(reader) == (200, b"POST /a hi")
        writer.write(CHUNKED + b"0\r\n\r\n")
        assert await answered(reader) == (200, b"POST /a ")
    assert told.heads == [[(b"host", b"a"), (b"transfer-encoding", b"chunked")]] * 2


@pytest.mark.parametrize("endless", [LINE, b"v" * 1000], ids=["lines", "one line"])
@pytest.mark.parametrize("before", [b"0\r\nx: ", b"2;a="], ids=["after a body", "beside a chunk"])
async def test_what_is_no_body_is_bounded(before: bytes, endless: bytes) -> None:
    told = Told()
    if before.startswith(b"2"):
        endless = endless.replace(b"\r\n", b"").replace(b": ", b"")
    async with asked(told) as (reader, writer):
        writer.write(CHUNKED + b"2\r\nhi\r\n" + before)
        for _ in range(4 * HEAD_BYTES // len(endless)):
            writer.write(endless)
            await writer.drain()
        status, _ = await answered(reader)
        assert status == 431
        assert await reader.read() == b""
    assert told.ends == ["gone"]


async def test_a_long_body_in_many_chunks_is_none_of_that() -> None:
    async with asked(Told()) as (reader, writer):
        writer.write(CHUNKED)
        for _ in range(300):
            writer.write(b"1;" + b"e" * 1000 + b"\r\nx\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        assert await answered(reader) == (200, b"POST /a " + b"x" * 300)


@pytest.mark.parametrize("offer", [b"h2c", b"websocket", b"TLS/1.0"])
async def test_a_body_beside_an_offer_of_another_protocol_arrives(offer: bytes) -> None:
    told = Told()
    head = (
        b"POST /a?b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\nUpgrade: "
        + offer
        + b"\r\nX-Last: \r\nContent-Length: 2\r\n\r\n"
    )
    async with asked(told) as (reader, writer):
        writer.write(head + b"hi" + head + b"ho" + CHUNKED + b"1\r\n!\r\n0\r\n\r\n")
        assert [await answered(reader) for _ in range(3)] == [
            (200, b"POST /a hi"),
            (200, b"POST /a ho"),
            (200, b"POST /a !"),
        ]
        for piece in (head[:20], head[20:-1], head[-1:], b"h", b"u"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        assert await answered(reader) == (200, b"POST /a hu")
    assert told.heads[0] == told.heads[3]
    assert dict(told.heads[0])[b"connection"] == b"Upgrade, HTTP2-Settings"


async def test_many_offers_in_one_piece_are_answered_one_by_one() -> None:
    head = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with asked(Told()) as (reader, writer):
        writer.write(head * 2000)
        for _ in range(2000):
            assert await answered(reader) == (200, b"GET /a ")


async def test_a_body_that_is_no_chunks_is_refused_once_and_its_reader_told() -> None:
    told = Told()
    async with asked(told) as (reader, writer):
        writer.write(CHUNKED + b"2\r\nhi\r\n")
        await writer.drain()
        writer.write(b"zz\r\n")
        assert (await answered(reader))[0] == 400
        assert await reader.read() == b""
    assert told.ends == ["gone"]
