"""The log of a function as a list."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from services.api.core.metrics import FunctionMetrics
from shared.bus.broker import Bus
from shared.domain.function import Function
from shared.domain.outcome import LogLine, Outcome, Usage, failure
from shared.domain.request import Response
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.invocations import LOG_ORDER, log_query
from tests.api.apps.ends import end, report
from tests.conftest import Deploy

NOISY = (
    "def main(params, user_data):\n print('one')\n print('two')\n log('said', level='warning')\n"
    " if params.get('fail'): raise ValueError('boom')\n return 1"
)
FIELDS = {
    "id", "task_id", "trigger", "timestamp", "method", "path", "statusCode", "status_code", "duration", "duration_ms",
    "memoryUsed", "memory_mb", "error", "stack", "consoleLogs",
}  # fmt: skip


async def function_of(store: Store, slug: str) -> Function:
    found = await Functions(store, "default").by_slug(slug)
    assert found is not None
    return found


async def logs(client: httpx.AsyncClient, slug: str, **query: object) -> dict[str, Any]:
    answer = await client.get(f"/v1/tests/functions/{slug}/logs", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def until(client: httpx.AsyncClient, slug: str, count: int, **query: object) -> list[dict[str, Any]]:
    """The log, when so many are in it."""
    async with asyncio.timeout(10):
        while len(found := (await logs(client, slug, **query))["logs"]) < count:
            await asyncio.sleep(0.02)
    return list(found)


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code


async def test_calls_of_the_other_dialect_are_in_the_log(client: httpx.AsyncClient, deploy: Deploy) -> None:
    slug = await deploy(NOISY)
    await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    await client.post(f"/api/functions/{slug}/execute/", json={"params": {"fail": True}})
    failed, passed = (await logs(client, slug))["logs"]
    assert set(failed) == set(passed) == FIELDS
    assert (passed["method"], passed["path"], passed["trigger"]) == ("POST", "/", "api")
    assert (passed["status_code"], passed["statusCode"], passed["error"], passed["stack"]) == (200, 200, None, None)
    assert failed["status_code"] == 500
    assert failed["error"].endswith("ValueError: boom")
    assert "ValueError: boom" in failed["stack"]
    assert [(line["level"], line["message"]) for line in passed["consoleLogs"]] == [
        ("log", "one"),
        ("log", "two"),
        ("warn", "said"),
    ]
    assert passed["duration"] == passed["duration_ms"] > 0
    assert passed["memoryUsed"] == passed["memory_mb"]
    ended = datetime.fromisoformat(passed["timestamp"])
    assert abs(ended.timestamp() * 1000 - passed["consoleLogs"][0]["timestamp"]) < 5000


async def test_a_request_is_shown_as_it_was_asked_and_answered(
    client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store
) -> None:
    slug = await deploy()
    function = await function_of(store, slug)
    line = LogLine(at=1767225600.0, level="info", message="hello")
    outcomes = [
        Outcome(status="SUCCESS", response=Response(status=201), logs=[line], usage=Usage(0.1, 3 << 20)),
        Outcome(status="SUCCESS", response=Response(status=404)),
        Outcome(status="SUCCESS", response=Response(status=503)),
        failure("TimeoutError", "Function execution timeout (30000ms)"),
    ]
    for number, outcome in enumerate(outcomes):
        await report(bus, end(function, outcome, id=900_000 + number, method="PUT", path="/v1/a/fn/b"))
    timeout, broken, missing, created = await until(client, slug, 4)
    assert [one["status_code"] for one in (created, missing, broken, timeout)] == [201, 404, 503, 504]
    assert [one["error"] for one in (created, missing, broken)] == [None, None, "HTTP 503"]
    assert timeout["error"] == "Function execution timeout (30000ms)"
    assert (created["method"], created["path"], created["trigger"]) == ("PUT", "/v1/a/fn/b", "http")
    assert (created["duration_ms"], created["memory_mb"]) == (pytest.approx(12, abs=1.5), 3.0)
    assert created["consoleLogs"] == [{"level": "info", "message": "hello", "timestamp": 1767225600000}]
    assert [one["id"] for one in await until(client, slug, 3, level="error")] == [900_003, 900_002, 900_001]
    assert len((await logs(client, slug, level="info"))["logs"]) == 4
    rows = (await client.get(f"/api/functions/{slug}/executions/")).json()["results"]
    assert {row["trigger_type"] for row in rows} == {"http"}
    assert [row["task_status"] for row in rows] == ["FAILURE", "SUCCESS", "SUCCESS", "SUCCESS"]


async def test_parts_of_a_log(client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store) -> None:
    slug = await deploy()
    function = await function_of(store, slug)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for number in range(5):
        done = (noon + timedelta(hours=number)).timestamp()
        await report(bus, end(function, Outcome(status="SUCCESS"), id=910_000 + number, done=done))
    await until(client, slug, 5)

    async def ids(**query: object) -> tuple[list[int], bool]:
        body = await logs(client, slug, **query)
        return [one["id"] - 910_000 for one in body["logs"]], body["hasMore"]

    assert await ids() == ([4, 3, 2, 1, 0], False)
    assert await ids(limit=5) == ([4, 3, 2, 1, 0], False)
    assert await ids(limit=2) == ([4, 3], True)
    assert await ids(since="2026-01-01T13:00:00Z") == ([4, 3, 2], False)
    assert await ids(since="2026-01-01T14:00:00+01:00", limit=2) == ([4, 3], True)
    assert await ids(since="2026-01-01T12:59:59.999") == ([4, 3, 2, 1], False)
    assert await ids(since="2026-01-02") == ([], False)
    assert await ids(since="2026-01-01", level="error") == ([], False)


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "1.5", "", "9" * 30])
async def test_a_wrong_limit_is_refused(client: httpx.AsyncClient, deploy: Deploy, limit: str) -> None:
    slug = await deploy()
    answer = await client.get(f"/v1/tests/functions/{slug}/logs", params={"limit": limit})
    refused(answer, 400, "VALIDATION_INVALID_SCHEMA")
    assert "limit" in answer.json()["error"]["details"]


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", "12"])
async def test_a_wrong_date_is_refused(client: httpx.AsyncClient, deploy: Deploy, since: str) -> None:
    slug = await deploy()
    refused(
        await client.get(f"/v1/tests/functions/{slug}/logs", params={"since": since}), 400, "VALIDATION_INVALID_SCHEMA"
    )


async def test_who_may_read_a_log(client: httpx.AsyncClient, stranger: httpx.AsyncClient, deploy: Deploy) -> None:
    slug = await deploy()
    for path in (f"/v1/tests/functions/{slug}/logs", f"/v1/tests/functions/{slug}/logs/stream"):
        refused(await stranger.get(path), 404, "RESOURCE_NOT_FOUND")
        refused(await client.get(path.replace(slug, "nobody")), 404, "RESOURCE_NOT_FOUND")
        refused(await client.get(path.replace("/tests/", "/app_000000000000/")), 404, "RESOURCE_NOT_FOUND")
        async with httpx.AsyncClient(base_url=client.base_url) as nobody:
            refused(await nobody.get(path), 401, "AUTH_REQUIRED")


async def test_the_log_of_a_deleted_function_is_for_who_asks_for_it(client: httpx.AsyncClient, store: Store) -> None:
    """It stays, as its metrics do, and is the function's own again when that comes back."""
    body = {"name": "Kept Log", "runtime": "python", "code": NOISY}
    detail = "/v1/tests/functions/Kept%20Log"
    assert (await client.post("/v1/tests/functions", json=body)).status_code == 200
    slug = (await client.get(detail)).json()["slug"]
    await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    (before,) = (await client.get(f"{detail}/logs")).json()["logs"]
    assert (await client.delete(detail)).status_code == 200
    refused(await client.get(f"{detail}/logs"), 404, "RESOURCE_NOT_FOUND")
    refused(await client.get(f"{detail}/logs", params={"include_deleted": "false"}), 404, "RESOURCE_NOT_FOUND")
    refused(await client.get(f"{detail}/logs/stream"), 404, "RESOURCE_NOT_FOUND")
    kept = await client.get(f"{detail}/logs", params={"include_deleted": "true"})
    assert kept.json() == {"logs": [before], "hasMore": False}
    assert (await client.post("/v1/tests/functions", json=body)).status_code == 200
    assert (await client.get(f"{detail}/logs")).json()["logs"] == [before]
    async with asyncio.timeout(10):
        while (await client.get(detail)).json()["total_invocations"] < 1:
            await asyncio.sleep(0.02)


