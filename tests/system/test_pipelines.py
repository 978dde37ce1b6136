"""Pipelines: configured over HTTP, and run as jobs whose steps are invocations of their own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import TASK, is_stamp, sentence
from tests.platform import running
from tests.system.conftest import Call, path_with

TRIPLE = "def main(params, user_data):\n    return {'n': params['n'] * 3}"
FAILS = "def main(params, user_data):\n    raise ValueError('step is broken')"
NUMBER = "def main(params, user_data):\n    return 42"


async def deployed(http: httpx.AsyncClient, name: str, code: str) -> str:
    made = await http.post("/api/apps/pipelines/functions/", json={"name": name})
    slug = str(made.json()["slug"])
    body = {"version": "1", "code": code, "is_active": True}
    assert (await http.post(f"/api/functions/{slug}/code/", json=body)).status_code == 201
    return slug


async def made(http: httpx.AsyncClient, name: str, steps: list[dict[str, Any]], **settings: Any) -> str:
    answer = await http.post("/api/pipelines/", json={"name": name, "steps": steps, **settings})
    assert answer.status_code == 201, answer.text
    return name


async def children(http: httpx.AsyncClient, parent: str) -> list[dict[str, Any]]:
    """The parent's steps as they are on record, the first one first."""
    rows: list[dict[str, Any]] = (await http.get("/api/functions/invocations/", params={"parent": parent})).json()[
        "results"
    ]
    return rows[::-1]


async def test_pipelines_are_made_shown_changed_and_deleted(http: httpx.AsyncClient):
    await made(http, "kept", [{"function": "example", "params": {"a": "${input.a}"}}], description="First")
    shown = (await http.get("/api/pipelines/kept/")).json()
    assert (shown["mode"], shown["description"], shown["width"]) == ("chain", "First", 10)
    assert shown["steps"] == [{"function": "example", "params": {"a": "${input.a}"}}]
    assert is_stamp(shown["created_at"])
    changed = await http.patch("/api/pipelines/kept/", json={"mode": "fan_out", "width": 3})
    assert (changed.json()["mode"], changed.json()["width"], changed.json()["description"]) == ("fan_out", 3, "First")
    listed = (await http.get("/api/pipelines/")).json()
    assert changed.json() in listed["results"]
    assert (await http.delete("/api/pipelines/kept/")).status_code == 204
    sentence(await http.get("/api/pipelines/kept/"), 404)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "Wrong Name", "steps": [{"function": "example"}]}, "name must be"),
        ({"name": "none", "steps": []}, "steps must be 1 to 50"),
        ({"name": "many", "steps": [{"function": "example"}] * 51}, "steps must be 1 to 50"),
        ({"name": "unknown", "steps": [{"function": "nobody"}]}, "there is no function with slug 'nobody'"),
        ({"name": "nested", "steps": [{"function": "data_processing_job"}]}, "pipelines have no pipelines in them"),
        ({"name": "root", "steps": [{"function": "example", "params": {"a": "${result.x}"}}]}, "does not exist here"),
        (
            {"name": "root", "mode": "fan_out", "steps": [{"function": "example", "params": {"a": "${previous}"}}]},
            "does not exist here",
        ),
        ({"name": "typo", "steps": [{"function": "example", "parameters": {}}]}, "unknown field"),
    ],
)
async def test_what_could_not_run_is_refused(http: httpx.AsyncClient, body: dict[str, Any], said: str):
    assert said in sentence(await http.post("/api/pipelines/", json=body), 400)


async def test_a_name_is_taken_once(http: httpx.AsyncClient):
    await made(http, "taken", [{"function": "example"}])
    again = await http.post("/api/pipelines/", json={"name": "taken", "steps": [{"function": "example"}]})
    assert "exists already" in sentence(again, 400)


