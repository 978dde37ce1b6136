"""Calls over HTTP with an idempotency key: one run, and who comes later is answered with what is kept of its answer."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import pytest

from shared.store.client import Store
from tests.api.apps.edge import SECRET, signed
from tests.api.apps.shop import Shop, refused
from tests.api.replica import replica
from tests.people import account, token_for
from tests.platform import Platform

OPEN = [{"type": "http", "config": {"auth": "none"}}]
CODE = """
import random

def handler(request, ctx):
    what = request.query.get("what", "json")
    if what == "text":
        return Response("made " + str(random.random()), status=201)
    if what == "html":
        return Response("<b>ä</b>", headers={"Content-Type": "text/html; charset=utf-8", "Set-Cookie": "a=1"})
    if what == "bytes":
        return Response(bytes([255, 0, 1]), headers={"Content-Type": "image/x"})
    if what == "none":
        return None
    if what == "away":
        return Response(status=303, headers={"Location": "/there"})
    if what == "fails":
        raise ValueError("it broke: " + str(random.random()))
    if what == "refuses":
        return Response({"error": "no"}, status=422)
    if what == "slow":
        import time
        time.sleep(1)
    return {"made": random.random(), "by": ctx.user and ctx.user["id"], "body": request.text()}
"""
STREAM = """
export default function handler(request) {
  const parts = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("data: 1\\n\\n"));
      controller.close();
    },
  });
  return new Response(parts, { headers: { "content-type": "text/event-stream" } });
}
"""
_keys = count(1)


def fresh() -> str:
    return f"key-{next(_keys)}"


def is_replayed(answer: httpx.Response) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


class Asked:
    """One function, asked by anybody."""

    def __init__(self, shop: Shop, http: httpx.AsyncClient) -> None:
        self.shop = shop
        self.http = http
        self.path = f"/v1/{shop.app}/fn/made"

    async def ask(self, key: str, what: str = "json", *, body: bytes = b"", **headers: str) -> httpx.Response:
        lines = {"Idempotency-Key": key, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self.http.post(f"{self.path}?what={what}", content=body, headers=lines)

    async def runs(self) -> int:
        return len((await self.shop.ask("GET", "functions/made/logs")).json()["logs"])


@pytest.fixture
async def asked(platform: Platform, shop: Shop) -> AsyncIterator[Asked]:
    await shop.deploy("made", code=CODE, triggers=OPEN)
    async with httpx.AsyncClient(base_url=platform.url, timeout=30) as http:
        yield Asked(shop, http)


@pytest.mark.parametrize("what", ["json", "text", "none", "refuses"])
async def test_the_second_is_answered_what_the_first_was(asked: Asked, what: str):
    key = fresh()
    first, second = [await asked.ask(key, what) for _ in range(2)]
    assert first.status_code < 500
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.headers.get("content-type") == second.headers.get("content-type")
    assert first.headers["x-invocation-id"] == second.headers["x-invocation-id"]
    assert (is_replayed(first), is_replayed(second)) == (False, True)
    assert "idempotent-missing" not in second.headers
    assert await asked.runs() == 1


async def test_lines_that_are_not_kept_are_said_to_be_missing(asked: Asked):
    key = fresh()
    first = await asked.ask(key, "html")
    asked.http.cookies.clear()  # as one who has never seen the first answer
    second = await asked.ask(key, "html")
    assert (first.headers["set-cookie"], second.content) == ("a=1", first.content)
    assert second.headers["content-type"] == first.headers["content-type"] == "text/html; charset=utf-8"
    assert "set-cookie" not in second.headers
    assert second.headers["idempotent-missing"] == "headers"


@pytest.mark.parametrize("what", ["bytes", "away"])
async def test_what_cannot_be_given_again_is_not_made_up(asked: Asked, what: str):
    key = fresh()
    first, second = [await asked.ask(key, what) for _ in range(2)]
    assert first.status_code in (200, 303)
    assert second.status_code == 410
    assert second.json()["error"] == "answer_not_kept"
    assert second.json()["invocation_id"] == first.headers["x-invocation-id"]
    assert is_replayed(second)
    assert await asked.runs() == 1


async def test_a_stream_is_not_made_up_either(platform: Platform, shop: Shop):
    await shop.deploy("made", code=STREAM, runtime="javascript", triggers=OPEN)
    async with httpx.AsyncClient(base_url=platform.url, timeout=30) as http:
        asked, key = Asked(shop, http), fresh()
        first, second = [await asked.ask(key) for _ in range(2)]
        assert (first.status_code, first.text) == (200, "data: 1\n\n")
        assert (second.status_code, second.json()["error"]) == (410, "answer_not_kept")
        assert await asked.runs() == 1


async def test_a_failure_is_replayed(asked: Asked):
    key = fresh()
    first, second = [await asked.ask(key, "fails") for _ in range(2)]
    assert (first.status_code, first.content) == (500, second.content)
    assert second.status_code == 500
    assert is_replayed(second)


async def test_fifty_at_once_at_two_processes(platform: Platform, asked: Asked):
    key = fresh()
    async with replica(platform) as (address, _), httpx.AsyncClient(base_url=address, timeout=30) as http:
        other = Asked(asked.shop, http)
        answers = await asyncio.gather(*((asked, other)[n % 2].ask(key, "slow") for n in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum(not is_replayed(answer) for answer in answers) == 1
    assert await asked.runs() == 1


@pytest.mark.parametrize("how", ["method", "path", "query", "body"])
async def test_the_same_key_with_another_request(asked: Asked, how: str):
    key = fresh()
    lines = {"Idempotency-Key": key}
    assert (await asked.http.post(asked.path, content=b"1", headers=lines)).status_code == 200
    path, query, body = asked.path, "", b"1"
    if how == "path":
        path = asked.path.replace("made", "%6dade")
    elif how == "query":
        query = "?a=1"
    elif how == "body":
        body = b"2"
    method = "PUT" if how == "method" else "POST"
    other = await asked.http.request(method, path + query, content=body, headers=lines)
    assert "was used for another request" in refused(other, 409, "IDEMPOTENCY_KEY_REUSED")
    assert await asked.runs() == 1


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\u00e4"])
async def test_what_is_no_key(asked: Asked, key: str):
    answer = await asked.http.post(asked.path, headers=[(b"idempotency-key", key.encode())])
    assert "1 to 255 visible ASCII" in refused(answer, 400, "VALIDATION_INVALID_SCHEMA")
    twice = [(b"idempotency-key", b"a"), (b"idempotency-key", b"b")]
    assert "once" in refused(await asked.http.post(asked.path, headers=twice), 400, "VALIDATION_INVALID_SCHEMA")
    assert await asked.runs() == 0


async def test_whoever_sends_it_has_a_key_of_his_own(asked: Asked, store: Store):
    await asked.shop.ask("PATCH", "config", json={"end_users": {"jwt_secret": SECRET}})
    ann = await account(store, "ann-of-edges")
    key, callers = fresh(), {
        "nobody": {},
        "eve": {"Authorization": f"Bearer {signed(sub='eve')}"},
        "bob": {"Authorization": f"Bearer {signed(sub='bob')}"},
        "ann": {"Authorization": f"Bearer {await token_for(store, ann)}"},
    }  # fmt: skip
    first = {name: await asked.ask(key, **lines) for name, lines in callers.items()}
    assert {answer.status_code for answer in first.values()} == {200}
    assert not any(map(is_replayed, first.values()))
    assert len({answer.json()["made"] for answer in first.values()}) == len(callers)
    callers["eve"] = {"Authorization": f"Bearer {signed(sub='eve', jti='2')}"}  # a newer token of the same one
    callers["ann"] = {"X-Session-Token": await token_for(store, ann)}
    for name, lines in callers.items():
        again = await asked.ask(key, **lines)
        assert (again.content, is_replayed(again)) == (first[name].content, True), name
    assert await asked.runs() == len(callers)


async def test_what_a_function_may_know_a_stranger_by_is_part_of_his_request(asked: Asked):
    """Its own session, say: nobody is told what another one was answered, and nothing is made twice."""
    key = fresh()
    first = await asked.ask(key, Cookie="session=1")
    for lines in ({"Cookie": "session=2"}, {}, {"Authorization": "Bearer of-the-functions-own"}):
        refused(await asked.ask(key, **lines), 409, "IDEMPOTENCY_KEY_REUSED")
    again = await asked.ask(key, Cookie="session=1")
    assert (again.content, is_replayed(again)) == (first.content, True)
    assert await asked.runs() == 1


async def test_a_test_of_its_owner(asked: Asked):
    key = fresh()
    answers = [
        await asked.shop.ask("POST", "functions/made/invoke", content=b"1", headers={"Idempotency-Key": key})
        for _ in range(2)
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].content == answers[1].content
    assert [is_replayed(answer) for answer in answers] == [False, True]


async def test_pages_of_other_origins_may_send_and_see_it(asked: Asked):
    await asked.shop.ask("PATCH", "config", json={"allowed_origins": ["https://app.example.org"]})
    origin = {"Origin": "https://app.example.org"}
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key"}
    beforehand = await asked.http.options(asked.path, headers={**origin, **wanted})
    assert beforehand.headers["access-control-allow-headers"] == "idempotency-key"
    told = await asked.ask(fresh(), **origin)
    assert "idempotent-replayed" in told.headers["access-control-expose-headers"]


async def test_the_handler_sees_the_key(platform: Platform, shop: Shop):
    code = "def handler(request, ctx):\n    return request.headers.get('idempotency-key')"
    await shop.deploy("made", code=code, triggers=OPEN)
    async with httpx.AsyncClient(base_url=platform.url, timeout=30) as http:
        assert (await Asked(shop, http).ask("seen")).text == "seen"


async def test_a_function_that_is_no_handler(platform: Platform, shop: Shop):
    code = "def main(params):\n    import random\n    return [params, random.random()]"
    await shop.deploy("made", code=code, triggers=OPEN)
    async with httpx.AsyncClient(base_url=platform.url, timeout=30) as http:
        asked, key = Asked(shop, http), fresh()
        first, second = [await asked.ask(key, body=b'{"a":1}') for _ in range(2)]
        assert (first.status_code, first.json()[0]) == (200, {"a": 1})
        assert (second.content, is_replayed(second)) == (first.content, True)


async def test_one_that_has_not_ended_in_time_is_waited_for_again(platform: Platform, asked: Asked):
    key = fresh()

    async def hurried() -> None:
        lines: dict[str, Any] = {"Idempotency-Key": key}
        await asked.http.post(f"{asked.path}?what=slow", headers=lines, timeout=0.2)

    with pytest.raises(httpx.ReadTimeout):
        await hurried()
    again = await asked.ask(key, "slow")
    assert (again.status_code, is_replayed(again)) == (200, True)
    assert await asked.runs() == 1
