"""The two families of paths: what is under `/api/functions/` is under `/api/apps/{app}/functions/` too, of that app."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import httpx
import pytest

from tests.api.conftest import sentence
from tests.api.routes import routes
from tests.conftest import TAX, Deploy

PLAIN, OF_APP = "/api/functions", "/api/apps/{app:str}/functions"


class Ran(NamedTuple):
    """A function in an app, its versions and a call of it."""

    app: str
    slug: str
    function: int
    versions: list[int]
    task_id: str
    invocation: int

    @property
    def there(self) -> str:
        return f"/api/apps/{self.app}/functions"


@pytest.fixture(scope="module")
async def ran(client: httpx.AsyncClient) -> Callable[[str], Awaitable[Ran]]:
    async def run(app: str) -> Ran:
        made = (await client.post(f"/api/apps/{app}/functions/", json={"name": f"In {app}"})).json()
        there = f"/api/apps/{app}/functions/{made['slug']}"
        versions = []
        for version in ("1", "2"):
            body = {"version": version, "code": TAX, "is_active": True}
            versions.append((await client.post(f"{there}/code/", json=body)).json()["id"])
        called = (await client.post(f"{there}/execute/", json={"params": {"amount": 1}})).json()
        return Ran(app, made["slug"], made["id"], versions, called["task_id"], called["invocation"]["id"])

    return run


@pytest.fixture(scope="module")
async def left(ran: Callable[[str], Awaitable[Ran]]) -> Ran:
    return await ran("left-app")


@pytest.fixture(scope="module")
async def right(ran: Callable[[str], Awaitable[Ran]]) -> Ran:
    return await ran("right-app")


def named(one: Ran) -> list[tuple[str, str, object]]:
    """All that names something of a function, without the path of its family, and the name."""
    version = one.versions[-1]
    return [
        ("GET", f"/{one.slug}", one.slug),
        ("GET", f"/{one.slug}/code", one.slug),
        ("POST", f"/code/{version}/activate", version),
        ("GET", f"/result/{one.task_id}", one.task_id),
        ("GET", f"/invocations/{one.invocation}", one.invocation),
        ("GET", f"/invocations/{one.invocation}/result", one.invocation),
        ("GET", f"/invocations/by-task-id/{one.task_id}", one.task_id),
    ]


def test_every_path_is_in_both_families():
    known = {(route.method, route.path) for route in routes()}
    plain = {(method, path) for method, path in known if path == PLAIN or path.startswith(f"{PLAIN}/")}
    of_app = {(method, path) for method, path in known if path.startswith(OF_APP)}
    assert {(method, path.replace(PLAIN, OF_APP, 1)) for method, path in plain} == of_app


async def test_what_is_of_an_app_is_there_as_it_is_without(client: httpx.AsyncClient, left: Ran):
    for method, path, _ in named(left):
        plain = await client.request(method, f"{PLAIN}{path}/")
        for slash in ("", "/"):
            answer = await client.request(method, f"{left.there}{path}{slash}")
            assert (answer.status_code, answer.json()) == (200, plain.json()), path


async def test_what_is_of_another_app_is_as_what_is_not_there(client: httpx.AsyncClient, left: Ran, right: Ran):
    missing = Ran("", "no-such-function", 0, [999_999_999], "01900000-0000-7000-8000-000000000000", 999_999_999)
    for (method, path, name), (_, nowhere, nobody) in zip(named(left), named(missing), strict=True):
        said = sentence(await client.request(method, f"{right.there}{nowhere}/"), 404)
        for slash in ("", "/"):
            refused = sentence(await client.request(method, f"{right.there}{path}{slash}"), 404)
            assert refused.replace(str(name), str(nobody)) == said, path
    shown = (await client.get(f"{PLAIN}/{left.slug}/")).json()
    assert shown["active_code"]["id"] == left.versions[-1]


async def test_another_app_s_version_is_not_activated(client: httpx.AsyncClient, left: Ran, right: Ran):
    assert (await client.post(f"{right.there}/code/{left.versions[0]}/activate/")).status_code == 404
    assert (await client.get(f"{PLAIN}/{left.slug}/")).json()["active_code"]["id"] == left.versions[-1]


async def test_lists_hold_what_is_of_the_app(client: httpx.AsyncClient, left: Ran, right: Ran):
    async def found(path: str, field: str, **query: object) -> list[Any]:
        answer = (await client.get(path, params=query)).json()
        assert answer["count"] == len(answer["results"])
        return [row[field] for row in answer["results"]]

    newest_first = left.versions[::-1]
    for slash in ("", "/"):
        codes, calls = f"{left.there}/code{slash}", f"{left.there}/invocations{slash}"
        assert await found(codes, "id") == newest_first
        assert await found(codes, "id", function__slug=left.slug) == newest_first
        assert await found(codes, "id", function__slug=right.slug) == []
        assert await found(calls, "id") == [left.invocation]
        assert await found(calls, "id", status="SUCCESS", trigger_type="api", user_id=1) == [left.invocation]
        assert await found(calls, "id", status="FAILURE") == []
        for query in ({"function_slug": left.slug}, {"function_id": left.function}):
            assert await found(calls, "id", **query) == [left.invocation]
            assert await found(calls, "id", function_id=right.function, function_slug=left.slug) == []
        for query in ({"function_slug": right.slug}, {"function_id": right.function}):
            assert await found(calls, "id", **query) == []
    assert await found(f"{PLAIN}/code/", "id", app=left.app) == newest_first
    assert await found("/api/invocations/", "id", app=right.app) == [right.invocation]
    assert await found("/api/apps/no-such-app/functions/invocations/", "id") == []
    assert await found("/api/apps/no-such-app/functions/code/", "id") == []


async def test_the_aggregate_of_an_app_has_its_functions_and_the_platform_s(client: httpx.AsyncClient, left: Ran):
    whole = (await client.get(f"{PLAIN}/aggregate/")).json()
    for slash in ("", "/"):
        part = (await client.get(f"{left.there}/aggregate{slash}")).json()
        assert [function["slug"] for function in part["database_functions"]] == [left.slug]
        assert part["system_functions"] == whole["system_functions"] != []
        assert part["total"] == 1 + len(whole["system_functions"])


async def test_calls_of_system_functions_are_of_no_app(client: httpx.AsyncClient, left: Ran):
    slug = (await client.get(f"{PLAIN}/aggregate/")).json()["system_functions"][0]["slug"]
    called = await client.post(f"{left.there}/{slug}/execute/", json={"params": {}})
    task_id = called.json()["task_id"]
    assert (await client.get(f"{PLAIN}/result/{task_id}/")).status_code == 200
    assert (await client.get(f"{left.there}/invocations/", params={"function_slug": slug})).json()["count"] == 0
    assert sentence(await client.get(f"{left.there}/result/{task_id}/"), 404) == f"Task '{task_id}' not found"
    newest = (await client.get(f"{PLAIN}/invocations/?function_slug={slug}")).json()["results"][0]["id"]
    assert sentence(await client.get(f"{left.there}/invocations/{newest}/"), 404)
    rows = (await client.get(f"{left.there}/invocations/")).json()["results"]
    assert newest not in {row["id"] for row in rows}


async def test_a_call_that_waits_is_found_in_its_app(client: httpx.AsyncClient, right: Ran):
    called = await client.post(f"{right.there}/{right.slug}/execute/", json={"params": {}, "async": True})
    task_id = called.json()["task_id"]
    assert (await client.get(f"{right.there}/result/{task_id}/")).json()["task_id"] == task_id
    assert (await client.get(f"{PLAIN}/result/{task_id}/")).status_code == 200


async def test_what_cannot_be_an_app_has_no_lists(client: httpx.AsyncClient):
    for path in ("code", "invocations", "aggregate"):
        assert sentence(await client.get(f"/api/apps/No%20App/functions/{path}/"), 404) == "Not found"


async def test_versions_of_a_function_by_its_path(client: httpx.AsyncClient, left: Ran, deploy: Deploy):
    slug = await deploy()
    listed = (await client.get(f"{PLAIN}/{slug}/code/")).json()
    assert listed == (await client.get(f"{PLAIN}/code/", params={"function__slug": slug})).json()
    assert [row["version"] for row in listed["results"]] == ["1.0.0"]
    page = (await client.get(f"{left.there}/{left.slug}/code/?page_size=1")).json()
    assert (page["count"], [row["id"] for row in page["results"]]) == (2, [left.versions[1]])
    assert (await client.get(page["next"])).json()["results"][0]["id"] == left.versions[0]
    assert sentence(await client.get(f"{PLAIN}/never-seen/code/"), 404).startswith("Function with slug 'never-seen'")
