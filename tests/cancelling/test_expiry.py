"""What has to be started in time: it ends as EXPIRED where nobody takes it, and runs on where somebody has."""

import asyncio
import os
import signal
import time

import msgspec

from shared.bus.messages import Answer
from shared.domain.caller import User
from shared.store.client import Store
from shared.store.functions import Functions
from shared.submit import Origin, new_task_id, submit
from tests.api.dead import letters
from tests.cancelling.asking import SPINS, Asking, Started
from tests.hooks import Hook, always, response

BODY = msgspec.Raw(b'{"endless":false}')


async def submitted(ask: Asking, store: Store, slug: str, *, within_s: float, reply_to: str = "") -> Started:
    """A call that has to be started within so many seconds."""
    function = await Functions(store, "default").by_slug(slug)
    assert function is not None
    origin = Origin(trigger_type="api", user=User(1, "admin", ""), reply_to=reply_to, expires_at=time.time() + within_s)
    accepted = await submit(ask.bus, function, task_id=new_task_id(), params=BODY, origin=origin)
    return Started(accepted.id, accepted.task_id)


async def test_nobody_has_room_for_it(ask: Asking, store: Store) -> None:
    slug = await ask.make("Full", SPINS)
    assert (await ask.call(slug)).status_code == 200
    busy = [await ask.start(slug, endless=True) for _ in range(2)]
    for one in busy:
        await ask.seen(one.task_id, "STARTED")
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    await ask.bus.hear("reply.test-expiry.*", lambda data, _: answers.put_nowait(data))
    late = await submitted(ask, store, slug, within_s=0.5, reply_to="reply.test-expiry.x")
    in_time = await submitted(ask, store, slug, within_s=120)
    found = await ask.seen(late.task_id, "EXPIRED")
    assert found["result"] == "Expired: The invocation was not started within 0.5 seconds"
    async with asyncio.timeout(10):
        answer = msgspec.json.decode(await answers.get(), type=Answer)
    assert (answer.task_id, answer.outcome.status) == (late.task_id, "EXPIRED")
    for one in busy:
        await ask.cancel(one.id)
    assert (await ask.seen(in_time.task_id, "SUCCESS", "EXPIRED"))["status"] == "SUCCESS"
    ends = await ask.ends(slug)
    assert (ends[late.task_id].outcome.status, ends[late.task_id].timeline.started) == ("EXPIRED", 0.0)
    refused = await ask.http.post(f"/api/invocations/{late.id}/cancel/")
    assert refused.status_code == 409


async def test_nobody_routes_it(ask: Asking, store: Store, hook: Hook) -> None:
    hook.answer = always(response())
    slug = await ask.make("No router", execution_mode="proxy", webhook_url=f"{hook.url}/x")
    router = ask.shoal.pid("router")
    os.kill(router, signal.SIGSTOP)
    try:
        late = await submitted(ask, store, slug, within_s=0.2)
        await ask.seen(late.task_id, "EXPIRED")
    finally:
        os.kill(router, signal.SIGCONT)
    assert (await ask.call(slug)).status_code == 200
    assert len(hook.received) == 1
    assert (await ask.ends(slug))[late.task_id].outcome.status == "EXPIRED"
    (letter,) = await letters(ask.http, slug, 1)  # the router, too, ends it: that is not another one
    assert (letter["task_id"], letter["task_status"]) == (late.task_id, "EXPIRED")


async def test_what_was_started_in_time_is_not_called_expired(ask: Asking, store: Store, hook: Hook) -> None:
    """Though the record does not know that it was started."""
    until = asyncio.Event()

    async def held(received: object, writer: asyncio.StreamWriter) -> None:
        await until.wait()
        writer.write(response())

    hook.answer = held
    slug = await ask.make("In time", execution_mode="proxy", webhook_url=f"{hook.url}/x")
    router, recorder = ask.shoal.pid("router"), ask.shoal.pid("recorder")
    os.kill(router, signal.SIGSTOP)
    try:
        started = await submitted(ask, store, slug, within_s=8.0)
        await ask.seen(started.task_id, "PENDING")
        await on_record(ask, store, started)
        os.kill(recorder, signal.SIGSTOP)
    finally:
        os.kill(router, signal.SIGCONT)
    try:
        async with asyncio.timeout(8):
            while not hook.received:
                await asyncio.sleep(0.02)
        await asyncio.sleep(12.0)  # past the moment, and several sweeps
        assert (await store.table("invocations", "default").one({"_id": started.task_id}))["status"] == "PENDING"
        until.set()
    finally:
        os.kill(recorder, signal.SIGCONT)
    assert (await ask.seen(started.task_id, "SUCCESS", "EXPIRED"))["status"] == "SUCCESS"


async def on_record(ask: Asking, store: Store, started: Started) -> None:
    async with asyncio.timeout(10):
        while await store.table("invocations", "default").one({"_id": started.task_id}) is None:
            await asyncio.sleep(0.02)
