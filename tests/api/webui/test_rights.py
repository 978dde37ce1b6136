"""Who may do what with plugins; another tenant's are as unknown as nobody's. Roles come before fields, before ids."""

from typing import Any, NamedTuple

import httpx
import pytest

from services.api.routes import WEBUI
from shared.domain.caller import ROLES, SCOPES, Role, Scope
from shared.store.client import Store
from tests import people
from tests.api.routes import EXECUTE, READ, WRITE
from tests.api.webui.asking import BAD_TOKEN, NO_TOKEN, NOT_ALLOWED, NOT_FOUND, OK, PIPE, Asking, detail, form

TENANT = "matrix-of-plugins"
NOBODY_S = "nobody_s"


class Case(NamedTuple):
    """`missing` is what is answered for an id that nobody has, `body` what is sent."""

    role: Role
    scopes: tuple[Scope, ...]
    missing: tuple[int, Any]
    body: dict[str, Any] | None = None
    query: str = ""


UNKNOWN = (401, NOT_FOUND)
# Of those who may, an answer that shows that the request came through, and changes nothing.
CASES = {
    "list_plugins": Case("user", READ, (OK, [])),
    "list_with_owners": Case("admin", READ, (OK, [])),
    "export_plugins": Case("admin", READ, (OK, [])),
    "create_plugin": Case(
        "admin", WRITE, (400, "Only alphanumeric characters and underscores are allowed in the id"), form("no id", PIPE)
    ),
    "sync_plugins": Case("admin", WRITE, (OK, []), {"functions": []}),
    "load_plugin": Case("admin", WRITE, (400, None), {"url": "http://example.org/x.py"}),
    "show_plugin": Case("admin", READ, UNKNOWN),
    "update_plugin": Case("admin", WRITE, (400, "Function not found"), form(NOBODY_S, PIPE)),
    "toggle_plugin": Case("admin", WRITE, UNKNOWN),
    "toggle_plugin_global": Case("admin", WRITE, UNKNOWN),
    "delete_plugin": Case("admin", WRITE, (OK, True)),
    "list_plugin_versions": Case("admin", READ, UNKNOWN),
    "diff_plugin_versions": Case("admin", READ, UNKNOWN, query="?from_id=1&to_id=2"),
    "use_plugin_version": Case("admin", WRITE, UNKNOWN, {"version_id": "1"}),
    "show_valves": Case("admin", READ, UNKNOWN),
    "show_valves_spec": Case("admin", READ, UNKNOWN),
    "replace_valves": Case("admin", WRITE, UNKNOWN, {"priority": 1}),
    "show_user_valves": Case("user", READ, UNKNOWN),
    "show_user_valves_spec": Case("user", READ, UNKNOWN),
    "replace_user_valves": Case("user", EXECUTE, UNKNOWN, {"loud": True}),
}


class Route(NamedTuple):
    name: str
    method: str
    path: str

    @property
    def case(self) -> Case:
        return CASES[self.name]

    def filled(self, id: str = NOBODY_S, *, slash: str = "") -> str:
        return self.path.replace("{id:str}", id) + slash + self.case.query


ROUTES = [
    Route(handler.fn.__name__, method, path)
    for handler in WEBUI
    for path in sorted(handler.paths)
    for method in sorted(handler.http_methods - {"OPTIONS"})
]


