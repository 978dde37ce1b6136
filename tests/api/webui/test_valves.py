"""Valves over HTTP: an administrator's for all, a user's for himself; and what of them reaches the code."""

from typing import Any

import httpx
import pytest

from tests.api.webui.asking import FILTER, NOT_FOUND, PIPE, Asking, detail, form, ok

NOT_SET = "[ERROR: Error updating function valves] "
NOT_ACTIVE = "Function is not active"
SPEC = {
    "title": "Valves",
    "type": "object",
    "properties": {
        "priority": {"title": "Priority", "type": "integer", "default": 0, "description": "which comes first"},
        "mark": {"title": "Mark", "type": "string", "default": "!"},
    },
}
USER_SPEC = {
    "title": "UserValves",
    "type": "object",
    "properties": {"loud": {"title": "Loud", "type": "boolean", "default": True}},
}
SECRET = """from pydantic import BaseModel, Field


class Pipe:
    class Valves(BaseModel):
        api_key: str = Field(default="", json_schema_extra={"input": {"type": "password"}})

    def __init__(self):
        self.valves = self.Valves()

    def pipe(self, body):
        return len(self.valves.api_key)
"""
OF_THE_USER = """from pydantic import BaseModel


class Action:
    class UserValves(BaseModel):
        loud: bool = True

    def action(self, body, __user__=None):
        return __user__["valves"].loud
"""


async def execute(http: httpx.AsyncClient, id: str, **params: Any) -> Any:
    ran = ok(await http.post(f"/api/functions/{id.replace('_', '-')}/execute/", json={"params": params}))
    assert ran["status"] == "SUCCESS", ran
    return ran["result"]["result"]


async def test_valves_are_replaced_as_a_whole(admin: Asking):
    id = await admin.create()
    assert await admin.get(f"/id/{id}/valves") == {}
    assert await admin.get(f"/id/{id}/valves/spec") == SPEC
    for sent, kept in (
        ({"priority": 3, "mark": "?"}, {"priority": 3, "mark": "?"}),
        ({"priority": "4", "mark": None}, {"priority": 4}),
        ({"mark": "."}, {"mark": "."}),
        ({}, {}),
    ):
        assert await admin.post(f"/id/{id}/valves/update", sent) == kept
        assert await admin.get(f"/id/{id}/valves") == kept
    await admin.delete(id)


async def test_valves_reach_the_code(admin: Asking):
    id = await admin.create()
    await admin.post(f"/id/{id}/toggle")
    assert await execute(admin.http, id, text="a") == {"text": "A!"}
    await admin.post(f"/id/{id}/valves/update", {"mark": "?"})
    assert await execute(admin.http, id, text="a") == {"text": "A?"}
    await admin.delete(id)


async def test_valves_that_do_not_fit(admin: Asking):
    id = await admin.create()
    await admin.post(f"/id/{id}/valves/update", {"priority": 1})
    for wrong in ({"priority": "x"}, {"priority": 1.5}, {"mark": 3}):
        said = detail(await admin.ask("POST", f"/id/{id}/valves/update", json=wrong), 400)
        assert said.startswith(NOT_SET)
        assert next(iter(wrong)) in said
    [fault] = detail(await admin.ask("POST", f"/id/{id}/valves/update", json=[1]), 422)
    assert (fault["type"], fault["loc"]) == ("dict_type", ["body"])
    assert await admin.get(f"/id/{id}/valves") == {"priority": 1}
    await admin.delete(id)


async def test_code_without_valves_has_no_spec_and_takes_none(admin: Asking):
    id = await admin.create(PIPE)
    await admin.post(f"/id/{id}/toggle")
    for whose in ("", "/user"):
        assert await admin.get(f"/id/{id}/valves{whose}/spec") is None
        assert await admin.get(f"/id/{id}/valves{whose}") == {}
        assert detail(await admin.ask("POST", f"/id/{id}/valves{whose}/update", json={"a": 1}), 401) == NOT_FOUND
    await admin.delete(id)


