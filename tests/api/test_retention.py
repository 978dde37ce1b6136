"""Records go when their time is over; what was counted of them stays."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from services.recorder.retention import Retention
from shared.bus import broker, subjects
from shared.bus.notices import IdentityChanged
from shared.config import Platform as Settings
from shared.domain.problem import Problem
from shared.domain.retention import DAY_S, kept_s
from shared.domain.tenant import check_ceilings
from shared.store import milestones, tenants
from shared.store.client import Store
from tests.platform import Platform, running

SOURCE = "def main(p, c):\n print('hi')\n return 1"
WITHIN_S = 150.0  # MongoDB looks once a minute


def test_a_record_outlives_what_the_streams_have() -> None:
    assert kept_s(30, streams_days=7, tenant={}) == 30 * DAY_S
    assert kept_s(30, streams_days=7, tenant={"retention_days": 90}) == 90 * DAY_S
    assert kept_s(30, streams_days=7, tenant={"retention_days": 1}) == 8 * DAY_S
    assert kept_s(0, streams_days=7, tenant={}) == 0
    assert kept_s(0, streams_days=7, tenant={"retention_days": 10}) == 10 * DAY_S


def test_a_tenants_own_value_is_a_limit_above_nothing() -> None:
    check_ceilings({"retention_days": 0.5})
    with pytest.raises(Problem, match="above 0"):
        check_ceilings({"retention_days": 0})


async def called(http: httpx.AsyncClient, slug: str) -> str:
    made = await http.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    assert made.status_code == 200, made.text
    return str(made.json()["task_id"])


async def record_of(store: Store, task_id: str) -> dict[str, Any]:
    """When it is there, with its end."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            found = await store.table("invocations", "default").one({"_id": task_id, "status": "SUCCESS"})
            if found is not None:
                return found
            await asyncio.sleep(0.05)


async def test_records_go_by_themselves_and_metrics_stay(tmp_path: Path) -> None:
    async with running(tmp_path / "data", SHOAL_RETENTION_DAYS="30") as platform, platform.client() as http:
        with contextlib.closing(Store(platform.ready["mongodb"], database="shoal")) as store:
            await go(platform, http, store)


async def go(platform: Platform, http: httpx.AsyncClient, store: Store) -> None:
    """One record goes, another one stays."""
    deployed = await http.post("/api/apps/tests/functions/", json={"name": "Kept", "execution_mode": "app"})
    slug, made = deployed.json()["slug"], 1
    code = {"version": "1.0.0", "code": SOURCE, "is_active": True}
    assert (await http.post(f"/api/functions/{slug}/code/", json=code)).status_code == 201
    first = await record_of(store, await called(http, slug))
    assert first["forget_at"] - first["done_at"] == timedelta(days=30)
    await tenants.change(store, "default", limits={"retention_days": 90})
    async with broker.connect(platform.ready["nats"], name="test", timeout_s=5) as bus:
        await bus.send(subjects.identity("default"), IdentityChanged(tenant="default"))
        async with asyncio.timeout(WITHIN_S):  # the notice is on its way
            while True:
                made += 1
                second = await record_of(store, await called(http, slug))
                if second["forget_at"] - second["done_at"] == timedelta(days=90):
                    break
    past = datetime.now(UTC) - timedelta(seconds=1)
    await store.table("invocations", "default").update({"_id": first["_id"]}, {"$set": {"forget_at": past}})
    async with asyncio.timeout(WITHIN_S):
        while await store.table("invocations", "default").one({"_id": first["_id"]}) is not None:
            await asyncio.sleep(0.1)
    listed = (await http.get(f"/v1/tests/functions/{slug}/logs")).json()["logs"]
    assert first["_id"] not in [one["task_id"] for one in listed]
    assert second["_id"] in [one["task_id"] for one in listed]
    async with asyncio.timeout(WITHIN_S):  # about a second behind
        while (await http.get(f"/v1/tests/functions/{slug}")).json()["total_invocations"] != made:
            await asyncio.sleep(0.1)


@pytest.fixture
def own(platform: Platform) -> Iterator[Store]:
    """A database with nothing in it, and without indexes: nothing goes by itself."""
    with contextlib.closing(Store(platform.ready["mongodb"], database=f"retention-{os.urandom(4).hex()}")) as store:
        yield store


def retention(store: Store, *, days: float = 0.0) -> Retention:
    settings = SimpleNamespace(retention_days=days, invoke_days=7.0, event_days=7.0, cache_s=3600.0)
    return Retention(store, cast("Settings", settings))


