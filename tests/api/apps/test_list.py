"""Functions listed, shown, deleted and come back, and the one record that both dialects have of them."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.store.client import Store
from tests.api.apps.shop import Shop, refused
from tests.conftest import TAX

PARAMS = {"params": {"amount": 1000, "rate": 0.15}}
AGENT = {"agent_tool", "agent_tool_description", "agent_tool_mode", "agent_tool_exposed_to"}
METRICS = {"total_invocations", "error_count", "error_rate", "avg_duration_ms", "last_invocation"}


async def execute(shop: Shop, slug: str) -> httpx.Response:
    return await shop.client.post(f"/api/functions/{slug}/execute/", json=PARAMS)


async def made_in_rest(shop: Shop, name: str, **fields: object) -> dict[str, Any]:
    answer = await shop.client.post(f"/api/apps/{shop.app}/functions/", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_list_is_by_name_and_has_all_fields(shop: Shop):
    for name in ("b", "a", "c"):
        await shop.deploy(name)
    body = (await shop.ask("GET", "functions")).json()
    assert [row["name"] for row in body["functions"]] == ["a", "b", "c"]
    assert body["hasMore"] is False
    assert set(body["functions"][0]) == AGENT | {
        "id", "name", "description", "runtime", "triggers", "url", "status", "deployedAt", "lastInvoked", "lastStatus",
        "invocationCount", "errorRate", "avgDuration", "slug", "metrics",
    }  # fmt: skip
    part = (await shop.ask("GET", "functions?limit=1&offset=1")).json()
    assert ([row["name"] for row in part["functions"]], part["hasMore"]) == (["b"], True)


async def test_one_has_everything_in_both_spellings(shop: Shop):
    await shop.deploy("one", envVars={"B": "1", "A": "2"})
    body = await shop.show("one")
    assert set(body) == AGENT | METRICS | {
        "id", "name", "slug", "description", "code", "runtime", "triggers", "url", "status", "timeoutMs",
        "memoryLimitMb", "egress", "egressHosts", "deployedAt", "lastInvoked", "invocationCount", "errorCount",
        "avgDuration", "envKeys", "metrics",
    }  # fmt: skip
    assert set(body["metrics"]) >= METRICS
    assert (body["code"], body["envKeys"]) == (TAX, ["A", "B"])
    refused(await shop.ask("GET", "functions/two"), 404, "RESOURCE_NOT_FOUND")


async def test_what_is_deployed_runs_in_the_other_dialect(shop: Shop, client: httpx.AsyncClient):
    made = await shop.deploy("Calculate Tax!", description="Taxes")
    slug = (await shop.show("Calculate Tax!"))["slug"]
    assert slug.startswith("calculate-tax")
    assert (await execute(shop, slug)).json()["result"]["result"]["tax"] == 150
    listed = (await client.get(f"/api/apps/{shop.app}/functions/")).json()["results"]
    assert [(str(row["id"]), row["environment"]) for row in listed] == [(made["id"], "python")]
    detail = (await client.get(f"/api/functions/{slug}/")).json()
    assert (detail["description"], detail["active_code"]["code"]) == ("Taxes", TAX)
    assert detail["config"] == {}
    kinds = [entry["history_type"] for entry in (await client.get(f"/api/functions/{slug}/history/")).json()]
    assert kinds == ["Created"]


async def test_what_the_other_dialect_made_is_found_by_name_and_by_slug(shop: Shop):
    made = await made_in_rest(shop, "Rest Made")
    answer = await shop.client.post(f"/api/functions/{made['slug']}/code/", json={"version": "1.0", "code": TAX})
    assert answer.status_code == 201
    assert await shop.names() == ["Rest Made"]
    for name in ("Rest%20Made", made["slug"]):
        shown = await shop.show(name)
        assert (shown["id"], shown["code"], shown["deployedAt"]) == (str(made["id"]), TAX, None)
        assert shown["triggers"] == [{"type": "http", "config": {"auth": "required"}, "enabled": True}]
    changed = await shop.ask("PATCH", f"functions/{made['slug']}/env", json={"envVars": {"A": "1"}})
    assert changed.json()["function"]["id"] == str(made["id"])


async def test_a_deployment_takes_over_the_oldest_of_its_name(shop: Shop):
    first = await made_in_rest(shop, "Same", config={"max_retries": 2, "timeout": 9}, category="kept")
    second = await made_in_rest(shop, "Same")
    deployed = await shop.deploy("Same", timeoutMs=1000)
    assert deployed["id"] == str(first["id"])
    seen = (await shop.client.get(f"/api/functions/{first['slug']}/")).json()
    assert (seen["config"], seen["category"]) == ({"max_retries": 2, "timeout": 1}, "kept")
    assert (await execute(shop, first["slug"])).status_code == 200
    assert (await shop.client.get(f"/api/functions/{second['slug']}/")).json()["active_code"] is None
    # However it is called from now on: it is deployed as what it was deployed as.
    await shop.client.patch(f"/api/functions/{first['slug']}/", json={"name": "Renamed"})
    assert (await shop.deploy("Same"))["id"] == str(first["id"])


async def test_a_deletion_is_soft_and_can_be_repeated(shop: Shop, client: httpx.AsyncClient):
    made = await shop.deploy("gone")
    slug = (await shop.show("gone"))["slug"]
    for _ in range(2):
        answer = await shop.ask("DELETE", "functions/gone")
        assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert (await shop.ask("DELETE", "functions/never-was")).json() == {"success": True}
    refused(await shop.ask("DELETE", "functions/gone".replace("functions", "function")), 404, "RESOURCE_NOT_FOUND")
    refused(await Shop(shop.client, "no-such-app").ask("DELETE", "functions/gone"), 404, "RESOURCE_NOT_FOUND")
    refused(await shop.ask("GET", "functions/gone"), 404, "RESOURCE_NOT_FOUND")
    assert await shop.names() == []
    listed = (await client.get(f"/api/apps/{shop.app}/functions/")).json()
    assert (listed["count"], listed["results"]) == (0, [])
    everywhere = (await client.get(f"/api/apps/{shop.app}/functions/aggregate/")).text
    assert slug not in everywhere
    for path in ("", "code/", "executions/", "schedule/"):
        assert (await client.get(f"/api/functions/{slug}/{path}")).status_code == 404, path
    assert (await client.get("/api/functions/code/", params={"function__slug": slug})).json()["count"] == 0
    versions = (await client.get("/api/functions/code/", params={"limit": 100})).json()
    assert made["id"] not in [str(row["function"]) for row in versions["results"]]
    assert (await client.patch(f"/api/functions/{slug}/", json={"is_active": True})).status_code == 404
    assert (await client.delete(f"/api/functions/{slug}/")).status_code == 404
    assert (await execute(shop, slug)).status_code == 404


async def test_what_was_deleted_comes_back_as_who_it_was(shop: Shop, client: httpx.AsyncClient):
    made = await shop.deploy("phoenix", envVars={"A": "1"}, description="before")
    before = await shop.show("phoenix")
    ran = (await execute(shop, before["slug"])).json()
    assert (await client.get(f"/api/functions/result/{ran['task_id']}/")).json()["status"] == "SUCCESS"
    await shop.ask("DELETE", "functions/phoenix")
    assert (await execute(shop, before["slug"])).status_code == 404
    again = await shop.deploy("phoenix")
    after = await shop.show("phoenix")
    assert (again["id"], after["slug"]) == (made["id"], before["slug"])
    assert (after["description"], after["envKeys"], after["status"]) == ("before", ["A"], "active")
    assert (await execute(shop, after["slug"])).status_code == 200
    seen = (await client.get(f"/api/functions/{after['slug']}/executions/")).json()["results"]
    assert ran["invocation"]["id"] in [row["id"] for row in seen]


async def test_a_scheduled_one_that_is_deleted_runs_no_more(shop: Shop, store: Store):
    made = await shop.deploy("clock", triggers=[{"type": "cron", "config": {"schedule": "@hourly"}}])
    await shop.ask("DELETE", "functions/clock")
    async with asyncio.timeout(20):
        while True:
            found = await store.table("functions", "default").one({"id": int(made["id"])})
            assert found is not None
            if "schedule_due" not in found:
                return
            await asyncio.sleep(0.05)


async def test_one_of_the_other_dialect_is_deleted_and_deployed_anew(shop: Shop):
    made = await made_in_rest(shop, "From Rest")
    await shop.ask("DELETE", f"functions/{made['slug']}")
    assert (await shop.client.get(f"/api/functions/{made['slug']}/")).status_code == 404
    assert (await shop.deploy("From Rest"))["id"] == str(made["id"])


async def test_the_slug_of_a_deleted_one_is_given_to_who_asks_for_it(shop: Shop):
    made = await shop.deploy("slugged")
    slug = (await shop.show("slugged"))["slug"]
    taken = await shop.client.post(f"/api/apps/{shop.app}/functions/", json={"name": "Other", "slug": slug})
    assert taken.status_code == 400
    await shop.ask("DELETE", "functions/slugged")
    await made_in_rest(shop, "Other", slug=slug)
    assert (await shop.deploy("slugged"))["id"] == made["id"]
    shown = await shop.show("slugged")
    assert shown["slug"] == f"{slug}-2"
    assert (await execute(shop, shown["slug"])).status_code == 200


async def test_an_app_of_deleted_functions_can_be_deleted(shop: Shop):
    await shop.deploy("one")
    assert (await shop.client.delete(f"/api/apps/{shop.app}/")).status_code == 409
    await shop.ask("DELETE", "functions/one")
    assert (await shop.client.delete(f"/api/apps/{shop.app}/")).status_code == 204
    refused(await shop.ask("GET", "functions"), 404, "RESOURCE_NOT_FOUND")


async def test_a_hard_deletion_in_the_other_dialect_leaves_nothing_to_come_back(shop: Shop):
    made = await shop.deploy("hard")
    slug = (await shop.show("hard"))["slug"]
    assert (await shop.client.delete(f"/api/functions/{slug}/")).status_code == 204
    assert await shop.names() == []
    assert (await shop.deploy("hard"))["id"] != made["id"]


@pytest.mark.parametrize("mode", ["proxy"])
async def test_a_webhook_s_function_is_listed_too(shop: Shop, mode: str):
    await made_in_rest(shop, "Hook", execution_mode=mode, webhook_url="https://example.org/hook")
    shown = await shop.show("hook")
    assert (shown["runtime"], shown["code"]) == ("proxy", "")
