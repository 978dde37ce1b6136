"""Chapters "Function Execution", "Invocation Records" and "Error Handling"."""

import json
from typing import Any

import pytest

from tests.api.seed.conftest import Printed
from tests.api.seed.shape import assert_alike

EXECUTE = """
POST /api/functions/process-invoice/execute/
{
"params": {
"name": "John Doe",
"email": "john@example.com",
"amount": 150.00
}
}
"""
EXECUTE_CURL = """
curl -X POST "https://tenant.taruvi.cloud/api/functions/process-invoice/execute/" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN" \\
-H "Content-Type: application/json" \\
-d '{
"params": {
"invoice_id": "INV-2024-001",
"amount": 1500.00
}
}'
"""
EXECUTED = json.loads(r"""
{
"task_id": "abc123-def456-ghi789",
"status": "SUCCESS",
"result": {
"result": {
"invoice_processed": true,
"total_amount": 1500.00,
"line_items": 5
},
"stdout": "Processing invoice INV-2024-001\n",
"stderr": "",
"success": true
},
"invocation": {
"id": 42,
"function_name": "Process Invoice",
"celery_task_id": "abc123-def456-ghi789",
"trigger_type": "api",
"created_at": "2024-01-22T11:30:00Z"
}
}
""")
EXECUTIONS = """
curl -X GET "https://tenant.taruvi.cloud/api/functions/process-invoice/executions/?limit=10" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN"
"""
ROW = json.loads("""
{
"id": 42,
"function_name": "Process Invoice",
"celery_task_id": "abc123-def456-ghi789",
"task_status": "SUCCESS",
"user_username": "john.doe",
"trigger_type": "api",
"created_at": "2024-01-22T11:30:00Z"
}
""")
RESULT = """
curl -X GET "https://tenant.taruvi.cloud/api/functions/result/abc123-def456-ghi789/" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN"
"""
RESULTED = json.loads(r"""
{
"task_id": "abc123-def456-ghi789",
"status": "SUCCESS",
"result": {
"result": {
"invoice_processed": true,
"total_amount": 1500.00
},
"stdout": "Processing complete\n",
"stderr": "",
"success": true
},
"traceback": null,
"date_created": "2024-01-22T11:30:00Z",
"date_done": "2024-01-22T11:30:15Z"
}
""")
INVOCATIONS = """
curl -X GET "https://tenant.taruvi.cloud/api/functions/invocations/?function_slug=process-invoice&trigger_type=api" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN"
"""
INVOCATION_RESULT = json.loads("""
{
"invocation": {
"id": 42,
"function_name": "Process Invoice",
"celery_task_id": "abc123-def456-ghi789",
"trigger_type": "api"
},
"task_result": {
"task_id": "abc123-def456-ghi789",
"status": "SUCCESS",
"result": {
"invoice_processed": true
},
"date_done": "2024-01-22T11:30:15Z"
}
}
""")
BY_TASK = """
curl -X GET "https://tenant.taruvi.cloud/api/functions/invocations/by-task-id/abc123-def456-ghi789/" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN"
"""
TASK = "abc123-def456-ghi789"
CODE = """def main(params, user_data):
    print('Processing invoice', params.get('invoice_id', 'none'))
    return {'invoice_processed': True, 'total_amount': params.get('amount'), 'line_items': 5}
"""
# Beside the bare result stands what is around the wrapped one.
BESIDE = {f"task_result.{field}" for field in ("stdout", "stderr", "success", "traceback")}
LINES = {"task_result.result.total_amount", "task_result.result.line_items"}


async def _made(printed: Printed, code: str) -> None:
    body = json.dumps({"name": "Process Invoice"}, indent=0)
    assert (await printed.send(f"POST /api/apps/test-app/functions/\n{body}")).status == 201
    body = json.dumps({"version": "1", "code": code}, indent=0)
    assert (await printed.send(f"POST /api/functions/process-invoice/code/\n{body}")).status == 201


@pytest.fixture
async def seed(fresh: Printed) -> Printed:
    await _made(fresh, CODE)
    return fresh


