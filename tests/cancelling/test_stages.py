"""Each stage that an invocation may be in when it is cancelled, and what is left of it."""

import asyncio
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import sentence
from tests.cancelling.asking import MOMENT_S, SPINS, SPINS_IN_DENO, WAITS_IN_DENO, Asking
from tests.hooks import Hook, Received, always, response


async def test_a_running_python_call_and_who_waits_for_it(ask: Asking) -> None:
    slug = await ask.make("Spins", SPINS)
    assert (await ask.call(slug)).json()["data"] == "short"
    waiting = ask.call(slug, endless=True)
    running = await ask.newest(slug, "STARTED")
    before, began = await ask.counted("executor", "shoal_workers_ended"), time.monotonic()
    row = await ask.cancel(running.id)
    assert (row["id"], row["task_status"]) == (running.id, "CANCELLED")
    answer = await waiting
    assert time.monotonic() - began < MOMENT_S
    assert answer.status_code == 409, answer.text
    assert answer.json()["status"] == "CANCELLED"
    assert answer.json()["result"] == "Cancelled: The invocation was cancelled by admin"
    found = await ask.seen(running.task_id, "CANCELLED")
    assert found["result"] == answer.json()["result"]
    await worker_ended(ask, "python,cancelled", before["python,cancelled"] + 1)
    assert (await ask.call(slug)).json()["data"] == "short"  # the slot is free again
    ends = await ask.ends(slug)
    assert ends[running.task_id].outcome.status == "CANCELLED"


@pytest.mark.parametrize("code", [SPINS_IN_DENO, WAITS_IN_DENO], ids=["computes", "waits"])
async def test_a_running_javascript_call(ask: Asking, code: str) -> None:
    slug = await ask.make("Deno", code, environment="javascript")
    waiting = ask.call(slug)
    running = await ask.newest(slug, "STARTED")
    before = await ask.counted("executor", "shoal_workers_ended")
    await ask.cancel(running.id)
    assert (await waiting).status_code == 409
    await worker_ended(ask, "javascript,cancelled", before["javascript,cancelled"] + 1)


async def test_a_request_under_way_is_closed(ask: Asking, hook: Hook) -> None:
    closed = asyncio.Event()

    async def never(_: Received, writer: asyncio.StreamWriter) -> None:
        with socket.fromfd(writer.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM) as peeked:
            while is_open(peeked):
                await asyncio.sleep(0.02)
        closed.set()

    hook.answer = never
    slug = await ask.make("Hooked", execution_mode="proxy", webhook_url=f"{hook.url}/x")
    waiting = ask.call(slug)
    running = await ask.newest(slug, "STARTED")
    await ask.cancel(running.id)
    assert (await waiting).status_code == 409
    async with asyncio.timeout(MOMENT_S):
        await closed.wait()


async def test_a_running_system_function(ask: Asking, folder: Path) -> None:
    started = await ask.start("gate", name="gate-cancelled", until="never-there")
    await ask.seen(started.task_id, "STARTED")
    await ask.cancel(started.id)
    await ask.seen(started.task_id, "CANCELLED")
    again = await ask.http.post("/api/functions/gate/execute/", json={"params": {"name": "gate-after"}})
    assert again.json()["data"]["done"] == "gate-after"
    assert (folder / "gate-cancelled").read_text() == "x"


async def test_a_delayed_attempt_is_not_made(ask: Asking, hook: Hook) -> None:
    hook.answer = always(response(503, Retry_After="2"))
    slug = await ask.make("Later", execution_mode="proxy", webhook_url=f"{hook.url}/x", config={"max_retries": 5})
    started = await ask.start(slug)
    await ask.seen(started.task_id, "RETRY")
    before = await ask.counted("api", "shoal_invocations_cancelled")
    assert (await ask.cancel(started.id))["task_status"] == "CANCELLED"
    found = await ask.seen(started.task_id, "CANCELLED")
    assert (found["attempts"], [one["attempt"] for one in found["tries"]]) == (1, [1])
    tried, work = len(hook.received), await ask.bus.stream.stream_info("WORK", subjects_filter="later.>")
    assert not any(started.task_id in subject for subject in work.state.subjects or {})
    assert (await ask.counted("api", "shoal_invocations_cancelled"))["delayed"] == before["delayed"] + 1
    await asyncio.sleep(3)  # longer than the pause
    assert len(hook.received) == tried == 1