async def test_a_chain_passes_each_result_on(http: httpx.AsyncClient, call: Call):
    triple = await deployed(http, "Chain Triple", TRIPLE)
    number = await deployed(http, "Chain Number", NUMBER)
    steps = [
        {"function": triple},
        {"function": triple},
        {"function": "example", "params": {"n": "${previous.n}", "text": "from ${input.n} to ${previous.n}: $${n}"}},
        {"function": number},
        {"function": "example"},
    ]
    await made(http, "chained", steps)
    answer = await call("data_processing_job", {"pipeline": "chained", "input": {"n": 2}})
    assert answer.status_code == 200, answer.text
    result = answer.json()["data"]
    assert [(step["step"], step["function"], step["status"]) for step in result["steps"]] == [
        (place, step["function"], "SUCCESS") for place, step in enumerate(steps, 1)
    ]
    assert result["result"]["params"] == {"value": 42}
    third = (await http.get(f"/api/functions/result/{result['steps'][2]['task_id']}/")).json()
    assert third["result"]["result"]["params"] == {"n": 18, "text": "from 2 to 18: ${n}"}
    rows = await children(http, answer.json()["task_id"])
    assert [row["celery_task_id"] for row in rows] == [step["task_id"] for step in result["steps"]]
    assert {row["parent_task_id"] for row in rows} == {answer.json()["task_id"]}
    assert {row["user_username"] for row in rows} == {"admin"}
    assert all(TASK.fullmatch(row["celery_task_id"]) for row in rows)


async def test_a_chain_ends_at_the_step_that_fails_and_says_what_was_done(http: httpx.AsyncClient, call: Call):
    triple, fails = await deployed(http, "Ends Triple", TRIPLE), await deployed(http, "Ends Fails", FAILS)
    await made(http, "ends", [{"function": triple}, {"function": fails}, {"function": triple}])
    answer = await call("data_processing_job", {"pipeline": "ends", "input": {"n": 1}})
    assert answer.status_code == 500
    body = answer.json()
    assert (
        body["result"]
        == f"StepFailed: step 2 of 3 ({fails}) failed: SandboxError: Execution failed: ValueError: step is broken"
    )
    assert [(step["step"], step["status"]) for step in body["response"]["steps"]] == [(1, "SUCCESS"), (2, "FAILURE")]
    assert len(await children(http, body["task_id"])) == 2


async def test_a_fan_out_collects_in_order(http: httpx.AsyncClient, call: Call):
    triple = await deployed(http, "Fan Triple", TRIPLE)
    steps = [{"function": triple, "params": {"n": place}} for place in range(6)] + [{"function": triple}]
    await made(http, "fanned", steps, mode="fan_out", width=3)
    answer = await call("data_processing_job", {"pipeline": "fanned", "input": {"n": 100}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["result"] == [{"n": n * 3} for n in (0, 1, 2, 3, 4, 5, 100)]
    assert len(await children(http, answer.json()["task_id"])) == 7


async def test_a_fan_out_with_a_failure_says_all_the_same_what_came(http: httpx.AsyncClient, call: Call):
    triple, fails = await deployed(http, "Part Triple", TRIPLE), await deployed(http, "Part Fails", FAILS)
    await made(http, "partly", [{"function": fails}, {"function": triple}], mode="fan_out")
    body = (await call("data_processing_job", {"pipeline": "partly", "input": {"n": 1}})).json()
    assert body["result"].startswith(f"StepFailed: step 1 of 2 ({fails}) failed: SandboxError: ")
    assert body["response"]["result"] == [None, {"n": 3}]


async def test_results_that_do_not_fit_are_left_to_their_records(http: httpx.AsyncClient, call: Call):
    large = {"function": "large", "params": {"bytes": 100_000}}
    await made(http, "too-large", [large, large, {"function": "example"}], mode="fan_out")
    answer = await call("data_processing_job", {"pipeline": "too-large"})
    assert answer.status_code == 200, answer.text
    first, second, third = answer.json()["data"]["result"]
    assert (len(first), second, third["params"]) == (100_000, None, {})
    assert [step.get("result_omitted") for step in answer.json()["data"]["steps"]] == [None, True, None]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"pipeline": "nobody-made-it"}, "PipelineNotFound: Pipeline 'nobody-made-it' not found"),
        ({}, "InvalidParams: pipeline: This field is required"),
        ({"pipeline": "x", "input": 3}, "InvalidParams: input: Expected `object`, got `int`"),
    ],
)
async def test_a_job_that_cannot_begin_says_why(call: Call, params: dict[str, Any], said: str):
    assert (await call("data_processing_job", params)).json()["result"] == said


async def test_a_reference_to_what_is_not_there_ends_the_job(http: httpx.AsyncClient, call: Call):
    await made(http, "missing", [{"function": "example"}, {"function": "example", "params": {"a": "${previous.no}"}}])
    body = (await call("data_processing_job", {"pipeline": "missing"})).json()
    assert body["result"].startswith("MissingReference: Step 2 (example)")
    assert [step["status"] for step in body["response"]["steps"]] == ["SUCCESS"]


