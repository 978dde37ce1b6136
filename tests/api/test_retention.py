"""Records go when their time is over; what was counted of them stays."""

import asyncio
import contextlib
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
    before = await milestones.generation(store, "default")
    settings = cast("Settings", SimpleNamespace(retention_days=30.0, invoke_days=7.0, event_days=7.0, cache_s=1.0))
    await Retention(store, settings).look(first["forget_at"] + timedelta(days=1))
    assert await milestones.generation(store, "default") == before  # none goes just then
    await Retention(store, settings).look(second["forget_at"])
    assert await milestones.generation(store, "default") == before + 1
