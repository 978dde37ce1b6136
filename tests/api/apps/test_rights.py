"""Who may do what with the functions of an app; another tenant's are as unknown as nobody's."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import pytest

from services.api.routes import APPS
from shared.domain.caller import ROLES, SCOPES, Role, Scope
from shared.store.client import Store
from tests import people
from tests.api.apps.shop import Shop, refused
from tests.api.routes import ADMIN, READ, WRITE
from tests.conftest import TAX
from tests.platform import Platform

BODY = {"name": "owned", "runtime": "python", "code": TAX}
ENV = {"envVars": {"A": "1"}}
TENANT = "matrix-of-apps"


class Case(NamedTuple):
    role: Role
    scopes: tuple[Scope, ...]
    body: dict[str, Any] | None = None


CASES = {
    "list_deployed": Case("user", READ),
    "deploy": Case("developer", WRITE, BODY),
    "show_deployed": Case("user", READ),
    "delete_deployed": Case("developer", WRITE),
    "change_env": Case("developer", WRITE, ENV),
    "show_app_env": Case("user", READ),
    "change_app_env": Case("developer", WRITE, ENV),
    "show_logs": Case("user", READ),
    "follow_logs": Case("user", READ),
    "show_webhook": Case("user", READ),
    "rotate_webhook": Case("developer", WRITE, {}),
    "list_attempts": Case("user", READ),
    "show_config": Case("user", READ),
    "change_config": Case("admin", ADMIN, {"allowed_origins": []}),
}


class Route(NamedTuple):
    name: str
    method: str
    path: str

    def filled(self, app: str) -> str:
        return self.path.replace("{app_id:str}", app).replace("{name:str}", "owned")


ROUTES = [
    Route(handler.fn.__name__, method, path)
    for handler in APPS
    for path in sorted(handler.paths)
    for method in sorted(handler.http_methods - {"OPTIONS"})
]
each = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")


@pytest.fixture(scope="module")
async def owned(client: httpx.AsyncClient) -> Shop:
    shop = Shop(client, "owned-app")
    made = await shop.deploy("owned", envVars={"KEY_OF_OWNED": "1"}, description="kept")
    return Shop(client, made["url"].split("/")[-3])


@pytest.fixture(scope="module")
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=platform.url, timeout=30) as http:
        yield http


async def ask(http: httpx.AsyncClient, route: Route, app: str, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    sending = http.stream(route.method, route.filled(app), json=CASES[route.name].body, headers=headers)
    async with sending as answer:
        if not answer.headers["content-type"].startswith("text/event-stream"):  # that one would last
            await answer.aread()
    return answer


def test_every_route_has_its_case():
    assert {route.name for route in ROUTES} == set(CASES)


@each
async def test_a_stranger_cannot_tell_another_s_app_from_none(route: Route, owned: Shop, stranger: httpx.AsyncClient):
    theirs = await ask(stranger, route, owned.app)
    nobodys = await ask(stranger, route, "app_000000000000")
    assert refused(theirs, 404, "RESOURCE_NOT_FOUND").replace(owned.app, "") == refused(
        nobodys, 404, "RESOURCE_NOT_FOUND"
    ).replace("app_000000000000", "")


async def test_a_slug_is_one_s_own_tenant_s(owned: Shop, stranger: httpx.AsyncClient):
    own = Shop(stranger, "owned-app")
    refused(await own.ask("GET", "functions"), 404, "RESOURCE_NOT_FOUND")
    made = await own.deploy("owned")
    assert owned.app not in made["url"]
    shown = await owned.show("owned")
    assert (shown["description"], shown["envKeys"]) == ("kept", ["KEY_OF_OWNED"])
    assert shown["id"] != made["id"]
    await own.clear()


@each
async def test_without_a_token_nothing(route: Route, owned: Shop, http: httpx.AsyncClient):
    refused(await ask(http, route, owned.app), 401, "AUTH_REQUIRED")


@each
@pytest.mark.parametrize("role", ROLES)
async def test_roles(route: Route, role: Role, store: Store, http: httpx.AsyncClient):
    account = await people.account(store, f"apps-{role}", tenant=TENANT, role=role)
    answer = await ask(http, route, "matrix", await people.token_for(store, account))
    may = ROLES.index(role) <= ROLES.index(CASES[route.name].role)
    if may:
        assert answer.status_code in (200, 404), answer.text
    else:
        refused(answer, 403, "AUTH_INSUFFICIENT_PERMISSIONS")


@each
@pytest.mark.parametrize("scope", sorted(SCOPES))
async def test_scopes(route: Route, scope: Scope, store: Store, http: httpx.AsyncClient):
    account = await people.account(store, "apps-admin", tenant=TENANT, role="admin")
    answer = await ask(http, route, "matrix", await people.token_for(store, account, scopes=frozenset({scope})))
    if scope in CASES[route.name].scopes:
        assert answer.status_code in (200, 404), answer.text
    else:
        refused(answer, 403, "AUTH_INSUFFICIENT_PERMISSIONS")
