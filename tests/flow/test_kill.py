"""kill -9 of a service in the middle of 1,000 invocations: all of them end, once each."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import nats
import pytest

from tests.conftest import TAX
from tests.platform import Platform, running

COUNT = 1000
IN_HAND = 100  # more than an executor holds on any machine that runs these tests


@pytest.fixture(scope="module")
async def fragile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform of its own, with a short lease so that a dead executor is noticed within the test's patience."""
    async with running(tmp_path_factory.mktemp("kill") / "data", SHOAL_LEASE_S="3") as platform:
        yield platform


@pytest.mark.parametrize("victim", ["executor", "router", "recorder"])
async def test_all_end_once_each(fragile: Platform, victim: str) -> None:
    async with fragile.client(limits=httpx.Limits(max_connections=16)) as client:
        slug = await _deploy(client, f"Victim {victim}")
        body = {"params": {"amount": 1000, "rate": 0.15}, "async": True}
        one_third, killed = asyncio.Event(), 0

        async def submit(numbers: list[int]) -> list[str]:
            accepted = []
            for number in numbers:
                answer = await client.post(f"/api/functions/{slug}/execute/", json=body)
                assert answer.status_code == 202, answer.text
                accepted.append(answer.json()["task_id"])
                if number > COUNT // 3:
                    one_third.set()
            return accepted

        async def kill() -> None:
            nonlocal killed
            await one_third.wait()
            killed = fragile.kill(victim)

        numbers = list(range(COUNT))
        *chunks, _ = await asyncio.gather(*(submit(numbers[start::16]) for start in range(16)), kill())
        await fragile.restarted(victim, killed)
        rows = await _until_all_ended(client, slug)
        task_ids = {task_id for chunk in chunks for task_id in chunk}
        assert len(task_ids) == COUNT
        assert {row["celery_task_id"] for row in rows} == task_ids
        assert {row["task_status"] for row in rows} == {"SUCCESS"}
        assert len(rows) == COUNT
    assert await _ends_on_the_bus(fragile, slug) == COUNT
    # JetStream keeps one end a task, so that a second run shows in the executor's count alone: none where the executor
    # lived, and where it was killed no more than it had in hand.
    assert await _counted(fragile, "shoal_ran_twice_total") <= (IN_HAND if victim == "executor" else 0)


async def _deploy(client: httpx.AsyncClient, name: str) -> str:
    made = await client.post("/api/apps/kill/functions/", json={"name": name, "execution_mode": "app"})
    slug = str(made.json()["slug"])
    code = {"version": "1.0.0", "code": TAX, "is_active": True}
    assert (await client.post(f"/api/functions/{slug}/code/", json=code)).status_code == 201
    return slug


async def _until_all_ended(client: httpx.AsyncClient, slug: str) -> list[dict[str, object]]:
    async with asyncio.timeout(60):
        while True:
            answer = await client.get(f"/api/functions/{slug}/executions/", params={"limit": COUNT})
            rows: list[dict[str, object]] = answer.json()["results"]
            if len(rows) == COUNT and all(row["task_status"] in {"SUCCESS", "FAILURE"} for row in rows):
                return rows
            await asyncio.sleep(0.1)


async def _ends_on_the_bus(platform: Platform, slug: str) -> int:
    """How many ends were put on disk."""
    connection = await nats.connect(platform.ready["nats"])
    try:
        info = await connection.jetstream().stream_info("EVENTS", subjects_filter=f"events.*.{slug}.finished")
        return sum((info.state.subjects or {}).values())
    finally:
        await connection.close()


async def _counted(platform: Platform, metric: str) -> float:
    """The sum of an executor's counter over its labels, since its start."""
    async with httpx.AsyncClient() as http:
        page = (await http.get(platform.ready["services"]["executor"]["metrics"])).text
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(metric))
