"""Answers that are sent while they are made: each part once, in order, and no faster than they are taken."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from services.executor import streaming
from services.executor.streaming import PART_BYTES, Streaming
from shared.bus import broker, subjects
from shared.bus.broker import Bus
from shared.bus.messages import Answer, Part, Taken
from shared.domain.outcome import Outcome
from shared.domain.request import Response
from shared.store.client import Store
from shared.waiting import Wait, Waiting

TASK = "0190a000-0000-7000-8000-000000000001"
WITHIN_S = 60.0
HEAD = Response(status=201, headers=[("content-type", "text/event-stream")])
DONE = Answer(task_id=TASK, outcome=Outcome(status="SUCCESS", response=Response(streamed=True)))


@pytest.fixture
async def waiting(nats: str) -> AsyncIterator[Waiting]:
    """As an API instance has it, on a connection of its own; no store answers."""
    store = Store("mongodb://127.0.0.1:1", database="none", timeout_s=0.2)
    async with broker.connect(nats, name="waiting", timeout_s=5) as bus:
        waiting = Waiting(bus, store, instance="api-1", most=10)
        await waiting.open()
        await bus.client.flush()
        yield waiting
        waiting.give_up()
    store.close()


def entered(waiting: Waiting, *, streams: bool = True) -> Wait:
    return waiting.enter(TASK, tenant="acme", within_s=WITHIN_S, streams=streams)


def sender(bus: Bus, *, instance: str = "api-1", within_s: float = WITHIN_S) -> Streaming:
    return Streaming(bus, subjects.reply(instance, TASK), task_id=TASK, within_s=within_s)


async def taken(wait: Wait) -> list[Part]:
    parts = []
    while (part := await wait.part()) is not None:
        parts.append(part)
    return parts


async def test_many_parts_arrive_once_and_in_order(bus: Bus, waiting: Waiting):
    wait, stream, count = entered(waiting), sender(bus), 10_000
    taking = asyncio.create_task(taken(wait))
    assert not stream.begun
    for number in range(count):
        assert await stream.send(b"%d" % number, HEAD if number == 0 else None)
    await bus.send(subjects.reply("api-1", TASK), DONE)
    parts = await asyncio.wait_for(taking, 10)
    assert [part.data for part in parts] == [b"%d" % number for number in range(count)]
    assert [part.number for part in parts] == list(range(count))
    assert parts[0].head is not None
    assert (parts[0].head.status, parts[0].head.headers) == (HEAD.status, HEAD.headers)
    assert not any(part.head for part in parts[1:])
    assert await wait.outcome() == DONE.outcome
    assert len(waiting) == 0
    assert stream.begun


async def test_what_is_long_is_cut(bus: Bus, waiting: Waiting):
    wait, stream = entered(waiting), sender(bus)
    data = os.urandom(3 * PART_BYTES + 1)
    taking = asyncio.create_task(taken(wait))
    assert await stream.send(b"", HEAD)
    assert await stream.send(b"", None)  # nothing to say
    assert await stream.send(data, None)
    wait.settled(DONE.outcome)
    parts = await taking
    assert [len(part.data) for part in parts] == [0, PART_BYTES, PART_BYTES, PART_BYTES, 1]
    assert b"".join(part.data for part in parts) == data


async def test_a_slow_taker_makes_the_sender_wait(bus: Bus, waiting: Waiting):
    wait, stream = entered(waiting), sender(bus)
    sending = asyncio.create_task(stream.send(b"0", HEAD))
    assert (await wait.part()) is not None
    _, pending = await asyncio.wait({sending}, timeout=0.3)
    assert pending  # it is with the taker, who has not come back for another one
    following = asyncio.create_task(wait.part())
    assert await asyncio.wait_for(sending, 5)
    assert not following.done()
    wait.give_up()
    assert await asyncio.wait_for(following, 5) is None


async def test_a_part_that_comes_again_is_the_same_one(nats: str, waiting: Waiting):
    """The sender asks again while the taker has it; his data is taken once."""
    wait = entered(waiting)
    async with broker.connect(nats, name="impatient", timeout_s=0.1) as bus:
        stream = sender(bus)
        sending = asyncio.create_task(stream.send(b"0", HEAD))
        first = await wait.part()
        await asyncio.wait({sending}, timeout=0.35)  # three times asked
        assert not sending.done()
        following = asyncio.create_task(wait.part())
        assert await asyncio.wait_for(sending, 5)
        late = Part(task_id=TASK, number=0, run=first.run if first else "", data=b"late")
        again = await bus.ask(subjects.parts("api-1", TASK), late, answer=Taken, timeout_s=5)
        assert again == Taken()
        assert not following.done()
        sending = asyncio.create_task(stream.send(b"1", None))
        part = await asyncio.wait_for(following, 5)
        assert part is not None
        assert (part.number, part.data) == (1, b"1")
        wait.give_up()
        assert not await asyncio.wait_for(sending, 5)


async def test_another_run_of_the_call_does_not_go_on_where_the_first_one_stopped(bus: Bus, waiting: Waiting):
    wait, first, second = entered(waiting), sender(bus), sender(bus)
    taking = asyncio.create_task(taken(wait))
    assert await first.send(b"first", HEAD)
    assert not await second.send(b"second", HEAD)
    assert await first.send(b" and last", None)
    wait.settled(DONE.outcome)
    assert b"".join(part.data for part in await taking) == b"first and last"


@pytest.mark.parametrize("streams", [None, False])
async def test_nobody_takes_parts(bus: Bus, waiting: Waiting, streams: bool | None):
    if streams is not None:
        entered(waiting, streams=streams)
    async with asyncio.timeout(5):
        assert not await sender(bus).send(b"0", HEAD)


async def test_a_taker_who_goes_ends_it(bus: Bus, waiting: Waiting):
    wait, stream = entered(waiting), sender(bus)
    sending = asyncio.create_task(stream.send(b"0", HEAD))
    assert await wait.part() is not None
    wait.give_up()
    assert not await asyncio.wait_for(sending, 5)
    assert not await stream.send(b"1", None)
    assert await wait.part() is None
    assert await wait.outcome() is None


async def test_what_was_cut_is_not_gone_on_with(bus: Bus, waiting: Waiting):
    wait, stream = entered(waiting), sender(bus)
    sending = asyncio.create_task(stream.send(b"0", HEAD))
    assert await wait.part() is not None
    sending.cancel()
    await asyncio.wait({sending})
    assert not await stream.send(b"1", None)


async def test_a_taker_who_never_comes_back_is_not_waited_for_beyond_the_time_limit(nats: str, waiting: Waiting):
    wait = entered(waiting)
    async with asyncio.timeout(20), broker.connect(nats, name="impatient", timeout_s=0.1) as bus:
        sending = asyncio.create_task(sender(bus, within_s=0.5).send(b"0", HEAD))
        assert await wait.part() is not None
        assert not await sending


async def test_a_head_that_cannot_travel(bus: Bus, waiting: Waiting):
    entered(waiting)
    head = Response(headers=[("x", "y" * streaming.HEAD_BYTES)])
    assert not await sender(bus).send(b"0", head)


TAKER = """
import asyncio, sys
from shared.bus import broker
from shared.store.client import Store
from shared.waiting import Waiting

