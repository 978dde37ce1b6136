"""Which function a path calls, by which methods, and what there is not."""

from datetime import UTC, datetime

import httpx
import pytest

from services.api.dialects.apps.targets import Target, target
from shared.domain.trigger import Trigger
from shared.store import tenants
from shared.store.apps import Apps
from shared.store.client import Store
from tests.api.apps.conftest import MakeApp
from tests.api.apps.edge import raw
from tests.api.apps.scripted import Scripted, answer, http
from tests.platform import Platform

MISSING = {"error": "Function not found"}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("hello world", "hello%20world"),
        ("Größe", "Gr%C3%B6%c3%9fe"),
        ("a/b", "a%2Fb"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("100%", "100%25"),
        ("a+b", "a+b"),
        ("..", "%2e%2e"),
        ("invoke", "invoke"),
        ("x?y#z", "x%3Fy%23z"),
        ("x" * 100, "x" * 100),
    ],
)
async def test_any_name_can_be_called(*, edge: Platform, scripted: Scripted, make_app: MakeApp, name: str, sent: str):
    app = await make_app()
    await scripted.add(app, answer(200, [], b"here"), name=name, triggers=(http(auth="none"),))
    for path in (f"/v1/{app.public_id}/fn/{sent}", f"/v1/{app.slug}/fn/{sent}/?q=1"):
        found = await raw(edge, f"GET {path} HTTP/1.1\nHost: a.example")
        assert (found.status, found.body) == (200, b"here")
    path = f"/v1/{app.public_id}/functions/{sent}/invoke"
    found = await raw(edge, f"POST {path} HTTP/1.1\nHost: a.example\nAuthorization: Bearer {edge.token}")
    assert (found.status, found.body) == (200, b"here")
    assert scripted.asked[name].path == f"/v1/{app.public_id}/fn/{sent}"


@pytest.mark.parametrize(
    "path",
    [
        "fn/nothing", "fn/", "fn/{name}/more", "fn//{name}", "fn/%zz", "fn/{name}%", "fn/%ff", "fn/%C3", "fn/%00",
        "fn/%ED%A0%80", "fn/" + "x" * 5000,
    ],
)  # fmt: skip
async def test_what_there_is_not(edge: Platform, scripted: Scripted, make_app: MakeApp, path: str):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=(http(auth="none"),))
    for token in ("", f"\nAuthorization: Bearer {edge.token}"):
        found = await raw(edge, f"GET /v1/{app.public_id}/{path.format(name=name)} HTTP/1.1\nHost: a.example{token}")
        assert (found.status, found.json()) == (404, MISSING)


@pytest.mark.parametrize("app", ["app_000000000000", "app_", "no-such-app", "%61pp", "..", "a b", "functions", "\xff"])
async def test_apps_there_are_not(edge: Platform, app: str):
    found = await raw(
        edge, f"GET /v1/{app.replace(' ', '%20').replace(chr(255), '%ff')}/fn/x HTTP/1.1\nHost: a.example"
    )
    assert (found.status, found.json()) == (404, MISSING)


async def test_another_apps_function(anyone: httpx.AsyncClient, scripted: Scripted, make_app: MakeApp):
    mine, other = await make_app(), await make_app()
    name = await scripted.add(mine, answer(), triggers=(http(auth="none"),))
    assert (await anyone.get(f"/v1/{mine.public_id}/fn/{name}")).status_code == 200
    assert (await anyone.get(f"/v1/{other.public_id}/fn/{name}")).json() == MISSING


@pytest.mark.parametrize(
    "fields",
    [
        {"triggers": ()},
        {"triggers": (Trigger("webhook"),)},
        {"triggers": (Trigger("http", {"auth": "none"}, enabled=False),)},
        {"is_active": False},
        {"deleted_at": datetime.now(UTC)},
        {"active": None},
    ],
)
async def test_functions_that_are_not_to_be_called(owner: httpx.AsyncClient, scripted, make_app: MakeApp, fields):
    app = await make_app()
    name = await scripted.add(app, answer(), **{"triggers": (http(auth="none"),), **fields})
    answered = await owner.get(f"/v1/{app.public_id}/fn/{name}")
    assert (answered.status_code, answered.json()) == (404, MISSING)


