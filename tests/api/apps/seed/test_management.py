"""Chapters "Functions API", its fields and triggers, agent tools and environment variables."""

from datetime import datetime

import pytest

from tests.api.apps.seed.conftest import Printed

DEPLOY = r"""
POST /v1/{app_id}/functions
Authorization: Bearer {token}
{
"name": "hello-world",
"code": "export default async function handler(req) {\n return new Response(JSON.stringify({ message: 'Hello!' }), {\n headers: { 'Content-Type': 'application/json' }\n });\n}",
"description": "A simple greeting function",
"triggers": [
{ "type": "http", "config": { "auth": "required" } },
{ "type": "cron", "config": { "schedule": "0 9 * * *" } }
],
"envVars": {
"API_KEY": "secret123"
},
"timeoutMs": 30000,
"memoryLimitMb": 128
}
"""  # noqa: E501 - as it is printed
CODE = (
    "export default async function handler(req) {\n return new Response(JSON.stringify({ message: 'Hello!' }), {\n"
    " headers: { 'Content-Type': 'application/json' }\n });\n}"
)
AGENT_TOOL = """
{
"name": "lookup_account",
"code": "...",
"agent_tool": true,
"agent_tool_description": "Look up a customer by email. Returns id, plan, status.",
"agent_tool_mode": "read_only",
"agent_tool_exposed_to": "developer_only"
}
"""
ENV = """
PATCH /v1/{app_id}/functions/{name}/env
Authorization: Bearer {token}
{
"envVars": {
"API_KEY": "new-secret",
"NEW_VAR": "value",
"OLD_VAR": null
}
}
"""
LIST = "GET /v1/{app_id}/functions"
SHOW = "GET /v1/{app_id}/functions/{name}"
DELETE = "DELETE /v1/{app_id}/functions/{name}"


async def test_deploy_list_show_change_and_delete(printed: Printed):
    made = (await printed.send(DEPLOY)).json()
    assert made["name"] == "hello-world"
    assert made["url"].endswith("/fn/hello-world")
    assert [trigger["type"] for trigger in made["triggers"]] == ["http", "cron"]
    [row] = (await printed.send(LIST)).json()["functions"]
    assert (row["id"], row["name"], row["description"]) == (made["id"], "hello-world", "A simple greeting function")
    shown = (await printed.send(SHOW, name="hello-world")).json()
    assert (shown["code"], shown["runtime"]) == (CODE, "javascript")
    assert (shown["timeoutMs"], shown["memoryLimitMb"]) == (30_000, 128)
    assert shown["triggers"] == [
        {"type": "http", "config": {"auth": "required"}, "enabled": True},
        {"type": "cron", "config": {"schedule": "0 9 * * *", "timezone": "UTC"}, "enabled": True},
    ]
    metrics = ("total_invocations", "error_count", "error_rate", "avg_duration_ms", "last_invocation")
    assert [shown[name] for name in metrics] == [0, 0, 0, 0, None]
    changed = (await printed.send(ENV, name="hello-world")).json()
    assert changed["updatedKeys"] == ["API_KEY", "NEW_VAR"]
    assert (await printed.send(DELETE, name="hello-world")).json() == {"success": True}
    assert (await printed.send(LIST)).json() == {"functions": [], "hasMore": False}
    again = (await printed.send(DEPLOY)).json()
    assert again["id"] == made["id"]
    assert datetime.fromisoformat(again["deployedAt"]) > datetime.fromisoformat(made["deployedAt"])


async def test_it_answers(printed: Printed):
    made = (await printed.send(DEPLOY)).json()
    path = made["url"].partition("/v1/")[2]
    for method in ("GET", "POST"):
        assert (await printed.send(f"{method} /v1/{path}")).json() == {"message": "Hello!"}
    executed = (await printed.send('POST /api/functions/hello-world/execute/\n{\n"params": {}\n}')).json()
    assert executed["data"] == {"message": "Hello!"}


async def test_a_second_deployment_of_the_same_is_an_update(printed: Printed):
    first, second = (await printed.send(DEPLOY)).json(), (await printed.send(DEPLOY)).json()
    assert first["id"] == second["id"]
    assert len((await printed.send(LIST)).json()["functions"]) == 1


async def test_an_agent_tool(printed: Printed):
    """Its code is printed as three dots: those of the quick start stand in."""
    body = AGENT_TOOL.replace('"..."', DEPLOY.partition('"code": ')[2].partition(",\n")[0])
    made = (await printed.send("POST /v1/{app_id}/functions\nAuthorization: Bearer {token}\n" + body.lstrip())).json()
    assert [trigger["type"] for trigger in made["triggers"]] == ["http"]
    told = {
        "agent_tool": True,
        "agent_tool_description": "Look up a customer by email. Returns id, plan, status.",
        "agent_tool_mode": "read_only",
        "agent_tool_exposed_to": "developer_only",
    }
    [row] = (await printed.send(LIST)).json()["functions"]
    shown = (await printed.send(SHOW, name="lookup_account")).json()
    for answer in (row, shown):
        assert {name: answer[name] for name in told} == told


async def test_the_defaults_of_the_table(printed: Printed):
    request = 'POST /v1/{app_id}/functions\n{\n"name": "plain",\n"code": CODE\n}'
    code = DEPLOY.partition('"code": ')[2].partition(",\n")[0]
    await printed.send(request.replace("CODE", code))
    shown = (await printed.send(SHOW, name="plain")).json()
    assert shown["triggers"] == [{"type": "http", "config": {"auth": "required"}, "enabled": True}]
    assert (shown["timeoutMs"], shown["memoryLimitMb"], shown["envKeys"]) == (30_000, 128, [])
    agent = ("agent_tool", "agent_tool_description", "agent_tool_mode", "agent_tool_exposed_to")
    assert [shown[name] for name in agent] == [False, None, "read_only", "developer_only"]


@pytest.mark.parametrize(
    "trigger",
    [
        '{ "type": "http", "config": { "auth": "none" } }',
        '{ "type": "cron", "config": { "schedule": "*/5 * * * *" } }',
        '{ "type": "s3_upload", "config": { "bucket": "uploads", "prefix": "in/", "contentTypes": ["image/png"] } }',
        '{ "type": "webhook", "config": { "secret_required": true, "allowed_sources": "stripe,github" } }',
        '{ "type": "websocket", "config": {} }',
        '"webhook"',
    ],
)
async def test_each_row_of_the_table_of_triggers(printed: Printed, trigger: str):
    code = DEPLOY.partition('"code": ')[2].partition(",\n")[0]
    body = f'{{\n"name": "triggered",\n"code": {code},\n"trigger": {trigger}\n}}'
    made = (await printed.send("POST /v1/{app_id}/functions\n" + body)).json()
    assert len(made["triggers"]) == 1
    kind = made["triggers"][0]["type"]
    assert f'"{kind}"' in trigger
    assert ("secret" in made.get("webhook", {})) == (kind == "webhook")