async def main(nats, task):
    store = Store("mongodb://127.0.0.1:1", database="none", timeout_s=0.2)
    async with broker.connect(nats, name="taker", timeout_s=5) as bus:
        waiting = Waiting(bus, store, instance="api-2", most=10)
        await waiting.open()
        wait = waiting.enter(task, tenant="acme", within_s=60, streams=True)
        await bus.client.flush()
        print("ready", flush=True)
        while part := await wait.part():
            print(part.number, flush=True)
            if part.number == 2:
                await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_the_process_that_takes_is_killed(nats: str):
    taker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TAKER, nats, TASK, stdout=asyncio.subprocess.PIPE
    )
    assert taker.stdout is not None
    try:
        async with asyncio.timeout(30), broker.connect(nats, name="impatient", timeout_s=0.5) as bus:
            assert await taker.stdout.readline() == b"ready\n"
            stream = sender(bus, instance="api-2")
            assert await stream.send(b"0", HEAD)
            assert await stream.send(b"1", None)
            sending = asyncio.create_task(stream.send(b"2", None))
            assert [await taker.stdout.readline() for _ in range(3)] == [b"0\n", b"1\n", b"2\n"]
            os.kill(taker.pid, signal.SIGKILL)
            assert not await sending
            assert not await stream.send(b"3", None)
    finally:
        with suppress(ProcessLookupError):
            taker.kill()
        await taker.wait()
