"""Answers that nobody takes."""

import asyncio
import socket
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from shared import http_head
from shared.http_head import BoundedHttp

PART = b"x" * (64 << 10)


async def test_who_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_head, "STALLED_S", 0.2)
    told: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        gone = asyncio.ensure_future(receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": PART, "more_body": True})
        told.set_result(await gone)

    config = Config(endless, http=BoundedHttp, lifespan="off", log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BoundedHttp(config=config, server_state=ServerState(), app_state={}), "127.0.0.1", 0
    )
    async with server:
        with socket.create_connection(server.sockets[0].getsockname()) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await asyncio.wait_for(told, 10))["type"] == "http.disconnect"


async def test_who_takes_a_little_at_a_time_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_head, "STALLED_S", 1.0)

    async def large(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        for _ in range(64):
            await send({"type": "http.response.body", "body": PART, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    config = Config(large, http=BoundedHttp, lifespan="off", log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BoundedHttp(config=config, server_state=ServerState(), app_state={}), "127.0.0.1", 0
    )
    async with server:
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port, limit=4096)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        taken = 0
        while part := await asyncio.wait_for(reader.read(64 << 10), 10):
            taken += len(part)
        assert taken > 64 * len(PART)
        writer.close()


async def test_what_comes_as_the_server_ends_is_answered_as_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_head, "_LAST_S", 30.0)

    async def short(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = Config(short, http=BoundedHttp, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttp(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        first = await reader.readuntil(b"\r\n\r\n")
        (connection,) = state.connections
        connection.shutdown()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        last = await reader.read()
        writer.close()
    assert (first.split(b"\r\n")[0], b"connection: close" in first) == (b"HTTP/1.1 204 No Content", False)
    assert (last.split(b"\r\n")[0], b"connection: close" in last) == (b"HTTP/1.1 204 No Content", True)


async def test_a_connection_that_stays_idle_is_closed_as_the_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_head, "_LAST_S", 0.05)
    config = Config(lambda *_: None, http=BoundedHttp, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    made = asyncio.Event()

    def connection() -> BoundedHttp:
        asyncio.get_running_loop().call_soon(made.set)
        return BoundedHttp(config=config, server_state=state, app_state={})

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await made.wait()
        for one in list(state.connections):
            one.shutdown()
        assert await reader.read() == b""
        writer.close()
