"""Calls of functions: waited for, or looked up later."""

import asyncio
import time

import httpx
import pytest

from tests.api.conftest import TASK, is_stamp, sentence
from tests.conftest import Deploy
from tests.platform import Platform

SLOW = (
    "def main(params, user_data):\n    x = 0\n    for i in range(params.get('n', 10)):\n        x = x + i\n    return x"
)


@pytest.fixture(scope="module")
async def slug(deploy: Deploy) -> str:
    code = "def main(params, user_data):\n    print('hello')\n    return {'got': params, 'half': 0.5}"
    return await deploy(code)


@pytest.fixture(scope="module")
async def broken(deploy: Deploy) -> str:
    return await deploy("def main(params, user_data):\n    print('before')\n    return 1 / 0")


async def done(client: httpx.AsyncClient, task_id: str) -> dict:
    async with asyncio.timeout(20):
        while (answer := (await client.get(f"/api/functions/result/{task_id}/")).json())["status"] in (
            "PENDING",
            "STARTED",
        ):
            await asyncio.sleep(0.02)
    return answer


@pytest.mark.parametrize(
    "path", ["/api/functions/{}/execute", "/api/functions/{}/execute/", "/api/apps/tests/functions/{}/execute/"]
)
async def test_a_call(client: httpx.AsyncClient, slug: str, path: str):
    ran = await client.post(path.format(slug), json={"params": {"a": [1, {"b": None}], "ü": "☃"}})
    assert ran.status_code == 200
    answer = ran.json()
    assert list(answer) == ["task_id", "status", "result", "data", "invocation"]
    assert list(answer["result"]) == ["result", "stdout", "stderr", "success"]
    assert list(answer["invocation"]) == ["id", "function_name", "celery_task_id", "trigger_type", "created_at"]
    assert answer["result"] == {
        "result": {"got": {"a": [1, {"b": None}], "ü": "☃"}, "half": 0.5},
        "stdout": "hello\n",
        "stderr": "",
        "success": True,
    }
    assert answer["data"] == answer["result"]["result"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"params": {}}', b' {"other": 1}'])
async def test_params_may_be_absent(client: httpx.AsyncClient, slug: str, body: bytes):
    ran = await client.post(f"/api/functions/{slug}/execute/", content=body)
    assert ran.json()["data"]["got"] == {}


async def test_a_failure(client: httpx.AsyncClient, broken: str):
    ran = await client.post(f"/api/functions/{broken}/execute/", json={"params": {}})
    assert ran.status_code == 500
    answer = ran.json()
    assert list(answer) == [
        "error", "message", "detail", "task_id", "status", "result", "traceback", "invocation"
    ]  # fmt: skip
    assert answer["error"] == answer["message"] == answer["detail"] == f"Function execution failed: {answer['result']}"
    assert answer["result"] == "SandboxError: Execution failed: ZeroDivisionError: division by zero"
    assert answer["status"] == "FAILURE"
    assert "line 3" in answer["traceback"]
    assert list(answer["invocation"]) == ["id", "function_name", "celery_task_id", "trigger_type", "created_at"]
    kept = (await client.get(f"/api/functions/result/{answer['task_id']}/")).json()
    assert (kept["status"], kept["result"], kept["traceback"]) == ("FAILURE", answer["result"], answer["traceback"])
    bare = (await client.get(f"/api/functions/invocations/{answer['invocation']['id']}/result/")).json()["task_result"]
    assert (bare["status"], bare["result"], bare["success"]) == ("FAILURE", answer["result"], False)
    assert bare["stdout"] == "before\n"


