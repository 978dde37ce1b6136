"""Limits and log lines from end to end: set by `config`, enforced by name, bounded by platform and tenant, counted."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shared.domain.caller import Caller, User
from shared.store.client import Store
from tests.api.conftest import STAMP, sentence
from tests.conftest import Deploy
from tests.people import enrol
from tests.platform import Platform

LOGS = """
def main(params):
    log("started", data={"n": params["n"]})
    print("printed")
    log("odd", "warning")
    log("failing", level="error", data=[1, None, "ü"])
    if params.get("fail"): raise ValueError("no")
    return "done"
"""
ROWS = [
    {"level": "info", "message": "started", "data": {"n": 1}},
    {"level": "warning", "message": "odd", "data": None},
    {"level": "error", "message": "failing", "data": [1, None, "ü"]},
]


async def execute(client: httpx.AsyncClient, slug: str, **params: Any) -> dict[str, Any]:
    answer = await client.post(f"/api/functions/{slug}/execute/", json={"params": params})
    return dict(answer.json())


async def record(client: httpx.AsyncClient, ran: dict[str, Any]) -> dict[str, Any]:
    """The bare result of an execution, from the record."""
    path = f"/api/functions/invocations/{ran['invocation']['id']}/result/"
    async with asyncio.timeout(20):
        while True:
            found = (await client.get(path)).json()["task_result"]
            if found["status"] in ("SUCCESS", "FAILURE"):
                return dict(found)
            await asyncio.sleep(0.02)


def rows_of(shown: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines without their times, after a look at those."""
    assert all(STAMP.fullmatch(row["timestamp"]) for row in shown["logs"])
    return [{name: value for name, value in row.items() if name != "timestamp"} for row in shown["logs"]]


