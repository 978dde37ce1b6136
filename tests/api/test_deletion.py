"""What a deletion removes, what it leaves, and that it can be repeated."""

import asyncio
import time

import httpx
import pytest

from shared.bus import broker, streams
from shared.domain.version import code_hash
from shared.store import deletions
from shared.store import functions as stored_functions
from shared.store import invocations as stored_invocations
from shared.store.client import Store, Upsert
from shared.store.versions import Versions
from tests.api.conftest import sentence
from tests.conftest import Deploy
from tests.platform import Platform

SLOW = "import time\ndef main(params, user_data):\n    time.sleep(0.2)\n    return 1"


def code(number: float) -> str:
    return f"def main(params, user_data):\n    return {number!r} + {time.time_ns()}"


async def is_kept(store: Store, source: str) -> bool:
    return await Versions(store, "default").source(code_hash(source)) is not None


async def test_a_source_goes_with_the_last_version_that_names_it(
    client: httpx.AsyncClient, deploy: Deploy, store: Store
):
    shared, own = code(1), code(2)
    first, second = await deploy(shared), await deploy(shared)
    await client.post(f"/api/functions/{first}/code/", json={"version": "2", "code": own})
    assert (await client.delete(f"/api/functions/{first}/")).status_code == 204
    assert (await is_kept(store, shared), await is_kept(store, own)) == (True, False)
    assert (await client.post(f"/api/functions/{second}/execute/", json={})).status_code == 200
    assert (await client.delete(f"/api/functions/{second}/")).status_code == 204
    assert not await is_kept(store, shared)


async def test_refused_uploads_leave_no_source(client: httpx.AsyncClient, deploy: Deploy, store: Store):
    named, wrong = code(3), "import os  # refused"
    slug = await deploy(named)
    path = f"/api/functions/{slug}/code/"
    assert (await client.post(path, json={"version": "2", "code": wrong})).status_code == 400
    assert (await client.patch(path, json={"code": wrong})).status_code == 400
    assert not await is_kept(store, wrong)
    again = await client.post(path, json={"version": "1.0.0", "code": named})
    assert sentence(again, 400) == "Version '1.0.0' exists already"
    assert await is_kept(store, named)
    other = code(4)
    assert (await client.post(path, json={"version": "1.0.0", "code": other})).status_code == 400
    assert not await is_kept(store, other)


async def test_edits_leave_a_bounded_number_of_sources(
    client: httpx.AsyncClient, deploy: Deploy, store: Store, monkeypatch: pytest.MonkeyPatch
):
    sources = [code(5 + number) for number in range(4)]
    slug = await deploy(sources[0])
    for source in sources[1:]:
        assert (await client.patch(f"/api/functions/{slug}/code/", json={"code": source})).status_code == 200
    # What was dispatched with a former code can still be run.
    assert [await is_kept(store, source) for source in sources] == [True] * 4
    monkeypatch.setattr("shared.store.versions._FORMER", 2)
    version = (await client.get(f"/api/functions/{slug}/")).json()["active_code"]["id"]
    versions, last = Versions(store, "default"), code(9)
    await versions.keep_source(code_hash(last), last)
    await versions.replace_code(version, code_hash(last))
    assert [await is_kept(store, source) for source in [*sources, last]] == [False, False, True, True, True]
    assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
    assert [await is_kept(store, source) for source in [*sources, last]] == [False] * 5


async def test_uploads_and_deletions_of_one_source_side_by_side(
    client: httpx.AsyncClient, deploy: Deploy, store: Store
):
    """Whoever comes last: a version that is there has its source."""
    source = code(10)
    slugs = [await deploy(source) for _ in range(6)]
    made = await asyncio.gather(
        *(client.delete(f"/api/functions/{slug}/") for slug in slugs[:3]),
        *(client.post(f"/api/functions/{slug}/code/", json={"version": "2", "code": source}) for slug in slugs[3:]),
        *(client.delete(f"/api/functions/{slug}/") for slug in slugs[3:5]),
    )
    assert {answer.status_code for answer in made} <= {201, 204, 400, 404}
    assert await is_kept(store, source)
    assert (await client.post(f"/api/functions/{slugs[5]}/execute/", json={})).status_code == 200