async def test_code_that_the_valves_do_not_fit_is_refused(admin: Asking):
    id = await admin.create()
    await admin.post(f"/id/{id}/valves/update", {"mark": "?"})
    before = await admin.get(f"/id/{id}")
    other = form(id, FILTER.replace('mark: str = "!"', "mark: int = 1"))
    said = detail(await admin.ask("POST", f"/id/{id}/update", json=other), 400)
    assert said.startswith("Current Valves are incompatible with this code: ")
    assert "mark" in said
    assert await admin.get(f"/id/{id}") == before
    await admin.delete(id)


async def test_valves_are_exported_where_they_are_asked_for(admin: Asking):
    first, second = await admin.create(), await admin.create()
    await admin.post(f"/id/{second}/valves/update", {"priority": 2})
    assert all("valves" not in row for row in await admin.get("/export"))
    for query in ("true", "1"):
        rows = {row["id"]: row["valves"] for row in await admin.get(f"/export?include_valves={query}")}
        assert rows == {first: None, second: {"priority": 2}}
    for id in (first, second):
        await admin.delete(id)


async def test_a_user_s_own_valves(admin: Asking, user: Asking):
    id = await admin.create()
    assert await user.get(f"/id/{id}/valves/user") == {}
    for asking in (admin, user):  # not active yet
        assert await asking.get(f"/id/{id}/valves/user/spec") is None
        answer = await asking.ask("POST", f"/id/{id}/valves/user/update", json={"loud": False})
        assert detail(answer, 400) == NOT_ACTIVE
    await admin.post(f"/id/{id}/toggle")
    assert await user.get(f"/id/{id}/valves/user/spec") == USER_SPEC
    assert await user.post(f"/id/{id}/valves/user/update", {"loud": "no", "other": None}) == {"loud": False}
    assert await user.get(f"/id/{id}/valves/user") == {"loud": False}
    assert await admin.get(f"/id/{id}/valves/user") == {}
    said = detail(await user.ask("POST", f"/id/{id}/valves/user/update", json={"loud": "what"}), 400)
    assert said.startswith(NOT_SET)
    assert "loud" in said
    await admin.post(f"/id/{id}/toggle")
    assert await user.get(f"/id/{id}/valves/user") == {"loud": False}
    await admin.delete(id)


async def test_a_user_s_own_valves_reach_the_code_for_him_alone(admin: Asking, user: Asking):
    id = await admin.create(OF_THE_USER)
    await admin.post(f"/id/{id}/toggle")
    await user.post(f"/id/{id}/valves/user/update", {"loud": False})
    assert await execute(user.http, id) is False
    assert await execute(admin.http, id) is True
    await admin.delete(id)


async def test_a_secret_is_shown_to_administrators_and_used_by_the_code(admin: Asking):
    id = await admin.create(SECRET)
    assert await admin.post(f"/id/{id}/valves/update", {"api_key": "s3cr3t"}) == {"api_key": "s3cr3t"}
    assert await admin.get(f"/id/{id}/valves") == {"api_key": "s3cr3t"}
    await admin.post(f"/id/{id}/toggle")
    assert await execute(admin.http, id) == len("s3cr3t")
    listed = [row for row in await admin.get("/list") if row["id"] == id]
    assert "s3cr3t" not in str(listed)
    await admin.delete(id)


@pytest.mark.parametrize("valves", ["class Valves:\n        pass", "Valves = 5"])
async def test_valves_that_are_no_model_are_refused(admin: Asking, valves: str):
    content = f"class Pipe:\n    {valves}\n    def pipe(self, body):\n        return 1\n"
    answer = await admin.ask("POST", "/create", json=form("no_model", content))
    if answer.status_code == 200:
        assert detail(await admin.ask("POST", "/id/no_model/valves/update", json={"a": 1}), 400).startswith(NOT_SET)
        await admin.delete("no_model")
    else:
        assert detail(answer, 400).startswith("[ERROR: Error creating function] ")
