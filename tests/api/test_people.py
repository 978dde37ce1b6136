"""Users, tokens and apps over HTTP, as an administrator keeps them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest

from shared.store import tokens
from shared.store.client import Store
from tests import people
from tests.api.conftest import is_stamp, sentence
from tests.conftest import Deploy
from tests.people import PASSWORD
from tests.platform import Platform


@pytest.fixture(scope="module")
async def admin(platform: Platform, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator of a tenant of its own."""
    account = await people.account(store, "head", tenant="bureau", role="admin")
    headers = {"Authorization": f"Bearer {await people.token_for(store, account)}"}
    async with httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=30) as client:
        yield client


def of(client: httpx.AsyncClient, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=client.base_url, headers={"Authorization": f"Api-Key {token}"}, timeout=30)


async def test_a_user_from_beginning_to_end(admin: httpx.AsyncClient):
    body = {"username": "Berta", "email": "Berta@Example.org", "full_name": "Berta B.", "password": PASSWORD}
    made = await admin.post("/api/users/", json=body)
    assert made.status_code == 201
    user = made.json()
    assert is_stamp(user.pop("created_at"))
    assert user == {
        "id": user["id"], "username": "berta", "email": "berta@example.org", "full_name": "Berta B.", "role": "user",
        "is_active": True,
    }  # fmt: skip
    shown = (await admin.get(f"/api/users/{user['id']}")).json()
    assert shown["username"] == "berta"
    changed = await admin.patch(f"/api/users/{user['id']}/", json={"role": "developer", "full_name": "B. B."})
    assert (changed.json()["role"], changed.json()["full_name"]) == ("developer", "B. B.")
    page = (await admin.get("/api/users/?page_size=1")).json()
    assert page["count"] == 2
    assert [row["username"] for row in page["results"]] == ["berta"]
    assert page["next"].endswith("/api/users/?page_size=1&page=2")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "head"}, "username"),
        ({"username": "Head "}, "username"),
        ({"username": "with space"}, "username"),
        ({"username": "x" * 151}, "username"),
        ({"username": "new", "email": "no address"}, "email"),
        ({"username": "new", "email": "head@example.org"}, "email"),
        ({"username": "new", "password": "short"}, "password"),
        ({"username": "new", "role": "owner"}, "role"),
        ({}, "username"),
    ],
)
async def test_a_user_that_cannot_be(admin: httpx.AsyncClient, body: dict[str, str], field: str):
    answer = await admin.post("/api/users/", json=body)
    sentence(answer, 400)
    assert set(answer.json()["details"]) == {field}


async def test_the_operator_s_name_is_taken_in_his_tenant(client: httpx.AsyncClient, admin: httpx.AsyncClient):
    assert "operator's own" in sentence(await client.post("/api/users/", json={"username": "Admin"}), 400)
    assert (await admin.post("/api/users/", json={"username": "admin"})).status_code == 201


async def test_nobody_shuts_himself_out(client: httpx.AsyncClient, admin: httpx.AsyncClient, store: Store):
    me = (await admin.get("/api/users/me/")).json()["id"]
    for values in ({"role": "user"}, {"is_active": False}):
        assert "another administrator can" in sentence(await admin.patch(f"/api/users/{me}/", json=values), 400)
    assert (await admin.patch(f"/api/users/{me}/", json={"role": "admin"})).status_code == 200
    second = await people.token_for(store, await people.account(store, "second-admin", role="admin"))
    async with of(client, second) as other:
        answer = await other.patch("/api/users/1/", json={"is_active": False})
        assert sentence(answer, 403) == "The operator's own user keeps its role and cannot be deactivated"


async def test_a_token_s_secret_is_shown_once_and_kept_as_a_hash(admin: httpx.AsyncClient, store: Store):
    made = await admin.post("/api/tokens/", json={"name": "ci", "scopes": ["functions:execute"], "role": "user"})
    assert made.status_code == 201
    token = made.json()
    secret = token.pop("token")
    assert secret.startswith("shoal_")
    assert (token["scopes"], token["role"], token["username"]) == (["functions:execute"], "user", "head")
    for path in (f"/api/tokens/{token['id']}/", "/api/tokens/"):
        assert secret not in (await admin.get(path)).text
    kept = await store.global_one("tokens", {"_id": tokens.hashed(secret)})
    assert kept is not None
    assert secret not in repr(kept)


async def test_a_token_that_ends_makes_none_that_outlives_it(admin: httpx.AsyncClient, store: Store):
    account = await people.account(store, "head", tenant="bureau", role="admin")
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
    async with of(admin, await people.token_for(store, account, expires_at=end)) as holder:
        later = {"name": "later", "expires_at": (end + timedelta(seconds=1)).isoformat()}
        refused = await holder.post("/api/tokens/", json=later)
        assert sentence(refused, 400) == "expires_at must be no later than that of the token that asks"
        assert list(refused.json()["details"]) == ["expires_at"]
        unasked = (await holder.post("/api/tokens/", json={"name": "unasked"})).json()
        assert datetime.fromisoformat(unasked["expires_at"]) == end
        for at in (end, end - timedelta(days=1), end.astimezone(timezone(timedelta(hours=-5)))):
            made = await holder.post("/api/tokens/", json={"name": "asked", "expires_at": at.isoformat()})
            assert datetime.fromisoformat(made.json()["expires_at"]) == at
    async with of(admin, unasked["token"]) as child:
        assert sentence(await child.post("/api/tokens/", json=later), 400)
        grandchild = (await child.post("/api/tokens/", json={"name": "grandchild"})).json()
        assert datetime.fromisoformat(grandchild["expires_at"]) == end


