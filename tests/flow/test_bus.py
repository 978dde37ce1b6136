"""The bus against a real nats-server: deduplication, leases, hand-back, dead letters, batches."""

import asyncio
import time

import msgspec
import pytest

from shared.bus import broker, consumer
from shared.bus.broker import Bus
from shared.bus.consumer import PullConsumer
from shared.bus.delivery import DONE, Delivery, Later, Verdict
from shared.bus.lookup import find_command
from shared.bus.messages import Invoke
from shared.bus.streams import Consumer, streams
from shared.submit import new_task_id
from tests.flow.commands import BOUNDS, command


def spec(name: str, **fields: object) -> Consumer:
    return msgspec.structs.replace(Consumer(stream="INVOKE", name=name, subject="invoke.*.*", lease_s=2.0), **fields)


async def test_the_same_id_is_stored_once_and_numbers_go_on_where_they_were(bus: Bus) -> None:
    first = await bus.store("invoke.acme.f", command("a"), id="a")
    again = await bus.store("invoke.acme.f", command("a"), id="a")
    assert first.sequence >= 100
    assert (first.duplicate, again.duplicate, again.sequence) == (False, True, first.sequence)


async def test_ensuring_a_stream_twice_keeps_what_is_in_it(bus: Bus) -> None:
    stored = await bus.store("invoke.acme.f", command("keep"), id="keep")
    for stream in streams(BOUNDS, first_invocation=1):
        await bus.ensure_stream(stream)
    assert (await bus.stream.get_msg("INVOKE", stored.sequence)).seq == stored.sequence


async def test_what_cannot_be_decoded_is_buried_with_its_reason(bus: Bus) -> None:
    consumer = PullConsumer(bus, spec("undecodable"), body=Invoke, handle=_fail_if_called)
    await consumer.start()
    dead = await bus.stream.pull_subscribe("dead.acme.f", stream="DEAD")
    await bus.stream.publish("invoke.acme.f", b'{"type":"invoke.v9"}')
    (letter,) = await dead.fetch(1, timeout=5)
    await consumer.stop(grace_s=1)
    told = msgspec.json.decode(letter.data)
    assert (told["stream"], told["subject"]) == ("INVOKE", "invoke.acme.f")
    assert told["reason"].startswith("undecodable")
    assert (await bus.stream.consumer_info("INVOKE", "undecodable")).num_pending == 0


async def _fail_if_called(delivery: Delivery[Invoke]) -> Verdict:
    raise AssertionError(delivery)


async def test_a_handler_that_raises_gets_the_message_again(bus: Bus) -> None:
    counts: list[int] = []
    done = asyncio.Event()

    async def handle(delivery: Delivery[Invoke]) -> Verdict:
        counts.append(delivery.count)
        if delivery.count == 1:
            message = "a bug of ours"
            raise RuntimeError(message)
        if delivery.count == 2:
            return Later(0.05)
        done.set()
        return DONE

    consumer = PullConsumer(bus, spec("raises"), body=Invoke, handle=handle)
    await consumer.start()
    await bus.store("invoke.acme.f", command("raises"), id="raises")
    await asyncio.wait_for(done.wait(), timeout=10)
    await consumer.stop(grace_s=1)
    assert counts == [1, 2, 3]


async def test_a_long_handler_keeps_its_lease_and_a_dead_one_loses_it(bus: Bus, nats: str) -> None:
    """Two connections share a consumer with a lease of 1 s; the first one vanishes while it holds a message."""
    taken, again, finish = asyncio.Event(), asyncio.Event(), asyncio.Event()
    seen: list[int] = []

    async def hold(delivery: Delivery[Invoke]) -> Verdict:
        seen.append(delivery.count)
        taken.set()
        if delivery.count > 1:
            again.set()
        await finish.wait()
        return DONE

    lease = spec("lease", lease_s=1.0)

    async def vanish() -> None:
        async with broker.connect(nats, name="other", timeout_s=5) as other:
            await PullConsumer(other, lease, body=Invoke, handle=hold).start()
            await asyncio.wait_for(taken.wait(), timeout=5)
            with pytest.raises(TimeoutError):  # two and a half leases without a second delivery
                await asyncio.wait_for(again.wait(), timeout=2.5)

    await bus.store("invoke.acme.f", command("lease"), id="lease")
    await vanish()
    taken.clear()
    finish.set()
    survivor = PullConsumer(bus, lease, body=Invoke, handle=hold)
    await survivor.start()
    await asyncio.wait_for(taken.wait(), timeout=10)
    await survivor.stop(grace_s=1)
    assert seen == [1, 2]


