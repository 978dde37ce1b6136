"""Dead letters over HTTP: what leaves one, what is told of it, and what becomes of it when it is redriven."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from shared import registry
from shared.bus.broker import Bus
from shared.domain.caller import User
from shared.domain.function import Function
from shared.domain.invocation import TriggerType
from shared.domain.request import Actor, Request
from shared.sealed_request import sealed
from shared.secrets import Keyring
from shared.store.client import Store
from shared.store.functions import Functions
from shared.submit import Origin, due_task_id, new_task_id, submit
from tests import people
from tests.api.conftest import is_stamp, sentence
from tests.api.dead import FAILING, call, dead_letter_of, ended, letters
from tests.conftest import Deploy
from tests.platform import Platform

CURED = """
def main(params, user_data):
    return {'n': params.get('n'), 'user': (user_data.get('user') or {}).get('username')}
"""
HANDLER = """
def handler(request, ctx):
    body = request.json()
    if body.get('fail'):
        raise ValueError('as was asked')
    return {'said': body, 'key': request.headers.get('authorization'), 'type': request.headers.get('content-type')}
"""
KEY = "Bearer only-for-the-handler"


class Inside(NamedTuple):
    """What another service of the platform has."""

    bus: Bus
    store: Store
    keyring: Keyring


@pytest.fixture
def inside(bus: Bus, store: Store, keyring: Keyring) -> Inside:
    return Inside(bus, store, keyring)


async def cure(client: httpx.AsyncClient, slug: str, code: str = CURED) -> None:
    body = {"version": "2.0.0", "code": code, "is_active": True}
    assert (await client.post(f"/api/functions/{slug}/code/", json=body)).status_code == 201


async def redrive(client: httpx.AsyncClient, id: int, body: dict[str, Any] | None = None) -> str:
    answer = await client.post(f"/api/dead-letters/{id}/redrive/", json=body or {})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


async def submitted(bus: Bus, store: Store, slug: str, **origin: Any) -> str:
    """A command as another service sends it."""
    function = await Functions(store, "default").by_slug(slug)
    assert function is not None
    return await sent(bus, function, **origin)


async def sent(bus: Bus, function: Function, *, task_id: str = "", params: bytes = b"{}", **origin: Any) -> str:
    task_id = task_id or new_task_id()
    await submit(bus, function, task_id=task_id, params=msgspec.Raw(params), origin=Origin(**origin))
    return task_id


async def test_a_call_that_nobody_waited_for_leaves_a_letter(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(FAILING)
    task_id = await call(client, slug, n=7)
    (row,) = await letters(client, slug, 1)
    assert (row["task_id"], row["function_slug"], row["trigger_type"]) == (task_id, slug, "api")
    assert (row["reason"], row["error_class"], row["attempts"]) == (
        "SandboxError: Execution failed: ValueError: no 7",
        "error",
        1,
    )
    assert (row["task_status"], row["redrivable"]) == ("FAILURE", True)
    assert is_stamp(row["created_at"])
    assert is_stamp(row["died_at"])
    for slash in ("", "/"):
        one = (await client.get(f"/api/dead-letters/{row['id']}{slash}")).json()
        assert one.items() >= row.items()
    assert (one["params"], one["request"], one["user_username"], one["obstacle"]) == ({"n": 7}, None, "admin", "")


async def test_who_waited_was_told(client: httpx.AsyncClient, deploy: Deploy):
    slug, other = await deploy(FAILING), await deploy(FAILING, config={"dead_letter": False})
    assert (await client.post(f"/api/functions/{slug}/execute/", json={})).status_code == 500
    assert (await ended(client, await call(client, other)))["status"] == "FAILURE"
    await call(client, slug, n="later")
    (row,) = await letters(client, slug, 1)
    assert row["reason"].endswith("ValueError: no later")
    assert await letters(client, other, 0) == []
    refused = await client.patch(f"/api/functions/{slug}/", json={"config": {"dead_letter": "no"}})
    assert sentence(refused, 400) == "config.dead_letter must be true or false"


async def test_retries_that_were_used_up_leave_one_whoever_waited(client: httpx.AsyncClient, deploy: Deploy):
    config = {"max_retries": 1, "retry_first_s": 0.01, "retry_most_s": 0.01}
    slug = await deploy(FAILING, config=config)
    assert (await client.post(f"/api/functions/{slug}/execute/", json={})).status_code == 500
    (row,) = await letters(client, slug, 1)
    assert (row["attempts"], row["error_class"]) == (2, "error")
    await cure(client, slug)
    assert (await ended(client, await redrive(client, row["id"])))["status"] == "SUCCESS"


async def test_what_is_late_leaves_one_and_has_all_the_time_when_redriven(
    client: httpx.AsyncClient, deploy: Deploy, inside: Inside
):
    slug = await deploy(CURED)
    await submitted(inside.bus, inside.store, slug, trigger_type="webhook", expires_at=time.time() - 1)
    (row,) = await letters(client, slug, 1)
    assert (row["task_status"], row["attempts"], row["reason"][:9]) == ("EXPIRED", 0, "Expired: ")
    assert (await ended(client, await redrive(client, row["id"])))["status"] == "SUCCESS"


async def test_what_the_router_refuses_leaves_one(client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store):
    slug = await deploy(CURED)
    assert (await client.patch(f"/api/functions/{slug}/", json={"is_active": False})).status_code == 200
    await submitted(bus, store, slug, trigger_type="schedule")
    await submitted(bus, store, slug, trigger_type="api", reply_to="reply.nobody.x")
    await submitted(bus, store, slug, trigger_type="s3_upload", refusal="it would go round for ever")
    (row,) = await letters(client, slug, 1)
    assert row["reason"].startswith("FunctionNotFound: ")
    assert (row["attempts"], row["trigger_type"]) == (0, "schedule")
    refused = await client.post(f"/api/dead-letters/{row['id']}/redrive/")
    assert sentence(refused, 409) == f"Dead letter {row['id']} cannot be redriven: the function '{slug}' is not active"
    assert (await client.patch(f"/api/functions/{slug}/", json={"is_active": True})).status_code == 200
    assert (await ended(client, await redrive(client, row["id"])))["status"] == "SUCCESS"


async def test_a_redrive_is_run_by_the_code_of_now_for_whom_it_was(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(FAILING)
    await call(client, slug, n=1)
    (row,) = await letters(client, slug, 1)
    await cure(client, slug)
    task_id = await redrive(client, row["id"])
    assert task_id != row["task_id"]
    result = (await ended(client, task_id))["result"]["result"]
    assert result == {"n": 1, "user": "admin"}
    assert await letters(client, slug, 0) == []
    again = await client.post(f"/api/dead-letters/{row['id']}/redrive")
    assert sentence(again, 404) == f"Dead letter with id {row['id']} not found"


async def test_other_params(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(FAILING)
    id = await dead_letter_of(client, slug)
    await cure(client, slug)
    for wrong in ([], "x", 5, None):
        refused = await client.post(f"/api/dead-letters/{id}/redrive/", json={"params": wrong})
        assert refused.status_code == 400, refused.text
    assert (await client.post(f"/api/dead-letters/{id}/redrive/", content="null")).status_code == 400
    task_id = await redrive(client, id, {"params": {"n": "edited ✓"}})
    assert (await ended(client, task_id))["result"]["result"]["n"] == "edited ✓"


async def test_redriven_by_many_at_once_it_is_one_invocation(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(FAILING)
    id = await dead_letter_of(client, slug)
    await cure(client, slug)
    paths = [f"/api/dead-letters/{id}/redrive/"] * 12
    answers = await asyncio.gather(*(client.post(path, json={"params": {"n": n}}) for n, path in enumerate(paths)))
    assert {answer.status_code for answer in answers} <= {202, 404}
    made = [answer.json() for answer in answers if answer.status_code == 202]
    assert len({one["task_id"] for one in made}) == 1
    assert sum(not one["repeated"] for one in made) == 1
    await ended(client, made[0]["task_id"])
    listed = (await client.get(f"/api/functions/{slug}/executions/")).json()
    assert listed["count"] == 2  # the one that died, and this


async def test_the_line_of_a_redrive_says_of_which_function(
    client: httpx.AsyncClient, platform: Platform, deploy: Deploy
):
    slug = await deploy(FAILING)
    task_id = await redrive(client, await dead_letter_of(client, slug))
    lines = [json.loads(line) for line in platform.log.read_text().splitlines() if '"redriven"' in line]
    (line,) = [line for line in lines if line["task_id"] == task_id]
    assert (line["tenant"], line["function"]) == ("default", slug)


async def test_one_that_dies_again_leaves_another(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(FAILING)
    (first,) = await letters(client, slug, 1) if await call(client, slug) else []
    task_id = await redrive(client, first["id"])
    (second,) = await letters(client, slug, 1)
    async with asyncio.timeout(20):
        while second["task_id"] != task_id:
            (second,) = await letters(client, slug, 1)
    assert second["id"] > first["id"]
    detail = (await client.get(f"/api/dead-letters/{second['id']}/")).json()
    assert detail["redrive_of"] == first["task_id"]
    assert await redrive(client, second["id"]) not in (task_id, first["task_id"])


KINDS: list[tuple[TriggerType, dict[str, Any]]] = [
    ("schedule", {}),
    ("s3_upload", {"parent_task_id": "01900000-0000-7000-8000-000000000000"}),
    ("function", {"user": User(5, "eve", "eve@example.org"), "depth": 2}),
    ("websocket", {"actor": Actor(kind="end_user_jwt", user_id="u-1")}),
    ("api", {"callback_url": ""}),
]


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind for kind, _ in KINDS])
async def test_every_kind_comes_again_as_what_it_was(
    client: httpx.AsyncClient, deploy: Deploy, inside: Inside, number: int
):
    kind, origin = KINDS[number]
    slug = await deploy(FAILING)
    task_id = due_task_id("default", number, int(time.time()) - 90)
    await submitted(inside.bus, inside.store, slug, task_id=task_id, params=b'{"n": 3}', trigger_type=kind, **origin)
    (row,) = await letters(client, slug, 1)
    await cure(client, slug)
    made = await redrive(client, row["id"])
    assert made[:13] == task_id[:13]  # the time in it: a run of a schedule learns from it when it was due
    result = (await ended(client, made))["result"]["result"]
    assert result == {"n": 3, "user": "eve" if "user" in origin else None}
    record = (await client.get(f"/api/invocations/by-task-id/{made}/")).json()["invocation"]
    assert (record["trigger_type"], record.get("parent_task_id")) == (kind, origin.get("parent_task_id"))


async def asked(inside: Inside, slug: str, *, method: str = "POST", body: bytes) -> str:
    """A webhook's request to a handler, with a secret header line."""
    task_id = new_task_id()
    lines = [("content-type", "text/plain"), ("content-length", str(len(body))), ("x-other", "1")]
    request = Request(method=method, path="/hook", query="token=hidden", headers=lines, body=body)
    secret = sealed(request, [("authorization", KEY)], inside.keyring, task_id)
    return await submitted(
        inside.bus, inside.store, slug, task_id=task_id, trigger_type="webhook", request=secret, actor=Actor()
    )


