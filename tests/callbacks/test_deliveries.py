"""How calls ended is told to a receiver: signed, again where it failed, and to nobody who must not be reached."""

import asyncio
import re

import httpx
import pytest
from standardwebhooks import Webhook

from shared import __version__
from tests.callbacks.asking import call, came, delivery, secret_of
from tests.callbacks.conftest import Make
from tests.callbacks.receiver import Receiver, receiving, verified
from tests.people import stranger_to
from tests.platform import Platform

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FAILS = "def main(params, user_data):\n raise ValueError('no such order')"


async def test_a_success_is_told_and_signed(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    slug = await make(callback_url=receiver.url("success?of=tax"))
    task_id = await call(client, slug, {"amount": 1000, "rate": 0.15})
    (posted,) = await came(receiver, "success?of=tax")
    secret = await secret_of(client)
    assert (posted.id, posted.headers["content-type"]) == (task_id, "application/json")
    assert posted.headers["user-agent"] == f"Shoal/{__version__}"
    assert verified(posted, secret)
    assert Webhook(secret).verify(posted.body, posted.headers) == posted.event  # the specification's own library
    event, data = posted.event, posted.event["data"]
    assert set(event) == {"type", "timestamp", "data"}
    assert (event["type"], event["timestamp"]) == ("invocation.finished", data["done_at"])
    assert (data["task_id"], data["function"], data["status"], data["success"]) == (task_id, slug, "SUCCESS", True)
    assert (data["result"], data["error"]) == ({"amount": 1000, "tax": 150.0, "total": 1150.0}, None)
    assert (data["attempts"], data["trigger_type"], data["user_username"]) == (1, "api", "admin")
    assert all(STAMP.fullmatch(data[name]) for name in ("created_at", "started_at", "done_at"))
    assert data["duration_ms"] > 0
    assert (await client.get(data["result_path"])).json()["result"]["result"] == data["result"]
    row = (await client.get(f"/api/functions/invocations/{data['id']}/")).json()
    assert row["celery_task_id"] == task_id
    assert (await delivery(client, task_id))["result"]["result"] == {"status": 200}
    listed = (await client.get("/api/functions/invocations/", params={"parent": task_id})).json()["results"]
    assert [(row["function_name"], row["task_status"]) for row in listed] == [("deliver_callback", "SUCCESS")]
    assert len(receiver.of("success?of=tax")) == 1


async def test_a_failure_is_told(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    task_id = await call(client, await make(FAILS, callback_url=receiver.url("failure")))
    (posted,) = await came(receiver, "failure")
    data = posted.event["data"]
    assert (data["task_id"], data["status"], data["success"], data["result"]) == (task_id, "FAILURE", False, None)
    assert data["error"] == {"type": "SandboxError", "message": "Execution failed: ValueError: no such order"}


async def test_what_is_refused_before_it_runs_is_told(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    """The router's end has a callback as the executor's has."""
    slug = await make(callback_url=receiver.url("refused"), params_bytes=100)
    task_id = await call(client, slug, {"text": "x" * 50})
    (posted,) = await came(receiver, "refused")
    assert posted.event["data"]["task_id"] == task_id


async def test_what_is_not_started_in_time_is_told(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    """By a function's own `expires_in`."""
    task_id = await call(client, await make(callback_url=receiver.url("late"), expires_in=0.0001))
    (posted,) = await came(receiver, "late")
    data = posted.event["data"]
    assert (data["task_id"], data["status"], data["error"]["type"]) == (task_id, "EXPIRED", "Expired")
    assert (data["started_at"], data["duration_ms"], data["result"]) == (None, None, None)


@pytest.mark.parametrize("how", ["500x2", "404x1", "301x1", "hangx1"])
async def test_a_receiver_that_fails_is_told_again(client: httpx.AsyncClient, make: Make, receiver: Receiver, how: str):
    """The same message under the same id, signed anew at the time of each try."""
    receiver.headers[301] = {"location": receiver.url("followed")}
    name = f"{how}/again"
    task_id = await call(client, await make(callback_url=receiver.url(name)))
    tries = int(how[-1]) + 1
    posted = await came(receiver, name, tries)
    secret = await secret_of(client)
    assert {one.id for one in posted} == {task_id}
    assert len({one.body for one in posted}) == 1
    assert all(verified(one, secret) for one in posted)
    assert (await delivery(client, task_id))["attempts"] == tries
    assert len(receiver.of(name)) == tries
    assert receiver.of("followed") == []


async def test_a_receiver_that_is_away_is_told_when_it_is_back(client: httpx.AsyncClient, make: Make):
    with receiving() as first:
        port = first.port
    task_id = await call(client, await make(callback_url=f"http://127.0.0.1:{port}/back"))
    path = "/api/functions/invocations/"
    async with asyncio.timeout(30):
        while not (rows := (await client.get(path, params={"parent": task_id, "status": "RETRY"})).json()["results"]):
            await asyncio.sleep(0.02)
    with receiving(port) as second:
        (posted,) = await came(second, "back")
    assert posted.id == task_id
    assert rows[0]["function_name"] == "deliver_callback"


async def test_retry_after_is_waited_for(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    receiver.headers[503] = {"retry-after": "2"}
    await call(client, await make(callback_url=receiver.url("503x1/later")))
    first, second = await came(receiver, "503x1/later", 2)
    assert second.at - first.at >= 2  # the pauses are a twentieth of that


async def test_a_receiver_that_is_gone_is_left_alone(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    task_id = await call(client, await make(callback_url=receiver.url("410x9/gone")))
    ended = await delivery(client, task_id)
    assert (ended["status"], ended["result"]) == ("FAILURE", "ReceiverGone: The receiver answered 410: seen")
    assert len(receiver.of("410x9/gone")) == 1


async def test_tries_end(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    task_id = await call(client, await make(callback_url=receiver.url("500x99/never")))
    ended = await delivery(client, task_id)
    assert (ended["result"], ended["attempts"]) == ("ReceiverRefused: The receiver answered 500: seen", 7)
    assert len(receiver.of("500x99/never")) == 7


@pytest.mark.parametrize("host", ["127.0.0.2", "10.0.0.1", "169.254.169.254", "[::1]", "localhost.localdomain"])
async def test_private_addresses_are_refused(client: httpx.AsyncClient, make: Make, receiver: Receiver, host: str):
    """As for PROXY functions: but for what the operator has opened."""
    task_id = await call(client, await make(callback_url=receiver.url("private", host=host)))
    ended = await delivery(client, task_id)
    if host == "localhost.localdomain":  # which may be no name at all here: then nobody is reached either
        assert ended["result"].split(":")[0] in ("EgressRefused", "ReceiverUnavailable")
    else:
        assert ended["result"].startswith("EgressRefused: ")
        assert "attempts" not in ended
    assert receiver.of("private") == []


async def test_a_large_result_is_left_out(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    code = "def main(params, user_data):\n return 'x' * params['size']"
    slug = await make(code, callback_url=receiver.url("large"))
    for size in (998, 999):  # with its quotes it has 1000 bytes, and 1001
        await call(client, slug, {"size": size})
        await came(receiver, "large", size - 997)
    whole, omitted = (one.event["data"] for one in receiver.of("large"))
    assert (whole["result"], "result_omitted" in whole) == ("x" * 998, False)
    assert (omitted["result"], omitted["result_omitted"], omitted["success"]) == (None, True, True)
    assert (await client.get(omitted["result_path"])).json()["result"]["result"] == "x" * 999


async def test_nobody_is_told_of_what_wants_it_not(client: httpx.AsyncClient, make: Make):
    task_id = await call(client, await make())
    last = await call(client, await make(callback_url="http://127.0.0.2:9/"))
    await delivery(client, last)  # so that whatever would have come of the one before is there
    assert (await client.get("/api/functions/invocations/", params={"parent": task_id})).json()["count"] == 0


async def test_a_thousand_at_once(platform: Platform, make: Make, receiver: Receiver):
    slug = await make("def main(params, user_data):\n return params", callback_url=receiver.url("many"))
    async with platform.client(limits=httpx.Limits(max_connections=16)) as client:
        asked = asyncio.Semaphore(16)

        async def one(number: int) -> tuple[str, int]:
            async with asked:
                return await call(client, slug, {"number": number}), number

        numbers = dict(await asyncio.gather(*map(one, range(1000))))
        posted = await asyncio.to_thread(receiver.wait, "many", 1000, within_s=60.0)
        secret = await secret_of(client)
    assert {one.id: one.event["data"]["result"]["number"] for one in posted} == numbers
    assert all(verified(one, secret) for one in posted)
    assert len(receiver.of("many")) == 1000


async def test_another_tenants_are_signed_by_its_own_secret(
    platform: Platform, client: httpx.AsyncClient, make: Make, receiver: Receiver
):
    async with stranger_to(platform) as stranger:
        await call(stranger, await make(via=stranger, callback_url=receiver.url("stranger")))
        (posted,) = await came(receiver, "stranger")
        assert verified(posted, await secret_of(stranger))
        assert not verified(posted, await secret_of(client))


async def test_the_platform_alone_calls_it(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    task_id = await call(client, await make())
    params = {"task_id": task_id, "url": receiver.url("forged")}
    answer = await client.post("/api/functions/deliver_callback/execute/", json={"params": params})
    assert answer.status_code == 404
    listed = (await client.get("/api/functions/aggregate/")).json()["system_functions"]
    assert "deliver_callback" not in {row["slug"] for row in listed}
    pipeline = {"name": "forged", "steps": [{"function": "deliver_callback", "params": params}]}
    assert (await client.post("/api/pipelines/", json=pipeline)).status_code == 400
    taken = await client.post("/api/apps/callbacks/functions/", json={"name": "D", "slug": "deliver_callback"})
    assert taken.status_code == 400
    rows = (await client.get("/api/functions/invocations/", params={"function_slug": "deliver_callback"})).json()
    assert {row["function_name"] for row in rows["results"]} == {"deliver_callback"}
    assert receiver.of("forged") == []


async def test_a_call_names_its_own_receiver(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    slug = await make(callback_url=receiver.url("the-functions"))
    task_id = await call(client, slug, callback_url=receiver.url("the-calls"))
    (posted,) = await came(receiver, "the-calls")
    assert posted.id == task_id
    await delivery(client, task_id)
    assert receiver.of("the-functions") == []


async def test_what_is_cancelled_is_told(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    code = "def main(params, user_data):\n while True:\n  pass"
    task_id = await call(client, await make(code, callback_url=receiver.url("cancelled")))
    answer = await client.post(f"/api/functions/invocations/by-task-id/{task_id}/cancel/")
    assert answer.status_code in (200, 202), answer.text
    (posted,) = await came(receiver, "cancelled")
    data = posted.event["data"]
    assert (posted.id, data["status"], data["error"]["type"]) == (task_id, "CANCELLED", "Cancelled")


async def test_one_that_was_given_up_is_told_again(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    """It is a dead letter as any other, and redriven as one."""
    name = "410x1/redriven"
    task_id = await call(client, await make(callback_url=receiver.url(name)))
    assert (await delivery(client, task_id))["status"] == "FAILURE"
    letters = (await client.get("/api/dead-letters/", params={"function": "deliver_callback"})).json()["results"]
    (letter,) = [one for one in letters if one["reason"].startswith("ReceiverGone")][:1]
    redriven = await client.post(f"/api/dead-letters/{letter['id']}/redrive/")
    assert redriven.status_code == 202, redriven.text
    first, second = await came(receiver, name, 2)
    assert (first.id, first.body) == (second.id, second.body)


async def test_to_cancel_again_does_not_end_the_callback(client: httpx.AsyncClient, make: Make, receiver: Receiver):
    """It is a child of what was cancelled, and under way for as long as its receiver says nothing."""
    code = "def main(params, user_data):\n while True:\n  pass"
    task_id = await call(client, await make(code, callback_url=receiver.url("hangx1/cancelled")))
    path = f"/api/functions/invocations/by-task-id/{task_id}/cancel/"
    assert (await client.post(path)).status_code == 202
    await came(receiver, "hangx1/cancelled")
    async with asyncio.timeout(30):
        while not (await client.get("/api/functions/invocations/", params={"parent": task_id})).json()["results"]:
            await asyncio.sleep(0.05)
    assert (await client.post(path)).status_code == 202
    first, second = await came(receiver, "hangx1/cancelled", 2)
    assert first.id == second.id == task_id
    assert (await delivery(client, task_id))["status"] == "SUCCESS"
