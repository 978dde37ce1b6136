"""The history of functions: one entry for whatever moves `updated_at`, the newest first."""

import httpx
import pytest

from services.api.core.history import History
from shared.store import functions, history
from shared.store.client import Store
from tests.api.conftest import is_stamp, sentence
from tests.api.test_core import ADMIN
from tests.conftest import Deploy

KEYS = [
    "history_id", "history_date", "history_type", "history_user", "name", "slug", "execution_mode", "is_active",
    "schedule_enabled",
]  # fmt: skip
CODE = "def main(params, user_data):\n    return 2"


async def entries(client: httpx.AsyncClient, slug: str, **query: object) -> list[dict]:
    found = await client.get(f"/api/functions/{slug}/history/", params=query)
    assert found.status_code == 200, found.text
    return found.json()


async def test_every_change_is_an_entry(client: httpx.AsyncClient):
    made = (await client.post("/api/apps/past/functions/", json={"name": "Past Tense"})).json()
    path = f"/api/functions/{made['slug']}/"
    await client.patch(path, json={"is_active": False, "name": "Past Perfect"})
    await client.patch(path, json={})  # changes nothing
    await client.patch(path, json={"no_field": 1})
    await client.patch(path, json={"execution_mode": "system"})  # refused
    found = await entries(client, made["slug"])
    assert [list(entry) for entry in found] == [KEYS, KEYS]
    changed, created = found
    assert changed["history_id"] > created["history_id"]
    assert is_stamp(changed["history_date"])
    assert {key: changed[key] for key in KEYS[2:]} == {
        "history_type": "Changed", "history_user": "admin", "name": "Past Perfect", "slug": made["slug"],
        "execution_mode": "app", "is_active": False, "schedule_enabled": False,
    }  # fmt: skip
    assert (created["history_type"], created["name"], created["is_active"]) == ("Created", "Past Tense", True)


async def test_code_counts_when_it_becomes_what_runs(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    assert [entry["history_type"] for entry in await entries(client, slug)] == ["Changed", "Created"]
    code = f"/api/functions/{slug}/code/"
    second = (await client.post(code, json={"version": "2", "code": CODE})).json()
    assert len(await entries(client, slug)) == 2
    await client.post(f"/api/functions/code/{second['id']}/activate/")
    assert len(await entries(client, slug)) == 3
    await client.patch(code, json={"code": CODE + " + 1"})
    assert len(await entries(client, slug)) == 4


async def test_parts(client: httpx.AsyncClient):
    slug = (await client.post("/api/apps/past/functions/", json={"name": "Parts"})).json()["slug"]
    for number in range(4):
        await client.patch(f"/api/functions/{slug}/", json={"description": str(number)})
    everything = await entries(client, slug)
    assert await entries(client, slug, limit=2, offset=1) == everything[1:3]
    assert await entries(client, slug, offset=5) == []
    assert len({entry["history_id"] for entry in everything}) == 5
    for wrong in ({"limit": 0}, {"offset": -1}, {"limit": "x"}):
        answer = await client.get(f"/api/functions/{slug}/history/", params=wrong)
        assert next(iter(wrong)) in sentence(answer, 400)


async def test_it_ends_with_the_deletion_and_a_new_function_begins_anew(client: httpx.AsyncClient):
    async def make() -> str:
        return (await client.post("/api/apps/past/functions/", json={"name": "Phoenix"})).json()["slug"]

    slug = await make()
    assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
    for path in (f"/api/functions/{slug}/history", f"/api/apps/past/functions/{slug}/history/"):
        found = (await client.get(path)).json()
        assert [entry["history_type"] for entry in found] == ["Deleted", "Created"]
        assert found[0]["is_active"] is True
    assert (await client.get(f"/api/apps/other/functions/{slug}/history/")).status_code == 404
    assert await make() == slug
    assert [entry["history_type"] for entry in await entries(client, slug)] == ["Created"]
    assert (await client.get(f"/api/apps/other/functions/{slug}/history/")).status_code == 404


async def test_a_soft_deletion_is_an_entry_and_the_last_one_another(client: httpx.AsyncClient):
    body = {"name": "revenant", "runtime": "python", "code": CODE}
    for _ in range(2):
        assert (await client.post("/v1/past/functions", json=body)).status_code == 200
        await client.delete("/v1/past/functions/revenant")
    await client.post("/v1/past/functions", json=body)
    assert (await client.delete("/api/functions/revenant/")).status_code == 204
    kinds = [entry["history_type"] for entry in await entries(client, "revenant")]
    assert kinds == ["Deleted", "Changed", "Deleted", "Changed", "Deleted", "Created"]


async def test_strangers_and_unknown_slugs(client: httpx.AsyncClient, stranger: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    answer = await stranger.get(f"/api/functions/{slug}/history/")
    assert sentence(answer, 404) == f"Function with slug '{slug}' not found or not active"
    assert (await client.get("/api/functions/never-seen/history/")).status_code == 404


async def test_the_oldest_entries_go(client: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch):
    slug = (await client.post("/api/apps/past/functions/", json={"name": "Long Past"})).json()["slug"]
    function = await functions.Functions(store, "default").by_slug(slug)
    assert function is not None
    monkeypatch.setattr(history, "KEPT", 3)
    monkeypatch.setattr(history, "_SLACK", 2)
    for _ in range(5):
        await History(store).add(ADMIN, function, "Changed")
    found = await entries(client, slug)
    assert [entry["history_type"] for entry in found] == ["Changed"] * 3
