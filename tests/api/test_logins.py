"""Logging in: by password, kept up by refresh tokens, ended; and what is no login."""

import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import argon2
import httpx
import jwt
import pytest

from shared.secrets import Keyring
from shared.store import tenants
from shared.store.client import Store
from shared.store.users import Users
from tests import people
from tests.api.conftest import sentence
from tests.conftest import DOMAIN
from tests.people import PASSWORD
from tests.platform import Platform

LOGIN, REFRESH, LOGOUT = (f"/api/auth/jwt/token/{end}" for end in ("", "refresh/", "blacklist/"))
REFUSED = "No active account found with the given credentials"
ENDED = "Token is invalid or expired"
Pair = dict[str, str]


@pytest.fixture(scope="module")
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=platform.url, timeout=30) as http:
        yield http


@pytest.fixture(scope="module")
async def ana(store: Store) -> people.Account:
    return await people.account(store, "ana", role="admin", password=PASSWORD)


@pytest.fixture
def log_in(http: httpx.AsyncClient, ana: people.Account) -> Callable[..., Awaitable[Pair]]:
    async def begin(username: str = "ana", password: str = PASSWORD, **more: str) -> Pair:
        answer = await http.post(LOGIN, json={"username": username, "password": password, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return begin


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def status(http: httpx.AsyncClient, token: str, **headers: str) -> int:
    return (await http.get("/api/users/me/", headers={**bearer(token), **headers})).status_code


async def test_a_login_lasts_a_quarter_of_an_hour_and_its_refresh_a_week(http: httpx.AsyncClient, log_in: Any):
    pair = await log_in("  ANA ")
    assert set(pair) == {"access", "refresh"}
    for token, lasts_s in ((pair["access"], 900), (pair["refresh"], 604_800)):
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == lasts_s
    me = (await http.get("/api/users/me/", headers=bearer(pair["access"]))).json()
    assert (me["username"], me["role"], me["tenant"], me["data"]["username"]) == ("ana", "admin", "default", "ana")


@pytest.mark.parametrize("header", ["Authorization: Bearer", "Authorization: Api-Key", "X-Session-Token:"])
async def test_a_credential_may_come_in_three_ways(http: httpx.AsyncClient, log_in: Any, header: str):
    name, _, scheme = header.partition(": ")
    token = (await log_in())["access"]
    headers = {name.rstrip(":"): f"{scheme} {token}".strip()}
    assert (await http.get("/api/users/me", headers=headers)).status_code == 200


async def test_but_only_in_one_at_once(http: httpx.AsyncClient, log_in: Any):
    token = (await log_in())["access"]
    both = [("Authorization", f"Bearer {token}"), ("X-Session-Token", token)]
    twice = [("Authorization", f"Bearer {token}")] * 2
    for headers in (both, twice):
        assert sentence(await http.get("/api/users/me/", headers=headers), 401) == "More than one credential was sent."


async def test_by_address_as_another_platform_s_clients_do(http: httpx.AsyncClient, ana: people.Account):
    path = "/_allauth/app/v1/auth/login"
    for name in ({"email": "Ana@example.org"}, {"username": "ana"}):
        body = (await http.post(path, json={**name, "password": PASSWORD})).json()
        assert body["meta"]["is_authenticated"] is True
        assert body["data"]["user"]["id"] == ana.id
        assert await status(http, body["meta"]["access_token"]) == 200
    assert sentence(await http.post(path, json={"password": PASSWORD}), 400)


async def test_whatever_is_wrong_is_told_in_the_same_words(http: httpx.AsyncClient, store: Store, ana: people.Account):
    users = Users(store, "default")
    off = await people.account(store, "switched-off", password=PASSWORD)
    await users.change(off.id, {"is_active": False})
    await people.account(store, "without-password")
    bodies = [
        {"username": "nobody", "password": PASSWORD},
        {"username": "ana", "password": "wrong"},
        {"username": "ana", "password": "x" * 4000},
        {"username": "ana", "password": PASSWORD, "tenant": "no-such-tenant"},
        {"username": "switched-off", "password": PASSWORD},
        {"username": "without-password", "password": ""},
        {"username": "", "password": ""},
        {"username": "admin", "password": ""},
    ]
    answers = [await http.post(LOGIN, json=body) for body in bodies]
    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    assert sentence(answers[0], 401) == REFUSED
    contradicting = {"username": "ana", "password": PASSWORD, "tenant": "default"}
    answer = await http.post(LOGIN, json=contradicting, headers={"X-Tenant": "elsewhere"})
    assert sentence(answer, 401) == REFUSED


async def test_a_refresh_token_is_good_once_and_twice_ends_the_login(http: httpx.AsyncClient, log_in: Any):
    first = await log_in()
    second = (await http.post(REFRESH, json={"refresh": first["refresh"]})).json()
    third = (await http.post("/api/auth/jwt/refresh", json={"refresh": second["refresh"]})).json()
    assert await status(http, third["access"]) == 200
    assert sentence(await http.post(REFRESH, json={"refresh": first["refresh"]}), 401) == ENDED
    for pair in (first, second, third):
        assert await status(http, pair["access"]) == 401
        assert sentence(await http.post(REFRESH, json={"refresh": pair["refresh"]}), 401) == ENDED
    assert await status(http, (await log_in())["access"]) == 200


async def test_a_login_that_was_ended_is_over_and_no_other(http: httpx.AsyncClient, log_in: Any):
    one, other = await log_in(), await log_in()
    assert await status(http, one["access"]) == 200
    assert (await http.post(LOGOUT, json={"refresh": one["refresh"]})).json() == {}
    assert await status(http, one["access"]) == 401
    assert await status(http, other["access"]) == 200


async def test_another_password_ends_all_logins_but_no_token(http: httpx.AsyncClient, store: Store, log_in: Any):
    account = await people.account(store, "changing", password=PASSWORD)
    token = await people.token_for(store, account)
    pair, path = await log_in("changing"), "/api/users/me/"
    wrong = {"password": "another password", "current_password": "wrong"}
    assert sentence(await http.patch(path, headers=bearer(pair["access"]), json=wrong), 400)
    right = {**wrong, "current_password": PASSWORD}
    assert (await http.patch(path, headers=bearer(pair["access"]), json=right)).status_code == 200
    assert await status(http, pair["access"]) == 401
    assert sentence(await http.post(REFRESH, json={"refresh": pair["refresh"]}), 401) == ENDED
    assert await status(http, token) == 200
    assert sentence(await http.post(LOGIN, json={"username": "changing", "password": PASSWORD}), 401) == REFUSED
    assert await log_in("changing", "another password")


async def test_signing_out_everywhere(http: httpx.AsyncClient, store: Store, log_in: Any):
    await people.account(store, "leaving", password=PASSWORD)
    pairs = [await log_in("leaving"), await log_in("leaving")]
    assert [await status(http, pair["access"]) for pair in pairs] == [200, 200]
    left = await http.post("/api/users/me/sign-out/", headers=bearer(pairs[0]["access"]))
    assert left.status_code == 204
    assert [await status(http, pair["access"]) for pair in pairs] == [401, 401]


async def test_who_is_deactivated_is_out_at_once_and_logins_stay_over(
    http: httpx.AsyncClient, client: httpx.AsyncClient, store: Store, log_in: Any
):
    account = await people.account(store, "dismissed", password=PASSWORD)
    token, pair = await people.token_for(store, account), await log_in("dismissed")
    assert (await status(http, token), await status(http, pair["access"])) == (200, 200)
    for active, expected in ((False, (401, 401)), (True, (200, 401))):
        await client.patch(f"/api/users/{account.id}/", json={"is_active": active})
        assert (await status(http, token), await status(http, pair["access"])) == expected


async def test_a_password_is_hashed_anew_when_the_parameters_have_changed(store: Store, log_in: Any):
    account = await people.account(store, "old-hash")
    users = Users(store, "default")
    old = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    await users.change(account.id, {"password_hash": old})
    await log_in("old-hash")
    kept = await users.by_id(account.id)
    assert kept is not None
    assert kept.password_hash != old
    assert await log_in("old-hash")


def forged(pair: Pair, data_dir: Path) -> dict[str, str]:
    """Access tokens that are none, some made by somebody who knows how ours are made, or even has the key."""
    keyring = Keyring([bytes.fromhex((data_dir / "secret.key").read_text().strip())])
    key, of_refresh = keyring.derived("jwt access")[0], keyring.derived("jwt refresh")[0]
    claims = jwt.decode(pair["access"], options={"verify_signature": False})
    head, body, signature = pair["access"].split(".")
    other_user = _b64({**claims, "sub": "1"})
    return {
        "no algorithm": jwt.encode(claims, None, algorithm="none"),
        "no algorithm, spelled otherwise": f"{_b64({'alg': 'nOnE', 'typ': 'JWT'})}.{body}.",
        "no signature": f"{head}.{body}.",
        "another user's name": f"{head}.{other_user}.{signature}",
        "another key": jwt.encode(claims, b"k" * 32, algorithm="HS256"),
        "the operator's key itself": jwt.encode(claims, keyring._keys[keyring._first], algorithm="HS256"),
        "the key of refresh tokens": jwt.encode(claims, of_refresh, algorithm="HS256"),
        "a key named by the token": jwt.encode(claims, bytes(32), algorithm="HS256", headers={"kid": "/dev/null"}),
        "a key sent along": jwt.encode(
            claims, b"k" * 32, algorithm="HS256", headers={"jwk": {"kty": "oct", "k": "a2tra2tra2tra2s"}}
        ),
        "another algorithm with the key": jwt.encode(claims, key, algorithm="HS512"),
        "expired": jwt.encode({**claims, "exp": int(time.time()) - 1}, key, algorithm="HS256"),
        "without an end": jwt.encode({k: v for k, v in claims.items() if k != "exp"}, key, algorithm="HS256"),
        "of another issuer": jwt.encode({**claims, "iss": "else"}, key, algorithm="HS256"),
        "of another kind": jwt.encode({**claims, "type": "refresh"}, key, algorithm="HS256"),
        "of another tenant": jwt.encode({**claims, "tenant": "elsewhere"}, key, algorithm="HS256"),
        "of no login": jwt.encode({**claims, "login": "0" * 24}, key, algorithm="HS256"),
        "a refresh token": pair["refresh"],
        "too long": pair["access"] + "A" * 5000,
        "not a token": "eyJ",
    }


def _b64(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_forgeries(http: httpx.AsyncClient, platform: Platform, log_in: Any):
    pair = await log_in()
    assert await status(http, pair["access"]) == 200
    for what, token in forged(pair, platform.data_dir).items():
        answer = await http.get("/api/users/me/", headers=bearer(token))
        assert (what, answer.status_code, answer.json()["error"]) == (what, 401, "Invalid token.")
        refreshed = await http.post(REFRESH, json={"refresh": token})
        assert what == "a refresh token" or refreshed.status_code in (400, 401), what


async def test_a_tenant_s_host_name(http: httpx.AsyncClient, store: Store, log_in: Any):
    await people.account(store, "ana", tenant="acme", role="admin", password="acme's own password")
    here = await log_in(password="acme's own password", tenant="acme")
    default = await log_in()
    acme = {"Host": f"ACME.{DOMAIN}.:8000"}
    by_host = await http.post(LOGIN, json={"username": "ana", "password": "acme's own password"}, headers=acme)
    assert by_host.status_code == 200
    assert await status(http, here["access"]) == 200  # where the host says nothing
    assert await status(http, here["access"], **acme) == 200
    assert await status(http, here["access"], Host=DOMAIN) == 200
    answer = await http.get("/api/users/me/", headers={**bearer(default["access"]), **acme})
    assert sentence(answer, 401) == "Invalid token."
    assert sentence(await http.post(REFRESH, json={"refresh": default["refresh"]}, headers=acme), 401) == ENDED
    answer = await http.post("/api/functions/x/execute/", headers={**bearer(default["access"]), **acme})
    assert sentence(answer, 401) == "Invalid token."


@pytest.mark.parametrize("host", ["nobody", "a.b", "xn--bcher-kva", "a_b"])
async def test_a_host_of_no_tenant_is_not_found(http: httpx.AsyncClient, client: httpx.AsyncClient, host: str):
    there = {"Host": f"{host}.{DOMAIN}"}
    assert sentence(await client.get("/api/users/me/", headers=there), 404) == "Not found"
    assert sentence(await http.post(LOGIN, json={"username": "a", "password": "b"}, headers=there), 404) == "Not found"


@pytest.mark.parametrize(
    "host", ["a b", "a..b", "acme.shoal.test/x", "-a", "büch.shoal.test", "[::1", "acme-", "a" * 300]
)
async def test_what_is_no_host_is_refused(client: httpx.AsyncClient, host: str):
    answer = await client.get("/api/users/me/", headers={"Host": host.encode()})
    assert sentence(answer, 400)


async def test_an_inactive_tenant_is_refused_everything_at_once(
    http: httpx.AsyncClient, store: Store, platform: Platform, log_in: Any
):
    account = await people.account(store, "ana", tenant="closing", role="admin", password=PASSWORD)
    token, pair = await people.token_for(store, account), await log_in(tenant="closing")
    assert (await status(http, token), await status(http, pair["access"])) == (200, 200)
    for switch, expected in (("--no-active", 401), ("--active", 200)):
        code, _, errors = await people.shoal("tenant", "set", "closing", switch, data_dir=platform.data_dir)
        assert (code, errors) == (0, "")
        assert (await status(http, token), await status(http, pair["access"])) == (expected, expected)
        login = {"username": "ana", "password": PASSWORD, "tenant": "closing"}
        assert (await http.post(LOGIN, json=login)).status_code == expected
        there = await http.get("/api/users/me/", headers={**bearer(token), "Host": f"closing.{DOMAIN}"})
        assert there.status_code == (404 if expected == 401 else 200)
    assert await tenants.find(store, "closing")