@pytest.mark.parametrize(
    ("method", "allowed"),
    [("GET", "GET, HEAD"), ("POST", "POST"), ("get, post", "GET, POST, HEAD"), ("ANY", ""), ("*", ""), ("", "")],
)
async def test_the_method_of_a_trigger(
    *, anyone: httpx.AsyncClient, scripted: Scripted, make_app: MakeApp, method: str, allowed: str
):
    app = await make_app()
    path = f"/v1/{app.public_id}/fn/{await scripted.add(app, answer(), triggers=(http(auth='none', method=method),))}"
    for asked in ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND"):
        answered = await anyone.request(asked, path)
        if not allowed or asked in allowed.split(", "):
            assert answered.status_code == 200
        else:
            assert (answered.status_code, answered.headers["allow"]) == (405, allowed)


async def test_methods_that_are_for_proxies(edge: Platform, scripted: Scripted, make_app: MakeApp):
    app = await make_app()
    path = f"/v1/{app.public_id}/fn/{await scripted.add(app, answer(), triggers=(http(auth='none'),))}"
    for method in ("TRACE", "CONNECT"):
        refused = await raw(edge, f"{method} {path} HTTP/1.1\nHost: a")
        assert (refused.status, refused.line("allow")) == (405, ["GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS"])


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("/users", ["/users", "/users/"], ["", "/", "/user", "/users/1", "/Users", "//users"]),
        ("/a/b c", ["/a/b%20c"], ["/a", "/a/b"]),
        ("/", ["", "/"], ["/x", "//"]),
    ],
)
async def test_the_path_of_a_trigger(
    *, edge: Platform, scripted: Scripted, make_app: MakeApp, path: str, good: list[str], bad: list[str]
):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=(http(auth="none", path=path),))
    for rest, status in [*((one, 200) for one in good), *((one, 404) for one in bad)]:
        found = await raw(edge, f"GET /v1/{app.public_id}/fn/{name}{rest}?q=1 HTTP/1.1\nHost: a.example")
        assert found.status == status, rest


async def test_a_change_of_the_function_holds_at_once(owner, anyone, make_app: MakeApp):
    """Its name, its trigger, its end and its coming back; by the dialect that deploys it."""
    app = await make_app()
    code = "def main(params, user_data):\n return 'here'"
    made = await owner.post(f"/api/apps/{app.slug}/functions/", json={"name": "First", "execution_mode": "app"})
    slug = made.json()["slug"]
    await owner.post(f"/api/functions/{slug}/code/", json={"version": "1", "code": code, "is_active": True})

    async def statuses() -> list[int]:
        return [(await owner.get(f"/v1/{app.public_id}/fn/{name}")).status_code for name in ("First", "Second", slug)]

    assert await statuses() == [200, 404, 200]
    await owner.patch(f"/api/functions/{slug}/", json={"name": "Second"})
    assert await statuses() == [404, 200, 200]
    await owner.patch(f"/api/functions/{slug}/", json={"is_active": False})
    assert await statuses() == [404, 404, 404]
    await owner.patch(f"/api/functions/{slug}/", json={"is_active": True})
    assert await statuses() == [404, 200, 200]
    assert (await anyone.get(f"/v1/{app.public_id}/fn/Second")).status_code == 401
    await owner.delete(f"/api/functions/{slug}/")
    assert await statuses() == [404, 404, 404]


async def test_an_inactive_tenant(edge_store: Store, anyone, scripted: Scripted):
    await tenants.keep(edge_store, "asleep")
    app = await Apps(edge_store, "asleep").add("asleep", name="Asleep")
    name = await scripted.add(app, answer(), triggers=(http(auth="none"),))
    await edge_store.global_upsert("tenants", {"_id": "asleep"}, {"$set": {"is_active": False}})
    assert (await anyone.get(f"/v1/{app.public_id}/fn/{name}")).json() == MISSING


def test_paths_of_something_else():
    for path in (
        b"/v1/a/fn",
        b"/v1/a/functions/x",
        b"/v1/a/functions/x/invoke/y",
        b"/v2/a/fn/x",
        b"/api/v1/a/fn/x",
        b"*",
    ):
        assert target(path) is None
    assert target(b"/v1/a/functions/x/invoke/") == Target("a", "x", "", tests=True)
    assert target(b"/v1/a/fn/x/y//z%20") == Target("a", "x", "/y//z ", tests=False)
