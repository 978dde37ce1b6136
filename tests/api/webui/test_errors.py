"""What is refused: the statuses and the sentences that clients know, and `{"detail": …}` under every path."""

from typing import Any

import httpx
import pytest

from tests.api.test_errors import raw
from tests.api.webui.asking import (
    BAD_KEY,
    BAD_TOKEN,
    FILTER,
    FORMS,
    NO_TOKEN,
    NOT_FOUND,
    PIPE,
    Asking,
    detail,
    form,
    ok,
)
from tests.platform import Platform

TAKEN = "Uh-oh! This id is already registered. Please choose another id string."
NO_ID = "Only alphanumeric characters and underscores are allowed in the id"
NOT_MADE = "[ERROR: Error creating function] "
NO_CLASS = "No Function class found in the module"
BROKEN = {
    "x = = 1": "line 1: SyntaxError: invalid syntax",
    "x = 1": NO_CLASS,
    "import os\nclass Pipe:\n    pass": "Module os is not available",
    "raise ValueError('not today')\nclass Pipe:\n    pass": "ValueError: not today",
    "class Pipe:\n    def __init__(self):\n        1 / 0\n    def pipe(self, body):\n        pass": "ZeroDivisionError",
}


async def test_an_id_that_is_taken(admin: Asking):
    id = await admin.create(PIPE)
    for again in (id, id.upper()):
        assert detail(await admin.ask("POST", "/create", json=form(again, PIPE)), 400) == TAKEN
    await admin.delete(id)


@pytest.mark.parametrize("id", ["", "1st", "with space", "with-dash", "a.b", "x" * 256, "a\0b", "a/b"])
async def test_an_id_that_cannot_be(formed: Asking, id: str):
    assert detail(await formed.ask("POST", "/create", json=form(id, PIPE)), 400) == NO_ID


@pytest.mark.parametrize("content", BROKEN, ids=list(BROKEN.values()))
async def test_code_that_cannot_be_loaded(admin: Asking, content: str):
    said = detail(await admin.ask("POST", "/create", json=form("broken", content)), 400)
    assert said.startswith(NOT_MADE)
    assert BROKEN[content] in said
    assert detail(await admin.ask("GET", "/id/broken"), 401) == NOT_FOUND
    id = await admin.create(PIPE)
    await admin.post(f"/id/{id}/toggle")
    before = await admin.get(f"/id/{id}")
    refused = detail(await admin.ask("POST", f"/id/{id}/update", json=form(id, content)), 400)
    assert BROKEN[content] in refused
    assert not refused.startswith("[ERROR")
    assert await admin.get(f"/id/{id}") == before  # it is active still
    await admin.delete(id)


async def test_an_id_that_nobody_has(formed: Asking):
    assert (
        detail(await formed.ask("POST", "/id/nobody_s/update", json=form("nobody_s", PIPE)), 400)
        == "Function not found"
    )
    for method, path in (("GET", ""), ("POST", "/toggle"), ("POST", "/toggle/global"), ("GET", "/history")):
        for id in ("nobody_s", "No Key", "%00", "%C3%A4" * 300):
            assert detail(await formed.ask(method, f"/id/{id}{path}"), 401) == NOT_FOUND


async def test_what_is_missing_or_of_another_type_is_told_field_by_field(formed: Asking):
    body = {"id": 1, "name": "x", "meta": {"description": ["x"]}}
    assert detail(await formed.ask("POST", "/create", json=body), 422) == [
        {"type": "string_type", "loc": ["body", "id"], "msg": "Input should be a valid string"},
        {"type": "missing", "loc": ["body", "content"], "msg": "Field required"},
        {"type": "string_type", "loc": ["body", "meta", "description"], "msg": "Input should be a valid string"},
    ]
    assert detail(await formed.ask("POST", "/create"), 422) == [
        {"type": "missing", "loc": ["body"], "msg": "Field required"}
    ]
    assert detail(await formed.ask("POST", "/sync", json={}), 422) == [
        {"type": "missing", "loc": ["body", "functions"], "msg": "Field required"}
    ]


@pytest.mark.parametrize(
    ("path", "loc"),
    [
        ("/export?include_valves=perhaps", ["query", "include_valves"]),
        ("/export?include_valves=null", ["query", "include_valves"]),
        ("/id/x/history?page=0", ["query", "page"]),
        ("/id/x/history?limit=101", ["query", "limit"]),
        ("/id/x/history?page=null", ["query", "page"]),
        ("/id/x/history/diff?from_id=1", ["query", "to_id"]),
    ],
)
async def test_a_query_is_told_likewise(formed: Asking, path: str, loc: list[str]):
    [fault] = detail(await formed.ask("GET", path), 422)
    assert fault["loc"] == loc


