"""Plugins over HTTP: made, listed, shown, changed, switched, deleted; under both prefixes, with and without a slash."""

import time
from typing import Any

from tests.api.webui.asking import FILTER, NOT_FOUND, PIPE, PLAIN, Asking, detail, form, ok

MANIFEST = {"title": "Shouting", "author": "A. Nonymous", "version": "0.2", "requirements": "httpx, pyyaml"}
RESPONSE = {
    "id", "user_id", "name", "type", "meta", "is_active", "is_global", "version_id", "updated_at", "created_at"
}  # fmt: skip


def is_now(epoch: Any) -> bool:
    return type(epoch) is int and 0 <= time.time() - epoch < 600


async def test_a_function_is_made_shown_and_deleted(admin: Asking):
    made = await admin.post("/create", form("Shouting_Äé_1", meta={"description": None, "icon_url": "x", "toggle": 7}))
    assert set(made) == RESPONSE
    id = made["id"]
    assert id == "shouting_äé_1"
    assert (made["name"], made["type"]) == ("Shouting Äé 1", "filter")
    assert (made["is_active"], made["is_global"]) == (False, False)
    assert made["meta"] == {"description": None, "icon_url": "x", "manifest": MANIFEST, "toggle": True}
    assert is_now(made["created_at"])
    assert is_now(made["updated_at"])
    assert int(made["user_id"]) > 0
    assert int(made["version_id"]) > 0
    assert await admin.get(f"/id/{id}") == {**made, "content": FILTER}
    assert ok(await admin.ask("DELETE", f"/id/{id}/delete")) is True
    assert detail(await admin.ask("GET", f"/id/{id}"), 401) == NOT_FOUND
    assert ok(await admin.ask("DELETE", f"/id/{id}/delete")) is True


async def test_what_a_function_is_says_its_code(admin: Asking):
    kinds = {
        "class Action:\n    def action(self, body):\n        return body": ("action", False),
        PIPE: ("pipe", False),
        PLAIN: ("function", False),
        "class Filter:\n    toggle = False\n    def inlet(self, body):\n        return body": ("filter", False),
        "class Filter:\n    toggle = True\n    def inlet(self, body):\n        return body": ("filter", True),
    }
    for content, (kind, toggle) in kinds.items():
        id = await admin.create(content)
        shown = await admin.get(f"/id/{id}")
        assert (shown["type"], shown["meta"]["toggle"], shown["meta"]["manifest"]) == (kind, toggle, {})
        await admin.delete(id)


async def test_the_short_names_of_packages_are_written_out_in_what_is_kept(admin: Asking):
    id = await admin.create(PIPE + "\n# from utils import misc\n")
    assert (await admin.get(f"/id/{id}"))["content"].endswith("# from open_webui.utils import misc\n")
    await admin.delete(id)


async def test_lists(admin: Asking, user: Asking):
    first, second = await admin.create(PIPE), await admin.create()
    shown = {id: await admin.get(f"/id/{id}") for id in (first, second)}
    bare = {id: {key: value for key, value in row.items() if key != "content"} for id, row in shown.items()}
    owner = {"id": shown[first]["user_id"], "name": "ada-admin", "role": "admin", "email": "ada-admin@example.org"}
    assert await admin.get("/list") == [{**bare[second], "user": owner}, {**bare[first], "user": owner}]
    by_id = [first, second]  # the numbers of functions, not their names
    assert await admin.get("/export") == [shown[id] for id in by_id]
    for query in ("false", "0"):
        assert await admin.get(f"/export?include_valves={query}") == [shown[id] for id in by_id]
    for slash in ("", "/"):
        for asking in (admin, user):
            everybody_s = Asking(asking.http, ("/api/v1/functions", slash))
            assert await everybody_s.get("") == [bare[id] for id in by_id]
    for id in by_id:
        await admin.delete(id)


async def test_the_list_at_the_prefix_of_both_is_the_other_dialect_s_page(admin: Asking):
    id = await admin.create(PIPE)
    for slash in ("", "/"):
        page = ok(await admin.http.get(f"/api/functions{slash}"))
        assert {"count", "next", "previous", "results"} <= set(page)
        assert [row["app"]["slug"] if isinstance(row["app"], dict) else row["app"] for row in page["results"]]
    await admin.delete(id)


async def test_who_has_changed_last_is_listed_first(admin: Asking):
    first, second = await admin.create(PIPE), await admin.create(PIPE)
    await admin.post(f"/id/{first}/toggle")
    assert [row["id"] for row in await admin.get("/list")] == [first, second]
    for id in (first, second):
        await admin.delete(id)


async def test_another_name_code_and_meta(admin: Asking):
    id = await admin.create(meta={"description": "before", "icon_url": "gone"})
    before = await admin.get(f"/id/{id}")
    body = {**form("Any Other-Id", PIPE, name="New", meta={"description": "after"}), "is_active": True, "user_id": "x"}
    changed = await admin.post(f"/id/{id}/update", body)
    assert changed == await admin.get(f"/id/{id}")
    assert changed == {
        **before,
        "name": "New",
        "type": "pipe",
        "content": PIPE,
        "meta": {"description": "after", "manifest": {}, "toggle": False},
        "version_id": changed["version_id"],
        "updated_at": changed["updated_at"],
    }
    assert int(changed["version_id"]) > int(before["version_id"])
    again = await admin.post(f"/id/{id}/update", form(id, PIPE, name="Newer", meta={}))
    assert (again["version_id"], again["name"]) == (changed["version_id"], "Newer")
    await admin.delete(id)


async def test_switches(admin: Asking):
    id = await admin.create(PIPE)
    for path, field in (("toggle", "is_active"), ("toggle/global", "is_global")):
        for expected in (True, False, True):
            switched = await admin.post(f"/id/{id}/{path}")
            assert switched[field] is expected
            assert switched == await admin.get(f"/id/{id}")
            assert switched["content"] == PIPE
    await admin.delete(id)


async def test_a_key_may_be_any_word_of_the_paths(admin: Asking):
    for id in ("execute", "id", "list", "valves", "update", "history", "code", "create"):
        await admin.post("/create", form(id, PIPE))
        assert (await admin.get(f"/id/{id}"))["id"] == id
        await admin.delete(id)


async def test_a_function_runs_as_every_function(admin: Asking):
    id = await admin.create(PIPE)
    call, slug = {"params": {"text": "abc"}}, id.replace("_", "-")
    paths = [f"/api/functions/{slug}/execute/", f"/api/apps/plugins/functions/{slug}/execute/"]
    for path in paths:
        assert (await admin.http.post(path, json=call)).status_code == 404  # it is not active
    await admin.post(f"/id/{id}/toggle")
    for path in paths:
        ran = ok(await admin.http.post(path, json=call))
        assert (ran["status"], ran["result"]["result"]) == ("SUCCESS", "cba")
    await admin.delete(id)
