"""A plugin among the functions of the other dialects: shown, called, limited, and changed as a plugin alone."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest

from services.api.core.plugins import Plugins
from shared.domain.caller import Role
from shared.domain.function import Function
from shared.domain.problem import Problem
from tests import people
from tests.api.conftest import sentence
from tests.api.plugins.conftest import FILTER, MAIN, Keeping, Open, draft

KEY = "guarded_key"
SLUG = "guarded-key"
SAID = f"'{SLUG}' is a plugin: change it at /api/functions/id/{KEY}/update"
ADDS = "def main(params, context):\n    return params.get('a', 0) + 1\n"


class Guarded(NamedTuple):
    """A plugin of the tenant that `http` speaks for."""

    http: httpx.AsyncClient
    keeping: Keeping
    made: Function

    async def now(self) -> Function:
        return await self.keeping.plugins.named(self.keeping.admin, KEY)


@pytest.fixture
async def guarded(client: httpx.AsyncClient, opened: Open) -> AsyncIterator[Guarded]:
    keeping = opened("default")
    yield Guarded(client, keeping, await keeping.plugins.create(keeping.admin, draft(KEY, ADDS, name="A \n/ name")))
    await keeping.plugins.delete(keeping.admin, KEY)


def told(answer: httpx.Response) -> str:
    """The sentence of a refusal, in the dialect of apps."""
    assert answer.status_code == 409, answer.text
    return str(answer.json()["error"]["message"])


async def test_it_is_shown_as_a_function(guarded: Guarded):
    shown = await guarded.http.get(f"/api/functions/{SLUG}/")
    assert shown.status_code == 200
    body = shown.json()
    assert (body["name"], body["execution_mode"], body["is_active"]) == ("A \n/ name", "app", False)
    assert body["active_code"]["code"] == ADDS
    for path in ("/api/apps/plugins/functions/", "/api/functions/"):
        listed = (await guarded.http.get(path)).json()["results"]
        assert SLUG in [row["slug"] for row in listed]
    versions = (await guarded.http.get("/api/functions/code/", params={"function__slug": SLUG})).json()
    assert versions["count"] == 1
    of_app = (await guarded.http.get("/v1/plugins/functions")).json()
    assert KEY in str(of_app)
    assert (await guarded.http.get(f"/v1/plugins/functions/{KEY}")).status_code == 200


@pytest.mark.parametrize("role", ["user", "developer"])
async def test_its_code_is_shown_to_administrators_alone(guarded: Guarded, role: Role):
    """Who may not read it where plugins are kept does not read it through another door."""
    store = guarded.keeping.store
    token = await people.token_for(store, await people.account(store, f"guards-{role}", role=role))
    headers = {"Authorization": f"Bearer {token}"}
    paths = (f"/api/functions/{SLUG}/", f"/api/apps/plugins/functions/{SLUG}/", f"/v1/plugins/functions/{KEY}")
    for path in paths:
        assert "def main" in (await guarded.http.get(path)).text
        answer = await guarded.http.get(path, headers=headers)
        assert answer.status_code == 200
        assert "def main" not in answer.text
    changed = await guarded.http.patch(paths[0], json={"description": "seen"}, headers=headers)
    assert changed.status_code == (200 if role == "developer" else 403)
    assert "def main" not in changed.text


async def test_its_code_is_changed_nowhere_else(guarded: Guarded):
    assert guarded.made.active is not None
    path = f"/api/functions/{SLUG}/code/"
    body = {"version": "2", "code": MAIN, "is_active": True}
    assert sentence(await guarded.http.post(path, json=body), 409) == SAID
    assert sentence(await guarded.http.patch(path, json={"code": MAIN}), 409) == SAID
    activate = f"/api/functions/code/{guarded.made.active.id}/activate/"
    assert sentence(await guarded.http.post(activate), 409) == SAID
    for runtime in ("python", "javascript"):
        body = {"name": KEY, "code": MAIN, "runtime": runtime}
        assert told(await guarded.http.post("/v1/plugins/functions", json=body)) == SAID
    now = await guarded.now()
    assert (now.active, now.revision) == (guarded.made.active, 1)
    assert await guarded.keeping.sources.count(now.id) == 1


OTHERS: list[dict[str, Any]] = [
    {"name": "Other"},
    {"execution_mode": "proxy", "webhook_url": "https://x.test"},
    {"environment": "javascript"},
]


@pytest.mark.parametrize("change", OTHERS)
async def test_what_it_is_stays(guarded: Guarded, change: dict[str, Any]):
    answer = await guarded.http.patch(f"/api/functions/{SLUG}/", json={**change, "category": "c"})
    assert sentence(answer, 409) == SAID
    assert (await guarded.now()).revision == 1
    assert sentence(await guarded.http.patch(f"/api/functions/{SLUG}/", json={"slug": "x"}), 400)


async def test_its_settings_are_changed_as_any_functions(guarded: Guarded):
    change = {
        "execution_mode": "app", "environment": "python", "config": {"timeout": 5}, "headers": {"x-a": "b"},
        "is_active": True, "description": "d", "category": "c", "schedule_enabled": True,
        "cron_expression": "0 0 1 1 *", "schedule_params": {"a": 1},
    }  # fmt: skip
    answer = await guarded.http.patch(f"/api/functions/{SLUG}/", json=change)
    assert answer.status_code == 200, answer.text
    assert {field: answer.json()[field] for field in change} == change
    now = await guarded.now()
    assert (now.plugin, now.active, now.is_active) == (guarded.made.plugin, guarded.made.active, True)
    shown = await guarded.keeping.plugins.update(guarded.keeping.admin, KEY, draft(KEY, MAIN))
    assert (shown.function.config, shown.function.is_scheduled) == ({"timeout": 5}, True)


async def test_it_is_called_while_it_is_active(guarded: Guarded):
    path = f"/api/functions/{SLUG}/execute/"
    assert (await guarded.http.post(path, json={"params": {"a": 1}})).status_code == 404
    # By the API that is asked then: another one would hear of it a moment later.
    await guarded.http.post(f"/api/functions/id/{KEY}/toggle/global")
    assert (await guarded.http.post(path, json={"params": {"a": 1}})).status_code == 404
    await guarded.http.post(f"/api/functions/id/{KEY}/toggle")
    ran = await guarded.http.post(path, json={"params": {"a": 1}})
    assert ran.status_code == 200, ran.text
    assert ran.json()["result"]["result"] == 2


async def test_a_deployment_takes_over_no_plugin(guarded: Guarded):
    plugins: Plugins = guarded.keeping.plugins
    await plugins.update(guarded.keeping.admin, KEY, draft(KEY, ADDS, name="shown_name"))
    body = {"name": "shown_name", "code": MAIN, "runtime": "python"}
    made = await guarded.http.post("/v1/plugins/functions", json=body)
    assert made.status_code in (200, 201), made.text
    assert await guarded.keeping.functions.deployed(guarded.made.app, "shown_name") is not None
    assert (await guarded.now()).name == "shown_name"
    # A name that somebody else was deployed under is no key, until that one is gone.
    with pytest.raises(Problem, match="A function deployed as 'shown_name'") as raised:
        await plugins.create(guarded.keeping.admin, draft("shown_name"))
    assert (raised.value.code, list(raised.value.fields)) == ("conflict", ["id"])
    assert (await guarded.http.delete("/v1/plugins/functions/shown_name")).status_code == 200
    taken = await plugins.create(guarded.keeping.admin, draft("shown_name"))
    assert taken.deployed_as == "shown_name"
    assert told(await guarded.http.post("/v1/plugins/functions", json=body)).startswith("'shown-name")
    await plugins.delete(guarded.keeping.admin, "shown_name")


@pytest.mark.parametrize("way", [f"/api/functions/{SLUG}/", f"/v1/plugins/functions/{KEY}"])
async def test_it_is_deleted_for_good(guarded: Guarded, way: str):
    assert (await guarded.http.delete(way)).status_code in (200, 204)
    assert await guarded.keeping.functions.deployed(guarded.made.app, KEY) is None
    assert await guarded.keeping.sources.count(guarded.made.id) == 0
    again = await guarded.keeping.plugins.create(guarded.keeping.admin, draft(KEY, FILTER))
    assert (again.slug, again.id) != (SLUG, guarded.made.id)
    assert again.slug == SLUG


async def test_a_slug_that_a_plugin_has_is_taken(guarded: Guarded):
    body = {"name": "Guarded Key"}
    made = await guarded.http.post("/api/apps/tests/functions/", json=body)
    assert made.json()["slug"] == f"{SLUG}-2"
    taken = await guarded.http.post("/api/apps/tests/functions/", json={**body, "slug": SLUG})
    assert taken.status_code == 400
    assert (await guarded.http.delete(f"/api/functions/{SLUG}-2/")).status_code == 204