async def test_what_comes_again_while_it_is_handled_is_not_handled_twice(bus: Bus) -> None:
    """Its lease ran out because no signal got through; the message is acknowledged all the same."""
    seen: list[int] = []
    taken, finish = asyncio.Event(), asyncio.Event()

    async def hold(delivery: Delivery[Invoke]) -> Verdict:
        seen.append(delivery.count)
        taken.set()
        await finish.wait()
        return DONE

    consumer = PullConsumer(bus, spec("mute", lease_s=1.0), body=Invoke, handle=hold)
    await consumer.start()
    upkeep = consumer._pull._upkeep
    assert upkeep is not None
    upkeep.cancel()
    await bus.store("invoke.acme.f", command("mute"), id="mute")
    await asyncio.wait_for(taken.wait(), timeout=5)
    async with asyncio.timeout(10):
        while not (await bus.stream.consumer_info("INVOKE", "mute")).num_redelivered:
            await asyncio.sleep(0.05)
    finish.set()
    async with asyncio.timeout(10):
        while (await bus.stream.consumer_info("INVOKE", "mute")).num_ack_pending:
            await asyncio.sleep(0.05)
    await consumer.stop(grace_s=1)
    assert seen == [1]


async def test_a_message_that_fails_by_our_fault_is_given_up_in_the_end(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_MOST_FAULTS", 3)
    monkeypatch.setattr(consumer, "REDELIVERY_S", 0.02)
    counts: list[int] = []
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def fail(delivery: Delivery[Invoke]) -> Verdict:
        counts.append(delivery.count)
        message = "a bug of ours"
        raise RuntimeError(message)

    async def given_up(delivery: Delivery[Invoke], reason: str) -> None:
        told.set_result(reason)

    failing = PullConsumer(bus, spec("hopeless"), body=Invoke, handle=fail, given_up=given_up)
    await failing.start()
    dead = await bus.stream.pull_subscribe("dead.acme.f", stream="DEAD")
    await bus.store("invoke.acme.f", command("hopeless"), id="hopeless")
    assert "a bug of ours" in await asyncio.wait_for(told, timeout=10)
    (letter,) = await dead.fetch(1, timeout=5)
    await failing.stop(grace_s=1)
    assert counts == [1, 2, 3]
    assert "failed 3 times" in msgspec.json.decode(letter.data)["reason"]


async def test_stopping_hands_back_at_once_what_does_not_finish_in_time(bus: Bus) -> None:
    taken = asyncio.Event()

    async def never(delivery: Delivery[Invoke]) -> Verdict:
        taken.set()
        await asyncio.Event().wait()
        return DONE

    long_lease = spec("drain", lease_s=60.0)
    first = PullConsumer(bus, long_lease, body=Invoke, handle=never)
    await first.start()
    await bus.store("invoke.acme.f", command("drain"), id="drain")
    await asyncio.wait_for(taken.wait(), timeout=5)
    await first.stop(grace_s=0.1)
    got: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def take(delivery: Delivery[Invoke]) -> Verdict:
        got.set_result(delivery.count)
        return DONE

    second = PullConsumer(bus, long_lease, body=Invoke, handle=take)
    await second.start()
    assert await asyncio.wait_for(got, timeout=5) == 2
    await second.stop(grace_s=1)


async def test_never_more_in_hand_than_asked_for(bus: Bus) -> None:
    now = most = finished = 0
    all_done = asyncio.Event()

    async def handle(delivery: Delivery[Invoke]) -> Verdict:
        nonlocal now, most, finished
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        finished += 1
        if finished == 200:
            all_done.set()
        return DONE

    for number in range(200):
        await bus.store("invoke.acme.f", command(f"n{number}"), id=f"n{number}")
    consumer = PullConsumer(bus, spec("bounded", in_hand=7), body=Invoke, handle=handle)
    await consumer.start()
    await asyncio.wait_for(all_done.wait(), timeout=20)
    await consumer.stop(grace_s=1)
    assert most <= 7
    assert finished == 200


async def test_a_command_is_found_by_its_task_id_for_its_own_tenant_only(bus: Bus) -> None:
    task_id = new_task_id()
    for number in range(30):
        await bus.store("invoke.acme.f", command(f"x{number}"), id=f"x{number}")
    stored = await bus.store("invoke.acme.f", command(task_id), id=task_id)
    now = time.time()
    found = await find_command(bus, tenant="acme", task_id=task_id, around=now)
    assert found is not None
    assert (found.sequence, found.body.task_id) == (stored.sequence, task_id)
    assert await find_command(bus, tenant="other", task_id=task_id, around=now) is None
    assert await find_command(bus, tenant="acme", task_id=new_task_id(), around=now) is None
    assert await find_command(bus, tenant="acme", task_id=task_id, around=now - 3600) is None