async def test_lines_are_in_the_answer_and_in_every_result(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(LOGS)
    ran = await execute(client, slug, n=1)
    assert (ran["data"], ran["result"]["stdout"]) == ("done", "printed\n")
    assert rows_of(ran["result"]) == ROWS
    assert "warnings" not in ran["result"]
    assert rows_of(await record(client, ran)) == ROWS
    task = (await client.get(f"/api/functions/result/{ran['task_id']}/")).json()
    assert rows_of(task["result"]) == ROWS


async def test_lines_of_a_failure_are_on_record(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(LOGS)
    found = await record(client, await execute(client, slug, n=1, fail=True))
    assert (found["status"], found["stdout"]) == ("FAILURE", "printed\n")
    assert rows_of(found) == ROWS


async def test_what_was_left_out_is_told(client: httpx.AsyncClient, deploy: Deploy):
    code = "def main():\n    print('x' * 300)\n    for n in range(9): log(n)\n    return 1"
    slug = await deploy(code, config={"output_bytes": 200, "log_lines": 0})
    ran = await execute(client, slug)
    told = [
        "OutputTruncated: output and log lines are kept up to 200 bytes",
        "LogTruncated: at most 0 log lines are kept, 9 log lines left out",
    ]
    for shown in (ran["result"], await record(client, ran)):
        assert (shown["warnings"], shown["truncated"], shown["stdout"]) == (told, True, "x" * 200)
        assert "logs" not in shown


async def test_a_result_as_deep_as_may_be_is_delivered_and_a_deeper_one_refused(
    client: httpx.AsyncClient, deploy: Deploy
):
    code = (
        "def main(params):\n    x = []\n    for _ in range(params['n']): x = [x]\n    log('deep', data=x)\n    return x"
    )
    slug = await deploy(code)
    ran = await execute(client, slug, n=500)
    assert ran["status"] == "SUCCESS"
    found = await record(client, ran)
    assert found["status"] == "SUCCESS"
    assert len(found["logs"]) == 1
    refused = await execute(client, slug, n=900)
    assert "nested too deeply" in refused["error"]


SPIN = "def main():\n    while True: pass"
ENFORCED: dict[str, tuple[str, dict[str, Any], str]] = {
    "wall": (SPIN, {"timeout": 0.3}, "TimeoutError: execution exceeded the limit of 0.3 s"),
    "cpu": (SPIN, {"cpu_s": 0.2}, "CpuLimitExceeded: used more than the limit of 0.2 s of CPU time"),
    "memory": (
        "def main():\n    return len(bytearray(100 << 20))",
        {"memory_mb": 64},
        "MemoryError: memory limit of 64 MB exceeded",
    ),
    "result": (
        "def main():\n    return 'x' * 99",
        {"result_bytes": 100},
        "ResultTooLarge: the result has 101 bytes, over the limit of 100 bytes",
    ),
}


async def reached(platform: Platform, service: str) -> dict[tuple[str, ...], float]:
    """A service's counts of limits and of ended workers."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(platform.ready["services"][service]["metrics"])).text
    found = re.findall(
        r'^shoal_(limits_reached|workers_ended)_total\{(?:limit|pool)="(\w+)",\w+="(\w+)"\} (\S+)', text, re.M
    )
    return {tuple(sorted((kind, one, other))): float(value) for kind, one, other, value in found}


def name(*words: str) -> tuple[str, ...]:
    return tuple(sorted(words))


@pytest.mark.parametrize("limit", ENFORCED)
async def test_every_limit_of_a_function_ends_in_its_own_error_and_is_counted(
    platform: Platform, client: httpx.AsyncClient, deploy: Deploy, limit: str
):
    code, config, error = ENFORCED[limit]
    counter = name("limits_reached", "python", limit)
    before = (await reached(platform, "executor")).get(counter, 0)
    slug = await deploy(code, config=config)
    ran = await execute(client, slug)
    assert (ran["status"], ran["result"]) == ("FAILURE", error)
    assert (await record(client, ran))["result"] == error
    after = await reached(platform, "executor")
    assert after[counter] == before + 1
    if limit != "result":
        assert after[name("workers_ended", "python", {"wall": "deadline"}.get(limit, limit))] >= 1


async def test_warnings_are_counted_too(platform: Platform, client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy("def main():\n    print('xx')\n    log(1)", config={"output_bytes": 1, "log_lines": 0})
    counters = [name("limits_reached", "python", limit) for limit in ("output", "log_lines")]
    before = await reached(platform, "executor")
    await record(client, await execute(client, slug))
    after = await reached(platform, "executor")
    assert [after[one] - before.get(one, 0) for one in counters] == [1, 1]


async def test_more_memory_is_there_for_whoever_asks(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy("def main():\n    return len(bytearray(300 << 20)) >> 20", config={"memory_mb": 512})
    assert (await execute(client, slug))["data"] == 300


async def test_params_over_the_functions_own_limit_are_refused_at_the_door(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(config={"params_bytes": 50})
    assert (await execute(client, slug, amount=1))["status"] == "SUCCESS"
    answer = await client.post(f"/api/functions/{slug}/execute/", json={"params": {"amount": 1, "x": "y" * 50}})
    assert "the limit is 50 bytes" in sentence(answer, 413)


OVER = {
    "timeout": (301, "a number of seconds from 0.001 to 300"),
    "cpu_s": (301, "a number of seconds from 0.001 to 300"),
    "memory_mb": (1025, "a whole number from 64 to 1024"),
    "output_bytes": (65_537, "a whole number from 0 to 65536"),
    "log_lines": (10_001, "a whole number from 0 to 10000"),
    "result_bytes": ((4 << 20) + 1, "a whole number from 1 to 4194304"),
    "params_bytes": ((1 << 20) + 1, "a whole number from 1 to 1048576"),
}


@pytest.mark.parametrize("key", OVER)
async def test_more_than_the_platform_allows_is_refused_by_name(client: httpx.AsyncClient, deploy: Deploy, key: str):
    value, told = OVER[key]
    body = {"name": "Greedy", "execution_mode": "app", "config": {key: value}}
    made = await client.post("/api/apps/tests/functions/", json=body)
    assert sentence(made, 400) == f"config.{key} must be {told}"
    assert made.json()["details"] == {f"config.{key}": [f"config.{key} must be {told}"]}
    slug = await deploy()
    changed = await client.patch(f"/api/functions/{slug}/", json={"config": {key: value}})
    assert sentence(changed, 400) == f"config.{key} must be {told}"
    within = await client.patch(f"/api/functions/{slug}/", json={"config": {key: int(value) - 1}})
    assert within.status_code == 200, within.text


CEILING = {
    "timeout_s": 0.3,
    "memory_mb": 64,
    "log_lines": 2,
    "output_bytes": 500,
    "result_bytes": 100,
    "params_bytes": 60,
}


@pytest.fixture(scope="module")
async def small(platform: Platform, store: Store):
    """A client of a tenant with a ceiling of its own."""
    document = {"limits": CEILING, "created_at": datetime.now(UTC)}
    await store.global_upsert("tenants", {"_id": "small"}, {"$set": document})
    user = User(id=8, username="small", email="small@example.org")
    await enrol(store, "small-token", Caller(tenant="small", user=user, role="admin"))
    headers = {"Authorization": "Bearer small-token"}
    async with httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=30) as client:
        yield client


async def test_a_tenants_ceiling_lowers_what_its_functions_get(small: httpx.AsyncClient, deploy: Deploy):
    code = """
def main(params):
    print("x" * 600)
    for n in range(5): log(n)
    if params["do"] == "memory": return len(bytearray(100 << 20))
    if params["do"] == "spin":
        while True: pass
    return "y" * 200
"""
    slug = await deploy(code, via=small)
    errors = {do: (await execute(small, slug, do=do))["result"] for do in ("memory", "spin", "result")}
    assert errors == {
        "memory": "MemoryError: memory limit of 64 MB exceeded",
        "spin": "TimeoutError: execution exceeded the limit of 0.3 s",
        "result": "ResultTooLarge: the result has 202 bytes, over the limit of 100 bytes",
    }
    quick = await deploy("def main():\n    for n in range(5): log(n)\n    print('x' * 600)", via=small)
    shown = await record(small, await execute(small, quick))
    assert [row["message"] for row in shown["logs"]] == ["0", "1"]
    assert [warning.partition(":")[0] for warning in shown["warnings"]] == ["OutputTruncated", "LogTruncated"]


async def test_params_over_a_tenants_ceiling_end_in_a_named_error_and_are_counted(
    platform: Platform, small: httpx.AsyncClient, deploy: Deploy
):
    slug = await deploy("def main(params):\n    return 1", via=small)
    counter = name("limits_reached", "python", "params")
    before = (await reached(platform, "router")).get(counter, 0)
    ran = await execute(small, slug, text="x" * 60)
    assert ran["result"] == "ParamsTooLarge: params has more than 60 bytes"
    assert (await record(small, ran))["result"] == ran["result"]
    assert (await reached(platform, "router"))[counter] == before + 1


@pytest.mark.parametrize(
    ("key", "value"), [("timeout", 0.4), ("memory_mb", 65), ("log_lines", 3), ("params_bytes", 61)]
)
async def test_more_than_the_tenant_may_have_is_refused_by_name(
    small: httpx.AsyncClient, deploy: Deploy, key: str, value: float
):
    body = {"name": "Greedy", "execution_mode": "app", "config": {key: value}}
    made = await small.post("/api/apps/tests/functions/", json=body)
    cap = {"timeout": CEILING["timeout_s"]}.get(key, CEILING.get(key))
    told = sentence(made, 400)
    assert told.startswith(f"config.{key} must be a")
    assert told.endswith(f" to {cap:.15g}")
    assert list(made.json()["details"]) == [f"config.{key}"]
    slug = await deploy(via=small)
    assert (await small.patch(f"/api/functions/{slug}/", json={"config": {key: cap}})).status_code == 200
