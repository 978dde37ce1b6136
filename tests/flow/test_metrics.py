"""The metrics of functions and their records, with the recorder killed again and again: the sums are the same."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.recorder.forgetting import Forgetting
from services.recorder.tally import Tally
from shared.bus import broker
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.domain.function import Function
from shared.domain.metrics import Metrics
from shared.domain.outcome import Outcome, cancelled, expired, failure
from shared.domain.problem import Problem
from shared.domain.request import Response
from shared.store import indexes, metrics
from shared.store.client import Store
from shared.store.functions import Functions
from tests.api.apps.ends import end, report
from tests.platform import Platform, running

CALLS, FUNCTIONS, KILLS = 6000, 3, 4
OUTCOMES = [
    Outcome(status="SUCCESS"),
    Outcome(status="SUCCESS", response=Response(status=404)),
    failure("ValueError", "x"),
    Outcome(status="SUCCESS", response=Response(status=200)),
]


@pytest.fixture(scope="module")
async def fragile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    # A recorder of a short lease: the one that comes after a killed one need not wait for long.
    async with running(tmp_path_factory.mktemp("metrics") / "data", SHOAL_RECORDER_LEASE_S="2") as platform:
        yield platform


@pytest.fixture(scope="module")
async def store(fragile: Platform) -> AsyncIterator[Store]:
    store = Store(fragile.ready["mongodb"], database="shoal")
    await indexes.ensure(store)
    yield store
    store.close()


@pytest.fixture
async def bus(fragile: Platform) -> AsyncIterator[Bus]:
    async with broker.connect(fragile.ready["nats"], name="test", timeout_s=5) as bus:
        yield bus


async def functions(platform: Platform, store: Store) -> list[Function]:
    made = []
    async with platform.client() as client:
        for number in range(FUNCTIONS):
            fields = {"name": f"Counted {number}", "execution_mode": "proxy", "webhook_url": "https://example.com/"}
            slug = (await client.post("/api/apps/tests/functions/", json=fields)).json()["slug"]
            found = await Functions(store, "default").by_slug(slug)
            assert found is not None
            made.append(found)
    return made


async def test_a_killed_recorder_counts_every_end_once(fragile: Platform, store: Store, bus: Bus) -> None:
    counted = await functions(fragile, store)
    events = [
        end(counted[n % FUNCTIONS], OUTCOMES[n % 4], id=10**6 + n, took_s=0.001 * (1 + n % 50)) for n in range(CALLS)
    ]

    async def send() -> None:
        for first in range(0, CALLS, 100):
            await asyncio.gather(*(report(bus, event) for event in events[first : first + 100]))

    async def kill() -> None:
        table = store.table("invocations", "default")
        for number in range(1, KILLS + 1):
            async with asyncio.timeout(60):  # while it writes
                while await table.count({"executor": "e"}) < number * CALLS // (KILLS + 2):
                    await asyncio.sleep(0.005)
            dead = fragile.kill("recorder")
            await fragile.restarted("recorder", dead)

    await asyncio.gather(send(), kill())
    for function in counted:
        table = store.table("invocations", "default")
        expected = [event for event in events if event.function_id == function.id]
        async with asyncio.timeout(60):
            while await table.count({"function_id": function.id}) < len(expected):
                await asyncio.sleep(0.05)
        found = await until(store, function.id, len(expected))
        failed = sum(event.outcome.failed for event in expected)
        assert await table.count({"function_id": function.id}) == len(expected)
        assert (found.total, found.errors) == (len(expected), failed)
        assert await table.count({"function_id": function.id, "failed": True}) == failed
        records = await table.many({"function_id": function.id}, limit=CALLS, fields=["duration_us"])
        assert found.duration_us == sum(record["duration_us"] for record in records)
        assert sum(found.latency.values()) == sum(hour.total for hour in found.hours.values()) == len(expected)
        assert sum(hour.errors for hour in found.hours.values()) == failed


async def until(store: Store, function_id: int, total: int) -> Metrics:
    async with asyncio.timeout(30):
        while True:
            found = (await metrics.of(store, "default", [function_id])).get(function_id, Metrics())
            if found.total >= total:
                return found
            await asyncio.sleep(0.05)


async def test_a_second_end_of_a_task_does_not_count(fragile: Platform, store: Store, bus: Bus) -> None:
    """Also when the bus has forgotten that there was one."""
    function = (await functions(fragile, store))[0]
    first = end(function, Outcome(status="SUCCESS"), id=2 * 10**6)
    await report(bus, first)
    await until(store, function.id, 1)
    subject = f"events.default.{function.slug}.finished"
    await bus.store(subject, first, id="another message id")
    last = end(function, failure("ValueError", "x"), id=2 * 10**6 + 1)
    await report(bus, last)
    found = await until(store, function.id, 2)
    assert (found.total, found.errors) == (2, 1)


def delivered(sequence: int, function_id: int, **fields: Any) -> Delivery[Finished]:
    now = 1_700_000_000.0
    moment = datetime.fromtimestamp(now, UTC)
    function = Function(
        id=function_id, tenant="acme", app=1, app_slug="a", app_name="A", name="F", slug="f", execution_mode="app",
        created_at=moment, updated_at=moment,
    )  # fmt: skip
    return Delivery(
        body=end(function, Outcome(status="SUCCESS"), id=sequence, done=now, **fields), sequence=sequence, count=1
    )


async def total(store: Store, function_id: int) -> int:
    return (await metrics.of(store, "acme", [function_id])).get(function_id, Metrics()).total


async def test_two_recorders_at_once_count_once(store: Store) -> None:
    one, other = (Tally(store, Forgetting(store), stream="s") for _ in range(2))
    ends = [delivered(number, 2**41) for number in range(1, 101)]
    for first in range(0, 100, 10):
        await asyncio.gather(one.add(ends[first : first + 10]), other.add(ends[first : first + 10]))
        await asyncio.gather(one.flush(), other.flush())
        await one.add(ends[: first + 10])  # read again from the beginning
        await one.flush()
    assert await total(store, 2**41) == 100


async def test_a_stream_that_was_made_anew_counts_from_its_beginning(store: Store) -> None:
    ends = [delivered(number, 2**41 + 1) for number in range(1, 11)]
    for stream in ("first", "second"):
        tally = Tally(store, Forgetting(store), stream=stream)
        await tally.add(ends)
        await tally.flush()
    assert await total(store, 2**41 + 1) == 20


async def test_metrics_that_were_removed_do_not_come_back_in_part(store: Store) -> None:
    tally = Tally(store, Forgetting(store), stream="s")
    await tally.add([delivered(1, 2**41 + 2)])
    await tally.flush()
    await metrics.forget(store, "acme", 2**41 + 2)
    await tally.add([delivered(2, 2**41 + 2)])
    await tally.flush()
    assert await total(store, 2**41 + 2) == 0


async def test_what_was_cancelled_is_neither_a_success_nor_an_error_and_what_expired_is_one(store: Store) -> None:
    tally = Tally(store, Forgetting(store), stream="s")
    ends = [delivered(number, 2**41 + 4) for number in range(1, 4)]
    outcomes = [Outcome(status="SUCCESS"), cancelled("ada"), expired(3)]
    bodies = [msgspec.structs.replace(one.body, outcome=outcome) for one, outcome in zip(ends, outcomes, strict=True)]
    await tally.add([Delivery(body, number, 1) for number, body in enumerate(bodies, 1)])
    await tally.flush()
    found = (await metrics.of(store, "acme", [2**41 + 4]))[2**41 + 4]
    assert (found.total, found.errors, found.last_status) == (2, 1, 504)


async def test_what_could_not_be_written_is_written_later(store: Store) -> None:
    away = Store("mongodb://127.0.0.1:9/", database="shoal", timeout_s=0.2)
    tally = Tally(away, Forgetting(store), stream="s")
    await tally.add([delivered(1, 2**41 + 3), delivered(2, 2**41 + 3)])
    with pytest.raises(Problem):
        await tally.flush()
    await tally.add([delivered(3, 2**41 + 3)])
    tally._store = store
    await tally.flush()
    assert await total(store, 2**41 + 3) == 3
    away.close()