async def test_queued_behind_others(ask: Asking) -> None:
    """What waits for a slot, in the executor's hand or on the bus, is not begun; those before it go on."""
    slug = await ask.make("Queue", SPINS)
    busy = [await ask.start(slug, endless=True) for _ in range(2)]
    for one in busy:
        await ask.seen(one.task_id, "STARTED")
    queued = [await ask.start(slug, endless=True) for _ in range(30)]
    waiting = ask.call(slug, endless=True)
    async with asyncio.timeout(MOMENT_S):
        while (behind := await ask.newest(slug, "PENDING")) in queued:
            pass
    began = time.monotonic()
    rows = await asyncio.gather(*(ask.cancel(one.id) for one in [*queued, behind]))
    assert {row["task_status"] for row in rows} == {"CANCELLED"}
    assert (await waiting).status_code == 409
    assert time.monotonic() - began < 2 * MOMENT_S
    for one in busy:
        assert (await ask.http.get(f"/api/invocations/{one.id}/")).json()["task_status"] == "STARTED"
        await ask.cancel(one.id)
    assert (await ask.call(slug)).json()["data"] == "short"
    ends = await ask.ends(slug)
    assert {ends[one.task_id].outcome.status for one in [*queued, *busy, behind]} == {"CANCELLED"}
    assert {ends[one.task_id].timeline.started for one in [*queued, behind]} == {0.0}


async def test_before_it_is_routed(ask: Asking, hook: Hook) -> None:
    slug = await ask.make("Unrouted", execution_mode="proxy", webhook_url=f"{hook.url}/x")
    hook.answer = always(response())
    router = ask.shoal.pid("router")
    os.kill(router, signal.SIGSTOP)
    try:
        waiting = ask.call(slug)
        accepted = await ask.newest(slug, "PENDING")
        await ask.cancel(accepted.id)
        assert (await waiting).status_code == 409
    finally:
        os.kill(router, signal.SIGCONT)
    assert (await ask.call(slug)).status_code == 200  # commands are routed in their order
    assert len(hook.received) == 1
    assert (await ask.seen(accepted.task_id, "CANCELLED"))["status"] == "CANCELLED"


async def test_put_aside_until_there_is_room(ask: Asking, hook: Hook) -> None:
    """More than its share of the slots: what is parked on the bus is taken from there."""
    until = asyncio.Event()

    async def held(received: Received, writer: asyncio.StreamWriter) -> None:
        await until.wait()
        await always(response())(received, writer)

    hook.answer = held
    slug = await ask.make("Parked", execution_mode="proxy", webhook_url=f"{hook.url}/x")
    started = list(await asyncio.gather(*(ask.start(slug) for _ in range(100))))
    parked: set[str] = set()
    async with asyncio.timeout(60):
        while len(parked) < 30:
            info = await ask.bus.stream.stream_info("WORK", subjects_filter="later.>")
            parked = {subject.split(".")[-2] for subject in info.state.subjects or {}}
    chosen = [one for one in started if one.task_id in parked][:20]
    for one in chosen:
        await ask.cancel(one.id)
    until.set()
    others = [one for one in started if one not in chosen]
    for one in others:
        await ask.seen(one.task_id, "SUCCESS")
    ends = await ask.ends(slug)
    assert {ends[one.task_id].outcome.status for one in chosen} == {"CANCELLED"}
    assert len(hook.received) == len(others)


async def test_what_has_ended_says_how(ask: Asking) -> None:
    slug = await ask.make("Ended", SPINS)
    task_id = (await ask.call(slug)).json()["task_id"]
    await ask.seen(task_id, "SUCCESS")
    for ask_for in (ask.http.post, ask.http.delete):
        path = f"/api/invocations/by-task-id/{task_id}/"
        refused = await ask_for(f"{path}cancel/" if ask_for == ask.http.post else path)
        assert sentence(refused, 409).endswith("has ended already with SUCCESS")


async def test_again_it_changes_nothing(ask: Asking) -> None:
    slug = await ask.make("Again", SPINS)
    started = await ask.start(slug, endless=True)
    ways: list[Any] = [
        ask.http.post(f"/api/invocations/{started.id}/cancel/"),
        ask.http.delete(f"/api/invocations/{started.id}/"),
        ask.http.post(f"/api/functions/invocations/{started.id}/cancel/"),
        ask.http.delete(f"/api/functions/invocations/by-task-id/{started.task_id}/"),
        ask.http.post(f"/api/apps/cancelling/functions/invocations/by-task-id/{started.task_id}/cancel/"),
        ask.http.post(f"/api/apps/cancelling/functions/invocations/{started.id}/cancel/"),
    ]
    for way in ways:
        answer: httpx.Response = await way
        assert answer.status_code == 202, answer.text
        assert answer.json()["task_status"] == "CANCELLED"
    assert len(await ask.ends(slug)) == 1
    assert (await ask.http.get(f"/api/invocations/{started.id}/")).json()["task_status"] == "CANCELLED"


def is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


async def worker_ended(ask: Asking, which: str, count: int) -> None:
    async with asyncio.timeout(MOMENT_S):
        while (await ask.counted("executor", "shoal_workers_ended"))[which] < count:
            await asyncio.sleep(0.02)
