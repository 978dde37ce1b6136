"""All plugins at once: those that are sent are there afterwards and no others, or nothing has changed."""

from typing import Any

from tests.api.webui.asking import FILTER, PIPE, PLAIN, Asking, detail, form, ok

NOT_SYNCED = "[ERROR: Error loading function] "
MADE = 1_234_567_890


def entry(id: str, content: str = PIPE, /, **fields: Any) -> dict[str, Any]:
    """A function as it is exported."""
    return {
        **form(id, content), "user_id": "user123", "type": "filter", "valves": {}, "is_active": True,
        "is_global": False, "updated_at": MADE, "created_at": MADE, **fields,
    }  # fmt: skip


async def test_what_is_sent_is_there_and_nothing_else(admin: Asking):
    gone, kept = await admin.create(), await admin.create()
    before = await admin.get(f"/id/{kept}")
    sent = [
        entry(kept, PLAIN, name="Kept", meta={"manifest": {"title": "sent"}, "toggle": True, "icon_url": "x"}),
        entry("Synced", FILTER, is_active=False, is_global=True, valves={"mark": "?", "priority": 1}),
    ]
    found = await admin.post("/sync", {"functions": sent})
    assert [row["id"] for row in found] == [kept, "Synced"]
    first, second = found
    assert {key: first[key] for key in ("name", "type", "content", "meta", "is_active", "created_at")} == {
        "name": "Kept",
        "type": "function",
        "content": PLAIN,
        "meta": {"description": None, "manifest": {}, "toggle": False, "icon_url": "x"},
        "is_active": True,
        "created_at": MADE,
    }
    assert first["user_id"] == second["user_id"] == before["user_id"]
    assert first["updated_at"] >= before["updated_at"] > MADE
    assert (second["type"], second["is_global"], second["valves"]) == ("filter", True, {"mark": "?", "priority": 1})
    assert second["meta"]["toggle"] is True
    assert await admin.get("/export?include_valves=true") == found
    assert (await admin.ask("GET", f"/id/{gone}")).status_code == 401
    assert await admin.get("/id/Synced/valves") == second["valves"]
    assert await admin.post("/sync", {"functions": []}) == []
    assert await admin.get("/list") == []


async def test_what_was_exported_can_be_sent_again(admin: Asking):
    id = await admin.create()
    await admin.post(f"/id/{id}/valves/update", {"priority": 2})
    exported = await admin.get("/export?include_valves=true")
    synced = await admin.post("/sync", {"functions": exported})
    assert synced == [{**exported[0], "updated_at": synced[0]["updated_at"]}]
    await admin.delete(id)


async def test_what_need_not_be_there(admin: Asking):
    least = form("least", PIPE, meta={})
    [found] = await admin.post("/sync", {"functions": [least]})
    assert (found["is_active"], found["is_global"], found["valves"], found["type"]) == (False, False, None, "pipe")
    await admin.delete("least")


async def test_nothing_is_written_where_one_is_wrong(admin: Asking):
    id = await admin.create()
    before = await admin.get("/export?include_valves=true")
    for wrong in (
        entry("bad", "..."), entry("bad", "x = = 1"), entry("bad", FILTER, valves={"priority": "x"}),
        entry("bad", name="x" * 256), entry("good"), entry("a/b"), entry(""),
    ):  # fmt: skip
        answer = await admin.ask("POST", "/sync", json={"functions": [entry("good"), wrong]})
        assert detail(answer, 400).startswith(NOT_SYNCED)
    for field, value in (("created_at", -1), ("created_at", 1e30), ("is_active", 1), ("valves", []), ("id", None)):
        [fault] = detail(await admin.ask("POST", "/sync", json={"functions": [entry("x", **{field: value})]}), 422)
        assert fault["loc"] == ["body", "functions", 0, field]
    assert await admin.get("/export?include_valves=true") == before
    await admin.delete(id)


async def test_functions_that_are_no_plugins_are_left(admin: Asking):
    made = await admin.http.post("/api/apps/plugins/functions/", json={"name": "No Plugin"})
    assert made.status_code == 201, made.text
    slug = made.json()["slug"]
    assert await admin.post("/sync", {"functions": []}) == []
    assert ok(await admin.http.get(f"/api/functions/{slug}/"))["name"] == "No Plugin"
    assert slug not in {row["id"] for row in await admin.get("/list")}