async def test_every_look_at_a_call_right_after_it(client: httpx.AsyncClient, slug: str):
    for number in range(10):
        ran = (await client.post(f"/api/functions/{slug}/execute/", json={"params": {"n": number}})).json()
        task_id, id = ran["task_id"], ran["invocation"]["id"]
        name = {"id": id, "function_name": ran["invocation"]["function_name"], "celery_task_id": task_id}
        row = {
            **name, "task_status": "SUCCESS", "user_username": "admin", "trigger_type": "api",
            "created_at": ran["invocation"]["created_at"],
        }  # fmt: skip
        bare = {"task_id": task_id, "status": "SUCCESS", "result": {"got": {"n": number}, "half": 0.5}}
        look = number % 5
        if look == 0:
            listed = (await client.get(f"/api/functions/{slug}/executions/?limit=1")).json()
            assert list(listed) == ["count", "limit", "offset", "results"]
            assert (listed["limit"], listed["offset"], listed["results"]) == (1, 0, [row])
        elif look == 1:
            result = (await client.get(f"/api/functions/result/{task_id}")).json()
            assert list(result) == ["task_id", "status", "result", "traceback", "date_created", "date_done"]
            assert result["result"] == ran["result"]
            assert result["traceback"] is None
            assert is_stamp(result["date_created"])
            assert is_stamp(result["date_done"])
        elif look == 2:
            assert (await client.get(f"/api/functions/invocations/{id}/")).json() == row
        elif look == 3:
            result = (await client.get(f"/api/functions/invocations/{id}/result/")).json()
            assert result["invocation"] == {**name, "trigger_type": "api"}
            assert {key: result["task_result"][key] for key in bare} == bare
            assert is_stamp(result["task_result"]["date_done"])
            assert (result["task_result"]["stdout"], result["task_result"]["success"]) == ("hello\n", True)
        else:
            result = (await client.get(f"/api/functions/invocations/by-task-id/{task_id}/")).json()
            assert result["invocation"] == row
            assert {key: result["task_result"][key] for key in bare} == bare


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"params": {"n": 3}, "async": True}},
        {"json": {"params": {"n": 3}}, "params": {"async": "true"}},
        {"json": {"params": {"n": 3}}, "headers": {"Prefer": "respond-async"}},
    ],
)
async def test_a_call_nobody_waits_for(client: httpx.AsyncClient, deploy: Deploy, options: dict):
    slug = await deploy(SLOW)
    accepted = await client.post(f"/api/functions/{slug}/execute/", **options)
    assert accepted.status_code == 202
    answer = accepted.json()
    assert list(answer) == ["task_id", "status", "result", "invocation"]
    assert (answer["status"], answer["result"]) == ("PENDING", None)
    assert TASK.fullmatch(answer["task_id"])
    first = await client.get(f"/api/functions/result/{answer['task_id']}/")
    assert first.status_code == 200
    result = await done(client, answer["task_id"])
    assert (result["status"], result["result"]["result"]) == ("SUCCESS", 3)
    listed = (await client.get(f"/api/functions/{slug}/executions/")).json()
    assert [row["id"] for row in listed["results"]] == [answer["invocation"]["id"]]


async def test_history(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    ids = [
        (await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})).json()["invocation"]["id"]
        for _ in range(5)
    ]
    path = f"/api/functions/{slug}/executions/"
    everything = (await client.get(path)).json()
    assert (everything["count"], everything["limit"], everything["offset"]) == (5, 100, 0)
    assert [row["id"] for row in everything["results"]] == ids[::-1]
    part = (await client.get(path, params={"limit": 2, "offset": 1})).json()
    assert (part["count"], part["limit"], part["offset"]) == (5, 2, 1)
    assert [row["id"] for row in part["results"]] == ids[::-1][1:3]
    assert (await client.get(path, params={"limit": 5000})).json()["limit"] == 1000
    for wrong in ({"limit": 0}, {"limit": "x"}, {"offset": -1}, {"offset": 2**70}):
        assert next(iter(wrong)) in sentence(await client.get(path, params=wrong), 400)


