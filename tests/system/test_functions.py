"""System functions over HTTP: the built-in ones, those of an operator's package, and what goes wrong with them."""

import re

import httpx
import pytest

from shared.registry import BUILT_IN
from tests.api.conftest import TASK, sentence
from tests.conftest import TAX
from tests.platform import Platform
from tests.system.conftest import Call


async def test_the_example_answers_any_tenant_under_any_app(http: httpx.AsyncClient, call: Call):
    answer = await call("example", {"name": "Ada"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "SUCCESS"
    result = body["result"]["result"]
    assert (result["params"], result["tenant"], result["user"]) == ({"name": "Ada"}, "default", "admin")
    assert TASK.fullmatch(body["task_id"])
    assert body["invocation"]["function_name"] == "example"
    assert body["result"]["logs"][0]["message"] == "example was called"
    in_app = await http.post("/api/apps/any-app/functions/example/execute/", json={"params": {}})
    assert in_app.status_code == 200


async def test_its_invocations_are_listed_by_slug(http: httpx.AsyncClient, call: Call):
    task_id = (await call("resize", {"width": 2})).json()["task_id"]
    shown = (await http.get(f"/api/functions/result/{task_id}/")).json()
    assert shown["status"] == "SUCCESS"
    for path in ("/api/functions/resize/executions/", "/api/functions/invocations/?function_slug=resize"):
        rows = (await http.get(path)).json()["results"]
        assert task_id in {row["celery_task_id"] for row in rows}
        assert {row["function_name"] for row in rows} == {"resize"}


async def test_an_operators_function_is_called_with_checked_params(call: Call):
    answer = await call("resize", {"width": 4, "height": 5})
    assert answer.json()["result"]["result"] == {"area": 20, "tenant": "default", "by": "admin"}
    assert (await call("in_thread")).json()["result"]["result"] == {"thread": True}


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, "InvalidParams: width: This field is required"),
        ({"width": "4"}, "InvalidParams: width: Expected `int`, got `str`"),
        ({"width": 4, "depth": 1}, "InvalidParams: depth: There is no such field"),
    ],
)
async def test_wrong_params_are_named(call: Call, params: dict[str, object], error: str):
    answer = await call("resize", params)
    assert answer.status_code == 500
    assert answer.json()["result"] == error


@pytest.mark.parametrize(
    ("slug", "params", "error"),
    [
        ("wrong", {}, r"KeyError: 'the key that is not there'"),
        ("refused", {}, r"NoSuchCity: There is no such city"),
        ("endless", {}, r"TimeoutError: Execution exceeded 0\.3 seconds"),
        ("endless_thread", {}, r"TimeoutError: Execution exceeded 0\.3 seconds"),
        ("unserialisable", {}, r"TypeError: The result is not a JSON value: .*"),
        ("large", {"bytes": 300_000}, r"ResultTooLarge: The result has 300002 bytes; the limit is 200000"),
        ("broken-import", {}, r"NotLoaded: This executor could not load the system function 'broken-import'; .*"),
        ("not-decorated", {}, r"NotLoaded: .*"),
    ],
)
async def test_a_failure_has_its_name(call: Call, slug: str, params: dict[str, object], error: str):
    answer = await call(slug, params)
    assert answer.status_code == 500
    assert re.fullmatch(error, answer.json()["result"]), answer.text


async def test_the_traceback_is_that_of_the_operators_code(http: httpx.AsyncClient, call: Call):
    failed = (await call("wrong")).json()
    assert "in wrong" in failed["traceback"]
    assert "operators_package.py" in failed["traceback"]
    assert "executor" not in failed["traceback"]
    record = (await http.get(f"/api/functions/invocations/by-task-id/{failed['task_id']}/")).json()["task_result"]
    assert [(line["level"], line["message"], line["data"]) for line in record["logs"]] == [
        ("warning", "about to fail", {"at": 1})
    ]


async def test_what_a_failed_call_had_done_is_told(http: httpx.AsyncClient, call: Call):
    failed = (await call("refused")).json()
    assert failed["response"] == {"looked_at": 3}
    shown = (await http.get(f"/api/functions/result/{failed['task_id']}/")).json()
    assert (shown["result"], shown["response"]) == ("NoSuchCity: There is no such city", {"looked_at": 3})
    record = (await http.get(f"/api/functions/invocations/by-task-id/{failed['task_id']}/")).json()["task_result"]
    assert record["response"] == {"looked_at": 3}


