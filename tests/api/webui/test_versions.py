"""The versions of a plugin's code: listed, compared, returned to."""

from typing import Any

from tests.api.webui.asking import NOT_FOUND, PIPE, Asking, detail, form
from tests.api.webui.test_functions import is_now

NO_VERSION = "Version not found"
SECOND = PIPE.replace("[::-1]", ".upper()")


async def versions(admin: Asking, id: str, query: str = "") -> Any:
    return await admin.get(f"/id/{id}/history{query}")


async def test_every_change_of_the_code_is_a_version(admin: Asking):
    id = await admin.create(PIPE, commit_message="the first")
    await admin.post(f"/id/{id}/update", form(id, SECOND, commit_message="louder"))
    await admin.post(f"/id/{id}/update", form(id, SECOND, name="Only a name"))
    newer, older = await versions(admin, id)
    shown = await admin.get(f"/id/{id}")
    author = {"id": shown["user_id"], "name": "ada-admin", "email": "ada-admin@example.org"}
    assert is_now(newer["created_at"])
    assert newer == {
        "id": shown["version_id"], "function_id": id, "parent_id": older["id"], "snapshot": {"content": SECOND},
        "user_id": author["id"], "user": author, "commit_message": "louder", "created_at": newer["created_at"],
    }  # fmt: skip
    assert (older["parent_id"], older["snapshot"]) == (None, {"content": PIPE})
    await admin.delete(id)
    assert detail(await admin.ask("GET", f"/id/{id}/history"), 401) == NOT_FOUND


async def test_a_page_of_them(admin: Asking):
    id = await admin.create(PIPE)
    for number in range(4):
        await admin.post(f"/id/{id}/update", form(id, f"{PIPE}# {number}\n"))
    whole = await versions(admin, id)
    assert len(whole) == 5
    assert [row["parent_id"] for row in whole] == [*(row["id"] for row in whole[1:]), None]
    assert await versions(admin, id, "?page=1&limit=2") == whole[:2]
    assert await versions(admin, id, "?page=2&limit=2") == whole[2:4]
    assert await versions(admin, id, "?page=3&limit=2") == whole[4:]
    assert await versions(admin, id, "?page=4&limit=2") == []
    await admin.delete(id)


async def test_what_differs(admin: Asking):
    id = await admin.create(PIPE)
    await admin.post(f"/id/{id}/update", form(id, SECOND))
    newer, older = await versions(admin, id)
    found = await admin.get(f"/id/{id}/history/diff?from_id={older['id']}&to_id={newer['id']}")
    assert set(found) == {"from_id", "to_id", "from_snapshot", "to_snapshot", "content_diff"}
    assert (found["from_id"], found["to_id"]) == (older["id"], newer["id"])
    assert (found["from_snapshot"], found["to_snapshot"]) == ({"content": PIPE}, {"content": SECOND})
    lines = [line.rstrip("\n") for line in found["content_diff"]]
    assert '-        return body["text"][::-1]' in lines
    assert '+        return body["text"].upper()' in lines
    for other in ("0", "999999999", "x", "-1", "9" * 40, "\u0663"):
        answer = await admin.ask("GET", f"/id/{id}/history/diff?from_id={older['id']}&to_id={other}")
        assert detail(answer, 404) == NO_VERSION
    await admin.delete(id)


async def test_a_return_to_a_version(admin: Asking):
    id = await admin.create(PIPE)
    first = (await admin.get(f"/id/{id}"))["version_id"]
    second = (await admin.post(f"/id/{id}/update", form(id, SECOND, name="Named")))["version_id"]
    back = await admin.post(f"/id/{id}/update/version", {"version_id": first})
    assert (back["version_id"], back["content"], back["name"]) == (first, PIPE, "Named")
    assert back == await admin.get(f"/id/{id}")
    assert [row["id"] for row in await versions(admin, id)] == [second, first]
    for other in ("0", "999999999", "x"):
        answer = await admin.ask("POST", f"/id/{id}/update/version", json={"version_id": other})
        assert detail(answer, 404) == NO_VERSION
    [fault] = detail(await admin.ask("POST", f"/id/{id}/update/version", json={"version_id": 1}), 422)
    assert fault["loc"] == ["body", "version_id"]
    await admin.delete(id)


async def test_another_function_s_version_is_none(admin: Asking):
    one, other = await admin.create(PIPE), await admin.create(SECOND)
    version = (await admin.get(f"/id/{other}"))["version_id"]
    answer = await admin.ask("POST", f"/id/{one}/update/version", json={"version_id": version})
    assert detail(answer, 404) == NO_VERSION
    for id in (one, other):
        await admin.delete(id)
