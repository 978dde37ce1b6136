"""Who was stopped for longer than its lease begins nothing of what it had; what was acknowledged is not done twice."""

import asyncio

import msgspec
import pytest

from shared.bus import absence, subjects
from shared.bus.broker import Bus
from shared.bus.consumer import PullConsumer
from shared.bus.delivery import DONE, Delivery, Later, Verdict
from shared.bus.messages import Invoke
from shared.bus.streams import Consumer
from tests.flow.commands import command

LEASE_S = 2.0
WITHIN_S = 20.0


def spec(name: str, **fields: object) -> Consumer:
    one = Consumer(stream="INVOKE", name=name, subject=f"invoke.{name}.*", lease_s=LEASE_S, fenced=True)
    return msgspec.structs.replace(one, **fields)


class Clock:
    """Stands where it is put; it goes on by itself otherwise."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._real = absence.now_s

    def __call__(self) -> float:
        return self._real() + self.ahead_s


async def test_what_was_held_during_an_absence_is_not_begun_and_comes_to_somebody_else(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(absence, "now_s", clock)
    held, go_on, again = asyncio.Event(), asyncio.Event(), asyncio.Event()
    begun: list[int] = []

    async def handle(delivery: Delivery[Invoke]) -> Verdict:
        if delivery.count == 1:
            held.set()
            await go_on.wait()
        else:
            again.set()
        if not delivery.is_ours():
            return Later(0.0)
        begun.append(delivery.count)
        return DONE

    consumer = PullConsumer(bus, spec("away"), body=Invoke, handle=handle)
    await consumer.start()
    await bus.store("invoke.away.f", command("held", "away"), id="held")
    await asyncio.wait_for(held.wait(), WITHIN_S)
    clock.ahead_s += LEASE_S
    go_on.set()
    await asyncio.wait_for(again.wait(), WITHIN_S)
    async with asyncio.timeout(WITHIN_S):
        while (await bus.stream.consumer_info("INVOKE", "away")).num_ack_pending:
            await asyncio.sleep(0.05)
    await consumer.stop(grace_s=1)
    assert begun == [2]


async def test_who_was_not_away_begins_what_it_holds(bus: Bus) -> None:
    done = asyncio.Event()

    async def handle(delivery: Delivery[Invoke]) -> Verdict:
        assert delivery.is_ours()
        done.set()
        return DONE

    consumer = PullConsumer(bus, spec("here"), body=Invoke, handle=handle)
    await consumer.start()
    await bus.store("invoke.here.f", command("here", "here"), id="here")
    await asyncio.wait_for(done.wait(), WITHIN_S)
    await consumer.stop(grace_s=1)


async def test_what_was_acknowledged_and_comes_again_is_acknowledged_again(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the server died that the acknowledgement was sent to."""
    handled: list[int] = []
    done = asyncio.Event()
    publish = bus.client.publish
    lost: list[str] = []

    async def losing(subject: str, payload: bytes = b"", **options: object) -> None:
        if payload == b"+ACK" and not lost:
            lost.append(subject)
            return
        await publish(subject, payload, **options)

    async def handle(delivery: Delivery[Invoke]) -> Verdict:
        handled.append(delivery.count)
        done.set()
        return DONE

    monkeypatch.setattr(bus.client, "publish", losing)
    consumer = PullConsumer(bus, spec("lossy"), body=Invoke, handle=handle)
    await consumer.start()
    await bus.store(subjects.invoke("lossy", "f"), command("lossy", "lossy"), id="lossy")
    await asyncio.wait_for(done.wait(), WITHIN_S)
    assert (await bus.stream.consumer_info("INVOKE", "lossy")).num_ack_pending == 1
    async with asyncio.timeout(WITHIN_S):
        while (await bus.stream.consumer_info("INVOKE", "lossy")).num_ack_pending:
            await asyncio.sleep(0.05)
    await consumer.stop(grace_s=1)
    assert lost
    assert handled == [1]