async def test_broken_packages_are_named_on_the_health_page(operated: Platform):
    address = operated.ready["services"]["executor"]["metrics"].replace("/metrics", "/healthz")
    async with httpx.AsyncClient() as page:
        facts = (await page.get(address)).json()["system"]
    broken = {(entry["name"], entry["package"]): entry["reason"] for entry in facts["broken"]}
    assert "no licence key" in broken["broken-import", "operators-broken"]
    assert "not made with" in broken["not-decorated", "operators-broken"]
    assert broken["aggregate", "operators-broken"] == "the slug is reserved"
    assert "built-in" in broken["example", "operators-broken"]
    assert "joined by" in broken["Upper", "operators-broken"]
    assert {name for name, _ in broken if name == "claimed-twice"}
    assert {"resize", *BUILT_IN} <= set(facts["functions"])
    lines = [line for line in operated.log.read_text().splitlines() if "system function refused" in line]
    assert len(lines) == len(facts["broken"])


async def test_a_registered_slug_is_nobody_elses(http: httpx.AsyncClient):
    asked = {"name": "Resize", "slug": "resize"}
    assert "reserved" in sentence(await http.post("/api/apps/tests/functions/", json=asked), 400)
    made = await http.post("/api/apps/tests/functions/", json={"name": "Resize"})
    assert made.json()["slug"] == "resize-2"


async def test_system_functions_cannot_be_made_changed_or_deleted(http: httpx.AsyncClient):
    body = {"name": "Mine", "execution_mode": "system"}
    assert "registered by administrators" in sentence(await http.post("/api/apps/x/functions/", json=body), 400)
    sentence(await http.patch("/api/functions/send_notification/", json={"is_active": False}), 404)
    sentence(await http.delete("/api/functions/send_notification/"), 404)


async def test_the_aggregate_lists_both_kinds(http: httpx.AsyncClient):
    for name in ("First Of Both", "Second Of Both"):
        assert (await http.post("/api/apps/tests/functions/", json={"name": name})).status_code == 201
    answer = await http.get("/api/functions/aggregate/")
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"database_functions", "system_functions", "total"}
    assert all(list(row) == ["id", "name", "slug", "execution_mode"] for row in body["database_functions"])
    assert {"first-of-both", "second-of-both"} <= {row["slug"] for row in body["database_functions"]}
    slugs = [row["slug"] for row in body["system_functions"]]
    assert {"send_notification", "data_processing_job", "example", "resize"} <= set(slugs)
    assert "Upper" not in slugs
    assert "claimed-twice" not in slugs
    assert body["system_functions"][slugs.index("send_notification")] == {
        "id": None,
        "name": "send_notification",
        "slug": "send_notification",
        "execution_mode": "system",
        "is_active": True,
    }
    assert body["total"] == len(body["database_functions"]) + len(slugs)
    part = (await http.get("/api/functions/aggregate/?limit=1&offset=1")).json()
    assert part["database_functions"] == body["database_functions"][1:2]
    assert part["total"] == body["total"]


async def test_a_tenants_own_functions_run_as_before(http: httpx.AsyncClient, call: Call):
    made = (await http.post("/api/apps/tests/functions/", json={"name": "Beside"})).json()["slug"]
    code = {"version": "1", "code": TAX, "is_active": True}
    assert (await http.post(f"/api/functions/{made}/code/", json=code)).status_code == 201
    assert (await call(made, {"amount": 10})).json()["result"]["result"]["total"] == 11.0
    sentence(await call("nobody_knows"), 404)


async def test_a_function_that_asks_for_it_is_tried_again(http: httpx.AsyncClient, call: Call):
    answer = await call("flaky", {"name": "flaky-ends", "failures": 2})
    assert answer.json()["data"] == {"tries": 3, "attempt": 3}
    failed = await call("flaky", {"name": "flaky-fails", "failures": 9})
    assert failed.json()["result"] == "Retryable: not yet"
    assert (await call("flaky", {"name": "flaky-fails", "failures": 3})).json()["data"]["tries"] == 4
