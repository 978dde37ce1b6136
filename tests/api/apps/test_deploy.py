"""Deployments: what is taken, what is refused and why, what a second one keeps and what it sets anew."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from shared.domain.app import public_id
from shared.store.client import Store
from tests.api.apps.shop import Shop, refused
from tests.conftest import TAX

HTTP = {"type": "http", "config": {"auth": "required"}, "enabled": True}
DEFAULTS = {
    "timeoutMs": 30_000,
    "memoryLimitMb": 128,
    "agent_tool": False,
    "agent_tool_mode": "read_only",
    "agent_tool_exposed_to": "developer_only",
    "triggers": [HTTP],
    "runtime": "python",
    "egress": None,
}
SET = {
    "description": "Taxes",
    "envVars": {"KEY": "value"},
    "agent_tool_description": "Counts taxes",
    "timeoutMs": 1500,
    "memoryLimitMb": 256,
    "agent_tool": True,
    "agent_tool_mode": "read_write",
    "agent_tool_exposed_to": "end_user",
    "triggers": [{"type": "cron", "config": {"schedule": "0 3 * * *", "timezone": "Europe/Berlin"}}],
}


def code(number: int) -> str:
    return f"def main(params, user_data):\n    return {number}"


async def record(store: Store, function: dict[str, Any]) -> dict[str, Any]:
    found = await store.table("functions", "default").one({"id": int(function["id"])})
    assert found is not None
    return found


async def test_the_first_and_the_next_are_answered_alike(shop: Shop, store: Store):
    first = await shop.deploy("hello")
    again = await shop.deploy("hello", code=code(2))
    app = await store.table("apps", "default").one({"slug": shop.app})
    assert app is not None
    base = str(shop.client.base_url).rstrip("/")
    assert first["url"] == f"{base}/v1/{public_id('default', app['id'])}/fn/hello"
    assert first["triggers"] == [HTTP]
    assert first["cacheInvalidation"] == {"success": True, "attempts": 1}
    assert first["deployedAt"] < again["deployedAt"]
    assert {**first, "deployedAt": again["deployedAt"]} == again
    assert (await shop.show("hello"))["code"] == code(2)


async def test_an_app_is_meant_by_its_public_id_too(shop: Shop):
    made = await shop.deploy("one")
    public = Shop(shop.client, made["url"].split("/")[-3])
    assert public.app.startswith("app_")
    assert (await public.deploy("one"))["id"] == made["id"]
    assert await public.names() == await shop.names() == ["one"]
    unknown = Shop(shop.client, "app_000000000000")
    for answer in (await unknown.post("one"), await unknown.ask("GET", "functions")):
        assert refused(answer, 404, "RESOURCE_NOT_FOUND") == "App 'app_000000000000' not found"
    assert (await Shop(shop.client, "Not-A-Slug").post("one")).status_code == 404
    reserved = await Shop(shop.client, "functions").post("one")
    assert "reserved" in refused(reserved, 400, "VALIDATION_INVALID_SCHEMA")


async def test_code_that_is_refused_makes_no_app(shop: Shop):
    assert (await shop.post("bad", code="def main(:")).status_code == 400
    assert (await shop.ask("GET", "functions")).status_code == 404


async def test_what_a_redeployment_keeps_and_what_it_sets_anew(shop: Shop):
    await shop.deploy("tax", **SET)
    before = await shop.show("tax")
    assert {field: before[field] for field in SET if field not in ("envVars", "triggers")} == {
        field: value for field, value in SET.items() if field not in ("envVars", "triggers")
    }
    assert before["triggers"] == [{**SET["triggers"][0], "enabled": True}]  # type: ignore[index]
    await shop.deploy("tax")
    after = await shop.show("tax")
    assert {field: after[field] for field in DEFAULTS} == DEFAULTS
    assert (after["description"], after["agent_tool_description"]) == ("Taxes", "Counts taxes")
    assert after["envKeys"] == ["KEY"]
    await shop.deploy("tax", description="Other", envVars={"OTHER": "1"}, agent_tool_description="None")
    last = await shop.show("tax")
    assert (last["description"], last["envKeys"], last["agent_tool_description"]) == ("Other", ["OTHER"], "None")


async def test_a_null_is_as_good_as_nothing(shop: Shop):
    await shop.deploy("tax", **SET)
    await shop.deploy("tax", **dict.fromkeys([*SET, "trigger", "egress", "egressHosts"]))
    shown = await shop.show("tax")
    assert {field: shown[field] for field in DEFAULTS} == DEFAULTS
    assert (shown["description"], shown["envKeys"]) == ("Taxes", ["KEY"])


@pytest.mark.parametrize(
    ("fields", "triggers"),
    [
        ({"trigger": {"type": "cron", "config": {"schedule": "0 9 * * *"}}}, ["cron"]),
        ({"trigger": "http"}, ["http"]),
        ({"trigger": "websocket"}, ["websocket"]),
        ({"trigger": "websocket", "triggers": [{"type": "http"}]}, ["http"]),
        ({"trigger": None}, ["http"]),
        ({}, ["http"]),
    ],
)
async def test_the_one_trigger_of_old(shop: Shop, fields: dict[str, Any], triggers: list[str]):
    made = await shop.deploy("legacy", **fields)
    assert [trigger["type"] for trigger in made["triggers"]] == triggers
    assert (made["url"] is None) == ("http" not in triggers)


async def test_one_trigger_of_each_type(shop: Shop):
    triggers = [
        {"type": "http", "config": {"auth": "none", "method": "POST", "path": "/in"}},
        {"type": "cron", "config": {"schedule": "*/5 * * * *"}},
        {
            "type": "s3_upload",
            "config": {"bucket": "photos", "prefix": "in/", "contentTypes": ["image/png", "image/*"]},
        },
        {"type": "webhook", "config": {"secret_required": True, "allowed_sources": "stripe, github"}},
        {"type": "websocket", "config": {"event": "chat"}},
    ]
    await shop.deploy("all", triggers=triggers)
    shown = {trigger["type"]: trigger["config"] for trigger in (await shop.show("all"))["triggers"]}
    assert list(shown) == ["http", "cron", "s3_upload", "webhook", "websocket"]
    assert shown["cron"] == {"schedule": "*/5 * * * *", "timezone": "UTC"}
    assert shown["webhook"] == {"secret_required": True, "allowed_sources": "stripe,github", "secret": "***"}
    assert shown["http"] == triggers[0]["config"]
    assert shown["s3_upload"] == triggers[2]["config"]


async def test_a_cron_trigger_is_the_function_s_schedule(shop: Shop, client: httpx.AsyncClient):
    cron = {"type": "cron", "config": {"schedule": "0 9 * * *", "timezone": "Europe/Berlin"}}
    await shop.deploy("nightly", triggers=[cron])
    slug = (await shop.show("nightly"))["slug"]
    seen = (await client.get(f"/api/functions/{slug}/")).json()
    assert (seen["schedule_enabled"], seen["cron_expression"]) == (True, "0 9 * * *")
    assert seen["schedule_timezone"] == "Europe/Berlin"
    await client.patch(f"/api/functions/{slug}/", json={"schedule_enabled": False, "cron_expression": "0 8 * * *"})
    [shown] = (await shop.show("nightly"))["triggers"]
    assert shown == {"type": "cron", "config": {**cron["config"], "schedule": "0 8 * * *"}, "enabled": False}  # type: ignore[dict-item]
    await shop.deploy("nightly")
    seen = (await client.get(f"/api/functions/{slug}/")).json()
    assert (seen["schedule_enabled"], seen["cron_expression"], seen["schedule_timezone"]) == (False, "", "UTC")


def trigger(kind: str, **config: Any) -> dict[str, Any]:
    return {"triggers": [{"type": kind, "config": config}]}


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"name": ""}, "name", "1 to 100 characters"),
        ({"name": "x" * 101}, "name", "1 to 100 characters"),
        ({"name": "  "}, "name", "1 to 100 characters"),
        ({"name": "a/b"}, "name", "no /"),
        ({"name": "a\nb"}, "name", "control characters"),
        ({"name": ".."}, "name", "dots"),
        ({"name": 7}, "name", "Expected `str`"),
        ({"code": ""}, "code", "length >= 1"),
        ({"code": "def main(:"}, "code", "line 1"),
        ({"egress": "all"}, "egress", "'all'"),
        ({"egress": "allowlist"}, "egressHosts", "egressHosts must name a host"),
        ({"runtime": "ruby"}, "runtime", "'ruby'"),
        ({"timeoutMs": 0}, "timeoutMs", ">= 1"),
        ({"timeoutMs": 300_001}, "timeoutMs", "<= 300000"),
        ({"timeoutMs": "1000"}, "timeoutMs", "Expected `int"),
        ({"timeoutMs": 1.5}, "timeoutMs", "Expected `int"),
        ({"memoryLimitMb": 63}, "memoryLimitMb", ">= 64"),
        ({"memoryLimitMb": 1025}, "memoryLimitMb", "<= 1024"),
        ({"envVars": {"K": 1}}, "envVars[...]", "Expected `str`"),
        ({"envVars": {"1K": "v"}}, "envVars.1K", "not begin with a digit"),
        ({"envVars": {"K-K": "v"}}, "envVars.K-K", "letters, digits and _"),
        ({"envVars": {"": "v"}}, "envVars.", "1 to 256"),
        ({"envVars": {"shoal_Key": "v"}}, "envVars.shoal_Key", "platform's own"),
        ({"envVars": {"K": "v" * 32_769}}, "envVars.K", "32768 bytes"),
        ({"envVars": {"K": "\0"}}, "envVars.K", "NUL"),
        ({"envVars": {f"K{number}": "v" * 32_768 for number in range(3)}}, "envVars", "65536 bytes"),
        ({"envVars": {f"K{number}": "v" for number in range(101)}}, "envVars", "at most 100"),
        ({"description": 7}, "description", "Expected `str"),
        ({"agent_tool": "yes"}, "agent_tool", "Expected `bool"),
        ({"agent_tool_description": "x" * 501}, "agent_tool_description", "<= 500"),
        ({"agent_tool_mode": "write"}, "agent_tool_mode", "'write'"),
        ({"agent_tool_exposed_to": "all"}, "agent_tool_exposed_to", "'all'"),
        ({"triggers": []}, "triggers", ">= 1"),
        ({"triggers": [{"config": {}}]}, "type", "required"),
        ({"triggers": [{"type": "kafka"}]}, "triggers[0].type", "'kafka'"),
        ({"triggers": [{"type": "http", "configs": {}}]}, "triggers[0]", "unknown field `configs`"),
        ({"trigger": "kafka"}, "trigger", "'kafka'"),
        ({"trigger": "cron"}, "triggers[0].config.schedule", "required"),
        (trigger("http", auth="open"), "triggers[0].config.auth", "required, optional, none"),
        (trigger("http", method="FETCH"), "triggers[0].config.method", "GET, HEAD"),
        (trigger("http", path="in"), "triggers[0].config.path", "begin with /"),
        (trigger("http", auths="none"), "triggers[0].config.auths", "not known"),
        (trigger("cron", schedule="61 * * * *"), "triggers[0].config.schedule", "schedule"),
        (trigger("cron", schedule="0 0 31 2 *"), "triggers[0].config.schedule", "never comes due"),
        (trigger("cron", schedule="@daily", timezone="Mars/Olympus"), "triggers[0].config.timezone", "IANA"),
        (trigger("s3_upload"), "triggers[0].config.bucket", "required"),
        (trigger("s3_upload", bucket="abc", contentTypes=["x"]), "triggers[0].config.contentTypes[0]", "image/png"),
        (trigger("websocket", event=""), "triggers[0].config.event", ">= 1"),
    ],
)
async def test_what_is_refused(shop: Shop, fields: dict[str, Any], field: str, said: str):
    answer = await shop.ask("POST", "functions", json={"name": "f", "runtime": "python", "code": TAX, **fields})
    code = "VALIDATION_MISSING_FIELD" if said == "required" else "VALIDATION_INVALID_SCHEMA"
    assert said in refused(answer, 400, code)
    assert list(answer.json()["error"]["details"]) == [field]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import x from './y.ts'\nexport default function handler(req) {}", "line 1: cannot import './y.ts'"),
        ("export const a = 1", "Function must export a handler function"),
        ("\nconst x = ;", "line 2: SyntaxError"),
    ],
)
async def test_javascript_that_is_refused(shop: Shop, source: str, said: str):
    answer = await shop.ask("POST", "functions", json={"name": "f", "code": source})
    assert said in refused(answer, 400, "VALIDATION_INVALID_SCHEMA")
    assert list(answer.json()["error"]["details"]) == ["code"]


async def test_egress_is_a_setting_that_goes_back_to_its_default(shop: Shop):
    await shop.deploy("out", egress="allowlist", egressHosts=["api.example.com"])
    shown = await shop.show("out")
    assert (shown["egress"], shown["egressHosts"]) == ("allowlist", ["api.example.com"])
    await shop.deploy("out")
    shown = await shop.show("out")
    assert (shown["egress"], shown["egressHosts"]) == (None, [])


async def test_two_triggers_of_a_type_are_one_too_many(shop: Shop):
    answer = await shop.post("twice", triggers=[{"type": "http"}, {"type": "cron"}, {"type": "http"}])
    assert refused(answer, 400, "VALIDATION_MISSING_FIELD")  # the cron trigger without a schedule comes first
    answer = await shop.post("twice", triggers=[{"type": "http"}, {"type": "http"}])
    said = "Duplicate trigger type 'http' — at most one trigger of each type per function."
    assert refused(answer, 400, "VALIDATION_INVALID_SCHEMA") == said


@pytest.mark.parametrize("missing", ["name", "code"])
async def test_what_is_missing_is_named(shop: Shop, missing: str):
    body = {"name": "f", "code": TAX}
    del body[missing]
    answer = await shop.ask("POST", "functions", json=body)
    assert missing in refused(answer, 400, "VALIDATION_MISSING_FIELD")
    assert list(answer.json()["error"]["details"]) == [missing]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_none(shop: Shop, body: bytes):
    assert (await shop.ask("POST", "functions", content=body)).status_code == 400


async def test_the_bounds_themselves_are_taken(shop: Shop):
    await shop.deploy("least", timeoutMs=1, memoryLimitMb=64)
    least = await shop.show("least")
    assert (least["timeoutMs"], least["memoryLimitMb"]) == (1, 64)
    await shop.deploy("most", timeoutMs=300_000, memoryLimitMb=1024)
    most = await shop.show("most")
    assert (most["timeoutMs"], most["memoryLimitMb"]) == (300_000, 1024)


@pytest.mark.parametrize("name", ["x" * 100, "two words", "Grüße", "日本", "a.b", "a%2Fb?c#d", "UPPER", "sync", "-"])
async def test_any_name_can_be_asked_for(shop: Shop, name: str):
    made = await shop.deploy(name)
    assert made["url"].endswith("/fn/" + quote(name, safe=""))
    shown = await shop.show(quote(name, safe=""))
    assert (shown["name"], shown["id"]) == (name, made["id"])
    ran = await shop.client.post(f"/api/functions/{shown['slug']}/execute/", json={"params": {"amount": 10}})
    assert ran.json()["result"]["result"]["amount"] == 10
    assert (await shop.ask("DELETE", f"functions/{quote(name, safe='')}")).json() == {"success": True}
    assert await shop.names() == []


async def test_code_too_long_is_too_large(shop: Shop):
    assert "1048576 bytes" in refused(await shop.post("long", code="#" * (1 << 20) + "\n"), 413, "PAYLOAD_TOO_LARGE")


async def test_each_code_is_a_version_and_the_same_one_is_not_another(shop: Shop, client: httpx.AsyncClient):
    await shop.deploy("versioned", code=code(1))
    await shop.deploy("versioned", code=code(2))
    slug = (await shop.show("versioned"))["slug"]
    before = (await client.get(f"/api/functions/{slug}/code/")).json()
    await shop.deploy("versioned", code=code(2), description="same code")
    after = (await client.get(f"/api/functions/{slug}/code/")).json()
    assert (before["count"], [row["is_active"] for row in before["results"]]) == (2, [True, False])
    assert after["results"] == before["results"]
    activated = await client.post(f"/api/functions/code/{before['results'][1]['id']}/activate/")
    assert activated.status_code == 200
    assert (await shop.show("versioned"))["code"] == code(1)


async def test_code_and_settings_are_one_write(shop: Shop, store: Store):
    before = await record(store, await shop.deploy("atomic", code=code(1)))
    after = await record(store, await shop.deploy("atomic", code=code(2), timeoutMs=5000, envVars={"A": "1"}))
    assert after["revision"] == before["revision"] + 1
    assert after["active"]["code_hash"] != before["active"]["code_hash"]
    assert (after["config"]["timeout"], list(after["env"])) == (5, ["A"])
    assert after["env_revision"] == before["env_revision"] + 1


async def test_refused_code_leaves_everything_as_it_was(shop: Shop, store: Store):
    made = await shop.deploy("solid", code=code(1))
    before = await record(store, made)
    assert (await shop.post("solid", code="import os", timeoutMs=1)).status_code == 400
    assert await record(store, made) == before
    assert await store.table("versions", "default").count({"function_id": before["id"]}) == 1


async def test_twenty_at_once_make_one_function(shop: Shop, store: Store):
    answers = await asyncio.gather(
        *(shop.deploy("race", code=code(number), timeoutMs=1000 + number) for number in range(20))
    )
    assert len({answer["id"] for answer in answers}) == 1
    assert await shop.names() == ["race"]
    shown = await shop.show("race")
    assert shown["code"] == code(shown["timeoutMs"] - 1000)  # of one deployment, not of two
    found = await record(store, answers[0])
    made = await store.table("versions", "default").many({"function_id": found["id"]}, limit=100)
    assert len(made) == 20
    assert found["active"]["id"] in {version["id"] for version in made}
    assert found["revision"] == 20


async def test_twenty_at_once_of_names_with_one_slug(shop: Shop):
    names = [f"same {'!' * number}" for number in range(20)]
    await asyncio.gather(*(shop.deploy(name) for name in names))
    assert sorted(await shop.names()) == names


async def test_deployments_beside_deletions_leave_one_record(shop: Shop, store: Store):
    made = await shop.deploy("tug")
    for _ in range(5):
        deletion = shop.ask("DELETE", "functions/tug")
        answers = await asyncio.gather(deletion, *(shop.post("tug", code=code(number)) for number in range(3)))
        assert [answer.status_code for answer in answers] == [200] * 4
    assert (await shop.deploy("tug"))["id"] == made["id"]
    app = (await record(store, made))["app"]
    assert await store.table("functions", "default").count({"app": app}) == 1


async def test_a_version_in_another_language_is_not_activated_before_the_function_is_of_that_language(shop: Shop):
    await shop.deploy("two", code=code(1))
    await shop.deploy("two", code="export default () => new Response('2')", runtime="javascript")
    slug = (await shop.show("two"))["slug"]
    _, first = (await shop.client.get(f"/api/functions/{slug}/code/")).json()["results"]
    activate = f"/api/functions/code/{first['id']}/activate/"
    refusal = await shop.client.post(activate)
    assert refusal.status_code == 400
    assert "Code was refused" in refusal.json()["error"]
    assert (await shop.ask("GET", "fn/two")).text == "2"
    await shop.client.patch(f"/api/functions/{slug}/", json={"environment": "python"})
    assert (await shop.client.post(activate)).status_code == 200
    assert (await shop.ask("GET", "fn/two")).json() == 1