@pytest.fixture
async def ran(seed: Printed) -> dict[str, Any]:
    answer: dict[str, Any] = (await seed.curl(EXECUTE_CURL)).json()
    return answer


async def test_execute(seed: Printed):
    answer = (await seed.send(EXECUTE)).json()
    assert_alike(answer, EXECUTED, extra={"data"})
    assert answer["result"]["result"]["total_amount"] == 150


async def test_execute_by_curl(ran: dict[str, Any]):
    assert_alike(ran, EXECUTED, extra={"data"})
    assert ran["result"] == EXECUTED["result"]
    assert ran["invocation"]["function_name"] == "Process Invoice"


async def test_executions(seed: Printed, ran: dict[str, Any]):
    answer = (await seed.curl(EXECUTIONS)).json()
    assert_alike(answer, {"count": 150, "limit": 10, "offset": 0, "results": [ROW]})
    assert (answer["count"], answer["limit"], answer["offset"]) == (1, 10, 0)
    assert answer["results"][0]["celery_task_id"] == ran["task_id"]
    usual = (await seed.send("GET /api/functions/process-invoice/executions/")).json()
    assert (usual["limit"], usual["offset"]) == (100, 0)


async def test_result(seed: Printed, ran: dict[str, Any]):
    answer = (await seed.curl(RESULT.replace(TASK, ran["task_id"]))).json()
    assert_alike(answer, RESULTED, extra={"result.result.line_items"})
    assert answer["result"] == ran["result"]


async def test_invocations(seed: Printed, ran: dict[str, Any]):
    answer = (await seed.curl(INVOCATIONS)).json()
    assert_alike(answer, {"count": 1, "next": None, "previous": None, "results": [ROW]})
    id = (await seed.send("GET /api/functions/process-invoice/")).json()["id"]
    for query, count in (
        (f"function_id={id}", 1), (f"function_id={id + 1}", 0), ("function_slug=process-invoice", 1),
        ("function_slug=x", 0), ("trigger_type=api", 1), ("trigger_type=schedule", 0), ("user_id=3", 1),
        ("user_id=4", 0), ("status=SUCCESS", 1), ("status=FAILURE", 0),
        (f"function_id={id}&function_slug=process-invoice&trigger_type=api&user_id=3&status=SUCCESS", 1),
        (f"function_id={id + 1}&function_slug=process-invoice", 0),
    ):  # fmt: skip
        assert (await seed.send(f"GET /api/functions/invocations/?{query}")).json()["count"] == count, query
    assert ran["invocation"]["id"] == answer["results"][0]["id"]


async def test_invocation_details(seed: Printed, ran: dict[str, Any]):
    answer = (await seed.send(f"GET /api/functions/invocations/{ran['invocation']['id']}/")).json()
    assert_alike(answer, ROW)
    assert (answer["user_username"], answer["task_status"], answer["trigger_type"]) == ("john.doe", "SUCCESS", "api")


async def test_invocation_result(seed: Printed, ran: dict[str, Any]):
    answer = (await seed.send(f"GET /api/functions/invocations/{ran['invocation']['id']}/result/")).json()
    assert_alike(answer, INVOCATION_RESULT, extra=BESIDE | LINES)
    assert answer["task_result"]["result"] == ran["result"]["result"]


async def test_by_task_id(seed: Printed, ran: dict[str, Any]):
    answer = (await seed.curl(BY_TASK.replace(TASK, ran["task_id"]))).json()
    more = {"invocation.task_status", "invocation.user_username", "invocation.created_at"}
    assert_alike(answer, INVOCATION_RESULT, extra=BESIDE | LINES | more)
    assert_alike(answer["invocation"], ROW)


async def test_both_families_of_paths_with_and_without_slash(seed: Printed, ran: dict[str, Any]):
    for family in ("/api/functions", "/api/apps/test-app/functions"):
        for path in ("", "/history", "/executions"):
            for slash in ("", "/"):
                answer = await seed.send(f"GET {family}/process-invoice{path}{slash}")
                assert answer.status == 200, (family, path, slash)
        for slash in ("", "/"):
            assert (await seed.send(f"POST {family}/process-invoice/execute{slash}")).status == 200
            edited = await seed.send(
                f'PATCH {family}/process-invoice/code{slash}\n{{\n"code": "def main(): return 1"}}'
            )
            assert edited.status == 200
    assert (await seed.send("GET /api/apps/other-app/functions/process-invoice/executions/")).status == 404


