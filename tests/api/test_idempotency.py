"""Calls with an idempotency key: one run, however often and wherever they are sent."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import msgspec
import pytest

from shared.bus import streams
from shared.bus.broker import Bus
from shared.bus.messages import Invoke
from shared.store.client import Store
from tests.api.conftest import sentence
from tests.api.replica import replica
from tests.api.test_errors import raw
from tests.conftest import Deploy
from tests.documented import documented
from tests.people import account, token_for
from tests.platform import Platform

MADE = "def main(params, user_data):\n    import random\n    return {'made': random.random(), 'of': params}"
SLOW = "def main(params, user_data):\n    import time\n    time.sleep(params.get('s', 1))\n    return 'slept'"
FAILS = "def main(params, user_data):\n    import random\n    raise ValueError(str(random.random()))"
_keys = count(1)


def fresh() -> str:
    return f"key-{next(_keys)}"


async def call(http: httpx.AsyncClient, slug: str, key: str | None, **body: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await http.post(f"/api/functions/{slug}/execute/", json=body, headers=headers)


def is_replayed(answer: httpx.Response) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


async def runs(http: httpx.AsyncClient, slug: str) -> int:
    listed = await http.get(f"/api/functions/{slug}/executions/", params={"limit": 100})
    return int(listed.json()["count"])


@pytest.fixture(scope="module")
async def other(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator at another API process."""
    async with replica(platform) as (address, _):
        headers = {"Authorization": f"Bearer {platform.token}"}
        hooks: Any = {"response": [documented]}
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60, event_hooks=hooks) as http:
            yield http


