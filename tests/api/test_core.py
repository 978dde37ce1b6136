"""The application from inside, on the platform's own servers: what cannot be brought about by HTTP alone."""

import asyncio
import time
import uuid
from datetime import UTC, datetime

import httpx
import msgspec
import pytest

from services.api.core.credentials import Credentials
from services.api.core.directory import Directory
from services.api.core.functions import Functions
from services.api.core.history import History
from services.api.core.invocations import Invocations
from services.api.core.recent import Recent
from services.api.core.removal import Removal
from services.api.core.sources import Sources
from services.api.core.versions import Upload, Versions
from services.recorder.project import project
from shared.bus import lookup, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.bus.notices import Compile, Compiled
from shared.domain.caller import Caller, User
from shared.domain.function import Function
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, failure
from shared.domain.problem import Problem
from shared.secrets import Keyring
from shared.store import functions as stored_functions
from shared.store import invocations as stored_invocations
from shared.store.client import Store
from shared.store.versions import Versions as StoredVersions
from shared.submit import Origin, new_task_id, submit
from shared.waiting import Waiting
from tests.conftest import Deploy
from tests.limits import PLATFORM

BY_API = Origin(trigger_type="api")

USER = User(id=1, username="admin", email="admin@localhost")
ADMIN = Caller(tenant="default", user=USER, role="admin")


async def keep_function(store: Store, pool: str) -> Function:
    """A function for a pool that the platform does not have."""
    owned, now = stored_functions.Functions(store, "default"), datetime.now(UTC)
    function = Function(
        id=await owned.next_id(), tenant="default", app=1, app_slug="core", app_name="Core", name=pool, slug=pool,
        execution_mode="app", environment=pool, created_at=now, updated_at=now,
    )  # fmt: skip
    await owned.insert(function)
    return function


@pytest.fixture
def versions(bus: Bus, store: Store) -> Versions:
    directory = Directory(bus, store, believed_s=30)
    history = History(store)
    removal = Removal(store, directory, history=history, forgotten_s=60)
    functions = Functions(
        store, directory, history=history, credentials=Credentials(Keyring([])), most=PLATFORM.most, removal=removal
    )
    sources = Sources(bus, store, code_bytes=1000, wait_s=5)
    return Versions(store, directory=directory, functions=functions, history=history, sources=sources)


@pytest.mark.parametrize("answered", [True, False])
async def test_code_that_could_not_be_checked_is_not_taken(bus: Bus, store: Store, versions: Versions, answered: bool):
    pool = f"pool-{'busy' if answered else 'empty'}"
    function = await keep_function(store, pool)
    if answered:

        async def busy(_request: Compile) -> Compiled:
            return Compiled(unavailable="no worker is free")

        await bus.serve(subjects.compile_code(pool), busy, body=Compile, answer=Compiled)
        await bus.client.flush()
    code = f"# {pool}"
    with pytest.raises(Problem, match="no worker is free" if answered else "No service answered") as raised:
        await versions.upload(ADMIN, function.slug, Upload(version="1", code=code))
    assert raised.value.code == "unavailable"
    kept = StoredVersions(store, "default")
    assert await kept.count(function.id) == 0
    now = await stored_functions.Functions(store, "default").by_id(function.id)
    assert now is not None
    assert now.active is None
    assert await store.table("sources", "default").count({"source": code}) == 0


def finished(task_id: str, tenant: str, outcome: Outcome) -> Delivery[Finished]:
    now = time.time()
    event = Finished(
        id=1, task_id=task_id, tenant=tenant, function="f", function_id=0, function_name="F", version="1",
        trigger_type="api", user=None, timeline=Timeline(accepted=now, done=now), delivery=1, executor="x",
        outcome=outcome,
    )  # fmt: skip
    return Delivery(body=event, sequence=1, count=1)


async def test_an_answer_that_was_lost_is_found_on_record(bus: Bus, store: Store):
    waiting = Waiting(bus, store, instance="lost-answers", most=10)
    await waiting.open()
    tasks = {f"tenant-{number % 2}.{new_task_id()}": number for number in range(4)}
    waits = {}
    for name in tasks:
        tenant, _, task_id = name.partition(".")
        waits[name] = waiting.enter(task_id, tenant=tenant, within_s=60)
    outcomes = {name: failure("Error", f"number {number}") for name, number in tasks.items() if number != 3}
    ends = [finished(name.partition(".")[2], name.partition(".")[0], outcome) for name, outcome in outcomes.items()]
    await stored_invocations.write(store, project([], ends))
    async with asyncio.timeout(5):
        for name, outcome in outcomes.items():
            assert await waits[name].outcome() == outcome
    assert len(waiting) == 1
    waiting.give_up()


