"""Retries, runs that are cut and what comes too late, over HTTP and through every service."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from itertools import count, permutations
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from services.executor import events
from services.executor.links import Lost
from services.recorder.project import project
from shared.bus import broker, scan, streams, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.messages import Dispatch
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, failure
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.invocations import Invocations, write
from shared.submit import Origin, new_task_id
from shared.submit import submit as submit_to
from tests.hooks import Hook, always, response, serving
from tests.platform import Platform, running
from tests.unit.test_execution import DISPATCH

SOON = {"retry_first_s": 0.05, "retry_most_s": 0.1}
# Each fails until it has been run three times, or hangs the first time, and says which attempt it was.
FAILING = {
    "python": """
def handler(request, ctx):
    if ctx.idempotency.claim('one') or ctx.idempotency.claim('two'):
        raise ValueError('not yet')
    return 'done'
""",
    "javascript": """
export default async function handler(request, ctx) {
  if (await ctx.idempotency.claim('one') || await ctx.idempotency.claim('two')) throw new TypeError('not yet');
  return Response.json('done');
}
""",
}
HANGING = {
    "python": """
def handler(request, ctx):
    while ctx.idempotency.claim('one') or not ctx.idempotency.claim('three'):
        while True:
            pass
    return 'done'
""",
    "javascript": """
export default async function handler(request, ctx) {
  if (await ctx.idempotency.claim('one')) while (true);
  return Response.json('done');
}
""",
}
ANSWERING = """
def handler(request, ctx):
    return Response(status=503) if ctx.idempotency.claim('one') else 'done'
"""
ERRORS = {"python": "SandboxError: Execution failed: ValueError: not yet", "javascript": "TypeError: not yet"}
_numbers = count(1)


@pytest.fixture(scope="module")
async def shoal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform that notices soon that an executor is dead, and calls what runs on this machine."""
    folder: Path = tmp_path_factory.mktemp("retries") / "data"
    async with running(folder, SHOAL_LEASE_S="3", SHOAL_EGRESS_PRIVATE="true") as platform:
        yield platform


