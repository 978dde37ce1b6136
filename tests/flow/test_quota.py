"""Counting requests together, on a real nats-server: exactly enough, one question at a time, alone when it is away."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from services.api.quota import Quota
from shared import embedded
from shared.bus import broker, streams, subjects
from shared.bus.counters import Counters
from shared.domain.problem import Problem

MINUTE = 29_000_000


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = MINUTE * 60 + 12.5

    def __call__(self) -> float:
        return self.now


class Asked:
    """Counters, and how often they were asked."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.times = 0
        self.at_once = self.most_at_once = 0

    async def add(self, subject: str, amount: int, *, timeout_s: float) -> int:
        self.times += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._counters.add(subject, amount, timeout_s=timeout_s)
        finally:
            self.at_once -= 1


class Away:
    """A bus that never answers, within the time it is given."""

    def __init__(self) -> None:
        self.times = 0

    async def add(self, _subject: str, _amount: int, *, timeout_s: float) -> int:
        self.times += 1
        await asyncio.sleep(timeout_s)
        raise Problem("unavailable", "away")


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Nats]:
    server = embedded.Nats(tmp_path_factory.mktemp("quota"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def replicas(server: embedded.Nats) -> AsyncIterator[list[Asked]]:
    """Two connections, as two processes have them."""
    stream = streams.rates(replicas=1)
    async with (
        broker.connect(server.url, name="one", timeout_s=5) as one,
        broker.connect(server.url, name="two", timeout_s=5) as two,
    ):
        yield [Asked(Counters(one, stream)), Asked(Counters(two, stream))]


def name() -> str:
    return os.urandom(6).hex()


async def spent(quota: Quota, name: str, *, limit: int, times: int) -> int:
    """How many of so many at once were let in."""
    return sum(count is not None for count in await asyncio.gather(*(quota.spend(name, limit) for _ in range(times))))


@pytest.mark.parametrize("limit", [1, 2, 10, 99, 100, 1000])
async def test_two_replicas_let_in_the_limit_together(replicas: list[Asked], limit: int) -> None:
    clock, who = Clock(), name()
    one, two = (Quota(counters, most=100, clock=clock) for counters in replicas)

    async def hammer(quota: Quota) -> int:
        """Ten at a time, so that both come to the counter again and again."""
        return sum([await spent(quota, who, limit=limit, times=10) for _ in range(limit // 5 + 1)])

    let_in = sum(await asyncio.gather(hammer(one), hammer(two)))
    assert 0.95 * limit <= let_in <= limit


async def test_one_replica_lets_in_exactly_the_limit_and_says_what_is_left(replicas: list[Asked]) -> None:
    quota, who = Quota(replicas[0], most=100, clock=Clock()), name()
    for expected in range(249, -1, -1):
        count = await quota.spend(who, 250)
        assert count is not None
        assert count.remaining(250) == expected
    assert await quota.spend(who, 250) is None
    assert replicas[0].times == 50  # a fiftieth at a time
    assert await quota.spend(who, 250) is None
    assert replicas[0].times == 50  # what is spent is remembered


async def test_many_at_once_ask_one_at_a_time(replicas: list[Asked]) -> None:
    quota, who = Quota(replicas[0], most=100, clock=Clock()), name()
    assert await spent(quota, who, limit=700, times=1000) == 700
    assert replicas[0].times <= 2  # one takes for all who wait by then
    assert replicas[0].most_at_once == 1


async def test_who_gives_up_waiting_holds_up_nobody(replicas: list[Asked]) -> None:
    quota, who = Quota(replicas[0], most=100, clock=Clock()), name()
    calls = [asyncio.create_task(quota.spend(who, 50)) for _ in range(20)]
    await asyncio.sleep(0)
    for call in calls[:10]:  # the one that asks is among them
        call.cancel()
    assert all(await asyncio.gather(*calls[10:]))
    assert await spent(quota, who, limit=50, times=50) >= 50 - 10 - 1


async def test_a_new_minute_begins_at_nothing(replicas: list[Asked]) -> None:
    clock, who = Clock(), name()
    quota = Quota(replicas[0], most=100, clock=clock)
    assert await spent(quota, who, limit=10, times=20) == 10
    assert quota.left_s() == 48
    clock.now += 47.4
    assert await quota.spend(who, 10) is None
    assert quota.left_s() == 1
    clock.now += 0.1
    assert await spent(quota, who, limit=10, times=20) == 10


async def test_what_is_given_back_may_be_spent(replicas: list[Asked]) -> None:
    quota, who = Quota(replicas[0], most=100, clock=Clock()), name()
    count = await quota.spend(who, 1)
    assert count is not None
    assert await quota.spend(who, 1) is None
    quota.give_back(count)
    assert await quota.spend(who, 1) is count


async def test_memory_is_bounded_and_the_bus_remembers(replicas: list[Asked]) -> None:
    quota = Quota(replicas[0], most=50, clock=Clock())
    who = name()
    assert await spent(quota, who, limit=3, times=3) == 3
    for number in range(200):
        await quota.spend(f"{who}{number}", 3)
        assert len(quota) <= 50
    assert await quota.spend(who, 3) is None


async def test_a_bus_that_does_not_answer_is_asked_seldom_and_the_limit_holds() -> None:
    away = Away()
    quota = Quota(away, most=100, clock=Clock())
    async with asyncio.timeout(3):
        assert await spent(quota, "a", limit=100, times=500) == 100
        assert await spent(quota, "b", limit=7, times=10) == 7
    assert away.times == 1


async def test_the_bus_restarts(replicas: list[Asked], server: embedded.Nats, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is away each counts alone; afterwards the stream, which was in its memory, is there again."""
    monkeypatch.setattr("services.api.quota._ALONE_S", 0.0)
    clock, who, other = Clock(), name(), name()
    one, two = (Quota(counters, most=100, clock=clock) for counters in replicas)
    assert await spent(one, who, limit=100, times=40) == 40
    await server.stop()
    try:
        assert await spent(one, who, limit=100, times=20) == 20
        assert await spent(one, other, limit=5, times=10) == 5
    finally:
        await server.start()
    async with asyncio.timeout(10):
        while not await _counts(replicas[0]):
            await asyncio.sleep(0.02)
    assert await spent(one, who, limit=100, times=100) == 40
    assert await spent(two, who, limit=100, times=100) <= 100 - 20 - 40  # what was taken without the bus was told it


async def _counts(counters: Asked) -> bool:
    try:
        return await counters.add(subjects.rate(MINUTE, name()), 1, timeout_s=1) == 1
    except Problem:
        return False