async def test_invocations_and_their_filters(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    for _ in range(3):
        await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    function_id = (await client.get(f"/api/functions/{slug}/")).json()["id"]
    path = "/api/functions/invocations/"

    async def count(**query: object) -> int:
        return int((await client.get(path, params=query)).json()["count"])

    assert await count(function_slug=slug) == 3
    assert await count(function_id=function_id) == 3
    assert await count(function_slug=slug, trigger_type="api") == 3
    assert await count(function_slug=slug, trigger_type="schedule") == 0
    assert await count(function_slug=slug, user_id=1) == 3
    assert await count(function_slug=slug, user_id=2) == 0
    page = (await client.get(path, params={"function_slug": slug, "page_size": 2})).json()
    assert list(page) == ["count", "next", "previous", "results"]
    assert len(page["results"]) == 2
    assert len((await client.get(page["next"])).json()["results"]) == 1
    for wrong in ({"function_id": "x"}, {"user_id": 2**64}, {"trigger_type": "moon"}, {"page": 0}):
        assert next(iter(wrong)) in sentence(await client.get(path, params=wrong), 400)


async def test_what_was_never_issued_is_not_found(client: httpx.AsyncClient):
    never = "01900000-0000-7000-8000-000000000000"
    for path in (f"result/{never}", f"invocations/by-task-id/{never}", "result/abc123-def456-ghi789"):
        task_id = path.rpartition("/")[2]
        assert sentence(await client.get(f"/api/functions/{path}/"), 404) == f"Task '{task_id}' not found"
    fresh = f"{int(time.time() * 1000):012x}"
    assert (
        await client.get(f"/api/functions/result/{fresh[:8]}-{fresh[8:]}-7000-8000-000000000000/")
    ).status_code == 404
    for id in ("987654321", "0", str(2**63), str(10**40)):
        assert (await client.get(f"/api/functions/invocations/{id}/")).status_code == 404
        assert (await client.get(f"/api/functions/invocations/{id}/result/")).status_code == 404


async def test_inactive_functions_are_not_called(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    assert (await client.post(f"/api/functions/{slug}/execute/", json={})).status_code == 200
    await client.patch(f"/api/functions/{slug}/", json={"is_active": False})
    refused = await client.post(f"/api/functions/{slug}/execute/", json={})
    assert sentence(refused, 404) == f"Function with slug '{slug}' not found or not active"
    await client.patch(f"/api/functions/{slug}/", json={"is_active": True})
    assert (await client.post(f"/api/functions/{slug}/execute/", json={})).status_code == 200


async def test_a_function_of_another_app_is_not_called(client: httpx.AsyncClient, slug: str):
    assert (await client.post(f"/api/apps/elsewhere/functions/{slug}/execute/", json={})).status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"params": [1]}', "params must be a JSON object"),
        (b'{"params": null}', "params must be a JSON object"),
        (b'{"params": "x"}', "params must be a JSON object"),
        (b'{"params": {}, "async": "x"}', "async: Expected `bool`, got `str`"),
        (b"[1]", "The body is wrong: Expected `object`, got `array`"),
        (b'{"params": {"a": 1,}}', "JSON is malformed: trailing comma in object (byte 19)"),
        (b'{"params": {"a": NaN}}', "JSON is malformed: invalid character (byte 17)"),
        (b'{"params": {', "JSON is malformed: it is cut short, or has half a surrogate pair (12 bytes)"),
        (b'{"params": {"a": "\xff"}}', "The body is not UTF-8: byte 18"),
        (b'{"params": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001, "The body is nested too deeply"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else "",
)
async def test_wrong_bodies_are_refused(client: httpx.AsyncClient, slug: str, body: bytes, said: str):
    assert sentence(await client.post(f"/api/functions/{slug}/execute/", content=body), 400).startswith(said)


async def test_params_over_the_limit(client: httpx.AsyncClient, slug: str):
    fits = (1 << 20) - len('{"a":""}')
    ran = await client.post(f"/api/functions/{slug}/execute/", content=b'{"params":{"a":"%s"}}' % (b"x" * fits))
    assert ran.status_code == 200
    over = await client.post(f"/api/functions/{slug}/execute/", content=b'{"params":{"a":"%s"}}' % (b"x" * (fits + 1)))
    assert sentence(over, 413) == "params are 1048577 bytes; the limit is 1048576 bytes"


async def test_many_callers_at_once_get_their_own_answers(client: httpx.AsyncClient, slug: str, platform: Platform):
    async with platform.client(limits=httpx.Limits(max_connections=30)) as many:
        answers = await asyncio.gather(
            *(many.post(f"/api/functions/{slug}/execute/", json={"params": {"n": n}}) for n in range(150))
        )
    assert [answer.json()["data"]["got"] for answer in answers] == [{"n": n} for n in range(150)]
    assert len({answer.json()["task_id"] for answer in answers}) == 150


async def test_output_that_was_cut_says_so(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy("def main(params, user_data):\n    print('x' * params.get('length', 1))")
    short, long = [
        (await client.post(f"/api/functions/{slug}/execute/", json={"params": {"length": length}})).json()
        for length in (1, 5_000_000)
    ]
    assert "truncated" not in short["result"]
    assert long["result"]["truncated"] is True
    kept = (await client.get(f"/api/functions/result/{long['task_id']}/")).json()
    assert kept["result"] == long["result"]
    bare = (await client.get(f"/api/functions/invocations/{long['invocation']['id']}/result/")).json()
    assert bare["task_result"]["truncated"] is True
