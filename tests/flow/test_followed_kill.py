"""kill -9 of the executor while a call is followed: the break is named, and in each run no line comes twice."""

import asyncio

import pytest

from tests.api.apps.sse import Event, following
from tests.platform import running

SOURCE = """
import time
def main(params, context):
    for number in range(1, 21):
        print('line', number)
        time.sleep(0.1)
"""
LINES = 20
SEEN = 5  # when the executor dies


async def test_a_follower_is_told_of_the_break(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("followed") / "data"
    async with running(folder, SHOAL_LEASE_S="3") as platform, platform.client() as client:
        made = await client.post("/api/apps/kill/functions/", json={"name": "Followed", "execution_mode": "app"})
        slug = made.json()["slug"]
        code = {"version": "1.0.0", "code": SOURCE, "is_active": True}
        assert (await client.post(f"/api/functions/{slug}/code/", json=code)).status_code == 201
        path, came = f"/v1/kill/functions/{slug}/logs/stream", list[Event]()
        async with following(client, path, params={"lines": "true"}) as events, asyncio.timeout(60):
            call = {"params": {}, "async": True}
            assert (await client.post(f"/api/functions/{slug}/execute/", json=call)).status_code == 202
            while not came or came[-1].kind != "log":
                came.append(await events.next())
                if len(came) == SEEN:
                    platform.kill("executor")
    *told, end = came
    (cut,) = (place for place, event in enumerate(told) if event.kind == "gap")
    gap, first, second = told[cut].data, told[:cut], told[cut + 1 :]
    assert (gap["from"], gap["to"], gap["why"]) == (len(first) + 1, None, "died")
    assert len(first) >= SEEN
    assert [event.data["n"] for event in first] == list(range(1, len(first) + 1))
    assert [event.data["n"] for event in second] == list(range(1, LINES + 1))
    assert all(event.data["message"] == f"line {event.data['n']}" for event in first + second)
    assert [one["n"] for one in end.data["consoleLogs"]] == list(range(1, LINES + 1))