async def test_what_is_no_json(formed: Asking, http: httpx.AsyncClient):
    for client in (formed.http, http):
        for content, at in ((b"{", 1), (b'{"id" 1}', 6), (b'"\xff"', 1)):
            answer = await Asking(client, *formed.forms).ask("POST", "/create", content=content)
            [fault] = detail(answer, 422)
            assert (fault["type"], fault["loc"]) == ("json_invalid", ["body", at])


async def test_names_and_metas_that_cannot_be_kept(admin: Asking):
    id = await admin.create(PIPE)
    for wrong in (
        {"name": "x" * 256}, {"name": "\0"}, {"meta": {"big": "x" * 70_000}}, {"meta": {"a\0b": 1}},
        {"meta": {"number": 2**70}},
    ):  # fmt: skip
        for path in ("/create", f"/id/{id}/update"):
            said = detail(await admin.ask("POST", path, json={**form("another", PIPE), **wrong}), 400)
            assert next(iter(wrong)) in said
    await admin.delete(id)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, NO_TOKEN),
        ({"Authorization": "Basic YWRhOmFkYQ=="}, NO_TOKEN),
        ({"Authorization": "Bearer forged"}, BAD_TOKEN),
        ({"Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"}, BAD_TOKEN),
        ({"X-Session-Token": "forged"}, BAD_TOKEN),
        ({"Authorization": "Bearer sk-" + "0" * 32}, BAD_KEY),
    ],
)
async def test_strangers(formed: Asking, http: httpx.AsyncClient, headers: dict[str, str], said: str):
    answer = await Asking(http, *formed.forms).ask("GET", "/list", headers=headers)
    assert detail(answer, 401) == said
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/list", "GET, HEAD, OPTIONS"),
        ("PUT", "/create", "OPTIONS, POST"),
        ("POST", "/id/x", "GET, HEAD, OPTIONS"),
        ("POST", "/id/execute", "GET, HEAD, OPTIONS"),
        ("GET", "/id/x/update", "OPTIONS, POST"),
        ("POST", "/id/x/delete", "DELETE, OPTIONS"),
        ("GET", "/load/url", "OPTIONS, POST"),
    ],
)
async def test_other_methods(formed: Asking, method: str, path: str, allowed: str):
    answer = await formed.ask(method, path)
    assert detail(answer, 405) == "Method Not Allowed"
    assert answer.headers["allow"] == allowed
    told = await formed.ask("OPTIONS", path)
    assert (told.status_code, told.headers["allow"], told.content) == (204, allowed, b"")


async def test_no_redirects_and_heads(formed: Asking):
    told = await formed.ask("HEAD", "/list")
    assert (told.status_code, told.content) == (200, b"")
    assert (await formed.ask("HEAD", "/id/nobody_s")).status_code == 401


async def test_paths_that_nobody_has(formed: Asking, admin: Asking):
    for path in ("/id/x/no/such", "/id/x/valves/no", "/load/no"):
        assert detail(await formed.ask("GET", path), 404) == "Not Found"
    assert detail(await admin.http.get("/api/v1/functions/no-such"), 404) == "Not Found"
    for path in ("/api/functions/id", "/api/functions/load/", "/api/functions/list/no", "/api/functions/no-such/"):
        answer = await admin.http.get(path)
        assert answer.status_code == 404
        assert answer.json()["error"] == answer.json()["detail"]


async def test_too_large_a_body_closes_the_connection(platform: Platform):
    head = b"Content-Length: 5000000\r\n\r\n" + b" " * 4_200_000
    for prefix, slash in FORMS:
        status, body = await raw(platform, f"{prefix}/create{slash}", head)
        assert (status, set(body)) == (413, {"detail"})
        assert "too large" in body["detail"]


async def test_too_much_code(admin: Asking):
    long = PIPE + "#" * (1 << 20)
    assert detail(await admin.ask("POST", "/create", json=form("long", long)), 413)


async def test_the_other_dialects_change_no_plugin_s_code(admin: Asking):
    id = await admin.create(FILTER)
    slug = id.replace("_", "-")
    upload: dict[str, Any] = {"version": "9", "code": "def main():\n    return 1"}
    refused = await admin.http.post(f"/api/functions/{slug}/code/", json=upload)
    assert refused.status_code == 409
    assert f"/api/functions/id/{id}/update" in refused.json()["error"]
    shown = ok(await admin.http.get(f"/api/functions/{slug}/"))
    assert shown["slug"] == slug
    await admin.delete(id)
