"""Functions: made, listed, shown, changed, deleted."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.api.conftest import is_stamp, sentence
from tests.conftest import Deploy

APP = "/api/apps/shelf-app/functions/"
_ROUNDS = 20  # of changes in the same moment
ROW = [
    "id", "name", "slug", "environment", "execution_mode", "category", "is_active", "schedule_enabled", "app",
    "app_name", "created_at", "updated_at",
]  # fmt: skip
DETAIL = [
    "id", "name", "slug", "environment", "execution_mode", "category", "description", "app", "app_name", "is_active",
    "webhook_url", "auth_config", "headers", "config", "schedule_enabled", "cron_expression", "schedule_params",
    "schedule_timezone", "schedule_missed_runs", "schedule_overlap", "active_code", "code_versions", "created_at",
    "updated_at",
]  # fmt: skip


async def make(client: httpx.AsyncClient, name: str, app: str = "shelf-app", **fields: object) -> dict:
    made = await client.post(f"/api/apps/{app}/functions/", json={"name": name, **fields})
    assert made.status_code == 201, made.text
    return made.json()


async def test_list_shows_the_rows_of_the_specification(client: httpx.AsyncClient):
    made = await make(client, "Process Invoice", category="document_processing", description="Extracts data")
    listed = (await client.get(f"{APP}?execution_mode=app&is_active=true&search=process+inv")).json()
    assert list(listed) == ["count", "next", "previous", "results"]
    row = listed["results"][0]
    assert list(row) == ROW
    assert row["slug"] == made["slug"]
    assert row["environment"] == "python"
    assert row["app_name"] == "Shelf App"
    assert row["schedule_enabled"] is False
    assert is_stamp(row["created_at"])
    assert is_stamp(row["updated_at"])


async def test_detail_without_code(client: httpx.AsyncClient):
    made = await make(client, "Bare", config={"timeout": 300, "max_retries": 3}, headers={"X-A": "b"})
    shown = (await client.get(f"/api/functions/{made['slug']}/")).json()
    assert list(shown) == DETAIL
    assert shown["active_code"] is None
    assert shown["code_versions"] == []
    assert shown["config"] == {"timeout": 300, "max_retries": 3}
    assert shown["headers"] == {"X-A": "b"}
    assert shown["auth_config"] == shown["schedule_params"] == {}
    assert shown["webhook_url"] == shown["cron_expression"] == shown["description"] == ""


async def test_detail_with_code(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy("def main(params, user_data):\n    return 1")
    shown = (await client.get(f"/api/functions/{slug}")).json()
    active, [version] = shown["active_code"], shown["code_versions"]
    assert list(active) == [
        "id", "version", "code", "is_active", "created_at", "created_by", "created_by_username"
    ]  # fmt: skip
    assert active["code"] == "def main(params, user_data):\n    return 1"
    assert version == {key: active[key] for key in ("id", "version", "is_active", "created_at")}


async def test_both_prefixes_with_and_without_slash(client: httpx.AsyncClient):
    slug = (await make(client, "Doors"))["slug"]
    for path in (f"/api/functions/{slug}", f"/api/apps/shelf-app/functions/{slug}"):
        for end in ("", "/"):
            answer = await client.get(path + end)
            assert answer.status_code == 200
            assert answer.json()["slug"] == slug
    assert (await client.get(f"/api/apps/other-app/functions/{slug}/")).status_code == 404
    assert (await client.get("/api/functions")).json()["count"] > 0


async def test_pages(client: httpx.AsyncClient):
    for number in range(5):
        await make(client, f"Page {number}", app="paged")
    first = (await client.get("/api/apps/paged/functions/?page_size=2&ordering=name")).json()
    assert [row["name"] for row in first["results"]] == ["Page 0", "Page 1"]
    assert first["count"] == 5
    assert first["previous"] is None
    assert first["next"].endswith("/api/apps/paged/functions/?page_size=2&ordering=name&page=2")
    second = (await client.get(first["next"])).json()
    assert [row["name"] for row in second["results"]] == ["Page 2", "Page 3"]
    assert second["previous"].endswith("/api/apps/paged/functions/?page_size=2&ordering=name")
    last = (await client.get(second["next"])).json()
    assert [row["name"] for row in last["results"]] == ["Page 4"]
    assert last["next"] is None
    assert sentence(await client.get("/api/apps/paged/functions/?page=4&page_size=2"), 404) == "Invalid page."
    by_offset = (await client.get("/api/apps/paged/functions/?limit=2&offset=2&ordering=-name")).json()
    assert [row["name"] for row in by_offset["results"]] == ["Page 2", "Page 1"]
    assert "offset=4" in by_offset["next"]
    assert "offset" not in by_offset["previous"]


async def test_filters(client: httpx.AsyncClient):
    await make(client, "On", app="filtered", category="red")
    await make(client, "Off", app="filtered", category="blue", is_active=False)

    async def names(query: str) -> list[str]:
        found = await client.get(f"/api/apps/filtered/functions/?{query}")
        return sorted(row["name"] for row in found.json()["results"])

    assert await names("is_active=false") == ["Off"]
    assert await names("category=red") == ["On"]
    assert await names("execution_mode=proxy") == []
    assert await names("search=OF") == ["Off"]
    assert await names("search=.") == []
    assert await names("schedule_enabled=false") == ["Off", "On"]


async def test_an_unknown_app_is_an_empty_list(client: httpx.AsyncClient):
    answer = await client.get("/api/apps/never-seen/functions/")
    assert answer.json() == {"count": 0, "next": None, "previous": None, "results": []}


async def test_a_taken_slug_gets_a_number(client: httpx.AsyncClient):
    slugs = [(await make(client, "Twice Told"))["slug"] for _ in range(3)]
    assert slugs == ["twice-told", "twice-told-2", "twice-told-3"]


async def test_slugs_are_safe_against_races(client: httpx.AsyncClient):
    made = await asyncio.gather(*(make(client, "Race Condition") for _ in range(12)))
    assert len({one["slug"] for one in made}) == 12
    assert len({one["id"] for one in made}) == 12


@pytest.mark.parametrize(
    ("name", "slug"), [("Code", "code-2"), ("Invocations", "invocations-2"), ("Zoë & Co", "zoe-co")]
)
async def test_names_become_slugs(client: httpx.AsyncClient, name: str, slug: str):
    await client.delete(f"/api/functions/{slug}/")
    assert (await make(client, name))["slug"] == slug


@pytest.mark.parametrize(
    ("body", "said", "field"),
    [
        ({}, "name: This field is required", "name"),
        ({"name": ""}, "name: Expected `str` of length >= 1", "name"),
        ({"name": "x" * 101}, "name: Expected `str` of length <= 100", "name"),
        ({"name": 5}, "name: Expected `str`, got `int`", "name"),
        ({"name": "日本"}, "name has no letter a-z and no digit", "name"),
        ({"name": "A", "slug": "code"}, "slug 'code' is reserved", "slug"),
        ({"name": "A", "slug": "No Way"}, "slug must be", "slug"),
        ({"name": "A", "is_active": "maybe"}, "is_active: Expected `bool`", "is_active"),
        ({"name": "A", "execution_mode": "odd"}, "execution_mode: Invalid enum value 'odd'", "execution_mode"),
        ({"name": "A", "environment": "cobol"}, "environment must be one of: python", "environment"),
        ({"name": "A", "config": {"timeout": "soon"}}, "config.timeout must be a number", "config.timeout"),
        ({"name": "A", "config": {"timeout": 301}}, "config.timeout must be a number", "config.timeout"),
        ({"name": "A", "config": {"x": 2**64}}, "config must not hold whole numbers beyond 64 bits", "config"),
        ({"name": "A", "config": {"a\0b": 1}}, "config must not have keys with a NUL", "config"),
        ({"name": "A", "config": {"x": "y" * 70_000}}, "config must not be longer than", "config"),
        ({"name": "A", "headers": {"X-A": 1}}, "headers[...]: Expected `str`, got `int`", "headers[...]"),
        ({"name": "A", "execution_mode": "proxy"}, "webhook_url is required for PROXY mode", "webhook_url"),
        ({"name": "A", "execution_mode": "system"}, "System functions are registered", "execution_mode"),
    ],
)  # fmt: skip
async def test_wrong_creations_are_refused(client: httpx.AsyncClient, body: dict, said: str, field: str):
    answer = await client.post(APP, json=body)
    assert sentence(answer, 400).startswith(said)
    assert list(answer.json()["details"]) == [field]


async def test_webhook_url_is_required_exactly_as_specified(client: httpx.AsyncClient):
    answer = await client.post(APP, json={"name": "A", "execution_mode": "proxy"})
    assert answer.json()["error"] == "webhook_url is required for PROXY mode"


async def test_a_slug_of_one_s_own(client: httpx.AsyncClient):
    await client.delete("/api/functions/own-slug/")
    assert (await make(client, "日本", slug="own-slug"))["slug"] == "own-slug"
    again = await client.post(APP, json={"name": "B", "slug": "own-slug"})
    assert sentence(again, 400) == "A function with slug 'own-slug' exists already"


async def test_wrong_app(client: httpx.AsyncClient):
    answer = await client.post("/api/apps/No_App/functions/", json={"name": "A"})
    assert sentence(answer, 400) == "app must be 1 to 100 characters: words of a-z and 0-9, joined by -"


async def test_change(client: httpx.AsyncClient):
    slug = (await make(client, "Changing"))["slug"]
    change = {"description": "Updated description", "is_active": False, "config": {"timeout": 60, "max_retries": 5}}
    changed = await client.patch(f"/api/functions/{slug}/", json=change)
    assert changed.status_code == 200
    assert list(changed.json()) == DETAIL
    shown = (await client.get(f"/api/functions/{slug}/")).json()
    assert shown == changed.json()
    assert {key: shown[key] for key in change} == change
    assert shown["name"] == "Changing"
    assert (await client.patch(f"/api/functions/{slug}/", json={"is_active": True})).json()["is_active"] is True


async def test_wrong_changes_change_nothing(client: httpx.AsyncClient):
    slug = (await make(client, "Steady"))["slug"]
    before = (await client.get(f"/api/functions/{slug}/")).json()
    for change in (
        {"name": 1},
        {"name": None},
        {"slug": "other"},
        {"config": {"timeout": -1}},
        {"execution_mode": "proxy"},
    ):
        assert (await client.patch(f"/api/functions/{slug}/", json=change)).status_code == 400, change
    assert (await client.patch(f"/api/functions/{slug}/", json={})).json() == before


@pytest.mark.parametrize("first", [0, 1])
async def test_changes_that_do_not_go_together_are_not_both_made(client: httpx.AsyncClient, first: int):
    changes: list[dict[str, Any]] = [{"execution_mode": "proxy"}, {"webhook_url": ""}]
    body = {"name": "Torn", "execution_mode": "app", "webhook_url": "https://example.org/hook"}
    for _ in range(_ROUNDS):
        path = f"/api/functions/{(await client.post(APP, json=body)).json()['slug']}/"
        pair = changes[::-1] if first else changes
        answers = await asyncio.gather(*(client.patch(path, json=change) for change in pair))
        assert sorted(answer.status_code for answer in answers) == [200, 400]
        refused = next(answer for answer in answers if answer.status_code == 400)
        assert sentence(refused, 400) == "webhook_url is required for PROXY mode"
        stored = (await client.get(path)).json()
        assert (stored["execution_mode"], stored["webhook_url"]) in (("proxy", body["webhook_url"]), ("app", ""))


async def test_changes_that_go_together_are_all_made(client: httpx.AsyncClient):
    path = f"/api/functions/{(await client.post(APP, json={'name': 'Shared'})).json()['slug']}/"
    wanted = {"name": "Other", "category": "tax", "description": "d", "webhook_url": "https://example.org/"}
    changes = [{field: value} for field, value in wanted.items()]
    answers = await asyncio.gather(*(client.patch(path, json=change) for change in changes * 2))
    assert {answer.status_code for answer in answers} == {200}
    stored = (await client.get(path)).json()
    assert {field: stored[field] for field in wanted} == wanted


async def test_delete_removes_everything(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    ran = (await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})).json()
    assert (await client.get(f"/api/functions/result/{ran['task_id']}/")).json()["status"] == "SUCCESS"
    deleted = await client.delete(f"/api/functions/{slug}/")
    assert (deleted.status_code, deleted.content) == (204, b"")
    missing = f"Function with slug '{slug}' not found or not active"
    assert sentence(await client.get(f"/api/functions/{slug}/"), 404) == missing
    assert sentence(await client.delete(f"/api/functions/{slug}/"), 404) == missing
    assert sentence(await client.post(f"/api/functions/{slug}/execute/", json={}), 404) == missing
    assert (await client.get(f"/api/functions/code/?function__slug={slug}")).json()["count"] == 0
    assert (await client.get(f"/api/functions/invocations/?function_slug={slug}")).json()["count"] == 0


async def test_tenants_do_not_see_each_other(client: httpx.AsyncClient, stranger: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    ran = (await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})).json()
    version = (await client.get(f"/api/functions/{slug}/")).json()["active_code"]["id"]
    for method, path in (
        ("GET", f"/api/functions/{slug}/"),
        ("PATCH", f"/api/functions/{slug}/"),
        ("DELETE", f"/api/functions/{slug}/"),
        ("POST", f"/api/functions/{slug}/execute/"),
        ("GET", f"/api/functions/{slug}/executions/"),
        ("POST", f"/api/functions/code/{version}/activate/"),
        ("GET", f"/api/functions/result/{ran['task_id']}/"),
        ("GET", f"/api/functions/invocations/{ran['invocation']['id']}/"),
        ("GET", f"/api/functions/invocations/by-task-id/{ran['task_id']}/"),
    ):
        answer = await stranger.request(method, path, json={} if method in ("POST", "PATCH") else None)
        assert answer.status_code == 404, path
    assert (await stranger.get("/api/functions/")).json()["count"] == 0
    assert (await stranger.get("/api/functions/code/")).json()["count"] == 0
    assert (await stranger.get("/api/functions/invocations/")).json()["count"] == 0
    own = await stranger.post("/api/apps/shelf-app/functions/", json={"name": "Mine", "slug": slug})
    assert own.json()["slug"] == slug
    assert (await stranger.delete(f"/api/functions/{slug}/")).status_code == 204
    assert (await client.get(f"/api/functions/{slug}/")).status_code == 200
