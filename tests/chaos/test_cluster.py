"""Three servers of the bus: who loses one goes on with another, and so does what was asked of it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import msgspec
import pytest

from chaos.bus import Cluster
from shared.bus import broker, scan
from shared.bus.broker import Bus
from shared.bus.consumer import PullConsumer
from shared.bus.delivery import DONE, Delivery, Verdict
from shared.bus.messages import Invoke
from shared.bus.streams import Consumer, streams
from shared.domain.problem import Problem
from tests.flow.commands import BOUNDS, command

WITHIN_S = 30.0


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    await cluster.start()
    yield cluster
    await cluster.stop()


@pytest.fixture
async def bus(cluster: Cluster) -> AsyncIterator[Bus]:
    bounds = msgspec.structs.replace(BOUNDS, replicas=3)
    async with broker.connect(cluster.url, name="test", timeout_s=5) as bus:
        async with asyncio.timeout(WITHIN_S):
            for stream in streams(bounds, first_invocation=1):
                await bus.ensure_stream(stream)
        yield bus


async def _stored(bus: Bus, task_id: str) -> None:
    """As a caller does that is told to try again."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                await bus.store("invoke.acme.f", command(task_id), id=task_id)
            except Problem:
                await asyncio.sleep(0.1)
            else:
                return


async def test_whoever_loses_its_server_goes_on_with_another_of_those_it_was_told_of(cluster: Cluster) -> None:
    """Of one server's address, with the password in it: the others are known by what the cluster tells."""
    first, *_ = cluster.members
    async with broker.connect(first.url, name="test", timeout_s=5) as bus:
        faults: list[str] = []
        bus.on_fault = lambda: faults.append("closed for good")
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        await first.wait()
        try:
            async with asyncio.timeout(WITHIN_S):
                while bus.client.connected_url is None or bus.client.connected_url.port == first.port:
                    await asyncio.sleep(0.05)
            assert bus.connected
            assert not faults
        finally:
            await first.start()
            await cluster.until_healthy()


async def test_whoever_is_refused_for_good_is_ended(cluster: Cluster) -> None:
    """A connection that a server closes with an error does not come back: only a new process has another one."""
    ended = asyncio.Event()
    async with broker.connect(cluster.url, name="test", timeout_s=5) as bus:
        bus.on_fault = ended.set
        await bus.client._process_err("'Authorization Violation'")  # as the server's -ERR arrives
        async with asyncio.timeout(WITHIN_S):
            await ended.wait()


async def test_to_ask_for_an_id_leaves_all_servers_as_they_were(cluster: Cluster, bus: Bus) -> None:
    """A refusal that only some of them understand would have them part company."""
    subject = "events.acme.asked.finished"
    for number in range(3):
        assert not await scan.knows(bus, "EVENTS", subject, id=f"asked-{number}")
        await bus.store(subject, command(f"asked-{number}"), id=f"asked-{number}")
        assert await scan.knows(bus, "EVENTS", subject, id=f"asked-{number}")
    await cluster.until_healthy()
    info = await bus.stream.stream_info("EVENTS", subjects_filter=subject)
    assert info.state.subjects == {subject: 3}
    assert info.cluster is not None
    assert [peer.current for peer in info.cluster.replicas or []] == [True, True]


async def test_a_consumer_that_moves_to_another_server_is_asked_there(cluster: Cluster, bus: Bus) -> None:
    """The server that has a consumer dies; those who wait for its messages are connected to the others."""
    came: dict[str, asyncio.Event] = {name: asyncio.Event() for name in ("before", "after")}

    async def handle(delivery: Delivery[Invoke]) -> Verdict:
        came[delivery.body.task_id].set()
        return DONE

    spec = Consumer(stream="INVOKE", name="moving", subject="invoke.*.*", lease_s=30.0)
    consumer = PullConsumer(bus, spec, body=Invoke, handle=handle)
    await consumer.start()
    await _stored(bus, "before")
    await asyncio.wait_for(came["before"].wait(), WITHIN_S)
    leader = await _leader_elsewhere(bus)
    victim = next(member for member in cluster.members if member.server_name == leader)
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    try:
        await _stored(bus, "after")
        await asyncio.wait_for(came["after"].wait(), WITHIN_S)
    finally:
        await victim.start()
        await cluster.until_healthy()
        await consumer.stop(grace_s=1)


async def _leader_elsewhere(bus: Bus) -> str:
    """The server that has the consumer, which is not the one that we are connected to."""
    ours = bus.client._server_info["server_name"]
    async with asyncio.timeout(WITHIN_S):
        while True:
            info = await bus.stream.consumer_info("INVOKE", "moving")
            leader = info.cluster.leader if info.cluster else None
            if leader and leader != ours:
                return leader
            await bus.client.request("$JS.API.CONSUMER.LEADER.STEPDOWN.INVOKE.moving", b"", timeout=5)
            await asyncio.sleep(0.5)