async def test_a_handler_is_asked_again_with_its_secret_lines(
    client: httpx.AsyncClient, deploy: Deploy, inside: Inside
):
    slug = await deploy(HANDLER)
    await asked(inside, slug, body=b'{"fail": true}')
    (row,) = await letters(client, slug, 1)
    shown = await client.get(f"/api/dead-letters/{row['id']}/")
    detail = shown.json()
    assert detail["request"] == {"method": "POST", "path": "/hook", "content_type": "text/plain"}
    assert detail["params"] == '{"fail": true}'
    for secret in ("only-for-the-handler", "hidden", "sealed", "authorization"):
        assert secret not in shown.text
    task_id = await redrive(client, row["id"], {"params": {"fail": False}})
    result = (await ended(client, task_id))["result"]["result"]
    assert result == {"said": {"fail": False}, "key": KEY, "type": "application/json"}


async def test_a_handler_is_asked_the_same_again(client: httpx.AsyncClient, deploy: Deploy, inside: Inside):
    slug = await deploy(HANDLER)
    await asked(inside, slug, body=b'{"fail": true, "n": 1}')
    (row,) = await letters(client, slug, 1)
    await cure(client, slug, HANDLER.replace("body.get('fail')", "False"))
    result = (await ended(client, await redrive(client, row["id"])))["result"]["result"]
    assert result == {"said": {"fail": True, "n": 1}, "key": KEY, "type": "text/plain"}


