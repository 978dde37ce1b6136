"""Who may do what, and whose token it is."""

from collections.abc import AsyncIterator

import httpx
import pytest

from shared.domain.caller import Caller, Role, User
from shared.store import tokens
from shared.store.client import Store
from tests.api.conftest import sentence
from tests.conftest import TAX, Deploy
from tests.people import enrol
from tests.platform import Platform

FORBIDDEN = "Your role may read and execute functions, but not change them"


async def as_role(platform: Platform, store: Store, role: Role) -> httpx.AsyncClient:
    user = User(id=8, username=role, email=f"{role}@example.org")
    await enrol(store, f"{role}-token", Caller(tenant="default", user=user, role=role))
    headers = {"Authorization": f"Bearer {role}-token"}
    return httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=30)


@pytest.fixture
async def reader(platform: Platform, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async with await as_role(platform, store, "user") as client:
        yield client


async def test_a_user_reads_and_executes(reader: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    ran = await reader.post(f"/api/functions/{slug}/execute/", json={"params": {"amount": 10}})
    assert ran.status_code == 200
    for path in (f"/api/functions/{slug}/", "/api/functions/", f"/api/functions/result/{ran.json()['task_id']}/"):
        assert (await reader.get(path)).status_code == 200


async def test_a_user_changes_nothing(reader: httpx.AsyncClient, client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    before = (await client.get(f"/api/functions/{slug}/")).json()
    version = before["active_code"]["id"]
    for method, path, body in (
        ("POST", "/api/apps/tests/functions/", {"name": "Forbidden"}),
        ("PATCH", f"/api/functions/{slug}/", {"description": "x"}),
        ("DELETE", f"/api/functions/{slug}/", None),
        ("POST", f"/api/functions/{slug}/code/", {"version": "2", "code": TAX}),
        ("PATCH", f"/api/functions/{slug}/code/", {"code": TAX}),
        ("POST", f"/api/functions/code/{version}/activate/", {}),
    ):
        assert sentence(await reader.request(method, path, json=body), 403) == FORBIDDEN, path
    assert (await client.get(f"/api/functions/{slug}/")).json() == before


async def test_a_developer_may_change(platform: Platform, store: Store):
    async with await as_role(platform, store, "developer") as developer:
        made = await developer.post("/api/apps/tests/functions/", json={"name": "Developed"})
        assert made.status_code == 201
        assert (await developer.delete(f"/api/functions/{made.json()['slug']}/")).status_code == 204


async def test_another_operator_s_token_revokes_the_former_one(platform: Platform):
    store = Store(platform.ready["mongodb"], database="tokens-of-the-test")
    somebody = Caller(tenant="default", user=User(id=2, username="a", email="a@b"), role="admin")
    try:
        await enrol(store, "a person's own", somebody)
        assert await tokens.keep_operator(store, "first") == []
        assert await tokens.keep_operator(store, "first") == []
        assert await known(store, "first") == 1
        assert await tokens.keep_operator(store, "second") == [tokens.hashed("first")]
        assert await known(store, "first") is None
        assert await known(store, "second") == 1
        await tokens.keep_operator(store, "")
        assert await known(store, "second") is None
        assert await known(store, "a person's own") == 2
    finally:
        store.close()


async def known(store: Store, token: str) -> int | None:
    """For which user it speaks."""
    found = await tokens.by_hash(store, tokens.hashed(token))
    return found and found.user_id
