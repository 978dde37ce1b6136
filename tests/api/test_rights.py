"""Who may what: every role and every scope on every route."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from shared.domain.caller import ROLES, SCOPES, Role, Scope
from shared.store.client import Store
from tests import people
from tests.api.conftest import sentence
from tests.api.routes import Route, routes
from tests.api.test_isolation import MISSING
from tests.platform import Platform

ROUTES = routes()
TENANT = "matrix"


@pytest.fixture(scope="module")
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=platform.url, timeout=30) as http:
        yield http


@pytest.fixture(scope="module")
async def role_tokens(store: Store) -> dict[Role, str]:
    made = {role: await people.account(store, f"matrix-{role}", tenant=TENANT, role=role) for role in ROLES}
    return {role: await people.token_for(store, account) for role, account in made.items()}


@pytest.fixture(scope="module")
async def scope_tokens(store: Store) -> dict[Scope, str]:
    account = await people.account(store, "matrix-admin", tenant=TENANT, role="admin")
    return {scope: await people.token_for(store, account, scopes=frozenset({scope})) for scope in sorted(SCOPES)}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_roles(route: Route, role: Role, http: httpx.AsyncClient, role_tokens: dict[Role, str]):
    may = ROLES.index(role) <= ROLES.index(route.case.role)
    await _is(await _ask(http, route, role_tokens[role]), may=may)


@pytest.mark.parametrize("scope", sorted(SCOPES))
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_scopes(route: Route, scope: Scope, http: httpx.AsyncClient, scope_tokens: dict[Scope, str]):
    may = not route.case.scopes or scope in route.case.scopes
    await _is(await _ask(http, route, scope_tokens[scope]), may=may)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_without_a_token_nothing(route: Route, http: httpx.AsyncClient):
    answer = await http.request(route.method, route.filled(MISSING), json=route.case.body)
    assert sentence(answer, 401) == "Authentication credentials were not provided."
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_s_role_is_at_most_its_user_s(store: Store, http: httpx.AsyncClient):
    account = await people.account(store, "matrix-user", tenant=TENANT, role="user")
    token = await people.token_for(store, account, role="admin")
    assert (await http.get("/api/users/", headers=bearer(token))).status_code == 403


async def test_a_token_s_role_is_at_most_its_own(store: Store, http: httpx.AsyncClient):
    account = await people.account(store, "matrix-admin", tenant=TENANT, role="admin")
    token = await people.token_for(store, account, role="user")
    assert (await http.get("/api/users/", headers=bearer(token))).status_code == 403
    wider = await http.post("/api/tokens/", headers=bearer(token), json={"name": "wider", "role": "admin"})
    assert sentence(wider, 400) == "role must be at most your own: user"


async def test_an_expired_token_is_none(store: Store, http: httpx.AsyncClient, platform: Platform):
    account = await people.account(store, "matrix-admin", tenant=TENANT, role="admin")
    soon = datetime.now(UTC) + timedelta(seconds=1)
    token = await people.token_for(store, account, expires_at=soon)
    assert (await http.get("/api/users/me/", headers=bearer(token))).status_code == 200
    while datetime.now(UTC) <= soon:  # the one event here is the time itself
        await http.get(f"{platform.url}/api/nothing")
    assert sentence(await http.get("/api/users/me/", headers=bearer(token)), 401) == "Invalid token."


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _ask(http: httpx.AsyncClient, route: Route, token: str) -> httpx.Response:
    return await http.request(route.method, route.filled(MISSING), json=route.case.body, headers=bearer(token))


async def _is(answer: httpx.Response, *, may: bool) -> None:
    if may:
        assert answer.status_code in (200, 201, 204, 400, 404), answer.text  # 400: made by the case before
    else:
        assert sentence(answer, 403)
