"""Events told more than once, by whoever and whenever: one run each. On a bus whose commands nobody routes."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.triggers.deliveries import Command, Deliveries
from shared import embedded
from shared.bus import broker, streams
from shared.bus.broker import Bus
from shared.bus.notices import Submitted
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.store import invocations
from shared.store.client import Store, Upsert
from shared.submit import Origin
from tests.flow.commands import BOUNDS

NOW = datetime.now(UTC)
FUNCTION = Function(
    id=7, tenant="told", app=1, app_slug="a", app_name="A", name="F", slug="f", execution_mode="app",
    created_at=NOW, updated_at=NOW,
)  # fmt: skip
DEDUPE_S = 600.0


@pytest.fixture(scope="module")
async def nats_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    server = embedded.Nats(tmp_path_factory.mktemp("deliveries"))
    await server.start()
    yield server.url
    await server.stop()


@pytest.fixture(scope="module")
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with broker.connect(nats_url, name="test", timeout_s=5) as bus:
        for stream in streams.streams(BOUNDS, first_invocation=1):
            await bus.ensure_stream(stream)
        yield bus


@pytest.fixture(autouse=True)
async def empty(bus: Bus, hooked_store: Store) -> None:
    for name in (streams.INVOKE, streams.DELIVERIES):
        await bus.stream.purge_stream(name)
    await invocations.Invocations(hooked_store, FUNCTION.tenant).delete_of(FUNCTION.id)


@pytest.fixture
def deliveries(bus: Bus, hooked_store: Store) -> Deliveries:
    return Deliveries(bus, hooked_store, dedupe_s=DEDUPE_S)


@pytest.fixture
async def replica(nats_url: str, hooked_store: Store) -> AsyncIterator[Deliveries]:
    """Another process, as far as the bus can tell."""
    async with broker.connect(nats_url, name="replica", timeout_s=5) as bus:
        yield Deliveries(bus, hooked_store, dedupe_s=DEDUPE_S)


def prepared(task_id: str) -> Command:
    return Command(msgspec.Raw(b"{}"), Origin(trigger_type="webhook"))


async def commands(bus: Bus) -> int:
    """How many runs were submitted."""
    return int((await bus.stream.stream_info(streams.INVOKE)).state.messages)


async def recorded(store: Store, task_id: str, **end: Any) -> None:
    document = {
        "_id": task_id, "id": 1, "tenant": FUNCTION.tenant, "function_id": FUNCTION.id, "function_name": "F",
        "function_slug": "f", "trigger_type": "webhook", "status": "PENDING", "created_at": NOW, **end,
    }  # fmt: skip
    await invocations.write(store, [Upsert({"_id": task_id}, {"$set": end or {"status": "PENDING"}}, document)])


async def known(bus: Bus) -> Submitted:
    """The one entry there is."""
    found = await bus.last(streams.DELIVERIES, "deliveries.>", Submitted)
    assert found is not None
    return found.body


async def aged(bus: Bus, **fields: Any) -> None:
    """The one entry there is, changed as another process might have left it."""
    message = await bus.stream.get_last_msg(streams.DELIVERIES, "deliveries.>")
    entry = msgspec.json.decode(message.data or b"", type=Submitted)
    await bus.replace(str(message.subject), msgspec.structs.replace(entry, **fields), last=message.seq or 0)


async def lost(deliveries: Deliveries) -> None:
    """The event is entered by one that dies before it has sent the command."""

    def dies(_: str) -> Command:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await deliveries.submit(FUNCTION, "e", dies)


async def test_an_event_is_submitted_once(deliveries: Deliveries, bus: Bus) -> None:
    first = await deliveries.submit(FUNCTION, "e", prepared)
    second = await deliveries.submit(FUNCTION, "e", prepared)
    assert (first.fresh, second.fresh) == (True, False)
    assert first.task_id == second.task_id
    other = await deliveries.submit(FUNCTION, "another", prepared)
    elsewhere = await deliveries.submit(msgspec.structs.replace(FUNCTION, id=8), "e", prepared)
    assert other.fresh
    assert elsewhere.fresh
    assert await commands(bus) == 3


@pytest.mark.parametrize("again", [False, True])
async def test_many_are_told_of_it_at_once(
    deliveries: Deliveries, replica: Deliveries, bus: Bus, *, again: bool
) -> None:
    told = [(deliveries, replica)[number % 2].submit(FUNCTION, "e", prepared, again=again) for number in range(50)]
    many = await asyncio.gather(*told)
    assert sorted(one.fresh for one in many) == [False] * 49 + [True]
    assert len({one.task_id for one in many}) == 1
    assert await commands(bus) == 1


@pytest.mark.parametrize("again", [False, True])
async def test_who_is_told_next_sends_what_was_left_unsent(deliveries: Deliveries, bus: Bus, *, again: bool) -> None:
    await lost(deliveries)
    assert await commands(bus) == 0
    entered = await known(bus)
    many = await asyncio.gather(*(deliveries.submit(FUNCTION, "e", prepared, again=again) for _ in range(20)))
    assert sum(one.fresh for one in many) == 1
    assert {one.task_id for one in many} == {entered.task_id}
    assert await commands(bus) == 1


async def test_what_was_left_unsent_long_ago_is_sent_and_then_known(deliveries: Deliveries, bus: Bus) -> None:
    """Past the bus's own window: neither the record nor the bus has it, so it was never submitted."""
    await lost(deliveries)
    await aged(bus, at=time.time() - 2 * DEDUPE_S)
    many = await asyncio.gather(*(deliveries.submit(FUNCTION, "e", prepared, again=True) for _ in range(20)))
    assert sum(one.fresh for one in many) == 1
    assert await commands(bus) == 1
    assert time.time() - (await known(bus)).at < DEDUPE_S