@pytest.mark.parametrize(
    ("signature", "returned", "expected"),
    [
        ("", "1", 1),
        ("params", "params", {"a": 1}),
        ("params, user_data", "[user_data['user']['username'], user_data['function']['slug']]",
         ["john.doe", "process-invoice"]),
        ("params, user_data", "[user_data['username'], user_data['id'], user_data['email']]",
         ["john.doe", 3, "john@example.com"]),
        ("params, context, third", "third", None),
    ],
)  # fmt: skip
async def test_main_may_take_what_it_needs(fresh: Printed, signature: str, returned: str, expected: object):
    await _made(fresh, f"def main({signature}):\n    return {returned}")
    answer = (await fresh.send('POST /api/functions/process-invoice/execute/\n{\n"params": {"a": 1}}')).json()
    assert answer["result"]["result"] == expected


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("x = 1", "Function execution failed: SandboxError: Code must define a 'main' function"),
        ("def main():\n    raise ValueError('no')", "Function execution failed: SandboxError: Execution failed"),
    ],
)
async def test_execution_errors(fresh: Printed, code: str, sentence: str):
    await _made(fresh, code)
    failed = (await fresh.send(EXECUTE)).json(500)
    more = {"message", "detail", "task_id", "status", "result", "traceback", "invocation"}
    assert_alike(failed, {"error": sentence}, extra=more)
    assert failed["error"].startswith(sentence)
    assert failed["status"] == "FAILURE"
    assert_alike(failed["invocation"], EXECUTED["invocation"])
    result = (await fresh.send(f"GET /api/functions/result/{failed['task_id']}/")).json()
    assert_alike(result, RESULTED | {"result": "message", "traceback": "text"}, nullable={"traceback"})
    assert (result["status"], result["result"]) == ("FAILURE", failed["result"])
    assert (result["traceback"] or "") == failed["traceback"]
    bare = (await fresh.send(f"GET /api/functions/invocations/by-task-id/{failed['task_id']}/")).json()
    assert (bare["task_result"]["status"], bare["task_result"]["result"]) == ("FAILURE", failed["result"])


async def test_a_traceback_says_where(fresh: Printed):
    await _made(fresh, "def main():\n    raise ValueError('no')")
    failed = (await fresh.send(EXECUTE)).json(500)
    assert "line 2" in failed["traceback"]
    assert "ValueError: no" in failed["traceback"]


@pytest.mark.parametrize("how", ["body", "query", "header"])
async def test_asynchronously(seed: Printed, how: str):
    request = {
        "body": 'POST /api/functions/process-invoice/execute/\n{\n"params": {}, "async": true}',
        "query": 'POST /api/functions/process-invoice/execute/?async=true\n{\n"params": {}}',
        "header": 'POST /api/functions/process-invoice/execute/\nPrefer: respond-async\n{\n"params": {}}',
    }[how]
    answer = (await seed.send(request)).json(202)
    assert_alike(answer, EXECUTED | {"result": None})
    assert answer["status"] == "PENDING"


async def test_not_found(seed: Printed):
    for request in ("GET /api/functions/invalid-slug/", "POST /api/functions/invalid-slug/execute/"):
        answer = (await seed.send(request)).json(404)
        assert_alike(answer, {"error": "Function"}, extra={"message", "detail"})
        assert answer["error"] == "Function with slug 'invalid-slug' not found or not active"


async def test_an_inactive_function_is_shown_and_not_executed(seed: Printed):
    await seed.send('PATCH /api/functions/process-invoice/\n{\n"is_active": false}')
    answer = (await seed.send(EXECUTE)).json(404)
    assert answer["error"] == "Function with slug 'process-invoice' not found or not active"
    assert (await seed.send("GET /api/functions/process-invoice/")).json()["is_active"] is False