async def test_pipelines_are_their_tenants_own(http: httpx.AsyncClient, other: httpx.AsyncClient):
    await made(http, "private", [{"function": "example"}])
    sentence(await other.get("/api/pipelines/private/"), 404)
    body = {"params": {"pipeline": "private"}}
    answer = await other.post("/api/functions/data_processing_job/execute/", json=body)
    assert answer.json()["result"].startswith("PipelineNotFound")


async def test_many_jobs_at_once_leave_room_for_their_own_steps(http: httpx.AsyncClient, call: Call):
    steps = [{"function": "example"}, {"function": "example"}]
    await made(http, "crowd", steps)
    answers = await asyncio.gather(*(call("data_processing_job", {"pipeline": "crowd"}) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_job_whose_steps_last_too_long_names_them(hasty: httpx.AsyncClient):
    steps = [{"function": "example"}, {"function": "gate", "params": {"name": "late", "until": "never"}}]
    await made(hasty, "late", [*steps, {"function": "example"}])
    answer = await hasty.post("/api/functions/data_processing_job/execute/", json={"params": {"pipeline": "late"}})
    body = answer.json()
    first, second = body["response"]["steps"]
    assert body["result"] == (
        f"TimeoutError: The job's time was up, and these had not ended: step 2 of 3 (gate, task {second['task_id']})"
    )
    assert (first["status"], second["status"]) == ("SUCCESS", "PENDING")


async def test_an_executor_that_is_killed_midway_doubles_nothing(tmp_path: Path, packages: Path):
    """The first step has ended, the second one runs when the executor dies; the job goes on where it was."""
    settings = {"PYTHONPATH": path_with(packages), "TEST_FOLDER": str(tmp_path), "SHOAL_LEASE_S": "2"}
    async with running(tmp_path / "data", **settings) as platform, platform.client() as http:
        steps = [
            {"function": "gate", "params": {"name": "first"}},
            {"function": "gate", "params": {"name": "second", "until": "open"}},
            {"function": "gate", "params": {"name": "third", "before": "${previous.done}"}},
        ]
        await made(http, "cut", steps)
        await made(http, "cut-wide", [{**steps[0], "params": {"name": "wide-first"}}, steps[1]], mode="fan_out")
        jobs = []
        for name in ("cut", "cut-wide"):
            body = {"params": {"pipeline": name}, "async": True}
            jobs.append((await http.post("/api/functions/data_processing_job/execute/", json=body)).json()["task_id"])
        await until_there(tmp_path / "second", size=2)
        dead = platform.kill("executor")
        await platform.restarted("executor", dead)
        (tmp_path / "open").touch()
        for job, count in zip(jobs, (3, 2), strict=True):
            ended = await until_ended(http, job)
            assert ended["status"] == "SUCCESS", ended
            assert [step["status"] for step in ended["result"]["result"]["steps"]] == ["SUCCESS"] * count
            rows = await children(http, job)
            assert [row["task_status"] for row in rows] == ["SUCCESS"] * count
            assert {row["celery_task_id"] for row in rows} == {
                step["task_id"] for step in ended["result"]["result"]["steps"]
            }
        assert [len((tmp_path / name).read_text()) for name in ("first", "wide-first", "third")] == [1, 1, 1]


async def until_there(path: Path, *, size: int) -> None:
    async with asyncio.timeout(20):
        while not path.exists() or len(path.read_text()) < size:  # noqa: ASYNC240 - once in a while, in a test
            await asyncio.sleep(0.02)


async def until_ended(http: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    async with asyncio.timeout(40):
        while True:
            shown: dict[str, Any] = (await http.get(f"/api/functions/result/{task_id}/")).json()
            if shown.get("status") in {"SUCCESS", "FAILURE"}:
                return shown
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
async def hasty(tmp_path_factory: pytest.TempPathFactory, packages: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A platform on which nothing may last."""
    folder = tmp_path_factory.mktemp("hasty")
    settings = {"PYTHONPATH": path_with(packages), "TEST_FOLDER": str(folder), "SHOAL_MAX_TIMEOUT_S": "2"}
    async with running(folder / "data", **settings) as platform, platform.client() as client:
        yield client