@pytest.fixture
async def http(shoal: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with shoal.client() as client:
        yield client


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with serving() as hook:
        yield hook


async def make(http: httpx.AsyncClient, code: str, environment: str, **config: Any) -> str:
    fields = {
        "name": f"Retried {next(_numbers)}",
        "execution_mode": "app",
        "environment": environment,
        "config": config,
    }
    made = await http.post("/api/apps/retries/functions/", json=fields)
    assert made.status_code == 201, made.text
    slug = str(made.json()["slug"])
    body = {"version": "1.0.0", "code": code, "is_active": True}
    uploaded = await http.post(f"/api/functions/{slug}/code/", json=body)
    assert uploaded.status_code == 201, uploaded.text
    return slug


async def proxied(http: httpx.AsyncClient, hook: Hook, **config: Any) -> str:
    fields = {"name": f"Hook {next(_numbers)}", "execution_mode": "proxy", "webhook_url": hook.url, "config": config}
    made = await http.post("/api/apps/retries/functions/", json=fields)
    assert made.status_code == 201, made.text
    return str(made.json()["slug"])


async def submit(http: httpx.AsyncClient, slug: str) -> str:
    answer = await http.post(f"/api/functions/{slug}/execute/", json={"async": True})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


async def until(http: httpx.AsyncClient, task_id: str, *statuses: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found = (await http.get(f"/api/functions/result/{task_id}/")).json()
            if found.get("status") in statuses:
                return dict(found)
            await asyncio.sleep(0.05)


async def ended(http: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    return await until(http, task_id, "SUCCESS", "FAILURE", "CANCELLED", "EXPIRED")


async def claimed(shoal: Platform, function_id: int) -> None:
    """Wait until the handler itself has begun: its worker is started after the call is."""
    store = Store(shoal.ready["mongodb"], database="shoal")
    try:
        async with asyncio.timeout(30):
            while await store.table("claims", "default").one({"function_id": function_id}) is None:
                await asyncio.sleep(0.05)
    finally:
        store.close()


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_what_fails_is_run_again_while_its_caller_waits(http: httpx.AsyncClient, language: str) -> None:
    slug = await make(http, FAILING[language], language, max_retries=3, **SOON)
    answer = await http.post(f"/api/functions/{slug}/execute/", json={})
    assert (answer.status_code, answer.json()["data"]) == (200, "done"), answer.text
    found = await ended(http, answer.json()["task_id"])
    assert (found["status"], found["attempts"]) == ("SUCCESS", 3)
    first, second = found["tries"]
    assert (first["attempt"], first["error_class"], first["error"]) == (1, "error", ERRORS[language])
    assert second["attempt"] == 2
    assert first["started_at"] <= first["ended_at"] <= first["next_at"] <= second["started_at"]
    number = answer.json()["invocation"]["id"]
    detail = (await http.get(f"/api/invocations/{number}/result/")).json()
    assert detail["task_result"]["tries"] == found["tries"]


@pytest.mark.parametrize("language", ["python", "javascript"])
async def test_each_class_has_its_own_number(http: httpx.AsyncClient, language: str) -> None:
    one = await make(http, HANGING[language], language, retries={"timeout": 1}, timeout=1, **SOON)
    other = await make(http, HANGING[language], language, retries={"error": 5}, timeout=1, **SOON)
    tasks = [await submit(http, one), await submit(http, other)]
    passed, failed = [await ended(http, task_id) for task_id in tasks]
    assert (passed["status"], passed["attempts"]) == ("SUCCESS", 2)
    assert [(one["error_class"], one["error"].partition(":")[0]) for one in passed["tries"]] == [
        ("timeout", "TimeoutError")
    ]
    assert (failed["status"], failed["result"].partition(":")[0]) == ("FAILURE", "TimeoutError")
    assert not {"attempts", "tries"} & failed.keys()


async def test_an_answer_is_an_answer_to_who_waits_and_a_failed_try_where_nobody_does(
    http: httpx.AsyncClient,
) -> None:
    slug = await make(http, ANSWERING, "python", max_retries=2, **SOON)
    waited = await http.post(f"/api/functions/{slug}/execute/", json={})
    found = await ended(http, waited.json()["task_id"])
    assert "tries" not in found
    other = await make(http, ANSWERING, "python", max_retries=2, **SOON)
    found = await ended(http, await submit(http, other))
    assert (found["status"], found["attempts"]) == ("SUCCESS", 2)
    assert found["tries"][0]["error"] == "HTTPError: the handler answered 503"


async def test_a_webhook_that_is_down_for_a_while(http: httpx.AsyncClient, hook: Hook) -> None:
    answers = [always(response(503)), always(response(429, Retry_After="0"))]

    async def answer(sent: Any, writer: asyncio.StreamWriter) -> None:
        await (answers.pop(0) if answers else always(response()))(sent, writer)

    hook.answer = answer
    found = await ended(http, await submit(http, await proxied(http, hook, max_retries=5, **SOON)))
    assert (found["status"], found["attempts"], len(hook.received)) == ("SUCCESS", 3, 3)
    assert [one["error"][:29] for one in found["tries"]] == ["HTTPError: the webhook answer"] * 2


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
async def test_a_request_that_its_executor_did_not_survive(
    shoal: Platform, http: httpx.AsyncClient, hook: Hook, delivery: str
) -> None:
    asked = asyncio.Event()

    async def answer(sent: Any, writer: asyncio.StreamWriter) -> None:
        if len(hook.received) == 1:
            asked.set()
            await asyncio.Event().wait()
        await always(response())(sent, writer)

    hook.answer = answer
    task_id = await submit(http, await proxied(http, hook, delivery=delivery, timeout=60))
    await asyncio.wait_for(asked.wait(), timeout=30)
    await until(http, task_id, "STARTED")
    began = time.time()
    killed = shoal.kill("executor")
    found = await ended(http, task_id)
    await shoal.restarted("executor", killed)
    assert time.time() - began < 45
    (cut,) = found["tries"]
    assert (cut["attempt"], cut["error_class"], cut["next_at"]) == (1, "infrastructure", None)
    assert found["attempts"] == 1
    assert cut["error"].startswith("ExecutorLost: executor-")
    if delivery == "at_least_once":
        assert (found["status"], len(hook.received)) == ("SUCCESS", 2)
    else:
        assert (found["status"], len(hook.received)) == ("FAILURE", 1)
        assert found["result"].startswith("AttemptLost: The executor that ran it is gone")


@pytest.mark.parametrize("language", ["python", "javascript"])
@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
async def test_code_that_its_executor_did_not_survive(
    shoal: Platform, http: httpx.AsyncClient, delivery: str, language: str
) -> None:
    slug = await make(http, HANGING[language], language, delivery=delivery, timeout=60)
    number = (await http.get(f"/api/functions/{slug}/")).json()["id"]
    task_id = await submit(http, slug)
    await until(http, task_id, "STARTED")
    await claimed(shoal, number)
    killed = shoal.kill("executor")
    found = await ended(http, task_id)
    await shoal.restarted("executor", killed)
    assert found["status"] == ("SUCCESS" if delivery == "at_least_once" else "FAILURE")
    assert len(found["tries"]) == 1
    if delivery == "at_most_once":
        assert found["result"].startswith("AttemptLost: ")


async def test_a_function_that_runs_at_most_once_is_run(http: httpx.AsyncClient, hook: Hook) -> None:
    slug = await proxied(http, hook, delivery="at_most_once")
    tasks = [await submit(http, slug) for _ in range(20)]
    assert {(await ended(http, task_id))["status"] for task_id in tasks} == {"SUCCESS"}
    assert len(hook.received) == 20


@pytest.fixture
async def store(shoal: Platform) -> AsyncIterator[Store]:
    store = Store(shoal.ready["mongodb"], database="shoal")
    yield store
    store.close()


@pytest.fixture
async def bus(shoal: Platform) -> AsyncIterator[Bus]:
    async with broker.connect(shoal.ready["nats"], name="test", timeout_s=5) as bus:
        yield bus


async def submitted(http: httpx.AsyncClient, hook: Hook, bus: Bus, store: Store, *, expires_at: float) -> str:
    slug = await proxied(http, hook)
    function = await Functions(store, "default").by_slug(slug)
    assert function is not None
    task_id = new_task_id()
    origin = Origin(trigger_type="api", expires_at=expires_at)
    await submit_to(bus, function, task_id=task_id, params=msgspec.Raw(b"{}"), origin=origin)
    return task_id


async def test_what_comes_too_late_to_be_routed_expires(
    http: httpx.AsyncClient, hook: Hook, bus: Bus, store: Store
) -> None:
    task_id = await submitted(http, hook, bus, store, expires_at=time.time() - 1)
    found = await ended(http, task_id)
    assert (found["status"], hook.received) == ("EXPIRED", [])
    assert found["result"].startswith("Expired: The invocation was not started within")
    listed = await http.get("/api/invocations/", params={"status": "EXPIRED"})
    assert task_id in {row["celery_task_id"] for row in listed.json()["results"]}
    record = await Invocations(store, "default").by_task(task_id)
    assert record is not None
    assert record.expires_at is not None


async def test_what_waits_for_an_executor_for_too_long_expires(  # noqa: PLR0917 - fixtures
    shoal: Platform, http: httpx.AsyncClient, hook: Hook, bus: Bus, store: Store
) -> None:
    killed = shoal.kill("executor")
    task_id = await submitted(http, hook, bus, store, expires_at=time.time() + 0.3)
    found = await ended(http, task_id)
    await shoal.restarted("executor", killed)
    assert (found["status"], hook.received) == ("EXPIRED", [])


async def test_tries_are_the_same_whatever_order_they_are_written_in(store: Store) -> None:
    """The writes of a batch are done in no order, and those of two batches may come twice."""
    retried = msgspec.structs.replace(DISPATCH, tenant="default", timeline=Timeline(accepted=1.0, routed=2.0))
    run = Timeline(accepted=1.0, routed=2.0, picked=3.0, started=4.0, done=5.0)
    told = [
        events.cut(retried, Lost("e-0", 3.5), found_at=3.9),
        events.retrying(retried, run, failure("TimeoutError", "late"), due_at=6.0),
        events.retrying(msgspec.structs.replace(retried, attempt=2), run, failure("X", "y"), due_at=7.0),
        events.finished(
            Delivery(msgspec.structs.replace(retried, attempt=3), 1, 1),
            Outcome(status="SUCCESS"),
            run,
            executor="e-1",
        ),
    ]
    kept = []
    for number, order in enumerate(permutations(told)):
        deliveries = [
            Delivery(msgspec.structs.replace(event, task_id=f"{number}"), place, 1) for place, event in enumerate(order)
        ]
        for batch in (deliveries[:2], deliveries[1:]):
            await write(store, project([], batch))
        kept.append(await Invocations(store, "default").by_task(f"{number}"))
    first = kept[0]
    assert first is not None
    assert (first.status, first.attempts, sorted(first.tries)) == ("SUCCESS", 3, ["1", "1-3500", "2"])
    assert [(one.status, one.attempts, one.tries) for one in kept if one] == [
        (first.status, first.attempts, first.tries)
    ] * 24


async def test_a_try_that_is_queued_twice_is_made_once_though_the_record_is_behind(
    shoal: Platform, http: httpx.AsyncClient, hook: Hook
) -> None:
    """As a timer may leave it that goes off while the bus chooses a server."""
    hook.answer = always(response(503))
    slug = await proxied(http, hook, max_retries=1, retry_first_s=60.0, retry_most_s=60.0)
    recorder = shoal.pid("recorder")
    os.kill(recorder, signal.SIGSTOP)
    try:
        task_id = await submit(http, slug)
        async with broker.connect(shoal.ready["nats"], name="test", timeout_s=5) as bus:
            waiting, work = subjects.later("proxy", "default", task_id, 2), subjects.work("proxy", "default")
            async with asyncio.timeout(30):
                while (found := await bus.last(streams.WORK, waiting, Dispatch)) is None:
                    await asyncio.sleep(0.05)
            hook.answer = always(response())
            for copy in ("one", "other"):
                await bus.store(work, found.body, id=f"{task_id}.{copy}")
                async with asyncio.timeout(30):
                    while (await bus.stream.stream_info(streams.WORK, subjects_filter=work)).state.subjects:
                        await asyncio.sleep(0.05)
            assert len(hook.received) == 2  # the try that failed, and the next one, once
            await scan.remove(bus, streams.WORK, found.sequence)
    finally:
        os.kill(recorder, signal.SIGCONT)
    assert ((await ended(http, task_id))["status"], len(hook.received)) == ("SUCCESS", 2)