def ended(*slugs: str) -> Iterator[Any]:
    return (SimpleNamespace(body=SimpleNamespace(tenant=slug)) for slug in slugs)


async def test_where_nobody_wants_anything_to_go_not_even_the_ends_are_looked_at(own: Store) -> None:
    await tenants.add(own, "acme")
    await tenants.change(own, "acme", limits={"memory_mb": 256})
    kept, ends = retention(own), ended("acme", "umbrella")
    assert await kept.of(ends) == {}
    assert len(list(ends)) == 2
    await tenants.change(own, "acme", limits={"retention_days": 30})
    assert await kept.of(ended("acme")) == {}  # nobody has told it yet
    await kept.changed(IdentityChanged(tenant="acme"))
    assert await kept.of(ended("acme", "umbrella")) == {"acme": 30 * DAY_S, "umbrella": 0.0}


async def test_what_holds_for_all_is_asked_of_no_tenant(own: Store) -> None:
    await tenants.add(own, "acme")
    kept = retention(own, days=10)
    assert await kept.of(ended("acme", "umbrella", "acme")) == {"acme": 10 * DAY_S, "umbrella": 10 * DAY_S}
    await tenants.change(own, "acme", limits={"retention_days": 90})
    kept.doubt()
    assert await kept.of(ended("acme", "umbrella")) == {"acme": 90 * DAY_S, "umbrella": 10 * DAY_S}


async def test_another_tenants_value_is_no_matter_of_a_users(own: Store) -> None:
    """Who logs in often has nobody look up the tenants each time."""
    kept = retention(own)
    assert await kept.of(ended("acme")) == {}
    await tenants.add(own, "acme")
    await tenants.change(own, "acme", limits={"retention_days": 30})
    await kept.changed(IdentityChanged(tenant="acme", user_id=7))
    assert await kept.of(ended("acme")) == {}


NOW = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def going(store: Store, slug: str, *moments: datetime) -> None:
    rows = [{"_id": f"{slug}-{number}", "tenant": slug, "forget_at": at} for number, at in enumerate(moments)]
    await store.add_new("invocations", rows)


async def looked(store: Store, *, minutes: int) -> list[int]:
    """The generations of acme after looks each minute, each by another recorder, while MongoDB removes what it does."""
    found = []
    for minute in range(minutes):
        now = NOW + minute * MINUTE
        await retention(store).look(now)
        await store.global_delete("invocations", {"forget_at": {"$lte": now}})
        found.append(await milestones.generation(store, "acme"))
    return found


async def test_what_is_known_of_a_long_list_is_forgotten_once_its_records_have_gone(own: Store) -> None:
    await going(own, "acme", NOW + 5 * MINUTE)
    generations = await looked(own, minutes=30)
    assert generations[:6] == [0] * 6  # it has not gone before
    assert generations[-1] == 1
    assert generations.index(1) <= 5 + 8


async def test_a_list_of_which_records_go_all_the_time_is_not_forgotten_each_minute(own: Store) -> None:
    await going(own, "acme", *(NOW + number * MINUTE / 2 for number in range(120)))
    generations = await looked(own, minutes=80)
    assert 60 // 8 <= generations[-1] <= 60 // 7 + 2
    assert generations[-10:] == [generations[-1]] * 10  # nothing goes any more


async def test_a_tenant_of_few_records_is_seen_beside_one_of_very_many(own: Store) -> None:
    await going(own, "busy", *(NOW + timedelta(milliseconds=number) for number in range(6000)))
    await going(own, "acme", NOW + MINUTE)
    assert (await looked(own, minutes=12))[-1] == 1


async def test_who_is_killed_while_it_forgets_leaves_the_rest_to_the_next(
    own: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await milestones.outdate(own, ["acme", "umbrella"], at=NOW)
    await milestones.outdate(own, ["acme"], at=NOW + MINUTE)  # the first moment counts
    forget, killed = milestones.forget, False

    async def kill(store: Store, slug: str) -> None:
        nonlocal killed
        if killed:
            raise asyncio.CancelledError
        killed = True
        await forget(store, slug)

    with monkeypatch.context() as patch:
        patch.setattr(milestones, "forget", kill)
        with pytest.raises(asyncio.CancelledError):
            await milestones.forget_outdated(own, NOW)
    assert await milestones.forget_outdated(own, NOW - MINUTE) == 0
    assert await milestones.forget_outdated(own, NOW) == 1
    assert await milestones.forget_outdated(own, NOW + MINUTE) == 0
    assert [await milestones.generation(own, slug) for slug in ("acme", "umbrella")] == [1, 1]
