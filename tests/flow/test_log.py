"""The log of commands and events, read in batches from a real nats-server."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from shared import embedded
from shared.bus import broker
from shared.bus.batches import Batch, BatchReader
from shared.bus.broker import Bus
from shared.bus.messages import Invoke
from shared.domain.problem import Problem
from tests.flow.commands import command


def reader(bus: Bus, handle: Callable[[Batch], Awaitable[dict[int, str]]], **options: float) -> BatchReader:
    chosen = {"size": 20, "linger_s": 0.01, **options}
    return BatchReader(bus, handle, key=lambda body: body.task_id, **chosen)  # type: ignore[arg-type]


async def test_a_batch_waits_for_a_store_that_is_away_and_loses_nothing(bus: Bus) -> None:
    batches: list[list[str]] = []
    complete = asyncio.Event()
    failures = 2

    async def handle(batch: Batch) -> dict[int, str]:
        nonlocal failures
        if failures:
            failures -= 1
            raise Problem("unavailable", "away")
        batches.append([delivery.body.task_id for delivery in batch])
        if sum(map(len, batches)) == 50:
            complete.set()
        return {}

    log = reader(bus, handle)
    log.add("INVOKE", body=Invoke)
    await log.start({})
    last = 0
    for number in range(50):
        last = (await bus.store("invoke.acme.f", command(f"b{number}"), id=f"b{number}")).sequence
    await asyncio.wait_for(complete.wait(), timeout=20)
    await log.stop(grace_s=1)
    assert [name for batch in batches for name in batch] == [f"b{number}" for number in range(50)]
    assert max(map(len, batches)) <= 20
    assert log.positions == {"INVOKE": last}


async def test_a_log_is_read_on_from_where_it_was(bus: Bus) -> None:
    """What was not handled comes again, what was handled does not, and what cannot be handled goes to DEAD."""
    stored = [(await bus.store("invoke.acme.f", command(f"l{n}"), id=f"l{n}")).sequence for n in range(6)]
    seen: list[str] = []
    handled = asyncio.Event()

    async def first(batch: Batch) -> dict[int, str]:
        names = [delivery.body.task_id for delivery in batch]
        if "l3" in names:
            await asyncio.Event().wait()  # until it is stopped
        seen.extend(names)
        handled.set()
        return {}

    one = reader(bus, first, size=3)
    one.add("INVOKE", body=Invoke)
    await one.start({"INVOKE": stored[0] - 1})
    await asyncio.wait_for(handled.wait(), timeout=10)
    await one.stop(grace_s=0.1)
    assert seen == ["l0", "l1", "l2"]
    assert one.positions == {"INVOKE": stored[2]}

    async def second(batch: Batch) -> dict[int, str]:
        seen.extend(delivery.body.task_id for delivery in batch)
        if "l5" in seen:
            handled.set()
        return {position: "no room" for position, entry in enumerate(batch) if entry.body.task_id == "l4"}

    handled.clear()
    dead = await bus.stream.pull_subscribe("dead.acme.f", stream="DEAD")
    two = reader(bus, second)
    two.add("INVOKE", body=Invoke)
    await two.start(one.positions)
    await asyncio.wait_for(handled.wait(), timeout=10)
    (letter,) = await dead.fetch(1, timeout=5)
    await two.stop(grace_s=1)
    assert seen == ["l0", "l1", "l2", "l3", "l4", "l5"]
    assert msgspec.json.decode(letter.data)["reason"] == "no room"
    assert two.positions == {"INVOKE": stored[5]}


async def test_what_waits_for_its_partner_comes_with_it_or_alone_in_the_end(bus: Bus) -> None:
    batches: list[list[str]] = []
    came = asyncio.Event()

    async def handle(batch: Batch) -> dict[int, str]:
        batches.append([type(delivery.body).__name__ + " " + delivery.body.task_id for delivery in batch])
        came.set()
        return {}

    log = reader(bus, handle)
    log.add("INVOKE", body=Invoke, hold_s=0.5)
    log.add("EVENTS", body=Invoke)
    await log.start({})
    await bus.store("invoke.acme.f", command("alone"), id="alone")
    await bus.store("invoke.acme.f", command("pair"), id="pair")
    await bus.store("events.acme.f.finished", command("pair"), id="pair.finished")
    await asyncio.wait_for(came.wait(), timeout=10)
    assert batches == [["Invoke pair", "Invoke pair"]]
    came.clear()
    await asyncio.wait_for(came.wait(), timeout=10)
    await log.stop(grace_s=1)
    assert batches[1] == ["Invoke alone"]


async def test_a_reader_goes_on_after_the_server_was_away(nats_server: embedded.Nats) -> None:
    """A reader's consumer lives in the server's memory: it is made anew, and nothing is missed."""
    seen: list[str] = []
    enough = asyncio.Event()

    async def handle(batch: Batch) -> dict[int, str]:
        seen.extend(delivery.body.task_id for delivery in batch)
        if len(seen) in {5, 10}:
            enough.set()
        return {}

    async with broker.connect(nats_server.url, name="reader", timeout_s=2) as bus:
        await bus.stream.purge_stream("INVOKE")
        log = reader(bus, handle)
        log.add("INVOKE", body=Invoke)
        await log.start({})
        for number in range(5):
            await bus.store("invoke.acme.f", command(f"r{number}"), id=f"r{number}")
        await asyncio.wait_for(enough.wait(), timeout=10)
        enough.clear()
        await nats_server.stop()
        await nats_server.start()
        for number in range(5, 10):
            await stored_in_the_end(bus, f"r{number}")
        await asyncio.wait_for(enough.wait(), timeout=20)
        await log.stop(grace_s=1)
    assert seen == [f"r{number}" for number in range(10)]


async def stored_in_the_end(bus: Bus, name: str) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await bus.store("invoke.acme.f", command(name), id=name)
            except Problem:
                await asyncio.sleep(0.05)
            else:
                return
