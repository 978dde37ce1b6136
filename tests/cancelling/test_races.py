"""A cancelling that meets the end: whoever is asked afterwards says the same as who was told."""

import asyncio
import random
from collections import Counter

import pytest

from tests.cancelling.asking import SPINS, Asking
from tests.hooks import Hook, Received, always, response

ROUNDS, AT_ONCE = 25, 12
SHORT = "import time\ndef main(params, user_data):\n    time.sleep(params['s'])\n    return 1"


@pytest.mark.parametrize("mode", ["python", "proxy"])
async def test_record_event_and_caller_agree(ask: Asking, hook: Hook, mode: str) -> None:
    """Hundreds of calls, each cancelled about when it ends."""
    chance = random.Random(8)

    async def answered(received: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(chance.uniform(0, 0.1))
        await always(response())(received, writer)

    hook.answer = answered
    if mode == "python":
        slug = await ask.make("Short", SHORT)
    else:
        slug = await ask.make("Quick", execution_mode="proxy", webhook_url=f"{hook.url}/x")
    last = int((await ask.call(slug, s=0)).json()["invocation"]["id"])
    told: dict[int, tuple[int, str]] = {}
    said: dict[int, int] = {}
    for _ in range(ROUNDS):
        calls = [ask.call(slug, s=chance.choice([0, 0.01, 0.1])) for _ in range(AT_ONCE)]
        ids = range(last + 1, last + 1 + AT_ONCE)  # nobody else calls anything
        said |= dict(await asyncio.gather(*(cancelled(ask, id, after_s=chance.uniform(0, 0.1)) for id in ids)))
        for call in calls:
            answer = await call
            body = answer.json()
            told[body["invocation"]["id"]] = (answer.status_code, body["task_id"])
        last += AT_ONCE
    ends = await ask.ends(slug)
    agreed: Counter[str] = Counter()
    for id, (status_code, task_id) in told.items():
        assert id in said
        status = ends[task_id].outcome.status
        found = await ask.seen(task_id, "SUCCESS", "CANCELLED", "FAILURE")
        assert found["status"] == status
        assert (status_code, said[id]) == {"SUCCESS": (200, 409), "CANCELLED": (409, 202)}[status], (id, status)
        agreed[status] += 1
    assert sum(agreed.values()) == ROUNDS * AT_ONCE
    assert min(agreed["SUCCESS"], agreed["CANCELLED"]) > 0
    assert not (await ask.counted("executor", "shoal_ran_twice"))["python"]


async def cancelled(ask: Asking, id: int, *, after_s: float) -> tuple[int, int]:
    """What is said to who cancels it."""
    await asyncio.sleep(after_s)
    while (answer := await ask.http.post(f"/api/invocations/{id}/cancel/")).status_code == 404:
        pass  # it is not accepted yet
    return id, answer.status_code


async def test_many_at_once(ask: Asking) -> None:
    slug = await ask.make("Many", SPINS)
    started = await asyncio.gather(*(ask.start(slug, endless=True) for _ in range(300)))
    waiting = [ask.call(slug, endless=True) for _ in range(20)]
    rows = await asyncio.gather(*(ask.cancel(one.id) for one in started))
    assert {row["task_status"] for row in rows} == {"CANCELLED"}
    async with asyncio.timeout(30):
        while not all(call.done() for call in waiting):
            listed = (await ask.http.get(f"/api/functions/{slug}/executions/?limit=20")).json()["results"]
            left = [row["id"] for row in listed if row["task_status"] in ("PENDING", "STARTED")]
            await asyncio.gather(*(ask.http.delete(f"/api/invocations/{id}/") for id in left))
    assert {call.result().status_code for call in waiting} == {409}
    assert (await ask.call(slug)).json()["data"] == "short"
    ends = await ask.ends(slug)
    assert Counter(end.outcome.status for end in ends.values()) == {"CANCELLED": 320, "SUCCESS": 1}