async def test_a_get_has_no_body_to_replace(client: httpx.AsyncClient, deploy: Deploy, inside: Inside):
    slug = await deploy(HANDLER)
    await asked(inside, slug, method="GET", body=b"")
    (row,) = await letters(client, slug, 1)
    refused = await client.post(f"/api/dead-letters/{row['id']}/redrive/", json={"params": {}})
    assert sentence(refused, 400) == "A GET request has no body, so that its params cannot be replaced"


async def test_lines_sealed_by_a_key_that_is_gone_keep_the_letter(
    client: httpx.AsyncClient, deploy: Deploy, inside: Inside
):
    slug = await deploy(HANDLER)
    await asked(inside._replace(keyring=Keyring([bytes(32)])), slug, body=b"{}")
    (row,) = await letters(client, slug, 1)
    assert row["reason"].startswith("SecretUnreadable: ")
    assert row["error_class"] == "infrastructure"
    refused = await client.post(f"/api/dead-letters/{row['id']}/redrive/")
    assert "the secret header lines of its request cannot be opened" in sentence(refused, 409)
    assert len(await letters(client, slug, 1)) == 1


async def test_a_function_that_is_gone_or_another_one_keeps_it(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(FAILING)
    name = (await client.get(f"/api/functions/{slug}/")).json()["name"]
    id = await dead_letter_of(client, slug)
    assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
    said = f"Dead letter {id} cannot be redriven: the function '{slug}' was deleted"
    assert sentence(await client.post(f"/api/dead-letters/{id}/redrive/"), 409) == said
    assert (await client.post("/api/apps/tests/functions/", json={"name": name})).json()["slug"] == slug
    assert sentence(await client.post(f"/api/dead-letters/{id}/redrive/"), 409) == said
    assert (await client.get(f"/api/dead-letters/{id}/")).status_code == 200
    for status in (204, 404):
        assert (await client.delete(f"/api/dead-letters/{id}/")).status_code == status


async def test_what_is_no_invocation_is_shown_and_stays(client: httpx.AsyncClient, bus: Bus):
    await bus.publish("invoke.default.garbled", b'{"type":"invoke.v9"}', headers={"Nats-Msg-Id": new_task_id()})
    (row,) = await letters(client, "garbled", 1)
    assert (row["task_id"], row["trigger_type"], row["created_at"], row["redrivable"]) == (None, None, None, False)
    assert row["reason"].startswith("undecodable: ")
    detail = (await client.get(f"/api/dead-letters/{row['id']}/")).json()
    assert (detail["obstacle"], detail["params"]) == ("its bytes cannot be read", None)
    refused = await client.post(f"/api/dead-letters/{row['id']}/redrive/")
    assert sentence(refused, 409) == f"Dead letter {row['id']} cannot be redriven: its bytes cannot be read"
    assert (await client.delete(f"/api/dead-letters/{row['id']}/")).status_code == 204


async def test_what_the_platform_calls_for_itself_has_its_own_params(client: httpx.AsyncClient, bus: Bus):
    slug = registry.INTERNAL[0]
    function = registry.WITHOUT_PACKAGES.function("default", slug)
    assert function is not None
    await sent(bus, function, params=b'{"nothing": "that fits"}', trigger_type="function")
    (row,) = await letters(client, slug, 1)
    refused = await client.post(f"/api/dead-letters/{row['id']}/redrive/", json={"params": {"url": "elsewhere"}})
    assert sentence(refused, 400) == f"The params of '{slug}' are the platform's own, and cannot be replaced"
    assert (await client.delete(f"/api/dead-letters/{row['id']}/")).status_code == 204


async def test_many_and_all(client: httpx.AsyncClient, deploy: Deploy):
    slug, other = await deploy(FAILING), await deploy(FAILING)
    kept = await dead_letter_of(client, other)
    for number in range(6):
        await call(client, slug, n=number)
    rows = await letters(client, slug, 6)
    await cure(client, slug)
    ids = [rows[0]["id"], rows[1]["id"]]
    path = "/api/dead-letters/redrive/"
    done = (await client.post(path, json={"ids": [*ids, ids[0], 999_999_999]})).json()
    assert [one["id"] for one in done["redriven"]] == ids
    assert done["failed"] == [{"id": 999_999_999, "error": "Dead letter with id 999999999 not found"}]
    done = (await client.post(path, json={"all": True, "function": slug})).json()
    assert [one["id"] for one in done["redriven"]] == sorted(row["id"] for row in rows[2:])
    assert (done["failed"], done["remaining"]) == ([], 0)
    for one in done["redriven"]:
        assert (await ended(client, one["task_id"]))["status"] == "SUCCESS"
    assert await letters(client, slug, 0) == []
    assert [row["id"] for row in await letters(client, other, 1)] == [kept]
    for wrong in ({}, {"all": True, "ids": ids}, {"ids": list(range(101))}, {"all": True, "function": "a.b"}):
        assert (await client.post(path, json=wrong)).status_code == 400, wrong


async def test_all_are_those_that_were_there_part_by_part(
    client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store
):
    slug = await deploy(FAILING)
    for _ in range(103):
        await submitted(bus, store, slug, trigger_type="schedule")
    before = {row["id"] for row in await letters(client, slug, 100 + 3) or []}
    newest = max(before)
    path, body = "/api/dead-letters/redrive/", {"all": True, "function": slug}
    first = (await client.post(path, json=body)).json()
    assert (len(first["redriven"]), first["remaining"]) == (100, 3)
    rest = (await client.post(path, json={**body, "after": first["after"], "until": first["until"]})).json()
    assert (len(rest["redriven"]), rest["remaining"]) == (3, 0)
    assert max(one["id"] for one in rest["redriven"]) == newest
    left = await letters(client, slug, 103)  # all of them have died again
    assert min(row["id"] for row in left) > first["until"]


async def test_pages(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy(FAILING)
    for number in range(5):
        await call(client, slug, n=number)
    rows = await letters(client, slug, 5)
    first = (await client.get("/api/dead-letters/", params={"function": slug, "page_size": 2})).json()
    assert (first["results"], first["previous"]) == (rows[:2], None)
    second = (await client.get(first["next"])).json()
    assert second["results"] == rows[2:4]
    assert (await client.get("/api/dead-letters/", params={"limit": 3, "offset": 2, "function": slug})).json()[
        "results"
    ] == rows[2:]
    assert (await client.get("/api/dead-letters/", params={"function": slug, "page": 9})).status_code == 404
    assert (await client.get("/api/dead-letters/?function=a.b")).status_code == 400
    everybody = (await client.get("/api/dead-letters/", params={"page_size": 100})).json()
    assert everybody["count"] >= 5
    assert [row["id"] for row in everybody["results"]] == sorted((r["id"] for r in everybody["results"]), reverse=True)


@pytest.fixture
async def plain_user(platform: Platform, store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """One who may call, and no more, of the tenant default."""
    account = await people.account(store, "only-calls", role="user")
    headers = {"Authorization": f"Bearer {await people.token_for(store, account)}"}
    async with httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=30) as http:
        yield http


async def test_nobody_speaks_for_another_in_his_own_words(
    client: httpx.AsyncClient, deploy: Deploy, plain_user: httpx.AsyncClient
):
    slug = await deploy(FAILING)
    id = await dead_letter_of(client, slug)
    path = f"/api/dead-letters/{id}/redrive/"
    refused = await plain_user.post(path, json={"params": {"amount": 10**9}})
    assert sentence(refused, 403).startswith("Your role may redrive what others have called as it was")
    await call(plain_user, slug)
    own = next(row["id"] for row in await letters(client, slug, 2) if row["id"] != id)
    await cure(client, slug)
    task_id = await redrive(plain_user, own, {"params": {"n": "own"}})
    assert (await ended(plain_user, task_id))["result"]["result"] == {"n": "own", "user": "only-calls"}
    assert (await ended(client, await redrive(plain_user, id)))["result"]["result"]["user"] == "admin"
    assert (await plain_user.delete(f"/api/dead-letters/{id}/")).status_code == 403


async def test_a_stranger_redrives_nothing(client: httpx.AsyncClient, deploy: Deploy, stranger: httpx.AsyncClient):
    slug = await deploy(FAILING)
    id = await dead_letter_of(client, slug)
    done = (await stranger.post("/api/dead-letters/redrive/", json={"ids": [id]})).json()
    assert (done["redriven"], len(done["failed"])) == ([], 1)
    done = (await stranger.post("/api/dead-letters/redrive/", json={"all": True, "function": slug})).json()
    assert (done["redriven"], done["failed"]) == ([], [])
    assert (await stranger.get("/api/dead-letters/", params={"function": slug})).json()["count"] == 0
    assert len(await letters(client, slug, 1)) == 1


async def test_what_succeeded_after_all_is_not_run_again(
    client: httpx.AsyncClient, deploy: Deploy, store: Store, bus: Bus
):
    """Whoever brought the record and the letter apart: the record of a success is the end."""
    slug = await deploy(FAILING)
    await call(client, slug)
    (row,) = await letters(client, slug, 1)
    await ended(client, row["task_id"])
    await store.table("invocations", "default").update({"_id": row["task_id"]}, {"$set": {"status": "SUCCESS"}})
    refused = await client.post(f"/api/dead-letters/{row['id']}/redrive/")
    assert sentence(refused, 409).endswith("by its record it ended as SUCCESS after all")


async def test_they_are_counted(client: httpx.AsyncClient, deploy: Deploy, platform: Platform):
    await dead_letter_of(client, await deploy(FAILING))
    async with httpx.AsyncClient() as http:
        executor = (await http.get(platform.ready["services"]["executor"]["metrics"])).text
        recorder = (await http.get(platform.ready["services"]["recorder"]["metrics"])).text
    assert 'shoal_dead_letters_total{reason="error",stream="WORK"}' in executor
    assert "shoal_dead_letters_kept " in recorder