async def test_what_was_sent_late_is_known_by_when_it_was_sent(deliveries: Deliveries, bus: Bus) -> None:
    """Else it would be looked for where it is not, once the window has passed."""
    await lost(deliveries)
    await aged(bus, at=time.time() - DEDUPE_S / 2)
    assert (await deliveries.submit(FUNCTION, "e", prepared)).fresh
    assert time.time() - (await known(bus)).at < DEDUPE_S / 10


async def test_past_the_window_the_bus_is_asked_for_what_is_not_on_record(bus: Bus, hooked_store: Store) -> None:
    """The recorder is behind: the command is there, and its message id no longer said to be known."""
    forgetful = Deliveries(bus, hooked_store, dedupe_s=0.0)
    first = await forgetful.submit(FUNCTION, "e", prepared)
    again = await forgetful.submit(FUNCTION, "e", prepared, again=True)
    assert (again.task_id, again.fresh) == (first.task_id, False)
    assert await commands(bus) == 1


async def test_past_the_window_the_record_knows(deliveries: Deliveries, bus: Bus, hooked_store: Store) -> None:
    first = await deliveries.submit(FUNCTION, "e", prepared)
    await recorded(hooked_store, first.task_id, status="SUCCESS")
    await aged(bus, at=time.time() - 2 * DEDUPE_S)
    await bus.stream.purge_stream(streams.INVOKE)
    for again in (False, True):
        assert not (await deliveries.submit(FUNCTION, "e", prepared, again=again)).fresh
    assert await commands(bus) == 0


@pytest.mark.parametrize("ahead_s", [-3600.0, 3600.0])
async def test_a_clock_that_is_wrong_makes_no_second_run(
    deliveries: Deliveries, bus: Bus, hooked_store: Store, ahead_s: float
) -> None:
    first = await deliveries.submit(FUNCTION, "e", prepared)
    await recorded(hooked_store, first.task_id)
    await aged(bus, at=time.time() + ahead_s)
    assert not (await deliveries.submit(FUNCTION, "e", prepared)).fresh
    assert await commands(bus) == 1


