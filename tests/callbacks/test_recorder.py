"""No callback is lost and none is doubled: whenever the recorder dies, whatever it reads again, whoever is away."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from services.recorder.callbacks import Callbacks
from services.recorder.forgetting import Forgetting
from services.recorder.handlers import READER, Handlers
from services.recorder.observing import Observing
from services.recorder.retention import Retention
from services.recorder.tally import Tally
from shared.bus import broker, subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished
from shared.bus.stored_ids import stored_ids
from shared.domain.callback import SLUG, STEP
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.labels import FunctionLabels
from shared.store.client import Store
from shared.store.invocations import Invocations
from shared.submit import new_task_id, step_task_id
from tests.callbacks.asking import call, came
from tests.callbacks.conftest import SETTINGS
from tests.callbacks.receiver import Receiver
from tests.conftest import TAX
from tests.platform import Platform, running

DEDUPE_S = 4.0
COUNT = 200


@pytest.fixture(scope="module")
async def fragile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform of its own, whose bus forgets the ids of messages soon."""
    settings = SETTINGS | {"SHOAL_DEDUPE_S": str(DEDUPE_S), "SHOAL_RECORDER_LEASE_S": "2"}
    async with running(tmp_path_factory.mktemp("fragile") / "data", **settings) as platform:
        yield platform