async def test_after_a_return_of_the_bus_the_record_is_asked_for_all(bus: Bus, store: Store):
    waiting = Waiting(bus, store, instance="returned", most=10)
    await waiting.open()
    wait = waiting.enter(new_task_id(), tenant="default", within_s=60)
    wait.looked_at += 1000
    await stored_invocations.write(store, project([], [finished(wait.task_id, "default", Outcome(status="SUCCESS"))]))
    bus.returned()
    outcome = await asyncio.wait_for(wait.outcome(), 5)
    assert outcome == Outcome(status="SUCCESS")


@pytest.fixture
async def replica(bus: Bus, store: Store) -> Invocations:
    """The core of another API process."""
    directory, recent = Directory(bus, store, believed_s=30), Recent(bus, store)
    await recent.open()
    return Invocations(
        bus,
        store,
        directory=directory,
        waiting=Waiting(bus, store, instance="replica", most=10),
        recent=recent,
        bounds=PLATFORM,
        wait_s=10,
        kept_s=86400,
    )


async def test_another_replica_shows_what_this_one_has_answered(
    client: httpx.AsyncClient, deploy: Deploy, replica: Invocations
):
    slug = await deploy()
    for number in range(20):
        ran = (await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})).json()
        if number % 2:
            found = await replica.by_task(ADMIN, ran["task_id"])
        else:
            found = await replica.by_id(ADMIN, ran["invocation"]["id"])
        assert found.status == "SUCCESS"


async def test_every_accepted_call_can_be_seen_at_once(client: httpx.AsyncClient, deploy: Deploy):
    slug = await deploy()
    body = {"params": {}, "async": True}
    calls = [client.post(f"/api/functions/{slug}/execute/", json=body) for _ in range(20)]
    for accepted in await asyncio.gather(*calls):
        id = accepted.json()["invocation"]["id"]
        shown = await client.get(f"/api/functions/invocations/{id}/")
        assert shown.status_code == 200
        assert shown.json()["celery_task_id"] == accepted.json()["task_id"]


async def test_a_running_call_is_not_waited_for(client: httpx.AsyncClient, deploy: Deploy, replica: Invocations):
    slug = await deploy("def main(params, user_data):\n    while True:\n        pass", config={"timeout": 3})
    body = {"params": {}, "async": True}
    task_id = (await client.post(f"/api/functions/{slug}/execute/", json=body)).json()["task_id"]
    began = time.monotonic()
    assert (await replica.by_task(ADMIN, task_id)).status in ("PENDING", "STARTED")
    assert time.monotonic() - began < 1.0


def shifted(task_id: str, by_s: float) -> str:
    """The task id as a clock would have made it that is ahead by so much."""
    made = uuid.UUID(task_id).int + (int(by_s * 1000) << 80)
    return str(uuid.UUID(int=made))


@pytest.fixture
async def function(store: Store) -> Function:
    found = await stored_functions.Functions(store, "default").by_slug("pool-empty")
    return found or await keep_function(store, "pool-empty")


@pytest.mark.parametrize("ahead_s", [-25.0, -1.0, 0.0, 1.0, 25.0])
async def test_commands_are_found_though_clocks_differ(bus: Bus, function: Function, ahead_s: float):
    now = time.time()
    task_id = shifted(new_task_id(), ahead_s)
    accepted = await submit(bus, function, task_id=task_id, params=msgspec.Raw(b"{}"), origin=BY_API)
    found = await lookup.find_command(bus, tenant="default", task_id=task_id, around=now + ahead_s)
    assert found is not None
    assert found.sequence == accepted.id
    assert await lookup.find_command(bus, tenant="other", task_id=task_id, around=now + ahead_s) is None
    by_number = await lookup.command_at(bus, tenant="default", sequence=accepted.id)
    assert by_number is not None
    assert by_number.body.task_id == task_id
    assert await lookup.command_at(bus, tenant="other", sequence=accepted.id) is None
    assert await lookup.command_at(bus, tenant="default", sequence=accepted.id + 10**6) is None


async def test_not_seen_in_time_is_not_the_same_as_not_there(
    bus: Bus, function: Function, monkeypatch: pytest.MonkeyPatch
):
    task_id = new_task_id()
    await submit(bus, function, task_id=task_id, params=msgspec.Raw(b"{}"), origin=BY_API)
    monkeypatch.setattr(lookup, "_WAIT_S", 0.0)
    with pytest.raises(Problem) as raised:
        await lookup.find_command(bus, tenant="default", task_id=task_id, around=time.time())
    assert raised.value.code == "unavailable"


@pytest.mark.parametrize("error", [OSError("gone"), TimeoutError()])
async def test_a_fault_after_it_was_found_changes_nothing(
    bus: Bus, function: Function, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    async def failing(_stream: str, _consumer: str) -> bool:
        raise error

    task_id = new_task_id()
    await submit(bus, function, task_id=task_id, params=msgspec.Raw(b"{}"), origin=BY_API)
    monkeypatch.setattr(bus.stream, "delete_consumer", failing)
    found = await lookup.find_command(bus, tenant="default", task_id=task_id, around=time.time())
    assert found is not None
