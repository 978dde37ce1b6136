"""Chapters "PROXY Mode", "SYSTEM Mode", "Aggregate Functions", "Scheduling". Rate limits: `test_rate_limits.py`."""

import json

import pytest

from tests.api.seed.conftest import Printed
from tests.api.seed.shape import assert_alike
from tests.api.seed.test_management import CHOICES, DETAILED, LISTED
from tests.api.seed.test_quick_start import CREATE, CREATED, UPLOAD

SLACK = """
POST /api/apps/{app_slug}/functions/
Content-Type: application/json
Authorization: Bearer YOUR_ACCESS_TOKEN
{
"name": "Send Slack Notification",
"execution_mode": "proxy",
"category": "communication",
"webhook_url": "https://hooks.zapier.com/hooks/catch/123456/abcdef/",
"is_active": true
}
"""
WELCOME = """
POST /api/apps/{app_slug}/functions/
{
"name": "Send Welcome Email",
"environment": "python",
"execution_mode": "proxy",
"category": "communication",
"description": "Sends welcome email to new users via Zapier",
"webhook_url": "https://hooks.zapier.com/hooks/catch/123456/abcdef/",
"auth_config": {
"type": "bearer",
"token": "your-secret-token"
},
"headers": {
"X-Custom-Header": "value"
},
"config": {
"timeout": 30
},
"is_active": true
}
"""
WELCOME_CURL = """
curl -X POST "https://tenant.taruvi.cloud/api/apps/test-app/functions/" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN" \\
-H "Content-Type: application/json" \\
-d '{
"name": "Send Welcome Email",
"execution_mode": "proxy",
"webhook_url": "https://hooks.zapier.com/hooks/catch/123456/abcdef/"
}'
"""
ZAPIER = """
# Create PROXY function
POST /api/apps/{app_slug}/functions/
{
"name": "Zapier Integration",
"execution_mode": "proxy",
"webhook_url": "https://hooks.zapier.com/...",
"auth_config": {"type": "bearer", "token": "secret"}
}
"""
AGGREGATED = json.loads("""
{
"database_functions": [
{
"id": 1,
"name": "Process Invoice",
"slug": "process-invoice",
"execution_mode": "app"
}
],
"system_functions": [
{
"id": null,
"name": "send_notification",
"slug": "send_notification",
"execution_mode": "system",
"is_active": true
}
],
"total": 2
}
""")
SCHEDULE_CURL = """
curl -X PATCH "https://tenant.taruvi.cloud/api/functions/calculate-tax/" \\
-H "Authorization: Bearer YOUR_ACCESS_TOKEN" \\
-H "Content-Type: application/json" \\
-d '{
"schedule_enabled": true,
"cron_expression": "0 0 * * *",
"schedule_params": {
"amount": 5000,
"rate": 0.15
}
}'
"""
CONFIGURATION = """
PATCH /api/functions/calculate-tax/
{
"schedule_enabled": true,
"cron_expression": "0 * * * *",
"schedule_params": {
"report_type": "daily",
"recipients": ["admin@example.com"]
}
}
"""
REPORT = """
# Create function
POST /api/apps/{app_slug}/functions/
{
"name": "Daily Report", "execution_mode": "app"}
"""
REPORT_CODE = r"""
# Add code
POST /api/functions/daily-report/code/
{
"version": "1.0.0",
"code": "def main(params, user_data):\n # Generate report logic\n return {'report': 'generated'}",
"is_active": true
}
"""
REPORT_SCHEDULE = """
# Enable scheduling
PATCH /api/functions/daily-report/
{
"schedule_enabled": true,
"cron_expression": "0 9 * * *",
"schedule_params": {"format": "pdf"}
}
"""


async def test_create_a_proxy_function(fresh: Printed):
    answer = (await fresh.send(SLACK)).json(201)
    assert_alike(answer, CREATED)
    same = CREATED.keys() - {"id", "created_at"}
    assert {field: answer[field] for field in same} == {field: CREATED[field] for field in same}


