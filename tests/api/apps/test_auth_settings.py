"""The settings of an app: who may see and change them, what is refused, and that a secret is never shown."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.store.apps import Apps
from shared.store.client import Store
from tests.api.apps.conftest import MakeApp
from tests.api.apps.edge import SECRET
from tests.people import account, token_for

NOTHING = {"jwt_secret": None, "jwks_url": None, "issuer": None, "audience": None, "user_claim": "sub"}


async def test_they_are_shown_changed_and_taken_away(owner: httpx.AsyncClient, edge_store: Store, make_app: MakeApp):
    app = await make_app()
    path = f"/v1/{app.slug}/config"
    shown = (await owner.get(path)).json()
    assert shown == {
        "id": app.public_id, "slug": app.slug, "name": app.name, "allowed_origins": [], "end_users": NOTHING
    }  # fmt: skip
    users = {
        "jwt_secret": SECRET,
        "issuer": "me",
        "audience": "us",
        "user_claim": "uid",
        "jwks_url": "https://k.example/",
    }
    change = {
        "name": "New",
        "allowed_origins": ["HTTPS://App.Example.org:443", "http://a:80", "http://a"],
        "end_users": users,
    }
    changed = await owner.patch(path, json=change)
    expected = {**shown, "name": "New", "allowed_origins": ["https://app.example.org", "http://a"]}
    assert (changed.status_code, changed.json()) == (200, {**expected, "end_users": {**users, "jwt_secret": "***"}})
    assert SECRET not in (await owner.get(f"/v1/{app.public_id}/config")).text
    stored = await Apps(edge_store, "default").named(app.slug)
    assert stored.end_users.jwt_secret.startswith("s1.")
    kept = await owner.patch(path, json={"end_users": {"jwt_secret": "***", "issuer": None}})
    assert kept.json()["end_users"] == {**users, "jwt_secret": "***", "issuer": None}
    assert (await Apps(edge_store, "default").named(app.slug)).end_users.jwt_secret == stored.end_users.jwt_secret
    gone = dict.fromkeys(users)
    assert (await owner.patch(path, json={"end_users": gone})).json()["end_users"] == NOTHING


WRONG: list[dict[str, Any]] = [
    {"id": "app_x"}, {"slug": "x"}, {"name": ""}, {"name": None}, {"allowed_origins": None}, {"end_users": 1},
    *({"allowed_origins": [text]} for text in (
        "", "null", "example.org", "https://", "https://a/", "https://a b", "https://u:p@a", "https://a:99999",
        "https://*.a", "https://a\r\nx: y", "https://ä.de", "https://" + "a" * 400,
    )),
    {"allowed_origins": ["https://a.example"] * 101}, {"allowed_origins": [1]},
    {"end_users": {"other": 1}}, {"end_users": {"jwt_secret": "short"}}, {"end_users": {"jwt_secret": "x" * 5000}},
    {"end_users": {"jwt_secret": "-----BEGIN PUBLIC KEY-----" + "x" * 100}},
    {"end_users": {"jwks_url": "ftp://a"}}, {"end_users": {"jwks_url": "https://u:p@a/"}},
    {"end_users": {"jwks_url": "nothing"}}, {"end_users": {"issuer": "a\nb"}}, {"end_users": {"user_claim": 7}},
]  # fmt: skip


@pytest.mark.parametrize("change", WRONG, ids=repr)
async def test_what_cannot_be(owner: httpx.AsyncClient, make_app: MakeApp, change: dict[str, Any]):
    app = await make_app()
    before = (await owner.get(f"/v1/{app.public_id}/config")).json()
    refused = await owner.patch(f"/v1/{app.public_id}/config", json=change)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "VALIDATION_INVALID_SCHEMA")
    assert (await owner.get(f"/v1/{app.public_id}/config")).json() == before


async def test_changes_at_once_are_all_kept(owner: httpx.AsyncClient, make_app: MakeApp):
    app = await make_app()
    path = f"/v1/{app.public_id}/config"
    changes: list[dict[str, Any]] = [
        {"allowed_origins": ["https://a.example"]},
        *({"end_users": {field: "x"}} for field in ("issuer", "audience", "user_claim")),
    ]
    answers = await asyncio.gather(*(owner.patch(path, json=change) for change in changes))
    assert [answer.status_code for answer in answers] == [200] * len(changes)
    now = (await owner.get(path)).json()
    assert now["allowed_origins"] == ["https://a.example"]
    assert now["end_users"] == {**NOTHING, "issuer": "x", "audience": "x", "user_claim": "x"}


async def test_who_may(anyone: httpx.AsyncClient, edge_store: Store, make_app: MakeApp):
    app = await make_app()
    path = f"/v1/{app.public_id}/config"
    for role, status in (("user", 403), ("developer", 403), ("admin", 200)):
        known = await account(edge_store, f"settings-{role}", role=role)  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {await token_for(edge_store, known)}"}
        assert (await anyone.get(path, headers=headers)).status_code == 200
        assert (await anyone.patch(path, json={"name": "X"}, headers=headers)).status_code == status
    stranger = await account(edge_store, "far", tenant="far-away", role="admin")
    headers = {"Authorization": f"Bearer {await token_for(edge_store, stranger)}"}
    assert (await anyone.get(path, headers=headers)).status_code == 404
    assert (await anyone.patch(path, json={"name": "X"}, headers=headers)).status_code == 404
    assert (await anyone.get(path)).status_code == 401