async def test_who_has_no_end_makes_tokens_without_one(admin: httpx.AsyncClient, store: Store):
    assert (await admin.post("/api/tokens/", json={"name": "endless"})).json()["expires_at"] is None
    await people.account(store, "loginner", tenant="bureau", password=PASSWORD)
    body = {"username": "loginner", "password": PASSWORD, "tenant": "bureau"}
    access = (await admin.post("/api/auth/jwt/token/", json=body)).json()["access"]
    async with of(admin, access) as login:
        assert (await login.post("/api/tokens/", json={"name": "endless"})).json()["expires_at"] is None


async def test_a_revoked_token_is_dead_at_once(admin: httpx.AsyncClient):
    token = (await admin.post("/api/tokens/", json={"name": "short"})).json()
    async with of(admin, token["token"]) as holder:
        assert (await holder.get("/api/users/me/")).status_code == 200
        assert (await admin.delete(f"/api/tokens/{token['id']}/")).status_code == 204
        assert sentence(await holder.get("/api/users/me/"), 401) == "Invalid token."
    revoked = (await admin.get(f"/api/tokens/{token['id']}/")).json()
    assert is_stamp(revoked["revoked_at"])
    assert is_stamp(revoked["last_used_at"])
    assert (await admin.delete(f"/api/tokens/{token['id']}/")).status_code == 204


async def test_tokens_are_one_s_own_and_the_administrator_s(admin: httpx.AsyncClient, store: Store):
    account = await people.account(store, "carl", tenant="bureau")
    async with of(admin, await people.token_for(store, account)) as carl:
        listed = (await carl.get("/api/tokens/")).json()
        assert [row["username"] for row in listed["results"]] == ["carl"]
        assert sentence(await carl.get("/api/tokens/?user_id=1"), 403)
        head_s = (await admin.get("/api/tokens/")).json()["results"][0]["id"]
        missing = await carl.get("/api/tokens/999999999/")
        assert sentence(missing, 404).replace("999999999", str(head_s)) == sentence(
            await carl.get(f"/api/tokens/{head_s}/"), 404
        )
        assert sentence(await carl.delete(f"/api/tokens/{head_s}/"), 404)
        theirs = (await admin.get(f"/api/tokens/?user_id={account.id}")).json()["results"]
        assert [row["id"] for row in theirs] == [row["id"] for row in listed["results"]]
        assert (await admin.delete(f"/api/tokens/{theirs[0]['id']}/")).status_code == 204
        assert (await carl.get("/api/tokens/")).status_code == 401


async def test_the_operator_s_token_is_not_in_any_list(client: httpx.AsyncClient):
    listed = (await client.get("/api/tokens/?page_size=100")).json()["results"]
    assert "operator" not in [row["name"] for row in listed]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["everything"]}, "scopes[0]"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "expires_at": "9999-12-31T23:59:59-05:00"}, "expires_at"),
        ({"name": ""}, "name"),
    ],
)
async def test_a_token_that_cannot_be(admin: httpx.AsyncClient, body: dict[str, object], field: str):
    answer = await admin.post("/api/tokens/", json=body)
    sentence(answer, 400)
    assert set(answer.json()["details"]) == {field}


async def test_a_token_makes_none_that_reaches_farther(admin: httpx.AsyncClient):
    narrow = (await admin.post("/api/tokens/", json={"name": "narrow", "scopes": ["admin"]})).json()["token"]
    async with of(admin, narrow) as holder:
        wider = {"name": "wider", "scopes": ["functions:write"]}
        assert sentence(await holder.post("/api/tokens/", json=wider), 400) == "scopes must be at most your own: admin"
        same = (await holder.post("/api/tokens/", json={"name": "same"})).json()
        assert same["scopes"] == ["admin"]


async def test_an_app_from_beginning_to_end(admin: httpx.AsyncClient, deploy: Deploy):
    made = await admin.post("/api/apps/", json={"name": "Money Matters"})
    assert made.status_code == 201
    assert (made.json()["slug"], is_stamp(made.json()["created_at"])) == ("money-matters", True)
    path = "/api/apps/money-matters"
    assert sentence(await admin.post("/api/apps/", json={"name": "Money Matters"}), 400)
    function = (await admin.post(f"{path}/functions/", json={"name": "Count"})).json()["slug"]
    assert (await admin.patch(path, json={"name": "Finance"})).json()["name"] == "Finance"
    assert (await admin.get(f"/api/functions/{function}/")).json()["app_name"] == "Finance"
    assert "has functions" in sentence(await admin.delete(f"{path}/"), 409)
    assert (await admin.delete(f"/api/functions/{function}/")).status_code == 204
    assert (await admin.delete(f"{path}/")).status_code == 204
    assert sentence(await admin.get(path), 404) == "App with slug 'money-matters' not found"
    assert "money-matters" not in (await admin.get("/api/apps/")).text


async def test_an_app_that_is_made_with_its_first_function_is_dated_too(admin: httpx.AsyncClient):
    made = await admin.post("/api/apps/by-the-way/functions/", json={"name": "First"})
    assert made.status_code == 201
    app = (await admin.get("/api/apps/by-the-way/")).json()
    assert (app["name"], is_stamp(app["created_at"])) == ("By The Way", True)
    assert (await admin.delete(f"/api/functions/{made.json()['slug']}/")).status_code == 204