async def test_many_invocations_go_in_parts_and_a_half_done_deletion_is_repeated(
    client: httpx.AsyncClient, deploy: Deploy, store: Store, monkeypatch: pytest.MonkeyPatch
):
    slug = await deploy()
    function = await stored_functions.Functions(store, "default").by_slug(slug)
    assert function is not None
    writes = [
        Upsert(
            {"_id": f"{slug}-{number}"},
            {"$set": {"tenant": "default", "function_id": function.id, "id": number, "status": "SUCCESS"}},
        )
        for number in range(50)
    ]
    await stored_invocations.write(store, writes)
    record = stored_invocations.Invocations(store, "default")
    monkeypatch.setattr(stored_invocations, "_AT_ONCE", 20)
    await record.delete_of(function.id)
    assert await record.count(stored_invocations.Filter(function_id=function.id)) == 0
    # As a deletion leaves it that was cut short before its end.
    await stored_functions.Functions(store, "default").change(slug, {"is_active": False, "active": None})
    await Versions(store, "default").delete_of(function.id)
    assert (await client.get(f"/api/functions/{slug}/")).status_code == 200
    assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
    assert (await client.get(f"/api/functions/{slug}/")).status_code == 404


async def test_invocations_of_a_deleted_function_are_not_found(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    ran = (await client.post(f"/api/functions/{slug}/execute/", json={})).json()
    assert (await client.get(f"/api/functions/result/{ran['task_id']}/")).status_code == 200
    assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
    assert (await client.get(f"/api/functions/result/{ran['task_id']}/")).status_code == 404
    assert (await client.get(f"/api/functions/invocations/{ran['invocation']['id']}/")).status_code == 404


async def test_what_is_queued_at_a_deletion_leaves_no_record(
    client: httpx.AsyncClient, deploy: Deploy, store: Store, platform: Platform
):
    """Calls of the deleted function run on, or are refused later: whatever they do, it is not written down."""
    slug, other = await deploy(SLOW), await deploy()
    function = await stored_functions.Functions(store, "default").by_slug(slug)
    assert function is not None
    tasks = [
        (await client.post(f"/api/functions/{slug}/execute/", json={"async": True})).json()["task_id"]
        for _ in range(40)
    ]
    assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
    async with asyncio.timeout(30):
        while await deletions.unswept(store, most=10):
            await asyncio.sleep(0.02)
    # The recorder knows of it. All that was queued before this call is over when this call is.
    record, query = stored_invocations.Invocations(store, "default"), stored_invocations.Filter(function_id=function.id)
    assert await record.count(query) == 0
    await until_quiet(platform)
    assert (await client.post(f"/api/functions/{other}/execute/", json={})).status_code == 200
    assert (await client.get(f"/api/functions/{other}/executions/")).json()["count"] == 1
    assert await record.count(query) == 0
    for task_id in tasks[:3] + tasks[-3:]:
        assert (await client.get(f"/api/functions/result/{task_id}/")).status_code == 404
    listed = await client.get("/api/functions/invocations/", params={"function_id": function.id})
    assert listed.json()["count"] == 0


async def test_another_recorder_knows_of_deletions_before_its_first_batch(
    client: httpx.AsyncClient, deploy: Deploy, store: Store, platform: Platform
):
    """It reads the streams again from its last mark, and further back where the mark is lost."""
    slug = await deploy()
    function = await stored_functions.Functions(store, "default").by_slug(slug)
    assert function is not None
    ran = (await client.post(f"/api/functions/{slug}/execute/", json={})).json()
    assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
    await store.global_delete("checkpoints", {"_id": "recorder"})
    await platform.restarted("recorder", platform.kill("recorder"))
    last = await deploy()
    async with asyncio.timeout(30):
        again = (await client.post(f"/api/functions/{last}/execute/", json={})).json()
        while not await stored_invocations.Invocations(store, "default").finished(again["task_id"]):
            await asyncio.sleep(0.02)
    assert await stored_invocations.Invocations(store, "default").by_task(ran["task_id"]) is None
    assert (
        await stored_invocations.Invocations(store, "default").count(stored_invocations.Filter(function_id=function.id))
        == 0
    )
    assert function.id in await deletions.all_ids(store)


async def until_quiet(platform: Platform, tenant: str = "default") -> None:
    """Wait until the tenant has no work in hand, nor any that waits for an executor."""
    async with broker.connect(platform.ready["nats"], name="test-quiet", timeout_s=5) as bus, asyncio.timeout(60):
        while (await bus.stream.stream_info(streams.WORK, subjects_filter=f"work.*.{tenant}.*")).state.subjects:
            await asyncio.sleep(0.05)
