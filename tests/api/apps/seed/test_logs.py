"""Chapters on invocation logs and metrics: the request as it is printed, the fields that the tables name."""

import asyncio
from typing import Any

import httpx

from tests.platform import Platform

LOGS = """
GET /v1/{app_id}/functions/{name}/logs?limit=50&since=2026-01-01T00:00:00Z&level=error
Authorization: Bearer {token}
"""
ENTRY = {"method", "path", "status_code", "duration_ms", "memory_mb", "error", "consoleLogs"}
LINE = {"level", "message", "timestamp"}
METRICS = ("total_invocations", "error_count", "error_rate", "avg_duration_ms", "last_invocation")
CODE = "def main(params, user_data):\n print('asked')\n if params['fail']: raise ValueError('boom')\n return 1"


async def test_the_log_and_the_metrics_of_a_function(client: httpx.AsyncClient, platform: Platform) -> None:
    body = {"name": "hello-world", "runtime": "python", "code": CODE}
    assert (await client.post("/v1/seed-logs/functions", json=body)).status_code == 200
    detail = "/v1/seed-logs/functions/hello-world"
    slug = (await client.get(detail)).json()["slug"]
    for fail in (True, False, False, True):
        await client.post(f"/api/functions/{slug}/execute/", json={"params": {"fail": fail}})
    sent = LOGS.strip().format(app_id="seed-logs", name="hello-world", token=platform.token)
    asked, *lines = sent.split("\n")
    method, path = asked.split(" ")
    async with httpx.AsyncClient(base_url=platform.url) as http:
        answer = await http.request(method, path, headers=dict(line.split(": ", 1) for line in lines))
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert set(told) == {"logs", "hasMore"}
    assert told["hasMore"] is False
    assert [entry["status_code"] for entry in told["logs"]] == [500, 500]
    for entry in told["logs"]:
        assert entry.keys() >= ENTRY
        assert "boom" in entry["error"]
        assert [line.keys() >= LINE for line in entry["consoleLogs"]] == [True]
        assert (entry["consoleLogs"][0]["level"], entry["consoleLogs"][0]["message"]) == ("log", "asked")
    async with asyncio.timeout(10):
        while (shown := (await client.get(detail)).json())["total_invocations"] < 4:
            await asyncio.sleep(0.02)
    assert [shown[name] for name in METRICS[:3]] == [4, 2, 50.0]
    assert shown["avg_duration_ms"] > 0
    assert shown["last_invocation"] >= told["logs"][-1]["timestamp"]
    assert {name: shown["metrics"][name] for name in METRICS} == {name: shown[name] for name in METRICS}
    [row] = (await client.get("/v1/seed-logs/functions")).json()["functions"]
    assert (row["invocationCount"], row["errorRate"], row["status"], row["lastStatus"]) == (4, 0.5, "error", 500)
    assert row["avgDuration"] == shown["avgDuration"] == shown["avg_duration_ms"]
