"""Another tenant's token opens nothing, whatever is asked for, and does not even learn what there is."""

from typing import Any

import httpx
import pytest

from services.api.dialects.rest import execute
from shared.store.client import Store
from tests import people
from tests.api.dead import FAILING, dead_letter_of
from tests.api.routes import ANONYMOUS, CASES, Route, anonymous, routes
from tests.conftest import Deploy

ROUTES = routes()
MISSING = {
    "slug": "no-such-function",
    "app": "no-such-app",
    "name": "no-such-pipeline",
    "task_id": "01900000-0000-7000-8000-000000000000",
    "version": 999_999_999,
    "invocation": 999_999_999,
    "user": 999_999_999,
    "token": 999_999_999,
    "dead_letter": 999_999_999,
}
# Under an app, whether there is one or not: what is in it, and the making of one.
WITHOUT_MISSING = {"list_functions", "create_function", "list_code", "list_invocations", "list_all"}


@pytest.fixture(scope="module")
async def owned(client: httpx.AsyncClient, deploy: Deploy, store: Store) -> dict[str, Any]:
    """One of everything, of tenant default."""
    slug = await deploy()
    ran = (await client.post(f"/api/functions/{slug}/execute/", json={"params": {"amount": 7}})).json()
    account = await people.account(store, "owner-of-everything")
    made = (await client.post("/api/tokens/", json={"name": "owned"})).json()
    detail = (await client.get(f"/api/functions/{slug}/")).json()
    pipeline = {"name": "owned-pipeline", "steps": [{"function": slug}]}
    assert (await client.post("/api/pipelines/", json=pipeline)).status_code == 201
    source = {"name": "owned-pipeline", "kind": "http", "config": {"format": "minio"}}
    assert (await client.post("/api/event-sources/", json=source)).status_code == 201
    assert (await client.get(f"/api/functions/result/{ran['task_id']}/")).json()["status"] == "SUCCESS"
    return {
        "slug": slug,
        "app": "tests",
        "name": "owned-pipeline",
        "task_id": ran["task_id"],
        "version": detail["active_code"]["id"],
        "invocation": ran["invocation"]["id"],
        "user": account.id,
        "token": made["id"],
        "dead_letter": await dead_letter_of(client, await deploy(FAILING)),
    }


def test_every_route_has_its_case():
    assert {route.name for route in ROUTES} == set(CASES)
    assert anonymous() == ANONYMOUS
    assert all(execute.target(r.filled(MISSING)) for r in ROUTES if r.name == "execute")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_a_stranger_sees_nothing_and_cannot_tell_other_s_from_missing(
    route: Route, owned: dict[str, Any], client: httpx.AsyncClient, stranger: httpx.AsyncClient
):
    theirs = await _ask(stranger, route, owned)
    nobodys = await _ask(stranger, route, MISSING)
    if "{" not in route.path or route.name in WITHOUT_MISSING:
        assert theirs.status_code < 300  # of his own tenant
        for secret in ("task_id", "slug"):
            assert str(owned[secret]) not in theirs.text
        assert "owner-of-everything" not in theirs.text
    else:
        assert theirs.status_code == nobodys.status_code == 404
        assert _anonymised(theirs, route, owned) == _anonymised(nobodys, route, MISSING)
    if route.method == "GET":
        assert (await _ask(client, route, owned)).status_code == 200  # what is asked for is there


async def test_after_all_that_everything_is_as_it_was(owned: dict[str, Any], client: httpx.AsyncClient):
    detail = (await client.get(f"/api/functions/{owned['slug']}/")).json()
    assert (detail["description"], detail["active_code"]["id"]) == ("", owned["version"])
    assert (await client.get(f"/api/users/{owned['user']}/")).json()["full_name"] == ""
    assert (await client.get(f"/api/tokens/{owned['token']}/")).json()["revoked_at"] is None
    assert (await client.get("/api/apps/tests/")).json()["name"] == "Tests"
    assert (await client.get("/api/pipelines/owned-pipeline/")).json()["description"] == ""
    assert (await client.get("/api/event-sources/owned-pipeline/")).json()["enabled"] is True
    assert (await client.get(f"/api/dead-letters/{owned['dead_letter']}/")).status_code == 200


@pytest.mark.parametrize("parameter", ["function_slug", "function__slug", "user_id", "function_id", "search"])
async def test_a_stranger_s_filters_find_nothing(parameter: str, owned: dict[str, Any], stranger: httpx.AsyncClient):
    value = owned["user"] if parameter == "user_id" else owned["invocation"] if "id" in parameter else owned["slug"]
    for path in ("/api/functions/", "/api/functions/invocations/", "/api/functions/code/"):
        assert (await stranger.get(path, params={parameter: value})).text.find(owned["slug"]) == -1
    if parameter == "user_id":
        listed = await stranger.get("/api/tokens/", params={parameter: value})
        assert listed.json()["count"] == 0


async def _ask(client: httpx.AsyncClient, route: Route, values: dict[str, Any]) -> httpx.Response:
    return await client.request(route.method, route.filled(values), json=route.case.body)


def _anonymised(answer: httpx.Response, route: Route, values: dict[str, Any]) -> str:
    """What was said, without the words that the asker brought."""
    text = answer.text
    for name in ("slug", "app", "task_id", "name", route.case.ids):
        if name:
            text = text.replace(str(values[name]), f"<{name}>")
    return text