@pytest.mark.parametrize("end", [{"status": "FAILURE", "failed": True}, {"status": "SUCCESS", "failed": True}])
async def test_one_that_failed_runs_again_once(
    deliveries: Deliveries, bus: Bus, hooked_store: Store, end: dict[str, Any]
) -> None:
    first = await deliveries.submit(FUNCTION, "e", prepared, again=True)
    await recorded(hooked_store, first.task_id, **end)
    assert not (await deliveries.submit(FUNCTION, "e", prepared)).fresh
    many = await asyncio.gather(*(deliveries.submit(FUNCTION, "e", prepared, again=True) for _ in range(20)))
    assert sum(one.fresh for one in many) == 1
    assert {one.task_id for one in many} & {first.task_id} == set()
    assert len({one.task_id for one in many}) == 1
    assert (await commands(bus), (await known(bus)).attempt) == (2, 2)


@pytest.mark.parametrize("end", [{"status": "SUCCESS"}, {"status": "STARTED"}, {}])
async def test_one_that_did_not_fail_does_not(
    deliveries: Deliveries, bus: Bus, hooked_store: Store, end: dict[str, Any]
) -> None:
    first = await deliveries.submit(FUNCTION, "e", prepared, again=True)
    await recorded(hooked_store, first.task_id, **end)
    assert not (await deliveries.submit(FUNCTION, "e", prepared, again=True)).fresh
    assert await commands(bus) == 1


async def test_a_failure_that_was_seen_need_not_be_on_record(deliveries: Deliveries, bus: Bus) -> None:
    first = await deliveries.submit(FUNCTION, "e", prepared, again=True)
    await deliveries.failed(FUNCTION, "e", first.task_id)
    second = await deliveries.submit(FUNCTION, "e", prepared, again=True)
    assert second.fresh
    await deliveries.failed(FUNCTION, "e", first.task_id)  # late news of the first one: the second has not failed
    assert not (await deliveries.submit(FUNCTION, "e", prepared, again=True)).fresh
    assert await commands(bus) == 2


class TestTheStoreIsAway:
    @pytest.fixture
    async def blind(self, bus: Bus) -> AsyncIterator[Deliveries]:
        """Its store is nowhere."""
        store = Store("mongodb://127.0.0.1:1/", database="shoal", timeout_s=0.3)
        yield Deliveries(bus, store, dedupe_s=DEDUPE_S)
        store.close()

    async def test_what_is_new_or_was_left_unsent_is_submitted(self, blind: Deliveries, bus: Bus) -> None:
        assert (await blind.submit(FUNCTION, "new", prepared, again=True)).fresh
        await lost(blind)
        assert (await blind.submit(FUNCTION, "e", prepared, again=True)).fresh
        assert not (await blind.submit(FUNCTION, "e", prepared)).fresh
        assert await commands(bus) == 2

    async def test_whether_it_failed_is_not_guessed(self, blind: Deliveries, bus: Bus) -> None:
        """It is to be told again: nothing is lost, and nothing runs twice."""
        await blind.submit(FUNCTION, "e", prepared, again=True)
        for at in (time.time(), time.time() - 2 * DEDUPE_S):
            await aged(bus, at=at)
            with pytest.raises(Problem) as caught:
                await blind.submit(FUNCTION, "e", prepared, again=True)
            assert caught.value.code == "unavailable"
        assert await commands(bus) == 1


async def test_what_is_too_large_stays_so_and_burns_nothing(deliveries: Deliveries, bus: Bus) -> None:
    def large(task_id: str) -> Command:
        return Command(msgspec.Raw(b'"%b"' % (b"x" * (16 << 20))), Origin(trigger_type="webhook"))

    for _ in range(2):
        with pytest.raises(Problem) as caught:
            await deliveries.submit(FUNCTION, "e", large)
        assert caught.value.code == "too_large"
    assert (await deliveries.submit(FUNCTION, "e", prepared)).fresh
    assert await commands(bus) == 1
