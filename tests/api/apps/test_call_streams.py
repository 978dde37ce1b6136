"""Answers that are sent while they are made."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from services.executor.streaming import Streaming
from shared.bus.broker import Bus
from shared.bus.messages import Dispatch
from shared.domain.outcome import Outcome, failure
from shared.domain.request import Response
from tests.api.apps.conftest import MakeApp
from tests.api.apps.edge import raw
from tests.api.apps.scripted import Script, Scripted, http
from tests.platform import Platform

OPEN = (http(auth="none"),)
EVENTS = Response(headers=[("content-type", "text/event-stream"), ("set-cookie", "a=1"), ("set-cookie", "b=2")])
DONE = Outcome(status="SUCCESS", response=Response(streamed=True))
WITHIN_S = 15.0
Handler = Callable[[Streaming], Awaitable[Outcome]]


@pytest.fixture
def streams(edge_bus: Bus, scripted: Scripted, make_app: MakeApp):
    """The path of a function whose handler sends in parts, by the executor's own means."""

    async def make(handler: Handler) -> str:
        def script(dispatch: Dispatch) -> Awaitable[Outcome]:
            return handler(Streaming(edge_bus, dispatch.reply_to, task_id=dispatch.task_id, within_s=WITHIN_S))

        told: Script = script
        app = await make_app()
        return f"/v1/{app.public_id}/fn/{await scripted.add(app, told, triggers=OPEN)}"

    return make


async def test_each_part_comes_before_the_next_is_made(anyone: httpx.AsyncClient, streams):
    seen = [asyncio.Event() for _ in range(3)]

    async def handler(stream: Streaming) -> Outcome:
        for number, event in enumerate(seen):
            assert await stream.send(b"data: %d\n\n" % number, EVENTS)
            await asyncio.wait_for(event.wait(), WITHIN_S)
        return DONE

    async with anyone.stream("GET", await streams(handler)) as answered:
        assert answered.status_code == 200
        assert answered.headers["content-type"] == "text/event-stream"
        assert answered.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert "x-invocation-id" in answered.headers
        whole = b""
        async for part in answered.aiter_raw():
            whole += part
            seen[whole.count(b"data") - 1].set()
    assert whole == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


async def test_much_of_it(anyone: httpx.AsyncClient, streams):
    block = bytes(range(256)) * 2000

    async def handler(stream: Streaming) -> Outcome:
        for _ in range(10):
            assert await stream.send(block, EVENTS)
        return DONE

    assert (await anyone.get(await streams(handler))).content == block * 10


@pytest.mark.parametrize("end", [failure("TimeoutError", "30 s"), failure("Boom", "it broke")])
async def test_what_breaks_off_has_no_end(anyone: httpx.AsyncClient, streams, end: Outcome):
    async def handler(stream: Streaming) -> Outcome:
        assert await stream.send(b"half", EVENTS)
        return end

    with pytest.raises(httpx.RemoteProtocolError):
        await anyone.get(await streams(handler))


async def test_a_caller_who_goes_is_told_to_the_handler(anyone: httpx.AsyncClient, streams):
    told = asyncio.Event()

    async def handler(stream: Streaming) -> Outcome:
        while await stream.send(b"x" * 1000, EVENTS):
            await asyncio.sleep(0.02)
        told.set()
        return DONE

    async with anyone.stream("GET", await streams(handler)) as answered:
        async for _ in answered.aiter_raw():
            break
    await asyncio.wait_for(told.wait(), WITHIN_S)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (Response(headers=[("x", "a\r\nSet-Cookie: evil=1")]), 502),
        (Response(status=101), 502),
        (Response(status=204), 204),
        (Response(status=205), 205),
    ],
)
async def test_heads_after_which_nothing_comes(edge: Platform, streams, head: Response, status: int):
    told = asyncio.Event()

    async def handler(stream: Streaming) -> Outcome:
        assert not await stream.send(b"never", head)
        told.set()
        return DONE

    found = await raw(edge, f"GET {await streams(handler)} HTTP/1.1\nHost: a.example")
    assert found.status == status
    assert b"never" not in found.body
    assert found.line("set-cookie") == []
    await asyncio.wait_for(told.wait(), WITHIN_S)


async def test_who_asks_for_the_head_alone_does_not_wait_for_the_end(edge: Platform, streams):
    async def handler(stream: Streaming) -> Outcome:
        while await stream.send(b"x", EVENTS):
            pass
        return DONE

    found = await raw(edge, f"HEAD {await streams(handler)} HTTP/1.1\nHost: a.example")
    assert (found.status, found.line("content-type"), found.body) == (200, ["text/event-stream"], b"")
