"""Senders who are slow, who go, who send what is none of theirs to say; and a server behind that ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.api import forwarding
from tests.api.test_forwarding import Upstream, in_front

Scope = dict[str, Any]
HEAD = b"POST /v1/a/webhook/b HTTP/1.1\r\nHost: a\r\n"


@asynccontextmanager
async def speaking(front: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    host, _, port = front.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(20):
            yield reader, writer
    finally:
        writer.close()


async def answered(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    return int(head.split()[1]), await reader.readexactly(int(length.split()[1]))


class Hasty:
    """Answers before a body has come, and says who has gone."""

    def __init__(self, status: int = 413) -> None:
        self.status = status
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.begun.set()
        self.asked += 1
        if self.status:
            headers = [(b"content-length", b"4"), (b"x-mine", b" 1 ")]
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            await send({"type": "http.response.body", "body": b"said"})
            return
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()


@pytest.mark.parametrize("announced", [b"Content-Length: 100000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_an_answer_is_heard_before_the_body_has_come(announced: bytes) -> None:
    async with in_front(Hasty()) as front, speaking(front) as (reader, writer):
        writer.write(HEAD + announced)
        assert await answered(reader) == (413, b"said")


async def test_an_answer_is_heard_in_the_middle_of_a_long_body() -> None:
    async with in_front(Hasty()) as front, speaking(front) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 30000000\r\n\r\n")
        for _ in range(30):
            writer.write(bytes(1_000_000))
            await writer.drain()
        assert await answered(reader) == (413, b"said")
        writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
        assert await answered(reader) == (413, b"said")


async def test_a_slow_sender_keeps_its_place_for_a_while_only() -> None:
    upstream = Hasty(0)
    async with in_front(upstream, body_wait_s=0.3) as front, speaking(front) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 9\r\n\r\nx")
        status, body = await answered(reader)
        assert (status, b"did not arrive" in body) == (400, True)
        await upstream.gone.wait()


async def test_who_goes_before_the_answer_is_gone_for_the_server_behind_too() -> None:
    upstream = Hasty(0)
    async with in_front(upstream) as front:
        async with speaking(front) as (_, writer):
            writer.write(HEAD + b"Content-Length: 1\r\n\r\nx")
            await upstream.begun.wait()
        await asyncio.wait_for(upstream.gone.wait(), timeout=10)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"X-Mine: 1 \t\r\nX-None:\r\n", 418),
        (b"Connection: upgrade\r\nUpgrade: h2c\r\n", 418),
        (b"Expect: 100-continue\r\n", 100),
        (b"Host: b\r\n", 400),
    ],
    ids=["blanks", "an offer", "expectation", "two hosts"],
)
async def test_heads_that_are_unusual(lines: bytes, status: int) -> None:
    async with in_front(Upstream()) as front, speaking(front) as (reader, writer):
        writer.write(HEAD + lines + b"Content-Length: 2\r\n\r\nhi")
        if status == 100:
            assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
            status = 418
        found, body = await answered(reader)
        assert found == status
        assert status == 400 or b'"body": "6869"' in body
        assert b"1 \\t" not in body


async def test_who_names_no_host_is_passed_on_all_the_same() -> None:
    async with in_front(Upstream()) as front, speaking(front) as (reader, writer):
        writer.write(b"POST /v1/a/webhook/b HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
        assert (await answered(reader))[0] == 418


async def test_one_whose_connection_dies_is_told_and_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that dies between two requests costs none of them; one that dies during one costs that one, once."""
    monkeypatch.setattr(forwarding, "_KEPT_S", 20.0)
    asked: list[bytes] = []
    connections: list[int] = []

    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(len(asked))
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                asked.append(head.split()[1])
                if head.split()[1].endswith(b"die"):
                    break
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                if head.split()[1].endswith(b"last"):
                    break
        writer.close()

    server = await asyncio.start_server(dying, "127.0.0.1", 0)
    url = "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]  # noqa: UP031 - a tuple's part
    async with server, in_front(Upstream(), url=url) as front, speaking(front) as (reader, writer):
        statuses = []
        for name in (b"one", b"two", b"last", b"four", b"die", b"six"):
            writer.write(b"POST /v1/a/webhook/" + name + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            statuses.append((await answered(reader))[0])
            await asyncio.sleep(0.05)  # what the server closes is seen to be closed
    assert statuses == [200, 200, 200, 200, 503, 200]
    assert len(asked) == 6
    assert connections == [0, 3, 5]


async def test_an_answer_without_an_end_is_left_without_one() -> None:
    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
        writer.close()

    server = await asyncio.start_server(breaking, "127.0.0.1", 0)
    url = "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]  # noqa: UP031 - a tuple's part
    async with server, in_front(Upstream(), url=url) as front, speaking(front) as (reader, writer):
        writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
        with pytest.raises(asyncio.IncompleteReadError):
            await answered(reader)


async def test_those_who_are_passed_on_leave_half_of_the_room() -> None:
    """50 places: 25 of them for what goes to the triggers service."""
    upstream = Hasty(0)
    async with in_front(upstream) as front, contextlib.AsyncExitStack() as stack:
        for _ in range(25):
            _, writer = await stack.enter_async_context(speaking(front))
            writer.write(HEAD + b"Content-Length: 1\r\n\r\n")
        async with asyncio.timeout(10):
            while upstream.asked < 25:
                await asyncio.sleep(0.01)
        reader, writer = await stack.enter_async_context(speaking(front))
        writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
        assert (await answered(reader))[0] == 503


async def test_head_has_no_body() -> None:
    async with in_front(Hasty(200)) as front, speaking(front) as (reader, writer):
        for _ in range(2):
            writer.write(b"HEAD /v1/a/realtime/b HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
