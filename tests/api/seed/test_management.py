"""Chapter "Function Management": list, details, update, delete, history."""

import json

import pytest

from tests.api.seed.conftest import Printed
from tests.api.seed.shape import assert_alike

LIST = """
curl -X GET "https://tenant.taruvi.cloud/api/apps/test-app/functions/?execution_mode=app&is_active=true" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN"
"""
LISTED = json.loads("""
{
"count": 25,
"next": "https://tenant.taruvi.cloud/api/apps/test-app/functions/?page=2",
"previous": null,
"results": [
{
"id": 1,
"name": "Process Invoice",
"slug": "process-invoice",
"environment": "python",
"execution_mode": "app",
"category": "document_processing",
"is_active": true,
"schedule_enabled": false,
"app": 5,
"app_name": "Finance App",
"created_at": "2024-01-15T10:30:00Z",
"updated_at": "2024-01-20T14:22:00Z"
}
]
}
""")
DETAILS = """
curl -X GET "https://tenant.taruvi.cloud/api/functions/process-invoice/" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN"
"""
# What the specification leaves open of schedules, and a function says.
CHOICES = {"schedule_timezone", "schedule_missed_runs", "schedule_overlap"}
DETAILED = json.loads(r"""
{
"id": 1,
"name": "Process Invoice",
"slug": "process-invoice",
"environment": "python",
"execution_mode": "app",
"category": "document_processing",
"description": "Extracts data from invoice PDFs and stores in database",
"app": 5,
"app_name": "Finance App",
"is_active": true,
"webhook_url": "",
"auth_config": {},
"headers": {},
"config": {
"timeout": 300,
"max_retries": 3
},
"schedule_enabled": false,
"cron_expression": "",
"schedule_params": {},
"active_code": {
"id": 10,
"version": "1.2.0",
"code": "def main(params, user_data):\n # Function code here\n pass",
"is_active": true,
"created_at": "2024-01-20T14:22:00Z",
"created_by": 3,
"created_by_username": "john.doe"
},
"code_versions": [
{
"id": 10,
"version": "1.2.0",
"is_active": true,
"created_at": "2024-01-20T14:22:00Z"
}
],
"created_at": "2024-01-15T10:30:00Z",
"updated_at": "2024-01-20T14:22:00Z"
}
""")
UPDATE = """
PATCH /api/functions/send-welcome-email/
{
"description": "Updated description",
"is_active": false,
"config": {
"timeout": 60,
"max_retries": 5
}
}
"""
UPDATE_CURL = """
curl -X PATCH "https://tenant.taruvi.cloud/api/functions/send-welcome-email/" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN" \\
-H "Content-Type: application/json" \\
-d '{"is_active": false}'
"""
DELETE = """
curl -X DELETE "https://tenant.taruvi.cloud/api/functions/send-welcome-email/" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN"
"""
HISTORY = json.loads("""
[
{
"history_id": 45,
"history_date": "2024-01-20T14:22:00Z",
"history_type": "Changed",
"history_user": "john.doe",
"name": "Process Invoice",
"slug": "process-invoice",
"execution_mode": "app",
"is_active": true,
"schedule_enabled": false
}
]
""")


async def made(printed: Printed) -> None:
    """The function of the printed answers, with what they say of it."""
    shown = ("name", "environment", "execution_mode", "category", "description", "config")
    settings = {field: DETAILED[field] for field in shown}
    settings["name"], body = "Process Invoice", json.dumps(settings, indent=0)
    assert (await printed.send(f"POST /api/apps/{{app_slug}}/functions/\n{body}")).status == 201
    version = {field: DETAILED["active_code"][field] for field in ("version", "code", "is_active")}
    body = json.dumps(version, indent=0)
    assert (await printed.send(f"POST /api/functions/process-invoice/code/\n{body}")).status == 201


@pytest.fixture
async def seed(fresh: Printed) -> Printed:
    await made(fresh)
    return fresh


async def test_list(seed: Printed):
    answer = (await seed.curl(LIST)).json()
    assert_alike(answer, LISTED, nullable={"next"})
    [row] = answer["results"]
    same = ("name", "slug", "environment", "execution_mode", "category", "is_active", "schedule_enabled")
    assert {field: row[field] for field in same} == {field: LISTED["results"][0][field] for field in same}
    for number in range(25):
        body = json.dumps({"name": f"More {number}"}, indent=0)
        await seed.send(f"POST /api/apps/test-app/functions/\n{body}")
    first = (await seed.curl(LIST)).json()
    assert_alike(first, LISTED)
    assert (first["count"], len(first["results"])) == (26, 20)
    assert first["next"].endswith("page=2")
    assert "/api/apps/test-app/functions/?" in first["next"]


@pytest.mark.parametrize("ordering", ["name", "-created_at", "execution_mode"])
async def test_list_parameters(seed: Printed, ordering: str):
    for query, count in (
        ("execution_mode=app", 1), ("execution_mode=proxy", 0), ("execution_mode=system", 0),
        ("category=document_processing", 1), ("category=x", 0), ("is_active=true", 1), ("is_active=false", 0),
        ("schedule_enabled=false", 1), ("schedule_enabled=true", 0),
        ("search=process", 1), ("search=invoice+PDFs", 1), ("search=process-inv", 1), ("search=nothing", 0),
    ):  # fmt: skip
        for path in ("/api/apps/test-app/functions/", "/api/functions/"):
            answer = await seed.send(f"GET {path}?{query}&ordering={ordering}")
            assert answer.json()["count"] == count, query


async def test_details(seed: Printed):
    answer = (await seed.curl(DETAILS)).json()
    assert_alike(answer, DETAILED, extra=CHOICES)
    same = DETAILED.keys() - {"id", "app", "app_name", "active_code", "code_versions", "created_at", "updated_at"}
    assert {field: answer[field] for field in same} == {field: DETAILED[field] for field in same}
    assert answer["active_code"]["created_by"] == 3
    assert answer["active_code"]["created_by_username"] == "john.doe"


@pytest.fixture
async def welcome(fresh: Printed) -> Printed:
    """The function of the chapter's later examples, in APP mode."""
    body = json.dumps({"name": "Send Welcome Email"}, indent=0)
    assert (await fresh.send(f"POST /api/apps/test-app/functions/\n{body}")).status == 201
    return fresh


async def test_update(welcome: Printed):
    answer = (await welcome.send(UPDATE)).json()
    assert_alike(answer, DETAILED | {"code_versions": []}, extra=CHOICES, nullable={"active_code"})
    assert (answer["description"], answer["is_active"]) == ("Updated description", False)
    assert answer["config"] == {"timeout": 60, "max_retries": 5}
    assert answer["name"] == "Send Welcome Email"


async def test_update_by_curl(welcome: Printed):
    assert (await welcome.curl(UPDATE_CURL)).json()["is_active"] is False


async def test_delete(welcome: Printed):
    answer = await welcome.curl(DELETE)
    assert (answer.status, answer.text) == (204, "")
    assert (await welcome.send("GET /api/functions/send-welcome-email/")).status == 404


async def test_history(seed: Printed):
    answer = (await seed.send("GET /api/functions/process-invoice/history/")).json()
    assert_alike(answer, HISTORY)
    same = ("history_type", "history_user", "name", "slug", "execution_mode", "is_active", "schedule_enabled")
    assert {field: answer[0][field] for field in same} == {field: HISTORY[0][field] for field in same}
