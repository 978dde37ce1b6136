"""What the API passes on to the triggers service, in front of a real server that says what came."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets
from uvicorn.config import WSProtocolType
from websockets.asyncio.client import connect

from services.api import splice as splices
from services.api.door import Door
from services.api.forwarding import Forwarding, is_triggers
from services.api.splice import splicing
from shared import health

Scope = dict[str, Any]
LARGE = 3 << 20


class Upstream:
    """Tells what it was asked; streams, and counts who leaves; echoes frames."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.heads: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._echo(scope, receive, send)
            return
        body, more = b"", True
        while more:
            event = await receive()
            body, more = body + event.get("body", b""), event.get("more_body", False)
        if scope["path"].endswith("/stream"):
            await self._stream(receive, send)
            return
        lines = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
        told = {
            "method": scope["method"], "path": scope["raw_path"].decode(), "query": scope["query_string"].decode(),
            "headers": lines, "body": body.hex() if len(body) < 100 else len(body), "client": scope["client"][0],
            "scheme": scope["scheme"],
        }  # fmt: skip
        answer = json.dumps(told).encode()
        twice = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        length = (b"content-length", str(len(answer)).encode())
        await send({"type": "http.response.start", "status": 418, "headers": [length, *twice]})
        await send({"type": "http.response.body", "body": answer})

    async def _stream(self, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b": here\n\n", "more_body": True})
        await receive()
        self.left.set()

    async def _echo(self, scope: Scope, receive: Any, send: Any) -> None:
        self.heads.append(scope)
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})
        self.left.set()


async def refused(scope: Scope, receive: Any, send: Any) -> None:
    raise AssertionError("a path of the triggers service went elsewhere")


@asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    async with health.serve(app, listener, **options):
        yield "http://127.0.0.1:%d" % listener.getsockname()[1]  # noqa: UP031 - a tuple's part


@asynccontextmanager
async def in_front(
    upstream: Any,
    *,
    url: str = "",
    trusted: str = "127.0.0.1",
    ws: WSProtocolType = "websockets-sansio",
    body_wait_s: float = 20,
) -> AsyncIterator[str]:
    """The door of the API in front of this application."""
    async with serving(upstream, ws=ws) as behind:
        forwarding = Forwarding(url or behind, body_wait_s=body_wait_s, answer_s=20)
        door = Door(refused, refused, forwarding=forwarding, most=50)  # type: ignore[arg-type]  # nothing else is asked
        splice = splicing(url or behind, trusted_proxies=trusted)
        async with serving(door, ws=splice, trusted_proxies=trusted) as front:
            yield front
        await forwarding.close()


@pytest.mark.parametrize(
    ("path", "is_theirs"),
    [
        (b"/v1/shop/webhook/pay", True),
        (b"/v1/shop/webhook/a%2Fb", True),
        (b"/v1/shop/realtime", True),
        (b"/v1/shop/realtime/news", True),
        (b"/events/src_1", True),
        (b"/v1/shop/fn/webhook", False),
        (b"/v1/shop/functions/webhook", False),
        (b"/v1/webhook", False),
        (b"/api/events/", False),
        (b"/", False),
    ],
)
def test_which_paths_are_passed_on(path: bytes, is_theirs: bool) -> None:
    assert is_triggers(path) is is_theirs


async def test_a_request_arrives_as_it_was_sent() -> None:
    async with in_front(Upstream()) as front, httpx.AsyncClient(base_url=front) as http:
        sent = {"x-hub-signature-256": "sha256=00", "x-forwarded-for": "6.6.6.6", "x-forwarded-proto": "https"}
        url = "/v1/shop/webhook/a%20b?sig=%2F1&a=b"
        answer = await http.post(url, content=b"\x00\xff\xfe raw", headers=sent)
        told = answer.json()
        assert answer.status_code == 418
        assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert len(answer.headers.get_list("date")) == 1
        assert (told["method"], told["path"], told["query"]) == ("POST", "/v1/shop/webhook/a%20b", "sig=%2F1&a=b")
        assert bytes.fromhex(told["body"]) == b"\x00\xff\xfe raw"
        headers = dict(told["headers"])
        assert headers["x-hub-signature-256"] == "sha256=00"
        assert headers["host"] == front.removeprefix("http://")
        # The sender is a proxy that is believed here: what it says of the client is passed on.
        assert (told["client"], told["scheme"]) == ("6.6.6.6", "https")