async def test_a_log_of_very_much_text_comes_in_parts(
    client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store
) -> None:
    slug = await deploy()
    function = await function_of(store, slug)
    text = "x" * (1 << 20)
    for number in range(12):
        await report(bus, end(function, Outcome(status="SUCCESS", stdout=text), id=930_000 + number))
    await until(client, slug, 1, limit=1)
    async with asyncio.timeout(10):
        while not (body := await logs(client, slug, limit=12))["hasMore"]:
            await asyncio.sleep(0.02)
    assert len(body["logs"]) == 9
    older = await logs(client, slug, limit=12)
    assert [one["id"] for one in older["logs"]] == list(range(930_011, 930_002, -1))


async def test_metrics_are_the_sums_of_the_log(
    client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store
) -> None:
    slug = await deploy()
    function = await function_of(store, slug)
    metrics = FunctionMetrics(store)
    assert (await metrics.of("default", [function.id]))[function.id].total_invocations == 0
    for number in range(20):
        outcome = failure("ValueError", "x") if number % 4 == 0 else Outcome(status="SUCCESS")
        await report(bus, end(function, outcome, id=940_000 + number, took_s=0.010 if number < 19 else 1.0))
    async with asyncio.timeout(10):
        while (found := (await metrics.of("default", [function.id]))[function.id]).total_invocations < 20:
            await asyncio.sleep(0.02)
    assert (found.total_invocations, found.error_count, found.error_rate) == (20, 5, 25.0)
    assert (found.invocations_24h, found.errors_24h, found.rate_24h, found.last_status) == (20, 5, 25.0, 200)
    assert found.p50_ms == pytest.approx(10, rel=0.1)
    assert found.p99_ms == pytest.approx(1000, rel=0.1)
    assert found.avg_duration_ms == pytest.approx(59.5, rel=0.01)
    assert found.last_invocation is not None
    assert (await metrics.of("acme", [function.id]))[function.id].total_invocations == 0