@pytest.fixture(scope="module")
async def http(fragile: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with fragile.client(limits=httpx.Limits(max_connections=8)) as client:
        yield client


@pytest.fixture(scope="module")
async def bus(fragile: Platform) -> AsyncIterator[Bus]:
    async with broker.connect(fragile.ready["nats"], name="test", timeout_s=5) as bus:
        yield bus


@pytest.fixture(scope="module")
async def store(fragile: Platform) -> AsyncIterator[Store]:
    store = Store(fragile.ready["mongodb"], database="shoal")
    yield store
    store.close()


class Inside(NamedTuple):
    """The platform's bus and store, and what a recorder's handlers need besides."""

    bus: Bus
    store: Store
    platform: Any = SimpleNamespace(
        dedupe_s=DEDUPE_S, retention_days=0.0, invoke_days=7.0, event_days=7.0, cache_s=30.0
    )


@pytest.fixture(scope="module")
def inside(bus: Bus, store: Store) -> Inside:
    return Inside(bus, store)


async def function(client: httpx.AsyncClient, name: str, url: str) -> str:
    body = {"name": name, "execution_mode": "app", "config": {"callback_url": url}}
    made = await client.post("/api/apps/fragile/functions/", json=body)
    slug = str(made.json()["slug"])
    code = {"version": "1", "code": TAX, "is_active": True}
    assert (await client.post(f"/api/functions/{slug}/code/", json=code)).status_code == 201
    return slug


async def commands(bus: Bus, tenant: str = "default") -> int:
    """How many callbacks were ever submitted."""
    subject = subjects.invoke(tenant, SLUG)
    info = await bus.stream.stream_info("INVOKE", subjects_filter=subject)
    return (info.state.subjects or {}).get(subject, 0)


async def until_idle(store: Store, bus: Bus) -> None:
    """Until the recorder has written down that it has read all there is."""
    last = await bus.last_sequence("EVENTS")
    async with asyncio.timeout(30):
        while True:
            found = await store.global_one("checkpoints", {"_id": READER})
            if found and found.get("marks", {}).get("EVENTS", {}).get("sequence", 0) >= last:
                return
            await asyncio.sleep(0.05)


async def test_a_recorder_that_is_killed_again_and_again(
    fragile: Platform, http: httpx.AsyncClient, bus: Bus, receiver: Receiver
):
    """kill -9 while ends are written and callbacks submitted."""
    slug, before = await function(http, "Killed", receiver.url("killed")), await commands(bus)
    over = asyncio.Event()

    async def kill() -> int:
        kills = 0
        while not over.is_set():
            await fragile.restarted("recorder", fragile.kill("recorder"))
            kills += 1
        return kills

    killing = asyncio.create_task(kill())
    asked = asyncio.Semaphore(8)

    async def ask() -> str:
        async with asked:
            return await call(http, slug, {"amount": 1})

    tasks = set(await asyncio.gather(*(ask() for _ in range(COUNT))))
    over.set()
    assert await killing >= 1
    async with asyncio.timeout(60):
        while {one.id for one in receiver.of("killed")} != tasks:
            await asyncio.sleep(0.1)
    assert await commands(bus) - before == COUNT
    assert Counter(one.id for one in receiver.of("killed")).most_common(1)[0][1] == 1


@pytest.mark.parametrize("with_record", [True, False])
async def test_a_recorder_that_reads_all_again(
    fragile: Platform, http: httpx.AsyncClient, inside: Inside, receiver: Receiver, *, with_record: bool
):
    """When the bus has forgotten the ids, the record knows; where that is lost too, the log of commands does."""
    bus, store, _ = inside
    name = f"again-{with_record}"
    slug = await function(http, f"Again {with_record}", receiver.url(name))
    for _ in range(20):
        await call(http, slug, {"amount": 1})
    await came(receiver, name, 20)
    await until_idle(store, bus)
    await asyncio.sleep(DEDUPE_S + 0.5)  # for the bus to forget the ids: only its own clock tells
    before, told = await commands(bus), len(receiver.posted)
    dead = fragile.kill("recorder")
    await store.global_delete("checkpoints", {"_id": READER})
    if not with_record:
        await store.global_delete("invocations", {})
    await fragile.restarted("recorder", dead)
    await until_idle(store, bus)
    assert await commands(bus) == before
    last = await call(http, slug, {"amount": 1})
    assert (await came(receiver, name, 21))[-1].id == last
    assert len(receiver.posted) == told + 1


def ended(url: str, *, tenant: str = "acme", at: float = 0.0, **fields: Any) -> Delivery[Finished]:
    now = at or time.time()
    event = Finished(
        **{
            "id": 1, "task_id": new_task_id(), "tenant": tenant, "function": "f", "function_id": 1,
            "function_name": "F", "version": "1", "trigger_type": "api", "user": None,
            "timeline": Timeline(accepted=now, done=now), "delivery": 1, "executor": "x",
            "outcome": Outcome(status="SUCCESS"), "callback_url": url, **fields,
        }
    )  # fmt: skip
    return Delivery(body=event, sequence=1, count=1)


def submitted(end: Delivery[Finished]) -> str:
    return step_task_id(end.body.task_id, STEP)


async def test_nothing_is_asked_of_anybody_where_nobody_is_to_be_told():
    nobody: Any = None
    callbacks = Callbacks(nobody, nobody, dedupe_s=600)
    of_one = ended("https://example.org/", function=SLUG, function_id=0)  # no callback of a callback
    await callbacks.submit([ended(""), of_one], again={of_one.body.task_id})


async def test_what_was_submitted_before_is_not_submitted_again(bus: Bus, store: Store):
    """By the bus's ids where it is young, and by looking for it where it is old: also what nobody has recorded."""
    tenant = "looked-for"
    old = time.time() - DEDUPE_S
    ends = [ended("https://example.org/", tenant=tenant, at=at) for at in (time.time(), old)]
    await Callbacks(bus, store, dedupe_s=DEDUPE_S).submit(ends, again=set())
    assert await commands(bus, tenant) == 2
    for again in (set(), {end.body.task_id for end in ends}):
        await Callbacks(bus, store, dedupe_s=DEDUPE_S).submit(ends, again=again)
    assert await commands(bus, tenant) == 2
    missing = ended("https://example.org/", tenant=tenant, at=old)
    await Callbacks(bus, store, dedupe_s=DEDUPE_S).submit([*ends, missing], again=set())
    assert await commands(bus, tenant) == 3


async def test_ids_are_looked_for_within_their_bounds(bus: Bus, store: Store):
    tenant = "bounded"
    ends = [ended("https://example.org/", tenant=tenant) for _ in range(600)]  # more than are read at once
    await Callbacks(bus, store, dedupe_s=DEDUPE_S).submit(ends, again=set())
    ids, subject, last = list(map(submitted, ends)), subjects.invoke(tenant, SLUG), await bus.last_sequence("INVOKE")
    unknown = submitted(ended(""))
    assert await stored_ids(bus, subject, [*ids, unknown], after=0, upto=last) == set(ids)
    assert await stored_ids(bus, subject, ids[:1], after=0, upto=last) == set(ids[:1])
    assert await stored_ids(bus, subject, ids, after=last, upto=last) == set()
    assert await stored_ids(bus, subject, ids, after=0, upto=1) == set()
    assert await stored_ids(bus, subjects.invoke("nobody", SLUG), ids, after=0, upto=last) == set()


async def test_a_recorder_that_dies_between_its_two_steps(inside: Inside):
    """The end is written, its callback is not submitted: whoever reads it again submits it, and nobody twice."""
    tenant = "in-between"
    batch = [ended("https://example.org/", tenant=tenant, at=at) for at in (time.time(), time.time() - DEDUPE_S)]

    def handlers() -> Handlers:
        service: Any = inside
        forgetting = Forgetting(inside.store)
        observing = Observing(FunctionLabels(functions=0, tenants=0))
        tally = Tally(inside.store, forgetting, stream="s")
        return Handlers(service, forgetting, tally, observing, retention=Retention(inside.store, inside.platform))

    dying = handlers()

    async def die(_ends: Any, *, again: Any) -> None:
        raise asyncio.CancelledError

    dying._callbacks.submit = die  # type: ignore[method-assign]  # kill -9 leaves nothing to be told
    with pytest.raises(asyncio.CancelledError):
        await dying.record(batch)
    for end in batch:
        assert await Invocations(inside.store, tenant).finished(end.body.task_id)
    assert await commands(inside.bus, tenant) == 0
    for _ in range(2):
        assert await handlers().record(batch) == {}
        assert await commands(inside.bus, tenant) == 2


async def test_a_bus_that_is_away_holds_up_the_recorder(bus: Bus, store: Store):
    """What could not be submitted is a Problem: the batch is not done, and comes again."""
    tenant = "away"
    ends = [ended("https://example.org/", tenant=tenant) for _ in range(3)]
    callbacks = Callbacks(bus, store, dedupe_s=DEDUPE_S)
    stored, failing = bus.store, {submitted(ends[1])}

    async def store_some(subject: str, body: msgspec.Struct, *, id: str) -> Any:
        if id in failing:
            raise Problem("unavailable", "away")
        return await stored(subject, body, id=id)

    bus.store = store_some  # type: ignore[method-assign]  # the one of three that meets an outage
    try:
        with pytest.raises(Problem, match="away"):
            await callbacks.submit(ends, again=set())
        assert await commands(bus, tenant) == 2  # the others did not wait for it
        failing.clear()
        await callbacks.submit(ends, again=set())
    finally:
        bus.store = stored  # type: ignore[method-assign]
    assert await commands(bus, tenant) == 3