@pytest.mark.parametrize("printed_as", ["request", "curl"])
async def test_create_a_proxy_function_with_everything(fresh: Printed, printed_as: str):
    answer = (await fresh.send(WELCOME) if printed_as == "request" else await fresh.curl(WELCOME_CURL)).json(201)
    assert_alike(answer, CREATED)
    assert answer["slug"] == "send-welcome-email"
    shown = (await fresh.send("GET /api/functions/send-welcome-email/")).json()
    assert_alike(shown, DETAILED | {"code_versions": []}, extra=CHOICES, nullable={"active_code"})
    assert shown["execution_mode"] == "proxy"
    assert "your-secret-token" not in json.dumps(shown)
    if printed_as == "request":
        assert shown["auth_config"]["type"] == "bearer"
        assert shown["headers"] == {"X-Custom-Header": "value"}
        assert shown["config"] == {"timeout": 30}
    listed = (await fresh.send("GET /api/apps/test-app/functions/?execution_mode=proxy")).json()
    assert_alike(listed, LISTED, nullable={"next"})


async def test_webhook_integration_is_created(fresh: Printed):
    answer = (await fresh.send(ZAPIER)).json(201)
    assert_alike(answer, CREATED)
    assert answer["slug"] == "zapier-integration"


async def test_a_proxy_function_needs_a_webhook(fresh: Printed):
    request = 'POST /api/apps/test-app/functions/\n{\n"name": "X", "execution_mode": "proxy"}'
    answer = (await fresh.send(request)).json(400)
    assert answer["error"] == "webhook_url is required for PROXY mode"


@pytest.mark.parametrize("path", ["/api/functions/aggregate/", "/api/functions/aggregate"])
async def test_aggregate(fresh: Printed, path: str):
    await fresh.send(CREATE)
    answer = (await fresh.send(f"GET {path}")).json()
    extra = {f"database_functions[].{field}" for field in ("is_active",)}
    assert_alike(answer, AGGREGATED, extra=extra)
    names = {function["slug"] for function in answer["system_functions"]}
    assert {"send_notification", "data_processing_job", "example"} <= names
    assert [function["slug"] for function in answer["database_functions"]] == ["calculate-tax"]
    assert answer["total"] == len(answer["database_functions"]) + len(answer["system_functions"])


async def test_system_functions_are_not_created(fresh: Printed):
    request = 'POST /api/apps/test-app/functions/\n{\n"name": "X", "execution_mode": "system"}'
    assert (await fresh.send(request)).status == 400


async def test_a_system_function_is_executed(fresh: Printed):
    answer = (await fresh.send('POST /api/functions/example/execute/\n{\n"params": {}}')).json()
    assert (answer["status"], answer["invocation"]["trigger_type"]) == ("SUCCESS", "api")


@pytest.mark.parametrize("printed_as", ["configuration", "curl"])
async def test_enable_scheduling(fresh: Printed, printed_as: str):
    await fresh.send(CREATE)
    await fresh.send(UPLOAD)
    answer = (
        await fresh.send(CONFIGURATION) if printed_as == "configuration" else await fresh.curl(SCHEDULE_CURL)
    ).json()
    assert_alike(answer, DETAILED, extra=CHOICES)
    assert answer["schedule_enabled"] is True
    if printed_as == "curl":
        assert answer["cron_expression"] == "0 0 * * *"
        assert answer["schedule_params"] == {"amount": 5000, "rate": 0.15}
    listed = (await fresh.send("GET /api/apps/test-app/functions/?schedule_enabled=true")).json()
    assert [row["schedule_enabled"] for row in listed["results"]] == [True]


@pytest.mark.parametrize("expression", ["0 * * * *", "0 0 * * *", "0 9 * * 1", "*/15 * * * *", "0 0 1 * *"])
async def test_cron_examples(fresh: Printed, expression: str):
    await fresh.send(CREATE)
    body = json.dumps({"schedule_enabled": True, "cron_expression": expression}, indent=0)
    answer = (await fresh.send(f"PATCH /api/functions/calculate-tax/\n{body}")).json()
    assert answer["cron_expression"] == expression


async def test_scheduled_reports(fresh: Printed):
    assert (await fresh.send(REPORT)).json(201)["slug"] == "daily-report"
    assert (await fresh.send(REPORT_CODE)).status == 201
    assert (await fresh.send(REPORT_SCHEDULE)).json()["schedule_params"] == {"format": "pdf"}
    ran = (await fresh.send("POST /api/functions/daily-report/execute/")).json()
    assert ran["result"]["result"] == {"report": "generated"}