async def test_metrics_go_with_their_function(client: httpx.AsyncClient, deploy: Deploy, store: Store) -> None:
    slug = await deploy()
    function = await function_of(store, slug)
    await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    table = store.table("metrics", "default")
    async with asyncio.timeout(10):
        while not await table.count({"function_id": function.id}):
            await asyncio.sleep(0.02)
        assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
        while await table.count({"function_id": function.id}):
            await asyncio.sleep(0.02)


async def test_a_log_is_read_by_its_index_alone(store: Store) -> None:
    """100,000 records, of which one in a thousand failed: no more is looked at than is shown."""
    tenant, function_id, began = "indexed", 2**40, datetime(2026, 1, 1, tzinfo=UTC)
    table = store.table("invocations", tenant)
    for first in range(0, 100_000, 10_000):
        await store.add_new(
            "invocations",
            [
                {
                    "_id": f"indexed-{number}", "id": number, "tenant": tenant, "function_id": function_id,
                    "status": "SUCCESS", "done_at": began + timedelta(seconds=number),
                    **({"failed": True} if number % 1000 == 0 else {}),
                }
                for number in range(first, first + 10_000)
            ],
        )  # fmt: skip
    try:
        for failed in (False, True):
            for since in (None, began + timedelta(seconds=10_000)):
                query, index = log_query(function_id, since=since, failed=failed)
                plan = await table.plan(query, order=LOG_ORDER, limit=51, hint=index)
                told = plan["executionStats"]
                assert told["nReturned"] == 51
                assert told["totalDocsExamined"] == 51, (failed, since)
                assert told["totalKeysExamined"] <= 52, (failed, since)
                assert "SORT" not in msgspec.json.encode(plan["queryPlanner"]["winningPlan"], enc_hook=str).decode()
    finally:
        while await table.delete_some({"function_id": function_id}, most=20_000):
            pass


async def test_a_call_over_http_is_in_the_log_and_in_the_record(client: httpx.AsyncClient) -> None:
    code = (
        "def handler(request, ctx):\n print('asked')\n"
        " return Response('teapot', status=418, headers={'x-answered': 'hush-answer'})"
    )
    body = {"name": "Över HTTP", "runtime": "python", "code": code}
    assert (await client.post("/v1/tests/functions", json=body)).status_code == 200
    called = "/v1/tests/fn/%C3%96ver%20HTTP"
    answer = await client.put(f"{called}?q=1", json={"a": 1}, headers={"x-told": "hush-request", "cookie": "c=hush"})
    assert (answer.status_code, answer.text) == (418, "teapot")
    detail = "/v1/tests/functions/%C3%96ver%20HTTP"
    (entry,) = (await client.get(f"{detail}/logs", params={"level": "error"})).json()["logs"]
    assert (entry["method"], entry["status_code"], entry["error"], entry["trigger"]) == ("PUT", 418, None, "http")
    assert entry["path"] in {called, "/v1/tests/fn/Över HTTP"}
    assert [line["message"] for line in entry["consoleLogs"]] == ["asked"]
    record = await client.get(f"/api/functions/invocations/by-task-id/{entry['task_id']}/")
    assert record.json()["task_result"]["result"] == "teapot"
    assert record.json()["invocation"]["trigger_type"] == "http"


async def test_nothing_secret_of_a_call_is_on_record(client: httpx.AsyncClient, store: Store) -> None:
    body = {"name": "hushed", "runtime": "python", "code": "def handler(request, ctx):\n return {'ok': True}"}
    assert (await client.post("/v1/tests/functions", json=body)).status_code == 200
    sent = {"x-told": "hush-request", "cookie": "c=hush-cookie"}
    assert (await client.post("/v1/tests/fn/hushed?q=hush-query", json={"a": 1}, headers=sent)).json() == {"ok": True}
    (entry,) = (await client.get("/v1/tests/functions/hushed/logs")).json()["logs"]
    found = await store.table("invocations", "default").one({"_id": entry["task_id"]})
    assert found is not None
    assert "hush-" not in str(found)
    assert (found["params"], found["status_code"]) == ('{"a":1}', 200)
