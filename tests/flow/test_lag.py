"""The number by which executors are scaled: what is queued and in hand, of all pools and of each."""

import httpx
from nats.js.api import ConsumerConfig

from services.router.lag import Lag
from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.domain.function import ENVIRONMENTS, POOLS
from tests.flow.test_lanes import queue
from tests.platform import Platform

NOTHING = dict.fromkeys(POOLS, 0)


async def test_what_is_queued_and_what_is_in_hand_counts_until_it_is_done(bus: Bus) -> None:
    lag = Lag(bus)
    await lag.look()
    assert lag.facts() == {"lag": 0, "pools": NOTHING}
    for tenant, pool, count in (("a", "python", 3), ("b", "python", 2), ("a", "proxy", 4)):
        for number in range(count):
            await bus.client.publish(subjects.work(pool, tenant), b"%d" % number)
    await bus.client.flush()
    await lag.look()
    assert lag.facts() == {"lag": 9, "pools": NOTHING | {"python": 5, "proxy": 4}}

    lane = subjects.work("python", "a")
    taker = await bus.stream.pull_subscribe(
        lane, durable="taker", stream=streams.WORK, config=ConsumerConfig(filter_subject=lane, ack_wait=60)
    )
    first, *_ = await taker.fetch(3)
    await lag.look()
    assert lag.facts()["lag"] == 9  # they are in hand
    await first.ack_sync()
    await lag.look()
    assert lag.facts() == {"lag": 8, "pools": NOTHING | {"python": 4, "proxy": 4}}
    await bus.forget_consumer(streams.WORK, "taker")


async def test_a_pool_that_is_not_known_counts_as_well(bus: Bus) -> None:
    lag = Lag(bus)
    await queue(bus, "a", 2)
    await lag.look()
    assert lag.facts() == {"lag": 2, "pools": NOTHING | {"lanes": 2}}


async def test_the_routers_page_tells_it(platform: Platform) -> None:
    metrics = str(platform.ready["services"]["router"]["metrics"])
    async with httpx.AsyncClient() as http:
        page = (await http.get(metrics.replace("/metrics", "/healthz"))).json()
    assert set(page["work"]) == {"lag", "pools"}
    assert set(page["work"]["pools"]) >= set(ENVIRONMENTS)
