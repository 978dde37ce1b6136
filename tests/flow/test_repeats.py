"""A command that is handed out again long after its work was sent: the work is found, wherever it is."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from services.router.repeats import Repeats
from shared.bus import broker, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.messages import Invoke
from shared.domain.problem import Problem
from shared.store.client import Store
from tests.flow.commands import command
from tests.platform import Platform, running
from tests.unit.test_execution import DISPATCH

POOL = "nobodys"


@pytest.fixture(scope="module")
async def shoal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with running(tmp_path_factory.mktemp("repeats") / "data") as platform:
        yield platform


@pytest.fixture
async def bus(shoal: Platform) -> AsyncIterator[Bus]:
    async with broker.connect(shoal.ready["nats"], name="test", timeout_s=5) as bus:
        yield bus


@pytest.fixture
async def repeats(shoal: Platform, bus: Bus) -> AsyncIterator[Repeats]:
    store = Store(shoal.ready["mongodb"], database="shoal")
    service: Any = SimpleNamespace(store=store, bus=bus, platform=SimpleNamespace(dedupe_s=600.0))
    yield Repeats(service)
    store.close()


def again(task_id: str, *, age_s: float) -> Delivery[Invoke]:
    body = msgspec.structs.replace(command(task_id), accepted_at=time.time() - age_s)
    return Delivery(body, 1, 2)


async def test_work_is_found_wherever_it_is(bus: Bus, repeats: Repeats) -> None:
    for number in range(2500):  # over one batch
        body = msgspec.structs.replace(DISPATCH, task_id=f"q-{number}")
        await bus.store(subjects.work(POOL, "acme"), body, id=f"q-{number}")
    now = time.time()
    for task_id, due_at in (("due", now - 1), ("later", now + 600)):
        body = msgspec.structs.replace(DISPATCH, task_id=task_id)
        waiting, target = subjects.later(POOL, "acme", task_id, 2), subjects.work(POOL, "acme")
        await bus.store_later(waiting, body, id=f"{task_id}.2", target=target, at=due_at)
    for task_id in ("q-0", "q-2499", "due", "later"):
        assert await repeats.routed(again(task_id, age_s=3600)), task_id


async def test_what_nobody_has_is_routed_once_all_ends_are_on_record(repeats: Repeats) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(Problem):  # the recorder writes down how far it is once a second
                assert not await repeats.routed(again("none", age_s=3600))
                return
            await asyncio.sleep(0.1)


async def test_within_the_window_the_bus_knows_better(bus: Bus, repeats: Repeats) -> None:
    await bus.store(subjects.work(POOL, "acme"), msgspec.structs.replace(DISPATCH, task_id="new"), id="new")
    assert not await repeats.routed(again("new", age_s=10))
    first = again("new", age_s=3600)
    assert not await repeats.routed(Delivery(first.body, 1, 1))