async def test_whoever_is_no_trusted_proxy_says_nothing_of_where_a_request_is_from() -> None:
    async with in_front(Upstream(), trusted="10.0.0.1") as front, httpx.AsyncClient(base_url=front) as http:
        told = (await http.post("/events/x", headers={"x-forwarded-for": "6.6.6.6"})).json()
    # the server behind trusts 127.0.0.1, which is the API, and the API says who asked
    assert dict(told["headers"])["x-forwarded-for"] == "127.0.0.1"


async def test_large_bodies_and_bodies_of_unknown_length_go_through() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(1 << 20)

    async with in_front(Upstream()) as front, httpx.AsyncClient(base_url=front, timeout=30) as http:
        assert (await http.post("/v1/a/webhook/b", content=bytes(LARGE))).json()["body"] == LARGE
        assert (await http.post("/v1/a/webhook/b", content=parts())).json()["body"] == LARGE
        assert (await http.get("/v1/a/webhook/b")).json()["body"] == ""


async def test_a_stream_is_passed_on_as_it_comes_and_ends_with_its_reader() -> None:
    upstream = Upstream()
    async with in_front(upstream) as front, httpx.AsyncClient(base_url=front) as http:
        async with http.stream("GET", "/v1/a/realtime/stream") as answer:
            async for part in answer.aiter_raw():
                assert part == b": here\n\n"
                break
        await asyncio.wait_for(upstream.left.wait(), timeout=10)


async def test_where_nobody_is_behind_it_says_so_in_the_words_of_the_path() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
    async with in_front(Upstream(), url=nowhere) as front, httpx.AsyncClient(base_url=front) as http:
        answer = await http.post("/v1/a/webhook/b", content=b"x")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert "retry-after" in answer.headers
        assert "Idempotency-Key" in answer.json()["error"]["remediation"]  # it may have been accepted all the same
        with pytest.raises(websockets.InvalidStatus) as refusal:
            await connect(front.replace("http", "ws") + "/v1/a/realtime")
        assert refusal.value.response.status_code == 503


async def test_a_websocket_is_one_stream_from_end_to_end() -> None:
    upstream = Upstream()
    async with in_front(upstream) as front:
        url = front.replace("http", "ws") + "/v1/shop/realtime?token=t"
        headers = {"Authorization": "Bearer x", "X-Forwarded-For": "6.6.6.6"}
        async with connect(url, additional_headers=headers, max_size=None) as client:
            frames = ["a", "ü" * 1000, "b" * 200_000]
            for frame in frames:
                await client.send(frame)
            assert [await client.recv() for _ in frames] == frames
        await asyncio.wait_for(upstream.left.wait(), timeout=10)
        head = upstream.heads[0]
        assert (head["raw_path"], head["query_string"], head["client"][0]) == (
            b"/v1/shop/realtime",
            b"token=t",
            "6.6.6.6",
        )
        assert (b"authorization", b"Bearer x") in head["headers"]


async def test_a_websocket_at_another_path_is_refused() -> None:
    async with in_front(Upstream()) as front:
        with pytest.raises(websockets.InvalidStatus) as refusal:
            await connect(front.replace("http", "ws") + "/api/functions/")
        assert refusal.value.response.status_code == 404


async def test_who_reads_nothing_is_sent_no_more_than_fits_between() -> None:
    """An endless sender is held up by a client that does not read: what is in flight is bounded by the buffers."""
    sent = 0

    async def endless(scope: Scope, receive: Any, send: Any) -> None:
        nonlocal sent
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "bytes": bytes(1 << 16)})
            sent += 1 << 16

    async with in_front(endless) as front:
        url = front.replace("http", "ws") + "/v1/a/realtime"
        client = await connect(url, max_queue=1, compression=None)
        before, now = -1, 0
        async with asyncio.timeout(30):
            while before != now:  # until nothing more is taken
                before = now
                await asyncio.sleep(0.3)
                now = sent
        assert 0 < now < 64 << 20
        client.transport.abort()


async def test_who_reads_nothing_for_long_is_cut_off_and_so_is_what_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its own end knows: the service behind may be cutting it off too, but would never be heard of again."""
    monkeypatch.setattr(splices, "STALLED_S", 0.5)
    left = asyncio.Event()

    async def endless(scope: Scope, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "bytes": bytes(1 << 16)})
        finally:
            left.set()

    async with in_front(endless) as front:
        client = await connect(front.replace("http", "ws") + "/v1/a/realtime", max_queue=1, compression=None)
        await asyncio.wait_for(left.wait(), timeout=20)
        client.transport.resume_reading()  # type: ignore[attr-defined]  # what the types know of is less
        await asyncio.wait_for(client.wait_closed(), timeout=20)
        assert client.close_code == 1006
