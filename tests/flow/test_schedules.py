"""Schedules on a whole platform: set over HTTP, fired, skipped, made up for, changed, and through kill -9."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.scheduler.plans import set_plan
from shared.bus import broker, subjects, timers
from shared.bus.broker import Bus
from shared.domain.function import Function
from shared.store.client import Store
from shared.store.functions import Functions
from tests.conftest import TAX
from tests.flow.schedules import TENANT, commands, function, planned, scheduler, shown, soon
from tests.platform import Platform, running

COUNT = 500


@pytest.fixture(scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform that sweeps every second."""
    async with running(tmp_path_factory.mktemp("cron") / "data", SHOAL_SCHEDULER_SWEEP_S="1") as platform:
        yield platform


@pytest.fixture(scope="module")
async def client(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with platform.client() as client:
        yield client


@pytest.fixture(scope="module")
async def bus(platform: Platform) -> AsyncIterator[Bus]:
    async with broker.connect(platform.ready["nats"], name="test", timeout_s=5) as bus:
        yield bus


@pytest.fixture(scope="module")
async def store(platform: Platform) -> AsyncIterator[Store]:
    store = Store(platform.ready["mongodb"], database="shoal")
    yield store
    store.close()


async def made(client: httpx.AsyncClient, name: str, code: str = TAX, **fields: object) -> str:
    answer = await client.post("/api/apps/cron/functions/", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    slug = str(answer.json()["slug"])
    body = {"version": "1.0.0", "code": code, "is_active": True}
    assert (await client.post(f"/api/functions/{slug}/code/", json=body)).status_code == 201
    return slug


async def patched(client: httpx.AsyncClient, slug: str, **fields: object) -> dict[str, object]:
    answer = await client.patch(f"/api/functions/{slug}/", json=fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def read(store: Store, slug: str) -> Function:
    found = await Functions(store, TENANT).by_slug(slug)
    assert found is not None
    return found


async def plan(bus: Bus, one: Function, *, there: bool, within_s: float = 10.0) -> int:
    """The number of the function's plan, when it is there, or 0 when it is not any more."""
    subject = subjects.plan(one.tenant, one.id)
    async with asyncio.timeout(within_s):
        while bool(number := await timers.last(bus, subject)) is not there:
            await asyncio.sleep(0.02)
    return number


async def due_now(bus: Bus, one: Function, *, due: int | None = None) -> int:
    """Bring the function's next tick forward: it is due now, or at that moment."""
    number = await plan(bus, one, there=True)
    moment = int(time.time()) if due is None else due
    assert await set_plan(bus, one, moment, after=number)
    return moment


async def test_the_patch_of_the_specification_and_a_run_by_schedule(
    client: httpx.AsyncClient, bus: Bus, store: Store
) -> None:
    slug = await made(client, "Calculate Tax")
    params = {"amount": 5000, "rate": 0.15}
    detail = await patched(client, slug, schedule_enabled=True, cron_expression="0 0 * * *", schedule_params=params)
    assert (detail["schedule_enabled"], detail["cron_expression"]) == (True, "0 0 * * *")
    assert (detail["schedule_timezone"], detail["schedule_missed_runs"]) == ("UTC", "once")
    found = await shown(client, slug, ticks=0)
    assert found["enabled"] is True
    assert len(found["next_runs"]) == 5
    assert all(moment.endswith("T00:00:00Z") for moment in found["next_runs"])
    due = await due_now(bus, await read(store, slug))
    [tick] = (await shown(client, slug))["last_ticks"]
    assert tick["due"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(due))
    assert (tick["state"], tick["reason"]) in {("fired", None), ("late", None)}
    async with asyncio.timeout(20):
        while (result := (await client.get(f"/api/result/{tick['task_id']}/")).json())["status"] == "PENDING":
            await asyncio.sleep(0.05)
    assert result["status"] == "SUCCESS"
    assert result["result"]["result"]["tax"] == 750
    [row] = (await client.get(f"/api/functions/{slug}/executions/")).json()["results"]
    assert (row["trigger_type"], row["user_username"]) == ("schedule", None)
    await plan(bus, await read(store, slug), there=True)  # and the next one is planned


async def test_no_code_is_a_skipped_tick_with_its_reason(client: httpx.AsyncClient, bus: Bus, store: Store) -> None:
    fields = {"schedule_enabled": True, "cron_expression": "@daily"}
    answer = await client.post("/api/apps/cron/functions/", json={"name": "No Code", **fields})
    slug = answer.json()["slug"]
    await due_now(bus, await read(store, slug))
    [tick] = (await shown(client, slug))["last_ticks"]
    assert (tick["state"], tick["task_id"]) == ("skipped", None)
    assert "no active code" in tick["reason"]


async def test_a_run_whose_predecessor_has_not_ended_is_skipped(
    client: httpx.AsyncClient, bus: Bus, store: Store
) -> None:
    code = "def main(params, user_data):\n while True:\n  pass"
    fields = {"schedule_enabled": True, "cron_expression": "@daily", "schedule_overlap": "skip"}
    slug = await made(client, "Long", code, config={"timeout": 6}, **fields)
    await due_now(bus, await read(store, slug))
    first = (await shown(client, slug))["last_ticks"][0]
    await due_now(bus, await read(store, slug), due=int(time.time()) + 1)
    second = (await shown(client, slug, ticks=2))["last_ticks"][0]
    assert second["state"] == "skipped"
    assert first["task_id"] in second["reason"]
    async with asyncio.timeout(30):
        while (await client.get(f"/api/result/{first['task_id']}/")).json()["status"] != "FAILURE":
            await asyncio.sleep(0.1)
    await due_now(bus, await read(store, slug), due=int(time.time()) + 1)
    assert (await shown(client, slug, ticks=3))["last_ticks"][0]["state"] == "fired"


async def test_a_changed_schedule_is_planned_anew_and_the_old_plan_never_fires(
    client: httpx.AsyncClient, bus: Bus, store: Store
) -> None:
    fields = {"schedule_enabled": True, "cron_expression": "0 0 1 1 *"}
    slug = await made(client, "Changing", **fields)
    old = await read(store, slug)
    number = await plan(bus, old, there=True)
    await patched(client, slug, cron_expression="0 0 1 2 *")
    async with asyncio.timeout(10):
        while await timers.last(bus, subjects.plan(TENANT, old.id)) == number:
            await asyncio.sleep(0.02)
    # The old plan once more, as if it had been on its way when the change was made: it is nobody's.
    withdrawn = await _counted(client, "withdrawn")
    number = await plan(bus, old, there=True)
    assert await set_plan(bus, old, int(time.time()), after=number)
    async with asyncio.timeout(10):
        while await _counted(client, "withdrawn") == withdrawn:
            await asyncio.sleep(0.05)
    assert (await shown(client, slug, ticks=0))["last_ticks"] == []
    assert await commands(bus_url(client), slug) == {}


async def test_disabled_and_deleted_schedules_lose_their_plans(
    client: httpx.AsyncClient, bus: Bus, store: Store
) -> None:
    fields = {"schedule_enabled": True, "cron_expression": "@hourly"}
    for name, end in (("Off", {"schedule_enabled": False}), ("Inactive", {"is_active": False}), ("Gone", None)):
        slug = await made(client, name, **fields)
        one = await read(store, slug)
        await plan(bus, one, there=True)
        if end is None:
            assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
        else:
            await patched(client, slug, **end)
        await plan(bus, one, there=False)


async def test_plans_that_were_lost_or_left_behind_are_mended_by_the_sweep(
    client: httpx.AsyncClient, bus: Bus, store: Store
) -> None:
    slug = await made(client, "Lost Plan", schedule_enabled=True, cron_expression="@daily")
    one = await read(store, slug)
    await plan(bus, one, there=True)
    await timers.withdraw(bus, subjects.plan(TENANT, one.id))
    await plan(bus, one, there=True)
    orphan = function(999_999)
    assert await set_plan(bus, orphan, soon(86_400))
    await plan(bus, orphan, there=False)


_platforms: dict[str, Platform] = {}


def bus_url(client: httpx.AsyncClient) -> str:
    return str(_platforms[str(client.base_url)].ready["nats"])


@pytest.fixture(autouse=True, scope="module")
def known(platform: Platform, client: httpx.AsyncClient) -> None:
    _platforms[str(client.base_url)] = platform


async def _counted(client: httpx.AsyncClient, state: str) -> float:
    page = _platforms[str(client.base_url)].ready["services"]["scheduler"]["metrics"]
    async with httpx.AsyncClient() as http:
        text = (await http.get(page)).text
    found = [line for line in text.splitlines() if line.startswith(f'shoal_schedule_ticks_total{{state="{state}"}}')]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


async def test_two_schedulers_one_killed_midway_fire_all_and_none_twice(
    platform: Platform, bus: Bus, store: Store
) -> None:
    due = soon(6)
    ready = platform.ready

    async def ours() -> dict[str, int]:
        return {subject: count for subject, count in (await commands(ready["nats"])).items() if ".f-" in subject}

    async with scheduler(ready["nats"], ready["mongodb"]) as other:
        many = [function(10_000 + number) for number in range(COUNT)]
        for start in range(0, COUNT, 50):
            await asyncio.gather(*(planned(bus, store, one, due=due) for one in many[start : start + 50]))
        assert time.time() < due, "the machine is too slow for this test's head start"
        async with asyncio.timeout(30):
            while len(await ours()) < COUNT // 10:
                await asyncio.sleep(0.005)
        other.kill()
        async with asyncio.timeout(30):
            while len(await ours()) < COUNT:
                await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        while await store.global_count("ticks", {"due": due, "function_id": {"$gte": 10_000}}) < COUNT:
            await asyncio.sleep(0.1)
    for one in many[:: COUNT // 10]:
        await plan(bus, one, there=True)
    assert set((await ours()).values()) == {1}


async def test_down_time_is_made_up_for_or_skipped_as_the_function_says(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    ago = int(time.time()) // 60 * 60 - 600
    async with running(folder) as platform, platform.client() as client:
        once = await made(client, "Once", schedule_enabled=True, cron_expression="*/5 * * * *")
        skip = await made(client, "Skip", schedule_enabled=True, cron_expression="*/5 * * * *",
                          schedule_missed_runs="skip")  # fmt: skip
        store = Store(platform.ready["mongodb"], database="shoal")
        async with broker.connect(platform.ready["nats"], name="test", timeout_s=5) as bus:
            ones = [await read(store, slug) for slug in (once, skip)]
            numbers = [await plan(bus, one, there=True) for one in ones]
            platform.process.send_signal(19)  # the supervisor stands still, so that nobody starts a scheduler
            platform.kill("scheduler")
            # What a platform that went down then would have left behind.
            for one, number in zip(ones, numbers, strict=True):
                await store.change_many("functions", [({"id": one.id}, {"$set": {"schedule_due": ago}})])
                assert await set_plan(bus, one, ago, after=number)
            platform.process.send_signal(18)
        store.close()
    async with running(folder) as platform, platform.client() as client:
        ran, missed = (await shown(client, once, ticks=2))["last_ticks"]
        assert (ran["state"], missed["state"]) == ("caught_up", "skipped")
        assert ran["task_id"] is not None
        assert missed["count"] >= 1
        assert "makes up" in missed["reason"]
        skipped = (await shown(client, skip))["last_ticks"][-1]
        assert (skipped["state"], skipped["task_id"]) == ("skipped", None)
        assert skipped["count"] >= 2
        assert "policy" in skipped["reason"]
        found = await commands(platform.ready["nats"])
        assert found[f"invoke.{TENANT}.{once}"] == 1
        assert f"invoke.{TENANT}.{skip}" not in found or skipped["count"] >= 1