def these(routes: list[Route]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("route", routes, ids=lambda route: f"{route.method} {route.path}")


each = these(ROUTES)


async def ask(
    http: httpx.AsyncClient, route: Route, id: str = NOBODY_S, *, token: str = "", slash: str = ""
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return await http.request(route.method, route.filled(id, slash=slash), json=route.case.body, headers=headers)


def came_through(answer: httpx.Response, route: Route) -> None:
    status, said = route.case.missing
    assert answer.status_code == status, answer.text
    told = answer.json()
    if said is not None:
        assert (told if status == OK else told["detail"]) == said


def test_every_route_has_its_case_and_both_prefixes():
    assert {route.name for route in ROUTES} == set(CASES)
    paths = {(route.method, route.path) for route in ROUTES}
    for method, path in paths:
        other = path.replace("/api/v1/", "/api/") if "/v1/" in path else path.replace("/api/", "/api/v1/")
        assert (method, other) in paths or path == "/api/v1/functions"


@each
async def test_without_a_token_nothing(route: Route, http: httpx.AsyncClient):
    answer = await ask(http, route)
    assert detail(answer, 401) == NO_TOKEN
    assert answer.headers["www-authenticate"] == "Bearer"
    assert detail(await ask(http, route, token="forged"), 401) == BAD_TOKEN


@pytest.fixture(scope="module")
async def role_tokens(store: Store) -> dict[Role, str]:
    made = {role: await people.account(store, f"plugins-{role}", tenant=TENANT, role=role) for role in ROLES}
    return {role: await people.token_for(store, account) for role, account in made.items()}


@each
async def test_with_a_slash_it_is_the_same(route: Route, role_tokens: dict[Role, str], http: httpx.AsyncClient):
    came_through(await ask(http, route, token=role_tokens["admin"], slash="/"), route)


@pytest.fixture(scope="module")
async def scope_tokens(store: Store) -> dict[Scope, str]:
    account = await people.account(store, "plugins-admin", tenant=TENANT, role="admin")
    return {scope: await people.token_for(store, account, scopes=frozenset({scope})) for scope in SCOPES}


@each
@pytest.mark.parametrize("role", ROLES)
async def test_roles(route: Route, role: Role, role_tokens: dict[Role, str], http: httpx.AsyncClient):
    answer = await ask(http, route, token=role_tokens[role])
    if ROLES.index(role) <= ROLES.index(route.case.role):
        came_through(answer, route)
    else:
        assert detail(answer, 401) == NOT_ALLOWED


@each
@pytest.mark.parametrize("scope", sorted(SCOPES))
async def test_scopes(route: Route, scope: Scope, scope_tokens: dict[Scope, str], http: httpx.AsyncClient):
    answer = await ask(http, route, token=scope_tokens[scope])
    if scope in route.case.scopes:
        came_through(answer, route)
    else:
        assert detail(answer, 401) == NOT_ALLOWED


@these([route for route in ROUTES if route.case.body is not None])
async def test_a_role_comes_before_fields_and_ids_and_fields_before_ids(
    route: Route, admin: Asking, user: Asking, http: httpx.AsyncClient
):
    wrong: dict[str, Any] = {"json": []}
    if route.case.role == "admin":
        assert detail(await user.http.request(route.method, route.filled(), **wrong), 401) == NOT_ALLOWED
    [fault] = detail(await admin.http.request(route.method, route.filled(), **wrong), 422)
    assert fault["loc"] == ["body"]
    assert detail(await http.request(route.method, route.filled(), **wrong), 401) == NO_TOKEN
    [fault] = detail(await http.request(route.method, route.filled(), content=b"{"), 422)
    assert (fault["type"], fault["loc"]) == ("json_invalid", ["body", 1])


@pytest.fixture(scope="module")
async def kept(admin: Asking) -> dict[str, Any]:
    """A function of the tenant, as it is shown."""
    shown: dict[str, Any] = await admin.get(f"/id/{await admin.create(PIPE)}")
    return shown


@these([route for route in ROUTES if "{id:str}" in route.path])
async def test_a_stranger_cannot_tell_another_s_function_from_none(
    route: Route, kept: dict[str, Any], admin: Asking, stranger: httpx.AsyncClient
):
    theirs, nobodys = await ask(stranger, route, kept["id"]), await ask(stranger, route)
    assert (theirs.status_code, theirs.content) == (nobodys.status_code, nobodys.content)
    assert await admin.get(f"/id/{kept['id']}") == kept


async def test_what_is_listed_and_synced_is_one_s_own_tenant_s(
    kept: dict[str, Any], admin: Asking, stranger: httpx.AsyncClient
):
    theirs = Asking(stranger)
    assert kept["id"] not in {row["id"] for row in await theirs.get("/list")}
    assert kept["id"] not in {row["id"] for row in await theirs.get("/export")}
    assert await theirs.post("/sync", {"functions": []}) == []
    assert await admin.get(f"/id/{kept['id']}") == kept