async def test_the_second_is_answered_what_the_first_was(client: httpx.AsyncClient, deploy: Deploy):
    slug, key = await deploy(MADE), fresh()
    first, second = [await call(client, slug, key, params={"a": 1}) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert (is_replayed(first), is_replayed(second)) == (False, True)
    assert await runs(client, slug) == 1
    assert (await call(client, slug, None, params={"a": 1})).json()["data"] != first.json()["data"]


async def test_fifty_at_once_at_two_processes(client: httpx.AsyncClient, other: httpx.AsyncClient, deploy: Deploy):
    slug, key = await deploy(MADE), fresh()
    answers = await asyncio.gather(*(call((client, other)[n % 2], slug, key, params={"a": 1}) for n in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum(not is_replayed(answer) for answer in answers) == 1
    assert await runs(client, slug) == 1


async def test_a_running_one_is_waited_for_wherever(
    client: httpx.AsyncClient, other: httpx.AsyncClient, deploy: Deploy
):
    slug, key = await deploy(SLOW), fresh()
    accepted = await call(client, slug, key, **{"params": {"s": 1.5}, "async": True})
    assert accepted.status_code == 202
    body = {"params": {"s": 1.5}}
    answers = await asyncio.gather(*(call(http, slug, key, **body) for http in (client, other, client, other)))
    assert [answer.json()["data"] for answer in answers] == ["slept"] * 4
    assert all(map(is_replayed, answers))
    assert {answer.json()["invocation"]["created_at"] for answer in answers} == {
        accepted.json()["invocation"]["created_at"]
    }
    assert {answer.json()["invocation"]["id"] for answer in answers} == {accepted.json()["invocation"]["id"]}
    assert await runs(client, slug) == 1


async def test_one_whose_caller_has_gone_is_waited_for(client: httpx.AsyncClient, deploy: Deploy):
    slug, key = await deploy(SLOW), fresh()
    with pytest.raises(httpx.ReadTimeout):
        await client.post(
            f"/api/functions/{slug}/execute/", json={"params": {}}, headers={"Idempotency-Key": key}, timeout=0.3
        )
    again = await call(client, slug, key, params={})
    assert (again.json()["data"], is_replayed(again)) == ("slept", True)
    assert await runs(client, slug) == 1


@pytest.mark.parametrize("how", ["body", "query", "header"])
async def test_asynchronous_ones(client: httpx.AsyncClient, deploy: Deploy, how: str):
    slug, key = await deploy(MADE), fresh()
    headers = {"Idempotency-Key": key} | ({"Prefer": "respond-async"} if how == "header" else {})
    body = {"params": {}} | ({"async": True} if how == "body" else {})
    path = f"/api/functions/{slug}/execute/" + ("?async=true" if how == "query" else "")
    first, second = [await client.post(path, json=body, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert (is_replayed(first), is_replayed(second)) == (False, True)
    waited = await call(client, slug, key, params={})
    assert (waited.status_code, waited.json()["task_id"]) == (200, first.json()["task_id"])
    third = await client.post(path, json=body, headers=headers)  # it has ended, and the answer is the same
    assert (third.status_code, third.json()) == (202, first.json())
    assert await runs(client, slug) == 1


async def test_a_failure_is_replayed(client: httpx.AsyncClient, deploy: Deploy):
    slug, key = await deploy(FAILS), fresh()
    first, second = [await call(client, slug, key, params={}) for _ in range(2)]
    assert (first.status_code, second.status_code) == (500, 500)
    assert first.json() == second.json()
    assert is_replayed(second)
    assert await runs(client, slug) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"params": {"a": 2}},
        {"params": {"a": 1}, "expires_in": 60},
        {"params": {"a": 1}, "callback_url": "https://hooks.example.org/1"},
    ],
)
async def test_the_same_key_with_another_request(client: httpx.AsyncClient, deploy: Deploy, body: dict[str, Any]):
    slug, key = await deploy(MADE), fresh()
    first = await call(client, slug, key, params={"a": 1})
    refused = await call(client, slug, key, **body)
    assert "was used for another request" in sentence(refused, 409)
    assert refused.json()["details"]["Idempotency-Key"]
    assert (await call(client, slug, key, params={"a": 1})).json() == first.json()
    assert await runs(client, slug) == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\u00e4", "a\tb"])
async def test_what_is_no_key(platform: Platform, client: httpx.AsyncClient, deploy: Deploy, key: str):
    slug = await deploy(MADE)
    headers = [(b"idempotency-key", key.encode("utf-8"))]
    answer = await client.post(f"/api/functions/{slug}/execute/", json={"params": {}}, headers=headers)
    assert sentence(answer, 400) == "Idempotency-Key has 1 to 255 visible ASCII characters, and no spaces"
    assert await runs(client, slug) == 0


async def test_the_longest_key_and_two_at_once(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(MADE)
    assert (await call(client, slug, "~" * 255, params={})).status_code == 200
    twice = [(b"idempotency-key", b"a"), (b"idempotency-key", b"a")]
    answer = await client.post(f"/api/functions/{slug}/execute/", json={"params": {}}, headers=twice)
    assert sentence(answer, 400) == "Idempotency-Key may be sent once"


async def test_a_huge_key_is_refused_by_the_server(platform: Platform):
    status, _ = await raw(platform, "/api/functions/x/execute/", b"Idempotency-Key: " + b"x" * 200_000 + b"\r\n\r\n")
    assert status in (400, 431)


async def test_what_is_refused_claims_nothing(client: httpx.AsyncClient, deploy: Deploy):
    slug, key = await deploy(MADE), fresh()
    for body in ({"params": []}, {"params": {}, "expires_in": 0}, {"params": {"a": "x" * (2 << 20)}}):
        assert (await call(client, slug, key, **body)).status_code in (400, 413)
    await client.patch(f"/api/functions/{slug}/", json={"is_active": False})
    assert (await call(client, slug, key, params={})).status_code == 404
    await client.patch(f"/api/functions/{slug}/", json={"is_active": True})
    ran = await call(client, slug, key, params={"now": 1})
    assert (ran.status_code, is_replayed(ran)) == (200, False)


async def test_two_users_have_keys_of_their_own(
    platform: Platform, client: httpx.AsyncClient, store: Store, deploy: Deploy
):
    slug, key = await deploy(MADE), fresh()
    ann = await account(store, "ann-of-keys")
    first, second = [{"Authorization": f"Bearer {await token_for(store, ann)}"} for _ in range(2)]
    mine = await call(client, slug, key, params={})
    async with httpx.AsyncClient(base_url=platform.url, headers=first, timeout=30) as http:
        theirs = await call(http, slug, key, params={})
    async with httpx.AsyncClient(base_url=platform.url, headers=second, timeout=30) as http:
        again = await call(http, slug, key, params={})  # by another token, and the same user all the same
    assert (again.json(), is_replayed(again)) == (theirs.json(), True)
    assert (theirs.status_code, is_replayed(theirs)) == (200, False)
    assert mine.json()["data"] != theirs.json()["data"]
    assert await runs(client, slug) == 2


async def test_two_functions_and_one_made_anew(client: httpx.AsyncClient, deploy: Deploy):
    slug, another, key = await deploy(MADE), await deploy(MADE), fresh()
    first = await call(client, slug, key, params={})
    assert not is_replayed(await call(client, another, key, params={}))
    name = (await client.get(f"/api/functions/{slug}/")).json()["name"]
    assert (await client.delete(f"/api/functions/{slug}/", params={"force": "true"})).status_code in (200, 204)
    assert (await call(client, slug, key, params={})).status_code == 404
    made = await client.post("/api/apps/tests/functions/", json={"name": name, "execution_mode": "app"})
    assert made.json()["slug"] == slug
    assert (
        await client.post(f"/api/functions/{slug}/code/", json={"version": "1", "code": MADE, "is_active": True})
    ).status_code == 201
    anew = await call(client, slug, key, params={})
    assert (anew.status_code, is_replayed(anew)) == (200, False)
    assert anew.json()["data"] != first.json()["data"]


async def test_killed_while_many_are_sent(platform: Platform, client: httpx.AsyncClient, deploy: Deploy):
    """kill -9 of an API process in the middle of calls, all sent again elsewhere: each has run once."""
    slug, keys = await deploy(MADE), [fresh() for _ in range(150)]
    headers = {"Authorization": f"Bearer {platform.token}"}
    answered: dict[str, Any] = {}
    async with (
        replica(platform) as (address, process),
        httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as doomed,
    ):
        assert (await call(doomed, slug, None, params={})).status_code == 200

        async def send(key: str) -> None:
            try:
                answered[key] = (await call(doomed, slug, key, params={"key": key})).json()["data"]
            except httpx.TransportError:
                return
            if len(answered) == 20:
                process.kill()

        await asyncio.gather(*map(send, keys))
        await process.wait()
    assert 20 <= len(answered) < len(keys)
    again = {key: await call(client, slug, key, params={"key": key}) for key in keys}
    assert {answer.status_code for answer in again.values()} == {200}
    for key, data in answered.items():
        assert again[key].json()["data"] == data
    assert await runs(client, slug) == len(keys) + 1


async def test_a_callback_and_an_expiry_reach_the_command(client: httpx.AsyncClient, bus: Bus, deploy: Deploy):
    slug = await deploy(MADE)
    body = {"params": {}, "callback_url": "https://hooks.example.org/ended?a=1", "expires_in": 90.5}
    answer = await call(client, slug, None, **body)
    assert answer.status_code == 200, answer.text
    message = await bus.stream.get_msg(streams.INVOKE, answer.json()["invocation"]["id"])
    command = msgspec.json.decode(message.data or b"", type=Invoke)
    assert command.callback_url == body["callback_url"]
    assert command.expires_at - command.accepted_at == pytest.approx(90.5, abs=5)
    plain = await call(client, slug, None, params={}, callback_url=None, expires_in=None, other=1)
    assert plain.status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expires_in", 0),
        ("expires_in", -1),
        ("expires_in", 7 * 86_400 + 1),
        ("expires_in", "60"),
        ("expires_in", True),
        ("callback_url", ""),
        ("callback_url", 7),
        ("callback_url", "ftp://hooks.example.org/"),
        ("callback_url", "https://user:secret@hooks.example.org/"),
        ("callback_url", "https://hooks.example.org/" + "x" * 2000),
        ("callback_url", "/relative"),
    ],
)
async def test_what_is_no_callback_and_no_expiry(client: httpx.AsyncClient, deploy: Deploy, field: str, value: Any):
    slug = await deploy(MADE)
    answer = await call(client, slug, None, **{"params": {}, field: value})
    assert field in sentence(answer, 400)
    assert field in answer.json()["details"]
